//! Fetching the activities of a country as a job.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{
    ActivityBatch, ActivityPlan, AttemptEnd, CountryCode, Job, Next, RetryRule, Run, Trace,
};
use malecon_ports::GatewayError;

use super::ActivityService;
use crate::ServiceError;
use crate::error::chain;
use crate::job::backoff;
use crate::worker::JobHandler;

impl ActivityService {
    /// Who does [`Job::Activities`], for a [`Worker`](crate::Worker).
    pub fn handler(&self) -> Arc<dyn JobHandler> {
        Arc::new(Fetch(self.clone()))
    }
}

struct Fetch(ActivityService);

type Done = (Next, Trace);

#[async_trait]
impl JobHandler for Fetch {
    async fn attempt(&self, run: &Run) -> Result<Done, ServiceError> {
        let Job::Activities { country } = &run.job else {
            return Err(ServiceError::internal("this run fetches no activities"));
        };
        let ports = &self.0.ports;
        let code = CountryCode::Alpha3(country.clone());
        let Some(stored) = ports.countries.find(&code).await? else {
            return Ok(failed(Next::Over(AttemptEnd::Failed), format!("there is no country {country}")));
        };
        let state = ports.activities.state(country).await?;
        if state.fetched_at.is_some_and(|at| self.0.settings.is_young(at, ports.clock.now())) {
            return Ok(succeeded("another run has fetched them".to_owned()));
        }
        let rest = self.rest_left();
        if !rest.is_zero() {
            let reason = "the source wants to be left alone for a while".to_owned();
            return Ok(failed(Next::Again(rest + backoff(1)), reason));
        }
        match ports.source.fetch(&stored.country.cca2).await {
            Ok(batch) => self.keep(country, state.count, batch).await,
            Err(error) => Ok(failed(self.after(&error, run.counted_attempts()), chain(&error))),
        }
    }
}

impl Fetch {
    /// Keeps an answer that is to be believed, and tells what became of it.
    async fn keep(&self, country: &str, held: u64, batch: ActivityBatch) -> Result<Done, ServiceError> {
        let plan = match ActivityPlan::new(held, batch) {
            Ok(plan) => plan,
            Err(drift) => {
                let reason = format!("{drift}; nothing was changed");
                tracing::error!(country, reason, "nothing was taken from the source of activities");
                return Ok(failed(Next::Over(AttemptEnd::Failed), reason));
            }
        };
        let ports = &self.0.ports;
        ports.activities.replace(country, &plan.activities, ports.clock.now()).await?;
        let (kept, dropped) = (plan.activities.len(), plan.rejected.len());
        let such_as = plan.rejected.first().map(|one| format!(", such as {}: {}", one.record, one.reason));
        Ok(succeeded(format!("{kept} kept, {dropped} dropped{}", such_as.unwrap_or_default())))
    }

    /// What becomes of a run when the source fails like this.
    fn after(&self, error: &GatewayError, attempt: u32) -> Next {
        match error {
            GatewayError::RateLimited { retry_after } => {
                let rest = retry_after.unwrap_or_default().min(RetryRule::LONGEST_WAIT);
                let until = self.0.ports.clock.now() + rest;
                *self.0.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
                Next::Again(rest + backoff(attempt))
            }
            // When its time is up in the middle of an answer, it ends that with what is no JSON.
            GatewayError::Unavailable(_) | GatewayError::Malformed(_) => Next::Again(backoff(attempt)),
            GatewayError::Refused(_) => Next::Over(AttemptEnd::Failed),
        }
    }

    /// How long the source still wants to be left alone, whatever the country.
    fn rest_left(&self) -> Duration {
        let until = *self.0.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        (until - self.0.ports.clock.now()).to_std().unwrap_or_default()
    }
}

fn succeeded(result: String) -> Done {
    (Next::Over(AttemptEnd::Succeeded), Trace::of_success(result))
}

fn failed(next: Next, reason: String) -> Done {
    (next, Trace::of_failure(reason))
}
