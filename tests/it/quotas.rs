//! What one user may have, over HTTP.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ADMIN, CONSUMER, Client, Malecon};
use crate::users::ask;

const TASKS: &str = "/integration-tasks";

async fn post(client: &Client, path: &str, token: &str, body: Value) -> (u16, Value) {
    ask(client, Method::POST, path, token, body).await
}

/// What a problem says of a quota.
fn quota((status, problem): (u16, Value)) -> u64 {
    assert_eq!((status, &problem["code"]), (409, &json!("quota_exceeded")), "{problem}");
    problem["limit"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_and_open_runs_have_their_limits() {
    let target = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(300)))
        .mount(&target)
        .await;
    let allow = target.address().to_string();
    let flags = ["--max-tasks", "2", "--max-open-runs", "3", "--allow-targets", &allow];
    let malecon = Malecon::demo(&flags).await;
    let client = &malecon.client;
    let task = json!({"name": "slow", "config": {"base_url": target.uri(), "http_method": "GET"}});
    for _ in 0..2 {
        assert_eq!(post(client, TASKS, CONSUMER, task.clone()).await.0, 201);
    }
    assert_eq!(quota(post(client, TASKS, CONSUMER, task.clone()).await), 2);
    assert_eq!(post(client, TASKS, ADMIN, task).await.0, 201, "each has its own");

    let mut last = Value::Null;
    for id in [1, 2, 1] {
        let (status, ticket) = post(client, &format!("{TASKS}/execute/{id}"), CONSUMER, Value::Null).await;
        assert_eq!(status, 202);
        last = ticket["run"]["id"].clone();
    }
    assert_eq!(quota(post(client, &format!("{TASKS}/execute/2"), CONSUMER, Value::Null).await), 3);
    let replay = format!("{TASKS}/1/runs/{}/replay", last.as_str().unwrap());
    assert_eq!(quota(post(client, &replay, CONSUMER, Value::Null).await), 3);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_bodies_make_room_and_say_so() {
    let target = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_string("x".repeat(300_000)))
        .mount(&target)
        .await;
    let malecon =
        Malecon::demo(&["--max-kept", "1MiB", "--allow-targets", &target.address().to_string()]).await;
    let client = &malecon.client;
    let task = json!({"name": "large", "config": {"base_url": target.uri(), "http_method": "GET"}});
    assert_eq!(post(client, TASKS, CONSUMER, task).await.0, 201);
    let get = async |place: &str| ask(client, Method::GET, place, CONSUMER, Value::Null).await.1;
    let until = async |place: &str, is_there: &dyn Fn(&Value) -> bool| {
        for _ in 0..1_500 {
            let run = get(place).await;
            if is_there(&run) {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        panic!("{place} never comes to it");
    };
    let mut places = vec![];
    for _ in 0..4 {
        let (_, ticket) = post(client, &format!("{TASKS}/execute/1"), CONSUMER, Value::Null).await;
        let place = format!("{TASKS}/1/runs/{}", ticket["run"]["id"].as_str().unwrap());
        until(&place, &|run| run["status"] == "succeeded").await;
        places.push(place);
    }
    let dropped = until(&places[0], &|run| run["attempts"][0]["body_dropped"] == true).await;
    let response = &dropped["attempts"][0]["response"];
    assert_eq!((&response["status"], &response["body"]), (&json!(200), &json!("")));
    let latest = get(&places[3]).await;
    assert_eq!(latest["attempts"][0]["body_dropped"], false);
    assert_eq!(latest["attempts"][0]["response"]["body"].as_str().unwrap().len(), 300_000);
    malecon.stop().await;
}
