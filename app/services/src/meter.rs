//! Requests per user, counted over all processes without asking anybody on each request; and
//! guesses at passwords.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use malecon_domain::Instant;
use malecon_ports::{CacheError, Clock, Limit, RateLimiter, Taken};

use crate::ServiceError;

/// Users whose leases are held at once, before those that have ended are dropped.
const MOST_HELD: usize = 10_000;

/// Lets so many requests of a user through in a window. It takes a hundredth of the quota at a time
/// from the shared counter, so that several processes together let through no more than the quota.
pub struct Meter {
    limiter: Arc<dyn RateLimiter>,
    clock: Arc<dyn Clock>,
    limit: Limit,
    held: Mutex<HashMap<String, Held>>,
}

/// What a process has taken of a user's quota and not used yet.
struct Held {
    left: u32,
    /// What others may still take.
    shared: u32,
    until: Instant,
}

impl Meter {
    /// A meter of this limit.
    pub fn new(limiter: Arc<dyn RateLimiter>, clock: Arc<dyn Clock>, limit: Limit) -> Self {
        Self { limiter, clock, limit, held: Mutex::default() }
    }

    /// What the quota is, and in which time.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Counts one request; not granted when the quota is used up.
    ///
    /// # Errors
    /// `Unavailable` when nobody counts.
    pub async fn count(&self, key: &str) -> Result<Taken, ServiceError> {
        if let Some(taken) = self.spend(key) {
            return Ok(taken);
        }
        let share = (self.limit.quota / 100).max(1);
        let mut taken = self.take(key, share).await?;
        let mut got = share;
        if !taken.granted && share > 1 {
            // The last few are given one by one.
            taken = self.take(key, 1).await?;
            got = 1;
        }
        if !taken.granted {
            return Ok(taken);
        }
        let mut held = self.held();
        let now = self.clock.now();
        if held.len() >= MOST_HELD {
            held.retain(|_, held| held.until > now);
        }
        let until = now + taken.reset;
        let entry = held.entry(key.to_owned()).or_insert(Held { left: 0, shared: 0, until });
        if entry.until <= now {
            entry.left = 0;
        }
        *entry = Held { left: entry.left + got - 1, shared: taken.remaining, until };
        Ok(Taken { remaining: entry.left + entry.shared, ..taken })
    }

    async fn take(&self, key: &str, cost: u32) -> Result<Taken, ServiceError> {
        let taken = self.limiter.take(&format!("requests-{key}"), cost, self.limit).await;
        taken.map_err(|error| ServiceError::unavailable("the rate limiter", error))
    }

    /// One of those that are held, if there is one.
    fn spend(&self, key: &str) -> Option<Taken> {
        let now = self.clock.now();
        let mut held = self.held();
        let held = held.get_mut(key).filter(|held| held.until > now && held.left > 0)?;
        held.left -= 1;
        let reset = (held.until - now).to_std().unwrap_or_default();
        Some(Taken { granted: true, remaining: held.left + held.shared, reset })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes of a limit, or `Limited`; a cost of 0 asks whether anything is left. Without a counter the
/// slow hash is what is left against guessing.
pub(crate) async fn attempt(
    limiter: &dyn RateLimiter,
    key: &str,
    cost: u32,
    limit: Limit,
) -> Result<(), ServiceError> {
    match limiter.take(key, cost, limit).await {
        Ok(taken) if !taken.granted || (cost == 0 && taken.remaining == 0) => {
            Err(ServiceError::Limited { retry_after: taken.reset })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Lets somebody guess, and counts wrong guesses alone. When they have used up the limit, a right one
/// is worth nothing either, so that many at once are no more than many in turn.
pub(crate) async fn guess<T>(
    limiter: &dyn RateLimiter,
    key: &str,
    limit: Limit,
    guess: impl Future<Output = Result<Option<T>, ServiceError>>,
) -> Result<Option<T>, ServiceError> {
    attempt(limiter, key, 0, limit).await?;
    let right = guess.await?;
    attempt(limiter, key, u32::from(right.is_none()), limit).await?;
    Ok(right)
}

/// Counts with a shared limiter, and in the process alone while that one is gone.
pub struct TieredLimiter {
    shared: Arc<dyn RateLimiter>,
    own: Arc<dyn RateLimiter>,
}

impl TieredLimiter {
    /// `shared`, or `own` while it fails.
    pub fn new(shared: Arc<dyn RateLimiter>, own: Arc<dyn RateLimiter>) -> Self {
        Self { shared, own }
    }
}

#[async_trait]
impl RateLimiter for TieredLimiter {
    async fn take(&self, key: &str, cost: u32, limit: Limit) -> Result<Taken, CacheError> {
        match self.shared.take(key, cost, limit).await {
            Ok(taken) => Ok(taken),
            Err(_) => self.own.take(key, cost, limit).await,
        }
    }
}
