//! Integration tasks: what users want called, and the runs of it.

mod call;
mod hoard;
mod pattern;
mod seal;
#[cfg(test)]
pub(crate) mod tests;
mod tick;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::Stream;
use malecon_domain::{
    Attempt, CallFault, Header, HeaderText, Instant, Job, NewRun, OnceKey, Paged, Principal, Run, RunId,
    RunQuery, RunSummary, RunTally, Sent, Task, TaskConfig, TaskDraft, TaskFault, TaskQuery, TaskSummary,
};
use malecon_ports::{
    CallError, Clock, KeyRepository, RunRepository, RunWrite, ScheduleRepository, Sealer, SigningKey,
    TargetGateway, TaskRepository, TaskWrite,
};
use sha2::{Digest, Sha256};

use self::call::Caller;
pub(crate) use self::hoard::Hoard;
pub(crate) use self::seal::Seals;
use self::watch::Watch;
pub use self::watch::{RunEvent, RunEventKind};
use crate::Offload;
use crate::error::{Fault, ServiceError};
use crate::job::run_id;
use crate::token::hex;
use crate::user::missing;
use crate::worker::JobHandler;

/// Characters of an idempotency key.
const LONGEST_KEY: usize = 255;

/// Runs that are removed in one transaction.
const PRUNED_AT_ONCE: u32 = 500;

/// What [`TaskService`] needs.
#[derive(Clone)]
pub struct TaskPorts {
    /// The tasks.
    pub tasks: Arc<dyn TaskRepository>,
    /// Their schedules.
    pub schedules: Arc<dyn ScheduleRepository>,
    /// Their runs.
    pub runs: Arc<dyn RunRepository>,
    /// Who calls targets.
    pub targets: Arc<dyn TargetGateway>,
    /// Who seals secrets.
    pub sealer: Arc<dyn Sealer>,
    /// The keys of seals. Not those of tokens: seals outlive a rotation.
    pub keys: Arc<dyn KeyRepository>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who matches the regular expressions of users.
    pub offload: Offload,
}

/// Keeps users' integration tasks, and makes runs of them, for a [`Worker`](crate::Worker) to take
/// up. Users see and change their own and nobody else's, administrators included.
#[derive(Clone)]
pub struct TaskService {
    ports: TaskPorts,
    seals: Seals,
    /// What the store's clock showed when ticks were last looked for.
    seen: Arc<Mutex<Option<Instant>>>,
    limits: TaskLimits,
    hoard: Hoard,
    /// Owners whose ticks were skipped, since they have as many runs as may be.
    skipped: Arc<Mutex<BTreeSet<i64>>>,
}

/// What one user may have; `None` for as much as one likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskLimits {
    /// Tasks.
    pub tasks: Option<u32>,
    /// Runs of tasks that are queued or running.
    pub open_runs: Option<u32>,
    /// Bytes of what attempts sent and received: beyond, the oldest bodies are dropped.
    pub kept_bytes: Option<u64>,
}

/// What a task would do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCheck {
    /// What would be sent.
    pub sent: Sent,
    /// Whether it may be sent there.
    pub verdict: Result<(), CallError>,
}

impl TaskService {
    /// A service over these ports. Secrets are sealed with this key if there is one, and else with
    /// one that is made at the first use and kept.
    pub fn new(ports: TaskPorts, given_key: Option<SigningKey>) -> Self {
        let seals = Seals::new(&ports, given_key);
        Self {
            ports,
            seals,
            limits: TaskLimits::default(),
            hoard: Hoard::default(),
            skipped: Arc::default(),
            seen: Arc::default(),
        }
    }

    /// The same, of which one user may have no more than this.
    #[must_use]
    pub fn with_limits(self, limits: TaskLimits) -> Self {
        Self { limits, ..self }
    }

    /// Who sees runs of tasks through, for a [`Worker`](crate::Worker).
    pub fn handler(&self) -> Arc<dyn JobHandler> {
        let TaskPorts { targets, clock, offload, .. } = self.ports.clone();
        let (seals, hoard) = (self.seals.clone(), self.hoard.clone());
        Arc::new(Caller { targets, clock, seals, offload, hoard })
    }

    /// One page of the caller's tasks.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(
        &self,
        caller: &Principal,
        query: &TaskQuery,
    ) -> Result<Paged<TaskSummary>, ServiceError> {
        Ok(self.ports.tasks.list(caller.user_id, query).await?)
    }

    /// One of the caller's tasks.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn find(&self, caller: &Principal, id: i64) -> Result<Task, ServiceError> {
        self.ports.tasks.find(caller.user_id, id).await?.ok_or(ServiceError::NotFound)
    }

    /// Adds a task. Its secrets are sealed.
    ///
    /// # Errors
    /// `Invalid` with everything that is wrong, also a target that must not be called; `Conflict`
    /// (`quota_exceeded`); `Unavailable`.
    pub async fn add(&self, caller: &Principal, draft: TaskDraft) -> Result<Task, ServiceError> {
        let draft = self.checked(draft, None).await?;
        let (most, now) = (self.limits.tasks, self.ports.clock.now());
        let task = self.ports.tasks.add(caller.user_id, &draft, most, now).await.map_err(missing)?;
        let limit = most.unwrap_or_default();
        task.ok_or_else(|| ServiceError::quota_exceeded("tasks", limit.into()))
    }

    /// Replaces a task's draft. A secret that is given as its mask stays as it is, as long as the task calls
    /// the scheme, host and port that it was given for.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`; `Conflict` (`precondition_failed`) when the task has another revision
    /// than the one given; `Unavailable`.
    pub async fn change(
        &self,
        caller: &Principal,
        id: i64,
        draft: TaskDraft,
        revision: Option<i64>,
    ) -> Result<Task, ServiceError> {
        let present = self.find(caller, id).await?;
        let draft = self.checked(draft, Some(&present.draft.config)).await?;
        let now = self.ports.clock.now();
        match self.ports.tasks.change(caller.user_id, id, &draft, revision, now).await? {
            TaskWrite::Done(task) => Ok(task),
            TaskWrite::Missing => Err(ServiceError::NotFound),
            TaskWrite::Outdated => {
                Err(ServiceError::conflict(ServiceError::OUTDATED, "the task has changed in the meantime"))
            }
        }
    }

    /// Removes a task with its runs.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn remove(&self, caller: &Principal, id: i64) -> Result<(), ServiceError> {
        let was_there = self.ports.tasks.remove(caller.user_id, id).await?;
        if was_there { Ok(()) } else { Err(ServiceError::NotFound) }
    }

    /// Makes a run of a task. The same key and body make one run, however often.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when the key was used for another body; `Conflict` (`quota_exceeded`);
    /// `Unavailable`.
    pub async fn execute(
        &self,
        caller: &Principal,
        id: i64,
        once: Option<(&str, &[u8])>,
    ) -> Result<Run, ServiceError> {
        let task = self.find(caller, id).await?;
        let once = once.map(|(key, body)| once_key(id, key, body)).transpose()?;
        self.run(&task, task.draft.config.clone(), once, None).await
    }

    /// Some of a task's runs: the latest, or those before one.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn runs(&self, caller: &Principal, query: &RunQuery) -> Result<Vec<RunSummary>, ServiceError> {
        self.find(caller, query.task_id).await?;
        Ok(self.ports.runs.list(query).await?)
    }

    /// One run of a task with its attempts.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn show_run(
        &self,
        caller: &Principal,
        id: i64,
        run_id: RunId,
    ) -> Result<(Run, Vec<Attempt>), ServiceError> {
        let run = self.run_of(caller, id, run_id).await?;
        let attempts = self.ports.runs.attempts(run.id).await?;
        Ok((run, attempts))
    }

    /// Cancels a run. One that is under way ends within seconds.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` (`run_over`); `Unavailable`.
    pub async fn cancel(&self, caller: &Principal, id: i64, run_id: RunId) -> Result<Run, ServiceError> {
        let run = self.run_of(caller, id, run_id).await?;
        if run.state.is_over() {
            return Err(ServiceError::conflict("run_over", "this run is over"));
        }
        self.ports.runs.cancel(run_id).await?.ok_or(ServiceError::NotFound)
    }

    /// Makes a run that repeats another: as that one was, or with another config.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`; `Conflict` (`quota_exceeded`); `Unavailable`.
    pub async fn replay(
        &self,
        caller: &Principal,
        id: i64,
        run_id: RunId,
        config: Option<TaskConfig>,
    ) -> Result<Run, ServiceError> {
        let task = self.find(caller, id).await?;
        let run = self.run_of(caller, id, run_id).await?;
        let Job::Call(present) = &run.job else { return Err(ServiceError::NotFound) };
        let config = match config {
            Some(config) => {
                let draft = TaskDraft { name: task.draft.name.clone(), config };
                self.checked(draft, Some(present)).await?.config
            }
            None => present.clone(),
        };
        self.run(&task, config, None, Some(run_id)).await
    }

    /// What a task would send, and whether it may be sent there. Nothing is sent.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn check(&self, caller: &Principal, id: i64) -> Result<TaskCheck, ServiceError> {
        let TaskDraft { config, .. } = self.find(caller, id).await?.draft;
        let verdict = self.ports.targets.judge(&config.base_url).await;
        Ok(TaskCheck { sent: call::shown(&config), verdict })
    }

    /// What happens to the caller's runs from now on, looked for twice a second, and without an end: what
    /// can't be asked for a while is asked again. Of one who has more than 100 runs that are not over, some
    /// may be told late, twice or not at all.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn watch(
        &self,
        caller: &Principal,
    ) -> Result<impl Stream<Item = RunEvent> + Send + use<>, ServiceError> {
        self.watch_unattended(caller.user_id).await
    }

    /// The same of any user, for a command line.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn watch_unattended(
        &self,
        owner: i64,
    ) -> Result<impl Stream<Item = RunEvent> + Send + use<>, ServiceError> {
        let TaskPorts { runs, clock, .. } = &self.ports;
        Ok(Watch::begin(Arc::clone(runs), Arc::clone(clock), owner).await?.events())
    }

    /// One page of any user's tasks, for a command line.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_unattended(
        &self,
        owner: i64,
        query: &TaskQuery,
    ) -> Result<Paged<TaskSummary>, ServiceError> {
        Ok(self.ports.tasks.list(owner, query).await?)
    }

    /// What there is to do, of all users.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tally_unattended(&self) -> Result<RunTally, ServiceError> {
        Ok(self.ports.runs.tally().await?)
    }

    /// Removes runs of all users that have been over for so long; how many. For a schedule.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn prune_unattended(&self, older_than: Duration) -> Result<u64, ServiceError> {
        let mut removed = 0;
        loop {
            let some = self.ports.runs.prune(older_than, PRUNED_AT_ONCE).await?;
            removed += some;
            if some < u64::from(PRUNED_AT_ONCE) {
                return Ok(removed);
            }
        }
    }

    async fn run_of(&self, caller: &Principal, id: i64, run_id: RunId) -> Result<Run, ServiceError> {
        let run = self.ports.runs.find(run_id).await?;
        let is_theirs = |run: &Run| run.owner == Some(caller.user_id) && run.task_id == Some(id);
        run.filter(is_theirs).ok_or(ServiceError::NotFound)
    }

    async fn run(
        &self,
        task: &Task,
        config: TaskConfig,
        once: Option<OnceKey>,
        replayed_from: Option<RunId>,
    ) -> Result<Run, ServiceError> {
        let run = NewRun { once, replayed_from, ..self.new_run(task, config)? };
        match self.ports.runs.add(&run).await.map_err(missing)? {
            RunWrite::Added(run) => Ok(run),
            RunWrite::There(there) if there.once == run.once => Ok(there),
            RunWrite::Full => {
                let limit = run.most_open.unwrap_or_default();
                Err(ServiceError::quota_exceeded("runs that are queued or running", limit.into()))
            }
            RunWrite::There(_) => {
                let detail = "this key was used for another request";
                Err(ServiceError::invalid("Idempotency-Key", detail))
            }
        }
    }

    fn new_run(&self, task: &Task, config: TaskConfig) -> Result<NewRun, ServiceError> {
        let lane = self.ports.targets.lane(&config.base_url).map_err(ServiceError::internal)?;
        Ok(NewRun {
            id: run_id(self.ports.clock.now()),
            owner: Some(task.owner),
            task_id: Some(task.id),
            lane,
            max_attempts: config.retry.max_attempts,
            // A run has no use for it.
            job: Job::Call(TaskConfig { schedule: None, ..config }),
            delay: Duration::ZERO,
            once: None,
            replayed_from: None,
            most_open: self.limits.open_runs,
        })
    }

    async fn regex_fault(&self, config: &TaskConfig) -> Option<Fault> {
        let regex = config.success.body_regex.clone();
        let regex = regex.filter(|regex| regex.chars().count() <= TaskConfig::LONGEST_REGEX)?;
        let compiled = self.ports.offload.run(move || pattern::compile(&regex).map(drop)).await;
        let error = match compiled {
            Some(compiled) => pattern::told(&compiled.err()?),
            None => "this regular expression takes too long to compile".to_owned(),
        };
        Some(Fault::new("config/success/body_regex", error))
    }

    /// The draft with its secrets sealed, if nothing is wrong with it.
    async fn checked(
        &self,
        draft: TaskDraft,
        present: Option<&TaskConfig>,
    ) -> Result<TaskDraft, ServiceError> {
        let mut faults: Vec<Fault> = draft.faults().into_iter().map(Fault::from).collect();
        faults.extend(self.regex_fault(&draft.config).await);
        if !faults.iter().any(|fault| fault.member == "config/base_url") {
            match self.ports.targets.judge(&draft.config.base_url).await {
                // A name may have an address by the time of the run.
                Ok(()) | Err(CallError { fault: CallFault::Dns, .. }) => {}
                Err(error) => faults.push(Fault::new("config/base_url", error.reason)),
            }
        }
        let kept = present.map_or(&[][..], |present| &present.headers);
        // A target that is refused itself gets nothing.
        let is_refused = faults.iter().any(|fault| fault.member == "config/base_url");
        let moves = !is_refused && present.is_some_and(|present| self.moves(present, &draft.config));
        for header in draft.config.headers.iter().filter(|header| is_stand_in(header)) {
            let detail = match stored(kept, header) {
                None => "there is no secret yet that this mask could stand for",
                Some(_) if moves => {
                    "the secret that this mask stands for was given for another scheme, host or port than \
                     base_url has now: give the secret again"
                }
                Some(_) => continue,
            };
            faults.push(TaskFault { pointer: header.pointer(), detail: detail.to_owned() }.into());
        }
        if !faults.is_empty() {
            return Err(ServiceError::Invalid(faults));
        }
        let mut draft = draft;
        for header in &mut draft.config.headers {
            if is_stand_in(header) {
                header.value = stored(kept, header).cloned().unwrap_or_else(|| header.value.clone());
            }
            if let HeaderText::Plain(text) = &header.value
                && Header::is_secret(&header.name)
            {
                header.value = HeaderText::Sealed(self.seals.seal(text).await?);
            }
        }
        draft.name = draft.name.trim().to_owned();
        Ok(draft)
    }

    /// Whether a config calls somebody else than the one before it, whose secrets are not theirs.
    fn moves(&self, before: &TaskConfig, now: &TaskConfig) -> bool {
        match [before, now].map(|config| self.ports.targets.origin(&config.base_url)) {
            [Ok(before), Ok(now)] => before != now,
            [Err(_), Ok(_)] => true,
            // What leads nowhere is refused itself.
            [_, Err(_)] => false,
        }
    }
}

/// Whether it stands for a secret that is kept already: by its mask, or by its seal, which only what was
/// read of a task can have.
fn is_stand_in(header: &Header) -> bool {
    match &header.value {
        HeaderText::Plain(text) => Header::is_secret(&header.name) && text == Sent::MASK,
        HeaderText::Sealed(_) => true,
    }
}

/// The secret of a header of that name. It is not sealed if its name was not known for a secret's when it
/// was kept.
fn stored<'a>(kept: &'a [Header], header: &Header) -> Option<&'a HeaderText> {
    let found = kept.iter().find(|kept| kept.name.eq_ignore_ascii_case(&header.name))?;
    (Header::is_secret(&found.name) || matches!(found.value, HeaderText::Sealed(_))).then_some(&found.value)
}

fn once_key(task_id: i64, key: &str, body: &[u8]) -> Result<OnceKey, ServiceError> {
    if key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
        let detail = format!("a key has 1 to {LONGEST_KEY} characters, and none to control");
        return Err(ServiceError::invalid("Idempotency-Key", detail));
    }
    Ok(OnceKey { key: format!("task:{task_id}:{key}"), fingerprint: hex(&Sha256::digest(body)) })
}
