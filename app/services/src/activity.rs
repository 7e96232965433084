//! Things to do in countries: kept, answered at once, and fetched behind everybody's back.

mod job;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use malecon_domain::{
    Activity, ActivityQuery, CountryCode, Freshness, Instant, Job, NewRun, OnceKey, Paged, Run, RunId,
    RunState, Sourced,
};
use malecon_ports::{ActivityGateway, ActivityRepository, Clock, CountryRepository, RunRepository};

use crate::ServiceError;
use crate::deadline::within;
use crate::error::Lack;
use crate::job::JobService;

/// How long a reader waits for the store.
const READ_LIMIT: Duration = Duration::from_millis(900);
/// How long a run takes that is under way, as a hint for who waits for it.
const TYPICAL: Duration = Duration::from_secs(10);
/// The lane of all its runs, which a [`Worker`](crate::Worker) lets pass one by one: their source wants
/// to be asked for one thing at a time.
pub(crate) const LANE: &str = "wikidata";

/// What [`ActivityService`] needs.
#[derive(Clone)]
pub struct ActivityPorts {
    /// Where activities are kept.
    pub activities: Arc<dyn ActivityRepository>,
    /// Where they come from.
    pub source: Arc<dyn ActivityGateway>,
    /// The countries.
    pub countries: Arc<dyn CountryRepository>,
    /// The runs that fetch them.
    pub runs: Arc<dyn RunRepository>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// How young activities are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivitySettings {
    /// Older ones are fetched anew when somebody asks for them.
    pub refresh_after: Duration,
    /// How long after a run that failed none is made for the same country.
    pub rest: Duration,
}

impl Default for ActivitySettings {
    fn default() -> Self {
        Self { refresh_after: Duration::from_secs(7 * 24 * 60 * 60), rest: Duration::from_secs(15 * 60) }
    }
}

/// Answers for the activities of countries. Nobody waits for their source: what is kept is the answer,
/// and a run for a [`Worker`](crate::Worker) fetches what is missing or old, one a country however many
/// ask, in however many processes.
#[derive(Clone)]
pub struct ActivityService {
    ports: ActivityPorts,
    jobs: JobService,
    settings: ActivitySettings,
    /// Until when the source wants to be left alone.
    rests_until: Arc<Mutex<Instant>>,
}

/// What is to be expected.
struct Outlook {
    /// When there may be something new.
    wait: Duration,
    /// Whether the source has failed.
    failing: bool,
}

impl ActivityService {
    /// A service over these ports, whose runs are these jobs.
    pub fn new(ports: ActivityPorts, jobs: JobService, settings: ActivitySettings) -> Self {
        Self { ports, jobs, settings, rests_until: Arc::default() }
    }

    /// How young they are kept.
    pub fn settings(&self) -> ActivitySettings {
        self.settings
    }

    /// How the activities of a country stand, which has this alpha-2, alpha-3 or numeric code; the value
    /// is its alpha-3 code. When they are missing or old, this makes the run that fetches them.
    ///
    /// # Errors
    /// `NotFound` for no country; `Unavailable` when the store does not answer within a second, and
    /// with [`Lack::NotReady`] while they were never fetched.
    pub async fn look(&self, code: &str) -> Result<Sourced<String>, ServiceError> {
        let code = CountryCode::parse(code).ok_or(ServiceError::NotFound)?;
        let country = self.bounded(self.ports.countries.find(&code)).await?.ok_or(ServiceError::NotFound)?;
        let country = country.country.cca3.clone();
        let state = self.bounded(self.ports.activities.state(&country)).await?;
        let now = self.ports.clock.now();
        if let Some(at) = state.fetched_at.filter(|at| self.settings.is_young(*at, now)) {
            return Ok(Sourced { value: country, at, freshness: Freshness::Kept });
        }
        let outlook = self.bounded(self.see_to(&country, state.run, now)).await;
        let Some(at) = state.fetched_at else { return Err(not_ready(outlook?)) };
        let freshness = match outlook {
            Ok(Outlook { failing: false, .. }) => Freshness::Revalidating,
            Ok(Outlook { failing: true, .. }) | Err(_) => Freshness::StandingIn,
        };
        Ok(Sourced { value: country, at, freshness })
    }

    /// One page of what is kept of a country, by its alpha-3 code.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer within a second.
    pub async fn list(&self, country: &str, query: &ActivityQuery) -> Result<Paged<Activity>, ServiceError> {
        Ok(query.select(self.bounded(self.ports.activities.all(country)).await?))
    }

    /// Sees to it that a run fetches them, unless the last one has just failed. The key of a run names the
    /// one before it: whoever comes to need a run after that one makes the same.
    async fn see_to(
        &self,
        country: &str,
        noted: Option<RunId>,
        now: Instant,
    ) -> Result<Outlook, ServiceError> {
        let mut last = noted;
        let mut run = match last {
            Some(id) => self.ports.runs.find(id).await?,
            None => None,
        };
        loop {
            if let Some(outlook) = run.as_ref().and_then(|run| self.outlook(run, now)) {
                return Ok(outlook);
            }
            let new = self.draft(country, last);
            let made = self.jobs.add_unattended(&new).await?;
            self.ports.activities.note(country, made.id).await?;
            if made.id == new.id {
                tracing::info!(country, run = %made.id, "activities are to be fetched");
                return Ok(Outlook { wait: TYPICAL, failing: false });
            }
            (last, run) = (Some(made.id), Some(made));
        }
    }

    fn draft(&self, country: &str, last: Option<RunId>) -> NewRun {
        let job = Job::Activities { country: country.to_owned() };
        let after = last.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
        let once = OnceKey { key: format!("activities:{country}:after:{after}"), fingerprint: String::new() };
        NewRun { lane: LANE.to_owned(), once: Some(once), ..self.jobs.draft(job, None) }
    }

    /// What a run promises; `None` when it is time for the next one.
    fn outlook(&self, run: &Run, now: Instant) -> Option<Outlook> {
        let until = |at: Instant| (at - now).to_std().unwrap_or_default();
        let Some(ended_at) = run.ended_at else {
            let failing = run.state == RunState::Queued && run.counted_attempts() > 0;
            return Some(Outlook { wait: until(run.due_at) + TYPICAL, failing });
        };
        let rest = until(ended_at + self.settings.rest);
        match run.state {
            _ if rest.is_zero() => None,
            // It has ended since we looked.
            RunState::Succeeded => Some(Outlook { wait: Duration::ZERO, failing: false }),
            _ => Some(Outlook { wait: rest, failing: true }),
        }
    }

    async fn bounded<T, E: Into<ServiceError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ServiceError> {
        within(&*self.ports.clock, READ_LIMIT, work).await
    }
}

impl ActivitySettings {
    /// Whether what was fetched then need not be fetched anew.
    fn is_young(&self, fetched_at: Instant, now: Instant) -> bool {
        (now - fetched_at).to_std().unwrap_or_default() < self.refresh_after
    }
}

fn not_ready(outlook: Outlook) -> ServiceError {
    let why = if outlook.failing { "their source fails" } else { "a job fetches them" };
    ServiceError::Unavailable {
        what: "the list of activities",
        lack: Lack::NotReady("activities_not_ready"),
        retry_after: outlook.wait,
        source: Arc::from(malecon_ports::Cause::from(why)),
    }
}
