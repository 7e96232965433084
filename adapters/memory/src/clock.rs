//! Clocks: the machine's, and one that tests turn.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use malecon_domain::Instant;
use malecon_ports::Clock;

/// The machine's clock. Its timers need no particular runtime.
///
/// It never goes back within a process: when the machine's clock is put back, it goes half as fast until
/// that one has caught up, so that what is as old as this clock says is at most twice as old. Only a
/// machine that is put back by more than an hour, which was plainly wrong, is followed at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// What the machine's clock showed last, for all of the process.
static STEADY: Mutex<Option<Steady>> = Mutex::new(None);

/// By how much a clock may be put back without being followed.
const MOST_BEHIND: TimeDelta = TimeDelta::hours(1);

/// A clock that does not go back.
#[derive(Clone, Copy, Debug)]
struct Steady {
    shown: Instant,
    /// When that was, by a clock that nobody sets.
    at: std::time::Instant,
}

impl Steady {
    /// What it shows when the machine's clock shows this.
    fn show(&mut self, at: std::time::Instant, wall: Instant) -> Instant {
        let passed = at.saturating_duration_since(self.at);
        let slow = later(self.shown, passed / 2);
        let shown = if slow - wall > MOST_BEHIND { wall } else { slow.max(wall) };
        *self = Self { shown, at: at.max(self.at) };
        shown
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
    fn now(&self) -> Instant {
        let mut steady = STEADY.lock().unwrap_or_else(PoisonError::into_inner);
        // Both are read while nobody else does, or one could go back a little.
        let (at, wall) = (std::time::Instant::now(), chrono::Utc::now());
        steady.get_or_insert(Steady { shown: wall, at }).show(at, wall)
    }

    async fn sleep(&self, duration: Duration) {
        futures_timer::Delay::new(duration).await;
    }
}

/// A clock that stands until it is told to go on. A sleep begins when it is first polled.
#[derive(Debug)]
pub struct ManualClock(Mutex<State>);

#[derive(Debug)]
struct State {
    now: Instant,
    /// Who sleeps, and until when.
    sleepers: Vec<(Instant, Waker)>,
}

impl ManualClock {
    /// A clock that shows this instant.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(State { now, sleepers: vec![] }))
    }

    /// Goes on, and wakes those whose time has come.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.state();
        let now = later(state.now, duration);
        state.now = now;
        let due: Vec<_> = state.sleepers.extract_if(.., |(end, _)| *end <= now).collect();
        drop(state);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Is put back. Who sleeps goes on sleeping until it shows what it would have.
    pub fn put_back(&self, duration: Duration) {
        let mut state = self.state();
        state.now -= TimeDelta::from_std(duration).unwrap_or_default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An instant after another, or the last one that there is.
pub(crate) fn later(now: Instant, duration: Duration) -> Instant {
    let duration = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(duration).unwrap_or(Instant::MAX_UTC)
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.state().now
    }

    async fn sleep(&self, duration: Duration) {
        let end = later(self.now(), duration);
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.now >= end {
                return Poll::Ready(());
            }
            let waker = context.waker();
            // A sleeper that is polled often, as in a `select`, is noted once.
            if !state.sleepers.iter().any(|(until, known)| *until == end && known.will_wake(waker)) {
                state.sleepers.push((end, waker.clone()));
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_put_back_goes_slowly_until_the_machines_has_caught_up() {
        let (start, begun) = (Instant::UNIX_EPOCH + TimeDelta::days(20_000), std::time::Instant::now());
        let mut steady = Steady { shown: start, at: begun };
        let mut show = |second: u64, wall: i64| {
            let shown = steady.show(begun + Duration::from_secs(second), start + TimeDelta::seconds(wall));
            (shown - start).num_seconds()
        };
        assert_eq!(show(10, 10), 10);
        assert_eq!(show(20, 20 - 120), 15, "put back by two minutes");
        assert_eq!(show(40, 40 - 120), 25);
        assert_eq!(show(240, 240 - 120), 125);
        assert_eq!(show(260, 260 - 120), 140, "it has caught up");
        assert_eq!(show(261, 261 + 3_600), 3_861, "it is put forward");
        assert_eq!(show(262, 262), 3_861, "and back: half a second");
        assert_eq!(show(263, 263 - 3_600), 263 - 3_600, "by far too much");
    }

    #[test]
    fn however_many_ask_it_never_goes_back() {
        let ask = || {
            let mut last = SystemClock.now();
            for _ in 0..10_000 {
                let now = SystemClock.now();
                assert!(now >= last);
                last = now;
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(ask))));
    }
}
