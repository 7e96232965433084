//! The promises of [`SessionRepository`](crate::SessionRepository).

use futures_util::future::join_all;
use malecon_domain::{Profile, Role, User, UserChange};

use super::user::{CROWD, UserStore, add, at, change, disabled};
use crate::{AddressHash, KNOWN_ADDRESSES, NewRefresh, RepositoryError, Rotation, TokenHash};

/// Tests of every promise of [`SessionRepository`](crate::SessionRepository) on the store that the
/// expression makes: a [`UserStore`].
#[macro_export]
macro_rules! session_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::session, [
            a_session_names_its_user,
            a_refresh_token_works_once,
            a_used_refresh_token_ends_its_session,
            an_old_refresh_token_is_refused,
            any_of_its_refresh_tokens_ends_a_session,
            a_session_ends_with_its_users_tokens,
            a_session_makes_its_address_known,
            the_latest_addresses_are_known,
        ]);
    };
}

/// How many seconds a refresh token lasts here.
const LIFE: i64 = 100;

/// The `n`th refresh token to be, made at that second.
pub fn refresh(n: u8, second: i64) -> NewRefresh {
    NewRefresh { hash: hash(n), at: at(second), expires_at: at(second + LIFE) }
}

fn hash(n: u8) -> TokenHash {
    TokenHash([n; 32])
}

async fn begin(store: &impl UserStore, user: &User, n: u8) -> i64 {
    store.sessions().begin(user, &refresh(n, 0), None).await.expect("begin")
}

/// Presents one refresh token for the next, at that second.
async fn rotate(store: &impl UserStore, presented: u8, next: u8, second: i64) -> Rotation {
    store.sessions().rotate(&hash(presented), &refresh(next, second)).await.expect("rotate")
}

async fn find(store: &impl UserStore, session: i64) -> Option<User> {
    store.sessions().find(session).await.expect("find")
}

async fn end(store: &impl UserStore, presented: u8) -> bool {
    store.sessions().end(&hash(presented)).await.expect("end")
}

/// The user as it now is.
pub async fn a_session_names_its_user(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    let (anas, bens, second) =
        (begin(store, &ana, 1).await, begin(store, &ben, 2).await, begin(store, &ana, 3).await);
    assert!(anas != bens && anas != second && bens != second);
    let renamed = Profile { name: "Bo".to_owned(), ..ben.profile.clone() };
    change(store, ben.id, UserChange { profile: Some(renamed.clone()), ..UserChange::default() }).await;
    assert_eq!(find(store, anas).await.as_ref(), Some(&ana));
    assert_eq!(find(store, bens).await.map(|user| user.profile), Some(renamed));
    assert!(end(store, 1).await);
    assert_eq!(find(store, anas).await, None, "it is over");
    assert_eq!(find(store, second).await, Some(ana), "the other one goes on");
    assert_eq!(find(store, i64::MAX).await, None);
    store.users().remove(ben.id).await.expect("remove");
    let begun = store.sessions().begin(&ben, &refresh(4, 0), None).await;
    assert!(matches!(begun, Err(RepositoryError::MissingReference(_))), "{begun:?}");
}

/// Each is good for one exchange.
pub async fn a_refresh_token_works_once(store: &impl UserStore) {
    let user = add(store, "ana", Role::User).await;
    let session = begin(store, &user, 1).await;
    for n in 1..4 {
        let rotated = Rotation::Rotated { session, user: user.clone() };
        assert_eq!(rotate(store, n, n + 1, i64::from(n)).await, rotated);
    }
    assert_eq!(find(store, session).await.as_ref(), Some(&user));
    assert_eq!(rotate(store, 99, 98, 0).await, Rotation::Refused, "nobody knows it");

    for round in 0..4 {
        let base = 100 + round * 20;
        let session = begin(store, &user, base).await;
        let tries = join_all((1..=CROWD).map(|n| rotate(store, base, base + n, 1))).await;
        let good = tries.iter().filter(|rotation| matches!(rotation, Rotation::Rotated { .. })).count();
        assert!(good <= 1, "{tries:?}");
        assert!(tries.contains(&Rotation::Reused), "{tries:?}");
        assert_eq!(find(store, session).await, None, "too many knew it");
    }
    assert_eq!(find(store, session).await, Some(user), "the first one goes on");
}

/// Two that know one token: nobody can tell which is the thief.
pub async fn a_used_refresh_token_ends_its_session(store: &impl UserStore) {
    let user = add(store, "ana", Role::User).await;
    let (session, other) = (begin(store, &user, 1).await, begin(store, &user, 10).await);
    rotate(store, 1, 2, 1).await;
    rotate(store, 2, 3, 2).await;
    assert_eq!(rotate(store, 1, 4, 3).await, Rotation::Reused);
    assert_eq!(find(store, session).await, None);
    assert_eq!(rotate(store, 3, 5, 3).await, Rotation::Refused, "the latest one");
    assert_eq!(rotate(store, 4, 6, 3).await, Rotation::Refused, "never given");
    assert_eq!(rotate(store, 10, 11, 3).await, Rotation::Rotated { session: other, user });
}

/// To the second.
pub async fn an_old_refresh_token_is_refused(store: &impl UserStore) {
    let user = add(store, "ana", Role::User).await;
    let session = begin(store, &user, 1).await;
    for late in [LIFE, LIFE + 1, LIFE * 1_000] {
        assert_eq!(rotate(store, 1, 2, late).await, Rotation::Refused);
    }
    let rotated = Rotation::Rotated { session, user };
    assert_eq!(rotate(store, 1, 2, LIFE - 1).await, rotated, "it was not used up");
    assert_eq!(rotate(store, 2, 3, 2 * LIFE - 2).await, rotated, "the next one has its own time");
    assert_eq!(rotate(store, 3, 4, 3 * LIFE - 2).await, Rotation::Refused);
}

/// To log out one needs no good token.
pub async fn any_of_its_refresh_tokens_ends_a_session(store: &impl UserStore) {
    let user = add(store, "ana", Role::User).await;
    for (base, presented) in [(10, 10), (20, 21), (30, 32)] {
        let session = begin(store, &user, base).await;
        rotate(store, base, base + 1, 1).await;
        rotate(store, base + 1, base + 2, 2).await;
        assert!(end(store, presented).await);
        assert_eq!(find(store, session).await, None);
        assert_eq!(rotate(store, base + 2, base + 3, 3).await, Rotation::Refused);
        assert!(!end(store, presented).await, "it was over");
    }
    assert!(!end(store, 99).await);
}

/// A new password and an end of the account end them all.
pub async fn a_session_ends_with_its_users_tokens(store: &impl UserStore) {
    let ben = add(store, "ben", Role::User).await;
    let bens = begin(store, &ben, 100).await;
    let user = add(store, "ana", Role::User).await;
    let new_password = UserChange { password_hash: Some("$new".to_owned()), ..UserChange::default() };
    let mut known = user.clone();
    for (n, ends) in [(1, new_password), (10, disabled(true))] {
        let session = begin(store, &known, n).await;
        assert!(find(store, session).await.is_some());
        change(store, user.id, ends).await;
        assert_eq!(find(store, session).await, None);
        assert_eq!(rotate(store, n, n + 1, 1).await, Rotation::Refused);
        known = store.users().find(user.id).await.expect("find").expect("a user");
    }
    let late = begin(store, &known, 20).await;
    assert_eq!(find(store, late).await, None, "it is disabled");
    change(store, user.id, disabled(false)).await;
    for n in [1, 10] {
        assert_eq!(rotate(store, n, n + 2, 1).await, Rotation::Refused, "over is over");
    }
    let stale = begin(store, &user, 30).await;
    assert_eq!(find(store, stale).await, None, "it was begun with what the user was before");
    assert_eq!(find(store, bens).await, Some(ben), "others go on");
}

/// Begins a session at an address, at that second.
async fn begin_at(store: &impl UserStore, user: &User, n: u8, second: i64, address: u8) {
    let (refresh, address) = (refresh(n, second), AddressHash([address; 32]));
    store.sessions().begin(user, &refresh, Some(&address)).await.expect("begin");
}

async fn knows(store: &impl UserStore, user: &User, addresses: &[u8], since: i64) -> bool {
    let addresses: Vec<_> = addresses.iter().map(|n| AddressHash([*n; 32])).collect();
    store.sessions().knows(user.id, &addresses, at(since)).await.expect("knows")
}

/// To whoever asks about this user.
pub async fn a_session_makes_its_address_known(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    begin(store, &ana, 1).await;
    begin_at(store, &ana, 2, 10, 7).await;
    begin_at(store, &ben, 3, 20, 9).await;
    assert!(knows(store, &ana, &[7], 10).await && knows(store, &ana, &[1, 7], 0).await);
    assert!(!knows(store, &ana, &[7], 11).await, "it is too long ago");
    assert!(!knows(store, &ana, &[9], 0).await, "another's");
    assert!(!knows(store, &ana, &[1, 2], 0).await);
    begin_at(store, &ana, 4, 30, 7).await;
    begin_at(store, &ana, 5, 15, 7).await;
    assert!(knows(store, &ana, &[7], 30).await, "the last one counts");
    assert!(end(store, 2).await && end(store, 4).await && end(store, 5).await);
    assert!(knows(store, &ana, &[7], 30).await, "a session that is over was one");
    store.users().remove(ana.id).await.expect("remove");
    assert!(!knows(store, &ana, &[7], 0).await);
    assert!(knows(store, &ben, &[9], 20).await);
}

/// However many there were.
pub async fn the_latest_addresses_are_known(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    begin_at(store, &ben, 200, 0, 1).await;
    let most = u8::try_from(KNOWN_ADDRESSES).expect("a few");
    for n in 1..=most {
        begin_at(store, &ana, n, i64::from(n), n).await;
    }
    // The first one is used again, and so it is the second that goes.
    begin_at(store, &ana, 100, 50, 1).await;
    begin_at(store, &ana, 101, 51, 101).await;
    for (address, known) in [(1, true), (2, false), (3, true), (most, true), (101, true)] {
        assert_eq!(knows(store, &ana, &[address], 0).await, known, "{address}");
    }
    assert!(knows(store, &ben, &[1], 0).await, "others have addresses of their own");
}
