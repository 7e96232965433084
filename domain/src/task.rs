//! Integration tasks: HTTP calls that people want made for them, and the rules of their parts.

mod rules;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{Instant, Page, Run, RunState, RunSummary, Schedule, Sort};

/// How a target is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpMethod {
    /// Reads.
    Get,
    /// Reads all but the body.
    Head,
    /// Does something, each time anew.
    Post,
    /// Puts something in its place.
    Put,
    /// Changes something.
    Patch,
    /// Removes something.
    Delete,
}

impl HttpMethod {
    /// All methods.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// Its name in a request line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The method of that name, whatever its case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name().eq_ignore_ascii_case(name))
    }

    /// Whether a second call does nothing that the first did not (RFC 9110, 9.2.2).
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }

    /// Whether a request of this method may carry a body.
    pub fn takes_body(self) -> bool {
        !matches!(self, Self::Get | Self::Head)
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A JSON text, `application/json`.
    Json(String),
    /// Any text, `text/plain; charset=utf-8` unless a header says otherwise.
    Text(String),
}

impl Payload {
    /// The text that is sent.
    pub fn text(&self) -> &str {
        match self {
            Self::Json(text) | Self::Text(text) => text,
        }
    }
}

/// The value of a header.
#[derive(Clone, PartialEq, Eq)]
pub enum HeaderText {
    /// As it is sent.
    Plain(String),
    /// A secret, sealed.
    Sealed(Vec<u8>),
}

impl std::fmt::Debug for HeaderText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "Plain({text:?})"),
            Self::Sealed(_) => f.write_str("Sealed(…)"),
        }
    }
}

/// A header that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name as it was written.
    pub name: String,
    /// Its value.
    pub value: HeaderText,
}

/// How often a call is tried, and when it is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRule {
    /// Attempts at most, 1 to [`RetryRule::MOST_ATTEMPTS`].
    pub max_attempts: u32,
    /// The longest wait before the second attempt; it doubles with each further one.
    pub backoff: Duration,
    /// The statuses after which it is tried again; `None` for 408, 425, 429 and all from 500.
    pub on_status: Option<Vec<u16>>,
    /// Whether it is tried again when nobody knows if the target has done it: after a timeout, or when
    /// the connection broke. `None`: as the method is safe to repeat.
    pub on_timeout: Option<bool>,
}

impl RetryRule {
    /// Attempts at most.
    pub const MOST_ATTEMPTS: u32 = 20;
    /// The longest wait before an attempt.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
}

impl Default for RetryRule {
    fn default() -> Self {
        Self { max_attempts: 3, backoff: Duration::from_secs(1), on_status: None, on_timeout: None }
    }
}

/// When an answer is a success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuccessRule {
    /// These statuses; `None` for all of 200 to 299.
    pub status: Option<Vec<u16>>,
    /// A regular expression that the body matches somewhere.
    pub body_regex: Option<String>,
}

/// What is called, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskConfig {
    /// Where: an `http` or `https` URL.
    pub base_url: String,
    /// How.
    pub method: HttpMethod,
    /// With which body.
    pub payload: Option<Payload>,
    /// With which headers beside those of HTTP itself.
    pub headers: Vec<Header>,
    /// The time of one attempt, from the question for the address to the last byte.
    pub timeout: Duration,
    /// Redirects that are followed, at most [`TaskConfig::MOST_REDIRECTS`].
    pub redirects: u8,
    /// How often it is tried.
    pub retry: RetryRule,
    /// What a success is.
    pub success: SuccessRule,
    /// When it is run by itself.
    pub schedule: Option<Schedule>,
}

impl TaskConfig {
    /// Unless told.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
    /// The time of one attempt.
    pub const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5 * 60));
    /// Redirects that may be followed.
    pub const MOST_REDIRECTS: u8 = 3;
    /// Headers of a task.
    pub const MOST_HEADERS: usize = 50;
    /// Bytes of a header's value.
    pub const LONGEST_HEADER: usize = 8 * 1024;
    /// Bytes of a payload.
    pub const LONGEST_PAYLOAD: usize = 1024 * 1024;
    /// Characters of a URL.
    pub const LONGEST_URL: usize = 4 * 1024;
    /// Characters of a regular expression.
    pub const LONGEST_REGEX: usize = 1_000;
}

/// A task whose schedule has come to something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTask {
    /// The task.
    pub task: Task,
    /// The tick that has come; `None` when its first one is not planned yet.
    pub tick: Option<Instant>,
    /// What time it is for the store.
    pub now: Instant,
}

/// Something that is wrong with a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFault {
    /// Where, as a JSON pointer below the task, e.g. `/config/headers/Host`.
    pub pointer: String,
    /// What.
    pub detail: String,
}

/// What a task is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDraft {
    /// What people call it.
    pub name: String,
    /// What is called, and how.
    pub config: TaskConfig,
}

impl TaskDraft {
    /// Characters of a name.
    pub const LONGEST_NAME: usize = 200;
}

/// A task of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub owner: i64,
    /// What it is made of.
    pub draft: TaskDraft,
    /// The latest of its runs.
    pub last_run: Option<Run>,
    /// When it was made.
    pub created_at: Instant,
    /// When its draft last changed.
    pub updated_at: Instant,
    /// Grows with each change of the draft.
    pub revision: i64,
}

/// What lists tell of a task: all but its payload, which may be a megabyte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSummary {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub owner: i64,
    /// What people call it.
    pub name: String,
    /// What is called, and how; here never with a payload.
    pub config: TaskConfig,
    /// The latest of its runs.
    pub last_run: Option<RunSummary>,
    /// When it was made.
    pub created_at: Instant,
    /// When its draft last changed.
    pub updated_at: Instant,
    /// Grows with each change of the draft.
    pub revision: i64,
}

impl Task {
    /// What lists tell of it.
    pub fn summary(&self) -> TaskSummary {
        TaskSummary {
            id: self.id,
            owner: self.owner,
            name: self.draft.name.clone(),
            config: TaskConfig { payload: None, ..self.draft.config.clone() },
            last_run: self.last_run.as_ref().map(Run::summary),
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision: self.revision,
        }
    }
}

/// What tasks are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskSortKey {
    /// Its number.
    Id,
    /// Its name, folded.
    Name,
    /// When it was made.
    CreatedAt,
    /// When it last changed.
    UpdatedAt,
}

impl TaskSortKey {
    /// All keys.
    pub const ALL: [Self; 4] = [Self::Id, Self::Name, Self::CreatedAt, Self::UpdatedAt];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }
}

/// Which tasks of a user are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// With this text in their names, folded.
    pub text: Option<String>,
    /// Whose last run is in this state; the inner `None` for those that never ran.
    pub state: Option<Option<RunState>>,
    /// In this order; then by number.
    pub sort: Vec<Sort<TaskSortKey>>,
    /// This part of them.
    pub page: Page,
}

/// What is sent to a target: a request line, its headers in the clear and its body.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Where.
    pub url: String,
    /// How.
    pub method: HttpMethod,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub payload: Option<Payload>,
    /// The time of all of it.
    pub timeout: Duration,
    /// Redirects that are followed.
    pub redirects: u8,
}

/// What was sent, as it may be shown: secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where.
    pub url: String,
    /// How.
    pub method: HttpMethod,
    /// Names and values; [`Sent::MASK`] for those of secrets.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
}

impl Sent {
    /// What stands for a secret.
    pub const MASK: &str = "********";
}

/// What a target answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its status.
    pub status: u16,
    /// Names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// The body, decoded, at most [`Received::MOST_BYTES`].
    pub body: Vec<u8>,
    /// Whether there was more of the body.
    pub truncated: bool,
    /// Where the last redirect led, if there was one.
    pub redirected_to: Option<String>,
}

impl Received {
    /// Bytes of a body that are kept.
    pub const MOST_BYTES: usize = 1024 * 1024;

    /// The values of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Why a target gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallFault {
    /// It is none that tasks may call.
    Blocked,
    /// The call can't be made of what the task says.
    Invalid,
    /// Its name has no address, or nobody could be asked.
    Dns,
    /// No connection.
    Connect,
    /// No trusted encryption.
    Tls,
    /// The time was up.
    Timeout,
    /// The connection broke, or what came was not HTTP.
    Broken,
    /// It redirects once too often, or to where it must not.
    Redirect,
}

impl CallFault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Blocked,
        Self::Invalid,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Broken,
        Self::Redirect,
    ];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Invalid => "invalid",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Redirect => "redirect",
        }
    }

    /// The fault of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// Whether the target may have done what it was asked to.
    pub fn is_doubtful(self) -> bool {
        matches!(self, Self::Timeout | Self::Broken)
    }

    /// Whether another attempt may end otherwise.
    pub fn may_pass(self) -> bool {
        !matches!(self, Self::Blocked | Self::Invalid | Self::Redirect | Self::Tls)
    }
}
