//! Ready answers: one computation for many callers, and none for a cache that is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use malecon::{Answers, Draft, ServiceError, Source, TieredCache};
use malecon_memory::{MemoryCache, SystemClock};
use malecon_ports::Cache;
use malecon_redis::RedisStore;

const TTL: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_of_a_missing_key_cause_one_computation() {
    let answers = Answers::new(Arc::new(MemoryCache::default()), Arc::new(SystemClock));
    let made = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let callers = (0..1000).map(|_| {
        let (answers, made, gate) = (answers.clone(), Arc::clone(&made), Arc::clone(&gate));
        tokio::spawn(async move {
            let make = async move {
                made.fetch_add(1, Ordering::SeqCst);
                let _ = gate.acquire().await;
                Ok(Draft::from(Bytes::from_static(b"answer")))
            };
            answers.get_or_make("key", TTL, make).await.unwrap().0.body
        })
    });
    let callers: Vec<_> = callers.collect();
    while made.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // The first one hangs up; the others must not notice.
    callers[0].abort();
    gate.add_permits(1);
    let bodies = join_all(callers).await;
    assert!(bodies.into_iter().skip(1).all(|body| body.unwrap() == "answer"));
    assert_eq!(made.load(Ordering::SeqCst), 1);
    let (_, source) = answers.get_or_make("key", TTL, async { unreachable!("it is kept") }).await.unwrap();
    assert_eq!(source, Source::Hit);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_shared_but_not_kept() {
    let answers = Answers::new(Arc::new(MemoryCache::default()), Arc::new(SystemClock));
    let failed = answers.get_or_make("key", TTL, async { Err(ServiceError::NotFound) }).await;
    assert!(matches!(failed, Err(ServiceError::NotFound)));
    let made =
        answers.get_or_make("key", TTL, async { Ok(Draft::from(Bytes::from_static(b"x"))) }).await.unwrap();
    assert_eq!((&made.0.body[..], made.1), (&b"x"[..], Source::Made));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_near_cache_serves_alone() {
    let redis = RedisStore::connect("redis://127.0.0.1:1", "none").unwrap();
    let near: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let cache = Arc::new(TieredCache::new(near, Arc::new(redis.cache()), TTL));
    let answers = Answers::new(cache, Arc::new(SystemClock));
    for expected in [Source::Made, Source::Hit] {
        let (answer, source) = answers
            .get_or_make("key", TTL, async { Ok(Draft::from(Bytes::from_static(b"x"))) })
            .await
            .unwrap();
        assert_eq!((&answer.body[..], source), (&b"x"[..], expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(redis), ignore = "needs TEST_REDIS_URL")]
async fn what_one_process_made_another_finds_in_redis() {
    let prefix = format!("test-{}", uuid::Uuid::new_v4().simple());
    let url = env!("TEST_REDIS_URL");
    let process = async || {
        let redis = RedisStore::connect(url, &prefix).unwrap();
        while redis.check().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let near: Arc<dyn Cache> = Arc::new(MemoryCache::default());
        Answers::new(Arc::new(TieredCache::new(near, Arc::new(redis.cache()), TTL)), Arc::new(SystemClock))
    };
    let draft = Draft { body: Bytes::from_static(b"body"), note: Bytes::from_static(b"note") };
    let made = process().await.get_or_make("key", TTL, async { Ok(draft) }).await.unwrap();
    assert_eq!(made.1, Source::Made);
    let found =
        process().await.get_or_make("key", TTL, async { unreachable!("it is in Redis") }).await.unwrap();
    assert_eq!((found.0, found.1), (made.0, Source::Hit));
}
