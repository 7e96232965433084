//! Regular expressions that are a lot of work.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use malecon::domain::{RunState, SuccessRule, TaskConfig, TaskDraft};
use malecon::ports::TaskRepository;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::ground::{Engine, Ground};
use super::program::Program;
use super::target::Target;

/// Far more than an idle server takes, far less than one that matches at the same time.
const SOON: Duration = Duration::from_secs(5);

/// A mebibyte that such expressions take long over.
async fn ones() -> MockServer {
    let server = MockServer::start().await;
    let body = "1".repeat(1024 * 1024);
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_string(body)).mount(&server).await;
    server
}

fn matching(url: String, regex: &str) -> TaskConfig {
    let success = SuccessRule { body_regex: Some(regex.to_owned()), ..SuccessRule::default() };
    let config = Ground::config_of(url, 1, None);
    TaskConfig { success, ..config }
}

/// A task whose expression is about as large as one may be.
async fn largest(ground: &Ground, target: &MockServer) -> i64 {
    for size in (1..30).rev() {
        let config = matching(target.uri(), &format!("[01]*1[01]{{{}}}[2-9a-z]", 100 * size));
        let draft = TaskDraft { name: "Wait for the warehouse".to_owned(), config };
        if let Ok(task) = ground.tasks().add(&ground.user, draft).await {
            return task.id;
        }
    }
    panic!("none is small enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_matched_the_server_answers() {
    let (ground, ones) = (Ground::new(Engine::Sqlite).await, ones().await);
    let mut program = Program::start("serve", &ground.flags).await;
    let client = program.client().await;
    let task = largest(&ground, &ones).await;
    let mut runs = vec![];
    for _ in 0..4 {
        runs.push(ground.run(task).await);
    }
    let over = join_all(runs.iter().map(|run| ground.over(run)));
    let health = async {
        loop {
            let asked = Instant::now();
            assert_eq!(client.get("/health/live").await.status(), 200);
            assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let over = tokio::select! {
        over = over => over,
        () = health => unreachable!("it goes on"),
    };
    for (run, attempts) in over {
        let reason = attempts[0].error().unwrap();
        assert_eq!((run.state, attempts.len()), (RunState::Failed, 1), "{reason}");
        assert!(reason.contains("takes too long") || reason.contains("not what the task calls"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_kept_before_there_was_a_limit_fails_its_runs_and_says_so() {
    let (ground, quick) = (Ground::new(Engine::Sqlite).await, Target::quick().await);
    let _program = Program::start("worker", &ground.flags).await;
    let id = ground.add(matching(quick.url(), "done")).await;
    assert_eq!(ground.over(&ground.run(id).await).await.0.state, RunState::Succeeded);

    let config = matching(quick.url(), "[01]*1[01]{9000}[2-9a-z]");
    let draft = TaskDraft { name: "of an earlier version".to_owned(), config };
    let error = ground.tasks().change(&ground.user, id, draft.clone(), None).await.unwrap_err();
    assert!(format!("{error:?}").contains("too large"), "{error:?}");
    let (tasks, at) = (ground.wired.store.tasks(), ground.time(id).await);
    tasks.change(ground.user.user_id, id, &draft, None, at).await.unwrap();
    let (run, attempts) = ground.over(&ground.run(id).await).await;
    let reason = attempts[0].error().unwrap();
    assert_eq!((run.state, attempts.len()), (RunState::Failed, 1));
    assert!(reason.starts_with("regex_too_large"), "{reason}");
}
