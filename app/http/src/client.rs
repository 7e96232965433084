//! Who a request comes from, also through proxies that we trust.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use malecon::domain::Networks;
use poem::Request;
use poem::http::{HeaderMap, HeaderName, HeaderValue};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client, in the extensions of every request that reaches a handler. What is limited
/// by address is limited by this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The client of a request: its peer, or whom the peer names, where that is one of `trusted`. `None`
    /// for a request that came by no socket.
    pub(crate) fn of(request: &Request, trusted: &Networks) -> Option<Self> {
        let peer = request.remote_addr().as_socket_addr()?.ip().to_canonical();
        if trusted.is_empty() || !trusted.contains(peer) {
            return Some(Self(peer));
        }
        Some(Self(named(request.headers(), trusted).unwrap_or(peer)))
    }

    /// What the wall has found for this request.
    pub(crate) fn on(request: &Request) -> Option<IpAddr> {
        request.extensions().get::<Self>().map(|client| client.0)
    }
}

/// Whom `X-Forwarded-For` names: each proxy appends its peer, so it is read from its end, up to the first
/// address that is not trusted; what stands before that is hearsay. When all are trusted, the first is the
/// client. `None` when there is none, or something is no address where one was expected.
fn named(headers: &HeaderMap, trusted: &Networks) -> Option<IpAddr> {
    let mut farthest = None;
    for line in headers.get_all(X_FORWARDED_FOR).into_iter().rev().map(HeaderValue::to_str) {
        for part in line.ok()?.rsplit(',') {
            let address = address(part.trim())?;
            farthest = Some(address);
            if !trusted.contains(address) {
                return farthest;
            }
        }
    }
    farthest
}

/// An address, as proxies write it: some add a port, or brackets to IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bracketed.unwrap_or(text).parse::<IpAddr>().ok();
    address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).map(|ip| ip.to_canonical())
}
