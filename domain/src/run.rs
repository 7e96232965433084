//! Work that happens later: runs and their attempts.

use std::time::Duration;

use uuid::Uuid;

use crate::task::{CallFault, Received, Sent, TaskConfig};
use crate::{Instant, Page};

/// A run's number: a UUID of version 7, so that later runs have larger ones.
pub type RunId = Uuid;

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most runs are calls")]
pub enum Job {
    /// Calls a target, as an integration task says.
    Call(TaskConfig),
    /// Mirrors the countries.
    Sync,
    /// Looks for a dog's picture.
    Picture {
        /// The dog's number.
        dog: i64,
    },
    /// Looks what there is to do in a country.
    Activities {
        /// Its code of ISO 3166-1 alpha-3.
        country: String,
    },
    /// Mails the report on countries.
    Report,
}

impl Job {
    /// Of which kind it is.
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Call(_) => JobKind::Call,
            Self::Sync => JobKind::Sync,
            Self::Picture { .. } => JobKind::Picture,
            Self::Activities { .. } => JobKind::Activities,
            Self::Report => JobKind::Report,
        }
    }
}

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// [`Job::Call`].
    Call,
    /// [`Job::Sync`].
    Sync,
    /// [`Job::Picture`].
    Picture,
    /// [`Job::Activities`].
    Activities,
    /// [`Job::Report`].
    Report,
}

impl JobKind {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Sync => "sync",
            Self::Picture => "picture",
            Self::Activities => "activities",
            Self::Report => "report",
        }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// It waits for its turn, or for its next attempt.
    Queued,
    /// An attempt is under way.
    Running,
    /// It has done what it should.
    Succeeded,
    /// It has not, and is not tried again.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl RunState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing happens to it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A key that makes a run only once, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnceKey {
    /// The key, unique among all runs.
    pub key: String,
    /// A digest of what was asked for: the same key for something else is a mistake.
    pub fingerprint: String,
}

/// A run to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Its number.
    pub id: RunId,
    /// Whose it is; `None` for work of the program itself.
    pub owner: Option<i64>,
    /// The task that it runs.
    pub task_id: Option<i64>,
    /// What it does.
    pub job: Job,
    /// Whom it keeps busy, e.g. the host that it calls. Runs of one lane are limited together.
    pub lane: String,
    /// Attempts at most.
    pub max_attempts: u32,
    /// How long it waits for its first attempt.
    pub delay: Duration,
    /// What makes it only once.
    pub once: Option<OnceKey>,
    /// The run that it repeats.
    pub replayed_from: Option<RunId>,
    /// Where its owner has so many runs of tasks that are not over, it is not made; `None` for no limit.
    pub most_open: Option<u32>,
}

/// A run. Its instants are those of the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Whose it is.
    pub owner: Option<i64>,
    /// The task that it runs.
    pub task_id: Option<i64>,
    /// What it does.
    pub job: Job,
    /// Whom it keeps busy.
    pub lane: String,
    /// Where it stands.
    pub state: RunState,
    /// Attempts that were begun.
    pub attempts: u32,
    /// Those of them that were [lost](AttemptEnd::Lost).
    pub lost: u32,
    /// Those of them that were [interrupted](AttemptEnd::Interrupted).
    pub interrupted: u32,
    /// Attempts at most that count: those that were neither lost nor interrupted.
    pub max_attempts: u32,
    /// What made it only once.
    pub once: Option<OnceKey>,
    /// The run that it repeats.
    pub replayed_from: Option<RunId>,
    /// When it was made.
    pub created_at: Instant,
    /// When its next attempt is due, or the last one was.
    pub due_at: Instant,
    /// When its first attempt began.
    pub started_at: Option<Instant>,
    /// When it was over.
    pub ended_at: Option<Instant>,
}

impl Run {
    /// Lost attempts after which a run is given up: it may be what ends its workers.
    pub const MAX_LOST: u32 = 5;

    /// Attempts that count against `max_attempts`, the one under way included.
    pub fn counted_attempts(&self) -> u32 {
        self.attempts.saturating_sub(self.lost).saturating_sub(self.interrupted)
    }

    /// What lists tell of it.
    pub fn summary(&self) -> RunSummary {
        RunSummary {
            id: self.id,
            owner: self.owner,
            task_id: self.task_id,
            state: self.state,
            attempts: self.attempts,
            max_attempts: self.max_attempts,
            replayed_from: self.replayed_from,
            created_at: self.created_at,
            due_at: self.due_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
        }
    }
}

/// What lists tell of a run: all but what it does, which may be a megabyte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// Its number.
    pub id: RunId,
    /// Whose it is.
    pub owner: Option<i64>,
    /// The task that it runs.
    pub task_id: Option<i64>,
    /// Where it stands.
    pub state: RunState,
    /// Attempts that were begun.
    pub attempts: u32,
    /// Attempts at most.
    pub max_attempts: u32,
    /// The run that it repeats.
    pub replayed_from: Option<RunId>,
    /// When it was made.
    pub created_at: Instant,
    /// When its next attempt is due, or the last one was.
    pub due_at: Instant,
    /// When its first attempt began.
    pub started_at: Option<Instant>,
    /// When it was over.
    pub ended_at: Option<Instant>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptEnd {
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
    /// Its process was gone, or did not say for too long that it was at it.
    Lost,
    /// Its worker was told to stop, and handed the run back.
    Interrupted,
    /// Somebody ended the run.
    Cancelled,
}

impl AttemptEnd {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Succeeded, Self::Failed, Self::Lost, Self::Interrupted, Self::Cancelled];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
        }
    }

    /// The end of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}

/// What an attempt leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What was sent.
    pub sent: Option<Sent>,
    /// What came back.
    pub received: Option<Received>,
    /// Why nothing came back.
    pub fault: Option<CallFault>,
    /// A sentence for people: why it failed.
    pub reason: Option<String>,
    /// A sentence for people, or a value: what it came to.
    pub result: Option<String>,
    /// Whether the bodies of what was sent and received were let go to make room for later ones.
    pub body_dropped: bool,
}

impl Trace {
    /// Of an attempt that came to this.
    pub fn of_success(result: impl Into<String>) -> Self {
        Self { result: Some(result.into()), ..Self::default() }
    }

    /// Lets go of the bodies of what was sent and received.
    pub fn drop_bodies(&mut self) {
        if let Some(sent) = &mut self.sent {
            sent.body = None;
        }
        if let Some(received) = &mut self.received {
            received.body = vec![];
        }
        self.body_dropped = true;
    }

    /// Of one that failed for this reason.
    pub fn of_failure(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }
}

/// One attempt of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it began.
    pub started_at: Instant,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// How it ended; `None` while it is under way.
    pub end: Option<AttemptEnd>,
    /// What it leaves behind.
    pub trace: Trace,
}

impl Attempt {
    /// Why it did not succeed, in a sentence for people: whenever it failed, was lost or interrupted there
    /// is one.
    pub fn error(&self) -> Option<String> {
        let known = self.trace.reason.clone();
        let unknown = || match self.end? {
            AttemptEnd::Lost => Some(format!(
                "the attempt was lost: its worker crashed, or was not heard of for too long; after {} such \
                 attempts a run is given up",
                Run::MAX_LOST
            )),
            AttemptEnd::Interrupted => Some(
                "the worker was stopped before the attempt was over; the run was queued again".to_owned(),
            ),
            AttemptEnd::Failed => Some("the attempt failed, and why is not known".to_owned()),
            AttemptEnd::Succeeded | AttemptEnd::Cancelled => None,
        };
        known.or_else(unknown)
    }
}

/// What becomes of a run after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is over, like this.
    Over(AttemptEnd),
    /// It is tried again after so long; when it has no attempts left, it is over as failed.
    Again(Duration),
}

/// Which runs of a task are wanted: the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunQuery {
    /// Of this task.
    pub task_id: i64,
    /// Older than this one.
    pub before: Option<RunId>,
    /// At most so many, 1 to [`Page::MAX_SIZE`].
    pub most: u32,
}

impl RunQuery {
    /// The latest runs of a task.
    pub fn latest(task_id: i64) -> Self {
        Self { task_id, before: None, most: Page::DEFAULT_SIZE }
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTally {
    /// Runs that wait.
    pub queued: u64,
    /// Runs under way.
    pub running: u64,
    /// For how long the one that has been due longest has waited.
    pub longest_wait: Duration,
}
