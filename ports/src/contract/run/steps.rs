//! Runs, and steps with them, for the promises about runs and tasks.

use std::time::Duration;

use malecon_domain::{Attempt, AttemptEnd, Job, NewRun, Next, Run, RunId, Trace};

use super::super::task::{TaskStore, bare};
use crate::{Hold, RunLease, RunWrite};

pub const LONG: Duration = Duration::from_secs(60);
/// Longer than it takes to open a connection, or what comes next would come too late.
pub const SHORT: Duration = Duration::from_millis(400);

/// The `n`th number, as later runs have larger ones.
pub fn id(n: u8) -> RunId {
    RunId::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n))
}

/// A run to be of the program itself, due at once.
pub fn new_run(n: u8) -> NewRun {
    NewRun {
        id: id(n),
        owner: None,
        task_id: None,
        job: Job::Call(bare()),
        lane: "example.org:443".to_owned(),
        max_attempts: 3,
        delay: Duration::ZERO,
        once: None,
        replayed_from: None,
        most_open: None,
    }
}

/// Adds a run, whether or not there was one with its key.
pub async fn write(store: &impl TaskStore, run: &NewRun) -> RunWrite {
    store.runs().add(run).await.expect("add")
}

/// Adds a run.
pub async fn add_run(store: &impl TaskStore, run: &NewRun) -> Run {
    match write(store, run).await {
        RunWrite::Added(run) => run,
        other => panic!("{other:?}"),
    }
}

pub async fn find_run(store: &impl TaskStore, n: u8) -> Option<Run> {
    store.runs().find(id(n)).await.expect("find")
}

/// A run that is there.
pub async fn the_run(store: &impl TaskStore, n: u8) -> Run {
    find_run(store, n).await.expect("a run")
}

pub async fn attempts(store: &impl TaskStore, n: u8) -> Vec<Attempt> {
    store.runs().attempts(id(n)).await.expect("attempts")
}

/// How the attempts of a run ended; none that is under way says when, and all others do.
pub async fn ends(store: &impl TaskStore, n: u8) -> Vec<Option<AttemptEnd>> {
    let check = |(attempt, number): (Attempt, u32)| {
        assert_eq!(attempt.number, number);
        assert_eq!(attempt.ended_at.is_some(), attempt.end.is_some(), "{attempt:?}");
        assert!(attempt.ended_at.is_none_or(|end| end >= attempt.started_at), "{attempt:?}");
        attempt.end
    };
    attempts(store, n).await.into_iter().zip(1..).map(check).collect()
}

pub async fn cancel(store: &impl TaskStore, n: u8) -> Option<Run> {
    store.runs().cancel(id(n)).await.expect("cancel")
}

pub async fn claim(store: &impl TaskStore, lease: Duration) -> Option<Run> {
    store.queue().claim(&[], lease).await.expect("claim")
}

/// Claims a run that is due for long, or after another owner's lease.
pub async fn claim_next(store: &impl TaskStore) -> Run {
    let mut next = None;
    super::super::until("a run is due", async || {
        next = claim(store, LONG).await;
        next.is_some()
    })
    .await;
    next.expect("a run")
}

/// The right to end the attempt that was claimed.
pub fn lease(run: &Run) -> RunLease {
    RunLease { id: run.id, attempt: run.attempts }
}

pub async fn renew(store: &impl TaskStore, run: &Run, time: Duration) -> Hold {
    store.queue().renew(&lease(run), time).await.expect("renew")
}

pub async fn finish(store: &impl TaskStore, run: &Run, next: Next) -> bool {
    store.queue().finish(&lease(run), next, &Trace::default()).await.expect("finish")
}

/// Claims a run that is due, and ends the attempt.
pub async fn finish_next(store: &impl TaskStore, next: Next) -> Run {
    let run = claim(store, LONG).await.expect("a run");
    assert!(finish(store, &run, next).await);
    run
}
