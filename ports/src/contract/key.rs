//! The promises of [`KeyRepository`](crate::KeyRepository).

use futures_util::future::join_all;

use super::user::{CROWD, UserStore, at};
use crate::SigningKey;

/// Tests of every promise of [`KeyRepository`](crate::KeyRepository) on the store that the
/// expression makes: a [`UserStore`].
#[macro_export]
macro_rules! key_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::key, [
            the_first_key_stays,
            a_new_key_goes_before_the_last_one,
        ]);
    };
}

fn key(n: u8) -> SigningKey {
    SigningKey(vec![n, 0, 255, n])
}

/// The keys' first bytes: a key's `Debug` shows nothing.
async fn keys(store: &impl UserStore) -> Vec<u8> {
    let keys = store.keys().keys().await.expect("keys");
    for found in &keys {
        assert!(*found == key(found.0[0]));
    }
    keys.iter().map(|found| found.0[0]).collect()
}

/// Processes that start at once agree on one key.
pub async fn the_first_key_stays(store: &impl UserStore) {
    assert_eq!(keys(store).await, []);
    let tries: Vec<_> = (1..=CROWD).map(key).collect();
    for stored in join_all(tries.iter().map(|key| store.keys().first(key, at(0)))).await {
        stored.expect("first");
    }
    let first = keys(store).await;
    assert_eq!(first.len(), 1);
    store.keys().first(&key(100), at(1)).await.expect("first");
    assert_eq!(keys(store).await, first);
}

/// The last one goes on verifying what it signed.
pub async fn a_new_key_goes_before_the_last_one(store: &impl UserStore) {
    store.keys().first(&key(1), at(9)).await.expect("first");
    // Their order is that of the calls, whatever the clocks of the callers say.
    for (n, wanted) in [(2, [2, 1]), (3, [3, 2]), (4, [4, 3])] {
        store.keys().add(&key(n), at(9 - i64::from(n))).await.expect("add");
        assert_eq!(keys(store).await, wanted);
    }
}
