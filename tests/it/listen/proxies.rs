//! Clients behind a proxy, and those who say that they are.

use malecon_server::listen::Limits;
use reqwest::Method;
use serde_json::json;

use crate::support::{Client, Malecon};

async fn login(client: &Client, forwarded: &str, email: &str) -> u16 {
    let body = json!({"email": email, "password": "wrong horse"});
    let request = client.request(Method::POST, "/api/token").header("X-Forwarded-For", forwarded);
    request.json(&body).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_limited_by_the_client_that_a_trusted_proxy_names() {
    let flags = ["--demo", "--database-url", "sqlite::memory:", "--trusted-proxies", "127.0.0.0/8"];
    let malecon = Malecon::with(&flags, Limits::default()).await;
    for attempt in 0..30 {
        // What the client itself says comes first, and changes with every attempt.
        let forwarded = format!("10.0.0.{attempt}, 1.1.1.1");
        assert_eq!(login(&malecon.client, &forwarded, &format!("{attempt}@example.com")).await, 401);
    }
    assert_eq!(login(&malecon.client, "1.1.1.1, 127.0.0.9", "last@example.com").await, 429);
    assert_eq!(login(&malecon.client, "2.2.2.2", "last@example.com").await, 401, "another client");
    assert_eq!(login(&malecon.client, "nonsense", "last@example.com").await, 401, "counts as the proxy");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_say_where_it_comes_from() {
    let flags = ["--demo", "--database-url", "sqlite::memory:", "--trusted-proxies", "10.0.0.0/8"];
    let malecon = Malecon::with(&flags, Limits::default()).await;
    for attempt in 0..30 {
        let (forwarded, email) = (format!("9.9.9.{attempt}"), format!("{attempt}@example.com"));
        assert_eq!(login(&malecon.client, &forwarded, &email).await, 401);
    }
    assert_eq!(login(&malecon.client, "8.8.8.8", "last@example.com").await, 429);
    malecon.stop().await;
}
