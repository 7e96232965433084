//! The promises of [`RunRepository`](crate::RunRepository) and [`TaskQueue`](crate::TaskQueue).

mod steps;

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures_timer::Delay;
use futures_util::future::{Either, join, join_all, select};
use malecon_domain::{
    Attempt, AttemptEnd, CallFault, HttpMethod, Instant, Job, NewRun, Next, OnceKey, Received, Run, RunId,
    RunQuery, RunState, RunTally, Sent, Trace,
};

pub use self::steps::new_run;
use self::steps::{LONG, SHORT, attempts, claim, claim_next, ends, finish, id, lease, renew, the_run, write};
pub(super) use self::steps::{add_run, cancel, find_run, finish_next};
use super::task::{NOBODY, TaskStore, full, remove, run_of, task, user};
use super::user::CROWD;
use crate::{Hold, RepositoryError, RunLease, RunWrite};

/// Tests of every promise of the two ports on the store that the expression makes: a
/// [`TaskStore`].
#[macro_export]
macro_rules! run_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::run, [
            a_run_is_kept_as_it_was_made,
            a_key_makes_one_run,
            no_more_runs_are_open_than_may_be,
            a_run_needs_its_owner_and_its_task,
            runs_of_a_task_are_listed_latest_first,
            recent_runs_are_those_not_over_and_the_latest,
            a_cancelled_run_is_over,
            runs_end_with_their_task_and_their_owner,
            runs_are_counted,
            old_runs_are_removed,
            the_oldest_bodies_are_dropped,
            a_due_run_is_claimed_once,
            the_longest_due_comes_first,
            full_lanes_wait,
            a_lapsed_run_is_claimed_again,
            a_lost_attempt_does_not_count,
            a_renewed_lease_goes_on,
            an_end_is_kept,
            a_retry_is_due_later,
            a_run_is_handed_back,
            a_late_owner_changes_nothing,
            a_waiting_worker_is_woken,
        ]);
    };
}

fn once(key: &str) -> Option<OnceKey> {
    Some(OnceKey { key: key.to_owned(), fingerprint: format!("fingerprint of {key}") })
}

/// Ends a run's first attempt with a body of so many bytes.
async fn leave(store: &impl TaskStore, new: &NewRun, bytes: usize) {
    add_run(store, new).await;
    let run = claim(store, LONG).await.expect("a run");
    let received = Received {
        status: 200,
        headers: vec![],
        body: vec![b'x'; bytes],
        truncated: false,
        redirected_to: None,
    };
    let sent = Sent {
        url: "https://example.org/".to_owned(),
        method: HttpMethod::Post,
        headers: vec![],
        body: Some("sent".to_owned()),
    };
    let trace = Trace { sent: Some(sent), received: Some(received), ..Trace::default() };
    let next = Next::Over(AttemptEnd::Succeeded);
    assert!(store.queue().finish(&lease(&run), next, &trace).await.expect("finish"));
}

/// In turns of a few at a time. How much a body takes is the store's business, but it is no less than
/// its bytes and not much more.
pub async fn the_oldest_bodies_are_dropped(store: &impl TaskStore) {
    const BODY: usize = 100_000;
    const ROOM: u64 = 350_000;
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let (anas, bens) = (task(store, ana, "a").await, task(store, ben, "b").await);
    for n in 1..=6 {
        leave(store, &run_of(&anas, n), BODY).await;
    }
    leave(store, &run_of(&bens, 7), BODY).await;
    leave(store, &new_run(8), BODY).await;
    let drop = async |owner, bytes, most| store.runs().drop_bodies(owner, bytes, most).await.expect("drop");
    let hoarders = async |bytes| store.runs().hoarders(bytes).await.expect("hoarders");
    let bodies = async || {
        let mut kept = vec![];
        for n in 1..=8 {
            let [attempt] = <[_; 1]>::try_from(attempts(store, n).await).expect("one attempt");
            let trace = attempt.trace;
            let (sent, received) = (trace.sent.expect("sent"), trace.received.expect("received"));
            assert_eq!((received.status, sent.method), (200, HttpMethod::Post), "all else stays");
            let is_kept = received.body.len() == BODY && sent.body.is_some();
            assert_eq!(trace.body_dropped, !is_kept);
            assert!(is_kept || (received.body.is_empty() && sent.body.is_none()));
            kept.extend(is_kept.then_some(n));
        }
        kept
    };
    assert_eq!((hoarders(ROOM).await, hoarders(BODY as u64 * 9).await), (vec![ana], vec![]));
    assert_eq!((drop(ana, BODY as u64 * 9, 9).await, drop(NOBODY, 0, 9).await), (0, 0));
    assert_eq!((drop(ana, ROOM, 2).await, bodies().await), (2, vec![3, 4, 5, 6, 7, 8]));
    let more = drop(ana, ROOM, 9).await;
    assert!((1..=2).contains(&more), "{more}");
    let kept = bodies().await;
    assert!(kept.ends_with(&[5, 6, 7, 8]) && kept.len() == 6 - more as usize, "{kept:?}");
    assert_eq!((drop(ana, ROOM, 9).await, hoarders(ROOM).await), (0, vec![]));
    assert_eq!((drop(ana, 0, 9).await, bodies().await), (4 - more, vec![7, 8]));
}

/// Whether an instant is so long after another, and no second longer.
fn is_after(later: Instant, earlier: Instant, time: Duration) -> bool {
    let passed = (later - earlier).to_std().expect("later");
    (time..time + Duration::from_secs(1)).contains(&passed)
}

async fn list(store: &impl TaskStore, query: &RunQuery) -> Vec<RunId> {
    let runs = store.runs().list(query).await.expect("list");
    runs.iter().map(|run| run.id).collect()
}

async fn tally(store: &impl TaskStore) -> RunTally {
    store.runs().tally().await.expect("tally")
}

/// The numbers of waiting and running ones.
async fn count(store: &impl TaskStore) -> (u64, u64) {
    let RunTally { queued, running, .. } = tally(store).await;
    (queued, running)
}

async fn prune(store: &impl TaskStore, older_than: Duration, most: u32) -> u64 {
    store.runs().prune(older_than, most).await.expect("prune")
}

/// Prunes until so many are gone.
async fn prune_all(store: &impl TaskStore, older_than: Duration, most: u32, count: u64) {
    let mut gone = 0;
    super::until("old runs are removed", async || {
        let removed = prune(store, older_than, most).await;
        assert!(removed <= u64::from(most));
        gone += removed;
        gone >= count
    })
    .await;
    assert_eq!(gone, count);
}

/// Waits until a run has been due for so long.
async fn until_due_for(store: &impl TaskStore, time: Duration) {
    super::until("a run has waited", async || tally(store).await.longest_wait >= time).await;
}

/// Every part survives.
pub async fn a_run_is_kept_as_it_was_made(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let task = task(store, ana, "a").await;
    let full = NewRun {
        job: Job::Call(full()),
        lane: "größe.example:8080 '%_\\".to_owned(),
        max_attempts: 20,
        delay: Duration::from_millis(90_500),
        once: once("key '%_\\ 名"),
        replayed_from: Some(id(1)),
        ..run_of(&task, 3)
    };
    let no_task = NewRun { owner: Some(ana), ..new_run(2) };
    for new in [new_run(1), no_task, full] {
        let run = add_run(store, &new).await;
        assert!(is_after(run.due_at, run.created_at, new.delay), "{run:?}");
        let wanted = Run {
            id: new.id,
            owner: new.owner,
            task_id: new.task_id,
            job: new.job,
            lane: new.lane,
            state: RunState::Queued,
            attempts: 0,
            lost: 0,
            interrupted: 0,
            max_attempts: new.max_attempts,
            once: new.once,
            replayed_from: new.replayed_from,
            created_at: run.created_at,
            due_at: run.due_at,
            started_at: None,
            ended_at: None,
        };
        assert_eq!(run, wanted);
        assert_eq!(store.runs().find(run.id).await.expect("find"), Some(run.clone()));
        assert_eq!(store.runs().attempts(run.id).await.expect("attempts"), []);
    }
    assert_eq!((find_run(store, 9).await, attempts(store, 9).await), (None, vec![]));
}

/// However it goes on, and whoever asks.
pub async fn a_key_makes_one_run(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let task = task(store, ana, "a").await;
    let first = add_run(store, &NewRun { once: once("key"), ..new_run(1) }).await;
    let other = OnceKey { key: "key".to_owned(), fingerprint: "of something else".to_owned() };
    let again = NewRun { once: Some(other), ..run_of(&task, 2) };
    assert_eq!(write(store, &again).await, RunWrite::There(first));
    assert_eq!(find_run(store, 2).await, None);
    let shown = store.tasks().find(ana, task.id).await.expect("find").expect("a task");
    assert_eq!(shown.last_run, None, "it is no run of this task");
    finish_next(store, Next::Over(AttemptEnd::Succeeded)).await;
    assert_eq!(write(store, &again).await, RunWrite::There(the_run(store, 1).await));
    for (key, n) in [("KEY", 3), ("key ", 4), ("", 5)] {
        add_run(store, &NewRun { once: once(key), ..new_run(n) }).await;
    }

    let crowd: Vec<_> = (0..CROWD).map(|n| NewRun { once: once("race"), ..new_run(10 + n) }).collect();
    let writes = join_all(crowd.iter().map(|new| write(store, new))).await;
    let mut runs = writes.iter().map(|write| match write {
        RunWrite::Added(run) | RunWrite::There(run) => run,
        RunWrite::Full => panic!("there is no limit"),
    });
    let one = runs.next().expect("a run");
    assert!(runs.all(|run| run == one), "{writes:?}");
    let added = writes.iter().filter(|write| matches!(write, RunWrite::Added(_))).count();
    let found = join_all((0..CROWD).map(|n| find_run(store, 10 + n))).await;
    assert_eq!((added, found.into_iter().flatten().collect::<Vec<_>>()), (1, vec![one.clone()]));
}

/// Of each owner, and over all its tasks.
pub async fn no_more_runs_are_open_than_may_be(store: &impl TaskStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let (one, two) = (task(store, ana, "a").await, task(store, ana, "b").await);
    let bens = task(store, ben, "c").await;
    // The program's own, of hers and of nobody.
    add_run(store, &NewRun { owner: Some(ana), ..new_run(1) }).await;
    add_run(store, &new_run(2)).await;
    let limited = |task, n| NewRun { most_open: Some(3), ..run_of(task, n) };
    let keyed = NewRun { once: once("key"), ..limited(&one, 3) };
    let first = add_run(store, &keyed).await;
    let crowd: Vec<_> = (0..CROWD).map(|n| limited(if n % 2 == 0 { &one } else { &two }, 10 + n)).collect();
    let writes = join_all(crowd.iter().map(|new| write(store, new))).await;
    let added = writes.iter().filter(|write| matches!(write, RunWrite::Added(_))).count();
    let full = writes.iter().filter(|write| **write == RunWrite::Full).count();
    assert_eq!((added, full), (2, usize::from(CROWD) - 2), "{writes:?}");
    let found = join_all((0..CROWD).map(|n| find_run(store, 10 + n))).await;
    assert_eq!(found.into_iter().flatten().count(), 2);

    assert_eq!(write(store, &NewRun { id: id(40), ..keyed }).await, RunWrite::There(first));
    let other = NewRun { once: once("other"), ..limited(&one, 41) };
    assert_eq!(write(store, &other).await, RunWrite::Full);
    assert!(!list(store, &RunQuery::latest(one.id)).await.contains(&id(41)));
    add_run(store, &limited(&bens, 42)).await;
    add_run(store, &run_of(&one, 43)).await;
    let far = NewRun { most_open: Some(1_000_000), ..run_of(&one, 44) };
    add_run(store, &far).await;
    for n in [3, 43, 44] {
        cancel(store, n).await;
    }
    add_run(store, &other).await;
    assert_eq!(write(store, &limited(&two, 45)).await, RunWrite::Full);
}

/// Nothing is kept without.
pub async fn a_run_needs_its_owner_and_its_task(store: &impl TaskStore) {
    let (ana, gone) = (user(store, "ana").await, user(store, "gone").await);
    let lost = task(store, gone, "a").await;
    store.users().remove(gone).await.expect("remove");
    let removed = task(store, ana, "b").await;
    remove(store, &removed).await;
    let with = |owner, task_id| NewRun { owner, task_id, once: once("key"), ..new_run(1) };
    for new in [
        with(Some(NOBODY), None),
        with(Some(gone), None),
        with(Some(ana), Some(NOBODY)),
        with(Some(ana), Some(removed.id)),
        with(Some(gone), Some(lost.id)),
    ] {
        let answer = store.runs().add(&new).await;
        assert!(matches!(answer, Err(RepositoryError::MissingReference(_))), "{answer:?}");
        assert_eq!(find_run(store, 1).await, None);
    }
    assert_eq!((count(store).await, claim(store, LONG).await), ((0, 0), None));
    add_run(store, &with(Some(ana), None)).await;
}

/// From the latest to the first, and no other task's.
pub async fn runs_of_a_task_are_listed_latest_first(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let (one, two) = (task(store, ana, "a").await, task(store, ana, "b").await);
    assert!(list(store, &RunQuery::latest(one.id)).await.is_empty());
    for n in [1, 3, 5, 9] {
        add_run(store, &run_of(&one, n)).await;
        add_run(store, &run_of(&two, n + 1)).await;
    }
    add_run(store, &new_run(20)).await;
    cancel(store, 3).await;
    let listed = async |before: Option<u8>, most, wanted: &[u8]| {
        let query = RunQuery { task_id: one.id, before: before.map(id), most };
        let wanted: Vec<_> = wanted.iter().map(|n| id(*n)).collect();
        assert_eq!(list(store, &query).await, wanted, "{query:?}");
    };
    listed(None, 100, &[9, 5, 3, 1]).await;
    listed(None, 3, &[9, 5, 3]).await;
    listed(Some(9), 2, &[5, 3]).await;
    listed(Some(8), 1, &[5]).await;
    listed(Some(3), 2, &[1]).await;
    listed(Some(1), 2, &[]).await;
    let runs = store.runs().list(&RunQuery::latest(one.id)).await.expect("list");
    assert_eq!(runs[2], the_run(store, 3).await.summary(), "as they are found");
    assert!(list(store, &RunQuery::latest(NOBODY)).await.is_empty());
}

/// Whatever their tasks, and nobody else's.
pub async fn recent_runs_are_those_not_over_and_the_latest(store: &impl TaskStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let (one, two) = (task(store, ana, "a").await, task(store, ana, "b").await);
    let bens = task(store, ben, "b").await;
    let recent = async |owner, most, wanted: &[u8]| {
        let runs = store.runs().recent(owner, most).await.expect("recent");
        let wanted: Vec<_> = wanted.iter().map(|n| id(*n)).collect();
        assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), wanted, "{owner}, {most}");
        runs
    };
    recent(ana, 100, &[]).await;
    // Under way, waiting, and over in each way that there is.
    add_run(store, &run_of(&one, 1)).await;
    claim(store, LONG).await.expect("a run");
    add_run(store, &NewRun { delay: LONG, ..run_of(&two, 2) }).await;
    for (n, end) in [(3, AttemptEnd::Succeeded), (4, AttemptEnd::Failed), (5, AttemptEnd::Cancelled)] {
        add_run(store, &run_of(&one, n)).await;
        finish_next(store, Next::Over(end)).await;
    }
    add_run(store, &run_of(&two, 6)).await;
    cancel(store, 6).await;
    add_run(store, &run_of(&two, 7)).await;
    finish_next(store, Next::Again(LONG)).await;
    add_run(store, &NewRun { delay: LONG, ..run_of(&bens, 8) }).await;
    add_run(store, &NewRun { delay: LONG, ..new_run(9) }).await;

    let runs = recent(ana, 100, &[7, 6, 5, 4, 3, 2, 1]).await;
    for run in runs {
        let found = store.runs().find(run.id).await.expect("find");
        assert_eq!(found.map(|found| found.summary()), Some(run), "as it is found");
    }
    recent(ana, 7, &[7, 6, 5, 4, 3, 2, 1]).await;
    recent(ana, 6, &[7, 6, 5, 4, 2, 1]).await;
    recent(ana, 4, &[7, 6, 2, 1]).await;
    recent(ana, 3, &[7, 2, 1]).await;
    recent(ana, 2, &[7, 2]).await;
    recent(ben, 2, &[8]).await;
    recent(NOBODY, 2, &[]).await;
    cancel(store, 2).await;
    recent(ana, 3, &[7, 6, 1]).await;
    remove(store, &two).await;
    recent(ana, 3, &[5, 4, 1]).await;
}

/// At once, or as soon as its attempt is.
pub async fn a_cancelled_run_is_over(store: &impl TaskStore) {
    assert_eq!(cancel(store, 1).await, None);
    let is_cancelled = async |n, attempts: &[Option<AttemptEnd>]| {
        let run = the_run(store, n).await;
        assert_eq!((run.state, run.ended_at.is_some()), (RunState::Cancelled, true), "{run:?}");
        assert_eq!(ends(store, n).await, attempts);
        assert_eq!(cancel(store, n).await, Some(run), "it is over");
        assert_eq!((count(store).await, claim(store, LONG).await), ((0, 0), None));
    };
    let begin = async |n, time| {
        add_run(store, &new_run(n)).await;
        claim(store, time).await.expect("a run")
    };

    let waiting = add_run(store, &new_run(1)).await;
    let ended = cancel(store, 1).await.expect("a run");
    assert_eq!(ended, Run { state: RunState::Cancelled, ended_at: ended.ended_at, ..waiting });
    is_cancelled(1, &[]).await;
    add_run(store, &new_run(2)).await;
    finish_next(store, Next::Again(Duration::ZERO)).await;
    cancel(store, 2).await;
    is_cancelled(2, &[Some(AttemptEnd::Failed)]).await;

    // Under way it goes on, and then there is no next attempt.
    for (n, next, end, state) in [
        (3, Next::Again(Duration::ZERO), AttemptEnd::Failed, RunState::Cancelled),
        (4, Next::Over(AttemptEnd::Cancelled), AttemptEnd::Cancelled, RunState::Cancelled),
        (5, Next::Over(AttemptEnd::Succeeded), AttemptEnd::Succeeded, RunState::Succeeded),
        (6, Next::Over(AttemptEnd::Failed), AttemptEnd::Failed, RunState::Failed),
    ] {
        let run = begin(n, LONG).await;
        for _ in 0..2 {
            assert_eq!(cancel(store, n).await.as_ref(), Some(&run));
            assert_eq!(renew(store, &run, LONG).await, Hold::Cancelled);
        }
        assert!(finish(store, &run, next).await);
        let over = the_run(store, n).await;
        assert_eq!((over.state, over.ended_at.is_some()), (state, true), "{next:?}");
        assert_eq!(ends(store, n).await, [Some(end)]);
        assert_eq!(cancel(store, n).await, Some(over), "it is over");
    }
    begin(7, SHORT).await;
    cancel(store, 7).await;
    super::until("a lost run is over", async || {
        assert_eq!(claim(store, LONG).await, None);
        the_run(store, 7).await.state.is_over()
    })
    .await;
    is_cancelled(7, &[Some(AttemptEnd::Lost)]).await;

    for n in 10..10 + CROWD {
        add_run(store, &new_run(n)).await;
        let (claimed, cancelled) = join(claim(store, LONG), cancel(store, n)).await;
        assert!(cancelled.is_some());
        if let Some(run) = claimed {
            assert_eq!(renew(store, &run, LONG).await, Hold::Cancelled);
            assert!(finish(store, &run, Next::Again(Duration::ZERO)).await);
        }
        let run = the_run(store, n).await;
        assert_eq!((run.state, run.attempts as usize), (RunState::Cancelled, ends(store, n).await.len()));
    }
}

/// Nothing of them is left.
pub async fn runs_end_with_their_task_and_their_owner(store: &impl TaskStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let (gone, bens) = (task(store, ana, "a").await, task(store, ben, "b").await);
    let begin = async |new: NewRun| {
        add_run(store, &new).await;
        claim(store, LONG).await.expect("a run")
    };
    let are_gone = async |numbers: std::ops::Range<u8>, running: &Run| {
        for n in numbers {
            assert_eq!((find_run(store, n).await, attempts(store, n).await), (None, vec![]), "{n}");
        }
        assert_eq!(renew(store, running, LONG).await, Hold::Lost);
        assert!(!finish(store, running, Next::Again(Duration::ZERO)).await);
        assert_eq!(claim(store, LONG).await, None);
    };
    let running = begin(NewRun { once: once("key"), ..run_of(&gone, 1) }).await;
    let over = begin(run_of(&gone, 2)).await;
    finish(store, &over, Next::Over(AttemptEnd::Succeeded)).await;
    add_run(store, &run_of(&gone, 3)).await;
    assert!(remove(store, &gone).await);
    are_gone(1..4, &running).await;
    assert_eq!(count(store).await, (0, 0));
    assert!(list(store, &RunQuery::latest(gone.id)).await.is_empty());

    let without_task = |n| NewRun { owner: Some(ana), ..new_run(n) };
    let (kept, own) = (begin(run_of(&bens, 10)).await, begin(new_run(11)).await);
    let gone = task(store, ana, "c").await;
    let running = begin(without_task(12)).await;
    begin(run_of(&gone, 13)).await;
    add_run(store, &without_task(14)).await;
    add_run(store, &NewRun { once: once("key"), ..run_of(&gone, 15) }).await;
    add_run(store, &NewRun { owner: None, ..run_of(&gone, 16) }).await;
    store.users().remove(ana).await.expect("remove");
    are_gone(12..17, &running).await;
    assert_eq!(count(store).await, (0, 2), "others' go on");
    assert!(finish(store, &kept, Next::Over(AttemptEnd::Failed)).await);
    assert!(finish(store, &own, Next::Over(AttemptEnd::Failed)).await);
    add_run(store, &NewRun { once: once("key"), ..new_run(17) }).await;

    for n in 20..20 + CROWD {
        let task = task(store, ben, "brief").await;
        let new = run_of(&task, n);
        let (added, removed) = join(store.runs().add(&new), remove(store, &task)).await;
        assert!(matches!(added, Ok(_) | Err(RepositoryError::MissingReference(_))), "{added:?}");
        assert_eq!((removed, find_run(store, n).await), (true, None));
    }
}

/// And for how long the first of them could have begun.
pub async fn runs_are_counted(store: &impl TaskStore) {
    assert_eq!(tally(store).await, RunTally::default());
    add_run(store, &NewRun { delay: LONG, ..new_run(1) }).await;
    let later = RunTally { queued: 1, ..RunTally::default() };
    assert_eq!(tally(store).await, later, "it does not wait for anybody yet");
    for n in 2..5 {
        add_run(store, &new_run(n)).await;
    }
    until_due_for(store, SHORT).await;
    add_run(store, &new_run(5)).await;
    assert_eq!(count(store).await, (5, 0));
    let wait = tally(store).await.longest_wait;
    assert!((SHORT..LONG).contains(&wait), "{wait:?}");
    for _ in 0..4 {
        claim(store, LONG).await.expect("a run");
    }
    assert_eq!(tally(store).await, RunTally { running: 4, ..later });
    cancel(store, 1).await;
    for n in [2, 3] {
        cancel(store, n).await;
    }
    assert_eq!(count(store).await, (0, 4), "they go on");
    let run = the_run(store, 2).await;
    finish(store, &run, Next::Again(LONG)).await;
    let run = the_run(store, 4).await;
    finish(store, &run, Next::Again(LONG)).await;
    assert_eq!(tally(store).await, RunTally { queued: 1, running: 2, longest_wait: Duration::ZERO });
}

/// But for what people look for.
pub async fn old_runs_are_removed(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let task = task(store, ana, "a").await;
    let of_task = |n| NewRun { once: once(&format!("key {n}")), ..run_of(&task, n) };
    for new in [of_task(1), of_task(2), of_task(3), new_run(4)] {
        add_run(store, &new).await;
        finish_next(store, Next::Over(AttemptEnd::Failed)).await;
    }
    add_run(store, &new_run(5)).await;
    claim(store, LONG).await.expect("a run");
    add_run(store, &NewRun { delay: LONG, replayed_from: Some(id(4)), ..new_run(6) }).await;
    assert_eq!(prune(store, LONG, 100).await, 0);
    prune_all(store, Duration::ZERO, 1, 3).await;
    assert_eq!(prune(store, Duration::ZERO, 100).await, 0);
    for n in [1, 2, 4] {
        assert_eq!((find_run(store, n).await, attempts(store, n).await), (None, vec![]), "{n}");
    }
    for n in [3, 5, 6] {
        the_run(store, n).await;
    }
    assert_eq!(list(store, &RunQuery::latest(task.id)).await, [id(3)]);
    let again = |n, key| NewRun { id: id(n), ..of_task(key) };
    assert_eq!(write(store, &again(7, 3)).await, RunWrite::There(the_run(store, 3).await));
    add_run(store, &again(8, 1)).await;
    prune_all(store, Duration::ZERO, 100, 1).await;
    assert_eq!(find_run(store, 3).await, None, "there is a later one");

    until_due_for(store, SHORT).await;
    add_run(store, &again(9, 3)).await;
    finish_next(store, Next::Over(AttemptEnd::Succeeded)).await;
    assert_eq!(prune(store, SHORT, 100).await, 0, "it was made long ago, but was over just now");
    prune_all(store, SHORT, 100, 1).await;
    assert_eq!(find_run(store, 8).await, None);
    the_run(store, 9).await;
}

/// Many want it, one gets it.
pub async fn a_due_run_is_claimed_once(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let task = task(store, ana, "a").await;
    assert_eq!(claim(store, LONG).await, None);
    let new = NewRun { job: Job::Call(full()), once: once("key"), ..run_of(&task, 1) };
    let made = add_run(store, &new).await;
    let claimed = join_all((0..CROWD).map(|_| claim(store, LONG))).await;
    let claimed: Vec<_> = claimed.into_iter().flatten().collect();
    let started_at = claimed.first().and_then(|run| run.started_at);
    assert!(started_at.is_some_and(|at| at >= made.created_at));
    let wanted = Run { state: RunState::Running, attempts: 1, started_at, ..made };
    assert_eq!(claimed, std::slice::from_ref(&wanted));
    assert_eq!(the_run(store, 1).await, wanted);
    let [attempt] = &attempts(store, 1).await[..] else { panic!("one attempt") };
    let started_at = attempt.started_at;
    let under_way = Attempt { number: 1, started_at, ended_at: None, end: None, trace: Trace::default() };
    assert_eq!(*attempt, under_way);

    let all: BTreeSet<_> = (10..30).map(id).collect();
    for n in 10..30 {
        add_run(store, &new_run(n)).await;
    }
    let claimed = join_all((0..CROWD).map(|_| claim(store, LONG))).await;
    let mut claimed: Vec<_> = claimed.into_iter().flatten().map(|run| run.id).collect();
    while let Some(run) = claim(store, LONG).await {
        claimed.push(run.id);
    }
    assert_eq!((claimed.len(), claimed.into_iter().collect::<BTreeSet<_>>()), (20, all));
}

/// By when it was due, not by when it was made.
pub async fn the_longest_due_comes_first(store: &impl TaskStore) {
    add_run(store, &NewRun { delay: LONG, ..new_run(1) }).await;
    add_run(store, &NewRun { delay: SHORT / 2, ..new_run(2) }).await;
    add_run(store, &new_run(3)).await;
    until_due_for(store, SHORT).await;
    add_run(store, &new_run(4)).await;
    for n in [3, 2, 4] {
        assert_eq!(claim(store, LONG).await.map(|run| run.id), Some(id(n)));
    }
    assert_eq!(claim(store, LONG).await, None, "the first is not due");
}

/// And nothing waits for them.
pub async fn full_lanes_wait(store: &impl TaskStore) {
    let odd = "x', \"{y}\\%";
    for (n, lane) in [(1, "a"), (2, "a"), (3, "b"), (4, "A"), (5, odd), (6, "")] {
        add_run(store, &NewRun { lane: lane.to_owned(), ..new_run(n) }).await;
    }
    let but = async |full: &[&str], time| {
        let full: Vec<_> = full.iter().map(|lane| (*lane).to_owned()).collect();
        let run = store.queue().claim(&full, time).await.expect("claim");
        run.map(|run| run.lane)
    };
    assert_eq!(but(&["b", "A", odd, "", "a"], LONG).await, None);
    assert_eq!(but(&["b", "A", odd, "", "nobody's"], LONG).await.as_deref(), Some("a"));
    assert_eq!(but(&["a", "a", "b", "A", ""], LONG).await.as_deref(), Some(odd));
    assert_eq!(but(&["a", "b", ""], LONG).await.as_deref(), Some("A"));
    assert_eq!(but(&["a", "b"], LONG).await.as_deref(), Some(""));
    assert_eq!(but(&["a"], LONG).await.as_deref(), Some("b"));
    assert_eq!(but(&["a"], LONG).await, None);
    assert_eq!(but(&[], LONG).await.as_deref(), Some("a"));
    assert_eq!(but(&[], LONG).await, None);

    // A lapsed run's lane counts, too.
    for (n, lane) in [(7, "first"), (8, "second")] {
        add_run(store, &NewRun { lane: lane.to_owned(), ..new_run(n) }).await;
        assert_eq!(but(&[], SHORT).await.as_deref(), Some(lane));
    }
    let mut next = None;
    super::until("the leases lapse", async || {
        next = but(&["first"], LONG).await;
        next.is_some()
    })
    .await;
    assert_eq!(next.as_deref(), Some("second"));
    assert_eq!(but(&["first"], LONG).await, None);
    assert_eq!(but(&[], LONG).await.as_deref(), Some("first"));
}

/// By one, whose attempt is a new one.
pub async fn a_lapsed_run_is_claimed_again(store: &impl TaskStore) {
    add_run(store, &new_run(1)).await;
    let first = claim(store, SHORT).await.expect("a run");
    assert_eq!(claim(store, LONG).await, None);
    let mut claimed = vec![];
    super::until("the lease lapses", async || {
        let crowd = join_all((0..CROWD).map(|_| claim(store, LONG))).await;
        claimed = crowd.into_iter().flatten().collect();
        !claimed.is_empty()
    })
    .await;
    let second = the_run(store, 1).await;
    assert_eq!(claimed, std::slice::from_ref(&second));
    assert_eq!((second.state, second.attempts), (RunState::Running, 2));
    assert_eq!((second.started_at, second.ended_at), (first.started_at, None));
    assert_eq!(ends(store, 1).await, [Some(AttemptEnd::Lost), None]);
    assert_eq!(attempts(store, 1).await[0].trace, Trace::default());
    assert_eq!(renew(store, &second, LONG).await, Hold::Held);
}

/// But what ends its workers again and again is given up.
pub async fn a_lost_attempt_does_not_count(store: &impl TaskStore) {
    add_run(store, &NewRun { max_attempts: 1, ..new_run(1) }).await;
    let mut claims = 0;
    super::until("it is given up", async || {
        claims += u32::from(claim(store, SHORT).await.is_some());
        the_run(store, 1).await.state.is_over()
    })
    .await;
    let run = the_run(store, 1).await;
    assert_eq!((claims, run.attempts, run.lost), (Run::MAX_LOST, Run::MAX_LOST, Run::MAX_LOST));
    assert_eq!((run.state, run.counted_attempts()), (RunState::Failed, 0));
    assert!(run.ended_at.is_some_and(|end| Some(end) > run.started_at));
    assert_eq!(ends(store, 1).await, vec![Some(AttemptEnd::Lost); Run::MAX_LOST as usize]);
    assert!(attempts(store, 1).await.iter().all(|attempt| attempt.error().is_some()));
    assert_eq!((count(store).await, claim(store, LONG).await), ((0, 0), None));

    add_run(store, &NewRun { max_attempts: 2, ..new_run(2) }).await;
    claim(store, SHORT).await.expect("a run");
    for (n, is_over) in [(2, false), (3, true)] {
        let run = claim_next(store).await;
        assert_eq!((run.attempts, run.lost, run.counted_attempts()), (n, 1, n - 1));
        assert!(finish(store, &run, Next::Again(Duration::ZERO)).await);
        assert_eq!(the_run(store, 2).await.state.is_over(), is_over);
    }
}

/// By its owner, who has no time for it any more.
pub async fn a_run_is_handed_back(store: &impl TaskStore) {
    let release = async |runs: &[&Run]| {
        let leases: Vec<_> = runs.iter().map(|run| lease(run)).collect();
        store.queue().release(&leases).await.expect("release")
    };
    assert_eq!(release(&[]).await, 0);
    for n in 1..=4 {
        add_run(store, &NewRun { max_attempts: 1, ..new_run(n) }).await;
    }
    let mut runs = vec![];
    for _ in 1..=3 {
        runs.push(claim(store, LONG).await.expect("a run"));
    }
    let [first, second, third] = &runs[..] else { panic!("three runs") };
    cancel(store, 2).await;
    assert!(finish(store, third, Next::Over(AttemptEnd::Succeeded)).await);
    let over = the_run(store, 3).await;
    let nobodys = Run { attempts: 1, ..the_run(store, 4).await };
    assert_eq!(release(&[third, first, second, &nobodys]).await, 2, "what is somebody's, and not over");

    let run = the_run(store, 1).await;
    assert_eq!((run.state, run.attempts, run.interrupted), (RunState::Queued, 1, 1));
    assert_eq!((run.counted_attempts(), run.ended_at), (0, None));
    let [attempt] = &attempts(store, 1).await[..] else { panic!("one attempt") };
    assert!(attempt.error().is_some());
    let cancelled = the_run(store, 2).await;
    assert_eq!((cancelled.state, cancelled.ended_at.is_some()), (RunState::Cancelled, true));
    assert_eq!(the_run(store, 3).await, over);
    for n in [1, 2] {
        assert_eq!(ends(store, n).await, [Some(AttemptEnd::Interrupted)]);
    }
    assert_eq!((the_run(store, 4).await.state, ends(store, 4).await), (RunState::Queued, vec![]));
    assert_eq!(release(&[first, second, third]).await, 0, "they are nobody's now");
    assert_eq!(renew(store, first, LONG).await, Hold::Lost);

    // It is due at once, and however often this happens, its one attempt is left.
    for interrupted in 1..=Run::MAX_LOST + 1 {
        let mut again = claim(store, LONG).await.expect("a run");
        while again.id != id(1) {
            again = claim(store, LONG).await.expect("a run");
        }
        assert_eq!((again.attempts, again.interrupted), (interrupted + 1, interrupted));
        assert_eq!(release(&[first]).await, 0, "an earlier attempt's lease");
        assert_eq!(release(&[&again]).await, 1);
    }
    let last = claim(store, LONG).await.expect("a run");
    assert!(finish(store, &last, Next::Again(Duration::ZERO)).await);
    assert_eq!(the_run(store, 1).await.state, RunState::Failed);
}

/// Whoever renews it keeps it.
pub async fn a_renewed_lease_goes_on(store: &impl TaskStore) {
    add_run(store, &new_run(1)).await;
    let run = claim(store, SHORT).await.expect("a run");
    assert_eq!(renew(store, &run, LONG).await, Hold::Held);
    // Another run's short lease tells when the first one's old time is over.
    add_run(store, &new_run(2)).await;
    claim(store, SHORT).await.expect("a run");
    assert_eq!(claim_next(store).await.id, id(2));
    assert_eq!((claim(store, LONG).await, the_run(store, 1).await), (None, run.clone()));
    assert!(finish(store, &run, Next::Over(AttemptEnd::Succeeded)).await);
}

/// Every part survives, and says what became of the run.
pub async fn an_end_is_kept(store: &impl TaskStore) {
    let headers = |names: &[(&str, &str)]| {
        names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let sent = Sent {
        url: "https://example.org/?a='b'".to_owned(),
        method: HttpMethod::Put,
        headers: headers(&[("X-Tag", "2"), ("Authorization", Sent::MASK), ("x-tag", "1"), ("X-Tag", "2")]),
        body: Some("{\"a\": 1.0,\u{0} \"b\": \"名\"}".to_owned()),
    };
    let received = Received {
        status: 599,
        headers: headers(&[("set-cookie", "b=2"), ("set-cookie", "a=1"), ("x-empty", ""), ("x-é", "\"'\\")]),
        body: (0..=255).rev().cycle().take(100_000).collect(),
        truncated: true,
        redirected_to: Some("https://example.net/é".to_owned()),
    };
    let plain = Received { body: vec![], truncated: false, redirected_to: None, ..received.clone() };
    let mut traces = vec![
        Trace { sent: Some(sent.clone()), received: Some(received), ..Trace::default() },
        Trace { sent: Some(Sent { body: None, ..sent }), received: Some(plain), ..Trace::default() },
        Trace { result: Some("https://example.com/é".to_owned()), ..Trace::default() },
        Trace { reason: Some("Größe\n'%_\\ \u{0}".to_owned()), ..Trace::default() },
        Trace::default(),
    ];
    traces.extend(CallFault::ALL.map(|fault| Trace { fault: Some(fault), ..Trace::default() }));
    let over = [
        (AttemptEnd::Succeeded, RunState::Succeeded),
        (AttemptEnd::Failed, RunState::Failed),
        (AttemptEnd::Lost, RunState::Failed),
        (AttemptEnd::Interrupted, RunState::Failed),
        (AttemptEnd::Cancelled, RunState::Cancelled),
    ];
    for ((trace, n), (end, state)) in traces.iter().zip(1..).zip(over.into_iter().cycle()) {
        add_run(store, &new_run(n)).await;
        let run = claim(store, LONG).await.expect("a run");
        assert!(store.queue().finish(&lease(&run), Next::Over(end), trace).await.expect("finish"));
        let now = the_run(store, n).await;
        assert!(now.ended_at >= run.started_at);
        assert_eq!(now, Run { state, ended_at: now.ended_at, ..run });
        assert_eq!(ends(store, n).await, [Some(end)]);
        assert_eq!(attempts(store, n).await[0].trace, *trace);
        assert_eq!((count(store).await, claim(store, LONG).await), ((0, 0), None));
    }

    // Each attempt has its own.
    let traces = &traces[..3];
    add_run(store, &new_run(100)).await;
    for trace in traces {
        let run = claim(store, LONG).await.expect("a run");
        let next = Next::Again(Duration::ZERO);
        assert!(store.queue().finish(&lease(&run), next, trace).await.expect("finish"));
    }
    let kept: Vec<_> = attempts(store, 100).await.into_iter().map(|attempt| attempt.trace).collect();
    assert_eq!(kept, traces);
}

/// Until it has no attempts left.
pub async fn a_retry_is_due_later(store: &impl TaskStore) {
    add_run(store, &NewRun { max_attempts: 2, ..new_run(1) }).await;
    let run = finish_next(store, Next::Again(LONG)).await;
    let queued = the_run(store, 1).await;
    assert_eq!(queued, Run { state: RunState::Queued, due_at: queued.due_at, ..run });
    let [attempt] = &attempts(store, 1).await[..] else { panic!("one attempt") };
    assert!(is_after(queued.due_at, attempt.ended_at.expect("an end"), LONG));
    assert_eq!((attempt.end, claim(store, LONG).await), (Some(AttemptEnd::Failed), None));

    add_run(store, &NewRun { max_attempts: 2, ..new_run(2) }).await;
    let first = finish_next(store, Next::Again(SHORT / 2)).await;
    let second = claim_next(store).await;
    assert_eq!((second.id, second.attempts, second.started_at), (id(2), 2, first.started_at));
    assert!(attempts(store, 2).await[1].started_at >= second.due_at);
    assert!(finish(store, &second, Next::Again(Duration::ZERO)).await);
    let over = the_run(store, 2).await;
    assert_eq!((over.state, over.attempts), (RunState::Failed, 2));
    assert!(over.ended_at.is_some());
    assert_eq!(ends(store, 2).await, [Some(AttemptEnd::Failed); 2]);
    assert_eq!((count(store).await, claim(store, LONG).await), ((1, 0), None));
}

/// What is somebody else's, or over, stays as it is.
pub async fn a_late_owner_changes_nothing(store: &impl TaskStore) {
    let is_refused = async |late: &RunLease| {
        let before = (store.runs().find(late.id).await, store.runs().attempts(late.id).await);
        let before = (before.0.expect("find"), before.1.expect("attempts"));
        let trace = Trace { reason: Some("late".to_owned()), ..Trace::default() };
        let ends = [AttemptEnd::Succeeded, AttemptEnd::Cancelled].map(Next::Over);
        for next in [ends[0], ends[1], Next::Again(Duration::ZERO)] {
            assert!(!store.queue().finish(late, next, &trace).await.expect("finish"), "{late:?}");
            assert_eq!(store.queue().renew(late, LONG).await.expect("renew"), Hold::Lost, "{late:?}");
        }
        assert_eq!(store.queue().release(std::slice::from_ref(late)).await.expect("release"), 0, "{late:?}");
        let after = (store.runs().find(late.id).await, store.runs().attempts(late.id).await);
        assert_eq!((after.0.expect("find"), after.1.expect("attempts")), before);
    };
    let attempt = |attempt| RunLease { id: id(1), attempt };
    is_refused(&attempt(1)).await;
    add_run(store, &new_run(1)).await;
    is_refused(&attempt(0)).await;
    is_refused(&attempt(1)).await;
    let first = claim(store, SHORT).await.expect("a run");
    let second = claim_next(store).await;
    for wrong in [attempt(0), lease(&first), attempt(3)] {
        is_refused(&wrong).await;
    }
    cancel(store, 1).await;
    is_refused(&lease(&first)).await;
    assert_eq!(renew(store, &second, LONG).await, Hold::Cancelled);
    let ends = join_all((0..CROWD).map(|_| finish(store, &second, Next::Over(AttemptEnd::Failed)))).await;
    assert_eq!(ends.into_iter().filter(|ended| *ended).count(), 1);
    for over in [&first, &second] {
        is_refused(&lease(over)).await;
    }

    add_run(store, &new_run(2)).await;
    let first = finish_next(store, Next::Again(Duration::ZERO)).await;
    is_refused(&lease(&first)).await;
    let second = claim(store, LONG).await.expect("a run");
    is_refused(&lease(&first)).await;
    assert!(finish(store, &second, Next::Again(LONG)).await);

    add_run(store, &NewRun { max_attempts: 1, ..new_run(3) }).await;
    let mut last = None;
    super::until("the run is given up", async || {
        last = claim(store, SHORT).await.or(last.take());
        the_run(store, 3).await.state.is_over()
    })
    .await;
    is_refused(&lease(&last.expect("a run"))).await;
}

/// By what is added while it waits, and by what was just before it did.
pub async fn a_waiting_worker_is_woken(store: &impl TaskStore) {
    let is_back = async |most| {
        let late = Delay::new(Duration::from_secs(10));
        matches!(select(pin!(store.queue().wait(most)), late).await, Either::Left(_))
    };
    let begun = std::time::Instant::now();
    assert!(is_back(SHORT).await);
    assert!(begun.elapsed() > SHORT / 2, "there was nothing to come back for");
    let run = new_run(1);
    let (woken, _) = join(is_back(LONG), add_run(store, &run)).await;
    assert!(woken);

    claim(store, LONG).await.expect("a run");
    add_run(store, &new_run(2)).await;
    assert!(is_back(LONG).await, "or what comes between a claim and a wait would be missed");
    claim(store, LONG).await.expect("a run");

    let new: Vec<_> = (10..10 + CROWD).map(new_run).collect();
    let crowd = join_all(new.iter().map(|_| is_back(LONG)));
    let (woken, _) = join(crowd, join_all(new.iter().map(|new| add_run(store, new)))).await;
    assert_eq!(woken, [true; CROWD as usize], "as many as there are runs");
}
