//! The promises of [`Lock`].

use std::time::Duration;

use futures_util::future::join_all;

use crate::{Lease, Lock};

/// Tests of every promise of [`Lock`] on the adapter that the expression makes.
#[macro_export]
macro_rules! lock_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::lock, [
            one_owner_at_a_time,
            names_are_apart,
            a_released_name_is_free,
            a_lapsed_name_is_free,
            tokens_grow,
            renew_keeps_the_name,
            a_late_owner_is_refused,
            racing_callers_get_one_lease,
        ]);
    };
}

const LONG: Duration = Duration::from_secs(60);
/// Longer than it takes to open a connection, or a renewal would come too late.
const SHORT: Duration = Duration::from_millis(400);

async fn acquire(lock: &impl Lock, name: &str, ttl: Duration) -> Option<Lease> {
    lock.acquire(name, ttl).await.expect("acquire")
}

async fn lapse(lock: &impl Lock, name: &str) -> (Lease, Lease) {
    let late = acquire(lock, name, SHORT).await.expect("a lease");
    let mut next = None;
    super::until("the lease lapses", async || {
        next = acquire(lock, name, LONG).await;
        next.is_some()
    })
    .await;
    (late, next.expect("a lease"))
}

/// While a lease runs nobody else gets one.
pub async fn one_owner_at_a_time(lock: &impl Lock) {
    assert!(acquire(lock, "a", LONG).await.is_some());
    assert_eq!(acquire(lock, "a", LONG).await, None);
}

/// Other names are free.
pub async fn names_are_apart(lock: &impl Lock) {
    assert!(acquire(lock, "a", LONG).await.is_some());
    assert!(acquire(lock, "A", LONG).await.is_some());
}

/// A released name is free.
pub async fn a_released_name_is_free(lock: &impl Lock) {
    let lease = acquire(lock, "a", LONG).await.expect("a lease");
    lock.release(&lease).await.expect("release");
    assert!(acquire(lock, "a", LONG).await.is_some());
}

/// A lapsed name is free.
pub async fn a_lapsed_name_is_free(lock: &impl Lock) {
    lapse(lock, "a").await;
}

/// Later leases have larger tokens.
pub async fn tokens_grow(lock: &impl Lock) {
    let first = acquire(lock, "a", LONG).await.expect("a lease");
    lock.release(&first).await.expect("release");
    let (second, third) = lapse(lock, "a").await;
    assert!(first.token < second.token && second.token < third.token);
}

/// A renewed lease runs on.
pub async fn renew_keeps_the_name(lock: &impl Lock) {
    let lease = acquire(lock, "a", SHORT).await.expect("a lease");
    assert!(lock.renew(&lease, LONG).await.expect("renew"));
    // Another name's short lease tells when the first one's old time is over.
    lapse(lock, "b").await;
    assert_eq!(acquire(lock, "a", LONG).await, None);
}

/// Who comes late gets nothing and takes nothing.
pub async fn a_late_owner_is_refused(lock: &impl Lock) {
    let (late, owner) = lapse(lock, "a").await;
    assert!(!lock.renew(&late, LONG).await.expect("renew"));
    lock.release(&late).await.expect("release");
    assert_eq!(acquire(lock, "a", LONG).await, None, "the owner still has it");
    lock.release(&owner).await.expect("release");
    assert!(!lock.renew(&owner, LONG).await.expect("renew"), "released");
}

/// One of many gets it.
pub async fn racing_callers_get_one_lease(lock: &impl Lock) {
    let leases = join_all((0..20).map(|_| acquire(lock, "a", LONG))).await;
    assert_eq!(leases.into_iter().flatten().count(), 1);
}
