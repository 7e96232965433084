//! The promises of [`Cache`].

use std::time::Duration;

use bytes::Bytes;

use crate::Cache;

/// Tests of every promise of [`Cache`] on the adapter that the expression makes.
#[macro_export]
macro_rules! cache_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::cache, [
            keeps_what_was_put,
            misses_what_was_never_put,
            a_later_put_wins,
            forgets_after_the_time_to_live,
            forgets_what_was_removed,
            keys_are_apart,
        ]);
    };
}

const LONG: Duration = Duration::from_secs(60);

async fn put(cache: &impl Cache, key: &str, value: &'static [u8], ttl: Duration) {
    cache.put(key, Bytes::from_static(value), ttl).await.expect("put");
}

async fn get(cache: &impl Cache, key: &str) -> Option<Bytes> {
    cache.get(key).await.expect("get")
}

/// A value comes back as it was put.
pub async fn keeps_what_was_put(cache: &impl Cache) {
    put(cache, "a", b"\0\xff\r\nvalue", LONG).await;
    assert_eq!(get(cache, "a").await.as_deref(), Some(&b"\0\xff\r\nvalue"[..]));
    put(cache, "empty", b"", LONG).await;
    assert_eq!(get(cache, "empty").await.as_deref(), Some(&b""[..]));
}

/// An unknown key is `None`.
pub async fn misses_what_was_never_put(cache: &impl Cache) {
    assert_eq!(get(cache, "nothing").await, None);
}

/// The last value wins.
pub async fn a_later_put_wins(cache: &impl Cache) {
    put(cache, "a", b"1", LONG).await;
    put(cache, "a", b"2", LONG).await;
    assert_eq!(get(cache, "a").await.as_deref(), Some(&b"2"[..]));
}

/// After its time a value is gone; others stay.
pub async fn forgets_after_the_time_to_live(cache: &impl Cache) {
    put(cache, "short", b"1", Duration::from_millis(40)).await;
    put(cache, "long", b"2", LONG).await;
    super::until("the value is gone", async || get(cache, "short").await.is_none()).await;
    assert!(get(cache, "long").await.is_some());
}

/// A removed key is gone.
pub async fn forgets_what_was_removed(cache: &impl Cache) {
    put(cache, "a", b"1", LONG).await;
    cache.remove("a").await.expect("remove");
    cache.remove("never there").await.expect("remove");
    assert_eq!(get(cache, "a").await, None);
}

/// Keys that differ share nothing.
pub async fn keys_are_apart(cache: &impl Cache) {
    let keys = ["a", "A", "a:b", "a b", "ä", ""];
    for (key, value) in keys.into_iter().zip([b"0", b"1", b"2", b"3", b"4", b"5"]) {
        put(cache, key, value, LONG).await;
    }
    for (key, value) in keys.into_iter().zip([b"0", b"1", b"2", b"3", b"4", b"5"]) {
        assert_eq!(get(cache, key).await.as_deref(), Some(&value[..]), "{key:?}");
    }
}
