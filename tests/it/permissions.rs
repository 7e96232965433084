//! Who may do what: every operation has its row.

use std::collections::BTreeSet;

use malecon::domain::UserChange;
use malecon_memory::SystemClock;
use malecon_ports::{Clock, NewApiToken, TokenRepository, UserRepository};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, CONSUMER, Client, Malecon};
use crate::users::{ask, send};

/// What each caller's answer is.
struct Row {
    operation: &'static str,
    method: Method,
    /// `{id}` is a user and also its task, `{run}` a run of that; `{new}` is anything.
    path: &'static str,
    body: fn() -> Value,
    /// Without a token.
    anonymous: u16,
    /// A user, on its own.
    owner: u16,
    /// A user, on somebody else's; 0 where nothing belongs to anybody.
    other: u16,
    /// An administrator, on somebody else's.
    admin: u16,
}

fn none() -> Value {
    Value::Null
}

/// A task that is tried for hours.
fn task() -> Value {
    let retry = json!({"max_attempts": 20, "backoff_ms": 3_600_000});
    json!({"name": "x", "config": {"base_url": "http://127.0.0.1:9/", "http_method": "GET", "retry": retry}})
}

macro_rules! rows {
    ($($operation:literal $method:ident $path:literal $body:expr => $anonymous:literal $owner:literal $other:literal $admin:literal;)+) => {
        vec![$(Row { operation: $operation, method: Method::$method, path: $path, body: $body, anonymous: $anonymous, owner: $owner, other: $other, admin: $admin }),+]
    };
}

fn table() -> Vec<Row> {
    rows![
        "listCountries" GET "/api/countries" none => 200 200 0 200;
        "showCountry" GET "/api/countries/PER" none => 200 200 0 200;
        "listActivities" GET "/api/countries/PER/activities" none => 503 503 0 503;
        "exportCountries" GET "/api/countries/export?format=csv" none => 200 200 0 200;
        "showCountrySync" GET "/api/countries/sync" none => 401 200 0 200;
        "syncCountries" POST "/api/countries/sync" none => 401 403 0 200;
        "mailCountryReport" POST "/api/countries/report" none => 401 403 0 503;
        "v31All" GET "/v3.1/all?fields=name" none => 200 200 0 200;
        "v31Name" GET "/v3.1/name/peru" none => 200 200 0 200;
        "v31Alpha" GET "/v3.1/alpha/pe" none => 200 200 0 200;
        "v31Alphas" GET "/v3.1/alpha?codes=pe" none => 200 200 0 200;
        "v31Currency" GET "/v3.1/currency/pen" none => 200 200 0 200;
        "v31Language" GET "/v3.1/lang/spa" none => 200 200 0 200;
        "v31Capital" GET "/v3.1/capital/lima" none => 200 200 0 200;
        "v31Region" GET "/v3.1/region/americas" none => 200 200 0 200;
        "v31Subregion" GET "/v3.1/subregion/south" none => 200 200 0 200;
        "v31Translation" GET "/v3.1/translation/peru" none => 200 200 0 200;
        "v31Demonym" GET "/v3.1/demonym/peruvian" none => 200 200 0 200;
        "v31Independent" GET "/v3.1/independent" none => 200 200 0 200;
        "listPopularMovies" GET "/api/movies/popular" none => 401 503 0 503;
        "showMovie" GET "/api/movies/1" none => 401 503 0 503;
        "listFavorites" GET "/api/users/{id}/favorites" none => 401 200 404 200;
        "addFavorite" POST "/api/users/{id}/favorites" || json!({"movie_id": 1}) => 401 503 404 503;
        "putFavorite" PUT "/api/users/{id}/favorites/1" none => 401 503 404 503;
        "removeFavorite" DELETE "/api/users/{id}/favorites/1" none => 401 404 404 404;
        "clearFavorites" DELETE "/api/users/{id}/favorites" none => 401 403 403 200;
        "listRatings" GET "/api/users/{id}/ratings" none => 401 200 404 200;
        "addRating" POST "/api/users/{id}/ratings" || json!({"movie_id": 1, "stars": 3}) => 401 503 404 503;
        "putRating" PUT "/api/users/{id}/ratings/1" || json!({"stars": 3}) => 401 503 404 503;
        "changeRating" PATCH "/api/users/{id}/ratings/1" || json!({"stars": 3}) => 401 404 404 404;
        "removeRating" DELETE "/api/users/{id}/ratings/1" none => 401 404 404 404;
        "listDogs" GET "/api/dogs" none => 200 200 0 200;
        "listAdoptedDogs" GET "/api/dogs/is_adopted" none => 200 200 0 200;
        "showDog" GET "/api/dogs/dog{id}" none => 200 200 200 200;
        "addDog" POST "/api/dogs/{new}" none => 401 202 0 202;
        "changeDog" PUT "/api/dogs/dog{id}" || json!({"is_adopted": true}) => 401 200 404 200;
        "listUserDogs" GET "/api/users/{id}/dogs" none => 401 200 404 200;
        "listUsers" GET "/api/users" none => 401 403 0 200;
        "addUser" POST "/api/users" || json!({"name": "x", "email": "x@example.com"}) => 401 403 0 201;
        "showUser" GET "/api/users/{id}" none => 401 200 404 200;
        "replaceUser" PUT "/api/users/{id}" || json!({"name": "x", "last_name": "", "email": format!("{}@example.com", uuid::Uuid::new_v4().simple())}) => 401 200 404 200;
        "changeUser" PATCH "/api/users/{id}" || json!({"last_name": "x"}) => 401 200 404 200;
        "listTokens" GET "/api/tokens?user_id={id}" none => 401 200 404 200;
        "addToken" POST "/api/tokens" || json!({"name": "x"}) => 401 201 0 201;
        "removeToken" DELETE "/api/tokens/999" none => 401 404 404 404;
        "logIn" POST "/api/token" || json!({"email": "x@example.org", "password": "wrong word"}) => 401 401 0 401;
        "refreshToken" POST "/api/token/refresh" || json!({"refresh": "x"}) => 401 401 0 401;
        "revokeToken" POST "/api/token/revoke" || json!({"refresh": "x"}) => 204 204 0 204;
        "showLiveness" GET "/health/live" none => 200 200 0 200;
        "showReadiness" GET "/health/ready" none => 200 200 0 200;
        "showMetrics" GET "/metrics" none => 200 200 0 200;
        "showSchema" GET "/api/schema" none => 200 200 0 200;
        "showDocs" GET "/api/docs" none => 200 200 0 200;
        "listTasks" GET "/integration-tasks" none => 401 200 0 200;
        "addTask" POST "/integration-tasks" task => 401 201 0 201;
        "showTask" GET "/integration-tasks/{id}" none => 401 200 404 404;
        "replaceTask" PUT "/integration-tasks/{id}" task => 401 200 404 404;
        "changeTask" PATCH "/integration-tasks/{id}" || json!({"name": "x"}) => 401 200 404 404;
        "executeTask" POST "/integration-tasks/execute/{id}" none => 401 202 404 404;
        "checkTask" POST "/integration-tasks/{id}/check" none => 401 200 404 404;
        "listTaskRuns" GET "/integration-tasks/{id}/runs" none => 401 200 404 404;
        "showTaskRun" GET "/integration-tasks/{id}/runs/{run}" none => 401 200 404 404;
        "cancelTaskRun" POST "/integration-tasks/{id}/runs/{run}/cancel" none => 401 202 404 404;
        "replayTaskRun" POST "/integration-tasks/{id}/runs/{run}/replay" none => 401 202 404 404;
        "sendFile" POST "/api/files" none => 401 503 0 503;
        "watchTaskRuns" GET "/api/events" none => 401 200 0 200;
        "showJob" GET "/api/jobs/{run}" none => 401 404 404 404;
        "replayJob" POST "/api/jobs/{run}/replay" none => 401 404 404 404;
        "removeTask" DELETE "/integration-tasks/{id}" none => 401 204 404 404;
        "removeDog" DELETE "/api/dogs/dog{id}" none => 401 204 404 404;
        "removeTokens" DELETE "/api/tokens?user_id={id}" none => 401 200 404 200;
        "removeUser" DELETE "/api/users/{id}" none => 401 403 404 204;
    ]
}

async fn operations(client: &Client) -> BTreeSet<String> {
    let document = client.json("/api/schema").await;
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
    operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_has_its_row_and_answers_as_it_says() {
    let folder = crate::support::Folder::new();
    let database = format!("sqlite://{}/malecon.db?mode=rwc", folder.0.display());
    let flags =
        ["--demo", "--rate-limit", "0", "--allow-targets", "127.0.0.1:9", "--database-url", &database];
    let flags = [&flags[..], &["--wikidata-url", "http://127.0.0.1:9/"]].concat();
    let flags = [&flags[..], &["--dog-ceo-url", "http://127.0.0.1:9"]].concat();
    let malecon = Malecon::with(&flags, Default::default()).await;
    let client = &malecon.client;
    let named: BTreeSet<String> = table().iter().map(|row| row.operation.to_owned()).collect();
    assert_eq!(operations(client).await, named, "each operation has a row, and each row an operation");

    // Somebody who ran out, and somebody who was shut out: both are nobody.
    let folk = json!({"name": "gone", "email": "gone@example.com"});
    let (_, gone) = ask(client, Method::POST, "/api/users", ADMIN, folk).await;
    let token_of = async |body: Value| {
        let (status, token) = ask(client, Method::POST, "/api/tokens", ADMIN, body).await;
        assert_eq!(status, 201);
        token["token"].as_str().unwrap().to_owned()
    };
    let disabled = token_of(json!({"name": "t", "user_id": gone["id"]})).await;
    let soon = SystemClock.now() + chrono::TimeDelta::seconds(1);
    let expired = token_of(json!({"name": "t", "expires_at": soon.to_rfc3339()})).await;
    let operator = malecon_sql::SqlStore::connect(&database, Default::default()).await.unwrap();
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    operator.users().change(gone["id"].as_i64().unwrap(), &change, None).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;

    // The first dog and task are the administrator's, the second ones the consumer's, as they are users.
    for (token, id) in [(ADMIN, 1), (CONSUMER, 2)] {
        let path = format!("/api/dogs/dog{id}");
        let (status, _) = ask(client, Method::POST, &path, token, json!({"id_user": id})).await;
        assert_eq!(status, 202);
    }
    let mut runs = vec![];
    for token in [ADMIN, CONSUMER] {
        let (_, task) = ask(client, Method::POST, "/integration-tasks", token, task()).await;
        let execute = format!("/integration-tasks/execute/{}", task["id"]);
        let (_, ticket) = ask(client, Method::POST, &execute, token, Value::Null).await;
        runs.push((task["id"].to_string(), ticket["run"]["id"].as_str().unwrap().to_owned()));
    }
    let run = |id: &str| &runs.iter().find(|(task, _)| task == id).unwrap().1;

    for row in table() {
        let at = |id: &str| {
            let path = row.path.replace("{id}", id).replace("{run}", run(id));
            path.replace("{new}", &uuid::Uuid::new_v4().to_string())
        };
        let anonymous = client.request(row.method.clone(), &at("2"));
        let body = (row.body)();
        let anonymous = if body.is_null() { anonymous } else { anonymous.json(&body) };
        let anonymous = anonymous.send().await.unwrap().status().as_u16();
        assert_eq!(anonymous, row.anonymous, "{}, anonymous", row.operation);
        let by = async |token: &str, id: &str| {
            send(client, row.method.clone(), &at(id), token, (row.body)()).await.status().as_u16()
        };
        if row.anonymous == 401 && row.operation != "logIn" && row.operation != "refreshToken" {
            assert_eq!(by(&disabled, "2").await, 401, "{}, of a disabled user", row.operation);
            assert_eq!(by(&expired, "2").await, 401, "{}, expired", row.operation);
        }
        if row.other != 0 {
            assert_eq!(by(CONSUMER, "1").await, row.other, "{}, somebody else's", row.operation);
        }
        assert_eq!(by(CONSUMER, "2").await, row.owner, "{}, one's own", row.operation);
        assert_eq!(by(ADMIN, "2").await, row.admin, "{}, administrator", row.operation);
        if row.operation == "removeTokens" {
            let again = NewApiToken {
                hash: malecon::hash_token(CONSUMER),
                user_id: 2,
                name: "again".to_owned(),
                prefix: String::new(),
                at: SystemClock.now(),
                expires_at: None,
            };
            operator.tokens().add(&again, None).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        }
    }
    malecon.stop().await;
}
