//! Counts within the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use malecon_ports::{CacheError, Limit, RateLimiter, Taken};

/// Keys that are kept before the ended ones among them are dropped.
const MANY: usize = 10_000;

/// A century is as good as any longer time, and can be added.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Limits of one process, on its monotonic clock. Clones share them.
///
/// It keeps twice the keys whose windows run, or 10,000, whichever is more.
#[derive(Clone, Debug, Default)]
pub struct MemoryRateLimiter(Arc<Mutex<Windows>>);

#[derive(Debug, Default)]
struct Windows {
    by_key: HashMap<String, Window>,
    /// How many ran when the ended ones were last dropped.
    ran: usize,
}

#[derive(Debug)]
struct Window {
    used: u32,
    end: Instant,
}

impl MemoryRateLimiter {
    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys that are kept, of windows that run or ended.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> usize {
        self.windows().by_key.len()
    }
}

impl Windows {
    /// The key's window, if it runs.
    fn running(&mut self, key: &str, now: Instant) -> Option<&mut Window> {
        self.by_key.get_mut(key).filter(|window| now < window.end)
    }

    /// A new window. Dropping the ended ones looks at every key, so it waits until their number has
    /// doubled: then it costs each call next to nothing, even when all windows run.
    fn begin(&mut self, key: &str, window: Window, now: Instant) {
        if self.by_key.len() >= MANY.max(self.ran * 2) {
            self.by_key.retain(|_, window| now < window.end);
            self.ran = self.by_key.len();
        }
        self.by_key.insert(key.to_owned(), window);
    }
}

#[async_trait]
impl RateLimiter for MemoryRateLimiter {
    async fn take(&self, key: &str, cost: u32, limit: Limit) -> Result<Taken, CacheError> {
        let mut windows = self.windows();
        let now = Instant::now();
        let (used, end) = match windows.running(key, now) {
            Some(window) => (window.used, Some(window.end)),
            None => (0, None),
        };
        let left = limit.quota.saturating_sub(used);
        let granted = cost <= left;
        let fresh = now + limit.window.min(LONGEST);
        if granted && cost > 0 {
            let used = used.saturating_add(cost);
            match windows.running(key, now) {
                Some(window) => window.used = used,
                None => windows.begin(key, Window { used, end: fresh }, now),
            }
        }
        let remaining = if granted { left - cost } else { left };
        Ok(Taken { granted, remaining, reset: end.unwrap_or(fresh).duration_since(now) })
    }
}
