//! Users, as an administrator and as they themselves see them.

use clap::Parser;
use malecon_server::command::{Cli, start};
use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ADMIN, CONSUMER, Client, Malecon};

/// Sends a body with a token.
pub async fn send(client: &Client, method: Method, path: &str, token: &str, body: Value) -> Response {
    let request = client.request(method, path).bearer_auth(token);
    let request = if body.is_null() { request } else { request.json(&body) };
    request.send().await.unwrap()
}

pub async fn ask(client: &Client, method: Method, path: &str, token: &str, body: Value) -> (u16, Value) {
    let response = send(client, method, path, token, body).await;
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn ana() -> Value {
    json!({"name": "Ana", "last_name": "Núñez", "email": "Ana@Example.com", "password": "correct horse"})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_adds_changes_and_removes_users() {
    let malecon = Malecon::demo(&[]).await;
    let client = &malecon.client;
    let made = send(client, Method::POST, "/api/users", ADMIN, ana()).await;
    assert_eq!(made.status(), 201);
    assert_eq!(made.headers()["location"], "/api/users/3");
    let user: Value = made.json().await.unwrap();
    assert_eq!(user["email"], "ana@example.com");
    assert_eq!(user["role"], "USER");
    assert_eq!(user.as_object().unwrap().len(), 6, "nothing of the password: {user}");

    let (status, problem) = ask(client, Method::POST, "/api/users", ADMIN, ana()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("email_taken")));

    let change = json!({"name": "Anna", "role": "ADMIN"});
    let (status, user) = ask(client, Method::PATCH, "/api/users/3", ADMIN, change).await;
    assert_eq!((status, &user["name"], &user["last_name"]), (200, &json!("Anna"), &json!("Núñez")));
    assert_eq!(user["role"], "ADMIN");

    let (_, list) = ask(client, Method::GET, "/api/users?sort=-id&page_size=2", ADMIN, Value::Null).await;
    assert_eq!((&list["count"], &list["results"][0]["id"]), (&json!(3), &json!(3)));
    assert_eq!(list["next"], "/api/users?sort=-id&page_size=2&page=2");

    assert_eq!(ask(client, Method::DELETE, "/api/users/3", ADMIN, Value::Null).await.0, 204);
    assert_eq!(ask(client, Method::GET, "/api/users/3", ADMIN, Value::Null).await.0, 404);
    assert_eq!(ask(client, Method::DELETE, "/api/users/3", ADMIN, Value::Null).await.0, 404);
    let (status, problem) = ask(client, Method::DELETE, "/api/users/1", ADMIN, Value::Null).await;
    assert_eq!((status, &problem["code"]), (409, &json!("last_admin")));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_and_changes_itself_alone() {
    let malecon = Malecon::demo(&[]).await;
    let client = &malecon.client;
    let (status, me) = ask(client, Method::GET, "/api/users/me", CONSUMER, Value::Null).await;
    assert_eq!((status, &me["id"], &me["name"]), (200, &json!(2), &json!("consumer")));
    let (status, me) = ask(client, Method::PATCH, "/api/users/2", CONSUMER, json!({"last_name": "Ñ"})).await;
    assert_eq!((status, &me["last_name"]), (200, &json!("Ñ")));
    let (status, _) = ask(client, Method::PATCH, "/api/users/me", CONSUMER, json!({"role": "ADMIN"})).await;
    assert_eq!(status, 403, "its role is not its own");
    assert_eq!(ask(client, Method::GET, "/api/users/1", CONSUMER, Value::Null).await.0, 404);
    assert_eq!(ask(client, Method::PATCH, "/api/users/1", CONSUMER, json!({"name": "x"})).await.0, 404);
    assert_eq!(ask(client, Method::GET, "/api/users", CONSUMER, Value::Null).await.0, 403);
    assert_eq!(ask(client, Method::POST, "/api/users", CONSUMER, ana()).await.0, 403);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_with_if_match_needs_the_present_state() {
    let malecon = Malecon::demo(&[]).await;
    let client = &malecon.client;
    let shown = send(client, Method::GET, "/api/users/me", CONSUMER, Value::Null).await;
    let etag = shown.headers()["etag"].to_str().unwrap().to_owned();
    let change = async |tag: &str, name: &str| {
        let request = client.request(Method::PATCH, "/api/users/me").bearer_auth(CONSUMER);
        let request = request.header("if-match", tag).json(&json!({ "name": name }));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(change(&format!("W/{etag}"), "weak").await, 412, "a weak tag is not enough");
    assert_eq!(change(&etag, "consumer 2").await, 200);
    assert_eq!(change(&etag, "consumer 3").await, 412, "it has changed");
    assert_eq!(change("*", "consumer 4").await, 200);
    let racers = (0..8).map(|n| {
        let client = client.clone();
        async move {
            let shown = send(&client, Method::GET, "/api/users/me", CONSUMER, Value::Null).await;
            let etag = shown.headers()["etag"].clone();
            let request = client.request(Method::PATCH, "/api/users/me").bearer_auth(CONSUMER);
            let request = request.header("if-match", etag).json(&json!({"name": format!("racer {n}")}));
            request.send().await.unwrap().status().as_u16()
        }
    });
    let statuses = futures_util::future::join_all(racers).await;
    assert!(statuses.contains(&200) && statuses.iter().all(|s| [200, 412].contains(s)), "{statuses:?}");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_without_if_match_do_not_get_into_each_others_way() {
    let malecon = Malecon::demo(&[]).await;
    let changes = (0..16).map(|n| {
        let client = malecon.client.clone();
        let member = if n % 2 == 0 { "name" } else { "last_name" };
        tokio::spawn(async move {
            ask(&client, Method::PATCH, "/api/users/me", CONSUMER, json!({member: format!("{member} {n}")}))
                .await
        })
    });
    for change in futures_util::future::join_all(changes).await {
        let (status, body) = change.unwrap();
        assert_eq!(status, 200, "{body}");
    }
    let (_, me) = ask(&malecon.client, Method::GET, "/api/users/me", CONSUMER, Value::Null).await;
    let is_one = |member: &str| me[member].as_str().unwrap().starts_with(&format!("{member} "));
    assert!(is_one("name") && is_one("last_name"), "{me}");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn demos_that_start_at_once_share_their_users() {
    let database = malecon_sql::testing::postgres(env!("TEST_DATABASE_URL")).await;
    let starts = (0..3).map(|_| {
        let flags = ["--demo".to_owned(), "--database-url".to_owned(), database.url.clone()];
        tokio::spawn(
            async move { Malecon::with(&flags.each_ref().map(String::as_str), Default::default()).await },
        )
    });
    for (start, removed) in futures_util::future::join_all(starts).await.into_iter().zip([false, true, true])
    {
        let malecon = start.unwrap();
        for (token, id) in [(ADMIN, 1), (CONSUMER, 2)] {
            let (status, me) = ask(&malecon.client, Method::GET, "/api/users/me", token, Value::Null).await;
            let wanted = if removed && id == 2 { (401, None) } else { (200, Some(id)) };
            assert_eq!((status, me["id"].as_i64()), wanted);
        }
        let gone = ask(&malecon.client, Method::DELETE, "/api/users/2", ADMIN, Value::Null).await.0;
        assert_eq!(gone, if removed { 404 } else { 204 });
        malecon.stop().await;
    }
    let malecon = Malecon::with(&["--demo", "--database-url", &database.url], Default::default()).await;
    let (status, me) = ask(&malecon.client, Method::GET, "/api/users/me", CONSUMER, Value::Null).await;
    assert_eq!((status, &me["name"]), (200, &json!("consumer")), "it is back");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_does_not_open_a_database_that_has_users_of_its_own() {
    let folder = crate::support::Folder::new();
    let database = format!("sqlite://{}/malecon.db?mode=rwc", folder.0.display());
    let begin = async |flags: &[&str]| {
        let flags = [&["malecon", "--listen", "127.0.0.1:0", "--database-url", &database], flags].concat();
        let config = Cli::try_parse_from(flags).unwrap().config.resolve().unwrap();
        start(&config, Default::default()).await
    };
    begin(&[]).await.unwrap().stop().await;
    let refused = begin(&["--demo"]).await.err().unwrap();
    assert!(refused.chain().contains("a demo wants a database for itself"), "{}", refused.chain());
    let running = begin(&[]).await.unwrap();
    let client = Client::new(running.address);
    assert_eq!(ask(&client, Method::GET, "/api/users/me", ADMIN, Value::Null).await.0, 401);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_a_demo_end_with_the_demo() {
    let folder = crate::support::Folder::new();
    let database = format!("sqlite://{}/malecon.db?mode=rwc", folder.0.display());
    for (flags, status) in [(&["--demo"][..], 200), (&[], 401), (&["--demo"], 200)] {
        let flags = [flags, &["--database-url", &database]].concat();
        let malecon = Malecon::with(&flags, Default::default()).await;
        for token in [ADMIN, CONSUMER] {
            let (answer, _) = ask(&malecon.client, Method::GET, "/api/users/me", token, Value::Null).await;
            assert_eq!(answer, status, "{flags:?}");
        }
        malecon.stop().await;
    }
}

#[rstest]
#[case::no_json("{", 400, "malformed_body", "")]
#[case::no_object("[]", 422, "invalid_body", "/")]
#[case::missing(r#"{"name": "a"}"#, 422, "invalid_body", "/email")]
#[case::unknown(r#"{"name": "a", "email": "a@b.c", "emial": "x"}"#, 422, "invalid_body", "/emial")]
#[case::servers_own(r#"{"name": "a", "email": "a@b.c", "id": 7}"#, 422, "invalid_body", "/id")]
#[case::created_at(
    r#"{"name": "a", "email": "a@b.c", "created_at": "x"}"#,
    422,
    "invalid_body",
    "/created_at"
)]
#[case::no_email(r#"{"name": "a", "email": "nobody"}"#, 422, "invalid_body", "/email")]
#[case::blank(r#"{"name": "  ", "email": "a@b.c"}"#, 422, "invalid_body", "/name")]
#[case::wrong_type(r#"{"name": 7, "email": "a@b.c"}"#, 422, "invalid_body", "/name")]
#[case::short(r#"{"name": "a", "email": "a@b.c", "password": "1234567"}"#, 422, "invalid_body", "/password")]
#[case::role(r#"{"name": "a", "email": "a@b.c", "role": "ROOT"}"#, 422, "invalid_body", "/role")]
#[tokio::test]
async fn a_bad_body_is_refused_with_pointers(
    #[case] body: &'static str,
    #[case] status: u16,
    #[case] code: &str,
    #[case] pointer: &str,
) {
    let client = crate::support::shared();
    let request = client.request(Method::POST, "/api/users").bearer_auth(ADMIN);
    let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(response.status(), status);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], code);
    if !pointer.is_empty() {
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let client = crate::support::shared();
    let request = client.request(Method::POST, "/api/users").bearer_auth(ADMIN).body("{}");
    assert_eq!(request.send().await.unwrap().status(), 415);
}
