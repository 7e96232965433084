//! Tokens on a clock that is turned by hand.

use std::collections::HashMap;
use std::sync::Mutex;

use malecon_domain::{Email, Password, Profile, Role, UserChange};
use malecon_memory::{ManualClock, MemoryRateLimiter, MemoryUsers};
use malecon_ports::{Claims, MockPasswordHasher, NewUser, SecretError, UserWrite};

use super::*;

/// Signs by remembering: a token is the number of its claims.
#[derive(Default)]
struct Notebook(Mutex<HashMap<String, (Claims, SigningKey)>>);

impl TokenSigner for Notebook {
    fn sign(&self, claims: &Claims, key: &SigningKey) -> Result<String, SecretError> {
        let mut notes = self.0.lock().unwrap();
        let token = format!("a.b.{}", notes.len());
        notes.insert(token.clone(), (claims.clone(), key.clone()));
        Ok(token)
    }

    fn read(&self, token: &str, key: &SigningKey) -> Option<Claims> {
        let notes = self.0.lock().unwrap();
        notes.get(token).filter(|(_, signed)| signed == key).map(|(claims, _)| claims.clone())
    }
}

struct Bench {
    service: TokenService,
    clock: Arc<ManualClock>,
    users: MemoryUsers,
    user: User,
}

async fn bench() -> Bench {
    let users = MemoryUsers::default();
    let clock = Arc::new(ManualClock::new(Instant::from_timestamp(1_800_000_000, 7).unwrap()));
    let mut hasher = MockPasswordHasher::new();
    hasher.expect_hash().returning(|password: &Password| Ok(password.expose().to_owned()));
    hasher.expect_fits().returning(|text, hash| Ok(hash.as_deref() == Some(text)));
    let profile = Profile {
        name: "ana".to_owned(),
        last_name: String::new(),
        email: Email::new("ana@example.com").unwrap(),
        role: Role::User,
    };
    let new = NewUser { profile, password_hash: Some("correct horse".to_owned()), at: clock.now() };
    let UserWrite::Done(user) = UserRepository::add(&users, &new).await.unwrap() else { panic!("not added") };
    let ports = TokenPorts {
        users: Arc::new(users.clone()),
        tokens: Arc::new(users.clone()),
        sessions: Arc::new(users.clone()),
        keys: Arc::new(users.clone()),
        hasher: Arc::new(hasher),
        signer: Arc::new(Notebook::default()),
        limiter: Arc::new(MemoryRateLimiter::default()),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
    };
    Bench { service: TokenService::new(ports, None), clock, users, user }
}

impl Bench {
    async fn log_in(&self) -> Result<TokenPair, ServiceError> {
        self.service.login("Ana@example.com", "correct horse", None).await
    }

    async fn works(&self, token: &str) -> bool {
        self.service.authenticate(token).await.unwrap().is_some()
    }

    /// Lets what was believed of tokens be forgotten.
    fn forget(&self) {
        self.service.api_tokens.invalidate_all();
        self.service.session_users.invalidate_all();
    }
}

#[tokio::test]
async fn an_access_token_lasts_ten_minutes() {
    let bench = bench().await;
    let pair = bench.log_in().await.unwrap();
    assert!(bench.works(&pair.access).await);
    bench.clock.advance(Duration::from_secs(598));
    assert!(bench.works(&pair.access).await);
    bench.clock.advance(Duration::from_secs(2));
    assert!(!bench.works(&pair.access).await);
}

#[tokio::test]
async fn a_refresh_token_lasts_thirty_days() {
    let bench = bench().await;
    let [one, two] = [bench.log_in().await.unwrap(), bench.log_in().await.unwrap()];
    bench.clock.advance(Duration::from_secs(30 * 24 * 3600 - 1));
    assert!(bench.service.refresh(&one.refresh).await.is_ok());
    bench.clock.advance(Duration::from_secs(1));
    assert!(matches!(bench.service.refresh(&two.refresh).await, Err(ServiceError::Unauthenticated(_))));
}

#[tokio::test]
async fn an_api_token_ends_when_it_says() {
    let bench = bench().await;
    let end = bench.clock.now() + Duration::from_secs(60);
    let (token, _) = bench.service.add_unattended(bench.user.id, "t", Some(end)).await.unwrap();
    assert!(bench.works(&token).await);
    bench.clock.advance(Duration::from_secs(60));
    assert!(!bench.works(&token).await, "though it is still believed");
}

#[tokio::test]
async fn a_disabled_user_has_no_tokens_and_does_not_log_in() {
    let bench = bench().await;
    let pair = bench.log_in().await.unwrap();
    let (token, _) = bench.service.add_unattended(bench.user.id, "t", None).await.unwrap();
    let disable = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    bench.users.change(bench.user.id, &disable(true), None).await.unwrap();
    bench.forget();
    assert!(!bench.works(&pair.access).await && !bench.works(&token).await);
    assert!(matches!(bench.log_in().await, Err(ServiceError::Unauthenticated(_))));
    assert!(bench.service.refresh(&pair.refresh).await.is_err());
    bench.users.change(bench.user.id, &disable(false), None).await.unwrap();
    bench.forget();
    assert!(bench.works(&token).await && !bench.works(&pair.access).await, "access tokens ended for good");
}

#[tokio::test]
async fn the_last_use_is_noted_once_a_minute() {
    let bench = bench().await;
    let (token, made) = bench.service.add_unattended(bench.user.id, "t", None).await.unwrap();
    let seen = async || {
        let (token, _) = TokenRepository::find(&bench.users, &hash_token(&token)).await.unwrap().unwrap();
        token.last_used_at
    };
    assert_eq!((made.last_used_at, seen().await), (None, None));
    assert!(bench.works(&token).await);
    let first = seen().await;
    assert_eq!(first, Some(bench.clock.now()));
    bench.clock.advance(Duration::from_secs(5));
    assert!(bench.works(&token).await);
    assert_eq!(seen().await, first);
}

#[tokio::test]
async fn what_is_given_is_the_only_key_and_is_not_rotated() {
    let bench = bench().await;
    let given = TokenService::new(bench.service.ports.clone(), Some(SigningKey(vec![1; 32])));
    let pair = given.login("ana@example.com", "correct horse", None).await.unwrap();
    assert!(given.authenticate(&pair.access).await.unwrap().is_some());
    assert!(!bench.works(&pair.access).await, "another key signed it");
    assert!(matches!(given.rotate_key().await, Err(ServiceError::Conflict { code: "key_is_given", .. })));
}

#[tokio::test]
async fn attempts_are_counted_by_account_and_by_address() {
    let bench = bench().await;
    let from = |n: u8| Some(std::net::IpAddr::from([10, 0, 0, n]));
    for n in 0..10 {
        let refused = bench.service.login("ana@example.com", "wrong", from(n)).await;
        assert!(matches!(refused, Err(ServiceError::Unauthenticated(_))));
    }
    assert!(matches!(
        bench.service.login("ana@example.com", "correct horse", from(99)).await,
        Err(ServiceError::Limited { .. })
    ));
    for n in 0..30 {
        let _ = bench.service.login(&format!("user{n}@example.com"), "wrong", from(200)).await;
    }
    assert!(matches!(
        bench.service.login("somebody@example.com", "wrong", from(200)).await,
        Err(ServiceError::Limited { .. })
    ));
}
