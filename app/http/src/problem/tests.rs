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
