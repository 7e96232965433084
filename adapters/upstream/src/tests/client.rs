//! Retries, redirects, bounds and words.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use malecon_ports::GatewayError;
use rstest::rstest;
use url::Url;

use super::stub::{Reply, Stub, answer, client, ok, options};
use crate::{ClientOptions, UpstreamClient};

fn reason(error: &GatewayError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

async fn get(url: Url) -> Result<Vec<u8>, GatewayError> {
    client().get(url, None, |body| Ok(body.to_vec())).await
}

#[rstest]
#[case::internal("500 Internal Server Error", 3)]
#[case::bad_gateway("502 Bad Gateway", 3)]
#[case::unavailable("503 Service Unavailable", 3)]
#[case::timeout("408 Request Timeout", 3)]
#[case::too_early("425 Too Early", 3)]
#[case::limited("429 Too Many Requests", 3)]
#[case::not_implemented("501 Not Implemented", 1)]
#[case::bad_request("400 Bad Request", 1)]
#[case::unauthorized("401 Unauthorized", 1)]
#[case::not_found("404 Not Found", 1)]
#[tokio::test]
async fn what_may_pass_is_tried_again_and_nothing_else(#[case] status: &str, #[case] attempts: usize) {
    let stub = Stub::new(vec![answer(status, "", "no")]).await;
    let error = get(stub.url.clone()).await.unwrap_err();
    assert_eq!(stub.asked(), attempts);
    let class = match error {
        GatewayError::Unavailable(_) => status.starts_with('5') || ["408", "425"].contains(&&status[..3]),
        GatewayError::RateLimited { .. } => status.starts_with("429"),
        GatewayError::Refused(_) => ["400", "401", "404"].contains(&&status[..3]),
        GatewayError::Malformed(_) => false,
    };
    assert!(class, "{error:?}");
}

#[tokio::test]
async fn a_second_attempt_may_succeed() {
    let cut = Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[1,2".to_vec());
    for bad in [cut, Reply::Bytes(vec![]), Reply::Nothing, answer("500 Oh", "", "")] {
        let stub = Stub::new(vec![bad, ok("[]")]).await;
        let body = get(stub.url.clone()).await.unwrap();
        assert_eq!((&body[..], stub.asked()), (&b"[]"[..], 2));
    }
}

#[tokio::test]
async fn retry_after_is_waited_for_unless_it_is_long() {
    let stub = Stub::new(vec![answer("429 Slow", "retry-after: 1\r\n", ""), ok("[]")]).await;
    let begun = Instant::now();
    get(stub.url.clone()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1) && stub.asked() == 2);

    let stub = Stub::new(vec![answer("429 Slow", "retry-after: 3600\r\n", ""), ok("[]")]).await;
    let error = get(stub.url.clone()).await.unwrap_err();
    assert_eq!(stub.asked(), 1);
    let GatewayError::RateLimited { retry_after } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(3600)));
}

#[rstest]
#[case("429 Slow")]
#[case("503 Busy")]
#[tokio::test]
async fn who_is_in_a_hurry_waits_for_no_long_retry_after_and_knows_it(#[case] status: &str) {
    let stub = Stub::new(vec![answer(status, "retry-after: 2\r\n", ""), ok("[]")]).await;
    let options = ClientOptions { longest_wait: Duration::from_secs(1), ..options() };
    let client = UpstreamClient::new(options).unwrap();
    let error = client.get(stub.url.clone(), None, |_| Ok(())).await.unwrap_err();
    let GatewayError::RateLimited { retry_after } = error else { panic!("{error:?}") };
    assert_eq!((retry_after, stub.asked()), (Some(Duration::from_secs(2)), 1));
}

#[tokio::test]
async fn an_upstream_that_says_nothing_is_given_up() {
    let stub = Stub::new(vec![Reply::Nothing]).await;
    let error = get(stub.url.clone()).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable(_)));
    assert!(reason(&error).contains("timed out"), "{}", reason(&error));
    assert_eq!(stub.asked(), 3);
}

#[tokio::test]
async fn redirects_are_few() {
    let round = Stub::new(vec![answer("302 Found", "location: /again\r\n", "")]).await;
    let error = get(round.url.clone()).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable(_)), "{error:?}");
    assert_eq!(round.asked(), 4, "the request and three redirects, once");
    let once = Stub::new(vec![answer("301 Moved", "location: /there\r\n", ""), ok("[7]")]).await;
    assert_eq!(&get(once.url.clone()).await.unwrap()[..], b"[7]");
}

#[tokio::test]
async fn bodies_are_bounded_after_they_are_unpacked() {
    let error = get(Stub::new(vec![Reply::Endless]).await.url).await.unwrap_err();
    assert!(matches!(error, GatewayError::Malformed(_)), "{error:?}");
    let mut bomb = GzEncoder::new(vec![], Compression::best());
    for _ in 0..100 {
        bomb.write_all(&[b'0'; 100_000]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    let stub = Stub::new(vec![Reply::Bytes([head.into_bytes(), bomb].concat())]).await;
    let error = get(stub.url.clone()).await.unwrap_err();
    assert!(reason(&error).contains("more than 100000 bytes"), "{}", reason(&error));
    assert_eq!(stub.asked(), 1, "a large body does not shrink");
}

#[tokio::test]
async fn nobody_listens() {
    let error = get(Url::parse("http://127.0.0.1:1/x?key=s3cret").unwrap()).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable(_)));
    assert!(reason(&error).contains("no connection"), "{}", reason(&error));
    assert!(!reason(&error).contains("s3cret"));
}

/// Where a log goes.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Writes down what this thread logs, for as long as the guard lives.
    pub fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_final_failure_is_one_line_without_secrets() {
    let (log, _guard) = Log::begin();
    let stub =
        Stub::new(vec![answer("500 Oh", "content-type: application/json\r\n", "{\"errors\":[\"tired\"]}")])
            .await;
    let token = secrecy::SecretString::from("t0ken");
    client().get(stub.url.clone(), Some(&token), |_| Ok(())).await.unwrap_err();
    let text = log.text();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("malecon::upstream")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    let place = format!("upstream=\"{}/v3.1\"", stub.url.authority());
    assert!([&*place, "tired", "attempts=3"].iter().all(|part| lines[0].contains(part)), "{text}");
    assert!(!text.contains("s3cret") && !text.contains("t0ken"), "{text}");
}
