//! The promises of [`ScheduleRepository`](crate::ScheduleRepository).

use std::pin::pin;
use std::time::Duration;

use futures_timer::Delay;
use futures_util::future::{Either, join, join_all, select};
use malecon_domain::{DueTask, Instant, NewRun, Overlap, Task, TaskConfig, TaskDraft};

use super::run::{add_run, cancel, find_run};
use super::task::{
    NOBODY, TaskStore, add, bare, change, done, draft, find, remove, run_of, schedule, task, user,
};
use super::user::CROWD;
use crate::TickWrite;

/// Tests of every promise of the port on the store that the expression makes: a [`TaskStore`].
#[macro_export]
macro_rules! schedule_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::schedule, [
            a_scheduled_task_is_due_to_be_planned,
            a_planned_task_is_due_at_its_tick,
            a_tick_makes_one_run,
            a_tick_makes_no_run_too_many,
            a_tick_may_make_no_run,
            a_changed_task_is_not_advanced,
            planned_tasks_are_listed,
            its_clock_is_that_of_runs,
        ]);
    };
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn scheduled_draft(name: &str) -> TaskDraft {
    let config =
        TaskConfig { schedule: schedule("* * * * * *", "Europe/Madrid", Overlap::QueueOne), ..bare() };
    TaskDraft { name: name.to_owned(), config }
}

/// Adds a task that is to be run every second.
pub async fn scheduled(store: &impl TaskStore, owner: i64) -> Task {
    add(store, owner, &scheduled_draft("every second"), 0).await
}

async fn due(store: &impl TaskStore) -> Vec<DueTask> {
    store.schedules().due(100).await.expect("due")
}

async fn due_ids(store: &impl TaskStore) -> Vec<i64> {
    due(store).await.iter().map(|due| due.task.id).collect()
}

/// The one task that is due.
async fn the_due(store: &impl TaskStore) -> DueTask {
    let [due] = <[_; 1]>::try_from(due(store).await).expect("one is due");
    due
}

async fn advance(store: &impl TaskStore, due: &DueTask, next: Option<Instant>, run: Option<&NewRun>) -> bool {
    write(store, due, next, run).await == TickWrite::Done
}

async fn write(
    store: &impl TaskStore,
    due: &DueTask,
    next: Option<Instant>,
    run: Option<&NewRun>,
) -> TickWrite {
    store.schedules().advance(due, next, run.cloned()).await.expect("advance")
}

/// Adds a task whose tick came a second ago.
async fn ticking(store: &impl TaskStore, owner: i64) -> DueTask {
    let task = scheduled(store, owner).await;
    let seen = due(store).await.into_iter().find(|due| due.task == task).expect("it is due");
    assert!(advance(store, &seen, Some(seen.now - SECOND), None).await);
    DueTask { tick: Some(seen.now - SECOND), ..seen }
}

/// Until it is, it has no tick.
pub async fn a_scheduled_task_is_due_to_be_planned(store: &impl TaskStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let unscheduled = task(store, ana, "a").await;
    assert_eq!(due(store).await, []);
    let (one, two) = (scheduled(store, ana).await, scheduled(store, ben).await);
    add_run(store, &run_of(&two, 1)).await;
    let two = find(store, ben, two.id).await.expect("a task");
    let mut both = due(store).await;
    both.sort_by_key(|due| due.task.id);
    let now = both[0].now;
    let to_be_planned = |task: &Task| DueTask { task: task.clone(), tick: None, now };
    assert_eq!(both, [&one, &two].map(to_be_planned), "with the latest of its runs");
    for most in [0, 1] {
        let some = store.schedules().due(most).await.expect("due");
        assert_eq!(some.len(), most as usize);
    }

    assert!(advance(store, &both[0], Some(now + HOUR), None).await);
    assert_eq!(due_ids(store).await, [two.id]);
    assert!(advance(store, &both[1], None, None).await);
    assert_eq!(due(store).await, [], "it does not come to anything any more");
    for (changed, second) in [(&one, 1), (&two, 2), (&one, 3)] {
        let changed = done(change(store, changed, &scheduled_draft("b"), None, second).await);
        let seen = the_due(store).await;
        assert_eq!((&seen.task, seen.tick), (&changed, None));
        assert!(seen.now >= now);
        assert!(advance(store, &seen, Some(now + HOUR), None).await);
    }

    done(change(store, &one, &scheduled_draft("c"), None, 4).await);
    done(change(store, &one, &draft("c"), None, 5).await);
    assert_eq!(due(store).await, [], "it has no schedule any more");
    done(change(store, &unscheduled, &scheduled_draft("d"), None, 6).await);
    done(change(store, &two, &scheduled_draft("d"), None, 7).await);
    assert!(remove(store, &unscheduled).await);
    assert_eq!(due_ids(store).await, [two.id]);
    store.users().remove(ben).await.expect("remove");
    assert_eq!(due(store).await, []);
}

/// The next one makes one, once there is room.
pub async fn a_tick_makes_no_run_too_many(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let other = task(store, ana, "a").await;
    add_run(store, &run_of(&other, 1)).await;
    let due = ticking(store, ana).await;
    let limited = |n| NewRun { most_open: Some(1), ..run_of(&due.task, n) };
    let next = due.now - SECOND / 2;
    assert_eq!(write(store, &due, Some(next), Some(&limited(2))).await, TickWrite::Full);
    assert_eq!(find_run(store, 2).await, None);
    let passed = the_due(store).await;
    assert_eq!((passed.tick, passed.task.last_run.clone()), (Some(next), None), "it is passed");
    assert_eq!(write(store, &due, Some(next), Some(&limited(3))).await, TickWrite::Outdated);
    cancel(store, 1).await;
    assert_eq!(write(store, &passed, None, Some(&limited(4))).await, TickWrite::Done);
    assert!(find_run(store, 4).await.is_some());
}

/// By the store's time.
pub async fn a_planned_task_is_due_at_its_tick(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let mut tasks = vec![];
    for _ in 0..4 {
        tasks.push(scheduled(store, ana).await);
    }
    let mut unplanned = due(store).await;
    unplanned.sort_by_key(|due| due.task.id);
    let now = unplanned[0].now;
    let ticks = [now - SECOND, now + SECOND / 2, now - HOUR, now + HOUR];
    for (seen, tick) in unplanned.iter().zip(ticks) {
        assert!(advance(store, seen, Some(tick), None).await);
    }
    super::until("the second tick has come", async || {
        let due = due(store).await;
        let now = due[0].now;
        let order: &[usize] = if now < ticks[1] { &[2, 0] } else { &[2, 0, 1] };
        let wanted = order.iter().map(|n| DueTask { task: tasks[*n].clone(), tick: Some(ticks[*n]), now });
        assert_eq!(due, wanted.collect::<Vec<_>>());
        due.len() == 3
    })
    .await;
    let two = store.schedules().due(2).await.expect("due");
    assert_eq!(two.iter().map(|due| due.task.id).collect::<Vec<_>>(), [tasks[2].id, tasks[0].id]);
}

/// However many see it.
pub async fn a_tick_makes_one_run(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    scheduled(store, ana).await;
    let seen = the_due(store).await;
    let next = Some(seen.now - SECOND);
    let plans = join_all((0..CROWD).map(|_| advance(store, &seen, next, None))).await;
    assert_eq!(plans.into_iter().filter(|planned| *planned).count(), 1, "it is planned once");

    let seen = the_due(store).await;
    let next = Some(seen.now + HOUR);
    let runs: Vec<_> = (0..CROWD).map(|n| run_of(&seen.task, n)).collect();
    let advances = join_all(runs.iter().map(|run| advance(store, &seen, next, Some(run)))).await;
    let winners: Vec<_> = (0..CROWD).filter(|n| advances[usize::from(*n)]).collect();
    let &[winner] = &winners[..] else { panic!("{advances:?}") };
    let found: Vec<_> =
        join_all((0..CROWD).map(|n| find_run(store, n))).await.into_iter().flatten().collect();
    let shown = find(store, ana, seen.task.id).await.expect("a task");
    assert_eq!(shown, Task { last_run: Some(found[0].clone()), ..seen.task.clone() });
    assert_eq!((found.len(), found[0].id), (1, runs[usize::from(winner)].id));
    assert!(found[0].created_at >= seen.now);

    let late = Delay::new(Duration::from_secs(10));
    let woken = matches!(select(pin!(store.queue().wait(HOUR)), late).await, Either::Left(_));
    assert!(woken, "it is there for who waits for runs");
    let claimed = store.queue().claim(&[], HOUR).await.expect("claim");
    assert_eq!(claimed.map(|run| run.id), Some(found[0].id));
    assert_eq!(due(store).await, []);
    assert!(!advance(store, &seen, next, Some(&run_of(&seen.task, 100))).await);
    assert_eq!(find_run(store, 100).await, None);
}

/// Then the task's latest run stays what it was.
pub async fn a_tick_may_make_no_run(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let task = ticking(store, ana).await.task;
    let last = add_run(store, &run_of(&task, 1)).await;
    let seen = the_due(store).await;
    assert_eq!(seen.task, Task { last_run: Some(last), ..task.clone() });
    let next = Some(seen.now - SECOND / 2);
    assert!(advance(store, &seen, next, None).await);
    let second = the_due(store).await;
    assert_eq!((&second.task, second.tick), (&seen.task, next));
    assert!(!advance(store, &seen, next, None).await);
    assert!(advance(store, &second, None, None).await);
    assert_eq!(due(store).await, []);
    assert_eq!(find(store, ana, task.id).await, Some(second.task));
}

/// Nor is one that is gone.
pub async fn a_changed_task_is_not_advanced(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let seen = ticking(store, ana).await;
    let next = Some(seen.now + HOUR);
    let is_refused = async |seen: &DueTask| {
        let before = due(store).await;
        for next in [next, None] {
            assert!(!advance(store, seen, next, Some(&run_of(&seen.task, 1))).await, "{seen:?}");
        }
        let after = due(store).await.into_iter().map(|due| (due.task, due.tick));
        assert!(after.eq(before.into_iter().map(|due| (due.task, due.tick))), "nothing changed");
        assert_eq!(find_run(store, 1).await, None);
    };
    is_refused(&DueTask { tick: None, ..seen.clone() }).await;
    is_refused(&DueTask { tick: Some(seen.now), ..seen.clone() }).await;
    is_refused(&DueTask { task: Task { id: NOBODY, ..seen.task.clone() }, ..seen.clone() }).await;
    let changed = done(change(store, &seen.task, &seen.task.draft, None, 1).await);
    is_refused(&seen).await;
    is_refused(&DueTask { tick: None, ..seen.clone() }).await;
    is_refused(&DueTask { task: changed, ..seen.clone() }).await;
    let planned = the_due(store).await;
    done(change(store, &seen.task, &draft("b"), None, 2).await);
    is_refused(&planned).await;
    assert!(remove(store, &seen.task).await);
    is_refused(&planned).await;

    for n in 10..10 + CROWD {
        let seen = ticking(store, ana).await;
        let run = run_of(&seen.task, n);
        let draft = scheduled_draft("changed");
        let (advanced, changed) =
            join(advance(store, &seen, next, Some(&run)), change(store, &seen.task, &draft, None, 1)).await;
        assert_eq!(find_run(store, n).await.is_some(), advanced);
        let again = the_due(store).await;
        assert_eq!((again.task.revision, again.tick), (done(changed).revision, None));
        assert!(advance(store, &again, next, None).await);
    }
    for n in 50..50 + CROWD {
        let seen = ticking(store, ana).await;
        let run = run_of(&seen.task, n);
        join(advance(store, &seen, next, Some(&run)), remove(store, &seen.task)).await;
        assert_eq!((find_run(store, n).await, due(store).await), (None, vec![]));
    }
    for n in 100..100 + CROWD {
        let brief = user(store, &format!("brief{n}")).await;
        let seen = ticking(store, brief).await;
        let run = run_of(&seen.task, n);
        let (_, removed) = join(advance(store, &seen, next, Some(&run)), store.users().remove(brief)).await;
        removed.expect("remove");
        assert_eq!((find_run(store, n).await, due(store).await), (None, vec![]));
    }
}

/// Also when it is not their time.
pub async fn planned_tasks_are_listed(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    task(store, ana, "without a schedule").await;
    let list = async |after, most| store.schedules().planned(after, most).await.expect("planned");
    scheduled(store, ana).await;
    assert_eq!(list(0, 100).await, [], "not yet");
    let first = the_due(store).await;
    let next = Some(first.now + HOUR);
    assert!(advance(store, &first, next, None).await);
    let second = ticking(store, ana).await;
    let ids = async |after, most| list(after, most).await.iter().map(|due| due.task.id).collect::<Vec<_>>();
    let [a, b] = [first.task.id, second.task.id];
    assert_eq!(ids(0, 100).await, [a, b]);
    assert_eq!((ids(0, 1).await, ids(a, 1).await, ids(b, 1).await), (vec![a], vec![b], vec![]));
    let planned = list(0, 1).await.pop().expect("a task");
    assert_eq!((&planned.task, planned.tick), (&first.task, next));
    let sooner = Some(planned.now + HOUR / 2);
    assert!(advance(store, &planned, sooner, None).await);
    assert!(!advance(store, &planned, sooner, None).await, "it was seen before");
    assert_eq!(list(0, 1).await[0].tick, sooner);
}

/// Whoever plans by it and whoever takes up runs agree on the time.
pub async fn its_clock_is_that_of_runs(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let task = task(store, ana, "a").await;
    let now = async || store.schedules().now().await.expect("now");
    let before = now().await;
    let made_at = add_run(store, &run_of(&task, 1)).await.created_at;
    let after = now().await;
    assert!(before <= made_at && made_at <= after, "{before} {made_at} {after}");
}
