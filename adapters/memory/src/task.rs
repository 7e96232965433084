//! Integration tasks in RAM, and what they share with their runs.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use async_trait::async_trait;
use malecon_domain::text::fold;
use malecon_domain::{
    Direction, Instant, Paged, Run, RunId, Task, TaskDraft, TaskQuery, TaskSortKey, TaskSummary,
};
use malecon_ports::{Clock, RepositoryError, TaskRepository, TaskWrite};

use crate::run::Kept;
use crate::user::paged;
use crate::{MemoryUsers, SystemClock};

/// Keeps tasks of the users of one [`MemoryUsers`], and runs, in RAM. Clones share them.
#[derive(Clone)]
pub struct MemoryTasks {
    users: MemoryUsers,
    pub(crate) clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

/// A task as it is without its runs.
pub(crate) struct KeptTask {
    pub(crate) task: Task,
    /// The latest of its runs.
    pub(crate) latest: Option<RunId>,
    /// When it is to be run by itself.
    pub(crate) tick: Tick,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    Never,
    ToBePlanned,
    At(Instant),
}

impl Tick {
    /// That of a task with a new draft.
    fn of(draft: &TaskDraft) -> Self {
        draft.config.schedule.as_ref().map_or(Self::Never, |_| Self::ToBePlanned)
    }
}

/// All of it under one lock: a task's end is the end of its runs.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) tasks: BTreeMap<i64, KeptTask>,
    last_task: i64,
    pub(crate) runs: BTreeMap<RunId, Kept>,
    /// What makes a run only once.
    pub(crate) keys: HashMap<String, RunId>,
    /// Whose there may be something here: no other user gets their numbers.
    pub(crate) owners: BTreeSet<i64>,
    /// How many runs were ever added.
    pub(crate) added: u64,
    /// Whether a run was added since a `wait` last came back at once.
    pub(crate) fresh: bool,
    pub(crate) waiting: Vec<Waker>,
}

impl MemoryTasks {
    /// An empty store on the machine's clock.
    pub fn new(users: MemoryUsers) -> Self {
        Self::with_clock(users, Arc::new(SystemClock))
    }

    /// An empty store on another clock.
    pub fn with_clock(users: MemoryUsers, clock: Arc<dyn Clock>) -> Self {
        Self { users, clock, state: Arc::default() }
    }

    /// The state without what belonged to users that are gone.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gone = |owner: &i64| !self.users.exists(*owner);
        let gone: BTreeSet<i64> = state.owners.iter().copied().filter(is_gone).collect();
        if !gone.is_empty() {
            state.owners.retain(|owner| !gone.contains(owner));
            state.tasks.retain(|_, kept| !gone.contains(&kept.task.owner));
            state.remove_runs(|run| run.owner.is_some_and(|owner| gone.contains(&owner)));
        }
        state
    }

    /// Whether there is such a user; if so, it is one whose end is looked for.
    pub(crate) fn owner(&self, state: &mut State, id: i64) -> Result<(), RepositoryError> {
        self.users.state().owner(id)?;
        state.owners.insert(id);
        Ok(())
    }
}

impl State {
    /// The task of that number, if it is this user's.
    fn task(&self, owner: i64, id: i64) -> Option<Task> {
        self.tasks.get(&id).filter(|kept| kept.task.owner == owner).map(|kept| self.shown(kept))
    }

    /// A task with its latest run.
    pub(crate) fn shown(&self, kept: &KeptTask) -> Task {
        let last_run = kept.latest.and_then(|id| self.runs.get(&id)).map(|kept| kept.run.clone());
        Task { last_run, ..kept.task.clone() }
    }

    /// Removes these runs and those of tasks that are gone, with their attempts and keys.
    pub(crate) fn remove_runs(&mut self, is_one: impl Fn(&Run) -> bool) {
        let has_task = |run: &Run| run.task_id.is_none_or(|id| self.tasks.contains_key(&id));
        self.runs.retain(|_, kept| has_task(&kept.run) && !is_one(&kept.run));
        self.keys.retain(|_, id| self.runs.contains_key(id));
    }
}

fn compare(query: &TaskQuery, a: &Task, b: &Task) -> Ordering {
    let by_key = query.sort.iter().map(|sort| {
        let order = match sort.key {
            TaskSortKey::Id => a.id.cmp(&b.id),
            TaskSortKey::Name => fold(&a.draft.name).cmp(&fold(&b.draft.name)),
            TaskSortKey::CreatedAt => a.created_at.cmp(&b.created_at),
            TaskSortKey::UpdatedAt => a.updated_at.cmp(&b.updated_at),
        };
        if sort.direction == Direction::Descending { order.reverse() } else { order }
    });
    by_key.fold(Ordering::Equal, Ordering::then).then(a.id.cmp(&b.id))
}

#[async_trait]
impl TaskRepository for MemoryTasks {
    async fn add(
        &self,
        owner: i64,
        draft: &TaskDraft,
        most: Option<u32>,
        at: Instant,
    ) -> Result<Option<Task>, RepositoryError> {
        let mut state = self.state();
        self.owner(&mut state, owner)?;
        let theirs = state.tasks.values().filter(|kept| kept.task.owner == owner).count();
        if most.is_some_and(|most| theirs >= most as usize) {
            return Ok(None);
        }
        state.last_task += 1;
        let task = Task {
            id: state.last_task,
            owner,
            draft: draft.clone(),
            last_run: None,
            created_at: at,
            updated_at: at,
            revision: 1,
        };
        let kept = KeptTask { task: task.clone(), latest: None, tick: Tick::of(draft) };
        state.tasks.insert(task.id, kept);
        Ok(Some(task))
    }

    async fn find(&self, owner: i64, id: i64) -> Result<Option<Task>, RepositoryError> {
        Ok(self.state().task(owner, id))
    }

    async fn list(&self, owner: i64, query: &TaskQuery) -> Result<Paged<TaskSummary>, RepositoryError> {
        let state = self.state();
        let theirs = state.tasks.values().filter(|kept| kept.task.owner == owner);
        let mut tasks: Vec<Task> = theirs.map(|kept| state.shown(kept)).collect();
        if let Some(text) = query.text.as_deref().map(fold) {
            tasks.retain(|task| fold(&task.draft.name).contains(&text));
        }
        if let Some(wanted) = query.state {
            tasks.retain(|task| task.last_run.as_ref().map(|run| run.state) == wanted);
        }
        tasks.sort_by(|a, b| compare(query, a, b));
        Ok(paged(tasks.iter().map(Task::summary).collect(), query.page))
    }

    async fn change(
        &self,
        owner: i64,
        id: i64,
        draft: &TaskDraft,
        revision: Option<i64>,
        at: Instant,
    ) -> Result<TaskWrite, RepositoryError> {
        let mut state = self.state();
        let Some(kept) = state.tasks.get_mut(&id).filter(|kept| kept.task.owner == owner) else {
            return Ok(TaskWrite::Missing);
        };
        let task = &mut kept.task;
        if revision.is_some_and(|revision| revision != task.revision) {
            return Ok(TaskWrite::Outdated);
        }
        (task.draft, task.updated_at) = (draft.clone(), at);
        task.revision += 1;
        kept.tick = Tick::of(draft);
        Ok(state.task(owner, id).map_or(TaskWrite::Missing, TaskWrite::Done))
    }

    async fn remove(&self, owner: i64, id: i64) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        if state.task(owner, id).is_none() {
            return Ok(false);
        }
        state.tasks.remove(&id);
        state.remove_runs(|_| false);
        Ok(true)
    }
}
