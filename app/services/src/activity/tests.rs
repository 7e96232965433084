//! Activities over RAM, under a clock that the tests turn, and a source that says what it is told to.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use malecon_domain::{
    ActivityBatch, ActivityKind, ActivityRecord, AttemptEnd, Country, CountryName, CountryRecord, JobKind,
    Next, Rejection, StoredCountry, Trace,
};
use malecon_memory::{ManualClock, MemoryActivities, MemoryTasks, MemoryUsers};
use malecon_ports::{GatewayError, MockActivityGateway, MockCountryRepository, RepositoryError};
use malecon_ports::{MockActivityRepository, RunLease, TaskQueue};

use super::*;
use crate::{JobHandler, JobPorts, Worker, WorkerPorts, WorkerSettings};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Reply = Result<ActivityBatch, GatewayError>;

struct Bench {
    service: ActivityService,
    handler: Arc<dyn JobHandler>,
    activities: MemoryActivities,
    store: MemoryTasks,
    clock: Arc<ManualClock>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

fn record(id: usize) -> ActivityRecord {
    ActivityRecord {
        id: format!("Q{id}"),
        name: format!("Pier {id}"),
        kind: if id.is_multiple_of(2) { ActivityKind::Swim } else { ActivityKind::Hike },
        description: None,
        latlng: None,
        picture: None,
        source: format!("https://source.example/Q{id}"),
        world_heritage: false,
    }
}

fn batch(count: usize) -> Reply {
    Ok(ActivityBatch { records: (1..=count).map(record).collect(), rejected: vec![] })
}

/// Knows PER and BRA.
fn countries() -> MockCountryRepository {
    let mut countries = MockCountryRepository::new();
    countries.expect_find().returning(|code| {
        let cca3 = match code {
            CountryCode::Alpha2(code) | CountryCode::Alpha3(code) if code.starts_with("PE") => "PER",
            CountryCode::Alpha2(code) | CountryCode::Alpha3(code) if code.starts_with("BR") => "BRA",
            _ => return Ok(None),
        };
        let name =
            CountryName { common: cca3.to_owned(), official: cca3.to_owned(), ..CountryName::default() };
        let record = CountryRecord {
            cca2: cca3[..2].to_owned(),
            cca3: cca3.to_owned(),
            name,
            region: "Americas".to_owned(),
            ..CountryRecord::default()
        };
        let country = Country::new(record).unwrap();
        Ok(Some(StoredCountry { country, updated_at: Instant::default() }))
    });
    countries
}

impl Bench {
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let start = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let store = MemoryTasks::with_clock(MemoryUsers::new(), clock.clone());
        let activities = MemoryActivities::new();
        let replies = Arc::new(Mutex::new(replies.into_iter().collect::<VecDeque<_>>()));
        let mut source = MockActivityGateway::new();
        let given = replies.clone();
        source.expect_fetch().returning(move |cca2| {
            assert!(["PE", "BR"].contains(&cca2), "{cca2}");
            given.lock().unwrap().pop_front().expect("it is asked no more often")
        });
        let service = service(&store, &clock, Arc::new(activities.clone()), Arc::new(source));
        Self { handler: service.handler(), service, activities, store, clock, replies }
    }

    /// Ends the attempt that is due; how, or `None` when none is.
    async fn work(&self) -> Option<(Next, Trace)> {
        let run = self.store.claim(&[], SECOND * 30).await.unwrap()?;
        assert_eq!(run.lane, LANE);
        let (next, trace) = self.handler.attempt(&run).await.unwrap();
        let lease = RunLease { id: run.id, attempt: run.attempts };
        assert!(self.store.finish(&lease, next, &trace).await.unwrap());
        Some((next, trace))
    }

    async fn result(&self) -> String {
        let (next, trace) = self.work().await.unwrap();
        assert_eq!(next, Next::Over(AttemptEnd::Succeeded), "{trace:?}");
        trace.result.unwrap()
    }

    async fn look(&self) -> Result<Freshness, ServiceError> {
        self.service.look("pe").await.map(|found| found.freshness)
    }

    async fn count(&self) -> u64 {
        self.service.list("PER", &ActivityQuery::default()).await.unwrap().total
    }
}

fn service(
    store: &MemoryTasks,
    clock: &Arc<ManualClock>,
    activities: Arc<dyn ActivityRepository>,
    source: Arc<dyn ActivityGateway>,
) -> ActivityService {
    let runs = Arc::new(store.clone());
    let jobs =
        JobService::new(JobPorts { runs: runs.clone(), schedules: runs.clone(), clock: clock.clone() });
    let countries = Arc::new(countries());
    let ports = ActivityPorts { activities, source, countries, runs, clock: clock.clone() };
    ActivityService::new(ports, jobs, ActivitySettings::default())
}

/// How long to wait until they are there.
fn wait(answer: Result<Freshness, ServiceError>) -> Duration {
    match answer {
        Err(ServiceError::Unavailable {
            lack: Lack::NotReady("activities_not_ready"), retry_after, ..
        }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_demand_makes_one_run_however_many_ask() {
    let bench = Bench::new([batch(12)]);
    let others = Bench { service: bench.service.clone(), ..Bench::new([]) };
    for answer in join_all((0..20).map(|_| bench.look())).await {
        assert!(wait(answer) <= SECOND * 10);
    }
    wait(others.look().await);
    assert_eq!(bench.result().await, "12 kept, 0 dropped");
    assert!(bench.work().await.is_none(), "there was one run");
    let found = bench.service.look("PER").await.unwrap();
    assert_eq!((found.value.as_str(), found.freshness), ("PER", Freshness::Kept));
    assert_eq!(found.at, bench.clock.now());
    let page = bench.service.list("PER", &ActivityQuery::default()).await.unwrap();
    assert_eq!((page.total, page.items.len(), page.items[0].id.as_str()), (12, 10, "Q1"));
    let query = ActivityQuery { kinds: vec![ActivityKind::Swim], ..ActivityQuery::default() };
    assert_eq!(bench.service.list("PER", &query).await.unwrap().total, 6);
}

#[tokio::test]
async fn who_is_no_country_has_none() {
    let bench = Bench::new([]);
    for code in ["xx", "nonsense", "", "ZZZ"] {
        assert!(matches!(bench.service.look(code).await, Err(ServiceError::NotFound)), "{code}");
    }
    assert!(bench.work().await.is_none());
}

#[tokio::test]
async fn no_sights_are_an_answer() {
    let bench = Bench::new([batch(0)]);
    wait(bench.look().await);
    assert_eq!(bench.result().await, "0 kept, 0 dropped");
    assert_eq!((bench.look().await.unwrap(), bench.count().await), (Freshness::Kept, 0));
}

#[tokio::test]
async fn after_a_week_what_is_kept_is_the_answer_while_one_run_fetches_anew() {
    let bench = Bench::new([batch(3), batch(4)]);
    wait(bench.look().await);
    bench.result().await;
    bench.clock.advance(DAY * 7 - SECOND);
    assert_eq!(bench.look().await.unwrap(), Freshness::Kept);
    assert!(bench.work().await.is_none());
    bench.clock.advance(SECOND);
    for _ in 0..3 {
        assert_eq!(bench.look().await.unwrap(), Freshness::Revalidating);
    }
    assert_eq!(bench.count().await, 3);
    assert_eq!(bench.result().await, "4 kept, 0 dropped");
    assert_eq!((bench.look().await.unwrap(), bench.count().await), (Freshness::Kept, 4));
    assert!(bench.work().await.is_none());
}

#[tokio::test]
async fn what_may_pass_is_tried_again_when_the_source_likes() {
    let minute = Some(SECOND * 60);
    let bench = Bench::new([
        Err(GatewayError::RateLimited { retry_after: minute }),
        Err(GatewayError::Unavailable("status 504".into())),
        Err(GatewayError::Malformed("no JSON".into())),
        batch(3),
    ]);
    wait(bench.look().await);
    let (next, trace) = bench.work().await.unwrap();
    assert!(matches!(next, Next::Again(wait) if wait >= SECOND * 60), "{next:?}");
    assert_eq!(trace.reason.as_deref(), Some("the upstream limits our rate"));
    assert!(wait(bench.look().await) >= SECOND * 60, "who waits is told how long");

    wait(bench.service.look("br").await.map(|found| found.freshness));
    let (next, trace) = bench.work().await.unwrap();
    assert!(matches!(next, Next::Again(wait) if wait >= SECOND * 60), "another country, too: {next:?}");
    assert_eq!(trace.reason.as_deref(), Some("the source wants to be left alone for a while"));
    assert_eq!(bench.replies.lock().unwrap().len(), 3, "it was not asked");

    bench.clock.advance(SECOND * 70);
    for reason in ["unavailable: status 504", "malformed: no JSON"] {
        let (next, trace) = bench.work().await.unwrap();
        assert!(matches!(next, Next::Again(_)), "{next:?}");
        assert!(trace.reason.as_ref().unwrap().contains(reason), "{trace:?}");
        bench.clock.advance(SECOND * 10);
    }
    assert_eq!(bench.result().await, "3 kept, 0 dropped");
}

#[tokio::test]
async fn a_failed_run_is_followed_by_another_after_a_rest_if_somebody_asks() {
    let refused = || Err(GatewayError::Refused("status 403".into()));
    let bench = Bench::new([batch(3), refused(), refused(), batch(4)]);
    wait(bench.look().await);
    bench.result().await;
    bench.clock.advance(DAY * 8);
    for _ in 0..2 {
        assert_eq!(bench.look().await.unwrap(), Freshness::Revalidating);
        assert_eq!(bench.work().await.unwrap().0, Next::Over(AttemptEnd::Failed));
        bench.clock.advance(SECOND * 14 * 60);
        assert_eq!(bench.look().await.unwrap(), Freshness::StandingIn);
        assert!(bench.work().await.is_none(), "not yet");
        bench.clock.advance(SECOND * 60);
    }
    assert!(bench.work().await.is_none(), "nobody has asked");
    assert_eq!(bench.look().await.unwrap(), Freshness::Revalidating);
    bench.result().await;
    assert_eq!((bench.look().await.unwrap(), bench.count().await), (Freshness::Kept, 4));
}

#[tokio::test]
async fn while_nothing_is_kept_a_failure_says_when_the_next_run_may_come() {
    let bench = Bench::new([Err(GatewayError::Refused("status 403".into()))]);
    wait(bench.look().await);
    bench.work().await.unwrap();
    assert_eq!(wait(bench.look().await), SECOND * 15 * 60);
    assert!(bench.work().await.is_none());
}

#[tokio::test]
async fn a_loss_is_not_believed() {
    let bench = Bench::new([batch(10), batch(0), batch(4), batch(5)]);
    wait(bench.look().await);
    bench.result().await;
    for found in [0, 4] {
        bench.clock.advance(DAY * 8);
        bench.look().await.unwrap();
        let (next, trace) = bench.work().await.unwrap();
        let reason = format!("the source has {found} activities, we hold 10; nothing was changed");
        assert_eq!((next, trace.reason), (Next::Over(AttemptEnd::Failed), Some(reason)));
        assert_eq!((bench.look().await.unwrap(), bench.count().await), (Freshness::StandingIn, 10));
    }
    bench.clock.advance(DAY);
    bench.look().await.unwrap();
    assert_eq!(bench.result().await, "5 kept, 0 dropped");
}

#[tokio::test]
async fn bad_ones_are_dropped_and_counted() {
    let nameless = ActivityRecord { name: String::new(), ..record(9) };
    let rejected = vec![Rejection { record: "Q8".to_owned(), reason: "it has no label".to_owned() }];
    let bench = Bench::new([Ok(ActivityBatch { records: vec![nameless, record(1)], rejected })]);
    wait(bench.look().await);
    assert_eq!(bench.result().await, "1 kept, 2 dropped, such as Q8: it has no label");
    assert_eq!(bench.count().await, 1);
}

#[tokio::test]
async fn a_run_that_comes_second_asks_nothing() {
    let bench = Bench::new([batch(3)]);
    wait(bench.look().await);
    let again = bench.service.jobs.draft(Job::Activities { country: "PER".to_owned() }, None);
    bench.service.jobs.add_unattended(&NewRun { lane: LANE.to_owned(), ..again }).await.unwrap();
    assert_eq!(bench.result().await, "3 kept, 0 dropped");
    assert_eq!(bench.result().await, "another run has fetched them");
}

#[tokio::test]
async fn a_run_that_nobody_noted_is_found_by_its_key() {
    let bench = Bench::new([batch(3)]);
    let draft = bench.service.draft("PER", None);
    let made = bench.service.jobs.add_unattended(&draft).await.unwrap();
    wait(bench.look().await);
    assert_eq!(bench.activities.state("PER").await.unwrap().run, Some(made.id));
    bench.result().await;
    assert!(bench.work().await.is_none());
}

#[tokio::test]
async fn a_store_that_fails_is_unavailable_or_what_is_kept_stands_in() {
    let bench = Bench::new([]);
    let mut activities = MockActivityRepository::new();
    activities.expect_state().returning(|country| match country {
        "PER" => Err(RepositoryError::Unavailable("gone".into())),
        _ => Ok(malecon_domain::ActivityState { fetched_at: Some(Instant::default()), ..Default::default() }),
    });
    activities.expect_note().returning(|_, _| Err(RepositoryError::Unavailable("gone".into())));
    let source = Arc::new(MockActivityGateway::new());
    let service = service(&bench.store, &bench.clock, Arc::new(activities), source);
    let gone = service.look("pe").await;
    assert!(matches!(gone, Err(ServiceError::Unavailable { lack: Lack::Store, .. })), "{gone:?}");
    assert_eq!(service.look("br").await.unwrap().freshness, Freshness::StandingIn);
}

/// A source that never answers, and counts who waits for it.
struct Hung(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl ActivityGateway for Hung {
    async fn fetch(&self, _: &str) -> Reply {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_worker_asks_for_one_country_at_a_time() {
    let bench = Bench::new([]);
    let asked = Arc::new(AtomicUsize::new(0));
    let source = Arc::new(Hung(asked.clone()));
    let service = service(&bench.store, &bench.clock, Arc::new(bench.activities.clone()), source);
    for code in ["pe", "br"] {
        wait(service.look(code).await.map(|found| found.freshness));
    }
    let ports = WorkerPorts {
        queue: Arc::new(bench.store.clone()),
        clock: bench.clock.clone(),
        background: crate::task::tests::bench::background(),
    };
    let handlers = vec![(JobKind::Activities, service.handler())];
    let worker = Worker::new(ports, WorkerSettings::default(), handlers);
    let work = tokio::spawn(async move { worker.work(std::future::pending()).await });
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    work.abort();
}
