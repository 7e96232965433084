//! Several processes that look at one schedule.

use std::time::Duration;

use futures_util::future::join_all;
use malecon::domain::{Instant, Overlap, RunSummary, Schedule};

use super::ground::{Engine, Ground, random, setting, until};
use super::races::crowd;
use super::target::Target;

const LEASE: Duration = Duration::from_secs(1);
const PROCESSES: usize = 3;
/// Processes of which some are killed at random.
const CROWD: usize = 5;
/// Seconds that a run may come after its tick, when its ticks are told apart.
const LATE: i64 = 1;

/// The runs of a task as soon as there are so many, in the order in which they were made.
pub async fn with_so_many(ground: &Ground, task: i64, count: usize) -> Vec<RunSummary> {
    until(&format!("run {count}"), async || {
        let mut runs = ground.runs(task).await;
        runs.sort_by_key(|run| run.created_at);
        (runs.len() >= count).then_some(runs)
    })
    .await
}

/// Checks that these runs can be those of one tick each: there is a tick each second, the first one of
/// theirs comes after so many seconds from `start` on, and no run is made before its tick.
pub fn one_for_each_tick(runs: &[RunSummary], start: Instant, first: i64) {
    for (number, run) in (first..).zip(runs) {
        let tick = start.timestamp() + number;
        assert!(run.created_at.timestamp() >= tick, "run {number} from {start}: {runs:#?}");
    }
}

/// How many ticks from `start` to the last of these runs have none. There is a tick each second; each
/// run must find a tick of its own that is not later than itself, and not much earlier.
fn without_a_run(runs: &[RunSummary], start: Instant) -> i64 {
    let mut last = start.timestamp();
    for (number, run) in runs.iter().enumerate() {
        let made = run.created_at.timestamp();
        let tick = (last + 1).max(made - LATE);
        assert!(tick <= made, "run {number} from {start} has no tick: {runs:#?}");
        last = tick;
    }
    runs.last().map_or(0, |run| run.created_at.timestamp() - start.timestamp() - runs.len() as i64)
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn of_five_processes_any_may_be_killed_at_any_time() {
    let _alone = crowd().await;
    let (ground, target) = (Ground::new(Engine::Postgres).await, Target::quick().await);
    let clock = ground.task(&target, 1, None).await;
    let mut processes = join_all((0..CROWD).map(|_| ground.process(LEASE))).await;
    let schedule = Schedule::new("* * * * * *", "Europe/Madrid", Overlap::Allow).unwrap();
    let task = ground.task(&target, 20, Some(schedule)).await;
    let start = ground.time(clock).await;
    let end = start + Duration::from_secs(setting("MALECON_TEST_SECONDS", 15));
    let mut kills = 0;
    while ground.time(clock).await < end {
        tokio::time::sleep(Duration::from_millis(random(1_500) as u64)).await;
        let dead = [random(CROWD), random(CROWD)];
        for dead in dead {
            processes[dead].kill();
        }
        kills += dead.len();
        tokio::time::sleep(Duration::from_millis(random(500) as u64)).await;
        for dead in dead {
            if !processes[dead].lives() {
                processes[dead] = ground.process(LEASE).await;
            }
        }
    }
    let so_far = ground.runs(task).await.len();
    let runs = with_so_many(&ground, task, so_far + 2).await;
    let missing = without_a_run(&runs, start);
    println!(
        "{} ticks, {} runs, {kills} kills, {missing} ticks without a run",
        runs.len() as i64 + missing,
        runs.len()
    );
    // Whoever is killed while it looks can leave a tick to the next one.
    assert!(missing <= kills as i64, "{missing} of {} with {kills} kills: {runs:#?}", runs.len());
    let mut lost = 0;
    for run in &runs {
        ground.over(run).await;
        lost += ground.succeeded_once(run, &target.calls()).await;
    }
    println!("{lost} attempts were lost and made again");
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
    let ids = |runs: &[RunSummary]| runs.iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(ids(&runs[..before.len()]), ids(&before));
    // The first one stands for all ticks of the pause.
    one_for_each_tick(&runs[before.len()..], start, 0);
    for run in &runs {
        ground.over(run).await;
        ground.succeeded_once(run, &target.calls()).await;
    }
}
