//! Clocks: the machine's, and one that tests turn.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use malecon_domain::Instant;
use malecon_ports::Clock;

/// The machine's clock. Its timers need no particular runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
    fn now(&self) -> Instant {
        chrono::Utc::now()
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
