//! Tasks that are run by themselves.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{MutexGuard, PoisonError};

use chrono::TimeDelta;
use malecon_domain::{DueTask, Instant, NewRun, Overlap, RunState};
use malecon_ports::TickWrite;

use super::TaskService;
use crate::ServiceError;

/// Tasks that are looked at in one go.
const AT_ONCE: u32 = 100;

/// How far the store's clock goes back without anybody caring, in milliseconds.
const SLACK: i64 = 1_000;

impl TaskService {
    /// Makes the runs of all tasks whose tick has come, and plans the next one of each; how many runs.
    /// However many ticks of a task were missed, it is run once. For a schedule, of any number of
    /// processes: each tick makes one run.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tick_unattended(&self) -> Result<u64, ServiceError> {
        let mut made = 0;
        self.heed_clock().await?;
        loop {
            let due = self.ports.schedules.due(AT_ONCE).await?;
            for due in &due {
                made += u64::from(self.tick(due).await?);
            }
            if due.len() < AT_ONCE as usize {
                return Ok(made);
            }
        }
    }

    /// Plans ticks anew that lie too far ahead, when the store's clock was put back; and once at the start,
    /// since nobody knows what happened before.
    async fn heed_clock(&self) -> Result<(), ServiceError> {
        let now = self.ports.schedules.now().await?;
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_none_or(|seen| now + TimeDelta::milliseconds(SLACK) < seen) {
            let mut after = 0;
            loop {
                let planned = self.ports.schedules.planned(after, AT_ONCE).await?;
                let Some(last) = planned.last() else { break };
                after = last.task.id;
                for task in &planned {
                    if let Some(sooner) = sooner(task) {
                        self.ports.schedules.advance(task, Some(sooner), None).await?;
                        tracing::info!(task = task.task.id, %sooner, "the clock was put back: planned anew");
                    }
                }
            }
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }

    /// Whether the tick made a run.
    async fn tick(&self, due: &DueTask) -> Result<bool, ServiceError> {
        let next = due.task.draft.config.schedule.as_ref();
        let next = next.and_then(|schedule| schedule.next_after(due.now));
        let run = due.tick.and_then(|_| self.scheduled_run(due));
        let makes_run = run.is_some();
        match self.ports.schedules.advance(due, next, run).await? {
            TickWrite::Done if makes_run => {
                self.skipped().remove(&due.task.owner);
                Ok(true)
            }
            TickWrite::Full => {
                let owner = due.task.owner;
                // Told once, until one of this owner's ticks makes a run again.
                if self.skipped().insert(owner) {
                    let (task, most) = (due.task.id, self.limits.open_runs);
                    tracing::warn!(owner, task, most, "scheduled runs are skipped: too many are not over");
                }
                Ok(false)
            }
            TickWrite::Done | TickWrite::Outdated => Ok(false),
        }
    }

    fn skipped(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of a tick, unless another one of the task is in the way.
    fn scheduled_run(&self, due: &DueTask) -> Option<NewRun> {
        let config = &due.task.draft.config;
        let last = due.task.last_run.as_ref().map(|run| run.state);
        let is_in_the_way = match config.schedule.as_ref()?.overlap() {
            Overlap::Skip => last.is_some_and(|state| !state.is_over()),
            Overlap::QueueOne => last == Some(RunState::Queued),
            Overlap::Allow => false,
        };
        if is_in_the_way {
            tracing::info!(task = due.task.id, "a scheduled run was skipped: another one is not over");
            return None;
        }
        self.new_run(&due.task, config.clone())
            .inspect_err(|error| {
                tracing::warn!(
                    task = due.task.id,
                    error = error as &dyn Error,
                    "a scheduled run can't be made"
                );
            })
            .ok()
    }
}

/// The tick that a task should have, if the one that it has lies too far ahead: its schedule has at least two
/// ticks before. One that comes just once more after the clock was put back is left out: it has been.
fn sooner(planned: &DueTask) -> Option<Instant> {
    let schedule = planned.task.draft.config.schedule.as_ref()?;
    let next = schedule.next_after(planned.now)?;
    let second = schedule.next_after(next)?;
    (planned.tick? > second).then_some(next)
}
