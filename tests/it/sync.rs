//! Mirroring a source, good and bad.

use std::time::Duration;

use malecon_server::listen::Limits;
use serde_json::json;

use crate::support::{CONSUMER, Client, Malecon, Mood, Source, shared};
use reqwest::Method;

async fn everything(client: &Client) -> serde_json::Value {
    client.json("/v3.1/region/a").await
}

async fn mirror() -> (Malecon, Source) {
    let source = Source::before(shared()).await;
    let flags = ["--restcountries-url", &source.url, "--upstream-timeout", "400ms", "--retries", "1"];
    (Malecon::demo(&flags).await, source)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sync_changes_nothing() {
    let (malecon, _source) = mirror().await;
    let first = malecon.client.sync().await;
    assert_eq!(
        (&first["outcome"], &first["seen"], &first["unchanged"]),
        (&json!("succeeded"), &json!(250), &json!(250))
    );
    assert_eq!(first["source"], "restcountries-v3.1");
    let before = malecon.client.get("/api/countries").await.headers()["etag"].clone();
    let second = malecon.client.sync().await;
    assert_eq!(
        (&second["inserted"], &second["updated"], &second["unchanged"]),
        (&json!(0), &json!(0), &json!(250))
    );
    assert_eq!(malecon.client.get("/api/countries").await.headers()["etag"], before);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_source_wipes_nothing() {
    let (malecon, source) = mirror().await;
    malecon.client.sync().await;
    let before = everything(&malecon.client).await;
    let count = malecon.client.json("/api/countries").await["count"].clone();
    assert_eq!(count, 250);
    let lies = [
        (Mood::Gone, "source_drifted"),
        (Mood::Html, "source_drifted"),
        (Mood::Empty, "source_drifted"),
        (Mood::Half, "source_drifted"),
        (Mood::Wiped, "source_drifted"),
        (Mood::Truncated, "failed"),
        (Mood::Broken, "failed"),
        (Mood::Silent, "failed"),
    ];
    for (mood, outcome) in lies {
        source.turn(mood);
        let report = malecon.client.sync().await;
        assert_eq!(report["outcome"], outcome, "{mood:?}: {report}");
        assert!(report["detail"].is_string(), "{mood:?}");
        assert_eq!(everything(&malecon.client).await, before, "{mood:?}");
        assert_eq!(malecon.client.json("/api/countries").await["count"], 250, "{mood:?}");
    }
    source.turn(Mood::Fine);
    assert_eq!(malecon.client.sync().await["outcome"], "succeeded");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_is_rejected_and_the_rest_go_on() {
    let (malecon, source) = mirror().await;
    source.turn(Mood::OneBad);
    let report = malecon.client.sync().await;
    assert_eq!((&report["outcome"], &report["unchanged"]), (&json!("succeeded"), &json!(249)));
    assert_eq!(report["rejected"].as_array().unwrap().len(), 1, "{report}");
    assert!(report["rejected"][0]["reason"].as_str().unwrap().contains("area"), "{report}");
    assert_eq!(report["missing"], json!([]));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_served_at_once_and_what_is_missing_is_kept() {
    let (malecon, source) = mirror().await;
    malecon.client.sync().await;
    let before = malecon.client.json("/v3.1/all?fields=cca3,capital").await;
    source.turn(Mood::Changed);
    let report = malecon.client.sync().await;
    assert_eq!((&report["updated"], report["missing"].as_array().unwrap().len()), (&json!(1), 1), "{report}");
    let after = malecon.client.json("/v3.1/all?fields=cca3,capital").await;
    assert_eq!(after.as_array().unwrap().len(), 250);
    let differ = |(a, b): &(&serde_json::Value, &serde_json::Value)| a != b;
    let changed: Vec<_> =
        before.as_array().unwrap().iter().zip(after.as_array().unwrap()).filter(differ).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].1["capital"], json!(["New Capital"]));
    let code = changed[0].1["cca3"].as_str().unwrap();
    let shown = malecon.client.json(&format!("/api/countries/{code}")).await;
    assert_eq!(shown["capital"], json!(["New Capital"]), "no answer of the old version is left");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_sync_and_only_callers_see_reports() {
    let (malecon, _source) = mirror().await;
    let send = async |method: Method, token: Option<&str>| {
        let request = malecon.client.request(method, "/api/countries/sync");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap()
    };
    let nobody = send(Method::POST, None).await;
    assert_eq!(nobody.status(), 401);
    assert_eq!(nobody.headers()["www-authenticate"], "Bearer realm=\"malecon\"");
    let wrong = send(Method::POST, Some("abcdef123456789")).await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    assert_eq!(send(Method::POST, Some(CONSUMER)).await.status(), 403);
    assert_eq!(send(Method::GET, None).await.status(), 401);
    let report: serde_json::Value = send(Method::GET, Some(CONSUMER)).await.json().await.unwrap();
    assert_eq!(report["outcome"], "succeeded");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sync_of_a_caller_that_hung_up_goes_on_and_keeps_others_out() {
    let (malecon, source) = mirror().await;
    source.turn(Mood::Silent);
    let patient = malecon.client.clone();
    let asked = source.asked_again();
    let first = tokio::spawn(async move { patient.sync().await });
    asked.await;
    let busy = async || {
        let request =
            malecon.client.request(Method::POST, "/api/countries/sync").bearer_auth(crate::support::ADMIN);
        request.send().await.unwrap()
    };
    let answer = busy().await;
    assert_eq!(answer.status(), 409);
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "sync_running");
    first.abort();
    source.turn(Mood::Fine);
    let mut answer = busy().await;
    while answer.status() == 409 {
        answer = busy().await;
    }
    assert_eq!(answer.status(), 200, "the lease of the first was released");
    malecon.stop().await;
}

/// Waits until the last report is a later one of the same source.
async fn another_report(client: &Client, last: &serde_json::Value) -> serde_json::Value {
    loop {
        let request = client.request(Method::GET, "/api/countries/sync").bearer_auth(CONSUMER);
        let report: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        if report["started_at"] != last["started_at"] && report["source"] == "restcountries-v3.1" {
            return report;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_mirrored_at_the_start_and_again_and_again() {
    let source = Source::before(shared()).await;
    let malecon = Malecon::demo(&["--restcountries-url", &source.url, "--sync-every", "1s"]).await;
    let mut report = json!(null);
    for _ in 0..3 {
        report = another_report(&malecon.client, &report).await;
        assert_eq!((&report["outcome"], &report["unchanged"]), (&json!("succeeded"), &json!(250)));
    }
    let metrics = malecon.client.get("/metrics").await.text().await.unwrap();
    for name in ["malecon_attempts_total", "malecon_attempt_duration_seconds", "malecon_attempt_wait_seconds"]
    {
        assert!(
            metrics.lines().any(|line| line.starts_with(name) && line.contains("kind=\"sync\"")),
            "{name}"
        );
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_tick_makes_one_sync_of_all_processes() {
    let database = malecon_sql::testing::postgres(env!("TEST_DATABASE_URL")).await;
    let source = Source::before(shared()).await;
    let flags = ["--demo", "--restcountries-url", &source.url, "--sync-every", "1s"];
    let flags = [&flags[..], &["--database-url", &database.url]].concat();
    let (one, other) =
        (Malecon::with(&flags, Limits::default()).await, Malecon::with(&flags, Limits::default()).await);
    let mut report = json!(null);
    for _ in 0..4 {
        report = another_report(&one.client, &report).await;
    }
    for malecon in [one, other] {
        malecon.stop().await;
    }
    let pool = database.store.postgres_pool().unwrap();
    let sql = "SELECT COUNT(*), COUNT(DISTINCT created_at / 1000000), SUM(attempts)::bigint FROM runs";
    let (runs, seconds, attempts): (i64, i64, i64) = sqlx::query_as(sql).fetch_one(&pool).await.unwrap();
    assert!(runs >= 4, "{runs}");
    assert!(runs <= seconds + 1, "{runs} runs in {seconds} seconds: a tick was doubled");
    assert!(attempts <= runs, "{attempts} attempts of {runs} runs");
}
