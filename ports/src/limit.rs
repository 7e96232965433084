//! How often something may be done.

use std::time::Duration;

use async_trait::async_trait;

use crate::CacheError;

/// So many in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub quota: u32,
    /// In which time.
    pub window: Duration,
}

/// What is left of a limit after some was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether all that was asked for was there.
    pub granted: bool,
    /// What is left.
    pub remaining: u32,
    /// When the window ends.
    pub reset: Duration,
}

/// Counts, in windows that begin with the first count.
///
/// # Contract
/// - `grants_the_quota_and_no_more`: within a window; of many that ask at once too.
/// - `a_refusal_takes_nothing`: what is left can still be had by who asks for less.
/// - `nothing_is_always_granted`: a cost of 0 takes nothing, begins no window, and tells what is left.
/// - `keys_are_counted_apart`.
/// - `a_new_window_begins_with_the_quota`: after `reset`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Takes `cost` of the key's quota, or nothing when less is left.
    ///
    /// # Errors
    /// [`CacheError`] when the counter can't be asked.
    async fn take(&self, key: &str, cost: u32, limit: Limit) -> Result<Taken, CacheError>;
}
