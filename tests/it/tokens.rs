//! Tokens: made, used, refreshed, revoked, forged.

use std::time::{Duration, Instant};

use malecon_crypto::Hs256;
use malecon_memory::SystemClock;
use malecon_ports::{Claims, Clock, KeyRepository, SigningKey, TokenSigner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, CONSUMER, Client, Malecon};
use crate::users::{ask, send};

const SECRET: &str = "a secret of thirty-two bytes, or more";

async fn with_ana(flags: &[&str]) -> Malecon {
    let malecon = Malecon::demo(&[&["--jwt-secret", SECRET], flags].concat()).await;
    let ana = json!({"name": "Ana", "email": "ana@example.com", "password": "correct horse"});
    assert_eq!(ask(&malecon.client, Method::POST, "/api/users", ADMIN, ana).await.0, 201);
    malecon
}

async fn post(client: &Client, path: &str, body: Value) -> (u16, Value) {
    let response = client.request(Method::POST, path).json(&body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

async fn log_in(client: &Client) -> Value {
    let body = json!({"email": "ANA@example.com", "password": "correct horse"});
    let (status, pair) = post(client, "/api/token", body).await;
    assert_eq!(status, 200, "{pair}");
    pair
}

async fn status(client: &Client, token: &str) -> u16 {
    send(client, Method::GET, "/api/users/me", token, Value::Null).await.status().as_u16()
}

/// What is revoked counts within a second; a busy machine has some more.
async fn until_refused(client: &Client, token: &str) {
    let begun = Instant::now();
    while status(client, token).await != 401 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the token still works");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn text<'a>(pair: &'a Value, name: &str) -> &'a str {
    pair[name].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gives_a_pair_that_rotates() {
    let malecon = with_ana(&[]).await;
    let client = &malecon.client;
    let first = log_in(client).await;
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(600)));
    let (code, me) = ask(client, Method::GET, "/api/users/me", text(&first, "access"), Value::Null).await;
    assert_eq!((code, &me["email"]), (200, &json!("ana@example.com")));

    let (code, second) = post(client, "/api/token/refresh", json!({"refresh": first["refresh"]})).await;
    assert_eq!(code, 200);
    assert_eq!(status(client, text(&second, "access")).await, 200);
    // The first one comes again: somebody has a copy, and the whole family dies.
    let (code, problem) = post(client, "/api/token/refresh", json!({"refresh": first["refresh"]})).await;
    assert_eq!((code, &problem["code"]), (401, &json!("invalid_credentials")));
    let (code, _) = post(client, "/api/token/refresh", json!({"refresh": second["refresh"]})).await;
    assert_eq!(code, 401);
    until_refused(client, text(&second, "access")).await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_a_new_password_and_disabling_end_access_tokens() {
    let malecon = with_ana(&[]).await;
    let client = &malecon.client;
    let pair = log_in(client).await;
    assert_eq!(post(client, "/api/token/revoke", json!({"refresh": pair["refresh"]})).await.0, 204);
    until_refused(client, text(&pair, "access")).await;

    let pair = log_in(client).await;
    let access = text(&pair, "access");
    let wrong = json!({"password": "another horse", "current_password": "wrong"});
    let (code, problem) = ask(client, Method::PATCH, "/api/users/me", access, wrong).await;
    assert_eq!((code, &problem["code"]), (403, &json!("wrong_password")));
    let right = json!({"password": "another horse", "current_password": "correct horse"});
    assert_eq!(ask(client, Method::PATCH, "/api/users/me", access, right).await.0, 200);
    until_refused(client, access).await;
    assert_eq!(post(client, "/api/token/refresh", json!({"refresh": pair["refresh"]})).await.0, 401);

    let body = json!({"email": "ana@example.com", "password": "another horse"});
    let (_, pair) = post(client, "/api/token", body.clone()).await;
    assert_eq!(ask(client, Method::DELETE, "/api/users/3", ADMIN, Value::Null).await.0, 204);
    until_refused(client, text(&pair, "access")).await;
    assert_eq!(post(client, "/api/token", body).await.0, 401);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_the_present_password_have_to_wait() {
    let malecon = with_ana(&[]).await;
    let client = &malecon.client;
    let pair = log_in(client).await;
    let guess = async |current: &str| {
        let body = json!({"password": "another horse", "current_password": current});
        send(client, Method::PATCH, "/api/users/me", text(&pair, "access"), body).await
    };
    for _ in 0..10 {
        assert_eq!(guess("wrong").await.status(), 403);
    }
    let limited = guess("correct horse").await;
    assert_eq!(limited.status(), 429);
    let wait: u64 = limited.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    log_in(client).await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn api_tokens_are_shown_once_and_end_when_they_are_removed() {
    let malecon = with_ana(&[]).await;
    let client = &malecon.client;
    let body = json!({"name": "nightly", "expires_at": "2999-01-01T00:00:00Z"});
    let made = send(client, Method::POST, "/api/tokens", CONSUMER, body).await;
    assert_eq!(made.status(), 201);
    let location = made.headers()["location"].to_str().unwrap().to_owned();
    let made: Value = made.json().await.unwrap();
    let (code, shown) = ask(client, Method::GET, &location, CONSUMER, Value::Null).await;
    assert_eq!((code, &shown["results"][1]["id"]), (200, &made["id"]), "{location}");
    let token = text(&made, "token").to_owned();
    assert!(token.starts_with("malecon_") && token.len() == 72);
    assert_eq!(status(client, &token).await, 200);
    let (_, list) = ask(client, Method::GET, "/api/tokens", CONSUMER, Value::Null).await;
    assert_eq!(list["count"], 2);
    assert!(list.to_string().contains(&token[..12]) && !list.to_string().contains(&token[..20]));
    assert!(list["results"][1]["last_used_at"].is_string(), "{list}");

    let id = made["id"].as_i64().unwrap();
    assert_eq!(
        ask(client, Method::GET, "/api/tokens?user_id=1", CONSUMER, Value::Null).await.0,
        404,
        "another's"
    );
    assert_eq!(ask(client, Method::DELETE, "/api/tokens/1", CONSUMER, Value::Null).await.0, 404);
    let for_another = json!({"name": "x", "user_id": 1});
    assert_eq!(ask(client, Method::POST, "/api/tokens", CONSUMER, for_another).await.0, 404);
    let past = json!({"name": "x", "expires_at": "2001-01-01T00:00:00Z"});
    let (code, problem) = ask(client, Method::POST, "/api/tokens", CONSUMER, past).await;
    assert_eq!((code, &problem["code"]), (409, &json!("expires_in_the_past")));
    assert_eq!(ask(client, Method::DELETE, &format!("/api/tokens/{id}"), CONSUMER, Value::Null).await.0, 204);
    until_refused(client, &token).await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_passwords_is_slowed_down() {
    let malecon = with_ana(&[]).await;
    let client = &malecon.client;
    let mut statuses = vec![];
    for n in 0..12 {
        let body = json!({"email": "ana@example.com", "password": format!("guess {n}")});
        let response = client.request(Method::POST, "/api/token").json(&body).send().await.unwrap();
        let code = response.status().as_u16();
        assert_eq!(response.headers().contains_key("retry-after"), code == 429);
        statuses.push(code);
    }
    assert_eq!(statuses.iter().filter(|code| **code == 401).count(), 10, "{statuses:?}");
    assert_eq!(statuses[10..], [429, 429]);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_requests_and_is_told_so() {
    let malecon = Malecon::demo(&["--rate-limit", "20"]).await;
    let mut answers = vec![];
    for _ in 0..25 {
        answers.push(send(&malecon.client, Method::GET, "/api/users/me", CONSUMER, Value::Null).await);
    }
    assert_eq!(answers[0].headers()["ratelimit-policy"], "\"user\";q=20;w=60");
    assert!(answers[0].headers()["ratelimit"].to_str().unwrap().starts_with("\"user\";r=19;t="));
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses[..20], [200; 20]);
    assert_eq!(statuses[20..], [429; 5]);
    assert!(answers[24].headers().contains_key("retry-after"));
    assert!(answers[24].headers()["ratelimit"].to_str().unwrap().starts_with("\"user\";r=0;t="));
    assert_eq!(status(&malecon.client, ADMIN).await, 200, "another user has its own");
    assert_eq!(malecon.client.get("/api/countries").await.status(), 200);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tokens_and_logins_of_a_user_share_its_requests() {
    let malecon = with_ana(&["--rate-limit", "30"]).await;
    let client = &malecon.client;
    let mut tokens = vec![];
    for n in 0..5 {
        let body = json!({"name": format!("token {n}"), "user_id": 3});
        let (code, made) = ask(client, Method::POST, "/api/tokens", ADMIN, body).await;
        assert_eq!(code, 201);
        tokens.push(text(&made, "token").to_owned());
    }
    for _ in 0..2 {
        tokens.push(text(&log_in(client).await, "access").to_owned());
    }
    let mut left = vec![];
    for n in 0..30 {
        let answer = send(client, Method::GET, "/api/users/me", &tokens[n % tokens.len()], Value::Null).await;
        assert_eq!(answer.status(), 200, "{n}");
        let told = answer.headers()["ratelimit"].to_str().unwrap().to_owned();
        left.push(told.split_once(";t=").unwrap().0.to_owned());
    }
    let all: Vec<_> = (0..30).rev().map(|n| format!("\"user\";r={n}")).collect();
    assert_eq!(left, all, "each of them is told what all of them have left");
    for token in &tokens {
        let refused = send(client, Method::GET, "/api/users/me", token, Value::Null).await;
        assert_eq!(refused.status(), 429);
        assert!(refused.headers()["ratelimit"].to_str().unwrap().starts_with("\"user\";r=0;t="));
        // Also where the answer is ready.
        let refused = send(client, Method::GET, "/api/countries/sync", token, Value::Null).await;
        assert_eq!(refused.status(), 429);
    }
    assert_eq!(status(client, "a-forged-token").await, 401, "nobody's token is no user's request");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_no_later_than_the_one_it_is_made_with() {
    let malecon = with_ana(&[]).await;
    let client = &malecon.client;
    let make = async |maker: &str, body: Value| {
        let (code, made) = ask(client, Method::POST, "/api/tokens", maker, body).await;
        assert_eq!(code, 201, "{made}");
        made
    };
    const END: &str = "2100-01-01T00:00:00.000000Z";
    let maker = make(ADMIN, json!({"name": "maker", "user_id": 3, "expires_at": END})).await;
    assert_eq!(maker["expires_at"], END);
    let maker_token = text(&maker, "token");
    let heir = make(maker_token, json!({"name": "heir"})).await;
    assert_eq!(heir["expires_at"], END);
    let later = json!({"name": "later", "expires_at": "2999-01-01T00:00:00Z"});
    assert_eq!(make(maker_token, later).await["expires_at"], END);
    let sooner = json!({"name": "sooner", "expires_at": "2099-01-01T00:00:00.000000Z"});
    assert_eq!(make(maker_token, sooner).await["expires_at"], "2099-01-01T00:00:00.000000Z");
    assert_eq!(make(ADMIN, json!({"name": "for ever"})).await["expires_at"], Value::Null);
    // What was made with it stays when it goes.
    let path = format!("/api/tokens/{}", maker["id"]);
    assert_eq!(ask(client, Method::DELETE, &path, ADMIN, Value::Null).await.0, 204);
    until_refused(client, maker_token).await;
    assert_eq!(status(client, text(&heir, "token")).await, 200);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_shows_the_password_for_a_token_or_another_address() {
    let malecon = with_ana(&[]).await;
    let client = &malecon.client;
    let pair = log_in(client).await;
    let access = text(&pair, "access");
    let token = |current: Option<&str>| match current {
        Some(current) => json!({"name": "t", "current_password": current}),
        None => json!({"name": "t"}),
    };
    let email = |current: Option<&str>| match current {
        Some(current) => json!({"email": "anna@example.com", "current_password": current}),
        None => json!({"email": "anna@example.com"}),
    };
    for (method, path, body) in [
        (Method::POST, "/api/tokens", &token as &dyn Fn(Option<&str>) -> Value),
        (Method::PATCH, "/api/users/me", &email),
        (Method::PATCH, "/api/users/3", &email),
    ] {
        let asked = async |body: Value| ask(client, method.clone(), path, access, body).await;
        let (code, problem) = asked(body(None)).await;
        assert_eq!((code, &problem["errors"][0]["pointer"]), (422, &json!("/current_password")), "{problem}");
        let (code, problem) = asked(body(Some("wrong horse"))).await;
        assert_eq!((code, &problem["code"]), (403, &json!("wrong_password")), "{problem}");
    }
    let whole = json!({"name": "Ana", "last_name": "", "email": "anna@example.com"});
    assert_eq!(ask(client, Method::PUT, "/api/users/me", access, whole).await.0, 422);
    let (code, me) = ask(client, Method::PATCH, "/api/users/me", access, json!({"name": "Anna"})).await;
    assert_eq!((code, &me["email"]), (200, &json!("ana@example.com")), "{me}");
    let (code, made) = ask(client, Method::POST, "/api/tokens", access, token(Some("correct horse"))).await;
    assert_eq!((code, &made["expires_at"]), (201, &Value::Null), "{made}");
    let (code, me) = ask(client, Method::PATCH, "/api/users/me", access, email(Some("correct horse"))).await;
    assert_eq!((code, &me["email"]), (200, &json!("anna@example.com")), "{me}");
    // With an API token, and to administrators about others, it is not asked for.
    let made = text(&made, "token");
    let back = json!({"email": "ana@example.com"});
    assert_eq!(ask(client, Method::PATCH, "/api/users/me", made, back).await.0, 200);
    assert_eq!(ask(client, Method::PATCH, "/api/users/3", ADMIN, email(None)).await.0, 200);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tokens_of_a_user_end_at_once() {
    let malecon = with_ana(&[]).await;
    let client = &malecon.client;
    let mut tokens = vec![];
    for n in 0..3 {
        let body = json!({"name": format!("token {n}"), "user_id": 3});
        let (_, made) = ask(client, Method::POST, "/api/tokens", ADMIN, body).await;
        tokens.push(text(&made, "token").to_owned());
        assert_eq!(status(client, &tokens[n]).await, 200);
    }
    let pair = log_in(client).await;
    let (code, problem) = ask(client, Method::DELETE, "/api/tokens?user_id=1", &tokens[0], Value::Null).await;
    assert_eq!(code, 404, "{problem}");
    let (code, removed) = ask(client, Method::DELETE, "/api/tokens", &tokens[0], Value::Null).await;
    assert_eq!((code, removed), (200, json!({"removed": 3})));
    for token in &tokens {
        until_refused(client, token).await;
    }
    assert_eq!(status(client, text(&pair, "access")).await, 200, "logins go on");
    assert_eq!(status(client, CONSUMER).await, 200, "and so do others");
    let (code, removed) = ask(client, Method::DELETE, "/api/tokens?user_id=2", ADMIN, Value::Null).await;
    assert_eq!((code, removed), (200, json!({"removed": 1})));
    until_refused(client, CONSUMER).await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_no_more_tokens_than_it_may() {
    let malecon = Malecon::demo(&["--max-tokens", "4"]).await;
    let client = &malecon.client;
    let make = async |body: Value| ask(client, Method::POST, "/api/tokens", CONSUMER, body).await;
    // The demo's is the first. Many at once get no more than there is room for.
    let made = futures_util::future::join_all((0..9).map(|n| make(json!({"name": format!("{n}")})))).await;
    let refused: Vec<_> = made.iter().filter(|(code, _)| *code != 201).collect();
    assert_eq!(refused.len(), 6, "{made:?}");
    for (code, problem) in refused {
        assert_eq!((*code, &problem["code"]), (409, &json!("quota_exceeded")), "{problem}");
        assert_eq!(problem["limit"], 4);
    }
    let (_, list) = ask(client, Method::GET, "/api/tokens", CONSUMER, Value::Null).await;
    assert_eq!(list["count"], 4);
    let by_another =
        ask(client, Method::POST, "/api/tokens", ADMIN, json!({"name": "x", "user_id": 2})).await;
    assert_eq!(by_another.0, 409, "whoever makes it");
    assert_eq!(ask(client, Method::POST, "/api/tokens", ADMIN, json!({"name": "x"})).await.0, 201);
    let path = format!("/api/tokens/{}", list["results"][3]["id"]);
    assert_eq!(ask(client, Method::DELETE, &path, CONSUMER, Value::Null).await.0, 204);
    assert_eq!(make(json!({"name": "again"})).await.0, 201);
    malecon.stop().await;
}

/// base64url without padding.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |n, b| (n << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(LETTERS[(number >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forged_or_stale_token_is_accepted() {
    let malecon = with_ana(&["--rate-limit", "0"]).await;
    let client = &malecon.client;
    let pair = log_in(client).await;
    let good = text(&pair, "access").to_owned();
    assert_eq!(status(client, &good).await, 200);
    let key = SigningKey(SECRET.as_bytes().to_vec());
    let claims = Hs256::new().read(&good, &key).expect("our own token");
    let sign = |change: &dyn Fn(&mut Claims), key: &SigningKey| {
        let mut claims = claims.clone();
        change(&mut claims);
        Hs256::new().sign(&claims, key).unwrap()
    };
    let seconds = chrono::TimeDelta::seconds;
    assert_eq!(status(client, &sign(&|_| {}, &key)).await, 200, "the forger's tools work");

    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let mut bad: Vec<(String, String)> = vec![];
    let mut add = |name: String, token: String| bad.push((name, token));
    for alg in
        ["none", "None", "NONE", "nOnE", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "", "hs256"]
    {
        let header = base64url(json!({"alg": alg, "typ": "JWT"}).to_string().as_bytes());
        add(format!("alg {alg} unsigned"), format!("{header}.{payload}."));
        add(format!("alg {alg} with the old signature"), format!("{header}.{payload}.{signature}"));
    }
    let other = |n: u8| SigningKey(vec![n; 64]);
    for n in 0..4 {
        add(format!("another key {n}"), sign(&|_| {}, &other(n)));
    }
    add("an empty key".to_owned(), sign(&|_| {}, &SigningKey(vec![])));
    for (name, subject) in
        [("the admin", 1), ("the consumer", 2), ("nobody", 99), ("zero", 0), ("negative", -1)]
    {
        add(format!("the good key for {name}"), sign(&|claims| claims.subject = subject, &key));
        let json = format!("{{\"sub\":\"{subject}\"}}");
        add(format!("a payload for {name}"), format!("{header}.{}.{signature}", base64url(json.as_bytes())));
    }
    add("expired".to_owned(), sign(&|c| c.expires_at = c.issued_at - seconds(1), &key));
    add(
        "long expired".to_owned(),
        sign(
            &|c| {
                c.issued_at -= seconds(1_000);
                c.not_before = c.issued_at;
                c.expires_at = c.issued_at + seconds(600);
            },
            &key,
        ),
    );
    add("not yet valid".to_owned(), sign(&|c| c.not_before += seconds(300), &key));
    add("valid for a year".to_owned(), sign(&|c| c.expires_at += seconds(31_536_000), &key));
    for issuer in ["", "Malecon", "somebody", "https://malecon"] {
        add(format!("issuer {issuer}"), sign(&|c| c.issuer = issuer.to_owned(), &key));
    }
    for audience in ["", "MALECON", "somebody"] {
        add(format!("audience {audience}"), sign(&|c| c.audience = audience.to_owned(), &key));
    }
    for version in [0, 2, 99, -1] {
        add(format!("token version {version}"), sign(&|c| c.version = version, &key));
    }
    for session in [0, -1, 999] {
        add(format!("session {session}"), sign(&|c| c.session = session, &key));
    }
    for (name, cut) in [
        ("header", format!("{}.{payload}.{signature}", &header[1..])),
        ("payload", format!("{header}.{}.{signature}", &payload[..payload.len() - 2])),
        ("signature", format!("{header}.{payload}.{}", &signature[..signature.len() - 1])),
        ("no signature", format!("{header}.{payload}")),
        ("two dots", "..".to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("a letter more", format!("{good}A")),
        ("padding", format!("{good}=")),
    ] {
        add(format!("cut {name}"), cut);
    }
    add("the refresh token".to_owned(), text(&pair, "refresh").to_owned());
    add("an unknown API token".to_owned(), format!("malecon_{}", "0".repeat(64)));
    add("a word".to_owned(), "token".to_owned());
    add("very long".to_owned(), "a".repeat(5_000));
    assert!(bad.len() >= 60, "{}", bad.len());
    for (name, token) in &bad {
        let response = send(client, Method::GET, "/api/users/me", token, Value::Null).await;
        assert_eq!(response.status(), 401, "{name}");
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer ") && challenge.contains("invalid_token"), "{name}");
    }
    let none = client.get("/api/users/me").await;
    assert_eq!(
        (none.status().as_u16(), &none.headers()["www-authenticate"]),
        (401, &"Bearer realm=\"malecon\"".parse().unwrap())
    );
    let basic =
        client.request(Method::GET, "/api/users/me").basic_auth("ana", Some("x")).send().await.unwrap();
    assert_eq!(basic.status(), 401);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_are_valid_while_one_is_rotated() {
    let folder = crate::support::Folder::new();
    let database = format!("sqlite://{}/malecon.db?mode=rwc", folder.0.display());
    let flags = ["--demo", "--database-url", &database];
    let malecon = Malecon::with(&flags, Default::default()).await;
    let ana = json!({"name": "Ana", "email": "ana@example.com", "password": "correct horse"});
    assert_eq!(ask(&malecon.client, Method::POST, "/api/users", ADMIN, ana).await.0, 201);
    let old = log_in(&malecon.client).await;
    let other = Malecon::with(&flags, Default::default()).await;
    assert_eq!(status(&other.client, text(&old, "access")).await, 200, "another process knows the key");
    let operator = malecon_sql::SqlStore::connect(&database, Default::default()).await.unwrap();
    let keys = operator.keys();
    KeyRepository::add(&keys, &SigningKey(vec![7; 64]), SystemClock.now()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let new = log_in(&other.client).await;
    for pair in [&old, &new] {
        for client in [&malecon.client, &other.client] {
            assert_eq!(status(client, text(pair, "access")).await, 200);
        }
    }
    KeyRepository::add(&keys, &SigningKey(vec![8; 64]), SystemClock.now()).await.unwrap();
    until_refused(&malecon.client, text(&old, "access")).await;
    assert_eq!(status(&malecon.client, text(&new, "access")).await, 200);
    malecon.stop().await;
    other.stop().await;
}
