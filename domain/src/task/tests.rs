//! What is refused, and where it says so.

use std::time::Duration;

use rstest::rstest;

use super::*;

fn config() -> TaskConfig {
    TaskConfig {
        base_url: "https://example.com/hook?a=1".to_owned(),
        method: HttpMethod::Post,
        payload: Some(Payload::Json("{}".to_owned())),
        headers: vec![header("X-Trace", "1"), header("Authorization", "Bearer t")],
        timeout: TaskConfig::DEFAULT_TIMEOUT,
        redirects: 0,
        retry: RetryRule::default(),
        success: SuccessRule::default(),
        schedule: None,
    }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: HeaderText::Plain(value.to_owned()) }
}

fn pointers(name: &str, config: TaskConfig) -> Vec<String> {
    let draft = TaskDraft { name: name.to_owned(), config };
    draft.faults().into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn a_usual_task_has_no_faults() {
    assert_eq!(pointers("hook", config()), [""; 0]);
}

#[rstest]
#[case::empty("")]
#[case::blank("  ")]
#[case::control("a\u{7}")]
#[case::long(&"x".repeat(201))]
fn odd_names_are_refused(#[case] name: &str) {
    assert_eq!(pointers(name, config()), ["/name"]);
}

#[rstest]
#[case::scheme("/config/base_url", |c: &mut TaskConfig| c.base_url = "ftp://example.com".into())]
#[case::no_scheme("/config/base_url", |c: &mut TaskConfig| c.base_url = "example.com".into())]
#[case::long_url("/config/base_url", |c: &mut TaskConfig| c.base_url = format!("http://a/{}", "x".repeat(4_096)))]
#[case::body_of_get("/config/payload", |c: &mut TaskConfig| c.method = HttpMethod::Get)]
#[case::long_body("/config/payload", |c: &mut TaskConfig| c.payload = Some(Payload::Text("x".repeat(1_048_577))))]
#[case::no_time("/config/timeout_ms", |c: &mut TaskConfig| c.timeout = Duration::from_millis(99))]
#[case::all_day("/config/timeout_ms", |c: &mut TaskConfig| c.timeout = Duration::from_millis(300_001))]
#[case::far("/config/max_redirects", |c: &mut TaskConfig| c.redirects = 4)]
#[case::never("/config/retry/max_attempts", |c: &mut TaskConfig| c.retry.max_attempts = 0)]
#[case::for_ever("/config/retry/max_attempts", |c: &mut TaskConfig| c.retry.max_attempts = 21)]
#[case::slow("/config/retry/backoff_ms", |c: &mut TaskConfig| c.retry.backoff = Duration::from_secs(3_601))]
#[case::no_status("/config/retry/on_status", |c: &mut TaskConfig| c.retry.on_status = Some(vec![]))]
#[case::odd_status("/config/retry/on_status", |c: &mut TaskConfig| c.retry.on_status = Some(vec![99]))]
#[case::odd_success("/config/success/status", |c: &mut TaskConfig| c.success.status = Some(vec![200, 600]))]
#[case::long_regex("/config/success/body_regex", |c: &mut TaskConfig| c.success.body_regex = Some("x".repeat(1_001)))]
#[case::host("/config/headers/Host", |c: &mut TaskConfig| c.headers.push(header("Host", "a")))]
#[case::proxy("/config/headers/Proxy-Secret", |c: &mut TaskConfig| c.headers.push(header("Proxy-Secret", "a")))]
#[case::length("/config/headers/content-length", |c: &mut TaskConfig| c.headers.push(header("content-length", "1")))]
#[case::twice("/config/headers/x-trace", |c: &mut TaskConfig| c.headers.push(header("x-trace", "2")))]
#[case::no_token("/config/headers/a~1b~0 c", |c: &mut TaskConfig| c.headers.push(header("a/b~ c", "2")))]
#[case::smuggled("/config/headers/X-A", |c: &mut TaskConfig| c.headers.push(header("X-A", "a\r\nHost: b")))]
#[case::beyond_ascii("/config/headers/X-A", |c: &mut TaskConfig| c.headers.push(header("X-A", "ñ")))]
fn what_breaks_a_rule_says_where(#[case] pointer: &str, #[case] spoil: fn(&mut TaskConfig)) {
    let mut config = config();
    spoil(&mut config);
    assert_eq!(pointers("hook", config), [pointer]);
}

#[rstest]
#[case("authorization", true)]
#[case("Cookie", true)]
#[case("X-Api-Key", true)]
#[case("X-Amz-Security-Token", true)]
#[case("client-secret", true)]
#[case("Token", true)]
#[case("X-Tokens", true)]
#[case("apikey", true)]
#[case("X-Authentication", true)]
#[case("X-PASSWORD", true)]
#[case("X-Hub-Signature-256", true)]
#[case("X-Trace", false)]
#[case("Content-Type", false)]
#[case("Accept", false)]
fn secrets_are_known_by_their_names(#[case] name: &str, #[case] is_secret: bool) {
    assert_eq!(Header::is_secret(name), is_secret);
    for value in [HeaderText::Plain("s3cret".to_owned()), HeaderText::Sealed(vec![1])] {
        let sealed = matches!(value, HeaderText::Sealed(_));
        let header = Header { name: name.to_owned(), value };
        assert_eq!(header.shown(), if is_secret || sealed { Sent::MASK } else { "s3cret" });
    }
}
