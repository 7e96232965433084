//! Bytes kept for a while.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Cause;

/// The cache can't be reached. Callers go on without it.
#[derive(Debug, thiserror::Error)]
#[error("the cache is unavailable")]
pub struct CacheError(#[source] pub Cause);

/// Keeps bytes under a key, for a while, without promising to.
///
/// # Contract
/// - `keeps_what_was_put`: a value comes back as it was put, whatever bytes it has.
/// - `misses_what_was_never_put`: an unknown key is `None`, not an error.
/// - `a_later_put_wins`: the last value put is the one that comes back.
/// - `forgets_after_the_time_to_live`: after `ttl` the value is gone.
/// - `forgets_what_was_removed`: a removed key is gone at once; removing nothing is no error.
/// - `keys_are_apart`: keys that differ, in case too, never share a value.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Cache: Send + Sync {
    /// The value under the key, if it is still there.
    ///
    /// # Errors
    /// [`CacheError`] when the cache can't be asked.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError>;

    /// Keeps a value for at most `ttl`.
    ///
    /// # Errors
    /// [`CacheError`] when the cache can't be asked.
    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError>;

    /// Forgets a key.
    ///
    /// # Errors
    /// [`CacheError`] when the cache can't be asked.
    async fn remove(&self, key: &str) -> Result<(), CacheError>;
}
