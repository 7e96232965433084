//! What happens to a user's runs, found by looking again and again.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use malecon_domain::{RunId, RunSummary};
use malecon_ports::{Clock, RepositoryError, RunRepository};

/// How often one looks.
const POLL: Duration = Duration::from_millis(500);
/// How long one waits before asking a store again that failed.
const STORE_REST: Duration = Duration::from_secs(1);
/// Runs that are looked at.
const MOST: u32 = 100;

/// What has happened to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunEventKind {
    /// It was made.
    Queued,
    /// An attempt has begun.
    Started,
    /// It is over.
    Finished,
}

impl RunEventKind {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Started => "started",
            Self::Finished => "finished",
        }
    }
}

/// Something that has happened to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEvent {
    /// What.
    pub kind: RunEventKind,
    /// The run as it was found, which may be further on already.
    pub run: RunSummary,
}

/// As a run was when it was last looked at.
#[derive(Clone, Copy)]
struct Seen {
    attempts: u32,
    is_over: bool,
}

impl From<&RunSummary> for Seen {
    fn from(run: &RunSummary) -> Self {
        Self { attempts: run.attempts, is_over: run.state.is_over() }
    }
}

/// Somebody who looks.
pub(super) struct Watch {
    runs: Arc<dyn RunRepository>,
    clock: Arc<dyn Clock>,
    owner: i64,
    /// The runs of the last answer.
    seen: HashMap<RunId, Seen>,
    /// When not all runs had room in the first answer, the latest of it: what comes up later and is not
    /// later than this was there before.
    before: Option<RunId>,
    /// What was found and not yet told.
    found: VecDeque<RunEvent>,
    is_failing: bool,
}

impl Watch {
    /// What is there now is known, and not told.
    pub async fn begin(
        runs: Arc<dyn RunRepository>,
        clock: Arc<dyn Clock>,
        owner: i64,
    ) -> Result<Self, RepositoryError> {
        let first = runs.recent(owner, MOST).await?;
        let is_full = first.len() as u64 >= u64::from(MOST);
        Ok(Self {
            runs,
            clock,
            owner,
            before: first.first().map(|run| run.id).filter(|_| is_full),
            seen: known(&first),
            found: VecDeque::new(),
            is_failing: false,
        })
    }

    pub fn events(self) -> impl Stream<Item = RunEvent> + Send + use<> {
        stream::unfold(self, |mut watch| async move {
            let event = watch.next().await;
            Some((event, watch))
        })
    }

    async fn next(&mut self) -> RunEvent {
        loop {
            if let Some(event) = self.found.pop_front() {
                return event;
            }
            self.clock.sleep(if self.is_failing { STORE_REST } else { POLL }).await;
            match self.look().await {
                Ok(()) => self.is_failing = false,
                Err(error) => {
                    if !self.is_failing {
                        tracing::warn!(error = &error as &dyn Error, owner = self.owner, "no runs are seen");
                    }
                    self.is_failing = true;
                }
            }
        }
    }

    /// Compares what there is with what was there. When it fails, nothing has changed.
    async fn look(&mut self) -> Result<(), RepositoryError> {
        let recent = self.runs.recent(self.owner, MOST).await?;
        let present = known(&recent);
        let is_lost = |(id, seen): &(&RunId, &Seen)| !seen.is_over && !present.contains_key(*id);
        let mut runs = vec![];
        // One that took long may be over, but among many not the latest.
        for (id, _) in self.seen.iter().filter(is_lost) {
            runs.extend(self.runs.find(*id).await?.map(|run| run.summary()));
        }
        runs.extend(recent);
        runs.sort_by_key(|run| run.id);
        for run in runs {
            self.compare(run);
        }
        self.seen = present;
        Ok(())
    }

    fn compare(&mut self, run: RunSummary) {
        let seen = self.seen.get(&run.id).copied();
        if seen.is_none() && self.before.is_some_and(|before| run.id <= before) {
            return;
        }
        let now = Seen::from(&run);
        let has_begun = now.attempts > seen.map_or(0, |seen| seen.attempts);
        let has_ended = now.is_over && !seen.is_some_and(|seen| seen.is_over);
        let happened = [
            (RunEventKind::Queued, seen.is_none()),
            (RunEventKind::Started, has_begun),
            (RunEventKind::Finished, has_ended),
        ];
        for (kind, _) in happened.into_iter().filter(|(_, has_happened)| *has_happened) {
            self.found.push_back(RunEvent { kind, run: run.clone() });
        }
    }
}

fn known(runs: &[RunSummary]) -> HashMap<RunId, Seen> {
    runs.iter().map(|run| (run.id, Seen::from(run))).collect()
}
