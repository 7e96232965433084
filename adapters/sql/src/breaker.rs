//! A database that does not answer is not asked by everybody.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Failures in a row that open it.
const THRESHOLD: u32 = 5;

/// How often one caller tries again while it is open.
const COOL_DOWN: Duration = Duration::from_secs(1);

/// A circuit breaker: after some failures in a row it lets one caller a second through, and the others
/// have their answer at once; one success closes it. Waiting for a lock is no failure.
#[derive(Debug)]
pub(crate) struct Breaker {
    since: Instant,
    failures: AtomicU32,
    /// When the next caller may try, in milliseconds since `since`.
    next_probe: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { since: Instant::now(), failures: AtomicU32::new(0), next_probe: AtomicU64::new(0) }
    }
}

impl Breaker {
    /// Whether a caller may ask the database.
    pub fn admits(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) < THRESHOLD {
            return true;
        }
        let (now, next) = (self.now(), self.next_probe.load(Ordering::Relaxed));
        let after = now + COOL_DOWN.as_millis() as u64;
        now >= next
            && self.next_probe.compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The database has answered.
    pub fn succeeded(&self) {
        // Read first: all threads share this line.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// It can't be reached, or says nothing.
    pub fn failed(&self) {
        let failures = self.failures.load(Ordering::Relaxed).saturating_add(1);
        self.failures.store(failures, Ordering::Relaxed);
        if failures == THRESHOLD {
            self.next_probe.store(self.now() + COOL_DOWN.as_millis() as u64, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        self.since.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_with_a_success() {
        let breaker = Breaker::default();
        for _ in 1..THRESHOLD {
            breaker.failed();
        }
        breaker.succeeded();
        for _ in 1..THRESHOLD {
            breaker.failed();
        }
        assert!(breaker.admits(), "they were not in a row");
        breaker.failed();
        assert!(!breaker.admits());
        breaker.next_probe.store(0, Ordering::Relaxed);
        assert!(breaker.admits(), "one may try");
        assert!(!breaker.admits(), "and no other for a while");
        breaker.succeeded();
        assert!(breaker.admits() && breaker.admits());
    }
}
