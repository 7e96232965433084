//! An upstream that fails: what it costs, and what callers get.

use rstest::rstest;

use super::*;

fn refused() -> GatewayError {
    GatewayError::Refused("401".into())
}

#[tokio::test]
async fn while_it_is_down_what_is_kept_stands_in() {
    let bench = bench();
    bench.gives("value 1", Freshness::Fetched).await;
    bench.turn(SECOND * 3_600).await;
    bench.upstream.fail(Some(down));
    bench.gives("value 1", Freshness::StandingIn).await;
    assert_eq!((bench.upstream.calls(), bench.upstream.last_effort()), (2, Effort::Full));
    for _ in 0..10 {
        bench.gives("value 1", Freshness::StandingIn).await;
    }
    assert_eq!(bench.upstream.calls(), 2, "it rests");

    // The probe runs behind its caller, even when it hangs.
    bench.turn(SECOND * 5).await;
    bench.upstream.hang();
    bench.gives("value 1", Freshness::StandingIn).await;
    bench.gives("value 1", Freshness::StandingIn).await;
    assert_eq!((bench.upstream.calls(), bench.upstream.last_effort()), (3, Effort::Once));
    bench.upstream.go_on();
    settle().await;
    bench.turn(SECOND * 5).await;
    bench.upstream.fail(None);
    bench.gives("value 1", Freshness::StandingIn).await;
    bench.gives("value 4", Freshness::Kept).await;
    assert_eq!(bench.breaker.stand(bench.clock.now()), Stand::Closed);
}

#[tokio::test]
async fn a_refresh_that_fails_behind_its_caller_opens_the_breaker() {
    let bench = bench();
    bench.gives("value 1", Freshness::Fetched).await;
    bench.upstream.fail(Some(down));
    bench.turn(SECOND * 60).await;
    bench.gives("value 1", Freshness::Revalidating).await;
    bench.gives("value 1", Freshness::StandingIn).await;
    assert_eq!((bench.upstream.calls(), bench.upstream.last_effort()), (2, Effort::Once));
}

#[tokio::test]
async fn an_outage_costs_one_probe_a_rest_however_many_ask_for_whatever() {
    let bench = bench();
    bench.upstream.fail(Some(down));
    assert!(matches!(bench.get().await, Err(ShieldError::Gateway { .. })));
    for tick in 0..600 {
        let _ = bench.ask(&format!("key {}", tick % 7)).await.unwrap();
        let _ = bench.ask("key").await.unwrap();
        bench.turn(SECOND / 10).await;
    }
    // One to find out, and at 5, 10, …, 55 s.
    assert_eq!(bench.upstream.calls(), 12);
    assert!(bench.upstream.efforts.lock().unwrap()[1..].iter().all(|effort| *effort == Effort::Once));
}

#[tokio::test]
async fn with_nothing_kept_an_outage_is_an_error_at_once() {
    let bench = bench();
    bench.upstream.fail(Some(down));
    match bench.get().await.unwrap_err() {
        ShieldError::Gateway { retry_after, source } => {
            assert!(matches!(*source, GatewayError::Unavailable(_)));
            assert_eq!(retry_after, SECOND * 5);
        }
        other => panic!("{other:?}"),
    }
    bench.turn(SECOND * 2).await;
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, ShieldError::Resting { retry_after } if retry_after == SECOND * 3), "{error:?}");
    bench.turn(SECOND * 3).await;

    // One caller's fetch is the probe.
    bench.upstream.hang();
    bench.upstream.fail(None);
    let probe = bench.ask("key");
    settle().await;
    let other = bench.ask("other");
    settle().await;
    assert!(other.is_finished(), "it does not wait for the probe");
    let other = other.await.unwrap();
    assert!(matches!(other, Err(ShieldError::Resting { retry_after }) if retry_after == SECOND * 5));
    assert!(!probe.is_finished());
    bench.upstream.go_on();
    assert_eq!(probe.await.unwrap().unwrap().freshness, Freshness::Fetched);
    assert_eq!((bench.upstream.calls(), bench.upstream.last_effort()), (2, Effort::Once));
}

#[tokio::test]
async fn a_refusal_is_told_as_such() {
    let bench = bench();
    bench.upstream.fail(Some(refused));
    let service = bench.get().await.unwrap_err().into_service("it");
    let crate::ServiceError::Unavailable { lack, retry_after, .. } = service else { panic!("{service:?}") };
    assert_eq!((lack, retry_after), (crate::Lack::UpstreamWrong, SECOND * 5));
}

#[tokio::test]
async fn what_takes_too_long_is_as_good_as_down_until_it_lands() {
    let bench = bench();
    bench.upstream.hang();
    let first = bench.ask("key");
    settle().await;
    bench.turn(PATIENCE).await;
    assert!(matches!(first.await.unwrap(), Err(ShieldError::Late)));
    for key in ["key", "other"] {
        let answer = bench.ask(key);
        settle().await;
        assert!(answer.is_finished(), "nobody waits as long again");
        assert!(matches!(answer.await.unwrap(), Err(ShieldError::Resting { .. })));
    }
    bench.upstream.go_on();
    settle().await;
    assert_eq!(bench.breaker.stand(bench.clock.now()), Stand::Closed);
    bench.gives("value 1", Freshness::Kept).await;
}

#[rstest]
#[case::down(down, 5)]
#[case::refused(refused, 5)]
#[case::nonsense(|| GatewayError::Malformed("what is this".into()), 5)]
#[case::too_often(|| GatewayError::RateLimited { retry_after: None }, 5)]
#[case::too_often_soon(|| GatewayError::RateLimited { retry_after: Some(SECOND) }, 5)]
#[case::too_often_later(|| GatewayError::RateLimited { retry_after: Some(SECOND * 20) }, 20)]
#[case::too_often_for_ever(|| GatewayError::RateLimited { retry_after: Some(Duration::MAX) }, 60)]
#[tokio::test]
async fn failures_open_the_breaker(#[case] error: fn() -> GatewayError, #[case] seconds: u32) {
    let bench = bench();
    bench.upstream.fail(Some(error));
    assert!(matches!(bench.get().await, Err(ShieldError::Gateway { .. })));
    let rest = SECOND * seconds;
    assert_eq!(bench.breaker.stand(bench.clock.now()), Stand::Resting(rest));
    assert_eq!(bench.breaker.stand(bench.clock.now() + rest), Stand::Due);
    assert_eq!(bench.breaker.stand(bench.clock.now() - SECOND * 3_600), Stand::Due, "a clock set back");
}
