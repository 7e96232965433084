//! When the tasks in RAM are run by themselves.

use async_trait::async_trait;
use malecon_domain::{DueTask, Instant, NewRun};
use malecon_ports::{RepositoryError, RunWrite, ScheduleRepository, TickWrite};

use crate::MemoryTasks;
use crate::task::Tick;

#[async_trait]
impl ScheduleRepository for MemoryTasks {
    async fn now(&self) -> Result<Instant, RepositoryError> {
        Ok(self.clock.now())
    }

    async fn due(&self, most: u32) -> Result<Vec<DueTask>, RepositoryError> {
        let (state, now) = (self.state(), self.clock.now());
        let due = |tick| match tick {
            Tick::Never => None,
            Tick::ToBePlanned => Some(None),
            Tick::At(tick) => (tick <= now).then_some(Some(tick)),
        };
        let tasks = state.tasks.values().filter_map(|kept| due(kept.tick).map(|tick| (tick, kept)));
        let mut tasks: Vec<_> = tasks.collect();
        tasks.sort_by_key(|(tick, _)| *tick);
        let shown = |(tick, kept)| DueTask { task: state.shown(kept), tick, now };
        Ok(tasks.into_iter().take(most as usize).map(shown).collect())
    }

    async fn planned(&self, after: i64, most: u32) -> Result<Vec<DueTask>, RepositoryError> {
        let (state, now) = (self.state(), self.clock.now());
        let mut tasks: Vec<_> = state.tasks.values().filter(|kept| kept.task.id > after).collect();
        tasks.sort_by_key(|kept| kept.task.id);
        let planned = tasks.into_iter().filter_map(|kept| match kept.tick {
            Tick::At(tick) => Some(DueTask { task: state.shown(kept), tick: Some(tick), now }),
            Tick::Never | Tick::ToBePlanned => None,
        });
        Ok(planned.take(most as usize).collect())
    }

    async fn advance(
        &self,
        due: &DueTask,
        next: Option<Instant>,
        run: Option<NewRun>,
    ) -> Result<TickWrite, RepositoryError> {
        let mut state = self.state();
        let seen = due.tick.map_or(Tick::ToBePlanned, Tick::At);
        let is_seen = state
            .tasks
            .get(&due.task.id)
            .is_some_and(|kept| (kept.task.revision, kept.tick) == (due.task.revision, seen));
        if !is_seen {
            return Ok(TickWrite::Outdated);
        }
        let is_full = match &run {
            Some(run) => self.put(&mut state, run)? == RunWrite::Full,
            None => false,
        };
        if let Some(kept) = state.tasks.get_mut(&due.task.id) {
            kept.tick = next.map_or(Tick::Never, Tick::At);
        }
        Self::wake(state);
        Ok(if is_full { TickWrite::Full } else { TickWrite::Done })
    }
}
