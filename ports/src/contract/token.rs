//! The promises of [`TokenRepository`](crate::TokenRepository).

use futures_util::future::join_all;
use malecon_domain::{ApiToken, Page, Role, User, UserChange};

use super::user::{CROWD, UserStore, add, at, change, disabled};
use crate::{NewApiToken, RepositoryError, TokenHash, TokenWrite};

/// Tests of every promise of [`TokenRepository`](crate::TokenRepository) on the store that the
/// expression makes: a [`UserStore`].
#[macro_export]
macro_rules! token_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::token, [
            an_unknown_token_is_nobodys,
            a_token_names_its_user,
            a_token_needs_a_user,
            a_token_is_stored_once,
            the_first_token_is_added_once,
            a_user_has_no_more_tokens_than_the_limit,
            tokens_that_have_ended_make_room,
            only_its_owner_removes_it,
            all_of_a_user_are_removed_at_once,
            the_last_use_is_noted,
            lists_tell_one_users_tokens,
        ]);
    };
}

/// The `n`th token to be of a user.
pub fn token(user: &User, n: u8) -> NewApiToken {
    NewApiToken {
        hash: TokenHash([n; 32]),
        user_id: user.id,
        name: format!("token {n}"),
        prefix: format!("mlc_{n}"),
        at: at(i64::from(n)),
        expires_at: None,
    }
}

async fn stored(store: &impl UserStore, token: &NewApiToken) -> ApiToken {
    match add_within(store, token, None).await {
        TokenWrite::Added(token) => token,
        TokenWrite::QuotaReached => panic!("there is no limit"),
    }
}

async fn add_within(store: &impl UserStore, token: &NewApiToken, limit: Option<u64>) -> TokenWrite {
    store.tokens().add(token, limit).await.expect("add")
}

async fn count(store: &impl UserStore, user: &User) -> u64 {
    store.tokens().list(user.id, Page::default()).await.expect("list").total
}

async fn find(store: &impl UserStore, n: u8) -> Option<(ApiToken, User)> {
    store.tokens().find(&TokenHash([n; 32])).await.expect("find")
}

/// Nobody's, and no error.
pub async fn an_unknown_token_is_nobodys(store: &impl UserStore) {
    assert_eq!(find(store, 1).await, None);
    let user = add(store, "ana", Role::User).await;
    stored(store, &token(&user, 1)).await;
    assert_eq!(find(store, 2).await, None);
    assert_eq!(find(store, 0).await, None);
    store.tokens().used(i64::MAX, at(0)).await.expect("used");
    assert!(!store.tokens().remove(i64::MAX, None).await.expect("remove"));
}

/// It comes back with its user, who may have changed since.
pub async fn a_token_names_its_user(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::Admin).await, add(store, "ben", Role::User).await);
    let first = stored(store, &token(&ana, 1)).await;
    let ends = NewApiToken {
        name: String::new(),
        prefix: "Größe '%_\\".to_owned(),
        expires_at: Some(at(99)),
        ..token(&ben, 2)
    };
    let second = stored(store, &ends).await;
    assert_ne!(first.id, second.id);
    let told = ApiToken {
        id: second.id,
        user_id: ben.id,
        name: ends.name,
        prefix: ends.prefix,
        created_at: ends.at,
        expires_at: Some(at(99)),
        last_used_at: None,
    };
    assert_eq!(second, told);
    assert_eq!(find(store, 1).await, Some((first, ana)));
    assert_eq!(find(store, 2).await, Some((second.clone(), ben.clone())));
    change(store, ben.id, disabled(true)).await;
    let now = store.users().find(ben.id).await.expect("find").expect("a user");
    assert!(now.disabled);
    assert_eq!(find(store, 2).await, Some((second, now)), "disabled or not is for the caller to see");
}

/// Nobody's tokens are not kept.
pub async fn a_token_needs_a_user(store: &impl UserStore) {
    let user = add(store, "ana", Role::User).await;
    store.users().remove(user.id).await.expect("remove");
    let added = store.tokens().add(&token(&user, 1), Some(5)).await;
    assert!(matches!(added, Err(RepositoryError::MissingReference(_))), "{added:?}");
    let added = store.tokens().add(&token(&user, 1), None).await;
    assert!(matches!(added, Err(RepositoryError::MissingReference(_))), "{added:?}");
    let added = store.tokens().add_first(&token(&user, 1)).await;
    assert!(matches!(added, Err(RepositoryError::MissingReference(_))), "{added:?}");
    assert_eq!(find(store, 1).await, None);
}

/// A hash is one token's.
pub async fn a_token_is_stored_once(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    let first = stored(store, &token(&ana, 1)).await;
    let second = store.tokens().add(&token(&ben, 1), None).await;
    assert!(matches!(second, Err(RepositoryError::Conflict(_))), "{second:?}");
    assert_eq!(find(store, 1).await, Some((first, ana)));
}

/// One of many gets the only place.
pub async fn the_first_token_is_added_once(store: &impl UserStore) {
    let tokens = store.tokens();
    let user = add(store, "ana", Role::Admin).await;
    let news: Vec<_> = (1..=CROWD).map(|n| token(&user, n)).collect();
    let theirs = async || tokens.list(user.id, Page::default()).await.expect("list").items;
    // Several times: the first time, a pool may still be opening its connections one by one.
    for _ in 0..5 {
        for old in theirs().await {
            assert!(tokens.remove(old.id, None).await.expect("remove"));
        }
        let added = join_all(news.iter().map(|new| tokens.add_first(new))).await;
        let added: Vec<_> = added.into_iter().map(|added| added.expect("add_first")).collect();
        assert_eq!(added.iter().filter(|added| **added).count(), 1, "{added:?}");
        assert_eq!(theirs().await.len(), 1);
        for (new, added) in news.iter().zip(added) {
            assert_eq!(tokens.find(&new.hash).await.expect("find").is_some(), added);
        }
    }
    let kept = theirs().await;
    let other = add(store, "ben", Role::User).await;
    assert!(!tokens.add_first(&token(&other, 100)).await.expect("add_first"), "somebody else's counts");
    assert!(tokens.remove(kept[0].id, None).await.expect("remove"));
    assert!(tokens.add_first(&token(&other, 100)).await.expect("add_first"), "there is none again");
    assert_eq!(find(store, 100).await.map(|(_, user)| user), Some(other));
}

/// However many try at once; others have a limit of their own.
pub async fn a_user_has_no_more_tokens_than_the_limit(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    stored(store, &token(&ben, 101)).await;
    for limit in [0, 1, 5] {
        let crowd: Vec<_> = (1..=CROWD).map(|n| token(&ana, n)).collect();
        let added = join_all(crowd.iter().map(|new| add_within(store, new, Some(limit)))).await;
        let refused = added.iter().filter(|write| **write == TokenWrite::QuotaReached).count() as u64;
        assert_eq!(refused, u64::from(CROWD) - limit, "{added:?}");
        assert_eq!(count(store, &ana).await, limit);
        for (new, write) in crowd.iter().zip(added) {
            let kept = store.tokens().find(&new.hash).await.expect("find").map(|(token, _)| token);
            assert_eq!(kept.map_or(TokenWrite::QuotaReached, TokenWrite::Added), write);
        }
        assert_eq!(store.tokens().remove_all(ana.id).await.expect("remove_all"), limit);
    }
    assert!(matches!(add_within(store, &token(&ana, 1), Some(1)).await, TokenWrite::Added(_)));
    assert_eq!(add_within(store, &token(&ana, 2), Some(1)).await, TokenWrite::QuotaReached);
    assert!(matches!(add_within(store, &token(&ana, 2), None).await, TokenWrite::Added(_)));
    assert_eq!((count(store, &ana).await, count(store, &ben).await), (2, 1));
}

/// But not before they are in the way, and nobody else's do.
pub async fn tokens_that_have_ended_make_room(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    let ends = |user: &User, n: u8, end: i64| NewApiToken { expires_at: Some(at(end)), ..token(user, n) };
    stored(store, &ends(&ben, 101, 1)).await;
    for (n, end) in [(1, 49), (2, 50), (3, 51)] {
        stored(store, &ends(&ana, n, end)).await;
    }
    stored(store, &token(&ana, 4)).await;
    assert!(matches!(add_within(store, &token(&ana, 50), Some(5)).await, TokenWrite::Added(_)));
    assert_eq!(count(store, &ana).await, 5, "there was room");
    let next = NewApiToken { at: at(50), ..token(&ana, 51) };
    assert_eq!(add_within(store, &next, Some(3)).await, TokenWrite::QuotaReached, "three are left");
    assert!(matches!(add_within(store, &next, Some(5)).await, TokenWrite::Added(_)));
    assert_eq!(count(store, &ana).await, 4, "those that end at 49 and at 50 are gone");
    assert_eq!((find(store, 1).await, find(store, 2).await), (None, None));
    for n in [3, 4, 50, 51, 101] {
        assert!(find(store, n).await.is_some(), "{n}");
    }
}

/// And only theirs.
pub async fn all_of_a_user_are_removed_at_once(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    for n in 1..=5 {
        stored(store, &token(&ana, n)).await;
        stored(store, &token(&ben, n + 10)).await;
    }
    let remove_all = async |user_id| store.tokens().remove_all(user_id).await.expect("remove_all");
    assert_eq!(remove_all(ana.id).await, 5);
    assert_eq!((remove_all(ana.id).await, remove_all(i64::MAX).await), (0, 0));
    assert_eq!((count(store, &ana).await, count(store, &ben).await), (0, 5));
    assert_eq!(find(store, 1).await, None);
}

/// Others can't take it away.
pub async fn only_its_owner_removes_it(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    let remove = async |id, user_id| store.tokens().remove(id, user_id).await.expect("remove");
    let (first, second) = (stored(store, &token(&ana, 1)).await, stored(store, &token(&ana, 2)).await);
    assert!(!remove(first.id, Some(ben.id)).await);
    assert!(find(store, 1).await.is_some());
    assert!(remove(first.id, Some(ana.id)).await);
    assert!(!remove(first.id, Some(ana.id)).await, "it is gone");
    assert_eq!(find(store, 1).await, None);
    assert!(remove(second.id, None).await);
    assert_eq!(find(store, 2).await, None);
    let third = stored(store, &token(&ana, 3)).await;
    assert!(second.id < third.id, "numbers are not given twice");
}

/// The latest time stays, in whatever order they come.
pub async fn the_last_use_is_noted(store: &impl UserStore) {
    let user = add(store, "ana", Role::User).await;
    let (one, other) = (stored(store, &token(&user, 1)).await, stored(store, &token(&user, 2)).await);
    let noted = async || find(store, 1).await.expect("a token").0.last_used_at;
    assert_eq!(noted().await, None);
    for (used, last) in [(120, 120), (60, 120), (120, 120), (180, 180)] {
        store.tokens().used(one.id, at(used)).await.expect("used");
        assert_eq!(noted().await, Some(at(last)));
    }
    let minutes = (0..CROWD).map(|n| 600 + 60 * i64::from(n * 7 % CROWD));
    for used in join_all(minutes.map(|second| store.tokens().used(one.id, at(second)))).await {
        used.expect("used");
    }
    assert_eq!(noted().await, Some(at(600 + 60 * i64::from(CROWD - 1))));
    assert_eq!(find(store, 2).await, Some((other, user)), "others stay as they are");
}

/// Only theirs, page by page.
pub async fn lists_tell_one_users_tokens(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    let mut anas = vec![];
    for n in [5, 3, 4, 1, 2] {
        anas.push(stored(store, &token(&ana, n)).await);
        stored(store, &token(&ben, n + 10)).await;
    }
    let list = async |user_id, number, size| {
        let paged =
            store.tokens().list(user_id, Page::new(number, size).expect("a page")).await.expect("list");
        (paged.items, paged.total)
    };
    assert_eq!(list(ana.id, 1, 100).await, (anas.clone(), 5));
    assert_eq!(list(ana.id, 2, 2).await, (anas[2..4].to_vec(), 5));
    assert_eq!(list(ana.id, 4, 2).await, (vec![], 5));
    assert_eq!(list(i64::MAX, 1, 100).await, (vec![], 0));
    change(store, ana.id, UserChange::default()).await;
    assert_eq!(list(ana.id, 1, 100).await, (anas, 5));
}
