//! The job that looks for a dog's picture.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{AttemptEnd, Job, Next, PictureUrl, RetryRule, Run, Trace};
use malecon_ports::GatewayError;

use super::{DogPorts, DogService};
use crate::ServiceError;
use crate::job::backoff;
use crate::worker::JobHandler;

/// Seconds of the chore that comes with each dog.
const COMPLEXITY: u32 = 1;

impl DogService {
    /// Who does [`Job::Picture`], for a [`Worker`](crate::Worker).
    pub fn handler(&self) -> Arc<dyn JobHandler> {
        Arc::new(Pictures(self.ports.clone()))
    }
}

struct Pictures(DogPorts);

#[async_trait]
impl JobHandler for Pictures {
    async fn attempt(&self, run: &Run) -> Result<(Next, Trace), ServiceError> {
        let Job::Picture { dog } = run.job else {
            return Err(ServiceError::internal("this is no job of a picture"));
        };
        let Some(dog) = self.0.dogs.get(dog).await? else { return Ok(gone()) };
        // A job that is done again looks for another picture, a further attempt does not.
        let known = dog.picture.filter(|_| run.attempts > 1);
        let picture = match known {
            Some(picture) => picture,
            None => match self.0.pictures.random().await {
                Ok(picture) => picture,
                Err(error) => return Ok(again(run, "the source of pictures", &error)),
            },
        };
        if !self.0.dogs.set_picture(dog.id, &picture).await? {
            return Ok(gone());
        }
        if let Some(chores) = &self.0.chores
            && let Err(error) = chores.perform(COMPLEXITY).await
        {
            return Ok(again(run, "the worker service", &error));
        }
        Ok(done(&picture))
    }
}

fn done(picture: &PictureUrl) -> (Next, Trace) {
    succeeded(format!("the dog's picture is {}", picture.as_str()))
}

fn gone() -> (Next, Trace) {
    succeeded("the dog is gone, and needs no picture".to_owned())
}

fn succeeded(result: String) -> (Next, Trace) {
    (Next::Over(AttemptEnd::Succeeded), Trace::of_success(result))
}

/// It is tried again, whatever has failed: an outage can look like anything.
fn again(run: &Run, who: &str, error: &GatewayError) -> (Next, Trace) {
    let asked = match error {
        GatewayError::RateLimited { retry_after } => {
            retry_after.unwrap_or_default().min(RetryRule::LONGEST_WAIT)
        }
        GatewayError::Unavailable(_) | GatewayError::Refused(_) | GatewayError::Malformed(_) => {
            Duration::ZERO
        }
    };
    let cause = error.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let reason = match error {
        GatewayError::Unavailable(_) => format!("{who} does not answer{cause}"),
        GatewayError::RateLimited { .. } => format!("{who} is asked too often"),
        GatewayError::Refused(_) => format!("{who} refuses{cause}"),
        GatewayError::Malformed(_) => format!("{who} answers what makes no sense{cause}"),
    };
    (Next::Again(backoff(run.counted_attempts()).max(asked)), Trace::of_failure(reason))
}
