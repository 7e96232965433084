//! A Redis that is gone, mute or frozen keeps nobody waiting.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fred::interfaces::ClientLike;
use malecon_ports::{Cache, Limit, Lock, RateLimiter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{ConnectError, RedisStore};

const TTL: Duration = Duration::from_secs(1);

/// Four hundred calls that all fail, and would take 40 s if each of them waited.
async fn assert_fails_fast(store: &RedisStore) {
    let (cache, limiter) = (store.cache(), store.limiter());
    let limit = Limit { quota: 1, window: TTL };
    let begun = Instant::now();
    for _ in 0..100 {
        assert!(cache.get("key").await.is_err());
        assert!(cache.put("key", "value".into(), TTL).await.is_err());
        assert!(cache.remove("key").await.is_err());
        assert!(limiter.take("key", 1, limit).await.is_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_redis_that_is_gone_is_an_error_at_once() {
    let store = RedisStore::connect("redis://127.0.0.1:1", "t").unwrap();
    assert_fails_fast(&store).await;
    assert!(store.check().await.is_err());
    assert!(store.lock().acquire("name", TTL).await.is_err());
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_an_error_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = RedisStore::connect(&format!("redis://{}", listener.local_addr().unwrap()), "t").unwrap();
    let mut connection = listener.accept().await.unwrap().0;
    assert!(connection.read(&mut [0; 64]).await.unwrap() > 0, "it greets");
    assert_fails_fast(&store).await;
}

/// What a stub was asked, and who asks it.
struct Stub {
    store: RedisStore,
    connections: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Stub {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A Redis that answers every greeting, counts the `GET`s, and answers each with `get`: maybe nothing.
async fn stub(get: &'static str) -> Stub {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let [connections, asked] = [(), ()].map(|()| Arc::new(AtomicUsize::new(0)));
    let (accepted, counter) = (Arc::clone(&connections), Arc::clone(&asked));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            accepted.fetch_add(1, Ordering::SeqCst);
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut bytes = vec![0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                    let text = String::from_utf8_lossy(&bytes[..read]).to_uppercase();
                    let gets = text.matches("\r\nGET\r\n").count();
                    counter.fetch_add(gets, Ordering::SeqCst);
                    let answer = match text.contains("INFO") {
                        _ if gets > 0 => get.repeat(gets),
                        true => "$19\r\nredis_version:7.0.0\r\n".to_owned(),
                        false => "+OK\r\n".to_owned(),
                    };
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let store = RedisStore::connect(&url, "t").unwrap();
    until("it connects", || store.client.is_connected()).await;
    Stub { store, connections, asked }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "20 s went by before {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_costs_one_caller_80_ms_and_the_others_nothing() {
    let stub = stub("").await;
    let begun = Instant::now();
    assert!(stub.store.cache().get("key").await.is_err());
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(80) && waited < Duration::from_millis(800), "{waited:?}");
    assert_fails_fast(&stub.store).await;
    let probes = begun.elapsed().as_secs() as usize;
    assert!((1..=1 + probes).contains(&stub.asked()), "{}", stub.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_is_probed_by_one_of_many_callers() {
    let stub = stub("").await;
    assert!(stub.store.cache().get("key").await.is_err());
    // Its time to rest is over; the connection is still there.
    stub.store.breaker.gone(Instant::now());
    let begun = Instant::now();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let cache = stub.store.cache();
            tokio::spawn(async move { cache.get("key").await.is_err() })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    let more = begun.elapsed().as_secs() as usize;
    assert!((2..=2 + more).contains(&stub.asked()), "{}", stub.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_connection_is_made_anew() {
    let stub = stub("").await;
    assert!(stub.store.cache().get("key").await.is_err());
    until("it connects anew", || stub.connections.load(Ordering::SeqCst) > 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_an_error_but_leaves_redis_in_use() {
    let stub = stub("-OOM command not allowed when used memory > 'maxmemory'.\r\n").await;
    for _ in 0..3 {
        let error = stub.store.cache().get("key").await.unwrap_err();
        assert!(error.source().unwrap().to_string().contains("OOM"), "{error:?}");
    }
    assert_eq!(stub.asked(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_later_is_found() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let store = RedisStore::connect(&format!("redis://{address}"), "t").unwrap();
    // Long enough for the first attempt to fail.
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(store.cache().get("key").await.is_err());
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), listener.accept()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_ends_with_its_last_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = RedisStore::connect(&format!("redis://{}", listener.local_addr().unwrap()), "t").unwrap();
    let cache = store.cache();
    let mut connection = listener.accept().await.unwrap().0;
    drop(store);
    drop(cache);
    let mut greeting = vec![];
    let end = tokio::time::timeout(Duration::from_millis(800), connection.read_to_end(&mut greeting)).await;
    assert!(end.is_ok(), "sooner than the handshake's own time is over");
    let again = tokio::time::timeout(Duration::from_millis(500), listener.accept()).await;
    assert!(again.is_err(), "nobody connects again");
}

#[tokio::test]
async fn a_url_that_makes_no_sense_is_refused_without_repeating_it() {
    for url in [
        "http://ana:s3cret@host",
        "redis://ana:s3cret@host:notaport",
        "redis://ana:s3cret@host/notanumber",
        "redis-sentinel://ana:s3cret@host:1",
        "redis:s3cret",
        "",
    ] {
        let error = RedisStore::connect(url, "t").err().unwrap();
        assert!(matches!(error, ConnectError::Url), "{url}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

#[test]
fn keys_of_a_lease_are_on_one_node() {
    for name in ["country-sync", "", "}", "a}b", "{", "{}"] {
        let tags = crate::lock::keys("malecon", name).map(|key| {
            let from = key.find('{').unwrap() + 1;
            key[from..from + key[from..].find('}').unwrap()].to_owned()
        });
        assert!(!tags[0].is_empty() && tags[0] == tags[1], "{name:?}");
    }
}
