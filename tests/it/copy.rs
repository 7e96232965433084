//! From SQLite to PostgreSQL, with everything.

use std::process::{Child, Command, Stdio};

use clap::Parser;
use malecon_server::Failure;
use malecon_server::command::{Cli, Command as Subcommand, copy};
use malecon_server::listen::Limits;
use malecon_sql::testing::{TestDatabase, postgres};
use reqwest::Method;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::engine::ground::until;
use crate::sql::{execute, number, texts};
use crate::support::{ADMIN, CONSUMER, Client, Folder, Malecon};
use crate::tmdb::Tmdb;
use crate::users::ask;

/// In these variables stand the databases of a process.
const SOURCE: &str = "MALECON_TEST_COPY_OF";
const TARGET: &str = "MALECON_TEST_COPY_TO";

/// How many rows of each table a database has.
const COUNTS: &str = "SELECT 'movies' || COUNT(*) FROM movies UNION ALL SELECT 'dogs' || COUNT(*) FROM dogs \
    UNION ALL SELECT 'users' || COUNT(*) FROM users UNION ALL SELECT 'countries' || COUNT(*) FROM countries \
    UNION ALL SELECT 'state' || COUNT(*) || '-' || MAX(version) FROM country_state ORDER BY 1";

/// What the command does.
async fn run(source: &str, target: &str) -> Result<(), Failure> {
    let line = ["malecon", "copy", "--to", target, "--database-url", source];
    let cli = Cli::try_parse_from(line).unwrap();
    let Some(Subcommand::Copy(target)) = cli.command else { panic!("{:?}", cli.command) };
    copy(&cli.config.resolve().unwrap(), &target).await
}

async fn refusal(source: &str, target: &str) -> String {
    let refusal = run(source, target).await.unwrap_err().chain();
    assert!(!refusal.contains("://"), "{refusal}");
    refusal
}

/// A migrated SQLite file that nobody has open.
async fn source(folder: &Folder) -> String {
    let url = format!("sqlite://{}/malecon.db?mode=rwc", folder.0.display());
    let store = malecon_sql::SqlStore::connect(&url, malecon_sql::SqlOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    url
}

/// What a database is asked for, and what it answers.
struct Seen {
    ana: String,
    refresh: String,
    token: String,
    answers: Vec<(String, Value)>,
    run: String,
}

/// Fills a server with something of everything.
async fn fill(client: &Client, target: &MockServer) -> Seen {
    let post = async |path: &str, token: &str, body: Value| {
        let (status, body) = ask(client, Method::POST, path, token, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {body}");
        body
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ana = json!({"name": "Ana", "last_name": "Núñez 🐚", "email": "ana@example.com", "password": "correct horse"});
    post("/api/users", ADMIN, ana).await;
    let login = json!({"email": "ana@example.com", "password": "correct horse"});
    let pair: Value =
        client.request(Method::POST, "/api/token").json(&login).send().await.unwrap().json().await.unwrap();
    let token = text(&post("/api/tokens", CONSUMER, json!({"name": "nightly"})).await["token"]);
    let lost = post("/api/tokens", CONSUMER, json!({"name": "lost"})).await;
    let lost = format!("/api/tokens/{}", lost["id"]);
    assert_eq!(ask(client, Method::DELETE, &lost, CONSUMER, Value::Null).await.0, 204);
    for movie in [1, 2, 4] {
        post("/api/users/me/favorites", CONSUMER, json!({"movie_id": movie})).await;
    }
    post("/api/users/me/ratings", CONSUMER, json!({"movie_id": 2, "stars": 4})).await;
    post("/api/dogs/L%C3%A1zy", CONSUMER, json!({"is_adopted": true, "id_user": 2})).await;
    post("/api/dogs/nobodys", CONSUMER, json!({"is_adopted": false, "id_user": null})).await;
    let task = json!({"name": "Tell the warehouse", "config": {
        "base_url": format!("{}/fine", target.uri()), "http_method": "POST", "payload": {"order": 7},
        "headers": {"X-Api-Key": "s3cret", "X-Shop": "north"},
    }});
    let task = post("/integration-tasks", CONSUMER, task).await["id"].clone();
    let mut run = String::new();
    for _ in 0..2 {
        let ticket = post(&format!("/integration-tasks/execute/{task}"), CONSUMER, Value::Null).await;
        run = format!("/integration-tasks/{task}/runs/{}", text(&ticket["run"]["id"]));
        over(client, &run).await;
    }
    let paths = [
        "/api/users/me",
        "/api/users/me/favorites",
        "/api/users/me/ratings",
        "/api/users/me/dogs",
        "/integration-tasks",
        &format!("/integration-tasks/{task}"),
        &format!("/integration-tasks/{task}/runs"),
        &run,
        "/api/dogs/nobodys",
        "/api/countries?page_size=100",
        "/api/countries/PE",
        "/v3.1/region/americas",
    ];
    let mut answers = vec![];
    for path in paths {
        let (status, body) = ask(client, Method::GET, path, CONSUMER, Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        answers.push((path.to_owned(), body));
    }
    Seen { ana: text(&pair["access"]), refresh: text(&pair["refresh"]), token, answers, run }
}

/// The run at this path when it is over.
async fn over(client: &Client, path: &str) -> Value {
    until("the end of a run", async || {
        let (status, run) = ask(client, Method::GET, path, CONSUMER, Value::Null).await;
        assert_eq!(status, 200, "{path}: {run}");
        run["ended_at"].is_string().then_some(run)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_server_on_the_copy_answers_the_same() {
    let (target, tmdb) = (MockServer::start().await, Tmdb::new().await);
    Mock::given(path("/fine")).respond_with(ResponseTemplate::new(200)).mount(&target).await;
    let allowed = target.address().to_string();
    let flags = [
        ["--tmdb-token", "s3cret"],
        ["--tmdb-url", &tmdb.url],
        ["--allow-targets", &allowed],
        ["--rate-limit", "0"],
        ["--dog-ceo-url", "http://127.0.0.1:1"],
    ];
    let flags = flags.concat();
    let malecon = Malecon::demo(&flags).await;
    let seen = fill(&malecon.client, &target).await;
    let database = postgres(env!("TEST_DATABASE_URL")).await;
    let url = malecon.database().to_owned();
    assert!(refusal(&url, &database.url).await.contains("is in use: stop each server and worker"));
    let folder = malecon.end().await;

    // As a process leaves it that was killed in mid-attempt; and what there is to do in a country.
    let id = seen.run.rsplit_once('/').unwrap().1;
    for sql in [
        format!("UPDATE runs SET state = 'running', ended_at = NULL, lease_until = 9e15 WHERE id = '{id}'"),
        format!("UPDATE attempts SET ended_at = NULL, outcome = NULL, trace = NULL WHERE run_id = '{id}'"),
        "INSERT INTO activities (country, fetched_at, total, list) VALUES ('PER', 1790000000000000, 0, '[]')"
            .to_owned(),
    ] {
        assert_eq!(execute(&url, &sql).await, 1, "{sql}");
    }
    run(&url, &database.url).await.unwrap();
    drop(folder);

    target.reset().await;
    Mock::given(path("/fine")).respond_with(ResponseTemplate::new(200)).mount(&target).await;
    let flags = [&["--demo", "--database-url", &database.url], &flags[..]].concat();
    let malecon = Malecon::with(&flags, Limits::default()).await;
    let client = &malecon.client;
    // What was under way is made again, with the secret that only the old key opens.
    let again = over(client, &seen.run).await;
    assert_eq!(again["status"], "succeeded", "{again}");
    let outcomes: Vec<_> =
        again["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["lost", "succeeded"], "{again}");
    let requests = target.received_requests().await.unwrap();
    assert_eq!((requests.len(), &requests[0].headers["x-api-key"]), (1, &"s3cret".parse().unwrap()));

    for (path, expected) in &seen.answers {
        if expected.to_string().contains(id) {
            continue;
        }
        assert_eq!(
            &ask(client, Method::GET, path, &seen.token, Value::Null).await,
            &(200, expected.clone()),
            "{path}"
        );
    }
    let (status, me) = ask(client, Method::GET, "/api/users/me", &seen.ana, Value::Null).await;
    assert_eq!((status, &me["last_name"]), (200, &json!("Núñez 🐚")), "an access token of before");
    let refresh = json!({"refresh": seen.refresh});
    let refreshed = client.request(Method::POST, "/api/token/refresh").json(&refresh).send().await.unwrap();
    assert_eq!(refreshed.status(), 200);
    let activities = client.json("/api/countries/PE/activities").await;
    assert_eq!(activities["count"], 0, "{activities}");
    let (_, tokens) = ask(client, Method::GET, "/api/tokens", &seen.token, Value::Null).await;
    let names: Vec<_> = tokens["results"].as_array().unwrap().iter().map(|token| &token["name"]).collect();
    assert_eq!(names, ["demo", "nightly"]);
    let (_, made) = ask(client, Method::POST, "/api/tokens", &seen.token, json!({"name": "new"})).await;
    assert_eq!(made["id"], 5, "no number is given twice: 4 was that of a token that is gone");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_target_with_rows_is_left_alone() {
    let folder = Folder::new();
    let source = source(&folder).await;
    let database: TestDatabase = postgres(env!("TEST_DATABASE_URL")).await;
    let everything = "SELECT id || name || email || created_at FROM users ORDER BY id";
    Malecon::with(&["--demo", "--database-url", &database.url], Limits::default()).await.stop().await;
    let before = (texts(&database.url, COUNTS).await, texts(&database.url, everything).await);
    assert!(refusal(&source, &database.url).await.contains("the target is not empty: countries has rows"));
    assert_eq!((texts(&database.url, COUNTS).await, texts(&database.url, everything).await), before);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn what_the_target_can_not_hold_is_named_and_nothing_is_copied() {
    let folder = Folder::new();
    let source = source(&folder).await;
    let dog = |name: &str, key: &str| {
        format!(
            "INSERT INTO dogs (name, name_key, name_folded, created_at, is_adopted, revision) \
             VALUES ({name}, '{key}', 'x', 0, 0, 1)"
        )
    };
    for sql in [dog("'fine'", "a"), dog("'a' || char(0) || 'b'", "b"), dog("CAST(x'ff' AS TEXT)", "c")] {
        execute(&source, &sql).await;
    }
    let database = postgres(env!("TEST_DATABASE_URL")).await;
    let before = texts(&database.url, COUNTS).await;
    let why = refusal(&source, &database.url).await;
    assert!(why.contains("dogs id=2: name has a character NUL (U+0000)"), "{why}");
    assert!(why.contains("dogs id=3: name is no text in UTF-8"), "{why}");
    assert_eq!(texts(&database.url, COUNTS).await, before);
    execute(&source, "DELETE FROM dogs WHERE id > 1").await;
    run(&source, &database.url).await.unwrap();
    assert_eq!(number(&database.url, "SELECT COUNT(*) FROM dogs").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_copy_that_is_killed_leaves_an_empty_target_that_can_be_copied_to() {
    let folder = Folder::new();
    let source = source(&folder).await;
    let many = "INSERT INTO movies (id, title_folded, fetched_at, record) \
                WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 40000) \
                SELECT id, 'title', 0, hex(randomblob(100)) FROM n";
    execute(&source, many).await;
    let database = postgres(env!("TEST_DATABASE_URL")).await;
    let before = texts(&database.url, COUNTS).await;
    let mut copying = a_copying_process(&source, &database.url);
    let at_work = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'malecon copy'";
    let writing = format!("{at_work} AND query LIKE 'INSERT INTO \"movies\"%'");
    until("a copy at work", async || (number(&database.url, &writing).await == 1).then_some(())).await;
    copying.kill().unwrap();
    copying.wait().unwrap();
    until("the end of it", async || (number(&database.url, at_work).await == 0).then_some(())).await;
    assert_eq!(texts(&database.url, COUNTS).await, before);
    run(&source, &database.url).await.unwrap();
    assert_eq!(number(&database.url, "SELECT COUNT(*) FROM movies").await, 40_000);
}

fn a_copying_process(source: &str, target: &str) -> Child {
    let itself = format!("{}::a_process", module_path!().split_once("::").unwrap().1);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &itself, "--ignored", "--nocapture"])
        .env(SOURCE, source)
        .env(TARGET, target)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "is a process of another test"]
async fn a_process() {
    #[expect(clippy::disallowed_methods, reason = "a test that is started as a process has no arguments")]
    let (Ok(source), Ok(target)) = (std::env::var(SOURCE), std::env::var(TARGET)) else { return };
    run(&source, &target).await.unwrap();
}
