//! The sync as a job.

use std::sync::Arc;

use async_trait::async_trait;
use malecon_domain::{AttemptEnd, Next, Run, SyncOutcome, Trace};

use super::CountryService;
use crate::ServiceError;
use crate::job::backoff;
use crate::worker::JobHandler;

/// Attempts of one job. After them the next tick is soon enough.
const ATTEMPTS: u32 = 5;

impl CountryService {
    /// Who does [`Job::Sync`](malecon_domain::Job::Sync), for a [`Worker`](crate::Worker).
    pub fn handler(&self) -> Arc<dyn JobHandler> {
        Arc::new(Mirror(self.clone()))
    }
}

struct Mirror(CountryService);

#[async_trait]
impl JobHandler for Mirror {
    async fn attempt(&self, run: &Run) -> Result<(Next, Trace), ServiceError> {
        let failed = Next::Over(AttemptEnd::Failed);
        let made = run.counted_attempts();
        let again = if made < ATTEMPTS { Next::Again(backoff(made)) } else { failed };
        let report = match self.0.sync_unattended().await {
            Ok(report) => report,
            Err(ServiceError::Conflict { detail, .. }) => {
                return Ok((Next::Over(AttemptEnd::Succeeded), Trace::of_success(detail)));
            }
            Err(error) => return Err(error),
        };
        let next = match report.outcome {
            SyncOutcome::Succeeded => Next::Over(AttemptEnd::Succeeded),
            SyncOutcome::SourceDrifted => failed,
            SyncOutcome::Failed => again,
        };
        let result = format!(
            "{} seen, {} inserted, {} updated, {} unchanged",
            report.seen, report.inserted, report.updated, report.unchanged
        );
        Ok((next, Trace { reason: report.detail, result: Some(result), ..Trace::default() }))
    }
}
