//! Tasks that are run by themselves.

use std::error::Error;

use malecon_domain::{DueTask, NewRun, Overlap, RunState};

use super::TaskService;
use crate::ServiceError;

/// Tasks that are looked at in one go.
const AT_ONCE: u32 = 100;

impl TaskService {
    /// Makes the runs of all tasks whose tick has come, and plans the next one of each; how many runs.
    /// However many ticks of a task were missed, it is run once. For a schedule, of any number of
    /// processes: each tick makes one run.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tick_unattended(&self) -> Result<u64, ServiceError> {
        let mut made = 0;
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

    /// Whether the tick made a run.
    async fn tick(&self, due: &DueTask) -> Result<bool, ServiceError> {
        let next = due.task.draft.config.schedule.as_ref();
        let next = next.and_then(|schedule| schedule.next_after(due.now));
        let run = due.tick.and_then(|_| self.scheduled_run(due));
        let makes_run = run.is_some();
        Ok(self.ports.schedules.advance(due, next, run).await? && makes_run)
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
