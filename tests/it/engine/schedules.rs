//! Several processes that look at one schedule.

use std::time::Duration;

use futures_util::future::join_all;
use malecon::domain::{Instant, Overlap, Run, Schedule};

use super::ground::{Engine, Ground, until};
use super::races::crowd;
use super::target::Target;

const LEASE: Duration = Duration::from_secs(1);
const PROCESSES: usize = 3;

/// The runs of a task as soon as there are so many.
async fn with_so_many(ground: &Ground, task: i64, count: usize) -> Vec<Run> {
    until(&format!("run {count}"), async || {
        let runs = ground.runs(task).await;
        (runs.len() >= count).then_some(runs)
    })
    .await
}

/// Checks that these runs can be those of one tick each: there is a tick each second, the first one of
/// theirs comes after so many seconds from `start` on, and no run is made before its tick.
fn one_for_each_tick(runs: &[Run], start: Instant, first: i64) {
    for (number, run) in (first..).zip(runs) {
        let tick = start.timestamp() + number;
        assert!(run.created_at.timestamp() >= tick, "run {number} from {start}: {runs:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn each_tick_makes_one_run_whoever_of_several_processes_is_killed() {
    let _alone = crowd().await;
    let (ground, target) = (Ground::new(Engine::Postgres).await, Target::quick().await);
    let clock = ground.task(&target, 1, None).await;
    let mut processes = join_all((0..PROCESSES).map(|_| ground.process(LEASE))).await;
    let start = ground.time(clock).await;
    let schedule = Schedule::new("* * * * * *", "America/Lima", Overlap::Allow).unwrap();
    let task = ground.task(&target, 20, Some(schedule)).await;
    for process in &mut processes {
        let runs = ground.runs(task).await.len();
        with_so_many(&ground, task, runs + 2).await;
        process.kill();
        *process = ground.process(LEASE).await;
    }
    let runs = with_so_many(&ground, task, 9).await;
    one_for_each_tick(&runs, start, 1);

    for process in &mut processes {
        process.kill();
    }
    let before = ground.runs(task).await;
    let pause = before.last().unwrap().created_at + Duration::from_secs(3);
    until("the end of the pause", async || (ground.time(clock).await > pause).then_some(())).await;
    let start = ground.time(clock).await;
    let _process = ground.process(LEASE).await;
    let runs = with_so_many(&ground, task, before.len() + 4).await;
    let ids = |runs: &[Run]| runs.iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(ids(&runs[..before.len()]), ids(&before));
    // The first one stands for all ticks of the pause.
    one_for_each_tick(&runs[before.len()..], start, 0);
    for run in &runs {
        ground.over(run).await;
        ground.succeeded_once(run, &target.calls()).await;
    }
}
