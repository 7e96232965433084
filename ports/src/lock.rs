//! Leases: one owner at a time, over processes.

use std::time::Duration;

use async_trait::async_trait;

use crate::Cause;

/// The lock can't be reached.
#[derive(Debug, thiserror::Error)]
#[error("the lock is unavailable")]
pub struct LockError(#[source] pub Cause);

/// Proof of having been the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What is leased.
    pub name: String,
    /// Fencing token: a later owner's is larger.
    pub token: u64,
}

/// Gives a name to one owner at a time, until the owner gives it back or its time is up. Time is
/// the store's, never the caller's.
///
/// # Contract
/// - `one_owner_at_a_time`: while a lease runs, nobody else gets one of that name.
/// - `names_are_apart`: leases of other names are not in the way.
/// - `a_released_name_is_free`: after `release` the next caller gets it at once.
/// - `a_lapsed_name_is_free`: after `ttl` without `renew`, likewise.
/// - `tokens_grow`: each lease of a name has a larger token than every one before it, released or
///   lapsed.
/// - `renew_keeps_the_name`: a renewed lease runs for another `ttl`.
/// - `a_late_owner_is_refused`: `renew` of a lease that lapsed or was released is `false`, and
///   `release` of it takes nothing from the present owner.
/// - `racing_callers_get_one_lease`: of many that ask at once, one gets it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Lock: Send + Sync {
    /// Takes the name for `ttl`, or `None` when somebody has it.
    ///
    /// # Errors
    /// [`LockError`] when the lock can't be asked.
    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, LockError>;

    /// Starts the lease's `ttl` anew; `false` when it is no longer ours.
    ///
    /// # Errors
    /// [`LockError`] when the lock can't be asked.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, LockError>;

    /// Gives the name back, if it is still ours.
    ///
    /// # Errors
    /// [`LockError`] when the lock can't be asked.
    async fn release(&self, lease: &Lease) -> Result<(), LockError>;
}
