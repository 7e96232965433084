//! Integration tasks, and the targets that they call.

use async_trait::async_trait;
use malecon_domain::{
    Call, CallFault, DueTask, Instant, NewRun, Paged, Received, Task, TaskDraft, TaskQuery, TaskSummary,
};

use crate::RepositoryError;

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart as soon as it is made")]
pub enum TaskWrite {
    /// It was made; the task as it is now.
    Done(Task),
    /// There is no such task of this user.
    Missing,
    /// The task has changed since the revision that was given.
    Outdated,
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickWrite {
    /// It is passed, and has made the run that was given, if one was.
    Done,
    /// It is passed, but its run was not made: the owner has as many that are not over as may be.
    Full,
    /// The task is gone, has changed, or was advanced by somebody else.
    Outdated,
}

/// Keeps users' integration tasks.
///
/// # Contract
/// - `a_task_is_kept_as_it_was_drafted`: with every part of its draft, and no run.
/// - `no_more_tasks_are_kept_than_may_be`: `None` beyond, however many are added at once.
/// - `a_task_needs_its_owner`: `MissingReference` without.
/// - `a_task_is_its_owners`: others neither find, list, change nor remove it.
/// - `a_change_counts_up`: the revision grows, and a change of an older one is `Outdated`.
/// - `a_removed_task_is_gone`.
/// - `tasks_are_sorted_and_cut_into_pages`: by number unless told, and the number decides between
///   equals; names compare folded.
/// - `a_list_tells_all_but_payloads`: of each task what it is when it is found, however it came to it.
/// - `tasks_are_found_by_name_and_state`: folded, and by the state of their latest run.
/// - `a_task_shows_its_latest_run`.
/// - `tasks_end_with_their_owner`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TaskRepository: Send + Sync {
    /// Adds a task, unless its owner has so many already.
    ///
    /// # Errors
    /// `MissingReference`; others of the store.
    async fn add(
        &self,
        owner: i64,
        draft: &TaskDraft,
        most: Option<u32>,
        at: Instant,
    ) -> Result<Option<Task>, RepositoryError>;

    /// One task of a user.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, owner: i64, id: i64) -> Result<Option<Task>, RepositoryError>;

    /// One page of a user's tasks.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn list(&self, owner: i64, query: &TaskQuery) -> Result<Paged<TaskSummary>, RepositoryError>;

    /// Replaces a task's draft, if it has this revision or none is given.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn change(
        &self,
        owner: i64,
        id: i64,
        draft: &TaskDraft,
        revision: Option<i64>,
        at: Instant,
    ) -> Result<TaskWrite, RepositoryError>;

    /// Removes a task with all its runs; whether it was there.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn remove(&self, owner: i64, id: i64) -> Result<bool, RepositoryError>;
}

/// Why a target gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CallError {
    /// Of which kind it is.
    pub fault: CallFault,
    /// A sentence for the task's owner: without addresses that a name stands for, and without secrets.
    pub reason: String,
}

/// Calls targets that are other people's, and only those that may be called.
///
/// # Contract
/// - A target is `Blocked` by `judge` and by `call` alike; one that `judge` let through can be
///   `Blocked` when it is called, since names change their addresses.
/// - `call` ends within the call's timeout, reads no more of a body than is kept, and follows no
///   redirect that the call does not ask for, nor one to a target that it would not call.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TargetGateway: Send + Sync {
    /// Whether the URL may be called, as far as can be told now: whom it is addressed to.
    ///
    /// # Errors
    /// [`CallError`] with `Blocked`, `Invalid` or `Dns`.
    async fn judge(&self, url: &str) -> Result<(), CallError>;

    /// Whom a call of this URL keeps busy: its host in lower case, and its port.
    ///
    /// # Errors
    /// [`CallError`] with `Invalid`.
    fn lane(&self, url: &str) -> Result<String, CallError>;

    /// Whom secrets that are sent to this URL are given to: its scheme, host and port, in one form.
    ///
    /// # Errors
    /// [`CallError`] with `Invalid`.
    fn origin(&self, url: &str) -> Result<String, CallError>;

    /// Calls a target.
    ///
    /// # Errors
    /// [`CallError`].
    async fn call(&self, call: &Call) -> Result<Received, CallError>;
}

/// Knows which tasks are to be run by themselves, and when. Time is the store's.
///
/// # Contract
/// - `a_scheduled_task_is_due_to_be_planned`: without a tick; after each change of its draft again. One
///   without a schedule is never due.
/// - `a_planned_task_is_due_at_its_tick`: and not before; the longest due come first.
/// - `a_tick_makes_one_run`: of many that advance it at once, one makes its run, which is the task's
///   latest then; the others are `Outdated` and make nothing.
/// - `a_tick_makes_no_run_too_many`: of an owner who has as many as may be it is `Full`, and passed.
/// - `a_tick_may_make_no_run`: it is passed all the same.
/// - `a_changed_task_is_not_advanced`: by who saw it before.
/// - `planned_tasks_are_listed`: those that have a tick, by number, and they can be advanced before it.
/// - `its_clock_is_that_of_runs`: `now` goes on as the instants of runs do.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ScheduleRepository: Send + Sync {
    /// What time it is.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn now(&self) -> Result<Instant, RepositoryError>;

    /// Tasks whose tick has come, or that are not planned yet; at most so many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn due(&self, most: u32) -> Result<Vec<DueTask>, RepositoryError>;

    /// Tasks that have a tick, whenever it is, of larger numbers than this one; at most so many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn planned(&self, after: i64, most: u32) -> Result<Vec<DueTask>, RepositoryError>;

    /// Plans the next tick, or none, and adds the run of the one that has come.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn advance(
        &self,
        due: &DueTask,
        next: Option<Instant>,
        run: Option<NewRun>,
    ) -> Result<TickWrite, RepositoryError>;
}
