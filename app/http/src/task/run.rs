//! `/integration-tasks/{id}/runs`.

use std::sync::Arc;

use bytes::Bytes;
use malecon::ServiceError;
use malecon::domain::{Job, Page, Principal, RunQuery, RunSummary};
use poem::Request;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use serde_json::{Value, json};

use super::body::ConfigBody;
use super::trace::{RunDetail, RunPage, TicketBody};
use super::{REPLAY, RUNS, Tag, read, ticket};
use crate::auth::{Caller, number, run_id};
use crate::body::Body;
use crate::problem::Problem;
use crate::query::Query;
use crate::ready::Ready;
use crate::services::Services;
use crate::written::{Accepted, Written};

pub(crate) struct RunApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/integration-tasks", tag = "Tag::Tasks")]
impl RunApi {
    /// List a task's runs
    ///
    /// The latest first. `next` leads on to those before.
    #[oai(path = "/:id/runs", method = "get", operation_id = "listTaskRuns")]
    async fn runs(
        &self,
        request: &Request,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<RunPage>, Problem> {
        let params = Query::read(request, RUNS)?;
        let most = params.parsed("page_size").unwrap_or(Page::DEFAULT_SIZE);
        let query = RunQuery { task_id: number(&id.0)?, before: params.parsed("cursor"), most };
        let runs = self.0.tasks.runs(&caller.0, &query).await?;
        let next = self.last_of_many(&caller.0, &query, &runs).await?.map(|run| {
            format!("/integration-tasks/{}/runs?cursor={}&page_size={most}", query.task_id, run.id)
        });
        let link = next.as_ref().map(|next| format!("<{next}>; rel=\"next\"")).unwrap_or_default();
        Ready::own(request, &RunPage::new(&runs, next), &link, self.0.answers.now())
    }

    /// Show a run
    ///
    /// With its attempts: what was sent, without its secrets, and what came back.
    #[oai(path = "/:id/runs/:run_id", method = "get", operation_id = "showTaskRun")]
    async fn show_run(
        &self,
        request: &Request,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        /// The run's number.
        #[oai(validator(max_length = 100))]
        run_id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<RunDetail>, Problem> {
        Query::read(request, &[])?;
        let (id, run) = (number(&id.0)?, self::run_id(&run_id.0)?);
        let (run, attempts) = self.0.tasks.show_run(&caller.0, id, run).await?;
        Ready::own(request, &RunDetail::new(&run, &attempts), "", self.0.answers.now())
    }

    /// Cancel a run
    ///
    /// One that waits is over at once, one that is under way within seconds.
    #[oai(path = "/:id/runs/:run_id/cancel", method = "post", operation_id = "cancelTaskRun")]
    async fn cancel(
        &self,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        /// The run's number.
        #[oai(validator(max_length = 100))]
        run_id: Path<String>,
        caller: Caller,
    ) -> Result<Written<TicketBody, Accepted>, Problem> {
        let id = number(&id.0)?;
        ticket(id, &self.0.tasks.cancel(&caller.0, id, self::run_id(&run_id.0)?).await?)
    }

    /// Repeat a run
    ///
    /// With the config that it had, whatever the task's is now, or with another one: the body may change it
    /// for the new run alone. Without a body nothing is changed.
    #[oai(path = "/:id/runs/:run_id/replay", method = "post", operation_id = "replayTaskRun")]
    async fn replay(
        &self,
        request: &Request,
        /// The task's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        /// The run's number.
        #[oai(validator(max_length = 100))]
        run_id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<TicketBody, Accepted>, Problem> {
        let mut patch = match &*body {
            [] => Value::Null,
            body => Body::read(request, body, REPLAY)?.into_value(),
        };
        let (id, run) = (number(&id.0)?, self::run_id(&run_id.0)?);
        let config = match patch["config"].take() {
            Value::Null => None,
            patch => {
                let (run, _) = self.0.tasks.show_run(&caller.0, id, run).await?;
                let Job::Call(config) = &run.job else { return Err(ServiceError::NotFound.into()) };
                let mut config = json!(ConfigBody::from(config));
                read::merge(&mut config, patch);
                Some(read::config(&config, self.0.time_zone)?)
            }
        };
        ticket(id, &self.0.tasks.replay(&caller.0, id, run, config).await?)
    }
}

impl RunApi {
    /// The last of these runs, if there are more before it.
    async fn last_of_many<'a>(
        &self,
        caller: &Principal,
        query: &RunQuery,
        runs: &'a [RunSummary],
    ) -> Result<Option<&'a RunSummary>, Problem> {
        let Some(last) = runs.last().filter(|_| runs.len() as u64 >= u64::from(query.most)) else {
            return Ok(None);
        };
        let before = RunQuery { before: Some(last.id), most: 1, ..*query };
        Ok(self.0.tasks.runs(caller, &before).await?.first().map(|_| last))
    }
}
