//! Requests that do not say whom they mean: RFC 9112 (3.2).

use super::answer_to;
use super::frames::{AUTHORITY, Http2};
use crate::support::shared;

async fn get(target: &str, version: &str, headers: &str) -> String {
    let request = format!("GET {target} HTTP/{version}\r\n{headers}Connection: close\r\n\r\n");
    answer_to(shared().address, request.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_1_names_its_host_once_and_well() {
    for headers in
        ["", "Host: x\r\nHost: x\r\n", "Host: a b\r\n", "Host: x/y\r\n", "Host: u@x\r\n", "Host:\r\n"]
    {
        let answer = get("/api/countries/PE", "1.1", headers).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers:?}: {answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("invalid_host"), "{answer}");
        assert!(answer.to_lowercase().contains("x-request-id: "), "{answer}");
    }
    for host in ["x", "x:80", "[::1]:8000", "127.0.0.1", "malecon.example."] {
        let answer = get("/api/countries/PE", "1.1", &format!("Host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_host_ends_its_connection() {
    let request = "GET /health/live HTTP/1.1\r\n\r\n".repeat(2);
    let answer = answer_to(shared().address, request.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn v31_says_so_in_its_own_words() {
    let answer = get("/v3.1/alpha/pe?fields=name", "1.1", "").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.ends_with(r#"{"message":"Bad Request","status":400}"#), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_needs_no_host() {
    assert!(get("/health/live", "1.0", "").await.starts_with("HTTP/1.0 200"));
    assert!(get("/health/live", "1.0", "Host: x\r\n").await.starts_with("HTTP/1.0 200"));
    assert!(get("/health/live", "1.0", "Host: x\r\nHost: y\r\n").await.starts_with("HTTP/1.0 400"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_may_be_absolute() {
    for path in ["/health/live", "/health/live/", "/v3.1/alpha/pe?fields=name"] {
        let answer = get(&format!("http://malecon.example{path}"), "1.1", "Host: other\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let answer = get("http://malecon.example/health/live", "1.1", "").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "it needs the header all the same: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_has_an_authority_or_a_host() {
    let mut http2 = Http2::connect(shared().address).await;
    let host = |name: u8| [&[0x00, 4], &b"host"[..], &[1, name]].concat();
    let (good, bad) = (0x88, 0x8c);
    for (stream, headers, status) in [
        (1, vec![], bad),
        (3, AUTHORITY.to_vec(), good),
        (5, host(b'x'), good),
        (7, [AUTHORITY, &host(b'x')].concat(), good),
        (9, [AUTHORITY, &host(b'y')].concat(), bad),
    ] {
        http2.get(stream, "/health/live", &headers).await;
        assert_eq!(http2.status(stream).await, status, "stream {stream}");
    }
}
