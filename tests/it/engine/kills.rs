//! Processes that are killed, or stopped for so long that others take over.

use std::time::Duration;

use futures_util::future::join_all;
use malecon::domain::{AttemptEnd, Run, RunId, RunState};
use reqwest::Method;
use rstest::rstest;
use serde_json::Value;

use super::ground::{Engine, Ground, random, setting};
use super::target::{Answer, Target};
use crate::support::{CONSUMER, Client};

/// Long enough that it is renewed in time, short enough to be waited for.
const LEASE: Duration = Duration::from_secs(1);
/// Tasks that are run in each round.
const TASKS: usize = 25;

/// How often a process is killed.
fn rounds() -> usize {
    setting("MALECON_TEST_ROUNDS", 5) as usize
}

/// The run that a process has accepted, unless it died first.
async fn execute(client: &Client, task: i64, key: &str) -> Option<RunId> {
    let request = client.request(Method::POST, &format!("/integration-tasks/execute/{task}"));
    let response = request.bearer_auth(CONSUMER).header("Idempotency-Key", key).send().await.ok()?;
    assert_eq!(response.status(), 202);
    let ticket: Value = response.json().await.ok()?;
    Some(ticket["run"]["id"].as_str().unwrap().parse().unwrap())
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn whenever_a_process_is_killed_what_it_has_accepted_is_done(#[case] engine: Engine) {
    let (ground, target) = (Ground::new(engine).await, Target::quick().await);
    let tasks = join_all((0..TASKS).map(|_| ground.task(&target, 20, None))).await;
    let mut process = ground.process(LEASE).await;
    for round in 1..=rounds() {
        let (before, key) = (target.calls(), format!("order {round}"));
        let client = process.client.clone();
        let accepted = join_all(tasks.iter().map(|task| execute(&client, *task, &key)));
        let killed = async {
            target.reached(target.total() + random(TASKS + 1)).await;
            tokio::time::sleep(Duration::from_micros(random(20_000) as u64)).await;
            process.kill();
        };
        let (accepted, ()) = tokio::join!(accepted, killed);

        process = ground.process(LEASE).await;
        let again = join_all(tasks.iter().map(|task| execute(&process.client, *task, &key))).await;
        for (accepted, again) in accepted.iter().zip(&again) {
            assert!(again.is_some());
            assert!(accepted.is_none() || accepted == again, "{accepted:?} is not {again:?}");
        }
        ground.all_over().await;
        let calls = target.calls();
        for (run, count) in before {
            assert_eq!(calls[&run], count, "{run} was over, and is called again");
        }
        assert_eq!(calls.len(), round * TASKS, "each run has one key");
        for (task, id) in tasks.iter().zip(again) {
            let runs = ground.runs(*task).await;
            assert_eq!((runs.len(), Some(runs[round - 1].id)), (round, id));
            ground.succeeded_once(&runs[round - 1], &calls).await;
        }
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_its_process_each_time_is_given_up_in_the_end(#[case] engine: Engine) {
    let (ground, deadly) = (Ground::new(engine).await, Target::start(|_| Answer::Held).await);
    let quick = Target::quick().await;
    let poison = ground.run(ground.task(&deadly, 1, None).await).await;
    let most = Run::MAX_LOST as usize;
    for attempt in 1..=most {
        let mut process = ground.process(LEASE).await;
        deadly.reached(attempt).await;
        process.kill();
    }
    let mut process = ground.process(LEASE).await;
    let (run, attempts) = ground.over(&poison).await;
    assert_eq!((run.state, attempts.len()), (RunState::Failed, most));
    assert!(attempts.iter().all(|attempt| attempt.end == Some(AttemptEnd::Lost)), "{attempts:?}");
    assert!(attempts[most - 1].error().unwrap().contains("crashed"), "and it says why");
    let next = ground.run(ground.task(&quick, 1, None).await).await;
    assert_eq!(ground.over(&next).await.0.state, RunState::Succeeded, "the next one is none the worse");
    assert!(process.lives());
    assert_eq!(deadly.calls(), [(poison.id.to_string(), most)].into());
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn who_was_stopped_past_its_lease_changes_nothing_afterwards(#[case] engine: Engine) {
    // Long enough that it is not being renewed when the process is stopped.
    const LEASE: Duration = Duration::from_secs(3);
    let held_first = |nth| if nth == 1 { Answer::Held } else { Answer::AtOnce };
    let (ground, slow) = (Ground::new(engine).await, Target::start(held_first).await);
    let quick = Target::quick().await;
    let one = ["--workers", "1", "--per-host", "1"];
    let stopped = ground.process_with(&ground.url, &one, LEASE).await;
    let run = ground.run(ground.task(&slow, 1, None).await).await;
    slow.reached(1).await;
    stopped.pause();

    let mut other = ground.process(LEASE).await;
    let over = ground.over(&run).await;
    let ends = |attempts: &[malecon::domain::Attempt]| attempts.iter().map(|a| a.end).collect::<Vec<_>>();
    assert_eq!(over.0.state, RunState::Succeeded);
    assert_eq!(ends(&over.1), [Some(AttemptEnd::Lost), Some(AttemptEnd::Succeeded)]);

    other.kill();
    slow.let_go();
    stopped.go_on();
    // It does one thing after the other: when it has done this, it has said what it had to say of that.
    let next = ground.run(ground.task(&quick, 1, None).await).await;
    assert_eq!(ground.over(&next).await.0.state, RunState::Succeeded);
    assert_eq!(ground.show(&run).await, over);
    assert_eq!(slow.calls(), [(run.id.to_string(), 2)].into());
}
