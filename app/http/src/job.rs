//! `/api/jobs`: what the program does in the background.

use std::sync::Arc;

use malecon::domain::{Attempt, Run, RunState};
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi, Tags};
use serde::Serialize;

use crate::auth::{Caller, run_id};
use crate::problem::Problem;
use crate::query::Query;
use crate::ready::{Ready, rfc3339};
use crate::services::Services;
use crate::written::{Accepted, Written};

#[derive(Tags)]
enum Tag {
    /// What is done in the background: syncs, pictures of dogs, activities, reports.
    Jobs,
}

/// A job.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Job")]
struct JobBody {
    /// Its number; later jobs have larger ones.
    id: String,
    /// What it does: sync, picture, activities or report.
    kind: String,
    /// Where it stands: queued, running, succeeded, failed or cancelled.
    status: String,
    /// Attempts that were begun, those that were lost or interrupted included.
    attempts: u32,
    /// Attempts at most that were neither lost nor interrupted; a job is given up after 5 lost ones.
    max_attempts: u32,
    /// What it came to.
    result: Option<String>,
    /// Why its last attempt that is over failed.
    error: Option<String>,
    /// The number of the job that it repeats.
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

impl JobBody {
    fn new(run: &Run, attempts: &[Attempt]) -> Self {
        let last = attempts.iter().rfind(|attempt| attempt.end.is_some());
        Self {
            id: run.id.to_string(),
            kind: run.job.kind().name().to_owned(),
            status: run.state.name().to_owned(),
            attempts: run.attempts,
            max_attempts: run.max_attempts,
            result: last.and_then(|attempt| attempt.trace.result.clone()),
            error: last.and_then(Attempt::error),
            replayed_from: run.replayed_from.map(|id| id.to_string()),
            created_at: rfc3339(run.created_at),
            started_at: run.started_at.map(rfc3339),
            ended_at: run.ended_at.map(rfc3339),
            next_attempt_at: (run.state == RunState::Queued).then(|| rfc3339(run.due_at)),
        }
    }
}

/// A job that was asked for, in short.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "JobState")]
pub(crate) struct JobState {
    /// Its number.
    id: String,
    /// Where it stands: queued, running, succeeded, failed or cancelled.
    status: String,
}

impl From<&Run> for JobState {
    fn from(run: &Run) -> Self {
        Self { id: run.id.to_string(), status: run.state.name().to_owned() }
    }
}

/// A job that was asked for.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "JobTicket")]
pub(crate) struct JobTicket {
    /// The job.
    job: JobState,
}

/// 202 with the job, and where to follow it.
pub(crate) fn ticket(run: &Run) -> Result<Written<JobTicket, Accepted>, Problem> {
    Written::accepted(&JobTicket { job: JobState::from(run) }, &place(run))
}

/// Where a job is followed.
pub(crate) fn place(run: &Run) -> String {
    format!("/api/jobs/{}", run.id)
}

pub(crate) struct JobApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api/jobs", tag = "Tag::Jobs")]
impl JobApi {
    /// Show a job
    ///
    /// One's own; an administrator sees all.
    #[oai(path = "/:id", method = "get", operation_id = "showJob")]
    async fn show(
        &self,
        request: &Request,
        /// The job's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<JobBody>, Problem> {
        Query::read(request, &[])?;
        let (run, attempts) = self.0.jobs.find(&caller.0, run_id(&id.0)?).await?;
        Ready::own(request, &JobBody::new(&run, &attempts), "", self.0.answers.now())
    }

    /// Do a job again
    ///
    /// One that is over; most often one that failed. It is a new job that knows which one it repeats.
    #[oai(path = "/:id/replay", method = "post", operation_id = "replayJob")]
    async fn replay(
        &self,
        /// The job's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        caller: Caller,
    ) -> Result<Written<JobTicket, Accepted>, Problem> {
        ticket(&self.0.jobs.replay(&caller.0, run_id(&id.0)?).await?)
    }
}
