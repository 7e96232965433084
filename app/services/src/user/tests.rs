//! Users that others change, remove and guess at.

use std::sync::Mutex;

use futures_util::FutureExt;
use malecon_memory::{MemoryRateLimiter, MemoryUsers, SystemClock};
use malecon_ports::{MockPasswordHasher, MockUserRepository, SecretError};

use super::*;

fn plain() -> MockPasswordHasher {
    let mut hasher = MockPasswordHasher::new();
    hasher.expect_hash().returning(|password: &Password| Ok(password.expose().to_owned()));
    hasher.expect_fits().returning(|text, hash| Ok(hash.as_deref() == Some(text)));
    hasher
}

fn service(users: impl UserRepository + 'static, hasher: MockPasswordHasher) -> UserService {
    let limiter = Arc::new(MemoryRateLimiter::default());
    UserService::new(Arc::new(users), Arc::new(hasher), limiter, Arc::new(SystemClock))
}

async fn add(users: &MemoryUsers, name: &str) -> User {
    let input = UserInput {
        name: Some(name.to_owned()),
        email: Some(format!("{name}@example.com")),
        password: Some("correct horse".to_owned()),
        ..UserInput::default()
    };
    service(users.clone(), plain()).add_unattended(input).await.unwrap()
}

fn renamed() -> UserInput {
    UserInput { name: Some("Anna".to_owned()), ..UserInput::default() }
}

fn new_password(current: Option<&str>) -> UserInput {
    let current_password = current.map(str::to_owned);
    UserInput { password: Some("another horse".to_owned()), current_password, ..UserInput::default() }
}

/// The users, where a rival changes each user so many times right before us.
fn with_rival(users: &MemoryUsers, times: usize) -> MockUserRepository {
    let mut raced = MockUserRepository::new();
    let left = Mutex::new(times);
    let [find, email, change] = [(); 3].map(|()| users.clone());
    raced.expect_find().returning(move |id| find.find(id).now_or_never().unwrap());
    raced.expect_find_by_email().returning(move |it| email.find_by_email(it).now_or_never().unwrap());
    raced.expect_change().returning(move |id, ours, revision| {
        let mut left = left.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            let mut profile = change.find(id).now_or_never().unwrap()?.unwrap().profile;
            profile.last_name = format!("Rival {left}");
            let theirs = UserChange { profile: Some(profile), ..UserChange::default() };
            change.change(id, &theirs, None).now_or_never().unwrap()?;
        }
        change.change(id, ours, revision).now_or_never().unwrap()
    });
    raced
}

#[tokio::test]
async fn a_change_without_a_revision_is_begun_anew_when_others_were_faster() {
    let users = MemoryUsers::new();
    let ana = add(&users, "ana").await;
    let raced = service(with_rival(&users, 3), plain());
    let after = raced.change(&Principal::from(&ana), ana.id, renamed(), None).await.unwrap();
    assert_eq!((&*after.profile.name, &*after.profile.last_name), ("Anna", "Rival 0"), "both changes are in");

    let raced = service(with_rival(&users, 1), plain());
    let outdated = raced.change(&Principal::from(&ana), ana.id, renamed(), Some(ana.revision)).await;
    assert!(matches!(outdated, Err(ServiceError::Conflict { code: ServiceError::OUTDATED, .. })));
}

#[tokio::test]
async fn a_change_does_not_go_on_for_ever() {
    let users = MemoryUsers::new();
    let ana = add(&users, "ana").await;
    let raced = service(with_rival(&users, usize::MAX), plain());
    let given_up = raced.change(&Principal::from(&ana), ana.id, renamed(), None).await;
    assert!(matches!(given_up, Err(ServiceError::Unavailable { .. })), "{given_up:?}");
}

#[tokio::test]
async fn a_new_password_is_hashed_once_and_replaces_the_one_that_was_shown() {
    let users = MemoryUsers::new();
    let ana = add(&users, "ana").await;
    let mut hasher = MockPasswordHasher::new();
    hasher.expect_hash().times(1).returning(|password: &Password| Ok(password.expose().to_owned()));
    hasher.expect_fits().returning(|text, hash| Ok(hash.as_deref() == Some(text)));
    let raced = service(with_rival(&users, 3), hasher);
    let caller = Principal::from(&ana);
    raced.change(&caller, ana.id, new_password(Some("correct horse")), None).await.unwrap();
    let (_, hash) = users.find_by_email(&ana.profile.email).await.unwrap().unwrap();
    assert_eq!(hash.as_deref(), Some("another horse"));
}

#[tokio::test]
async fn guesses_at_the_present_password_are_counted_by_user() {
    let users = MemoryUsers::new();
    let (ana, ben) = (add(&users, "ana").await, add(&users, "ben").await);
    let service = service(users, plain());
    let set = async |user: &User, current| {
        service.change(&Principal::from(user), user.id, new_password(current), None).await
    };
    for _ in 0..20 {
        assert!(matches!(set(&ana, None).await, Err(ServiceError::Invalid(_))), "none is no guess");
    }
    for _ in 0..10 {
        assert!(matches!(
            set(&ana, Some("wrong horse")).await,
            Err(ServiceError::Conflict { code: "wrong_password", .. })
        ));
    }
    let refused = set(&ana, Some("correct horse")).await;
    assert!(matches!(refused, Err(ServiceError::Limited { retry_after }) if !retry_after.is_zero()));
    set(&ben, Some("correct horse")).await.unwrap();
    for _ in 0..20 {
        set(&ben, Some("another horse")).await.expect("right ones are not counted");
    }
    service.change(&Principal::from(&ana), ana.id, renamed(), None).await.expect("no password, no guess");
}

#[tokio::test]
async fn in_a_session_what_would_keep_a_thief_in_needs_the_present_password() {
    let users = MemoryUsers::new();
    let (ana, ben) = (add(&users, "ana").await, add(&users, "ben").await);
    let service = service(users, plain());
    let new_email = |current: Option<&str>, n: usize| UserInput {
        email: Some(format!("new{n}@example.com")),
        current_password: current.map(str::to_owned),
        ..UserInput::default()
    };
    let by = |user: &User, role, credential| Principal { role, ..Principal::from(user).with(credential) };
    for (n, role) in [Role::User, Role::Admin].into_iter().enumerate() {
        let session = by(&ana, role, Credential::Session);
        for input in [new_email(None, n), new_password(None)] {
            let refused = service.change(&session, ana.id, input, None).await;
            assert!(matches!(refused, Err(ServiceError::Invalid(_))), "{refused:?}");
        }
        for input in [new_email(Some("wrong horse"), n), new_password(Some("wrong horse"))] {
            let refused = service.change(&session, ana.id, input, None).await;
            let wrong = matches!(refused, Err(ServiceError::Conflict { code: "wrong_password", .. }));
            assert!(wrong, "{refused:?}");
        }
        let changed = service.change(&session, ana.id, new_email(Some("correct horse"), n), None).await;
        assert_eq!(changed.unwrap().profile.email.as_str(), format!("new{n}@example.com"));
        let same = UserInput { name: Some("Anna".to_owned()), ..new_email(None, n) };
        service.change(&session, ana.id, same, None).await.expect("the same address is no new one");
        let token = by(&ana, role, Credential::ApiToken { expires_at: None });
        service.change(&token, ana.id, new_email(None, n + 10), None).await.expect("no session");
    }
    let admin = by(&ana, Role::Admin, Credential::Session);
    for input in [new_email(None, 99), new_password(None)] {
        service.change(&admin, ben.id, input, None).await.expect("what is somebody else's");
    }
}

#[tokio::test]
async fn too_many_hashes_at_once_are_no_fault_of_ours() {
    let mut hasher = MockPasswordHasher::new();
    hasher.expect_hash().returning(|_| Err(SecretError::Busy));
    let busy =
        service(MemoryUsers::new(), hasher).set_password_unattended(1, "correct horse".to_owned()).await;
    assert!(matches!(busy, Err(ServiceError::Unavailable { .. })), "{busy:?}");
}
