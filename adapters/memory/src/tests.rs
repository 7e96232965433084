//! The contract suites, on RAM.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use malecon_ports::contract::activity::ActivityStore;
use malecon_ports::contract::country::CountryStore;
use malecon_ports::contract::user::UserStore;
use malecon_ports::{
    ActivityRepository, Cache, Clock, CountryRepository, KeyRepository, Lock, SessionRepository,
    TokenRepository, UserRepository,
};

use super::*;

struct Store(MemoryCountries, MemoryLock);

impl Store {
    fn new() -> Self {
        let lock = MemoryLock::new();
        Self(MemoryCountries::new(lock.clone()), lock)
    }
}

impl CountryStore for Store {
    fn repository(&self) -> &dyn CountryRepository {
        &self.0
    }

    fn lock(&self) -> &dyn Lock {
        &self.1
    }
}

impl ActivityStore for MemoryActivities {
    fn activities(&self) -> &dyn ActivityRepository {
        self
    }
}

impl UserStore for MemoryUsers {
    fn users(&self) -> &dyn UserRepository {
        self
    }

    fn tokens(&self) -> &dyn TokenRepository {
        self
    }

    fn sessions(&self) -> &dyn SessionRepository {
        self
    }

    fn keys(&self) -> &dyn KeyRepository {
        self
    }
}

mod activity {
    malecon_ports::activity_contract!(crate::MemoryActivities::new());
}

mod cache {
    malecon_ports::cache_contract!(crate::MemoryCache::default());
}

mod lock {
    malecon_ports::lock_contract!(crate::MemoryLock::new());
}

mod dog;
mod limit;
mod movie;
mod task;

mod country {
    malecon_ports::country_contract!(super::Store::new());
}

mod user {
    malecon_ports::user_contract!(crate::MemoryUsers::new());
}

mod token {
    malecon_ports::token_contract!(crate::MemoryUsers::new());
}

mod session {
    malecon_ports::session_contract!(crate::MemoryUsers::new());
}

mod key {
    malecon_ports::key_contract!(crate::MemoryUsers::new());
}

#[tokio::test]
async fn a_full_cache_forgets_rather_than_grows() {
    let cache = MemoryCache::new(10_000);
    let value = bytes::Bytes::from(vec![0; 1_000]);
    let mut kept = 0;
    for key in 0..100 {
        cache.put(&key.to_string(), value.clone(), Duration::from_secs(60)).await.unwrap();
    }
    for key in 0..100 {
        kept += usize::from(cache.get(&key.to_string()).await.unwrap().is_some());
    }
    assert!(kept < 30, "{kept}");
}

#[tokio::test]
async fn a_value_larger_than_the_cache_is_not_kept() {
    let cache = MemoryCache::new(1_000);
    cache.put("key", vec![0; 1_001].into(), Duration::from_secs(60)).await.unwrap();
    for _ in 0..100 {
        cache.remove("other").await.unwrap();
        cache.put("small", "value".into(), Duration::from_secs(60)).await.unwrap();
    }
    assert_eq!(cache.get("key").await.unwrap(), None);
}

#[tokio::test]
async fn a_longest_time_is_a_long_time() {
    let cache = MemoryCache::default();
    cache.put("key", "value".into(), Duration::MAX).await.unwrap();
    assert!(cache.get("key").await.unwrap().is_some());
    let lock = MemoryLock::new();
    let lease = lock.acquire("name", Duration::MAX).await.unwrap().unwrap();
    assert!(lock.renew(&lease, Duration::MAX).await.unwrap());
    assert_eq!(lock.acquire("name", Duration::MAX).await.unwrap(), None);
}

#[tokio::test]
async fn clones_of_a_lock_share_its_leases() {
    let lock = MemoryLock::new();
    let lease = lock.acquire("name", Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(lock.clone().acquire("name", Duration::from_secs(60)).await.unwrap(), None);
    lock.clone().release(&lease).await.unwrap();
    assert!(lock.acquire("name", Duration::from_secs(60)).await.unwrap().is_some());
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_manual_clock_wakes_whose_time_has_come_and_nobody_else() {
    let clock = ManualClock::new(chrono::DateTime::UNIX_EPOCH);
    let woken = [Arc::new(Woken::default()), Arc::new(Woken::default()), Arc::new(Woken::default())];
    let wakers = woken.clone().map(Waker::from);
    let [soon, late, never] = &mut [10, 20, u64::MAX].map(|end| clock.sleep(Duration::from_secs(end)));
    let poll = |sleep: &mut std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>, n: usize| {
        sleep.as_mut().poll(&mut Context::from_waker(&wakers[n])).is_ready()
    };
    let counts = || woken.each_ref().map(|woken| woken.0.load(Ordering::SeqCst));
    assert!(!poll(soon, 0) && !poll(soon, 0) && !poll(late, 1) && !poll(never, 2));
    clock.advance(Duration::from_secs(9));
    assert_eq!(counts(), [0, 0, 0]);
    clock.advance(Duration::from_secs(1));
    assert_eq!((counts(), clock.now().timestamp()), ([1, 0, 0], 10), "once, though polled twice");
    assert!(poll(soon, 0) && !poll(late, 1));
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(counts(), [1, 1, 0]);
    assert!(poll(late, 1) && !poll(never, 2));
}

#[tokio::test]
async fn the_system_clock_sleeps_no_shorter_than_asked() {
    let (before, begun) = (SystemClock.now(), Instant::now());
    SystemClock.sleep(Duration::from_millis(20)).await;
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert!(SystemClock.now() > before);
}
