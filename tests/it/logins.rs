//! Logins, many at once and from many addresses.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use malecon_crypto::Argon2Hasher;
use reqwest::{Response, StatusCode};
use rstest::rstest;
use serde_json::json;

use crate::engine::ground::{Engine, Ground};
use crate::support::{Client, Malecon};

const MIB: usize = 1024 * 1024;
const EMAIL: &str = "consumer@demo.example";
const PASSWORD: &str = "correct horse";

/// A database with a user that has a password.
async fn ground() -> Ground {
    let ground = Ground::new(Engine::Sqlite).await;
    let users = &ground.wired.services.users;
    users.set_password_unattended(ground.user.user_id, PASSWORD.to_owned()).await.unwrap();
    ground
}

/// One login from this address of the loopback network.
async fn log_in(client: &Client, from: IpAddr, password: &str) -> Response {
    #[expect(clippy::disallowed_methods, reason = "a test is a stranger to upstream::client")]
    let http = reqwest::Client::builder().no_proxy().local_address(from).build().unwrap();
    let body = json!({"email": EMAIL, "password": password});
    let url = format!("http://{}/api/token", client.address);
    http.post(url).json(&body).timeout(Duration::from_secs(120)).send().await.unwrap()
}

fn address(n: usize) -> IpAddr {
    IpAddr::from([127, 0, 1, u8::try_from(n).unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logins_at_once_take_no_memory_that_stays() {
    const LOGINS: usize = 240;
    let ground = ground().await;
    let process = ground.process(Duration::from_secs(60)).await;
    // What a first login makes is there afterwards.
    assert_eq!(log_in(&process.client, address(0), PASSWORD).await.status(), StatusCode::OK);
    let (before, _) = process.memory();
    let logins = (0..LOGINS).map(|n| {
        let client = process.client.clone();
        async move { log_in(&client, address(1 + n / 20), PASSWORD).await.status() }
    });
    // No more at once than may wait for their turn.
    let statuses: Vec<_> = stream::iter(logins).buffer_unordered(48).collect().await;
    assert_eq!(statuses, [StatusCode::OK; LOGINS]);
    let (after, peak) = process.memory();
    println!("memory: {} MiB before, {} MiB after, {} MiB at most", before / MIB, after / MIB, peak / MIB);
    let grown = after.saturating_sub(before) / MIB;
    // One block of 19 MiB a turn, the first of which is there already; and what 48 connections take.
    let most = 19 * (Argon2Hasher::turns() - 1) + 40;
    assert!(grown < most, "it has grown by {grown} MiB of {most}");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn strangers_lock_nobody_out_on_any_replica(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let users = &ground.wired.services.users;
    users.set_password_unattended(ground.user.user_id, PASSWORD.to_owned()).await.unwrap();
    let flags = ["--database-url", &ground.url];
    let one = Malecon::with(&flags, Default::default()).await;
    let other = Malecon::with(&flags, Default::default()).await;
    let (home, elsewhere) = (address(1), address(2));
    assert_eq!(log_in(&one.client, home, PASSWORD).await.status(), StatusCode::OK);
    for replica in [&one.client, &other.client] {
        for n in 0..10 {
            assert_eq!(log_in(replica, address(10 + n), "wrong").await.status(), StatusCode::UNAUTHORIZED);
        }
        let refused = log_in(replica, elsewhere, PASSWORD).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(log_in(replica, home, PASSWORD).await.status(), StatusCode::OK, "it is at home");
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_logins_at_once_are_told_to_come_again() {
    const LOGINS: usize = 200;
    let ground = ground().await;
    let process = ground.process(Duration::from_secs(60)).await;
    let logins = (0..LOGINS).map(|n| {
        let client = process.client.clone();
        async move { log_in(&client, address(1 + n / 20), PASSWORD).await }
    });
    let answers: Vec<_> = stream::iter(logins).buffer_unordered(LOGINS).collect().await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() != StatusCode::OK).collect();
    for answer in &refused {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
    }
    println!("{} of {LOGINS} were told to come again", refused.len());
    assert_eq!(log_in(&process.client, address(0), PASSWORD).await.status(), StatusCode::OK);
}
