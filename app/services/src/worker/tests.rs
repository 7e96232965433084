//! A worker, under a clock that the tests turn.

use std::collections::VecDeque;
use std::sync::Mutex;

use malecon_domain::{Attempt, CallFault, HttpMethod, RunId, RunState, TaskDraft};
use malecon_ports::{MockTaskQueue, RepositoryError, RunRepository};
use rstest::rstest;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::Offload;
use crate::task::tests::bench::{Bench, Reply, SECOND, answer, background, draft, header, status};

/// A worker at work.
struct AtWork {
    bench: Bench,
    stop: Option<oneshot::Sender<()>>,
    work: JoinHandle<()>,
}

async fn at_work(settings: WorkerSettings) -> AtWork {
    let bench = Bench::new().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = bench.worker(settings);
    let work = tokio::spawn(async move {
        worker
            .work(async {
                let _ = stopped.await;
            })
            .await;
    });
    AtWork { bench, stop: Some(stop), work }
}

/// Lets all work go as far as it can without the clock.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

impl AtWork {
    async fn execute(&self, draft: TaskDraft) -> RunId {
        let task = self.bench.tasks.add(&self.bench.ana, draft).await.unwrap();
        let run = self.bench.tasks.execute(&self.bench.ana, task.id, None).await.unwrap();
        settle().await;
        run.id
    }

    async fn turn(&self, duration: Duration) {
        self.bench.clock.advance(duration);
        settle().await;
    }

    async fn run(&self, id: RunId) -> (RunState, Vec<Attempt>) {
        let run = self.bench.store.find(id).await.unwrap().unwrap();
        (run.state, self.bench.store.attempts(id).await.unwrap())
    }
}

#[tokio::test]
async fn a_target_that_fails_twice_is_called_three_times_with_one_key() {
    let work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([status(500), Reply::Fault(CallFault::Connect), answer(201, &[], b"done")]);
    let id = work.execute(draft("http://a/x")).await;
    for _ in 0..8 {
        work.turn(SECOND / 2).await;
    }
    let (state, attempts) = work.run(id).await;
    assert_eq!((state, attempts.len()), (RunState::Succeeded, 3));
    let ends: Vec<_> = attempts.iter().map(|attempt| attempt.end.unwrap()).collect();
    assert_eq!(ends, [AttemptEnd::Failed, AttemptEnd::Failed, AttemptEnd::Succeeded]);
    assert_eq!(attempts[0].trace.reason.as_deref(), Some("the target answered 500"));
    assert_eq!(attempts[1].trace.fault, Some(CallFault::Connect));
    assert_eq!(attempts[2].trace.received.as_ref().unwrap().body, b"done");
    let calls = work.bench.target.calls.lock().unwrap();
    for call in calls.iter() {
        assert_eq!(call.headers, [("Idempotency-Key".to_owned(), id.to_string())]);
        assert_eq!(
            (call.url.as_str(), call.method, call.timeout),
            ("http://a/x", HttpMethod::Put, SECOND * 30)
        );
    }
}

#[tokio::test]
async fn one_that_fails_for_ever_ends_with_its_last_answer() {
    let work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([status(500), status(502), answer(503, &[], b"sorry")]);
    let id = work.execute(draft("http://a/")).await;
    work.turn(SECOND).await;
    work.turn(SECOND * 2).await;
    work.turn(SECOND * 2).await;
    let (state, attempts) = work.run(id).await;
    assert_eq!((state, attempts.len()), (RunState::Failed, 3));
    assert_eq!(attempts[2].trace.received.as_ref().unwrap().body, b"sorry");
    work.turn(SECOND * 3_600).await;
    assert_eq!(work.bench.target.asked(), 3);
}

#[rstest]
#[case::no_content(status(204), RunState::Succeeded)]
#[case::not_found(status(404), RunState::Failed)]
#[case::moved(status(301), RunState::Failed)]
#[case::blocked(Reply::Fault(CallFault::Blocked), RunState::Failed)]
#[case::tls(Reply::Fault(CallFault::Tls), RunState::Failed)]
#[tokio::test]
async fn what_is_certain_is_not_tried_again(#[case] reply: Reply, #[case] wanted: RunState) {
    let work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([reply]);
    let id = work.execute(draft("http://a/")).await;
    let (state, attempts) = work.run(id).await;
    assert_eq!((state, attempts.len()), (wanted, 1));
}

#[rstest]
#[case::put(HttpMethod::Put, None, 3)]
#[case::post(HttpMethod::Post, None, 1)]
#[case::patch(HttpMethod::Patch, None, 1)]
#[case::post_that_may(HttpMethod::Post, Some(true), 3)]
#[case::put_that_may_not(HttpMethod::Put, Some(false), 1)]
#[tokio::test]
async fn what_may_have_been_done_is_repeated_only_when_that_is_safe(
    #[case] method: HttpMethod,
    #[case] on_timeout: Option<bool>,
    #[case] attempts: usize,
) {
    let work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([Reply::Fault(CallFault::Timeout)]);
    let mut draft = draft("http://a/");
    draft.config.method = method;
    draft.config.retry.on_timeout = on_timeout;
    let id = work.execute(draft).await;
    work.turn(SECOND).await;
    work.turn(SECOND * 2).await;
    work.turn(SECOND * 2).await;
    let (state, made) = work.run(id).await;
    assert_eq!((state, made.len()), (RunState::Failed, attempts));
}

#[rstest]
#[case::seconds("7")]
#[case::date("Tue, 14 Nov 2023 22:13:27 GMT")]
#[tokio::test]
async fn a_target_that_wants_time_gets_it(#[case] retry_after: &str) {
    let work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([answer(429, &[("Retry-After", retry_after)], b""), status(200)]);
    let id = work.execute(draft("http://a/")).await;
    for _ in 0..13 {
        work.turn(SECOND / 2).await;
    }
    assert_eq!(work.bench.target.asked(), 1);
    work.turn(SECOND / 2).await;
    work.turn(SECOND / 2).await;
    assert_eq!(work.run(id).await.0, RunState::Succeeded);
}

#[tokio::test]
async fn a_task_says_itself_what_a_success_is() {
    let work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([answer(404, &[], "état: fermé".as_bytes())]);
    let with = |status: Option<Vec<u16>>, regex: Option<&str>| {
        let mut draft = draft("http://a/");
        draft.config.success.status = status;
        draft.config.success.body_regex = regex.map(str::to_owned);
        draft
    };
    for (draft, wanted) in [
        (with(Some(vec![404]), None), RunState::Succeeded),
        (with(Some(vec![404]), Some("ferm(é|ée)$")), RunState::Succeeded),
        (with(Some(vec![404]), Some("^ferm")), RunState::Failed),
        (with(None, Some("ferm")), RunState::Failed),
    ] {
        let id = work.execute(draft).await;
        assert_eq!(work.run(id).await.0, wanted);
    }
}

#[tokio::test]
async fn a_busy_lane_holds_up_nobody_else() {
    let settings = WorkerSettings { workers: 6, per_lane: 2, ..WorkerSettings::default() };
    let work = at_work(settings).await;
    for _ in 0..20 {
        work.execute(draft("http://slow/")).await;
    }
    for n in 0..10 {
        let id = work.execute(draft(&format!("http://fast{}/", n % 2))).await;
        assert_eq!(work.run(id).await.0, RunState::Succeeded, "number {n}");
    }
    let tally = work.bench.store.tally().await.unwrap();
    assert_eq!((tally.running, tally.queued), (2, 18));
}

#[tokio::test]
async fn no_more_is_under_way_than_there_are_workers() {
    let work = at_work(WorkerSettings { workers: 3, per_lane: 4, ..WorkerSettings::default() }).await;
    for n in 0..5 {
        work.execute(draft(&format!("http://slow{n}/"))).await;
    }
    let tally = work.bench.store.tally().await.unwrap();
    assert_eq!((tally.running, tally.queued), (3, 2));
}

#[tokio::test]
async fn secrets_are_sent_and_never_kept() {
    let work = at_work(WorkerSettings::default()).await;
    let mut draft = draft("http://a/");
    draft.config.headers = vec![header("Authorization", "Bearer s3cret"), header("Idempotency-Key", "mine")];
    let id = work.execute(draft).await;
    let (_, attempts) = work.run(id).await;
    let calls = work.bench.target.calls.lock().unwrap();
    let sent = |value: &str| {
        vec![
            ("Authorization".to_owned(), value.to_owned()),
            ("Idempotency-Key".to_owned(), malecon_domain::Sent::MASK.to_owned()),
        ]
    };
    assert_eq!(calls[0].headers[0].1, "Bearer s3cret");
    assert_eq!(calls[0].headers[1].1, "mine", "the task has its own");
    assert_eq!(attempts[0].trace.sent.as_ref().unwrap().headers, sent(malecon_domain::Sent::MASK));
    assert!(!format!("{attempts:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_run_that_is_cancelled_under_way_ends_with_the_next_beat() {
    let work = at_work(WorkerSettings::default()).await;
    let id = work.execute(draft("http://slow/")).await;
    let task = work.bench.store.find(id).await.unwrap().unwrap().task_id.unwrap();
    work.bench.tasks.cancel(&work.bench.ana, task, id).await.unwrap();
    assert_eq!(work.run(id).await.0, RunState::Running);
    work.turn(SECOND * 5).await;
    let (state, attempts) = work.run(id).await;
    assert_eq!((state, attempts[0].end), (RunState::Cancelled, Some(AttemptEnd::Cancelled)));
}

#[tokio::test]
async fn a_long_attempt_stays_its_workers() {
    let work = at_work(WorkerSettings::default()).await;
    let id = work.execute(draft("http://slow/")).await;
    for _ in 0..60 {
        work.turn(SECOND * 5).await;
    }
    let (state, attempts) = work.run(id).await;
    assert_eq!((state, attempts.len()), (RunState::Running, 1));
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_ends_what_is_under_way() {
    let mut work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([Reply::Hang]);
    let id = work.execute(draft("http://a/")).await;
    drop(work.stop.take());
    settle().await;
    assert!(!work.work.is_finished());
    let late = work.execute(draft("http://b/")).await;
    assert_eq!(work.run(late).await.0, RunState::Queued, "nothing new is begun");
    let task = work.bench.store.find(id).await.unwrap().unwrap().task_id.unwrap();
    work.bench.tasks.cancel(&work.bench.ana, task, id).await.unwrap();
    work.turn(SECOND * 5).await;
    work.work.await.unwrap();
}

#[tokio::test]
async fn what_takes_longer_than_its_grace_is_handed_to_another_worker_and_not_counted() {
    let mut work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([Reply::Hang, status(200)]);
    let mut draft = draft("http://a/");
    draft.config.retry.max_attempts = 1;
    let id = work.execute(draft).await;
    drop(work.stop.take());
    settle().await;
    work.turn(SECOND * 9).await;
    assert_eq!(work.run(id).await.0, RunState::Running, "it has a second left");
    work.turn(SECOND).await;
    assert!(work.work.is_finished());
    let (state, attempts) = work.run(id).await;
    assert_eq!((state, attempts[0].end), (RunState::Queued, Some(AttemptEnd::Interrupted)));

    let next = work.bench.worker(WorkerSettings::default());
    tokio::spawn(async move { next.work(std::future::pending()).await });
    settle().await;
    let (state, attempts) = work.run(id).await;
    assert_eq!((state, attempts.len()), (RunState::Succeeded, 2), "at once");
    let calls = work.bench.target.calls.lock().unwrap();
    assert_eq!((calls.len(), &calls[0].headers), (2, &calls[1].headers), "with the same key");
}

/// Does nothing but panic, for one lane.
struct Panics;

#[async_trait::async_trait]
impl JobHandler for Panics {
    async fn attempt(&self, run: &Run) -> Result<(Next, Trace), ServiceError> {
        assert!(!run.lane.starts_with("mad"), "this attempt is mad");
        Ok((Next::Over(AttemptEnd::Succeeded), Trace::default()))
    }
}

#[tokio::test]
async fn an_attempt_that_panics_takes_nobody_along_and_is_given_up_in_the_end() {
    let bench = Bench::new().await;
    let queue = Arc::new(bench.store.clone());
    let ports = WorkerPorts { queue, clock: bench.clock.clone(), background: background() };
    let settings = WorkerSettings { workers: 1, ..WorkerSettings::default() };
    let worker = Worker::new(ports, settings, vec![(JobKind::Call, Arc::new(Panics))]);
    let work = tokio::spawn(async move { worker.work(std::future::pending()).await });
    let mut runs = vec![];
    for url in ["http://mad/", "http://a/"] {
        let task = bench.tasks.add(&bench.ana, draft(url)).await.unwrap();
        runs.push(bench.tasks.execute(&bench.ana, task.id, None).await.unwrap().id);
        settle().await;
    }
    let state = async |id| bench.store.find(id).await.unwrap().unwrap().state;
    assert_eq!((state(runs[0]).await, state(runs[1]).await), (RunState::Running, RunState::Succeeded));
    for _ in 0..Run::MAX_LOST * 31 {
        bench.clock.advance(SECOND);
        settle().await;
    }
    assert_eq!(state(runs[0]).await, RunState::Failed);
    let attempts = bench.store.attempts(runs[0]).await.unwrap();
    assert_eq!(attempts.len(), Run::MAX_LOST as usize);
    assert!(attempts.last().unwrap().error().unwrap().contains("crashed"));
    assert!(!work.is_finished());
}

#[tokio::test]
async fn a_regex_that_is_too_large_or_takes_too_long_fails_its_run_and_says_so() {
    let bench = Bench::new().await;
    let too_large = "[01]*1[01]{9000}[2-9a-z]";
    for (service, regex, reason) in [
        (bench.tasks.clone(), too_large, "regex_too_large: "),
        (bench.with_offload(Offload::new(|_| Box::pin(async {}))), "ok", "regex_timeout: "),
    ] {
        let mut stored = draft("http://a/");
        stored.config.success.body_regex = Some(regex.to_owned());
        let task = bench.tasks.add(&bench.ana, draft("http://a/")).await.unwrap();
        let made = bench.tasks.execute(&bench.ana, task.id, None).await.unwrap();
        // As one that was kept before there was a limit.
        let run = Run { job: malecon_domain::Job::Call(stored.config), ..made };
        let (next, trace) = service.handler().attempt(&run).await.unwrap();
        assert_eq!(next, Next::Over(AttemptEnd::Failed));
        let told = trace.reason.unwrap();
        assert!(told.starts_with(reason), "{told}");
    }
    assert_eq!(bench.target.asked(), 0, "nothing was sent");
}

#[tokio::test]
async fn a_worker_that_died_is_followed_by_another() {
    let work = at_work(WorkerSettings::default()).await;
    work.bench.target.will([Reply::Hang, status(200)]);
    let id = work.execute(draft("http://a/")).await;
    work.work.abort();
    settle().await;
    let next = work.bench.worker(WorkerSettings::default());
    tokio::spawn(async move { next.work(std::future::pending()).await });
    for _ in 0..29 {
        work.turn(SECOND).await;
    }
    assert_eq!(work.run(id).await.0, RunState::Running, "its lease still runs");
    for _ in 0..4 {
        work.turn(SECOND / 2).await;
    }
    let (state, attempts) = work.run(id).await;
    let ends: Vec<_> = attempts.iter().map(|attempt| attempt.end.unwrap()).collect();
    assert_eq!((state, ends), (RunState::Succeeded, vec![AttemptEnd::Lost, AttemptEnd::Succeeded]));
}

/// What the store says, once each.
type Says<T> = Arc<Mutex<VecDeque<Result<T, RepositoryError>>>>;

fn gone<T>() -> Result<T, RepositoryError> {
    Err(RepositoryError::Unavailable("gone".into()))
}

/// A worker whose store is a mock: it gives out one run, of this task.
async fn over(
    bench: &Bench,
    draft: TaskDraft,
    renewed: Says<Hold>,
    finished: Says<bool>,
) -> Arc<Mutex<Vec<Next>>> {
    let task = bench.tasks.add(&bench.ana, draft).await.unwrap();
    let mut run = Some(bench.tasks.execute(&bench.ana, task.id, None).await.unwrap());
    run.as_mut().unwrap().attempts = 1;
    let (mut claims, ends) = (VecDeque::from([gone(), gone(), Ok(run)]), Arc::<Mutex<Vec<Next>>>::default());
    let kept = ends.clone();
    let mut queue = MockTaskQueue::new();
    queue.expect_claim().returning(move |_, _| claims.pop_front().unwrap_or(Ok(None)));
    queue.expect_renew().returning(move |_, _| renewed.lock().unwrap().pop_front().unwrap_or(Ok(Hold::Held)));
    queue.expect_finish().returning(move |_, next, _| {
        kept.lock().unwrap().push(next);
        finished.lock().unwrap().pop_front().unwrap_or(Ok(true))
    });
    let ports = WorkerPorts {
        queue: Arc::new(Patient(queue, bench.clock.clone())),
        clock: bench.clock.clone(),
        background: background(),
    };
    let worker = Worker::new(ports, WorkerSettings::default(), vec![(JobKind::Call, bench.tasks.handler())]);
    tokio::spawn(async move { worker.work(std::future::pending()).await });
    settle().await;
    ends
}

/// A mock that waits by the clock.
struct Patient(MockTaskQueue, Arc<malecon_memory::ManualClock>);

#[async_trait::async_trait]
impl TaskQueue for Patient {
    async fn claim(&self, full: &[String], lease: Duration) -> Result<Option<Run>, RepositoryError> {
        self.0.claim(full, lease).await
    }

    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<Hold, RepositoryError> {
        self.0.renew(lease, time).await
    }

    async fn finish(&self, lease: &RunLease, next: Next, trace: &Trace) -> Result<bool, RepositoryError> {
        self.0.finish(lease, next, trace).await
    }

    async fn release(&self, leases: &[RunLease]) -> Result<u64, RepositoryError> {
        self.0.release(leases).await
    }

    async fn wait(&self, most: Duration) {
        self.1.sleep(most).await;
    }
}

fn says<T>(what: impl IntoIterator<Item = Result<T, RepositoryError>>) -> Says<T> {
    Arc::new(Mutex::new(what.into_iter().collect()))
}

#[tokio::test]
async fn a_store_that_is_gone_for_a_while_loses_nothing() {
    let bench = Bench::new().await;
    let finished = says((0..40).map(|_| gone()));
    let ends = over(&bench, draft("http://a/"), says([]), finished).await;
    for _ in 0..50 {
        bench.clock.advance(SECOND / 2);
        settle().await;
    }
    assert_eq!(ends.lock().unwrap().len(), 41, "until it is back");
    assert_eq!(bench.target.asked(), 1);
}

#[tokio::test]
async fn a_lease_that_is_lost_ends_the_work_without_a_word() {
    let bench = Bench::new().await;
    let renewed = says([gone(), Ok(Hold::Held), Ok(Hold::Lost)]);
    let ends = over(&bench, draft("http://slow/"), renewed.clone(), says([])).await;
    for _ in 0..20 {
        bench.clock.advance(SECOND);
        settle().await;
    }
    assert!(renewed.lock().unwrap().is_empty());
    assert!(ends.lock().unwrap().is_empty());
}
