//! JSON bodies of runs: what was sent, and what came of it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use malecon::TaskCheck;
use malecon::domain::{Attempt, Header, Received, Run, RunState, RunSummary, Sent};
use poem_openapi::Object;
use serde::Serialize;

use crate::ready::rfc3339;

/// A header.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Header")]
struct HeaderBody {
    /// Its name.
    name: String,
    /// Its value; `********` for a secret.
    value: String,
}

fn headers(headers: &[(String, String)]) -> Vec<HeaderBody> {
    headers.iter().map(|(name, value)| HeaderBody { name: name.clone(), value: value.clone() }).collect()
}

/// What is sent to a target.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRequest")]
struct RequestBody {
    /// Where.
    url: String,
    /// How.
    method: String,
    /// Headers beside those of HTTP itself.
    headers: Vec<HeaderBody>,
    /// The body.
    body: Option<String>,
}

impl From<&Sent> for RequestBody {
    fn from(sent: &Sent) -> Self {
        let mut headers = headers(&sent.headers);
        // Calls of long ago were recorded when fewer names were known for those of secrets. The key is ours
        // where it is not masked.
        let is_secret =
            |name: &str| Header::is_secret(name) && !name.eq_ignore_ascii_case(super::IDEMPOTENCY_KEY);
        for header in headers.iter_mut().filter(|header| is_secret(&header.name)) {
            Sent::MASK.clone_into(&mut header.value);
        }
        Self {
            url: sent.url.clone(),
            method: sent.method.name().to_owned(),
            headers,
            body: sent.body.clone(),
        }
    }
}

/// What a target answered.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskResponse")]
struct ResponseBody {
    /// Its status.
    status: u16,
    /// Its headers.
    headers: Vec<HeaderBody>,
    /// The body, at most the first mebibyte of it.
    body: String,
    /// `base64` when the body is no UTF-8, and so written in base64.
    body_encoding: Option<String>,
    /// Whether there was more of the body.
    truncated: bool,
    /// Where the last redirect led, if one was followed.
    redirected_to: Option<String>,
}

impl From<&Received> for ResponseBody {
    fn from(received: &Received) -> Self {
        let (body, body_encoding) = match std::str::from_utf8(&received.body) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => (BASE64_STANDARD.encode(&received.body), Some("base64".to_owned())),
        };
        Self {
            status: received.status,
            headers: headers(&received.headers),
            body,
            body_encoding,
            truncated: received.truncated,
            redirected_to: received.redirected_to.clone(),
        }
    }
}

/// What came of a run.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskResult")]
pub(crate) struct ResultBody {
    /// The answer; of a run, that to its last attempt.
    response: Option<ResponseBody>,
    /// Why there is no answer: blocked, invalid, dns, connect, tls, timeout, broken or redirect.
    error_kind: Option<String>,
    /// Why it failed, in words; of an attempt that failed, was lost or interrupted it is always there.
    error: Option<String>,
    /// Whether the bodies of request and response are gone, because later ones needed the room that a user
    /// has.
    body_dropped: bool,
}

impl From<&Attempt> for ResultBody {
    fn from(attempt: &Attempt) -> Self {
        let trace = &attempt.trace;
        Self {
            response: trace.received.as_ref().map(ResponseBody::from),
            error_kind: trace.fault.map(|fault| fault.name().to_owned()),
            error: attempt.error(),
            body_dropped: trace.body_dropped,
        }
    }
}

/// One attempt of a run.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskAttempt")]
struct AttemptBody {
    /// From 1.
    number: u32,
    /// When it began, RFC 3339 UTC.
    started_at: String,
    /// When it ended, RFC 3339 UTC.
    ended_at: Option<String>,
    /// How it ended: succeeded, failed or cancelled; lost when its worker was gone, or interrupted when its
    /// worker was stopped: neither counts against max_attempts, and the call may have reached its target.
    outcome: Option<String>,
    /// What was sent.
    request: Option<RequestBody>,
    #[serde(flatten)]
    #[oai(flatten)]
    result: ResultBody,
}

impl From<&Attempt> for AttemptBody {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            started_at: rfc3339(attempt.started_at),
            ended_at: attempt.ended_at.map(rfc3339),
            outcome: attempt.end.map(|end| end.name().to_owned()),
            request: attempt.trace.sent.as_ref().map(RequestBody::from),
            result: ResultBody::from(attempt),
        }
    }
}

/// A run of a task.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRun")]
struct RunBody {
    /// Its number; later runs have larger ones.
    id: String,
    /// Where it stands: queued, running, succeeded, failed or cancelled.
    status: String,
    /// Attempts at most that were neither lost nor interrupted; a run is given up after 5 lost ones.
    max_attempts: u32,
    /// The number of the run that it repeats.
    replayed_from: Option<String>,
    /// When it was made, RFC 3339 UTC.
    created_at: String,
    /// When its first attempt began, RFC 3339 UTC.
    started_at: Option<String>,
    /// When it was over, RFC 3339 UTC.
    ended_at: Option<String>,
    /// When its next attempt is due, while it is queued, RFC 3339 UTC.
    next_attempt_at: Option<String>,
}

impl From<&RunSummary> for RunBody {
    fn from(run: &RunSummary) -> Self {
        Self {
            id: run.id.to_string(),
            status: run.state.name().to_owned(),
            max_attempts: run.max_attempts,
            replayed_from: run.replayed_from.map(|id| id.to_string()),
            created_at: rfc3339(run.created_at),
            started_at: run.started_at.map(rfc3339),
            ended_at: run.ended_at.map(rfc3339),
            next_attempt_at: (run.state == RunState::Queued).then(|| rfc3339(run.due_at)),
        }
    }
}

/// A run of a task, in a list.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRunSummary")]
struct RunRow {
    #[serde(flatten)]
    #[oai(flatten)]
    run: RunBody,
    /// Attempts that were begun, those that were lost or interrupted included.
    attempts: u32,
}

/// Some runs of a task, the latest first.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRunPage")]
pub(crate) struct RunPage {
    /// Those before them.
    next: Option<String>,
    /// The runs.
    results: Vec<RunRow>,
}

impl From<&RunSummary> for RunRow {
    fn from(run: &RunSummary) -> Self {
        Self { run: RunBody::from(run), attempts: run.attempts }
    }
}

impl RunPage {
    pub fn new(runs: &[RunSummary], next: Option<String>) -> Self {
        Self { next, results: runs.iter().map(RunRow::from).collect() }
    }
}

/// Something that has happened to a run: the data of an event.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRunEvent")]
pub(crate) struct EventBody {
    /// The task's number.
    task_id: Option<i64>,
    /// The run as it was found, which may be further on already.
    run: RunRow,
}

impl From<&RunSummary> for EventBody {
    fn from(run: &RunSummary) -> Self {
        Self { task_id: run.task_id, run: RunRow::from(run) }
    }
}

/// A run of a task with its attempts.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRunDetail")]
pub(crate) struct RunDetail {
    #[serde(flatten)]
    #[oai(flatten)]
    run: RunBody,
    /// Its attempts, the first one first.
    attempts: Vec<AttemptBody>,
}

impl RunDetail {
    pub fn new(run: &Run, attempts: &[Attempt]) -> Self {
        Self {
            run: RunBody::from(&run.summary()),
            attempts: attempts.iter().map(AttemptBody::from).collect(),
        }
    }
}

/// A run that was asked for.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRunTicket")]
pub(crate) struct TicketBody {
    /// The run.
    run: TicketRun,
}

/// A run, in short.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRunState")]
struct TicketRun {
    /// Its number.
    id: String,
    /// Where it stands: queued, running, succeeded, failed or cancelled.
    status: String,
}

impl From<&Run> for TicketBody {
    fn from(run: &Run) -> Self {
        Self { run: TicketRun { id: run.id.to_string(), status: run.state.name().to_owned() } }
    }
}

/// What a task would do now.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskCheck")]
pub(crate) struct CheckBody {
    /// What would be sent.
    request: RequestBody,
    /// Whether it may be sent there.
    allowed: bool,
    /// Why not.
    reason: Option<String>,
}

impl From<TaskCheck> for CheckBody {
    fn from(check: TaskCheck) -> Self {
        Self {
            request: RequestBody::from(&check.sent),
            allowed: check.verdict.is_ok(),
            reason: check.verdict.err().map(|error| error.reason),
        }
    }
}
