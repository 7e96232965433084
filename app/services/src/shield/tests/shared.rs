//! Several processes before one upstream: what they share, and what they do without it.

use malecon_memory::{MemoryCache, MemoryLock};
use malecon_ports::{Cache, CacheError, Lock, LockError, MockCache, MockLock};

use super::*;

/// A process of its own: another shield, with a breaker of its own.
fn process(bench: &Bench, far: &MemoryCache, lock: &MemoryLock) -> Shield<String> {
    let (far, lock): (Arc<dyn Cache>, Arc<dyn Lock>) = (Arc::new(far.clone()), Arc::new(lock.clone()));
    let ports = ShieldPorts { far: Some(far), lock: Some(lock), ..ports(&bench.clock) };
    shield(ports, &Breaker::new())
}

#[tokio::test]
async fn two_processes_that_miss_at_once_fetch_once() {
    let (bench, far, lock) = (bench(), MemoryCache::default(), MemoryLock::new());
    let processes = [process(&bench, &far, &lock), process(&bench, &far, &lock)];
    bench.upstream.hang();
    let asked: Vec<_> = (0..100).map(|n| ask(&processes[n % 2], &bench.upstream, "key")).collect();
    settle().await;
    bench.turn(SECOND).await;
    assert_eq!(bench.upstream.calls(), 1);
    bench.upstream.go_on();
    settle().await;
    bench.turn(POLL).await;
    for answer in join_all(asked).await {
        let answer = answer.unwrap().unwrap();
        assert_eq!((answer.value.as_str(), answer.freshness), ("value 1", Freshness::Fetched));
    }
    assert_eq!(bench.upstream.calls(), 1);

    // What is old in both is fetched once as well.
    bench.turn(SECOND * 600).await;
    let asked: Vec<_> = (0..100).map(|n| ask(&processes[n % 2], &bench.upstream, "key")).collect();
    settle().await;
    bench.turn(POLL).await;
    for answer in join_all(asked).await {
        assert_eq!(answer.unwrap().unwrap().value, "value 2");
    }
    assert_eq!(bench.upstream.calls(), 2);
}

#[tokio::test]
async fn a_process_follows_one_that_failed() {
    let (bench, far, lock) = (bench(), MemoryCache::default(), MemoryLock::new());
    let (first, second) = (process(&bench, &far, &lock), process(&bench, &far, &lock));
    bench.upstream.hang();
    bench.upstream.fail(Some(down));
    let asked = (ask(&first, &bench.upstream, "key"), ask(&second, &bench.upstream, "key"));
    settle().await;
    bench.upstream.gate.add_permits(1);
    settle().await;
    bench.upstream.fail(None);
    bench.upstream.go_on();
    bench.turn(POLL).await;
    assert!(matches!(asked.0.await.unwrap(), Err(ShieldError::Gateway { .. })));
    assert_eq!(asked.1.await.unwrap().unwrap().value, "value 2");
}

#[tokio::test]
async fn nobody_waits_for_ever_for_a_process_that_died() {
    let (bench, far, lock) = (bench(), MemoryCache::default(), MemoryLock::new());
    let process = process(&bench, &far, &lock);
    let dead = lock.acquire("shield:test:key", SECOND * 60).await.unwrap();
    let answer = ask(&process, &bench.upstream, "key");
    settle().await;
    for _ in 0..72 {
        assert_eq!(bench.upstream.calls(), 0);
        bench.turn(POLL).await;
    }
    assert!(matches!(answer.await.unwrap(), Err(ShieldError::Late)));
    assert_eq!(bench.upstream.calls(), 0, "who has the lease may be slow, and is still the one who fetches");
    // As when it lapses.
    lock.release(&dead.unwrap()).await.unwrap();
    assert_eq!(ask(&process, &bench.upstream, "key").await.unwrap().unwrap().value, "value 1");
    assert_eq!(bench.upstream.calls(), 1);
}

#[tokio::test]
async fn what_is_kept_far_survives_a_restart() {
    let (bench, far, lock) = (bench(), MemoryCache::default(), MemoryLock::new());
    let before = process(&bench, &far, &lock);
    ask(&before, &bench.upstream, "key").await.unwrap().unwrap();
    let fetched_at = bench.clock.now();
    drop(before);
    bench.upstream.fail(Some(down));

    let young = process(&bench, &far, &lock);
    let answer = ask(&young, &bench.upstream, "key").await.unwrap().unwrap();
    assert_eq!(
        (answer.value.as_str(), answer.at, answer.freshness),
        ("value 1", fetched_at, Freshness::Kept)
    );
    bench.turn(SECOND * 3_600).await;
    let old = process(&bench, &far, &lock);
    let answer = ask(&old, &bench.upstream, "key").await.unwrap().unwrap();
    assert_eq!((answer.at, answer.freshness), (fetched_at, Freshness::StandingIn));

    // Bytes of another version are no obstacle.
    bench.upstream.fail(None);
    for bytes in [&b"short"[..], b"12345678\xff\xff"] {
        far.put("shield:test:odd", bytes.to_vec().into(), SECOND * 60).await.unwrap();
        let odd = process(&bench, &far, &lock);
        assert_eq!(ask(&odd, &bench.upstream, "odd").await.unwrap().unwrap().freshness, Freshness::Fetched);
    }
}

#[tokio::test]
async fn a_refresh_takes_what_another_process_has_fetched() {
    let (bench, far, lock) = (bench(), MemoryCache::default(), MemoryLock::new());
    let (first, second) = (process(&bench, &far, &lock), process(&bench, &far, &lock));
    for process in [&first, &second] {
        ask(process, &bench.upstream, "key").await.unwrap().unwrap();
    }
    bench.turn(SECOND * 60).await;
    for process in [&first, &second] {
        let answer = ask(process, &bench.upstream, "key").await.unwrap().unwrap();
        assert_eq!(answer.freshness, Freshness::Revalidating);
        settle().await;
    }
    let answer = ask(&second, &bench.upstream, "key").await.unwrap().unwrap();
    assert_eq!((answer.value.as_str(), answer.freshness), ("value 2", Freshness::Kept));
    assert_eq!(bench.upstream.calls(), 2);
}

#[tokio::test]
async fn a_far_cache_and_a_lock_that_fail_are_no_obstacle() {
    let mut bench = bench();
    let (mut far, mut lock) = (MockCache::new(), MockLock::new());
    far.expect_get().returning(|_| Err(CacheError("gone".into())));
    far.expect_put().returning(|_, _, _| Err(CacheError("gone".into())));
    lock.expect_acquire().returning(|_, _| Err(LockError("gone".into())));
    let ports = ShieldPorts { far: Some(Arc::new(far)), lock: Some(Arc::new(lock)), ..ports(&bench.clock) };
    bench.shield = shield(ports, &bench.breaker);
    bench.gives("value 1", Freshness::Fetched).await;
    bench.gives("value 1", Freshness::Kept).await;
}

/// A cache and a lock that never answer.
struct Hung;

#[async_trait::async_trait]
impl Cache for Hung {
    async fn get(&self, _: &str) -> Result<Option<bytes::Bytes>, CacheError> {
        std::future::pending().await
    }

    async fn put(&self, _: &str, _: bytes::Bytes, _: Duration) -> Result<(), CacheError> {
        std::future::pending().await
    }

    async fn remove(&self, _: &str) -> Result<(), CacheError> {
        std::future::pending().await
    }
}

#[async_trait::async_trait]
impl Lock for Hung {
    async fn acquire(&self, _: &str, _: Duration) -> Result<Option<Lease>, LockError> {
        std::future::pending().await
    }

    async fn renew(&self, _: &Lease, _: Duration) -> Result<bool, LockError> {
        std::future::pending().await
    }

    async fn release(&self, _: &Lease) -> Result<(), LockError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_far_cache_and_a_lock_that_hang_cost_less_than_a_callers_patience() {
    let mut bench = bench();
    let ports = ShieldPorts { far: Some(Arc::new(Hung)), lock: Some(Arc::new(Hung)), ..ports(&bench.clock) };
    bench.shield = shield(ports, &bench.breaker);
    let answer = bench.ask("key");
    settle().await;
    for _ in 0..17 {
        bench.turn(SECOND / 10).await;
    }
    assert!(answer.is_finished());
    assert_eq!(answer.await.unwrap().unwrap().freshness, Freshness::Fetched);
    bench.gives("value 1", Freshness::Kept).await;
}
