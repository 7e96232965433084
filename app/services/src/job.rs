//! Work of the program itself that happens later: it is asked for, looked at, and asked for again.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use malecon_domain::{Attempt, Instant, Job, JobKind, NewRun, OnceKey, Principal, Rhythm, Run, RunId};
use malecon_ports::{Clock, RunRepository, RunWrite, ScheduleRepository};
use rand::Rng;
use uuid::{NoContext, Timestamp, Uuid};

use crate::ServiceError;

/// Attempts of a job: with [`backoff`] between them, half an hour and more.
const ATTEMPTS: u32 = 20;
/// The longest wait before a first retry.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait before any.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// What [`JobService`] needs.
#[derive(Clone)]
pub struct JobPorts {
    /// The runs.
    pub runs: Arc<dyn RunRepository>,
    /// The store's clock.
    pub schedules: Arc<dyn ScheduleRepository>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Makes runs of the program's own jobs, for a [`Worker`](crate::Worker) to take up, and shows them to
/// those who asked for them and to administrators. Runs of integration tasks are not its affair.
#[derive(Clone)]
pub struct JobService {
    ports: JobPorts,
}

/// A job that comes again and again. Keep it between the calls of [`JobService::tick_unattended`].
#[derive(Clone, Debug)]
pub struct Plan {
    job: Job,
    rhythm: Rhythm,
    /// The tick whose run is there.
    made: Option<Instant>,
    is_early: bool,
}

impl Plan {
    /// This job, in this rhythm.
    pub fn new(job: Job, rhythm: Rhythm) -> Self {
        Self { job, rhythm, made: None, is_early: false }
    }

    /// The same, but the tick that came last before the first look makes no run: it is too early.
    #[must_use]
    pub fn from_the_next_tick(self) -> Self {
        Self { is_early: true, ..self }
    }
}

impl JobService {
    /// A service over these ports.
    pub fn new(ports: JobPorts) -> Self {
        Self { ports }
    }

    /// A run of this job, to be added by whoever adds more in the same transaction. Runs of one kind are
    /// limited together.
    pub fn draft(&self, job: Job, owner: Option<i64>) -> NewRun {
        NewRun {
            id: run_id(self.ports.clock.now()),
            owner,
            task_id: None,
            lane: job.kind().name().to_owned(),
            max_attempts: ATTEMPTS,
            job,
            delay: Duration::ZERO,
            once: None,
            replayed_from: None,
            most_open: None,
        }
    }

    /// Adds a run, for a use case or a schedule; the one that is there when its key is known.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn add_unattended(&self, run: &NewRun) -> Result<Run, ServiceError> {
        Ok(match self.ports.runs.add(run).await? {
            RunWrite::Added(run) | RunWrite::There(run) => run,
            RunWrite::Full => return Err(ServiceError::internal("the program's own runs have no limit")),
        })
    }

    /// One job with its attempts.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Unavailable`.
    pub async fn find(&self, caller: &Principal, id: RunId) -> Result<(Run, Vec<Attempt>), ServiceError> {
        let run = self.ports.runs.find(id).await?;
        let is_theirs = |run: &Run| run.owner == Some(caller.user_id) || caller.is_admin();
        let is_ours = |run: &Run| run.job.kind() != JobKind::Call;
        let run = run.filter(|run| is_theirs(run) && is_ours(run)).ok_or(ServiceError::NotFound)?;
        let attempts = self.ports.runs.attempts(id).await?;
        Ok((run, attempts))
    }

    /// Makes a run that repeats a job which is over.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Conflict` (`job_under_way`); `Unavailable`.
    pub async fn replay(&self, caller: &Principal, id: RunId) -> Result<Run, ServiceError> {
        let (run, _) = self.find(caller, id).await?;
        if !run.state.is_over() {
            return Err(ServiceError::conflict("job_under_way", "this job is not over yet"));
        }
        let draft = NewRun { lane: run.lane, ..self.draft(run.job, run.owner) };
        self.add_unattended(&NewRun { replayed_from: Some(id), ..draft }).await
    }

    /// Makes the runs of plans whose tick has come; how many. However many processes do so, and however
    /// often they start anew, a tick makes one run; of many that were missed, the last. The clock is the
    /// store's. For a schedule.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tick_unattended(&self, plans: &mut [Plan]) -> Result<u64, ServiceError> {
        let now = self.ports.schedules.now().await?;
        let mut made = 0;
        for plan in plans {
            let Some(tick) = plan.rhythm.tick(now).filter(|tick| plan.made != Some(*tick)) else { continue };
            if !plan.is_early {
                let key = format!("plan:{}:{}", plan.job.kind().name(), tick.timestamp());
                let once = Some(OnceKey { key, fingerprint: String::new() });
                let run = NewRun { once, ..self.draft(plan.job.clone(), None) };
                made += u64::from(matches!(self.ports.runs.add(&run).await?, RunWrite::Added(_)));
            }
            // Not before: whoever gives up waiting for the store tries again.
            (plan.made, plan.is_early) = (Some(tick), false);
        }
        Ok(made)
    }
}

/// How long to wait after this attempt: exponential, with full jitter, 5 minutes at most.
pub fn backoff(attempt: u32) -> Duration {
    jittered(BACKOFF, attempt, LONGEST_BACKOFF)
}

/// Exponential backoff with full jitter: anything up to the base, doubled for each attempt.
pub(crate) fn jittered(base: Duration, attempt: u32, longest: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    rand::rng().random_range(Duration::ZERO..=base.saturating_mul(doubled).min(longest))
}

/// A new run's number.
pub(crate) fn run_id(now: Instant) -> RunId {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}
