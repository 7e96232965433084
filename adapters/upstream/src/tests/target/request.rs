//! What targets see of a call.

use malecon_domain::Payload;
use rstest::rstest;

use super::*;

#[rstest]
#[case::get(HttpMethod::Get, None, "")]
#[case::head(HttpMethod::Head, None, "")]
#[case::delete(HttpMethod::Delete, None, "")]
#[case::post(HttpMethod::Post, Some(Payload::Json("{\"a\": 1}".into())), "content-type: application/json\r\n")]
#[case::put(HttpMethod::Put, Some(Payload::Text("¡hola!".into())), "content-type: text/plain; charset=utf-8\r\n")]
#[case::patch(HttpMethod::Patch, Some(Payload::Json("[]".into())), "content-type: application/json\r\n")]
#[case::delete_body(HttpMethod::Delete, Some(Payload::Text("x".into())), "content-type: text/plain; charset=utf-8\r\n")]
#[case::bare_post(HttpMethod::Post, None, "content-length: 0\r\n")]
#[case::empty_put(
    HttpMethod::Put,
    Some(Payload::Text(String::new())),
    "content-type: text/plain; charset=utf-8\r\ncontent-length: 0\r\n"
)]
#[tokio::test]
async fn each_method_is_sent_as_it_is(
    #[case] method: HttpMethod,
    #[case] payload: Option<Payload>,
    #[case] kind: &str,
) {
    let target = Peer::new(vec![Say::Last(b"HTTP/1.1 204 No Content\r\nX-Id: 7\r\n\r\n".to_vec())]).await;
    let headers = vec![("X-Trace".to_owned(), "a b".to_owned())];
    let url = target.url("/hook/%20?q=%C3%A1&q=2#part");
    let received = only(&target).call(&Call { method, headers, payload: payload.clone(), ..call(url) }).await;
    let received = received.unwrap();
    assert_eq!((received.status, received.header("x-id")), (204, Some("7")));
    let text = payload.as_ref().map(Payload::text);
    let length = match text {
        Some(text) if !text.is_empty() => format!("content-length: {}\r\n", text.len()),
        _ => String::new(),
    };
    let expected = format!(
        "{} /hook/%20?q=%C3%A1&q=2 HTTP/1.1\r\nx-trace: a b\r\n{kind}accept: */*\r\nuser-agent: malecon/{}\r\n\
         accept-encoding: gzip\r\nhost: {}\r\n{length}\r\n{}",
        method.name(),
        env!("CARGO_PKG_VERSION"),
        target.address,
        text.unwrap_or_default(),
    );
    assert_eq!(target.requests(), [expected]);
}

#[tokio::test]
async fn a_calls_own_headers_win() {
    let target = Peer::fine().await;
    let headers = [("content-TYPE", "application/vnd.x+json"), ("User-Agent", "mine/1"), ("ACCEPT", "a/b")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let payload = Some(Payload::Json("{}".into()));
    let asked = Call { method: HttpMethod::Post, headers, payload, ..call(target.url("/")) };
    only(&target).call(&asked).await.unwrap();
    let request = &target.requests()[0];
    for (name, line) in [
        ("content-type", "content-type: application/vnd.x+json\r\n"),
        ("user-agent", "user-agent: mine/1\r\n"),
        ("accept:", "accept: a/b\r\n"),
    ] {
        assert!(request.contains(line) && request.matches(name).count() == 1, "{request}");
    }
}

#[rstest]
#[case::name("X Trace", "1")]
#[case::value("X-Trace", "1\r\nX-More: 2")]
#[tokio::test]
async fn a_header_that_is_none_is_not_sent(#[case] name: &str, #[case] value: &str) {
    let target = Peer::fine().await;
    let headers = vec![(name.to_owned(), value.to_owned())];
    let answer = only(&target).call(&Call { headers, ..call(target.url("/")) }).await;
    assert_eq!((fault_of(answer), target.connections()), (CallFault::Invalid, 0));
}

#[rstest]
#[case::http("http://Example.COM/x", "example.com:80")]
#[case::https("https://example.com", "example.com:443")]
#[case::port("https://example.com:8443/", "example.com:8443")]
#[case::dot("https://example.com./", "example.com:443")]
#[case::v4("http://0x7f.1/", "127.0.0.1:80")]
#[case::v6("http://[0:0::1]:81/", "[::1]:81")]
#[tokio::test]
async fn a_lane_is_a_host_and_its_port(#[case] url: &str, #[case] lane: &str) {
    let targets = Targets::new(TargetOptions::default()).unwrap();
    assert_eq!(targets.lane(url).unwrap(), lane);
    assert_eq!(targets.lane("ftp://example.com/").unwrap_err().fault, CallFault::Invalid);
}

/// The environment belongs to the whole process, so that this one runs the tests above in another.
#[tokio::test]
async fn proxy_variables_change_nothing() {
    let canary = Peer::fine().await;
    let mut tests = std::process::Command::new(std::env::current_exe().unwrap());
    tests.args(["tests::target::request::each_method", "tests::target::redirect::as_many"]);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        tests.env(name, canary.url(""));
    }
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        tests.env_remove(name);
    }
    let output = tokio::task::spawn_blocking(move || tests.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(" 11 passed"), "{said}");
    assert_eq!(canary.connections(), 0);
}
