//! Time.

use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::Instant;

/// Tells the time and waits.
///
/// # Contract
/// - `now` is the wall clock in UTC.
/// - `sleep` ends no sooner than after the given time, and is cancelled by dropping it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Instant;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}
