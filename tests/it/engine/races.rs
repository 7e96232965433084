//! Several workers on one database, and targets of different speed.

use std::time::Duration;

use futures_util::future::join_all;
use malecon::domain::{RunState, RunSummary};
use rstest::rstest;
use tokio::sync::{Mutex, MutexGuard};

use super::ground::{Engine, Ground};
use super::process::{config, worker};
use super::target::{Answer, Target};

/// So long that no machine is too slow to renew it.
const LEASE: Duration = Duration::from_secs(60);
/// Runs that they race for, of so many tasks.
const RUNS: usize = 2_000;
const TASKS: usize = 8;

/// Tests with crowds of processes come one after the other: a database has only so many connections.
pub async fn crowd() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::const_new(());
    CROWD.lock().await
}

/// The tasks of as many runs.
async fn with_runs(ground: &Ground, target: &Target) -> Vec<i64> {
    let tasks = join_all((0..TASKS).map(|_| ground.task(target, 3, None))).await;
    join_all(tasks.iter().map(async |task| {
        for _ in 0..RUNS / TASKS {
            ground.run(*task).await;
        }
    }))
    .await;
    tasks
}

/// Checks that each run was done by one of them, once.
async fn each_was_done_once(ground: &Ground, target: &Target, tasks: Vec<i64>) {
    ground.all_over().await;
    let runs: Vec<RunSummary> = join_all(tasks.iter().map(|task| ground.runs(*task))).await.concat();
    assert_eq!(runs.len(), RUNS);
    let once = |run: &RunSummary| (run.state, run.attempts) == (RunState::Succeeded, 1);
    assert_eq!(runs.iter().find(|run| !once(run)), None);
    assert_eq!(target.calls(), runs.iter().map(|run| (run.id.to_string(), 1)).collect());
}

#[rstest]
#[case::two(2)]
#[case::four(4)]
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn of_several_processes_one_does_each_run(#[case] count: usize) {
    let _alone = crowd().await;
    let (ground, target) = (Ground::new(Engine::Postgres).await, Target::quick().await);
    let processes = join_all((0..count).map(|_| ground.process(LEASE))).await;
    let tasks = with_runs(&ground, &target).await;
    each_was_done_once(&ground, &target, tasks).await;
    drop(processes);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_workers_on_a_file_one_does_each_run() {
    let (ground, target) = (Ground::new(Engine::Sqlite).await, Target::quick().await);
    for _ in 0..4 {
        let worker = worker(&ground.wired, &config(&ground.flags), LEASE);
        tokio::spawn(async move { worker.work(std::future::pending()).await });
    }
    let tasks = with_runs(&ground, &target).await;
    each_was_done_once(&ground, &target, tasks).await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_answer_holds_up_nobody_else(#[case] engine: Engine) {
    let (ground, slow) = (Ground::new(engine).await, Target::start(|_| Answer::Held).await);
    let quick = Target::quick().await;
    let bounds = ["--workers", "16", "--per-host", "4"];
    let _process = ground.process_with(&ground.url, &bounds, LEASE).await;
    let (slow_task, quick_task) = (ground.task(&slow, 1, None).await, ground.task(&quick, 1, None).await);
    for _ in 0..200 {
        ground.run(slow_task).await;
    }
    slow.reached(4).await;
    for _ in 0..20 {
        let run = ground.run(quick_task).await;
        assert_eq!(ground.over(&run).await.0.state, RunState::Succeeded);
    }
    let tally = ground.tasks().tally_unattended().await.unwrap();
    assert_eq!((tally.queued, tally.running, slow.total()), (196, 4, 4), "the slow ones wait as before");
    slow.let_go();
    ground.all_over().await;
    assert_eq!(slow.total(), 200);
}
