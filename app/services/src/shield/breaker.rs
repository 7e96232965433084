//! What is known of an upstream's health.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use malecon_domain::Instant;
use malecon_ports::GatewayError;

/// No upstream keeps us waiting for longer than this, whatever it says.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Whether an upstream may be called. Clones share what they know: shields of one upstream have clones
/// of one breaker.
///
/// It is closed until a call fails. Then the upstream rests, and after that it is probed, by one call
/// at a time and one a rest, until a call succeeds.
#[derive(Clone, Debug, Default)]
pub struct Breaker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Since when it rests, and until when; `None` for a closed breaker.
    rest: Option<(Instant, Instant)>,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Calls go through.
    Closed,
    /// The next call is a probe.
    Due,
    /// No call goes through for so long.
    Resting(Duration),
}

impl Breaker {
    /// A closed one.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn stand(&self, now: Instant) -> Stand {
        self.state().stand(now)
    }

    /// Asks to call the upstream. Whoever hears that a probe is due makes it: others rest.
    pub(crate) fn admit(&self, now: Instant, rest: Duration) -> Stand {
        let mut state = self.state();
        let stand = state.stand(now);
        if stand == Stand::Due {
            state.rest = Some((now, now + rest));
        }
        stand
    }

    pub(crate) fn succeeded(&self) {
        self.state().rest = None;
    }

    /// Takes note of a failed call, and tells how long the upstream rests.
    pub(crate) fn failed(&self, error: &GatewayError, now: Instant, rest: Duration) -> Duration {
        let rest = match error {
            // Who is refused once, and asks on, is soon refused for ever.
            GatewayError::Refused(_) | GatewayError::Unavailable(_) | GatewayError::Malformed(_) => rest,
            GatewayError::RateLimited { retry_after } => {
                rest.max(retry_after.unwrap_or_default().min(LONGEST_REST))
            }
        };
        let mut state = self.state();
        let until = now + rest;
        state.rest = match state.rest {
            Some((since, known)) if since <= now && known > until => Some((since, known)),
            _ => Some((now, until)),
        };
        rest
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stand(&self, now: Instant) -> Stand {
        match self.rest {
            None => Stand::Closed,
            // A clock that was set back does not make the rest longer.
            Some((since, until)) if since <= now && now < until => {
                Stand::Resting((until - now).to_std().unwrap_or_default())
            }
            Some(_) => Stand::Due,
        }
    }
}
