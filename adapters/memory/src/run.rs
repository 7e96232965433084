//! Runs in RAM, and those who take them up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::MutexGuard;
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{
    Attempt, AttemptEnd, Instant, NewRun, Next, Run, RunId, RunQuery, RunState, RunSummary, RunTally, Trace,
};
use malecon_ports::{Hold, RepositoryError, RunLease, RunRepository, RunWrite, TaskQueue};

use crate::MemoryTasks;
use crate::clock::later;
use crate::task::State;

/// Bytes of what may be dropped of a trace, about.
fn size(trace: &Trace) -> u64 {
    let sent = trace.sent.as_ref().and_then(|sent| sent.body.as_ref()).map_or(0, String::len);
    let received = trace.received.as_ref().map_or(0, |received| received.body.len());
    (sent + received) as u64
}

/// A run and its attempts.
pub(crate) struct Kept {
    pub(crate) run: Run,
    attempts: Vec<Attempt>,
    /// Until when a running one is its owner's.
    lease_until: Instant,
    /// Whether somebody has cancelled it while it was running.
    cancelled: bool,
}

impl Kept {
    /// Since when it could be claimed, if it can be now.
    fn due_since(&self, now: Instant) -> Option<Instant> {
        let since = match self.run.state {
            RunState::Queued => self.run.due_at,
            RunState::Running => self.lease_until,
            RunState::Succeeded | RunState::Failed | RunState::Cancelled => return None,
        };
        (since <= now).then_some(since)
    }

    fn is_held(&self, lease: &RunLease) -> bool {
        self.run.state == RunState::Running && self.run.attempts == lease.attempt
    }

    fn begin(&mut self, now: Instant, lease: Duration) {
        self.run.state = RunState::Running;
        self.run.attempts += 1;
        self.run.started_at.get_or_insert(now);
        self.lease_until = later(now, lease);
        self.attempts.push(Attempt {
            number: self.run.attempts,
            started_at: now,
            ended_at: None,
            end: None,
            trace: Trace::default(),
        });
    }

    fn end(&mut self, now: Instant, next: Next, end: AttemptEnd, trace: Trace) {
        let is_again = matches!(next, Next::Again(_));
        self.run.lost += u32::from(is_again && end == AttemptEnd::Lost);
        self.run.interrupted += u32::from(is_again && end == AttemptEnd::Interrupted);
        let is_last = match end {
            AttemptEnd::Lost => self.run.lost >= Run::MAX_LOST,
            AttemptEnd::Interrupted => false,
            _ => self.run.counted_attempts() >= self.run.max_attempts,
        };
        if let Some(attempt) = self.attempts.last_mut() {
            (attempt.ended_at, attempt.end, attempt.trace) = (Some(now), Some(end), trace);
        }
        match next {
            Next::Over(AttemptEnd::Succeeded) => self.close(now, RunState::Succeeded),
            Next::Over(AttemptEnd::Failed | AttemptEnd::Lost | AttemptEnd::Interrupted) => {
                self.close(now, RunState::Failed);
            }
            Next::Over(AttemptEnd::Cancelled) => self.close(now, RunState::Cancelled),
            Next::Again(_) if self.cancelled => self.close(now, RunState::Cancelled),
            Next::Again(_) if is_last => self.close(now, RunState::Failed),
            Next::Again(time) => {
                (self.run.state, self.run.due_at) = (RunState::Queued, later(now, time));
            }
        }
    }

    fn close(&mut self, now: Instant, state: RunState) {
        (self.run.state, self.run.ended_at) = (state, Some(now));
    }
}

impl MemoryTasks {
    /// Adds a run, and makes it its task's latest. Those who wait are still to be woken.
    pub(crate) fn put(&self, state: &mut State, new: &NewRun) -> Result<RunWrite, RepositoryError> {
        let there = new.once.as_ref().and_then(|once| state.keys.get(&once.key));
        if let Some(kept) = there.and_then(|id| state.runs.get(id)) {
            return Ok(RunWrite::There(kept.run.clone()));
        }
        if let (Some(owner), Some(most)) = (new.owner, new.most_open) {
            let theirs = state.runs.values().map(|kept| &kept.run).filter(|run| run.owner == Some(owner));
            let open = theirs.filter(|run| run.task_id.is_some() && !run.state.is_over()).count();
            if open >= most as usize {
                return Ok(RunWrite::Full);
            }
        }
        if state.runs.contains_key(&new.id) {
            return Err(RepositoryError::Conflict(format!("there is a run {}", new.id)));
        }
        if let Some(owner) = new.owner {
            self.owner(state, owner)?;
        }
        if let Some(id) = new.task_id {
            let missing = || RepositoryError::MissingReference(format!("there is no task {id}"));
            state.tasks.get_mut(&id).ok_or_else(missing)?.latest = Some(new.id);
        }
        let now = self.clock.now();
        let run = Run {
            id: new.id,
            owner: new.owner,
            task_id: new.task_id,
            job: new.job.clone(),
            lane: new.lane.clone(),
            state: RunState::Queued,
            attempts: 0,
            lost: 0,
            interrupted: 0,
            max_attempts: new.max_attempts,
            once: new.once.clone(),
            replayed_from: new.replayed_from,
            created_at: now,
            due_at: later(now, new.delay),
            started_at: None,
            ended_at: None,
        };
        state.keys.extend(new.once.as_ref().map(|once| (once.key.clone(), new.id)));
        let kept = Kept { run: run.clone(), attempts: vec![], lease_until: now, cancelled: false };
        state.runs.insert(new.id, kept);
        (state.added, state.fresh) = (state.added + 1, true);
        Ok(RunWrite::Added(run))
    }

    /// Lets go of the state, and wakes those who wait.
    pub(crate) fn wake(mut state: MutexGuard<'_, State>) {
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[async_trait]
impl RunRepository for MemoryTasks {
    async fn add(&self, new: &NewRun) -> Result<RunWrite, RepositoryError> {
        let mut state = self.state();
        let write = self.put(&mut state, new)?;
        Self::wake(state);
        Ok(write)
    }

    async fn find(&self, id: RunId) -> Result<Option<Run>, RepositoryError> {
        Ok(self.state().runs.get(&id).map(|kept| kept.run.clone()))
    }

    async fn attempts(&self, id: RunId) -> Result<Vec<Attempt>, RepositoryError> {
        Ok(self.state().runs.get(&id).map(|kept| kept.attempts.clone()).unwrap_or_default())
    }

    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, RepositoryError> {
        let state = self.state();
        let runs = state.runs.values().rev().map(|kept| &kept.run);
        let wanted = runs.filter(|run| run.task_id == Some(query.task_id));
        let older = wanted.filter(|run| query.before.is_none_or(|before| run.id < before));
        Ok(older.take(query.most as usize).map(Run::summary).collect())
    }

    async fn recent(&self, owner: i64, most: u32) -> Result<Vec<RunSummary>, RepositoryError> {
        let state = self.state();
        let runs = || state.runs.values().rev().map(|kept| &kept.run).filter(|run| run.owner == Some(owner));
        let (open, over) =
            (runs().filter(|run| !run.state.is_over()), runs().filter(|run| run.state.is_over()));
        let mut recent: Vec<RunSummary> = open.chain(over).take(most as usize).map(Run::summary).collect();
        recent.sort_by_key(|run| Reverse(run.id));
        Ok(recent)
    }

    async fn cancel(&self, id: RunId) -> Result<Option<Run>, RepositoryError> {
        let mut state = self.state();
        let Some(kept) = state.runs.get_mut(&id) else { return Ok(None) };
        match kept.run.state {
            RunState::Queued => kept.close(self.clock.now(), RunState::Cancelled),
            RunState::Running => kept.cancelled = true,
            RunState::Succeeded | RunState::Failed | RunState::Cancelled => {}
        }
        Ok(Some(kept.run.clone()))
    }

    async fn tally(&self) -> Result<RunTally, RepositoryError> {
        let (state, now) = (self.state(), self.clock.now());
        let mut tally = RunTally::default();
        for Kept { run, .. } in state.runs.values() {
            tally.running += u64::from(run.state == RunState::Running);
            if run.state == RunState::Queued {
                tally.queued += 1;
                // It fails for what is not due.
                let wait = (now - run.due_at).to_std().unwrap_or_default();
                tally.longest_wait = tally.longest_wait.max(wait);
            }
        }
        Ok(tally)
    }

    async fn prune(&self, older_than: Duration, most: u32) -> Result<u64, RepositoryError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let latest: HashSet<RunId> = state.tasks.values().filter_map(|kept| kept.latest).collect();
        let is_old = |run: &&Run| {
            run.ended_at.is_some_and(|end| later(end, older_than) <= now) && !latest.contains(&run.id)
        };
        let runs = state.runs.values().map(|kept| &kept.run);
        let old: HashSet<RunId> = runs.filter(is_old).map(|run| run.id).take(most as usize).collect();
        state.remove_runs(|run| old.contains(&run.id));
        Ok(old.len() as u64)
    }

    async fn hoarders(&self, bytes: u64) -> Result<Vec<i64>, RepositoryError> {
        let state = self.state();
        let mut kept: BTreeMap<i64, u64> = BTreeMap::new();
        for Kept { run, attempts, .. } in state.runs.values() {
            if let Some(owner) = run.owner {
                *kept.entry(owner).or_default() +=
                    attempts.iter().map(|attempt| size(&attempt.trace)).sum::<u64>();
            }
        }
        Ok(kept.into_iter().filter(|(_, kept)| *kept > bytes).map(|(owner, _)| owner).collect())
    }

    async fn drop_bodies(&self, owner: i64, bytes: u64, most: u32) -> Result<u64, RepositoryError> {
        let mut state = self.state();
        let theirs = state.runs.values_mut().rev().filter(|kept| kept.run.owner == Some(owner));
        let latest_first = theirs.flat_map(|kept| kept.attempts.iter_mut().rev());
        let mut sum = 0;
        let mut beyond: Vec<&mut Trace> = latest_first
            .map(|attempt| &mut attempt.trace)
            .filter(|trace| {
                sum += size(trace);
                size(trace) > 0 && sum > bytes
            })
            .collect();
        let dropped = beyond.iter_mut().rev().take(most as usize).map(|trace| trace.drop_bodies()).count();
        Ok(dropped as u64)
    }
}

#[async_trait]
impl TaskQueue for MemoryTasks {
    async fn claim(&self, full: &[String], lease: Duration) -> Result<Option<Run>, RepositoryError> {
        let (mut state, now) = (self.state(), self.clock.now());
        loop {
            let open = state.runs.values_mut().filter(|kept| !full.contains(&kept.run.lane));
            let due = open.filter_map(|kept| kept.due_since(now).map(|since| (since, kept)));
            let Some((since, kept)) = due.min_by_key(|(since, _)| *since) else { return Ok(None) };
            if kept.run.state == RunState::Running {
                kept.end(now, Next::Again(Duration::ZERO), AttemptEnd::Lost, Trace::default());
                kept.run.due_at = since;
            }
            if kept.run.state == RunState::Queued {
                kept.begin(now, lease);
                return Ok(Some(kept.run.clone()));
            }
        }
    }

    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<Hold, RepositoryError> {
        let mut state = self.state();
        let Some(kept) = state.runs.get_mut(&lease.id).filter(|kept| kept.is_held(lease)) else {
            return Ok(Hold::Lost);
        };
        kept.lease_until = later(self.clock.now(), time);
        Ok(if kept.cancelled { Hold::Cancelled } else { Hold::Held })
    }

    async fn finish(&self, lease: &RunLease, next: Next, trace: &Trace) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        let Some(kept) = state.runs.get_mut(&lease.id).filter(|kept| kept.is_held(lease)) else {
            return Ok(false);
        };
        let end = match next {
            Next::Over(end) => end,
            Next::Again(_) => AttemptEnd::Failed,
        };
        kept.end(self.clock.now(), next, end, trace.clone());
        Ok(true)
    }

    async fn release(&self, leases: &[RunLease]) -> Result<u64, RepositoryError> {
        let (mut state, mut released) = (self.state(), 0);
        for lease in leases {
            if let Some(kept) = state.runs.get_mut(&lease.id).filter(|kept| kept.is_held(lease)) {
                let again = Next::Again(Duration::ZERO);
                kept.end(self.clock.now(), again, AttemptEnd::Interrupted, Trace::default());
                released += 1;
            }
        }
        state.fresh |= released > 0;
        Self::wake(state);
        Ok(released)
    }

    async fn wait(&self, most: Duration) {
        let (mut time_out, mut known) = (self.clock.sleep(most), None);
        std::future::poll_fn(|context| {
            if time_out.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            let mut state = self.state();
            // What was added just before is found once, by whoever waits next.
            if *known.get_or_insert(state.added) != state.added || std::mem::take(&mut state.fresh) {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
