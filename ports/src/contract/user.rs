//! The promises of [`UserRepository`].

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use malecon_domain::{
    Direction, Email, Instant, Page, Profile, Role, Sort, User, UserChange, UserQuery, UserSortKey,
};

use super::session::refresh;
use super::token::token;
use crate::{
    KeyRepository, NewUser, Rotation, SessionRepository, TokenRepository, UserRepository, UserWrite,
};

/// Tests of every promise of [`UserRepository`] on the store that the expression makes: a
/// [`UserStore`].
#[macro_export]
macro_rules! user_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::user, [
            a_user_comes_back_as_it_was_added,
            numbers_are_never_given_twice,
            an_address_is_one_users,
            a_change_leaves_the_rest,
            an_outdated_change_changes_nothing,
            the_last_administrator_stays,
            the_first_administrator_is_found,
            a_removed_user_is_gone,
            lists_are_sorted_and_cut_into_pages,
        ]);
    };
}

/// A store under test: users, and what ends with them.
pub trait UserStore: Send + Sync {
    /// The users.
    fn users(&self) -> &dyn UserRepository;
    /// Their API tokens.
    fn tokens(&self) -> &dyn TokenRepository;
    /// Their sessions.
    fn sessions(&self) -> &dyn SessionRepository;
    /// The keys that sign their access tokens.
    fn keys(&self) -> &dyn KeyRepository;
}

/// How many do a thing at once.
pub(super) const CROWD: u8 = 12;

pub(super) fn at(second: i64) -> Instant {
    DateTime::<Utc>::from_timestamp(1_700_000_000 + second, 0).expect("an instant")
}

fn email(text: &str) -> Email {
    Email::new(text).expect("an address")
}

/// A user to be, at `name`@example.org.
pub fn new_user(name: &str, role: Role) -> NewUser {
    let profile = Profile {
        name: name.to_owned(),
        last_name: "Paz".to_owned(),
        email: email(&format!("{name}@example.org")),
        role,
    };
    NewUser { profile, password_hash: Some(format!("$argon2id$hash of {name}")), at: at(0) }
}

fn done(write: UserWrite) -> User {
    match write {
        UserWrite::Done(user) => user,
        other => panic!("{other:?}"),
    }
}

/// Adds a user.
pub async fn add(store: &impl UserStore, name: &str, role: Role) -> User {
    done(store.users().add(&new_user(name, role)).await.expect("add"))
}

/// Changes a user, whatever its revision.
pub(super) async fn change(store: &impl UserStore, id: i64, change: UserChange) -> UserWrite {
    store.users().change(id, &change, None).await.expect("change")
}

async fn remove(store: &impl UserStore, id: i64) -> UserWrite {
    store.users().remove(id).await.expect("remove")
}

async fn find(store: &impl UserStore, id: i64) -> Option<User> {
    store.users().find(id).await.expect("find")
}

async fn password(store: &impl UserStore, user: &User) -> Option<String> {
    store.users().find_by_email(&user.profile.email).await.expect("find_by_email").expect("a user").1
}

/// A change of the profile alone.
fn to(profile: Profile) -> UserChange {
    UserChange { profile: Some(profile), ..UserChange::default() }
}

fn to_user(user: &User) -> UserChange {
    to(Profile { role: Role::User, ..user.profile.clone() })
}

fn to_email(user: &User, text: &str) -> UserChange {
    to(Profile { email: email(text), ..user.profile.clone() })
}

/// A change that disables, or no longer does.
pub(super) fn disabled(disabled: bool) -> UserChange {
    UserChange { disabled: Some(disabled), ..UserChange::default() }
}

async fn list(store: &impl UserStore, sort: Vec<Sort<UserSortKey>>, page: Page) -> (Vec<i64>, u64) {
    let paged = store.users().list(&UserQuery { sort, page }).await.expect("list");
    (paged.items.iter().map(|user| user.id).collect(), paged.total)
}

fn all() -> Page {
    Page::new(1, 100).expect("a page")
}

fn count(writes: &[UserWrite], is_it: fn(&UserWrite) -> bool) -> usize {
    writes.iter().filter(|write| is_it(write)).count()
}

/// Every member survives.
pub async fn a_user_comes_back_as_it_was_added(store: &impl UserStore) {
    let plain = new_user("ana", Role::Admin);
    let mut bare = new_user("program", Role::User);
    bare.profile.name = "Größe '%_\\ 名".to_owned();
    bare.profile.last_name = String::new();
    bare.password_hash = None;
    bare.at = at(5);
    for new in [plain, bare] {
        let user = done(store.users().add(&new).await.expect("add"));
        assert!(user.id >= 1);
        assert_eq!((&user.profile, user.disabled, user.created_at), (&new.profile, false, new.at));
        assert_eq!(find(store, user.id).await.as_ref(), Some(&user));
        let found = store.users().find_by_email(&new.profile.email).await.expect("find_by_email");
        assert_eq!(found, Some((user, new.password_hash)));
    }
    assert_eq!(find(store, 0).await, None);
    assert_eq!(find(store, i64::MAX).await, None);
    assert_eq!(store.users().find_by_email(&email("nobody@example.org")).await.expect("find_by_email"), None);
}

/// A number is one user's, for ever.
pub async fn numbers_are_never_given_twice(store: &impl UserStore) {
    let (first, second) = (add(store, "a", Role::User).await, add(store, "b", Role::User).await);
    remove(store, second.id).await;
    let third = add(store, "c", Role::User).await;
    assert!(first.id < second.id && second.id < third.id);
    remove(store, first.id).await;
    remove(store, third.id).await;
    assert!(add(store, "d", Role::User).await.id > third.id, "not even in an empty store");
}

/// Two users never have one address.
pub async fn an_address_is_one_users(store: &impl UserStore) {
    let users = store.users();
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    assert_eq!(users.add(&new_user("ana", Role::Admin)).await.expect("add"), UserWrite::EmailTaken);
    assert_eq!(change(store, ben.id, to_email(&ben, "ana@example.org")).await, UserWrite::EmailTaken);
    assert_eq!(find(store, ben.id).await, Some(ben.clone()), "nothing changed");
    done(change(store, ana.id, to_email(&ana, "ana@example.org")).await);
    done(change(store, ana.id, to_email(&ana, "new@example.org")).await);
    done(change(store, ben.id, to_email(&ben, "ana@example.org")).await);
    done(remove(store, ben.id).await);
    assert_eq!(add(store, "ana", Role::User).await.profile.email, email("ana@example.org"), "free again");

    let new = new_user("one", Role::User);
    let adds = join_all((0..CROWD).map(|_| users.add(&new))).await;
    let adds: Vec<_> = adds.into_iter().map(|added| added.expect("add")).collect();
    assert_eq!(count(&adds, |write| matches!(write, UserWrite::Done(_))), 1, "{adds:?}");
    assert_eq!(count(&adds, |write| *write == UserWrite::EmailTaken), usize::from(CROWD) - 1, "{adds:?}");
    let mut crowd = vec![];
    for n in 0..CROWD {
        crowd.push(add(store, &format!("crowd{n}"), Role::User).await);
    }
    let same = crowd.iter().map(|user| change(store, user.id, to_email(user, "same@example.org")));
    let changes = join_all(same).await;
    assert_eq!(count(&changes, |write| matches!(write, UserWrite::Done(_))), 1, "{changes:?}");
    assert_eq!(count(&changes, |write| *write == UserWrite::EmailTaken), usize::from(CROWD) - 1);
}

/// What is not in a change stays.
pub async fn a_change_leaves_the_rest(store: &impl UserStore) {
    let other = add(store, "other", Role::Admin).await;
    let user = add(store, "ana", Role::User).await;
    let hash = password(store, &user).await;

    let profile = Profile {
        name: "Bo".to_owned(),
        last_name: String::new(),
        email: email("bo@example.org"),
        role: Role::Admin,
    };
    let renamed = done(change(store, user.id, to(profile.clone())).await);
    assert!(renamed.revision > user.revision);
    assert_eq!(renamed, User { profile, revision: renamed.revision, ..user.clone() });
    assert_eq!(find(store, user.id).await.as_ref(), Some(&renamed));
    assert_eq!(password(store, &renamed).await, hash);

    let new_password = UserChange { password_hash: Some("$new".to_owned()), ..UserChange::default() };
    let safer = done(change(store, user.id, new_password).await);
    let grown = |now: &User, then: &User| {
        assert!(now.revision > then.revision && now.token_version > then.token_version);
        User { revision: now.revision, token_version: now.token_version, ..then.clone() }
    };
    assert_eq!(safer, grown(&safer, &renamed));
    assert_eq!(password(store, &safer).await.as_deref(), Some("$new"));

    let gone = done(change(store, user.id, disabled(true)).await);
    assert_eq!(gone, User { disabled: true, ..grown(&gone, &safer) });
    assert_eq!(find(store, user.id).await.as_ref(), Some(&gone));
    let back = done(change(store, user.id, disabled(false)).await);
    assert_eq!(back, User { disabled: false, revision: back.revision, ..gone.clone() });
    assert_eq!(password(store, &back).await.as_deref(), Some("$new"));

    assert_eq!(change(store, i64::MAX, disabled(true)).await, UserWrite::NotFound);
    assert_eq!(find(store, other.id).await, Some(other), "others stay as they are");
}

/// Who knew an older revision changes nothing.
pub async fn an_outdated_change_changes_nothing(store: &impl UserStore) {
    let user = add(store, "ana", Role::User).await;
    let revised = async |revision, change: UserChange| {
        store.users().change(user.id, &change, Some(revision)).await.expect("change")
    };
    let second = done(revised(user.revision, to_email(&user, "second@example.org")).await);
    for wrong in [user.revision, second.revision + 1] {
        assert_eq!(revised(wrong, disabled(true)).await, UserWrite::Outdated);
    }
    assert_eq!(find(store, user.id).await.as_ref(), Some(&second));

    let named = |n: u8| to(Profile { name: format!("name {n}"), ..second.profile.clone() });
    let changes = join_all((0..CROWD).map(|n| revised(second.revision, named(n)))).await;
    assert_eq!(count(&changes, |write| matches!(write, UserWrite::Done(_))), 1, "{changes:?}");
    assert_eq!(count(&changes, |write| *write == UserWrite::Outdated), usize::from(CROWD) - 1, "{changes:?}");

    let changes = join_all((0..CROWD).map(|n| change(store, user.id, named(n)))).await;
    let mut revisions: Vec<_> = changes.into_iter().map(|write| done(write).revision).collect();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), usize::from(CROWD), "none is lost that expects nothing");
}

/// Somebody can always put things right.
pub async fn the_last_administrator_stays(store: &impl UserStore) {
    add(store, "user", Role::User).await;
    let last = add(store, "admin", Role::Admin).await;
    let other = add(store, "other", Role::Admin).await;
    done(change(store, other.id, disabled(true)).await);
    assert_eq!(remove(store, last.id).await, UserWrite::LastAdmin, "a disabled one does not count");
    for refused in [disabled(true), to_user(&last)] {
        assert_eq!(change(store, last.id, refused).await, UserWrite::LastAdmin);
    }
    assert_eq!(find(store, last.id).await, Some(last.clone()), "nothing changed");
    done(change(store, last.id, to_email(&last, "still@example.org")).await);
    done(change(store, other.id, to_user(&other)).await);
    done(remove(store, other.id).await);

    for round in 0..4 {
        for n in 0..3 {
            add(store, &format!("admin{round}.{n}"), Role::Admin).await;
        }
        let paged = store.users().list(&UserQuery { sort: vec![], page: all() }).await.expect("list");
        let admins: Vec<_> = paged
            .items
            .into_iter()
            .filter(|user| user.profile.role == Role::Admin && !user.disabled)
            .collect();
        assert_eq!(admins.len(), 4, "one of the last round is left");
        let tries = admins.iter().enumerate().map(async |(n, admin)| match (n + round) % 3 {
            0 => remove(store, admin.id).await,
            1 => change(store, admin.id, disabled(true)).await,
            _ => change(store, admin.id, to_user(admin)).await,
        });
        let writes = join_all(tries).await;
        assert_eq!(count(&writes, |write| matches!(write, UserWrite::Done(_))), 3, "{writes:?}");
        assert_eq!(count(&writes, |write| *write == UserWrite::LastAdmin), 1, "{writes:?}");
    }
}

/// However many users came before it.
pub async fn the_first_administrator_is_found(store: &impl UserStore) {
    let first = async || store.users().first_admin().await.expect("first_admin");
    assert_eq!(first().await, None);
    for n in 0..CROWD {
        add(store, &format!("user{n}"), Role::User).await;
    }
    assert_eq!(first().await, None);
    let (one, two) = (add(store, "one", Role::Admin).await, add(store, "two", Role::Admin).await);
    assert_eq!(first().await, Some(one.clone()));
    done(change(store, one.id, disabled(true)).await);
    assert_eq!(first().await, Some(two));
    let one = done(change(store, one.id, disabled(false)).await);
    assert_eq!(first().await, Some(one));
}

/// Nothing of it is left.
pub async fn a_removed_user_is_gone(store: &impl UserStore) {
    let (ana, ben) = (add(store, "ana", Role::User).await, add(store, "ben", Role::User).await);
    for (user, n) in [(&ana, 1), (&ben, 2)] {
        store.tokens().add(&token(user, n), None).await.expect("add");
    }
    let session = store.sessions().begin(&ana, &refresh(1, 0), None).await.expect("begin");
    let others = store.sessions().begin(&ben, &refresh(2, 0), None).await.expect("begin");
    assert_eq!(remove(store, ana.id).await, UserWrite::Done(ana.clone()));

    assert_eq!(find(store, ana.id).await, None);
    assert_eq!(store.users().find_by_email(&ana.profile.email).await.expect("find_by_email"), None);
    assert_eq!(list(store, vec![], all()).await, (vec![ben.id], 1));
    assert_eq!(store.tokens().find(&token(&ana, 1).hash).await.expect("find"), None);
    assert_eq!(store.tokens().list(ana.id, all()).await.expect("list").total, 0);
    assert_eq!(store.sessions().find(session).await.expect("find"), None);
    let rotated = store.sessions().rotate(&refresh(1, 0).hash, &refresh(3, 1)).await.expect("rotate");
    assert_eq!(rotated, Rotation::Refused);
    assert!(!store.sessions().end(&refresh(1, 0).hash).await.expect("end"));

    assert_eq!(remove(store, ana.id).await, UserWrite::NotFound);
    assert_eq!(change(store, ana.id, disabled(true)).await, UserWrite::NotFound);
    assert!(store.tokens().find(&token(&ben, 2).hash).await.expect("find").is_some(), "others keep theirs");
    assert_eq!(store.sessions().find(others).await.expect("find"), Some(ben));
}

/// Every key, both ways; letters go by their code points.
pub async fn lists_are_sorted_and_cut_into_pages(store: &impl UserStore) {
    assert_eq!(list(store, vec![], Page::default()).await, (vec![], 0));
    let mut users = vec![];
    for (n, (name, last_name)) in
        [("Zoe", "B"), ("ana", ""), ("Zoe", "A"), ("Åsa", "b"), ("ana", "B")].into_iter().enumerate()
    {
        let mut new = new_user(["m", "z", "a", "b", "q"][n], Role::User);
        new.profile.name = name.to_owned();
        new.profile.last_name = last_name.to_owned();
        new.at = at([5, 5, 1, 9, 1][n]);
        users.push(done(store.users().add(&new).await.expect("add")));
    }
    let ids = |users: &[User]| users.iter().map(|user| user.id).collect::<Vec<_>>();
    assert_eq!(list(store, vec![], all()).await, (ids(&users), 5), "by number, if nothing else is asked");
    for key in UserSortKey::ALL {
        for direction in [Direction::Ascending, Direction::Descending] {
            let mut sorted = users.clone();
            sorted.sort_by(|a, b| {
                let order = match key {
                    UserSortKey::Id => a.id.cmp(&b.id),
                    UserSortKey::Name => a.profile.name.cmp(&b.profile.name),
                    UserSortKey::LastName => a.profile.last_name.cmp(&b.profile.last_name),
                    UserSortKey::Email => a.profile.email.cmp(&b.profile.email),
                    UserSortKey::CreatedAt => a.created_at.cmp(&b.created_at),
                };
                if direction == Direction::Descending { order.reverse() } else { order }
            });
            assert_eq!(list(store, vec![Sort { key, direction }], all()).await, (ids(&sorted), 5), "{key:?}");
        }
    }
    let sort = vec![
        Sort { key: UserSortKey::Name, direction: Direction::Descending },
        Sort { key: UserSortKey::LastName, direction: Direction::Ascending },
    ];
    let wanted = [3, 1, 4, 2, 0].map(|n: usize| users[n].id);
    assert_eq!(list(store, sort.clone(), all()).await, (wanted.to_vec(), 5));
    for (number, part) in
        [(1, &wanted[..2]), (2, &wanted[2..4]), (3, &wanted[4..]), (4, &[]), (u32::MAX, &[])]
    {
        let page = Page::new(number, 2).expect("a page");
        assert_eq!(list(store, sort.clone(), page).await, (part.to_vec(), 5), "page {number}");
    }
}
