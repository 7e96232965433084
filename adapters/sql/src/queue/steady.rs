//! Whether a database's clock goes on as time does. One that is put forward makes the leases of all lapse,
//! while their owners are at work.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::micros;

/// How far a clock may run ahead between two looks, in microseconds: answers take their time.
const MOST_AHEAD: i64 = 2_000_000;

/// What a process knows of a database's clock. Clones know the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steady {
    seen: Arc<Mutex<Option<Seen>>>,
    /// What tests put the clock forward or back by, in microseconds.
    skew: Arc<AtomicI64>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// What the clock showed, in microseconds since 1970.
    now: i64,
    /// When that was, by a clock that nobody sets.
    at: Instant,
    /// When the clock can be believed again.
    from: Instant,
}

impl Steady {
    /// Whether a lease that has lapsed now was not renewed in time. After a jump it may have been renewed
    /// by a clock that showed less: its owner gets the time of a lease to do it again.
    pub fn is_at(&self, now: i64, lease: Duration) -> bool {
        self.is_by(Instant::now(), now, lease)
    }

    fn is_by(&self, at: Instant, now: i64, lease: Duration) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.unwrap_or(Seen { now, at, from: at });
        let ahead = now.saturating_sub(before.now) - micros(at.saturating_duration_since(before.at));
        let from = if ahead > MOST_AHEAD { at + lease } else { before.from };
        *seen = Some(Seen { now, at, from });
        at >= from
    }

    pub fn skew(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Steady {
    /// Puts the clock forward, for whoever works through this queue.
    pub fn put_forward(&self, by: Duration) {
        self.skew.fetch_add(micros(by), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_put_forward_is_believed_after_a_lease() {
        let (steady, lease) = (Steady::default(), Duration::from_secs(30));
        let (start, mut shows) = (Instant::now(), 1_700_000_000_000_000);
        let mut look = |second: u64, jump: i64| {
            shows = 1_700_000_000_000_000.max(shows) + jump;
            steady.is_by(start + Duration::from_secs(second), shows, lease)
        };
        assert!(look(0, 0), "what was before nobody knows");
        assert!(look(100, 100_500_000), "it goes on as time does");
        assert!(!look(101, 3_601_000_000), "an hour in a second");
        assert!(!look(130, 29_000_000));
        assert!(look(131, 1_000_000));
        assert!(look(200, 9_000_000), "it stands, or is put back");
    }
}
