//! Limits, and the memory they take.

use std::time::Duration;

use malecon_ports::{Limit, RateLimiter};

use crate::MemoryRateLimiter;

malecon_ports::limit_contract!(MemoryRateLimiter::default());

#[tokio::test]
async fn windows_that_ended_are_dropped() {
    let limiter = MemoryRateLimiter::default();
    let [long, none] = [3_600, 0].map(|window| Limit { quota: 1, window: Duration::from_secs(window) });
    limiter.take("long", 1, long).await.unwrap();
    for key in 0..50_000 {
        assert!(limiter.take(&key.to_string(), 1, none).await.unwrap().granted);
    }
    assert!(limiter.keys() <= 10_000, "{}", limiter.keys());
    assert!(!limiter.take("long", 1, long).await.unwrap().granted, "what runs is kept");
}

#[tokio::test]
async fn windows_that_run_are_all_kept() {
    let limiter = MemoryRateLimiter::default();
    let limit = Limit { quota: 1, window: Duration::from_secs(3_600) };
    for granted in [true, false] {
        for key in 0..30_000 {
            assert_eq!(limiter.take(&key.to_string(), 1, limit).await.unwrap().granted, granted);
        }
    }
    assert_eq!(limiter.keys(), 30_000);
}

#[tokio::test]
async fn a_refusal_keeps_no_key() {
    let limiter = MemoryRateLimiter::default();
    let limit = Limit { quota: 1, window: Duration::MAX };
    assert!(!limiter.take("a", 2, limit).await.unwrap().granted);
    assert!(limiter.take("a", 0, limit).await.unwrap().granted, "nothing is always there");
    assert_eq!(limiter.keys(), 0);
    assert!(limiter.clone().take("a", 1, limit).await.unwrap().granted);
    assert!(!limiter.take("a", 1, limit).await.unwrap().granted, "clones share it");
}

#[tokio::test]
async fn a_quota_that_shrank_is_used_up() {
    let limiter = MemoryRateLimiter::default();
    let limit = |quota| Limit { quota, window: Duration::from_secs(3_600) };
    limiter.take("a", 5, limit(10)).await.unwrap();
    let taken = limiter.take("a", 1, limit(3)).await.unwrap();
    assert!(!taken.granted && taken.remaining == 0, "{taken:?}");
    assert_eq!(limiter.take("a", 0, limit(10)).await.unwrap().remaining, 5);
}
