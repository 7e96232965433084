//! Databases that are there and do not do what they should: locked, read-only, silent, damaged, gone.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use malecon_server::listen::Limits;
use malecon_sql::testing::{Session, TestDatabase, postgres};
use reqwest::Method;
use serde_json::json;

use crate::dam::Gate;
use crate::engine::until;
use crate::outage::{dam_before, through};
use crate::support::{CONSUMER, Client, Malecon};

/// Longer than a request waits for the store on a busy machine, and far shorter than for a lock.
const SOON: Duration = Duration::from_secs(4);

async fn on_postgres() -> (TestDatabase, Malecon) {
    let database = postgres(env!("TEST_DATABASE_URL")).await;
    let malecon = Malecon::with(&["--demo", "--database-url", &database.url], Limits::default()).await;
    (database, malecon)
}

/// The status of a call, which must come soon.
async fn status(client: &Client, method: Method, path: &str) -> u16 {
    let begun = Instant::now();
    let sent = client.request(method, path).bearer_auth(CONSUMER).send().await.unwrap();
    assert!(begun.elapsed() < SOON, "{path}: {:?}", begun.elapsed());
    sent.status().as_u16()
}

/// The call is the 503 of a store that can't be used now.
async fn is_unavailable(client: &Client, method: Method, path: &str) {
    let begun = Instant::now();
    let sent = client.request(method, path).bearer_auth(CONSUMER).send().await.unwrap();
    assert!(begun.elapsed() < SOON, "{path}: {:?}", begun.elapsed());
    assert_eq!(sent.status(), 503, "{path}");
    assert!(sent.headers().contains_key("retry-after"), "{path}");
    assert_eq!(sent.json::<serde_json::Value>().await.unwrap()["code"], "store_unavailable", "{path}");
}

/// Waits until a health check has this state, and the whole this status.
async fn until_check(client: &Client, status: &str, check: &str, state: &str) {
    until(&format!("{status}, with {check} {state}"), async || {
        let (_, health) = client.status_and_json("/health/ready").await;
        (health["status"] == status && health["checks"][check] == state).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_locked_table_is_a_quick_503_and_in_nobody_elses_way() {
    let (database, malecon) = on_postgres().await;
    let client = &malecon.client;
    let new = json!({"name": "hook", "config": {"base_url": "https://example.com", "http_method": "GET"}});
    let post = client.request(Method::POST, "/integration-tasks").bearer_auth(CONSUMER).json(&new);
    assert_eq!(post.send().await.unwrap().status(), 201);

    let mut other = Session::open(&database.url).await;
    other.run("BEGIN; LOCK TABLE runs IN ACCESS EXCLUSIVE MODE").await;
    is_unavailable(client, Method::POST, "/integration-tasks/execute/1").await;
    // Many who wait for it, and many who want something else.
    let waiting = join_all((0..40).map(async |_| {
        status(client, Method::POST, "/integration-tasks/execute/1").await;
    }));
    let others = join_all((0..40).map(async |n| {
        tokio::time::sleep(Duration::from_millis(20 * n)).await;
        let paths = ["/api/users/me", "/api/dogs?page=1", "/api/users/me/favorites", "/api/countries/NOR"];
        let path = paths[n as usize % paths.len()];
        (path, status(client, Method::GET, path).await)
    }));
    let (_, others) = tokio::join!(waiting, others);
    for (path, status) in others {
        assert_eq!(status, 200, "{path}");
    }
    until_check(client, "degraded", "runs", "unavailable").await;
    other.run("ROLLBACK").await;
    until_check(client, "ok", "runs", "ok").await;
    assert_eq!(status(client, Method::POST, "/integration-tasks/execute/1").await, 202);

    other.run("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await;
    for path in ["/api/users/me", "/api/users/me/dogs", "/api/users/2"] {
        is_unavailable(client, Method::GET, path).await;
    }
    let login = json!({"email": "consumer@demo.example", "password": "not hers"});
    let begun = Instant::now();
    let login = client.request(Method::POST, "/api/token").json(&login).send().await.unwrap();
    assert_eq!(login.status(), 503);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(client.get("/api/dogs").await.status(), 200, "nobody needs users for this");
    other.run("ROLLBACK").await;
    assert_eq!(status(client, Method::GET, "/api/users/me").await, 200);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_silent_database_is_asked_by_few() {
    let database = postgres(env!("TEST_DATABASE_URL")).await;
    let dam = dam_before(&database.url, 5432).await;
    let url = through(&dam, &database.url);
    let malecon = Malecon::with(&["--demo", "--database-url", &url], Limits::default()).await;
    let client = &malecon.client;
    assert_eq!(status(client, Method::GET, "/api/users/me").await, 200);
    dam.turn(Gate::Frozen);
    for _ in 0..6 {
        is_unavailable(client, Method::GET, "/api/dogs?sort=name").await;
    }
    // Each would take 0.9 s if it were asked; one a second is.
    let begun = Instant::now();
    for _ in 0..40 {
        is_unavailable(client, Method::GET, "/api/dogs?sort=name").await;
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    until_check(client, "unavailable", "database", "unavailable").await;
    dam.turn(Gate::Open);
    until("an answer", async || (client.get("/api/dogs?sort=name").await.status() == 200).then_some(()))
        .await;
    until_check(client, "ok", "database", "ok").await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_standby_serves_what_it_can() {
    let (database, malecon) = on_postgres().await;
    let client = &malecon.client;
    let mut other = Session::open(&database.url).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let switch = |value: &str| {
        let name = database.url.rsplit('/').next().unwrap();
        format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    };
    other.run(&switch("on")).await;
    other.run(cut).await;
    until("a database again", async || (client.get("/api/dogs").await.status() == 200).then_some(())).await;
    is_unavailable(client, Method::POST, "/api/dogs/Rex").await;
    assert_eq!(client.get("/api/dogs").await.status(), 200);
    until_check(client, "degraded", "database_writes", "unavailable").await;
    other.run("SET default_transaction_read_only = off").await;
    other.run(&switch("off")).await;
    other.run(cut).await;
    until_check(client, "ok", "database_writes", "ok").await;
    assert_eq!(status(client, Method::POST, "/api/dogs/Rex").await, 202);

    other.run("ALTER TABLE dogs RENAME TO hidden").await;
    is_unavailable(client, Method::GET, "/api/dogs").await;
    assert_eq!(status(client, Method::GET, "/api/users/me").await, 200);
    until_check(client, "degraded", "dogs", "unavailable").await;
    other.run("ALTER TABLE hidden RENAME TO dogs").await;
    until_check(client, "ok", "dogs", "ok").await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_else_writes_to_a_file_keeps_nobody_from_reading_it() {
    let malecon = Malecon::demo(&[]).await;
    let client = &malecon.client;
    let mut other = Session::open(malecon.database()).await;
    other.run("BEGIN IMMEDIATE").await;
    let writes = join_all((0..10).map(async |n| {
        is_unavailable(client, Method::POST, &format!("/api/dogs/Rex%20{n}")).await;
    }));
    let reads = join_all((0..60).map(async |n| {
        tokio::time::sleep(Duration::from_millis(10 * n)).await;
        status(client, Method::GET, &format!("/api/dogs?page={}", n + 1)).await
    }));
    let (_, reads) = tokio::join!(writes, reads);
    assert!(reads.iter().all(|status| *status == 200), "{reads:?}");
    until_check(client, "degraded", "database_writes", "unavailable").await;
    other.run("ROLLBACK").await;
    assert_eq!(status(client, Method::POST, "/api/dogs/Rex").await, 202);
    until_check(client, "ok", "database_writes", "ok").await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_deleted_takes_no_writes() {
    let malecon = Malecon::demo(&[]).await;
    let client = &malecon.client;
    assert_eq!(status(client, Method::POST, "/api/dogs/Rex").await, 202);
    let path = malecon.database().strip_prefix("sqlite://").unwrap().split('?').next().unwrap();
    std::fs::remove_file(path).unwrap();
    is_unavailable(client, Method::POST, "/api/dogs/Max").await;
    until_check(client, "degraded", "database_writes", "unavailable").await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_its_database() {
    let database = format!("sqlite:///nowhere-{}/malecon.db", uuid::Uuid::new_v4().simple());
    let path = std::path::PathBuf::from(database.strip_prefix("sqlite://").unwrap());
    let folder = crate::support::Folder::new();
    let url = format!("sqlite://{}{}?mode=rwc", folder.0.display(), path.display());
    let flags = ["--demo", "--database-url", &url, "--wait-for", "60s"];
    let starting = Malecon::with(&flags, Limits::default());
    let made = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        std::fs::create_dir_all(format!("{}{}", folder.0.display(), path.parent().unwrap().display()))
            .unwrap();
    };
    let (malecon, ()) = tokio::join!(starting, made);
    assert_eq!(malecon.client.get("/health/ready").await.status(), 200);
    malecon.stop().await;
}

/// A Redis of one's own.
struct Redis(Child);

impl Redis {
    fn start(port: u16, options: &[&str]) -> Self {
        let port = port.to_string();
        let fixed = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let command = Command::new("redis-server").args(fixed).args(options).stdout(Stdio::null()).spawn();
        Self(command.unwrap())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(redis_server), ignore = "needs redis-server")]
async fn a_redis_without_memory_is_not_well() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _redis = Redis::start(port, &["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    let url = format!("redis://127.0.0.1:{port}");
    let malecon = Malecon::demo(&["--redis-url", &url]).await;
    let client = &malecon.client;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for _ in 0..5 {
        let health = client.json("/health/ready").await;
        assert_eq!(
            (&health["status"], &health["checks"]["redis"]),
            (&json!("degraded"), &json!("unavailable"))
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_how_the_database_fares() {
    let malecon = Malecon::demo(&[]).await;
    until("metrics of health", async || {
        let metrics = malecon.client.get("/metrics").await.text().await.unwrap();
        let all = [
            "malecon_up{part=\"database\"} 1",
            "malecon_up{part=\"database_writes\"} 1",
            "malecon_database_connections{pool=\"writer\",state=\"max\"} 1",
            "malecon_database_errors_total{kind=\"locked\"} ",
            "malecon_sync_last_succeeded 1",
            "process_resident_memory_bytes",
            "process_open_fds",
        ];
        all.iter().all(|line| metrics.contains(line)).then_some(())
    })
    .await;
    malecon.stop().await;
}
