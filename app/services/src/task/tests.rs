//! Tasks: what is refused, what is sealed, and which runs are made.

pub(crate) mod bench;
mod clocks;
mod limits;

use futures_util::future::join_all;
use malecon_domain::{Overlap, RetryRule, RunState, Schedule};
use malecon_ports::TaskQueue;
use rstest::rstest;

use self::bench::{Bench, SECOND, draft, header};
use super::*;

fn members(error: ServiceError) -> Vec<String> {
    match error {
        ServiceError::Invalid(faults) => faults.into_iter().map(|fault| fault.member.into_owned()).collect(),
        other => panic!("{other:?}"),
    }
}

macro_rules! assert_error {
    ($answer:expr, $error:pat) => {{
        let answer = $answer;
        assert!(matches!(answer, Err($error)), "{answer:?}");
    }};
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let bench = Bench::new().await;
    let mut wrong = draft("http://blocked/");
    wrong.name = String::new();
    wrong.config.success.body_regex = Some("(".to_owned());
    wrong.config.retry.max_attempts = 0;
    wrong.config.headers = vec![header("Host", "a"), header("Authorization", Sent::MASK)];
    let wanted = [
        "name",
        "config/retry/max_attempts",
        "config/headers/Host",
        "config/success/body_regex",
        "config/base_url",
        "config/headers/Authorization",
    ];
    assert_eq!(members(bench.tasks.add(&bench.ana, wrong).await.unwrap_err()), wanted);
    assert!(
        bench.tasks.add(&bench.ana, draft("http://unknown/")).await.is_ok(),
        "it may have an address later"
    );
}

#[tokio::test]
async fn secrets_are_sealed_shown_masked_and_kept_by_their_masks() {
    let bench = Bench::new().await;
    let mut draft = draft("http://a/");
    draft.config.headers = vec![header("X-Plain", "p"), header("X-Api-Key", "s3cret")];
    let task = bench.tasks.add(&bench.ana, draft.clone()).await.unwrap();
    let stored = &task.draft.config.headers;
    assert_eq!(stored[0], header("X-Plain", "p"));
    let HeaderText::Sealed(seal) = stored[1].value.clone() else { panic!("{stored:?}") };
    assert!(!format!("{task:?}").contains("s3cret"));

    draft.config.headers = vec![header("x-api-key", Sent::MASK)];
    let task = bench.tasks.change(&bench.ana, task.id, draft.clone(), None).await.unwrap();
    assert_eq!(task.draft.config.headers[0].value, HeaderText::Sealed(seal), "as it was");
    let check = bench.tasks.check(&bench.ana, task.id).await.unwrap();
    assert_eq!(check.sent.headers, [("x-api-key".to_owned(), Sent::MASK.to_owned())]);
    assert_eq!((check.verdict, bench.target.asked()), (Ok(()), 0), "nothing is sent");

    draft.config.headers = vec![header("Authorization", Sent::MASK)];
    let error = bench.tasks.change(&bench.ana, task.id, draft, None).await.unwrap_err();
    assert_eq!(members(error), ["config/headers/Authorization"]);
}

#[rstest]
#[case::path("https://a/other?x=1", true)]
#[case::host("https://b/", false)]
#[case::scheme("http://a/", false)]
#[case::port("https://a:444/", false)]
#[tokio::test]
async fn a_secret_stays_with_whom_it_was_given_for(#[case] url: &str, #[case] stays: bool) {
    let bench = Bench::new().await;
    let mut whole = draft("https://a/");
    whole.config.headers = vec![header("X-Plain", "p"), header("Authorization", "Bearer s3cret")];
    let task = bench.tasks.add(&bench.ana, whole.clone()).await.unwrap();
    let run = bench.tasks.execute(&bench.ana, task.id, None).await.unwrap();

    // As its mask, as what was read, and for a single run.
    whole.config.base_url = url.to_owned();
    let mut masked = whole.clone();
    masked.config.headers[1] = header("Authorization", Sent::MASK);
    let read =
        TaskDraft { config: TaskConfig { base_url: url.to_owned(), ..task.draft.config }, ..whole.clone() };
    for draft in [&masked, &read] {
        let replayed = bench.tasks.replay(&bench.ana, task.id, run.id, Some(draft.config.clone())).await;
        let changed = bench.tasks.change(&bench.ana, task.id, draft.clone(), None).await;
        if stays {
            assert!(replayed.is_ok() && changed.is_ok(), "{replayed:?} {changed:?}");
            continue;
        }
        for error in [replayed.unwrap_err(), changed.unwrap_err()] {
            assert!(error.to_string().contains("give the secret again"), "{error}");
            assert_eq!(members(error), ["config/headers/Authorization"]);
        }
    }
    assert!(bench.tasks.change(&bench.ana, task.id, whole, None).await.is_ok(), "given again");
}

#[tokio::test]
async fn what_was_kept_before_it_was_known_for_a_secret_is_masked_and_sealed() {
    let bench = Bench::new().await;
    let mut draft = draft("http://a/");
    draft.config.headers = vec![header("X-Signature", "s3cret")];
    let now = bench.clock.now();
    let task = bench.tasks.ports.tasks.add(bench.ana.user_id, &draft, None, now).await.unwrap().unwrap();
    let check = bench.tasks.check(&bench.ana, task.id).await.unwrap();
    assert_eq!(check.sent.headers, [("X-Signature".to_owned(), Sent::MASK.to_owned())]);
    draft.config.headers = vec![header("X-Signature", Sent::MASK)];
    let task = bench.tasks.change(&bench.ana, task.id, draft, None).await.unwrap();
    let HeaderText::Sealed(seal) = &task.draft.config.headers[0].value else { panic!("{task:?}") };
    assert_eq!(bench.tasks.seals.open(seal).await.unwrap().as_deref(), Some("s3cret"));
}

#[tokio::test]
async fn tasks_and_runs_are_their_owners_alone() {
    let bench = Bench::new().await;
    let (tasks, ana) = (&bench.tasks, &bench.ana);
    let task = tasks.add(ana, draft("http://a/")).await.unwrap();
    let run = tasks.execute(ana, task.id, None).await.unwrap();
    let other = tasks.add(ana, draft("http://b/")).await.unwrap();
    for (caller, id) in [(&bench.admin, task.id), (ana, 4_711)] {
        assert_error!(tasks.find(caller, id).await, ServiceError::NotFound);
        assert_error!(tasks.change(caller, id, draft("http://c/"), None).await, ServiceError::NotFound);
        assert_error!(tasks.remove(caller, id).await, ServiceError::NotFound);
        assert_error!(tasks.execute(caller, id, None).await, ServiceError::NotFound);
        assert_error!(tasks.runs(caller, &RunQuery::latest(id)).await, ServiceError::NotFound);
        assert_error!(tasks.check(caller, id).await, ServiceError::NotFound);
    }
    for (caller, id) in [(&bench.admin, task.id), (ana, 4_711), (ana, other.id)] {
        assert_error!(tasks.show_run(caller, id, run.id).await, ServiceError::NotFound);
        assert_error!(tasks.cancel(caller, id, run.id).await, ServiceError::NotFound);
        assert_error!(tasks.replay(caller, id, run.id, None).await, ServiceError::NotFound);
    }
    assert_eq!(tasks.list(&bench.admin, &TaskQuery::default()).await.unwrap().total, 0);
    assert_eq!(tasks.list(ana, &TaskQuery::default()).await.unwrap().total, 2);
    tasks.remove(ana, task.id).await.unwrap();
    assert_error!(tasks.show_run(ana, task.id, run.id).await, ServiceError::NotFound);
}

#[tokio::test]
async fn a_change_of_another_revision_is_outdated() {
    let bench = Bench::new().await;
    let task = bench.tasks.add(&bench.ana, draft("http://a/")).await.unwrap();
    let change = |revision| bench.tasks.change(&bench.ana, task.id, draft("http://b/"), revision);
    let changed = change(Some(task.revision)).await.unwrap();
    assert_eq!(changed.draft.config.base_url, "http://b/");
    assert_error!(
        change(Some(task.revision)).await,
        ServiceError::Conflict { code: ServiceError::OUTDATED, .. }
    );
}

#[tokio::test]
async fn a_key_and_a_body_make_one_run() {
    let bench = Bench::new().await;
    let [task, other] = [draft("http://a/"), draft("http://b/")];
    let task = bench.tasks.add(&bench.ana, task).await.unwrap().id;
    let other = bench.tasks.add(&bench.ana, other).await.unwrap().id;
    let execute =
        |id, key: &'static str, body: &'static [u8]| bench.tasks.execute(&bench.ana, id, Some((key, body)));
    let first = execute(task, "k", b"1").await.unwrap();
    assert_eq!((first.state, first.max_attempts), (RunState::Queued, 3));
    assert_eq!(execute(task, "k", b"1").await.unwrap().id, first.id);
    assert_eq!(members(execute(task, "k", b"2").await.unwrap_err()), ["Idempotency-Key"]);
    assert_ne!(execute(task, "l", b"1").await.unwrap().id, first.id);
    assert_ne!(execute(other, "k", b"1").await.unwrap().id, first.id, "each task has its own");
    let [one, two] =
        [bench.tasks.execute(&bench.ana, task, None), bench.tasks.execute(&bench.ana, task, None)];
    assert_ne!(one.await.unwrap().id, two.await.unwrap().id);
}

#[rstest]
#[case::empty("")]
#[case::long(&"x".repeat(256))]
#[case::control("a\nb")]
#[tokio::test]
async fn an_odd_key_is_refused(#[case] key: &str) {
    let bench = Bench::new().await;
    let task = bench.tasks.add(&bench.ana, draft("http://a/")).await.unwrap();
    let error = bench.tasks.execute(&bench.ana, task.id, Some((key, b""))).await.unwrap_err();
    assert_eq!(members(error), ["Idempotency-Key"]);
}

#[tokio::test]
async fn a_run_keeps_what_it_was_made_of_and_is_repeated_with_that_or_another() {
    let bench = Bench::new().await;
    let (tasks, ana) = (&bench.tasks, &bench.ana);
    let mut first = draft("http://a/");
    first.config.headers = vec![header("Authorization", "s3cret")];
    let task = tasks.add(ana, first.clone()).await.unwrap();
    let run = tasks.execute(ana, task.id, None).await.unwrap();
    tasks.change(ana, task.id, draft("http://b/"), None).await.unwrap();

    let again = tasks.replay(ana, task.id, run.id, None).await.unwrap();
    assert_eq!((&again.job, again.replayed_from), (&run.job, Some(run.id)));
    let mut edited = first.config.clone();
    edited.base_url = "http://a/elsewhere".to_owned();
    edited.headers = vec![header("Authorization", Sent::MASK)];
    edited.retry = RetryRule { max_attempts: 7, ..RetryRule::default() };
    let again = tasks.replay(ana, task.id, run.id, Some(edited.clone())).await.unwrap();
    let Job::Call(config) = &again.job else { panic!("a call") };
    assert_eq!((config.base_url.as_str(), again.max_attempts), ("http://a/elsewhere", 7));
    assert_eq!(config.headers, task.draft.config.headers, "the run's own secret");
    edited.headers = vec![header("Authorization", "another")];
    edited.base_url = "http://c/".to_owned();
    let again = tasks.replay(ana, task.id, run.id, Some(edited.clone())).await.unwrap();
    assert_eq!(again.lane, "c");
    edited.base_url = "http://blocked/".to_owned();
    assert_eq!(
        members(tasks.replay(ana, task.id, run.id, Some(edited)).await.unwrap_err()),
        ["config/base_url"]
    );

    let runs = tasks.runs(ana, &RunQuery::latest(task.id)).await.unwrap();
    assert_eq!(runs.len(), 4);
    assert_eq!(tasks.find(ana, task.id).await.unwrap().last_run.map(|run| run.id), Some(again.id));
}

#[tokio::test]
async fn a_run_is_cancelled_once() {
    let bench = Bench::new().await;
    let task = bench.tasks.add(&bench.ana, draft("http://a/")).await.unwrap();
    let run = bench.tasks.execute(&bench.ana, task.id, None).await.unwrap();
    assert_eq!(bench.tasks.cancel(&bench.ana, task.id, run.id).await.unwrap().state, RunState::Cancelled);
    assert_error!(
        bench.tasks.cancel(&bench.ana, task.id, run.id).await,
        ServiceError::Conflict { code: "run_over", .. }
    );
}

#[tokio::test]
async fn a_key_that_is_given_opens_what_was_sealed_before_it() {
    let bench = Bench::new().await;
    let sealed = bench.tasks.seals.seal("s3cret").await.unwrap();
    let given = bench.with_key(0);
    assert_eq!(given.seals.open(&sealed).await.unwrap().as_deref(), Some("s3cret"));
    let newer = given.seals.seal("s3cret").await.unwrap();
    assert_eq!(newer[0], 0, "with the key that was given");
    assert_eq!(bench.with_key(1).seals.open(&newer).await.unwrap(), None);
}

/// A task that is run every minute.
async fn scheduled(bench: &Bench, overlap: Overlap) -> i64 {
    let mut draft = draft("http://a/");
    draft.config.schedule = Some(Schedule::new("* * * * *", "UTC", overlap).unwrap());
    bench.tasks.add(&bench.ana, draft).await.unwrap().id
}

async fn tick(bench: &Bench, seconds: u32) -> u64 {
    bench.clock.advance(SECOND * seconds);
    bench.tasks.tick_unattended().await.unwrap()
}

#[tokio::test]
async fn a_schedule_makes_a_run_a_tick_and_one_after_a_pause() {
    let bench = Bench::new().await;
    let id = scheduled(&bench, Overlap::Allow).await;
    // It is 22:13:20 by then.
    assert_eq!(tick(&bench, 0).await, 0, "it is planned");
    assert_eq!(tick(&bench, 39).await, 0);
    assert_eq!((tick(&bench, 1).await, tick(&bench, 0).await), (1, 0));
    assert_eq!(tick(&bench, 60).await, 1);
    assert_eq!(
        (tick(&bench, 3_600 * 24 * 30).await, tick(&bench, 0).await),
        (1, 0),
        "however many were missed"
    );
    assert_eq!(tick(&bench, 60).await, 1);
    assert_eq!(bench.tasks.runs(&bench.ana, &RunQuery::latest(id)).await.unwrap().len(), 4);

    bench.tasks.change(&bench.ana, id, draft("http://b/"), None).await.unwrap();
    assert_eq!(tick(&bench, 3_600).await, 0, "it has no schedule any more");
}

#[rstest]
#[case::skip(Overlap::Skip, [1, 0, 0])]
#[case::queue_one(Overlap::QueueOne, [1, 1, 0])]
#[case::allow(Overlap::Allow, [1, 1, 1])]
#[tokio::test]
async fn a_run_that_is_not_over_is_in_the_way(#[case] overlap: Overlap, #[case] wanted: [u64; 3]) {
    let bench = Bench::new().await;
    scheduled(&bench, overlap).await;
    tick(&bench, 0).await;
    let first = tick(&bench, 60).await;
    bench.store.claim(&[], SECOND * 3_600).await.unwrap().unwrap();
    assert_eq!([first, tick(&bench, 60).await, tick(&bench, 60).await], wanted);
}

#[tokio::test]
async fn of_many_processes_one_makes_the_run() {
    let bench = Bench::new().await;
    scheduled(&bench, Overlap::Allow).await;
    tick(&bench, 0).await;
    bench.clock.advance(SECOND * 60);
    let others = [bench.with_key(1), bench.with_key(2)];
    let made = join_all([&bench.tasks, &others[0], &others[1]].map(TaskService::tick_unattended)).await;
    assert_eq!(made.into_iter().map(Result::unwrap).sum::<u64>(), 1);
}
