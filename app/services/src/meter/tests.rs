//! Requests of a token, counted by one process and by two.

use std::time::Duration;

use malecon_memory::{ManualClock, MemoryRateLimiter, SystemClock};
use malecon_ports::{Cause, MockRateLimiter};

use super::*;

fn limit(quota: u32) -> Limit {
    Limit { quota, window: Duration::from_secs(60) }
}

async fn granted(meters: &[&Meter], key: &str, times: usize) -> usize {
    let mut granted = 0;
    for turn in 0..times {
        granted += usize::from(meters[turn % meters.len()].count(key).await.unwrap().granted);
    }
    granted
}

#[tokio::test]
async fn a_token_has_its_quota_and_no_more() {
    let meter = Meter::new(Arc::new(MemoryRateLimiter::default()), Arc::new(SystemClock), limit(250));
    let first = meter.count("a").await.unwrap();
    assert_eq!((first.granted, first.remaining), (true, 249));
    assert_eq!(granted(&[&meter], "a", 400).await, 249);
    let refused = meter.count("a").await.unwrap();
    assert!(!refused.granted && refused.reset <= Duration::from_secs(60));
    assert_eq!(granted(&[&meter], "b", 10).await, 10, "another token has its own");
}

#[tokio::test]
async fn two_processes_share_the_quota() {
    let limiter: Arc<dyn RateLimiter> = Arc::new(MemoryRateLimiter::default());
    let [one, two] = [(), ()].map(|()| Meter::new(Arc::clone(&limiter), Arc::new(SystemClock), limit(1_000)));
    assert_eq!(granted(&[&one, &two], "a", 3_000).await, 1_000);
}

#[tokio::test]
async fn the_shared_counter_is_asked_once_in_a_hundredth() {
    let mut limiter = MockRateLimiter::new();
    limiter.expect_take().times(2).returning(|_, cost, limit| {
        Ok(Taken { granted: true, remaining: limit.quota - cost, reset: limit.window })
    });
    let clock = ManualClock::new(Instant::default());
    let meter = Meter::new(Arc::new(limiter), Arc::new(clock), limit(6_000));
    assert_eq!(granted(&[&meter], "a", 120).await, 120);
}

#[tokio::test]
async fn what_is_held_ends_with_its_window() {
    let mut limiter = MockRateLimiter::new();
    limiter.expect_take().times(2).returning(|_, cost, limit| {
        Ok(Taken { granted: true, remaining: limit.quota - cost, reset: limit.window })
    });
    let clock = Arc::new(ManualClock::new(Instant::default()));
    let meter = Meter::new(Arc::new(limiter), Arc::clone(&clock) as Arc<dyn Clock>, limit(6_000));
    assert_eq!(meter.count("a").await.unwrap().remaining, 5_999);
    clock.advance(Duration::from_secs(60));
    assert_eq!(meter.count("a").await.unwrap().remaining, 5_999);
}

#[tokio::test]
async fn while_the_shared_counter_is_gone_the_process_counts_alone() {
    let mut gone = MockRateLimiter::new();
    gone.expect_take().returning(|_, _, _| Err(CacheError(Cause::from("gone"))));
    let limiter = TieredLimiter::new(Arc::new(gone), Arc::new(MemoryRateLimiter::default()));
    let meter = Meter::new(Arc::new(limiter), Arc::new(SystemClock), limit(5));
    assert_eq!(granted(&[&meter], "a", 9).await, 5);
}
