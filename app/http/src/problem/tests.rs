//! Problems as answers.

use rstest::rstest;

use super::*;

#[rstest]
#[case(Duration::ZERO, "1")]
#[case(Duration::from_millis(999), "1")]
#[case(Duration::from_secs(2), "2")]
#[case(Duration::from_nanos(2_000_000_001), "3")]
#[case(Duration::from_millis(59_500), "60")]
fn who_waits_as_told_has_waited_long_enough(#[case] wait: Duration, #[case] told: &str) {
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "");
    let response = Problem { retry_after: Some(wait), ..problem }.respond("", false);
    assert_eq!(response.headers()[header::RETRY_AFTER], told);
}

#[tokio::test]
async fn a_quota_that_is_exceeded_tells_its_limit() {
    let told = async |error: ServiceError| {
        let response = Problem::from(error).respond("7", false);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        let body = response.into_body().into_json::<serde_json::Value>().await.unwrap();
        (body["code"].as_str().unwrap().to_owned(), body.get("limit").cloned())
    };
    let full = told(ServiceError::quota_exceeded("API tokens", 100)).await;
    assert_eq!(full, ("quota_exceeded".to_owned(), Some(100.into())));
    let other = ServiceError::Conflict { code: "email_taken", detail: String::new(), limit: None };
    assert_eq!(told(other).await, ("email_taken".to_owned(), None), "nothing else has one");
}

#[test]
fn what_is_usual_is_no_failure_to_be_logged() {
    let lacking = |lack, source: SecretError| ServiceError::Unavailable {
        what: "it",
        lack,
        retry_after: Duration::from_secs(1),
        source: std::sync::Arc::new(source),
    };
    let failure = |error: ServiceError| Problem::from(error).failure();
    let broken = || SecretError::Failed("on purpose".into());
    assert!(failure(lacking(Lack::NotReady("activities_not_ready"), broken())).is_none());
    assert!(failure(lacking(Lack::NotConfigured("tmdb_not_configured"), broken())).is_none());
    assert!(failure(lacking(Lack::Ours, SecretError::Busy)).is_none(), "too many logins at once");
    assert!(failure(lacking(Lack::Ours, broken())).unwrap().contains("on purpose"));
    assert!(failure(lacking(Lack::Upstream, broken())).is_some());
    assert!(failure(ServiceError::NotFound).is_none());
    assert!(Problem::internal().failure().is_some());
}
