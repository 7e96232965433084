//! Targets that answer with more than anybody can hold, or never end.

use std::time::Duration;

use malecon::domain::{CallFault, Received, RunState, TaskConfig};
use rstest::rstest;

use super::ground::{Engine, Ground};
use super::process::Process;
use super::target::{Answer, Target};

/// Runs that are under way at once: twice as many as one host has unless told.
const CROWD: usize = 8;
const MIB: usize = 1024 * 1024;
/// How long a call may take: longer than any that ends by itself.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What becomes of so many runs whose target answers like that, at once.
async fn runs(
    ground: &Ground,
    answer: Answer,
    count: usize,
) -> Vec<(RunState, Option<CallFault>, Option<Received>)> {
    let target = Target::start(move |_| answer).await;
    let config = TaskConfig { timeout: TIMEOUT, ..Ground::config(&target, 1, None) };
    let task = ground.add(config).await;
    let mut runs = vec![];
    for _ in 0..count {
        runs.push(ground.run(task).await);
    }
    ground.all_over().await;
    let mut outcomes = vec![];
    for run in &runs {
        let (run, mut attempts) = ground.show(run).await;
        let trace = attempts.pop().unwrap().trace;
        outcomes.push((run.state, trace.fault, trace.received));
    }
    outcomes
}

/// How much a process grows while so many runs like that are under way.
async fn growth(ground: &Ground, process: &Process, answer: Answer) -> usize {
    // What the first ones make is there afterwards.
    runs(ground, answer, 2).await;
    let (before, _) = process.memory();
    let outcomes = runs(ground, answer, CROWD).await;
    let (_, peak) = process.memory();
    println!("{answer:?}: {} MiB before, {} MiB at most", before / MIB, peak / MIB);
    for (state, fault, received) in outcomes {
        if answer == Answer::Drip {
            assert_eq!((state, fault), (RunState::Failed, Some(CallFault::Timeout)));
        } else {
            let received = received.unwrap();
            assert_eq!((state, fault), (RunState::Succeeded, None));
            assert_eq!((received.body.len(), received.truncated), (Received::MOST_BYTES, true));
        }
    }
    peak.saturating_sub(before) / MIB
}

#[rstest]
#[case::endless_on_sqlite(Engine::Sqlite, Answer::Endless)]
#[case::bomb_on_sqlite(Engine::Sqlite, Answer::Bomb)]
#[case::drip_on_sqlite(Engine::Sqlite, Answer::Drip)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::endless_on_postgres(Engine::Postgres, Answer::Endless)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::bomb_on_postgres(Engine::Postgres, Answer::Bomb)]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_sends_does_not_fill_the_process(#[case] engine: Engine, #[case] answer: Answer) {
    let ground = Ground::new(engine).await;
    let process = ground.process(Duration::from_secs(60)).await;
    let grown = growth(&ground, &process, answer).await;
    assert!(grown < 32, "it has grown by {grown} MiB");
}
