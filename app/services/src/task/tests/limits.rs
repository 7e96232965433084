//! How much one user may have, and what happens beyond.

use malecon_ports::{MockRunRepository, RepositoryError, RunLease};

use super::bench::answer;
use super::*;

/// A bench with these limits.
async fn limited(limits: TaskLimits) -> Bench {
    let bench = Bench::new().await;
    let tasks = bench.tasks.clone().with_limits(limits);
    Bench { tasks, ..bench }
}

fn limit<T: std::fmt::Debug>(answer: Result<T, ServiceError>) -> u64 {
    match answer {
        Err(ServiceError::Conflict { code: "quota_exceeded", limit: Some(limit), .. }) => limit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_user_has_so_many_tasks_and_open_runs() {
    let limits = TaskLimits { tasks: Some(2), open_runs: Some(3), ..TaskLimits::default() };
    let bench = limited(limits).await;
    let add = || bench.tasks.add(&bench.ana, draft("http://a/"));
    let (one, two) = (add().await.unwrap(), add().await.unwrap());
    assert_eq!(limit(add().await), 2);
    assert!(bench.tasks.add(&bench.admin, draft("http://a/")).await.is_ok(), "each has its own");

    let execute = |task: &Task, once| bench.tasks.execute(&bench.ana, task.id, once);
    let keyed = execute(&one, Some(("k", b"1"))).await.unwrap();
    let run = execute(&two, None).await.unwrap();
    execute(&two, None).await.unwrap();
    assert_eq!(limit(execute(&one, None).await), 3);
    assert_eq!(limit(bench.tasks.replay(&bench.ana, two.id, run.id, None).await), 3);
    assert_eq!(execute(&one, Some(("k", b"1"))).await.unwrap().id, keyed.id, "it is there already");
    bench.tasks.cancel(&bench.ana, two.id, run.id).await.unwrap();
    execute(&one, None).await.unwrap();
    bench.tasks.remove(&bench.ana, two.id).await.unwrap();
    add().await.unwrap();
}

#[tokio::test]
async fn ticks_beyond_are_skipped_and_the_schedule_goes_on() {
    let bench = limited(TaskLimits { open_runs: Some(1), ..TaskLimits::default() }).await;
    let mut scheduled = draft("http://a/");
    scheduled.config.schedule = Some(Schedule::new("* * * * * *", "UTC", Overlap::Allow).unwrap());
    let task = bench.tasks.add(&bench.ana, scheduled).await.unwrap();
    bench.tasks.tick_unattended().await.unwrap();
    let mut made = vec![];
    for _ in 0..4 {
        bench.clock.advance(SECOND);
        made.push(bench.tasks.tick_unattended().await.unwrap());
    }
    assert_eq!(made, [1, 0, 0, 0]);
    assert_eq!(*bench.tasks.skipped.lock().unwrap(), BTreeSet::from([bench.ana.user_id]), "told once");
    let [run] = &bench.tasks.runs(&bench.ana, &RunQuery::latest(task.id)).await.unwrap()[..] else {
        panic!()
    };
    bench.tasks.cancel(&bench.ana, task.id, run.id).await.unwrap();
    bench.clock.advance(SECOND);
    assert_eq!(bench.tasks.tick_unattended().await.unwrap(), 1);
    assert!(bench.tasks.skipped.lock().unwrap().is_empty(), "told again the next time");
}

#[tokio::test]
async fn the_oldest_bodies_go_when_there_are_too_many() {
    const MOST: usize = 64_000;
    let bench = limited(TaskLimits { kept_bytes: Some(MOST as u64), ..TaskLimits::default() }).await;
    bench.target.will([answer(200, &[], &[b'x'; MOST / 4])]);
    let task = bench.tasks.add(&bench.ana, draft("http://a/")).await.unwrap();
    let mut runs = vec![];
    for _ in 0..6 {
        // Numbers of one millisecond are in no order.
        bench.clock.advance(SECOND);
        runs.push(bench.tasks.execute(&bench.ana, task.id, None).await.unwrap());
        let run = bench.store.claim(&[], SECOND).await.unwrap().unwrap();
        let (next, trace) = bench.tasks.handler().attempt(&run).await.unwrap();
        let lease = RunLease { id: run.id, attempt: run.attempts };
        assert!(bench.store.finish(&lease, next, &trace).await.unwrap());
    }
    let dropped = async || {
        let mut dropped = vec![];
        for run in &runs {
            let (_, attempts) = bench.tasks.show_run(&bench.ana, task.id, run.id).await.unwrap();
            dropped.push(attempts[0].trace.body_dropped);
        }
        dropped
    };
    assert_eq!(bench.tasks.drop_bodies_unattended(false).await.unwrap(), 3);
    assert_eq!(dropped().await, [true, true, true, false, false, false]);
    assert_eq!(bench.tasks.drop_bodies_unattended(false).await.unwrap(), 0);

    // One that begins anew knows of nobody; it looks at everybody.
    let anew = bench.with_key(0).with_limits(TaskLimits { kept_bytes: Some(1), ..TaskLimits::default() });
    assert_eq!(anew.drop_bodies_unattended(false).await.unwrap(), 0);
    assert_eq!(anew.drop_bodies_unattended(true).await.unwrap(), 3);
    let none = bench.with_key(0);
    assert_eq!(none.drop_bodies_unattended(true).await.unwrap(), 0, "there is no limit");
}

#[tokio::test]
async fn whose_bodies_could_not_be_looked_at_is_looked_at_again() {
    let bench = limited(TaskLimits { kept_bytes: Some(100), ..TaskLimits::default() }).await;
    let mut runs = MockRunRepository::new();
    let mut fails = true;
    runs.expect_drop_bodies().times(2).returning(move |owner, bytes, _| {
        assert_eq!((owner, bytes), (7, 100));
        if std::mem::take(&mut fails) { Err(RepositoryError::Unavailable("gone".into())) } else { Ok(1) }
    });
    let ports = TaskPorts { runs: Arc::new(runs), ..bench.tasks.ports.clone() };
    let tasks = TaskService::new(ports, None).with_limits(bench.tasks.limits);
    tasks.hoard.wrote(7, 3);
    assert_eq!(tasks.drop_bodies_unattended(false).await.unwrap(), 0, "that is not much");
    tasks.hoard.wrote(7, 4);
    assert!(tasks.drop_bodies_unattended(false).await.is_err());
    assert_eq!(tasks.drop_bodies_unattended(false).await.unwrap(), 1);
    assert_eq!(tasks.drop_bodies_unattended(false).await.unwrap(), 0);
}
