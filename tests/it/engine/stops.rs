//! Programs that are told to stop, as in a deploy.

use malecon::domain::{AttemptEnd, RunState, RunSummary};
use rstest::rstest;

use super::ground::{Engine, Ground};
use super::program::Program;
use super::target::{Answer, Target};

async fn program(ground: &Ground, command: &str, grace: &str) -> Program {
    let grace = ["--grace", grace].map(str::to_owned);
    Program::start(command, &[&ground.flags[..], &grace].concat()).await
}

/// A run of one attempt, which is under way.
async fn under_way(ground: &Ground, slow: &Target) -> RunSummary {
    let run = ground.run(ground.task(slow, 1, None).await).await;
    slow.reached(1).await;
    run
}

async fn ends(ground: &Ground, run: &RunSummary) -> (RunState, Vec<Option<AttemptEnd>>) {
    let (run, attempts) = ground.show(run).await;
    (run.state, attempts.iter().map(|attempt| attempt.end).collect())
}

fn held_first(nth: usize) -> Answer {
    if nth == 1 { Answer::Held } else { Answer::AtOnce }
}

#[rstest]
#[case::serve_on_sqlite(Engine::Sqlite, "serve")]
#[case::worker_on_sqlite(Engine::Sqlite, "worker")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::serve_on_postgres(Engine::Postgres, "serve")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::worker_on_postgres(Engine::Postgres, "worker")]
#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_fails_no_run_even_if_it_has_one_attempt(#[case] engine: Engine, #[case] command: &str) {
    let (ground, slow) = (Ground::new(engine).await, Target::start(held_first).await);
    let mut first = program(&ground, command, "200ms").await;
    let run = under_way(&ground, &slow).await;
    first.signal("TERM");
    assert!(first.ended().await.success());
    assert_eq!(ends(&ground, &run).await, (RunState::Queued, vec![Some(AttemptEnd::Interrupted)]));
    assert!(ground.show(&run).await.1[0].error().unwrap().contains("stopped"));

    let _second = program(&ground, command, "200ms").await;
    ground.over(&run).await;
    let both = vec![Some(AttemptEnd::Interrupted), Some(AttemptEnd::Succeeded)];
    assert_eq!(ends(&ground, &run).await, (RunState::Succeeded, both));
    assert_eq!(slow.calls(), [(run.id.to_string(), 2)].into(), "with the same key");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_within_the_grace_is_not_interrupted_and_nothing_new_is_begun(#[case] engine: Engine) {
    let (ground, slow) = (Ground::new(engine).await, Target::start(held_first).await);
    let quick = Target::quick().await;
    let mut program = program(&ground, "serve", "10m").await;
    let run = under_way(&ground, &slow).await;
    program.signal("TERM");
    program.says("stopping").await;
    let late = ground.run(ground.task(&quick, 1, None).await).await;
    slow.let_go();
    assert!(program.ended().await.success());
    assert_eq!(ends(&ground, &run).await, (RunState::Succeeded, vec![Some(AttemptEnd::Succeeded)]));
    assert_eq!(ends(&ground, &late).await, (RunState::Queued, vec![]));
}

#[rstest]
#[case::serve("serve", "TERM", 143)]
#[case::worker("worker", "INT", 130)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once(#[case] command: &str, #[case] signal: &str, #[case] code: i32) {
    let (ground, slow) = (Ground::new(Engine::Sqlite).await, Target::start(held_first).await);
    let mut program = program(&ground, command, "10m").await;
    under_way(&ground, &slow).await;
    program.signal("TERM");
    program.says("stopping").await;
    program.signal(signal);
    assert_eq!(program.ended().await.code(), Some(code));
}

#[rstest]
#[case::serve("serve")]
#[case::worker("worker")]
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_hangs_up_is_nothing_to_it(#[case] command: &str) {
    let (ground, quick) = (Ground::new(Engine::Sqlite).await, Target::quick().await);
    let mut program = program(&ground, command, "10s").await;
    program.signal("HUP");
    program.says("SIGHUP is ignored").await;
    let run = ground.run(ground.task(&quick, 1, None).await).await;
    assert_eq!(ground.over(&run).await.0.state, RunState::Succeeded);
    program.signal("TERM");
    assert!(program.ended().await.success());
}
