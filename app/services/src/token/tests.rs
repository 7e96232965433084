//! Tokens on a clock that is turned by hand.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use futures_util::FutureExt;
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

fn named(name: &str) -> TokenInput {
    TokenInput { name: name.to_owned(), ..TokenInput::default() }
}

#[tokio::test]
async fn a_token_ends_no_later_than_its_maker() {
    let bench = bench().await;
    let in_seconds = |seconds| Some(bench.clock.now() + Duration::from_secs(seconds));
    let principal = async |token: &str| bench.service.authenticate(token).await.unwrap().unwrap().principal;
    let make = async |maker: &Principal, expires_at| {
        let input = TokenInput { expires_at, ..named("t") };
        bench.service.add(maker, bench.user.id, input).await
    };
    let (first, _) = bench.service.add_unattended(bench.user.id, "t", in_seconds(60)).await.unwrap();
    let first = principal(&first).await;
    for (wanted, told) in [(None, 60), (in_seconds(61), 60), (in_seconds(60), 60), (in_seconds(59), 59)] {
        let (token, made) = make(&first, wanted).await.unwrap();
        assert_eq!(made.expires_at, in_seconds(told), "{wanted:?}");
        let (_, heir) = make(&principal(&token).await, None).await.unwrap();
        assert_eq!(heir.expires_at, in_seconds(told), "nor do its heirs");
    }
    let past = make(&first, Some(bench.clock.now())).await;
    assert!(matches!(past, Err(ServiceError::Conflict { code: "expires_in_the_past", .. })));
    let (lasting, _) = bench.service.add_unattended(bench.user.id, "t", None).await.unwrap();
    let lasting = principal(&lasting).await;
    assert_eq!(make(&lasting, None).await.unwrap().1.expires_at, None);
    assert_eq!(make(&lasting, in_seconds(99)).await.unwrap().1.expires_at, in_seconds(99));
}

#[tokio::test]
async fn in_a_session_a_token_costs_the_password() {
    let bench = bench().await;
    let pair = bench.log_in().await.unwrap();
    let session = bench.service.authenticate(&pair.access).await.unwrap().unwrap().principal;
    let make = async |current: Option<&str>| {
        let input = TokenInput { current_password: current.map(str::to_owned), ..named("t") };
        bench.service.add(&session, bench.user.id, input).await
    };
    for _ in 0..20 {
        let missing = make(None).await;
        let Err(ServiceError::Invalid(faults)) = missing else { panic!("made without a password") };
        assert_eq!(faults[0].member, "current_password");
    }
    make(Some("correct horse")).await.unwrap();
    for _ in 0..10 {
        let wrong = make(Some("wrong horse")).await;
        assert!(matches!(wrong, Err(ServiceError::Conflict { code: "wrong_password", .. })));
    }
    assert!(matches!(make(Some("correct horse")).await, Err(ServiceError::Limited { .. })));
    let admin = Principal { role: Role::Admin, ..session.clone() };
    let for_another = bench.service.add(&admin, bench.user.id + 1, named("t")).await;
    assert!(matches!(for_another, Err(ServiceError::Invalid(_))), "an administrator's own password");
}

#[tokio::test]
async fn a_user_has_so_many_tokens() {
    let bench = bench().await;
    let few = bench.service.clone().with_max_tokens(2);
    for _ in 0..2 {
        few.add_unattended(bench.user.id, "t", None).await.unwrap();
    }
    let full = few.add_unattended(bench.user.id, "t", None).await;
    assert!(
        matches!(full, Err(ServiceError::Conflict { code: "quota_exceeded", limit: Some(2), .. })),
        "{full:?}"
    );
    few.with_max_tokens(0).add_unattended(bench.user.id, "t", None).await.expect("there is no limit");
    let ana = Principal::from(&bench.user);
    assert_eq!(bench.service.remove_all(&ana, bench.user.id).await.unwrap(), 3);
    let others = bench.service.remove_all(&ana, bench.user.id + 1).await;
    assert!(matches!(others, Err(ServiceError::NotFound)));
}

#[tokio::test]
async fn all_tokens_and_logins_of_a_user_are_metered_together() {
    let bench = bench().await;
    let (first, _) = bench.service.add_unattended(bench.user.id, "t", None).await.unwrap();
    let (second, _) = bench.service.add_unattended(bench.user.id, "t", None).await.unwrap();
    let pair = bench.log_in().await.unwrap();
    for token in [first, second, pair.access] {
        let caller = bench.service.authenticate(&token).await.unwrap().unwrap();
        assert_eq!(caller.meter_key, format!("user-{}", bench.user.id));
    }
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
async fn failures_are_counted_by_account_and_attempts_by_address() {
    let bench = bench().await;
    let from = |n: u8| Some(IpAddr::from([10, 0, 0, n]));
    for n in 0..20 {
        bench.service.login("ana@example.com", "correct horse", from(n)).await.unwrap();
    }
    for n in 0..10 {
        let refused = bench.service.login("ana@example.com", "wrong", from(n + 50)).await;
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

#[tokio::test]
async fn strangers_do_not_lock_a_user_out_of_where_it_logged_in_before() {
    let bench = bench().await;
    let log_in = async |email: &str, password: &str, from: &str| {
        bench.service.login(email, password, Some(from.parse().unwrap())).await
    };
    let is_limited =
        |login: &Result<TokenPair, ServiceError>| matches!(login, Err(ServiceError::Limited { .. }));
    const ANA: &str = "ana@example.com";
    log_in(ANA, "correct horse", "10.1.1.1").await.unwrap();
    log_in(ANA, "correct horse", "2001:db8:1:2::1").await.unwrap();
    // A new key does not make them strange.
    bench.service.rotate_key().await.unwrap();
    // The same is said of a user that there is not.
    for email in [ANA, "nobody@example.com"] {
        for n in 0..10 {
            let refused = log_in(email, "wrong", &format!("10.2.2.{n}")).await;
            assert!(matches!(refused, Err(ServiceError::Unauthenticated(_))));
        }
        for from in ["10.2.2.100", "2001:db8:1:3::1"] {
            assert!(is_limited(&log_in(email, "correct horse", from).await), "{email} from {from}");
        }
    }
    for from in ["10.1.1.1", "::ffff:10.1.1.1", "2001:db8:1:2:ffff::"] {
        assert!(log_in(ANA, "correct horse", from).await.is_ok(), "{from}");
    }
    for email in ["nobody@example.com", ANA] {
        assert!(is_limited(&log_in(email, "correct horse", "10.2.2.101").await), "still");
    }
    // Whoever guesses from there has no more than ten guesses either, and uses up no others'.
    for _ in 0..10 {
        assert!(matches!(log_in(ANA, "wrong", "10.1.1.1").await, Err(ServiceError::Unauthenticated(_))));
    }
    assert!(is_limited(&log_in(ANA, "correct horse", "10.1.1.1").await));
    assert!(log_in(ANA, "correct horse", "2001:db8:1:2::1").await.is_ok());
    // An address is forgotten in a while.
    bench.clock.advance(Duration::from_secs(91 * 24 * 3600));
    assert!(is_limited(&log_in(ANA, "correct horse", "2001:db8:1:2::1").await), "it is a stranger's now");
}

#[tokio::test]
async fn a_login_that_fails_makes_no_address_known() {
    let bench = bench().await;
    let from = Some(IpAddr::from([10, 1, 1, 1]));
    for _ in 0..10 {
        assert!(bench.service.login("ana@example.com", "wrong", from).await.is_err());
    }
    let refused = bench.service.login("ana@example.com", "correct horse", from).await;
    assert!(matches!(refused, Err(ServiceError::Limited { .. })));
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_many_in_turn() {
    let mut bench = bench().await;
    let mut hasher = MockPasswordHasher::new();
    // Ten others fail while this one is checked.
    let limiter = Arc::clone(&bench.service.ports.limiter);
    hasher.expect_fits().returning(move |_, _| {
        let key = format!("login-as-{}", hex(&hash_token("ana@example.com").0));
        let failed = limiter.take(&key, 10, session::PER_ACCOUNT).now_or_never();
        assert!(failed.unwrap().unwrap().granted);
        Ok(true)
    });
    bench.service.ports.hasher = Arc::new(hasher);
    assert!(matches!(bench.log_in().await, Err(ServiceError::Limited { .. })));
}

#[tokio::test]
async fn an_ipv6_address_stands_for_its_network() {
    let bench = bench().await;
    let log_in = async |from: &str| {
        let address = Some(from.parse::<IpAddr>().unwrap());
        bench.service.login("ana@example.com", "correct horse", address).await
    };
    for n in 0..30 {
        log_in(&format!("2001:db8:1:2:{n}::{n}")).await.unwrap();
        log_in(&format!("::ffff:10.0.0.{n}")).await.unwrap();
        log_in("10.0.1.1").await.unwrap();
    }
    for limited in ["2001:db8:1:2:ffff::1", "10.0.1.1", "::ffff:10.0.1.1"] {
        assert!(matches!(log_in(limited).await, Err(ServiceError::Limited { .. })), "{limited}");
    }
    for other in ["2001:db8:1:3::1", "10.0.0.1", "10.0.1.2"] {
        assert!(log_in(other).await.is_ok(), "{other}");
    }
}

#[tokio::test]
async fn a_user_that_has_just_gone_is_no_user() {
    let bench = bench().await;
    // Its users are as they were a moment ago.
    let now = MemoryUsers::default();
    let mut ports = bench.service.ports.clone();
    (ports.tokens, ports.sessions) = (Arc::new(now.clone()), Arc::new(now));
    let late = TokenService::new(ports, None);
    let refused = late.login("ana@example.com", "correct horse", None).await;
    let wrong = late.login("ana@example.com", "wrong", None).await;
    match (refused, wrong) {
        (Err(ServiceError::Unauthenticated(one)), Err(ServiceError::Unauthenticated(other))) => {
            assert_eq!(one, other);
        }
        _ => panic!("a login went on"),
    }
    let ana = Principal::from(&bench.user);
    let by_itself = late.add(&ana, ana.user_id, named("t")).await;
    assert!(matches!(by_itself, Err(ServiceError::NotFound)));
    let unattended = late.add_unattended(ana.user_id, "t", None).await;
    assert!(matches!(unattended, Err(ServiceError::NotFound)));
}
