//! Streams of events: how many there are, and what they say until they end.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use malecon::{RunEvent, RunEventKind};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::super::trace::EventBody;

/// How often a stream says that it lives, and looks whether its token does.
pub(super) const BEAT: Duration = Duration::from_secs(15);
const KEEP_ALIVE: &str = ": keep-alive\n\n";

/// Streams of one user at most.
const MOST_EACH: usize = 10;
/// Streams of all users at most.
const MOST: usize = 1_000;

/// How many streams each user has.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<i64, usize>>>);

impl Streams {
    /// A place for one stream more, if there is one.
    pub fn enter(&self, user: i64) -> Option<Slot> {
        let mut open = self.open();
        let theirs = open.get(&user).copied().unwrap_or(0);
        if theirs >= MOST_EACH || open.values().sum::<usize>() >= MOST {
            return None;
        }
        open.insert(user, theirs + 1);
        Some(Slot { streams: self.clone(), user })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<i64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream's place among all, for as long as it is there.
pub(super) struct Slot {
    streams: Streams,
    user: i64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        if let Some(theirs) = open.get_mut(&self.user) {
            *theirs -= 1;
        }
        open.retain(|_, count| *count > 0);
    }
}

/// Whether a stream may go on.
type Look = Box<dyn Fn() -> BoxFuture<'static, bool> + Send>;

/// A stream that goes on until its client, its token or the server ends it.
pub(super) struct Live {
    events: BoxStream<'static, RunEvent>,
    may_go_on: Look,
    beat: Interval,
    stopping: Option<watch::Receiver<bool>>,
    _slot: Slot,
}

impl Live {
    pub fn new(
        events: impl Stream<Item = RunEvent> + Send + 'static,
        (beat, may_go_on): (Duration, Look),
        stopping: Option<watch::Receiver<bool>>,
        slot: Slot,
    ) -> Self {
        let mut beat = interval(beat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { events: events.boxed(), may_go_on, beat, stopping, _slot: slot }
    }

    pub fn lines(self) -> impl Stream<Item = io::Result<String>> + Send + 'static {
        stream::unfold(self, |mut live| async move {
            let lines = live.next().await?;
            Some((Ok(lines), live))
        })
    }

    /// The first comment comes at once, so that who stands in between hands the answer on.
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            () = stopped(&mut self.stopping) => return None,
            _ = self.beat.tick() => {}
            event = self.events.next() => return event.as_ref().map(lines),
        }
        (self.may_go_on)().await.then(|| KEEP_ALIVE.to_owned())
    }
}

/// When the server is told to stop.
async fn stopped(stopping: &mut Option<watch::Receiver<bool>>) {
    match stopping {
        // Who could tell may be gone: that is a stop, too.
        Some(stopping) => drop(stopping.wait_for(|stop| *stop).await),
        None => pending().await,
    }
}

/// An event as it is sent.
fn lines(event: &RunEvent) -> String {
    let (kind, run) = (event.kind.name(), &event.run);
    let id = match event.kind {
        RunEventKind::Started => format!("{}-{kind}-{}", run.id, run.attempts),
        RunEventKind::Queued | RunEventKind::Finished => format!("{}-{kind}", run.id),
    };
    // JSON in one line: no text in it can end the event.
    let data = serde_json::to_string(&EventBody::from(run)).unwrap_or_default();
    format!("id: {id}\nevent: {kind}\ndata: {data}\n\n")
}
