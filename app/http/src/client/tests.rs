//! Clients behind proxies, and those who pretend to be.

use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Body, RequestParts};
use rstest::rstest;

use super::*;

/// The client of a request from this peer, with these lines of `X-Forwarded-For`.
fn client(peer: &str, lines: &[&str]) -> Option<String> {
    let trusted = Networks::parse("10.0.0.0/8, 2001:db8::/32").unwrap();
    let peer: SocketAddr = peer.parse().unwrap();
    let parts = poem::http::Request::new(()).into_parts().0;
    let parts = RequestParts::from((parts, LocalAddr::default(), RemoteAddr(peer.into()), Scheme::HTTP));
    let mut request = Request::from_parts(parts, Body::empty());
    for line in lines {
        request.headers_mut().append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    ClientAddress::of(&request, &trusted).map(|client| client.0.to_string())
}

#[rstest]
#[case::no_proxy("9.9.9.9:1", &["1.1.1.1"], "9.9.9.9")]
#[case::no_header("10.0.0.1:1", &[], "10.0.0.1")]
#[case::one("10.0.0.1:1", &["1.1.1.1"], "1.1.1.1")]
#[case::mapped_peer("[::ffff:10.0.0.1]:1", &["::ffff:1.1.1.1"], "1.1.1.1")]
#[case::hearsay("10.0.0.1:1", &["6.6.6.6, 1.1.1.1"], "1.1.1.1")]
#[case::hearsay_in_a_line_of_its_own("10.0.0.1:1", &["6.6.6.6", "1.1.1.1"], "1.1.1.1")]
#[case::proxies_in_a_row("10.0.0.1:1", &["6.6.6.6, 1.1.1.1 , 10.0.0.3", "2001:db8::7"], "1.1.1.1")]
#[case::all_trusted("10.0.0.1:1", &["10.0.0.4, 10.0.0.3"], "10.0.0.4")]
#[case::rubbish_before_the_client("10.0.0.1:1", &["'; drop table, 1.1.1.1"], "1.1.1.1")]
#[case::rubbish("10.0.0.1:1", &["unknown"], "10.0.0.1")]
#[case::rubbish_at_the_end("10.0.0.1:1", &["1.1.1.1, unknown"], "10.0.0.1")]
#[case::empty("10.0.0.1:1", &[""], "10.0.0.1")]
#[case::empty_part("10.0.0.1:1", &["1.1.1.1,"], "10.0.0.1")]
#[case::no_text("10.0.0.1:1", &["ÿ"], "10.0.0.1")]
#[case::port("10.0.0.1:1", &["1.1.1.1:4711"], "1.1.1.1")]
#[case::brackets("10.0.0.1:1", &["[2a00::1]"], "2a00::1")]
#[case::brackets_and_port("10.0.0.1:1", &["[2a00::1]:4711"], "2a00::1")]
#[case::half_a_bracket("10.0.0.1:1", &["[2a00::1"], "10.0.0.1")]
fn the_client_is_whom_a_trusted_proxy_names(
    #[case] peer: &str,
    #[case] lines: &[&str],
    #[case] expected: &str,
) {
    assert_eq!(client(peer, lines).as_deref(), Some(expected));
}

#[test]
fn a_request_by_no_socket_has_no_client() {
    assert_eq!(ClientAddress::of(&Request::builder().finish(), &Networks::default()), None);
}
