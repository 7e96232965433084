//! When a breaker admits, and what the log hears of it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_failure_opens_for_a_rest_then_one_probe_at_a_time() {
    let (breaker, start) = (Breaker::default(), Instant::now());
    assert!(breaker.admits(start) && breaker.admits(start));
    breaker.failed(start, &"timeout");
    assert!(!breaker.admits(start) && !breaker.admits(start + REST - MS));
    assert!(breaker.admits(start + REST), "the probe");
    assert!(!breaker.admits(start + REST) && !breaker.admits(start + REST * 2 - MS), "the others");
    assert!(breaker.admits(start + REST * 2), "the first probe never ended");
    breaker.failed(start + REST * 3, &"timeout");
    assert!(!breaker.admits(start + REST * 4 - MS));
}

#[test]
fn an_answer_closes_it() {
    let (breaker, start) = (Breaker::default(), Instant::now());
    breaker.failed(start, &"timeout");
    assert!(breaker.admits(start + REST));
    breaker.answered();
    assert!(breaker.admits(start + REST) && breaker.admits(start + REST));
}

#[test]
fn a_refusal_closes_it_too() {
    let (breaker, start) = (Breaker::default(), Instant::now());
    breaker.failed(start, &"timeout");
    breaker.refused(start, &"OOM");
    assert!(breaker.admits(start) && breaker.admits(start));
}

#[test]
fn without_a_connection_the_next_call_is_the_probe() {
    let (breaker, start) = (Breaker::default(), Instant::now());
    breaker.gone(start);
    assert!(breaker.admits(start), "the probe");
    assert!(!breaker.admits(start), "the others");
}

#[test]
fn the_log_hears_of_changes_only() {
    let log = Log::default();
    let (breaker, start) = (Breaker::default(), Instant::now());
    tracing::subscriber::with_default(log.clone(), || {
        breaker.answered();
        breaker.failed(start, &"timeout");
        breaker.failed(start, &"timeout");
        breaker.gone(start);
        breaker.answered();
        breaker.answered();
        breaker.refused(start, &"OOM");
        breaker.refused(start + QUIET - MS, &"OOM");
        breaker.refused(start + QUIET, &"OOM");
    });
    let expected = [
        "WARN malecon::redis Redis fails; going on without it timeout",
        "INFO malecon::redis Redis is back",
        "WARN malecon::redis Redis refuses commands OOM",
        "WARN malecon::redis Redis refuses commands OOM",
    ];
    assert_eq!(*log.0.lock().unwrap(), expected);
}

/// Keeps what was logged, one line an event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Fields {
    message: String,
    error: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.error = format!(" {value:?}"),
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = format!(
            "{} {} {}{}",
            event.metadata().level(),
            event.metadata().target(),
            fields.message,
            fields.error
        );
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
