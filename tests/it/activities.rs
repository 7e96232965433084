//! What there is to do in countries, from a Wikidata of invented sights that is slow and often busy.

mod wikidata;

use std::time::Duration;

use futures_util::future::join_all;
use malecon::domain::{Activity, ActivityKind, ActivityRecord, Run};
use malecon_memory::SystemClock;
use malecon_ports::{ActivityRepository, Clock, RunRepository};
use malecon_sql::SqlStore;
use malecon_sql::testing::{TestDatabase, postgres};
use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::Value;

use self::wikidata::{Mood, Wikidata};
use crate::support::{ADMIN, Client, Folder, Malecon};

/// How long one waits for what comes within seconds, before one gives up.
const PATIENCE: Duration = Duration::from_secs(120);
const WEEK: i64 = 7 * 24 * 60 * 60;

/// A database of one's own, gone with its owner.
enum Ground {
    Sqlite(Folder),
    Postgres(Box<TestDatabase>),
}

impl Ground {
    fn sqlite() -> Self {
        Self::Sqlite(Folder::new())
    }

    async fn postgres() -> Self {
        Self::Postgres(Box::new(postgres(env!("TEST_DATABASE_URL")).await))
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}/malecon.db?mode=rwc", folder.0.display()),
            Self::Postgres(database) => database.url.clone(),
        }
    }

    /// A Malecón on it that asks this Wikidata.
    async fn malecon(&self, wikidata: &Wikidata) -> Malecon {
        let (database, url) = (self.url(), wikidata.url.as_str());
        let flags = ["--demo", "--database-url", &database, "--wikidata-url", url];
        Malecon::with(&[&flags[..], &["--wikidata-contact", "ops@example.org"]].concat(), Default::default())
            .await
    }

    async fn store(&self) -> SqlStore {
        SqlStore::connect(&self.url(), Default::default()).await.unwrap()
    }
}

fn path(country: &str) -> String {
    format!("/api/countries/{country}/activities")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

fn seconds(response: &Response, name: &str) -> i64 {
    header(response, name).parse().unwrap()
}

/// The first answer for which that holds.
async fn until(client: &Client, path: &str, holds: impl Fn(&Response) -> bool) -> Response {
    let looking = async {
        loop {
            let response = client.get(path).await;
            if holds(&response) {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{path} never comes"))
}

fn is_fresh(response: &Response) -> bool {
    response.status() == 200 && header(response, "cache-status").starts_with("malecon; hit; ttl=6")
}

async fn not_ready(response: Response) {
    assert_eq!(response.status(), 503);
    assert!((1..=3_600).contains(&seconds(&response, "retry-after")));
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "activities_not_ready", "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_three_countries_are_fetched_once_and_behind_everybodys_back() {
    three_countries(&Ground::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn on_postgres_three_countries_are_fetched_once_and_behind_everybodys_back() {
    three_countries(&Ground::postgres().await).await;
}

async fn three_countries(ground: &Ground) {
    let wikidata = Wikidata::new().await;
    wikidata.will("PE", [Mood::TooMany, Mood::GatewayTimeout]);
    wikidata.will("BV", [Mood::Empty]);
    let malecon = ground.malecon(&wikidata).await;
    let client = &malecon.client;
    // Nobody waits: while Wikidata holds its answers, these are given.
    wikidata.hold();
    for country in ["PE", "076", "bvt"] {
        not_ready(client.get(&path(country)).await).await;
        not_ready(client.get(&path(country)).await).await;
    }
    wikidata.let_go();
    for (country, count) in [("PER", 12), ("BRA", 12), ("BVT", 0)] {
        let body: Value = until(client, &path(country), is_fresh).await.json().await.unwrap();
        assert_eq!(body["count"], count, "{country}");
    }
    assert_eq!(wikidata.asked_sorted(), ["BR", "BV", "PE", "PE", "PE"]);
    assert_eq!(wikidata.most_at_once(), 1);

    // Another one on the same database has them all.
    let second = ground.malecon(&wikidata).await;
    for country in ["PE", "BR", "BV"] {
        let here = client.json(&path(country)).await;
        assert_eq!(second.client.json(&path(country)).await, here);
    }
    assert_eq!(wikidata.asked_sorted().len(), 5, "it asks nothing again");
    second.stop().await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_any_number_of_callers_and_replicas_make_one_query() {
    callers_and_replicas(&Ground::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn on_postgres_any_number_of_callers_and_replicas_make_one_query() {
    callers_and_replicas(&Ground::postgres().await).await;
}

async fn callers_and_replicas(ground: &Ground) {
    let wikidata = Wikidata::new().await;
    let replicas = [ground.malecon(&wikidata).await, ground.malecon(&wikidata).await];
    wikidata.hold();
    let first = path("PE");
    for response in join_all(replicas.iter().cycle().take(20).map(|replica| replica.client.get(&first))).await
    {
        not_ready(response).await;
    }
    wikidata.let_go();
    for replica in &replicas {
        until(&replica.client, &first, is_fresh).await;
    }
    assert_eq!(wikidata.asked_sorted(), ["PE"]);
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_activities_is_a_list_like_others() {
    let (ground, wikidata) = (Ground::sqlite(), Wikidata::new().await);
    let malecon = ground.malecon(&wikidata).await;
    let client = &malecon.client;
    let first = path("pe");
    let response = until(client, &first, is_fresh).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    assert!(header(&response, "cache-control").starts_with("public, max-age="));
    let (age, etag) = (seconds(&response, "age"), response.headers()["etag"].clone());
    let ttl: i64 = header(&response, "cache-status").rsplit('=').next().unwrap().parse().unwrap();
    assert_eq!(age + ttl, WEEK);
    assert!(header(&response, "link").contains("</api/countries/PER/activities?page=2>; rel=\"next\""));
    let again = client.request(Method::GET, &first).header("If-None-Match", &etag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &etag));
    let head = client.request(Method::HEAD, &format!("{first}/")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["etag"]), (200, &etag));

    let body = client.json(&first).await;
    assert_eq!((body["count"].as_u64(), body["results"].as_array().unwrap().len()), (Some(12), 10));
    assert_eq!(body["results"][0], wikidata::first_of("PE"));
    let shown = async |query: &str| {
        let body = client.json(&format!("{first}?{query}")).await;
        let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
        body["results"].as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(shown("page=2").await, ["Pier 11 of PE", "Pier 12 of PE"]);
    assert_eq!(
        shown("kind=visit_castle,swim&page_size=3").await,
        ["Castle of PE", "Pier 2 of PE", "Pier 4 of PE"]
    );
    assert_eq!(shown("sort=-name&page_size=2").await, ["Pier 9 of PE", "Pier 8 of PE"]);
    assert_eq!(shown("sort=kind,-name&page_size=2").await, ["Pier 9 of PE", "Pier 7 of PE"]);
    for (query, code, words) in [
        ("kin=swim", "unknown_parameter", "did you mean kind?"),
        ("kind=swin", "invalid_parameter", "did you mean swim?"),
        ("sort=nam", "invalid_parameter", "did you mean name?"),
        ("page=0", "invalid_parameter", "whole number"),
    ] {
        let (status, problem) = client.status_and_json(&format!("{first}?{query}")).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some(code)), "{query}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    for country in ["xx", "sync", "export", "nonsense"] {
        assert_eq!(client.status_and_json(&path(country)).await.0, 404, "{country}");
    }
    assert_eq!(wikidata.asked_sorted(), ["PE"]);
    malecon.stop().await;
}

/// Puts activities there that were fetched more than a week ago.
async fn plant(store: &SqlStore, country: &str, count: usize) {
    let activity = |n| {
        Activity::new(ActivityRecord {
            id: format!("Q{n}"),
            name: format!("Old pier {n}"),
            kind: ActivityKind::Sightsee,
            description: None,
            latlng: None,
            picture: None,
            source: format!("https://www.wikidata.org/wiki/Q{n}"),
            world_heritage: false,
        })
    };
    let activities: Vec<Activity> = (1..=count).map(|n| activity(n).unwrap()).collect();
    let at = SystemClock.now() - Duration::from_secs(WEEK.unsigned_abs() + 100);
    store.activities().replace(country, &activities, at).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_ones_are_served_while_they_are_fetched_anew() {
    let (ground, wikidata) = (Ground::sqlite(), Wikidata::new().await);
    let malecon = ground.malecon(&wikidata).await;
    let client = &malecon.client;
    plant(&ground.store().await, "PER", 3).await;
    wikidata.hold();
    for _ in 0..3 {
        let response = client.get(&path("PE")).await;
        assert_eq!(response.status(), 200);
        let status = header(&response, "cache-status");
        assert!(
            status.starts_with("malecon; hit; ttl=-") && status.ends_with("; detail=revalidating"),
            "{status}"
        );
        let age = seconds(&response, "age");
        assert!(age > WEEK);
        assert_eq!(header(&response, "cache-control"), format!("public, max-age={age}"), "caches look again");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["count"], &body["results"][0]["name"]), (&3.into(), &"Old pier 1".into()));
    }
    wikidata.let_go();
    let body: Value = until(client, &path("PE"), is_fresh).await.json().await.unwrap();
    assert_eq!((&body["count"], &body["results"][0]["name"]), (&12.into(), &"Castle of PE".into()));
    assert_eq!(wikidata.asked_sorted(), ["PE"]);
    malecon.stop().await;
}

#[rstest]
#[case::html(Mood::Html, "no JSON", "queued")]
#[case::half(Mood::Half, "unavailable", "queued")]
#[case::broken_json(Mood::BrokenJson, "no JSON", "queued")]
#[case::empty(Mood::Empty, "the source has 0 activities, we hold 12; nothing was changed", "failed")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_or_not_to_be_believed_keeps_what_is_there(
    #[case] mood: Mood,
    #[case] words: &str,
    #[case] state: &str,
) {
    let (ground, wikidata) = (Ground::sqlite(), Wikidata::new().await);
    let malecon = ground.malecon(&wikidata).await;
    let (client, store) = (&malecon.client, ground.store().await);
    plant(&store, "PER", 12).await;
    wikidata.will("PE", [mood; 100]);
    let stale = |response: &Response| {
        header(response, "cache-status") == "malecon; hit; fwd=stale; detail=upstream_unavailable"
    };
    let body: Value = until(client, &path("PE"), stale).await.json().await.unwrap();
    assert_eq!((&body["count"], &body["results"][0]["name"]), (&12.into(), &"Old pier 1".into()));
    let run = store.activities().state("PER").await.unwrap().run.unwrap();
    let run: Run = store.runs().find(run).await.unwrap().unwrap();
    assert!(run.state.name() == state || run.state.name() == "running" && state == "queued", "{run:?}");
    let request = client.request(Method::GET, &format!("/api/jobs/{}", run.id)).bearer_auth(ADMIN);
    let job: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!((&job["kind"], &job["result"]), (&"activities".into(), &Value::Null), "{job}");
    assert!(job["error"].as_str().unwrap().contains(words), "{job}");
    malecon.stop().await;
}
