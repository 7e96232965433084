//! The promises of [`RateLimiter`].

use std::time::Duration;

use futures_util::future::join_all;

use crate::{Limit, RateLimiter, Taken};

/// Tests of every promise of [`RateLimiter`] on the adapter that the expression makes.
#[macro_export]
macro_rules! limit_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::limit, [
            grants_the_quota_and_no_more,
            a_refusal_takes_nothing,
            nothing_is_always_granted,
            keys_are_counted_apart,
            a_new_window_begins_with_the_quota,
        ]);
    };
}

const LONG: Duration = Duration::from_secs(60);
/// Longer than it takes to open a connection, or the second count would come too late.
const SHORT: Duration = Duration::from_millis(400);

async fn take(limiter: &impl RateLimiter, key: &str, cost: u32, limit: Limit) -> Taken {
    limiter.take(key, cost, limit).await.expect("take")
}

/// The quota is there once, for one caller or many at once.
pub async fn grants_the_quota_and_no_more(limiter: &impl RateLimiter) {
    let limit = Limit { quota: 3, window: LONG };
    for left in [2, 1, 0] {
        let taken = take(limiter, "a", 1, limit).await;
        assert!(taken.granted && taken.remaining == left, "{taken:?}");
        assert!(taken.reset <= LONG && !taken.reset.is_zero(), "{taken:?}");
    }
    let refused = take(limiter, "a", 1, limit).await;
    assert!(!refused.granted && refused.remaining == 0 && refused.reset <= LONG, "{refused:?}");

    let limit = Limit { quota: 7, window: LONG };
    let all = join_all((0..30).map(|_| take(limiter, "many", 1, limit))).await;
    let mut left: Vec<_> = all.iter().filter(|taken| taken.granted).map(|taken| taken.remaining).collect();
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4, 5, 6]);
}

/// Who asks for too much leaves all that is there.
pub async fn a_refusal_takes_nothing(limiter: &impl RateLimiter) {
    let limit = Limit { quota: 5, window: LONG };
    let refused = take(limiter, "a", 6, limit).await;
    assert!(!refused.granted && refused.remaining == 5, "more than the quota: {refused:?}");
    assert!(take(limiter, "a", 3, limit).await.granted);
    for _ in 0..3 {
        let refused = take(limiter, "a", 3, limit).await;
        assert!(!refused.granted && refused.remaining == 2, "{refused:?}");
    }
    let refused = take(limiter, "a", u32::MAX, limit).await;
    assert!(!refused.granted && refused.remaining == 2, "{refused:?}");
    let rest = take(limiter, "a", 2, limit).await;
    assert!(rest.granted && rest.remaining == 0, "{rest:?}");
}

/// Who asks for nothing gets it, and learns what others would get.
pub async fn nothing_is_always_granted(limiter: &impl RateLimiter) {
    let limit = Limit { quota: 2, window: LONG };
    for (cost, left) in [(0, 2), (0, 2), (1, 1), (0, 1), (1, 0), (0, 0)] {
        let taken = take(limiter, "a", cost, limit).await;
        assert!(taken.granted && taken.remaining == left && taken.reset <= LONG, "{taken:?}");
    }
    assert!(!take(limiter, "a", 1, limit).await.granted);
}

/// Keys that differ share nothing.
pub async fn keys_are_counted_apart(limiter: &impl RateLimiter) {
    let limit = Limit { quota: 1, window: LONG };
    let keys = ["a", "A", "a:b", "a b", "ä", "{a}", ""];
    for key in keys {
        assert!(take(limiter, key, 1, limit).await.granted, "{key:?}");
    }
    for key in keys {
        assert!(!take(limiter, key, 1, limit).await.granted, "{key:?}");
    }
}

/// A window ends a fixed time after its first count, however much is asked in it; then all is there again.
pub async fn a_new_window_begins_with_the_quota(limiter: &impl RateLimiter) {
    let long = Limit { quota: u32::MAX, window: LONG };
    let first = take(limiter, "long", 1, long).await;
    super::until("the window is nearer its end", async || {
        take(limiter, "long", 1, long).await.reset < first.reset
    })
    .await;

    let limit = Limit { quota: 3, window: SHORT };
    assert!(take(limiter, "a", 3, limit).await.granted);
    let mut taken = None;
    super::until("a new window begins", async || {
        taken = Some(take(limiter, "a", 1, limit).await).filter(|taken| taken.granted);
        taken.is_some()
    })
    .await;
    let taken = taken.expect("granted");
    assert!(taken.remaining == 2 && taken.reset <= SHORT, "{taken:?}");
}
