//! A circuit breaker: a Redis that fails is left alone for a while, then asked once.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// How long a failing Redis is left alone.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// How often the log says that Redis refuses commands.
const QUIET: Duration = Duration::from_secs(60);

/// Lets calls through while they are answered; after one that was not, one a [`REST`].
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When Redis may be asked again; `None` while the breaker is closed.
    ask_again: Option<Instant>,
    /// When the log may say again that Redis refuses.
    complain_again: Option<Instant>,
}

impl Breaker {
    /// Whether a call may be made. Once an open breaker has let a probe through, nobody else gets
    /// through until the probe has ended, or a rest has gone by: a probe may be dropped half-way.
    pub fn admits(&self, now: Instant) -> bool {
        let mut state = self.state();
        match state.ask_again {
            None => true,
            Some(at) if now < at => false,
            Some(_) => {
                state.ask_again = Some(now + REST);
                true
            }
        }
    }

    /// Redis answered: closes the breaker.
    pub fn answered(&self) {
        if self.state().ask_again.take().is_some() {
            tracing::info!(target: "malecon::redis", "Redis is back");
        }
    }

    /// Redis answered that it does not want to, e.g. that its memory is full. It is there, and what
    /// else it is asked for may work, so the breaker closes; the log hears of it once a minute.
    pub fn refused(&self, now: Instant, why: &dyn Display) {
        self.answered();
        let mut state = self.state();
        if state.complain_again.is_none_or(|at| at <= now) {
            state.complain_again = Some(now + QUIET);
            drop(state);
            tracing::warn!(target: "malecon::redis", error = %why, "Redis refuses commands");
        }
    }

    /// Redis did not answer: it is left alone for a while.
    pub fn failed(&self, now: Instant, why: &dyn Display) {
        self.open(now + REST, why);
    }

    /// There is no connection: the first call after the next one is made is the probe.
    pub fn gone(&self, now: Instant) {
        self.open(now, &"not connected");
    }

    fn open(&self, ask_again: Instant, why: &dyn Display) {
        let was_closed = self.state().ask_again.replace(ask_again).is_none();
        if was_closed {
            tracing::warn!(target: "malecon::redis", error = %why, "Redis fails; going on without it");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
