//! `/integration-tasks`: what users want called, and the runs of it.

mod body;
mod events;
mod params;
mod read;
mod run;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::Arc;

use bytes::Bytes;
use malecon::ServiceError;
use malecon::domain::{Principal, Run, RunState, Task, TaskQuery, TaskSortKey};
use poem::Request;
use poem::http::HeaderValue;
use poem_openapi::param::Path;
use poem_openapi::{OpenApi, Tags};
use serde_json::json;

use crate::auth::{Caller, if_match, number};
use crate::body::Body;
use crate::listing::{Neighbours, page, sort};
use crate::problem::{FieldError, Problem};
use crate::query::Query;
use crate::ready::{Ready, names_revision, revised_etag};
use crate::services::Services;
use crate::written::{Accepted, Changed, Gone, Made, Written};
use body::{ConfigBody, TaskBody, TaskPage};
use trace::{CheckBody, ResultBody, TicketBody};

pub(crate) use events::EventApi;
pub(crate) use params::{
    EXAMPLE, LIST, PART, PART_EXAMPLE, REPLAY, REPLAY_EXAMPLE, RUNS, WHOLE, key_document,
};
pub(crate) use run::RunApi;

/// Makes an execution only once (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Media type of a JSON merge patch (RFC 7396).
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

#[derive(Tags)]
enum Tag {
    /// HTTP calls that are made for you, again when they fail, with all that was sent and answered.
    #[oai(rename = "Integration tasks")]
    Tasks,
}

pub(crate) struct TaskApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/integration-tasks", tag = "Tag::Tasks")]
impl TaskApi {
    /// List tasks
    ///
    /// The caller's own.
    #[oai(path = "/", method = "get", operation_id = "listTasks")]
    async fn list(&self, request: &Request, caller: Caller) -> Result<Ready<TaskPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let query = TaskQuery {
            text: params.text("q").map(str::to_owned),
            state: params.text("status").map(RunState::from_name),
            sort: sort(&params, &TaskSortKey::ALL, TaskSortKey::name),
            page: page(&params),
        };
        let found = self.0.tasks.list(&caller.0, &query).await?;
        let neighbours = Neighbours::of("/integration-tasks", &params, query.page, found.total);
        let rows = found.items.iter().map(TaskBody::row);
        let body = TaskPage::new(found.total, &neighbours, rows);
        Ready::own(request, &body, &neighbours.link, self.0.answers.now())
    }

    /// Add a task
    ///
    /// Nothing is called yet. A target that must not be called is a 422.
    #[oai(path = "/", method = "post", operation_id = "addTask")]
    async fn add(
        &self,
        request: &Request,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<TaskBody, Made>, Problem> {
        let body = Body::read(request, &body, WHOLE)?.into_value();
        let task = self.0.tasks.add(&caller.0, read::draft(&body, self.0.time_zone)?).await?;
        let (body, etag) = self.shown(&caller.0, &task).await?;
        Ok(Written::made(&body, &format!("/integration-tasks/{}", task.id))?.tagged(etag))
    }

    /// Show a task
    ///
    /// With what came of its last run. The ETag starts with the revision of its name and config, and that
    /// alone is what `If-Match` looks at: a run in the meantime is in nobody's way.
    #[oai(path = "/:id", method = "get", operation_id = "showTask")]
    async fn show(
        &self,
        request: &Request,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<TaskBody>, Problem> {
        Query::read(request, &[])?;
        let task = self.0.tasks.find(&caller.0, number(&id.0)?).await?;
        let body = TaskBody::new(&task, self.result(&caller.0, &task).await?);
        Ready::revised(request, &body, task.revision, self.0.answers.now())
    }

    /// Replace a task
    ///
    /// Runs that there are stay as they are. A secret that is given as its mask stays, too.
    #[oai(path = "/:id", method = "put", operation_id = "replaceTask")]
    async fn replace(
        &self,
        request: &Request,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<TaskBody, Changed>, Problem> {
        let body = Body::read(request, &body, WHOLE)?.into_value();
        let present = self.0.tasks.find(&caller.0, number(&id.0)?).await?;
        let revision = matched(request, &present)?.then_some(present.revision);
        let task = self
            .0
            .tasks
            .change(&caller.0, present.id, read::draft(&body, self.0.time_zone)?, revision)
            .await?;
        self.changed(&caller.0, &task).await
    }

    /// Change a task
    ///
    /// A JSON merge patch (RFC 7396) of its name and config: what is absent stays as it is, null removes,
    /// and objects are merged, the payload among them.
    #[oai(path = "/:id", method = "patch", operation_id = "changeTask")]
    async fn correct(
        &self,
        request: &Request,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<TaskBody, Changed>, Problem> {
        let patch = Body::read_as(request, &body, PART, &["application/json", MERGE_PATCH])?.into_value();
        let id = number(&id.0)?;
        loop {
            let present = self.0.tasks.find(&caller.0, id).await?;
            let conditional = matched(request, &present)?;
            let config = ConfigBody::from(&present.draft.config);
            let mut whole = json!({"name": present.draft.name, "config": config});
            read::merge(&mut whole, patch.clone());
            let revision = Some(present.revision);
            match self.0.tasks.change(&caller.0, id, read::draft(&whole, self.0.time_zone)?, revision).await {
                // Another change came in between, which this one is to be made upon.
                Err(ServiceError::Conflict { code: ServiceError::OUTDATED, .. }) if !conditional => {}
                outcome => return self.changed(&caller.0, &outcome?).await,
            }
        }
    }

    /// Remove a task
    ///
    /// With all its runs.
    #[oai(path = "/:id", method = "delete", operation_id = "removeTask")]
    async fn remove(
        &self,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        caller: Caller,
    ) -> Result<Gone, Problem> {
        self.0.tasks.remove(&caller.0, number(&id.0)?).await?;
        Ok(Gone)
    }

    /// Run a task
    ///
    /// Soon, and in the background. With an `Idempotency-Key` the same request makes one run of this task,
    /// however often it is sent; the same key with another body is a 422. The body says nothing otherwise.
    #[oai(path = "/execute/:id", method = "post", operation_id = "executeTask")]
    async fn execute(
        &self,
        request: &Request,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<TicketBody, Accepted>, Problem> {
        let id = number(&id.0)?;
        let once = idempotency_key(request)?.map(|key| (key, &*body));
        let run = self.0.tasks.execute(&caller.0, id, once).await.map_err(of_key)?;
        ticket(id, &run)
    }

    /// Check a task
    ///
    /// What it would send now, and whether it may be sent there. Nothing is sent.
    #[oai(path = "/:id/check", method = "post", operation_id = "checkTask")]
    async fn check(
        &self,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        caller: Caller,
    ) -> Result<Written<CheckBody, Changed>, Problem> {
        Written::there(&CheckBody::from(self.0.tasks.check(&caller.0, number(&id.0)?).await?))
    }
}

impl TaskApi {
    /// A task as a GET of it shows it, and its validator.
    async fn shown(&self, caller: &Principal, task: &Task) -> Result<(TaskBody, HeaderValue), Problem> {
        let body = TaskBody::new(task, self.result(caller, task).await?);
        let etag = revised_etag(&body, task.revision, self.0.answers.now())?;
        Ok((body, etag))
    }

    async fn changed(&self, caller: &Principal, task: &Task) -> Result<Written<TaskBody, Changed>, Problem> {
        let (body, etag) = self.shown(caller, task).await?;
        Ok(Written::there(&body)?.tagged(etag))
    }

    /// What came of a task's last run, if that is over.
    async fn result(&self, caller: &Principal, task: &Task) -> Result<Option<ResultBody>, Problem> {
        let Some(run) = task.last_run.as_ref().filter(|run| run.state.is_over()) else { return Ok(None) };
        let (_, attempts) = self.0.tasks.show_run(caller, task.id, run.id).await?;
        Ok(attempts.last().map(ResultBody::from))
    }
}

/// Whether the client says which revision it means to change; it must be this one.
fn matched(request: &Request, task: &Task) -> Result<bool, Problem> {
    if_match(request, |value| names_revision(value, task.revision))
}

fn ticket(task: i64, run: &Run) -> Result<Written<TicketBody, Accepted>, Problem> {
    Written::accepted(&TicketBody::from(run), &format!("/integration-tasks/{task}/runs/{}", run.id))
}

fn idempotency_key(request: &Request) -> Result<Option<&str>, Problem> {
    let key = request.headers().get(IDEMPOTENCY_KEY).map(HeaderValue::to_str);
    key.transpose().map_err(|_| bad_key("a key is written in ASCII".to_owned()))
}

/// What is wrong with an execution is wrong with its key.
fn of_key(error: ServiceError) -> Problem {
    match error {
        ServiceError::Invalid(_) => bad_key(error.to_string()),
        error => error.into(),
    }
}

fn bad_key(detail: String) -> Problem {
    let pointer = format!("header/{IDEMPOTENCY_KEY}");
    Problem::invalid(vec![FieldError { pointer, detail }]).with_code("invalid_idempotency_key")
}
