//! Parts that fail: the database, Redis, a handler of our own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use malecon_http::{Check, Health, Services};
use malecon_server::listen::Limits;
use malecon_server::wiring::in_memory;
use malecon_sql::testing::{TestDatabase, postgres};
use poem::test::TestClient;
use rstest::rstest;

use crate::dam::{Dam, Gate};
use crate::support::{ADMIN, Client, Malecon};

/// Longer than anybody waits on a busy machine, and shorter than for a server that hangs.
const SOON: Duration = Duration::from_secs(8);

struct Panics;

#[async_trait::async_trait]
impl Health for Panics {
    async fn checks(&self) -> Vec<Check> {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_panic_in_a_handler_is_one_500_problem() {
    let services = Services { health: Arc::new(Panics), ..in_memory().unwrap() };
    let client = TestClient::new(malecon_http::app(services, Default::default())).default_header("host", "x");
    let response = client.get("/health/ready").send().await;
    response.assert_status(poem::http::StatusCode::INTERNAL_SERVER_ERROR);
    response.assert_content_type("application/problem+json");
    let body: serde_json::Value = response.0.into_body().into_json().await.unwrap();
    assert_eq!(body["code"], "internal");
    assert!(!body.to_string().contains("on purpose"), "{body}");
    client.get("/health/live").send().await.assert_status_is_ok();
}

/// The URL with the dam where its server was.
pub fn through(dam: &Dam, url: &str) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(dam.address.port())).unwrap();
    url.to_string()
}

pub async fn dam_before(url: &str, port: u16) -> Dam {
    let url = url::Url::parse(url).unwrap();
    Dam::before(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(port))).await
}

async fn status(client: &Client, path: &str) -> u16 {
    let begun = Instant::now();
    let status = client.get(path).await.status().as_u16();
    assert!(begun.elapsed() < SOON, "{path}: {:?}", begun.elapsed());
    status
}

async fn until_status(client: &Client, path: &str, expected: u16) {
    let begun = Instant::now();
    while client.get(path).await.status() != expected {
        assert!(begun.elapsed() < Duration::from_secs(30), "{path} is never {expected}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[rstest]
#[case::shut(Gate::Shut)]
#[case::frozen(Gate::Frozen)]
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn without_the_database_what_is_held_is_served_and_the_rest_says_so_soon(#[case] gate: Gate) {
    let database: TestDatabase = postgres(env!("TEST_DATABASE_URL")).await;
    let dam = dam_before(&database.url, 5432).await;
    let url = through(&dam, &database.url);
    let malecon = Malecon::with(&["--demo", "--database-url", &url], Limits::default()).await;
    let client = &malecon.client;
    assert_eq!(status(client, "/api/countries?page=2").await, 200);
    assert_eq!(status(client, "/health/ready").await, 200);

    dam.turn(gate);
    until_status(client, "/health/ready", 503).await;
    assert_eq!(status(client, "/health/live").await, 200);
    assert_eq!(status(client, "/api/countries?page=2").await, 200, "it is in the cache");
    assert_eq!(status(client, "/v3.1/alpha/per").await, 200, "it is made from what is held");
    assert_eq!(status(client, "/api/countries/export?format=csv").await, 200);
    for path in ["/api/countries?name=never%20asked", "/api/countries/NOR"] {
        let begun = Instant::now();
        let response = client.get(path).await;
        assert!(begun.elapsed() < SOON, "{path}: {:?}", begun.elapsed());
        assert_eq!(response.status(), 503, "{path}");
        assert!(response.headers().contains_key("retry-after"));
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = response.text().await.unwrap();
        assert!(!body.contains("sql") && !body.contains("127.0.0.1"), "{body}");
    }
    let begun = Instant::now();
    let sync = client.request(reqwest::Method::POST, "/api/countries/sync").bearer_auth(ADMIN);
    assert_eq!(sync.send().await.unwrap().status(), 503);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());

    dam.turn(Gate::Open);
    until_status(client, "/health/ready", 200).await;
    until_status(client, "/api/countries/NOR", 200).await;
    assert_eq!(client.sync().await["unchanged"], 250);
    malecon.stop().await;
}

#[rstest]
#[case::shut(Gate::Shut)]
#[case::frozen(Gate::Frozen)]
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(redis), ignore = "needs TEST_REDIS_URL")]
async fn without_redis_everything_goes_on_and_it_is_used_again_when_it_is_back(#[case] gate: Gate) {
    let dam = dam_before(env!("TEST_REDIS_URL"), 6379).await;
    let redis = through(&dam, env!("TEST_REDIS_URL"));
    let malecon = Malecon::demo(&["--redis-url", &redis]).await;
    let client = &malecon.client;
    let redis_is = async |up: &str| {
        let begun = Instant::now();
        while client.json("/health/ready").await["checks"]["redis"] != up {
            assert!(begun.elapsed() < Duration::from_secs(30), "Redis is never {up}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    redis_is("ok").await;

    dam.turn(gate);
    let begun = Instant::now();
    for page in 1..=100 {
        assert_eq!(status(client, &format!("/api/countries?page={page}")).await, 200);
    }
    // If each had waited for Redis, they would have taken 10 s.
    assert!(begun.elapsed() < SOON, "100 answers took {:?}", begun.elapsed());
    redis_is("unavailable").await;
    assert_eq!(client.json("/health/ready").await["status"], "degraded");

    dam.turn(Gate::Open);
    redis_is("ok").await;
    malecon.stop().await;
}
