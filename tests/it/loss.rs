//! A database that loses its countries while a server holds them: a restore gone wrong, a failover to an
//! empty replica.

use malecon_server::listen::Limits;
use malecon_sql::testing::postgres;
use serde_json::json;

use crate::engine::ground::until;
use crate::sql::{execute, number, texts};
use crate::support::{Malecon, shared};

/// All of each country, and of which version they are.
const ROWS: &str = "SELECT cca3 || updated_at || record FROM countries ORDER BY cca3";
const VERSION: &str = "SELECT version || '-' || since FROM country_state";

/// Ways to lose everything.
const LOSSES: [&[&str]; 3] = [
    &["DELETE FROM countries"],
    &[
        "DELETE FROM countries",
        "UPDATE country_state SET version = 0, since = 0, checked_at = 0, report = NULL",
    ],
    &["DELETE FROM countries", "DELETE FROM country_state"],
];

async fn every_loss_is_made_good(malecon: Malecon) {
    let (client, url) = (&malecon.client, malecon.database());
    let rows = texts(url, ROWS).await;
    let version = texts(url, VERSION).await;
    let known = client.get("/api/countries?sort=-area").await.headers()["etag"].clone();
    for (number_of_loss, loss) in LOSSES.iter().enumerate() {
        for statement in *loss {
            execute(url, statement).await;
        }
        // Questions that nobody has asked before, at once and as long as it takes.
        let mut questions = 0;
        until("the countries' return", async || {
            questions += 1;
            let fields =
                ["name", "area", "capital", "region", "flag", "borders", "population", "cca2", "ccn3"];
            let fields = fields.into_iter().enumerate();
            let fields = fields.filter(|(bit, _)| (questions + 170 * number_of_loss) >> bit & 1 == 1);
            let fields: Vec<_> = fields.map(|(_, name)| name).collect();
            let all = client.json(&format!("/v3.1/all?fields={}", fields.join(","))).await;
            assert_eq!(all.as_array().unwrap().len(), 250);
            let (page, size) = (1 + number_of_loss, 100 - questions % 100);
            let list = format!("/api/countries?region=europe&page={page}&page_size={size}");
            assert_eq!(client.json(&list).await["count"], shared().json(&list).await["count"]);
            for code in ["PE", "ala", "604"] {
                let fields = ["name", "area", "capital"][number_of_loss];
                let one = format!("/api/countries/{code}?fields={fields}");
                assert_eq!(client.get(&one).await.status(), 200, "{one}");
            }
            (number(url, "SELECT COUNT(*) FROM countries").await == 250).then_some(())
        })
        .await;
        assert_eq!(texts(url, ROWS).await, rows, "all members, and when each last changed");
        assert_eq!(texts(url, VERSION).await, version, "the same data is the same version");
        assert_eq!(client.get("/api/countries?sort=-area").await.headers()["etag"], known);
        let report = client
            .request(reqwest::Method::GET, "/api/countries/sync")
            .bearer_auth(crate::support::CONSUMER)
            .send();
        let report: serde_json::Value = report.await.unwrap().json().await.unwrap();
        assert_eq!((&report["source"], &report["inserted"]), (&json!("held"), &json!(250)), "{report}");
    }
    let report = client.sync().await;
    assert_eq!((&report["outcome"], &report["unchanged"]), (&json!("succeeded"), &json!(250)));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_fills_a_sqlite_database_that_has_lost_it() {
    every_loss_is_made_good(Malecon::demo(&["--rate-limit", "0"]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn what_is_held_fills_a_postgres_database_that_has_lost_it() {
    let database = postgres(env!("TEST_DATABASE_URL")).await;
    let flags = ["--demo", "--database-url", &database.url];
    every_loss_is_made_good(Malecon::with(&flags, Limits::default()).await).await;
}
