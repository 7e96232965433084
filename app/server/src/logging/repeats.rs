//! One line for each cause, and a count of those that were the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::{Debug, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// For how long one line stands for those that are the same.
const WINDOW: Duration = Duration::from_secs(10);

/// Causes that are told apart; more of them are one.
const MAX_CAUSES: usize = 1_000;

/// Characters of a cause that are compared, and told again.
const MAX_CAUSE: usize = 500;

/// Fields that tell why; all others tell only of which of many.
const CAUSES: [&str; 7] = ["error", "reason", "status", "check", "what", "source", "outcome"];

/// Where the lines about repeats come from: they are never held back.
const TARGET: &str = "malecon::repeats";

/// Lets warnings and errors through, of each cause one in ten seconds; [`Repeats::flush`] tells of the
/// others.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<HashMap<(Identifier, String), Seen>>);

#[derive(Debug)]
struct Seen {
    since: Instant,
    message: String,
    /// Lines that were held back.
    more: u64,
}

impl Repeats {
    /// Tells how often what has been told was repeated since. Call it every second or so.
    pub fn flush(&self) {
        self.flush_at(Instant::now());
    }

    fn flush_at(&self, now: Instant) {
        let mut repeated = vec![];
        self.seen().retain(|(_, cause), seen| {
            if now.saturating_duration_since(seen.since) < WINDOW {
                return true;
            }
            if seen.more == 0 {
                return false;
            }
            repeated.push((seen.message.clone(), cause.clone(), seen.more));
            (seen.since, seen.more) = (now, 0);
            true
        });
        for (message, cause, more) in repeated {
            tracing::warn!(target: TARGET, times = more, line = message, cause, "the same again, in 10 s");
        }
    }

    fn is_new(&self, event: &Event<'_>, now: Instant) -> bool {
        let mut text = Text::default();
        event.record(&mut text);
        let mut seen = self.seen();
        let is_known = seen.len() < MAX_CAUSES;
        let cause = if is_known { text.cause } else { "one of many causes".to_owned() };
        match seen.entry((event.metadata().callsite(), cause)) {
            Entry::Vacant(vacant) => {
                vacant.insert(Seen { since: now, message: text.message, more: 0 });
                true
            }
            Entry::Occupied(mut occupied) => {
                occupied.get_mut().more += 1;
                false
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<(Identifier, String), Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Filter<S> for &'static Repeats {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        *metadata.level() > Level::WARN || metadata.target() == TARGET || self.is_new(event, Instant::now())
    }
}

/// What an event says.
#[derive(Default)]
struct Text {
    message: String,
    cause: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else if CAUSES.contains(&field.name()) && self.cause.len() < MAX_CAUSE {
            let text = format!("{value:?}");
            let space = if self.cause.is_empty() { "" } else { " " };
            let _ = write!(self.cause, "{space}{}", text.chars().take(MAX_CAUSE).collect::<String>());
        }
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        let all = std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string);
        self.record_debug(field, &format_args!("{}", all.collect::<Vec<_>>().join(": ")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            io::Write::write(&mut *self.0.lock().unwrap(), bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_cause_has_one_line_and_a_count() {
        let repeats: &'static Repeats = Box::leak(Box::default());
        let paper = Paper::default();
        let writer = paper.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let log = tracing_subscriber::registry().with(lines.with_filter(repeats));
        let text = || String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        tracing::subscriber::with_default(log, || {
            for n in 0..1_000 {
                tracing::warn!(request_id = n, reason = "the disk is full", "failed");
                tracing::info!(n, "an attempt ended");
            }
            tracing::warn!(request_id = 1, reason = "the table is locked", "failed");
            let text = text();
            assert_eq!(text.matches("the disk is full").count(), 1, "{text}");
            assert_eq!(text.matches("the table is locked").count(), 1);
            assert_eq!(text.matches("an attempt ended").count(), 1_000, "what is no warning is not counted");
            repeats.flush_at(Instant::now() + WINDOW);
        });
        let text = text();
        let last = text.lines().last().unwrap();
        assert!(
            last.contains("times=999") && last.contains("the disk is full") && last.contains("failed"),
            "{last}"
        );
        assert_eq!(repeats.seen().len(), 1, "what did not come again is forgotten");
    }

    #[test]
    fn who_makes_many_causes_takes_no_memory() {
        let repeats: &'static Repeats = Box::leak(Box::default());
        let log = tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_writer(io::sink).with_filter(repeats));
        tracing::subscriber::with_default(log, || {
            for n in 0..5_000 {
                tracing::warn!(reason = n, "failed");
            }
        });
        assert_eq!(repeats.seen().len(), MAX_CAUSES + 1);
    }
}
