//! Hosts that are none.

use poem::http::Method;
use rstest::rstest;

use super::*;

fn checked(version: Version, target: &str, hosts: &[&[u8]]) -> bool {
    let uri = target.parse().unwrap();
    let mut request = Request::builder().method(Method::GET).uri(uri).version(version).finish();
    for host in hosts {
        request.headers_mut().append(header::HOST, HeaderValue::from_bytes(host).unwrap());
    }
    check(&request).is_ok()
}

#[rstest]
#[case(b"example.com", true)]
#[case(b"EXAMPLE.com:8000", true)]
#[case(b"example.com:", true)]
#[case(b"127.0.0.1:65535", true)]
#[case(b"[::1]", true)]
#[case(b"[2a00::1]:80", true)]
#[case(b"[v1.a:b]", true)]
#[case(b"under_score", true)]
#[case(b"m%C3%BCnchen.example", true)]
#[case(b"", false)]
#[case(b":80", false)]
#[case(b"a b", false)]
#[case(b"a, b", false)]
#[case(b"a/b", false)]
#[case(b"user@a", false)]
#[case(b"a:b", false)]
#[case(b"a:80:80", false)]
#[case(b"a:65536", false)]
#[case(b"a:-1", false)]
#[case(b"::1", false)]
#[case(b"[::1", false)]
#[case(b"[::1]80", false)]
#[case(b"[1.2.3.4]", false)]
#[case(b"[v.a]", false)]
#[case(b"a%zz", false)]
#[case(b"a%2", false)]
#[case(b"m\xc3\xbcnchen", false)]
#[case(b"http://a", false)]
#[case(b"a?b", false)]
#[case(b"<a>", false)]
fn hosts_are_names_or_addresses_with_or_without_a_port(#[case] host: &[u8], #[case] valid: bool) {
    assert_eq!(is_host(host), valid);
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        assert_eq!(checked(version, "/", &[host]), valid, "{version:?}");
    }
}

#[test]
fn each_version_has_its_rule_for_a_host_that_is_missing() {
    assert!(checked(Version::HTTP_10, "/", &[]));
    assert!(!checked(Version::HTTP_11, "/", &[]));
    assert!(!checked(Version::HTTP_2, "/", &[]));
    assert!(checked(Version::HTTP_2, "http://a/", &[]));
}

#[test]
fn two_hosts_are_one_too_many_even_when_they_are_the_same() {
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        assert!(!checked(version, "/", &[b"a", b"a"]), "{version:?}");
    }
}

#[test]
fn an_absolute_target_goes_before_the_header() {
    assert!(checked(Version::HTTP_11, "http://a/", &[b"b"]));
    assert!(!checked(Version::HTTP_11, "http://a/", &[]));
    assert!(!checked(Version::HTTP_11, "http://a/", &[b"b c"]));
    assert!(!checked(Version::HTTP_11, "http://user@a/", &[b"a"]));
    assert!(checked(Version::HTTP_2, "http://a/", &[b"A"]));
    assert!(!checked(Version::HTTP_2, "http://a/", &[b"b"]));
}
