//! Work that happens later: where it is kept, and who takes it up.

use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{Attempt, NewRun, Next, Run, RunId, RunQuery, RunSummary, RunTally, Trace};

use crate::RepositoryError;

/// What became of a new run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunWrite {
    /// It was added.
    Added(Run),
    /// There was one with its key, this one; it may have been made of something else.
    There(Run),
    /// Its owner has as many that are not over as may be; it was not added.
    Full,
}

/// Keeps runs and their attempts. Time is the store's, never the caller's.
///
/// # Contract
/// - `a_run_is_kept_as_it_was_made`: queued, without attempts, and due after its delay.
/// - `a_key_makes_one_run`: `There` for the second; of many at once, one is added.
/// - `no_more_runs_are_open_than_may_be`: `Full` beyond, however many are added at once; one whose key is
///   known is `There` all the same. Runs without a task are not counted.
/// - `a_run_needs_its_owner_and_its_task`: `MissingReference` without.
/// - `runs_of_a_task_are_listed_latest_first`: from the one before the cursor on.
/// - `recent_runs_are_those_not_over_and_the_latest`: of one owner, the latest made first; where there is
///   no room for all, those that are not over come before the others.
/// - `a_cancelled_run_is_over`: at once when it waits; one under way ends as its attempt does, but is
///   not tried again, and its owner is told by `renew`. One that is over stays as it is.
/// - `runs_end_with_their_task_and_their_owner`: they are gone, whatever their state.
/// - `runs_are_counted`: those that wait and those under way.
/// - `old_runs_are_removed`: those that have been over for long enough, with their attempts, and their
///   keys are free; but the latest run of a task stays.
/// - `the_oldest_bodies_are_dropped`: of one owner's attempts that are over, until no more is kept than may
///   be; all else of them stays.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RunRepository: Send + Sync {
    /// Adds a run, and makes it its task's latest.
    ///
    /// # Errors
    /// `MissingReference`; others of the store.
    async fn add(&self, run: &NewRun) -> Result<RunWrite, RepositoryError>;

    /// One run.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, id: RunId) -> Result<Option<Run>, RepositoryError>;

    /// The attempts of a run, the first one first.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn attempts(&self, id: RunId) -> Result<Vec<Attempt>, RepositoryError>;

    /// Some runs of a task.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, RepositoryError>;

    /// The owner's runs that are not over, and the latest others; at most so many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn recent(&self, owner: i64, most: u32) -> Result<Vec<RunSummary>, RepositoryError>;

    /// Ends a run, or sees to it that it ends; as it is now, if there is such a run.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn cancel(&self, id: RunId) -> Result<Option<Run>, RepositoryError>;

    /// What there is to do.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn tally(&self) -> Result<RunTally, RepositoryError>;

    /// Removes runs that have been over for so long, at most so many; how many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn prune(&self, older_than: Duration, most: u32) -> Result<u64, RepositoryError>;

    /// Owners of more kept bytes than these: those of the traces that still have their bodies.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn hoarders(&self, bytes: u64) -> Result<Vec<i64>, RepositoryError>;

    /// Drops the bodies of the owner's oldest traces until no more than these bytes are kept, of at most so
    /// many; how many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn drop_bodies(&self, owner: i64, bytes: u64, most: u32) -> Result<u64, RepositoryError>;
}

/// The right to end an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunLease {
    /// The run.
    pub id: RunId,
    /// The attempt, from 1: a later one's is larger.
    pub attempt: u32,
}

/// How an owner stands to its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It goes on.
    Held,
    /// It is still the owner's, who should end it: somebody has cancelled the run.
    Cancelled,
    /// It is somebody else's, or over.
    Lost,
}

/// Hands out due runs, each attempt to one owner until its lease lapses. Time is the store's.
///
/// # Contract
/// - `a_due_run_is_claimed_once`: of many that claim at once, one gets it; it is running, with its
///   next attempt under way.
/// - `the_longest_due_comes_first`: and what is not due does not come.
/// - `full_lanes_wait`: runs of lanes that are named are left, and hold up nobody else's.
/// - `a_lapsed_run_is_claimed_again`: its next attempt; the one before has ended as lost.
/// - `a_lost_attempt_does_not_count`: against `max_attempts`; but after [`Run::MAX_LOST`] of them the run
///   is not claimed again, but over as failed.
/// - `a_renewed_lease_goes_on`: for as long again.
/// - `an_end_is_kept`: the attempt with its trace, and what it means for the run.
/// - `a_retry_is_due_later`: `Again` queues it; without attempts left it is over as failed.
/// - `a_run_is_handed_back`: by those whose attempts they are, as many as there are, in one go: due at
///   once, the attempt interrupted and not counted; one that somebody has cancelled is over.
/// - `a_late_owner_changes_nothing`: `renew` says `Lost`, `finish` is `false`, `release` leaves it.
/// - `a_waiting_worker_is_woken`: `wait` returns soon after a run was added through the same adapter,
///   and after its time at the latest.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TaskQueue: Send + Sync {
    /// Takes the run that has been due longest, of no lane among these, for so long.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn claim(&self, full: &[String], lease: Duration) -> Result<Option<Run>, RepositoryError>;

    /// Takes it for so long again.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<Hold, RepositoryError>;

    /// Ends the attempt; `false` when it was somebody else's to end.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn finish(&self, lease: &RunLease, next: Next, trace: &Trace) -> Result<bool, RepositoryError>;

    /// Hands back runs whose attempts were not ended, for somebody else to take up at once; how many of them
    /// were still the caller's.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn release(&self, leases: &[RunLease]) -> Result<u64, RepositoryError>;

    /// Waits until there may be something to claim, or for so long.
    async fn wait(&self, most: Duration);
}
