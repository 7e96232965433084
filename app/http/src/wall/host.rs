//! Whom a request means: RFC 9112 (3.2) and RFC 9113 (8.3.1).

#[cfg(test)]
mod tests;

use poem::Request;
use poem::http::{HeaderValue, StatusCode, Version, header};

use crate::problem::Problem;

/// A request must say whom it means, once: who reads it differently than we do could otherwise be made to
/// take one request for another.
///
/// # Errors
/// 400, `invalid_host`, for what a server must refuse.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let refused = |detail: &'static str| Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_host", detail));
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return refused("the header Host may come once");
    }
    // The host of an absolute target goes before the header, but does not make it unnecessary.
    if authority.is_some_and(|authority| !is_host(authority.as_bytes())) {
        return refused("the host of the target is not valid");
    }
    match (host, authority) {
        (Some(host), _) if !is_host(host) => return refused("the header Host is not valid"),
        (None, _) if request.version() == Version::HTTP_11 => return refused("the header Host is missing"),
        (None, None) if request.version() == Version::HTTP_2 => return refused("the :authority is missing"),
        (Some(host), Some(authority))
            if request.version() == Version::HTTP_2 && !host.eq_ignore_ascii_case(authority.as_bytes()) =>
        {
            return refused("the header Host differs from the :authority");
        }
        _ => {}
    }
    Ok(())
}

/// Whether this is `uri-host [ ":" port ]` (RFC 3986), and names something.
fn is_host(text: &[u8]) -> bool {
    let end = if text.starts_with(b"[") {
        match text.iter().position(|byte| *byte == b']') {
            Some(end) if is_literal(&text[1..end]) => end + 1,
            _ => return false,
        }
    } else {
        let end = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
        if end == 0 || !is_name(&text[..end]) {
            return false;
        }
        end
    };
    match &text[end..] {
        [] | [b':'] => true,
        [b':', port @ ..] => {
            let digits = port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
            digits && port.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')) <= 65_535
        }
        _ => false,
    }
}

/// An IPv6 address, or one of a version to come (`v1.…`).
fn is_literal(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    if let Some(future) = text.strip_prefix(['v', 'V']) {
        let fits = |byte: u8| is_plain(byte) || byte == b':';
        return future.split_once('.').is_some_and(|(version, rest)| {
            !version.is_empty()
                && version.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !rest.is_empty()
                && rest.bytes().all(fits)
        });
    }
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// A registered name, which an IPv4 address is as well.
fn is_name(mut text: &[u8]) -> bool {
    loop {
        text = match text {
            [] => return true,
            [b'%', a, b, rest @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if is_plain(*byte) => rest,
            _ => return false,
        };
    }
}

/// `unreserved / sub-delims`.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}
