//! A shield, under a clock that the tests turn.

mod outage;
mod shared;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use malecon_memory::ManualClock;
use malecon_ports::Clock;
use tokio::sync::Semaphore;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(1_800);

/// A source that gives its own number of calls, or fails, or answers when it is told to.
struct Upstream {
    efforts: Mutex<Vec<Effort>>,
    fails: Mutex<Option<fn() -> GatewayError>>,
    /// A permit a call.
    gate: Semaphore,
    landed: AtomicUsize,
}

impl Upstream {
    fn new() -> Arc<Self> {
        let gate = Semaphore::new(1_000_000);
        let (efforts, fails) = (Mutex::default(), Mutex::default());
        Arc::new(Self { efforts, fails, gate, landed: AtomicUsize::new(0) })
    }

    fn fetch(
        self: &Arc<Self>,
    ) -> impl FnOnce(Effort) -> BoxFuture<'static, Result<String, GatewayError>> + Send + 'static {
        let upstream = Arc::clone(self);
        move |effort| {
            let number = {
                let mut efforts = upstream.efforts.lock().unwrap();
                efforts.push(effort);
                efforts.len()
            };
            Box::pin(async move {
                upstream.gate.acquire().await.unwrap().forget();
                upstream.landed.fetch_add(1, Ordering::Relaxed);
                let fails = *upstream.fails.lock().unwrap();
                fails.map_or(Ok(format!("value {number}")), |error| Err(error()))
            })
        }
    }

    fn fail(&self, error: Option<fn() -> GatewayError>) {
        *self.fails.lock().unwrap() = error;
    }

    fn hang(&self) {
        self.gate.forget_permits(1_000_000);
    }

    fn go_on(&self) {
        self.gate.add_permits(1_000);
    }

    fn calls(&self) -> usize {
        self.efforts.lock().unwrap().len()
    }

    fn last_effort(&self) -> Effort {
        *self.efforts.lock().unwrap().last().unwrap()
    }
}

fn down() -> GatewayError {
    GatewayError::Unavailable("refused".into())
}

struct Text;

impl Codec<String> for Text {
    fn encode(&self, value: &String) -> Vec<u8> {
        value.clone().into_bytes()
    }

    fn decode(&self, bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

struct Bench {
    clock: Arc<ManualClock>,
    upstream: Arc<Upstream>,
    breaker: Breaker,
    shield: Shield<String>,
}

fn ports(clock: &Arc<ManualClock>) -> ShieldPorts {
    let background = Background::new(|work| {
        tokio::spawn(work);
    });
    ShieldPorts { far: None, lock: None, clock: clock.clone(), background }
}

fn shield(ports: ShieldPorts, breaker: &Breaker) -> Shield<String> {
    Shield::new("test", ports, Arc::new(Text), breaker.clone(), ShieldSettings::default())
}

fn bench() -> Bench {
    let start = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let (clock, breaker) = (Arc::new(ManualClock::new(start)), Breaker::new());
    let shield = shield(ports(&clock), &breaker);
    Bench { clock, upstream: Upstream::new(), breaker, shield }
}

/// Lets all work go as far as it can without the clock.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

impl Bench {
    fn ask(&self, key: &str) -> tokio::task::JoinHandle<Result<Sourced<String>, ShieldError>> {
        ask(&self.shield, &self.upstream, key)
    }

    async fn get(&self) -> Result<Sourced<String>, ShieldError> {
        let answer = self.ask("key");
        settle().await;
        assert!(answer.is_finished(), "nobody waits");
        answer.await.unwrap()
    }

    async fn gives(&self, value: &str, freshness: Freshness) {
        let answer = self.get().await.unwrap();
        assert_eq!((answer.value.as_str(), answer.freshness), (value, freshness));
    }

    async fn turn(&self, duration: Duration) {
        self.clock.advance(duration);
        settle().await;
    }
}

fn ask(
    shield: &Shield<String>,
    upstream: &Arc<Upstream>,
    key: &str,
) -> tokio::task::JoinHandle<Result<Sourced<String>, ShieldError>> {
    let (shield, fetch, key) = (shield.clone(), upstream.fetch(), key.to_owned());
    tokio::spawn(async move { shield.get(&key, fetch).await })
}

#[tokio::test]
async fn a_value_lives_through_its_ages() {
    let bench = bench();
    let first_at = bench.clock.now();
    bench.gives("value 1", Freshness::Fetched).await;
    assert_eq!(bench.upstream.last_effort(), Effort::Full);
    bench.turn(SECOND * 29).await;
    bench.gives("value 1", Freshness::Kept).await;
    assert_eq!(bench.upstream.calls(), 1);

    // Past its time it is answered at once, while one call refreshes it.
    bench.turn(SECOND * 300).await;
    bench.upstream.hang();
    for _ in 0..10 {
        bench.gives("value 1", Freshness::Revalidating).await;
    }
    assert_eq!((bench.upstream.calls(), bench.upstream.last_effort()), (2, Effort::Once));
    bench.upstream.go_on();
    settle().await;
    let second = bench.get().await.unwrap();
    assert_eq!((second.value.as_str(), second.freshness), ("value 2", Freshness::Kept));
    assert_eq!(second.at, first_at + SECOND * 329);

    // Later, callers wait.
    bench.turn(SECOND * 331).await;
    bench.gives("value 3", Freshness::Fetched).await;
    assert_eq!((bench.upstream.calls(), bench.upstream.last_effort()), (3, Effort::Full));
}

#[tokio::test]
async fn a_thousand_misses_are_one_fetch() {
    let bench = bench();
    bench.upstream.hang();
    let asked: Vec<_> = (0..1_000).map(|_| bench.ask("key")).collect();
    settle().await;
    bench.upstream.go_on();
    for answer in join_all(asked).await {
        assert_eq!(answer.unwrap().unwrap(), Sourced::fetched("value 1".to_owned(), bench.clock.now()));
    }
    assert_eq!(bench.upstream.calls(), 1);
    let other = bench.ask("other").await.unwrap().unwrap();
    assert_eq!(other.value, "value 2", "keys are apart");
}

#[tokio::test]
async fn a_late_fetch_is_kept_when_it_lands() {
    let bench = bench();
    bench.upstream.hang();
    let answer = bench.ask("key");
    settle().await;
    bench.turn(PATIENCE - Duration::from_millis(1)).await;
    assert!(!answer.is_finished());
    bench.turn(Duration::from_millis(1)).await;
    assert!(matches!(answer.await.unwrap(), Err(ShieldError::Late)));
    bench.upstream.go_on();
    settle().await;
    bench.gives("value 1", Freshness::Kept).await;

    // What is kept stands in for a late refresh.
    bench.turn(SECOND * 600).await;
    bench.upstream.hang();
    let answer = bench.ask("key");
    settle().await;
    assert!(!answer.is_finished());
    bench.turn(PATIENCE).await;
    assert_eq!(answer.await.unwrap().unwrap().freshness, Freshness::StandingIn);
    bench.upstream.go_on();
    settle().await;
    bench.gives("value 2", Freshness::Kept).await;
}

#[tokio::test]
async fn a_flight_finds_what_has_landed_since_its_caller_looked() {
    let bench = bench();
    bench.gives("value 1", Freshness::Fetched).await;
    let flight = bench.shield.fly("shield:test:key", Effort::Full, bench.upstream.fetch());
    assert_eq!(flight.await.unwrap().value, "value 1");
    assert_eq!(bench.upstream.calls(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_stops_nothing() {
    let bench = bench();
    bench.upstream.hang();
    let answer = bench.ask("key");
    settle().await;
    answer.abort();
    assert!(answer.await.unwrap_err().is_cancelled());
    bench.upstream.go_on();
    settle().await;
    bench.gives("value 1", Freshness::Kept).await;
}

#[tokio::test]
async fn what_is_too_old_never_stands_in() {
    let bench = bench();
    bench.gives("value 1", Freshness::Fetched).await;
    bench.upstream.fail(Some(down));
    bench.turn(SECOND * 24 * 3_600).await;
    bench.gives("value 1", Freshness::StandingIn).await;
    bench.turn(SECOND).await;
    assert!(matches!(bench.get().await, Err(ShieldError::Resting { .. })));
}
