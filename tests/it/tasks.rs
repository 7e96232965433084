//! Integration tasks over HTTP, with a target that shows what reached it.

use std::time::Duration;

use clap::Parser;
use futures_util::future::join_all;
use malecon_server::command::{Cli, start_worker};
use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ADMIN, CONSUMER, Client, Malecon};
use crate::users::{ask, send};

const TASKS: &str = "/integration-tasks";
const NOBODY: &str = "0192f0c1-0000-7000-8000-000000000000";

/// A target, and a server that may call it.
async fn start() -> (MockServer, Malecon) {
    let target = MockServer::start().await;
    for (place, answer) in [
        ("/fine", ResponseTemplate::new(200).set_body_string("well done")),
        ("/bytes", ResponseTemplate::new(200).set_body_bytes([0xff, 0x00, 0x7f])),
        ("/busy", ResponseTemplate::new(503).insert_header("Retry-After", "3000")),
    ] {
        Mock::given(path(place)).respond_with(answer).mount(&target).await;
    }
    let malecon =
        Malecon::demo(&["--rate-limit", "0", "--allow-targets", &target.address().to_string()]).await;
    (target, malecon)
}

fn task(target: &MockServer, place: &str) -> Value {
    json!({
        "name": "Tell the warehouse",
        "config": {
            "base_url": format!("{}{place}", target.uri()),
            "http_method": "POST",
            "payload": {"order": 7, "note": "paid"},
            "headers": {"X-Api-Key": "s3cret", "X-Shop": "north"},
        },
    })
}

async fn get(client: &Client, path: &str) -> Value {
    let (status, body) = ask(client, Method::GET, path, CONSUMER, Value::Null).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

async fn added(client: &Client, task: Value) -> i64 {
    let (status, task) = ask(client, Method::POST, TASKS, CONSUMER, task).await;
    assert_eq!(status, 201, "{task}");
    task["id"].as_i64().unwrap()
}

/// Where a run can be seen that was asked for by a POST to this path.
async fn run(client: &Client, path: &str, body: Value) -> String {
    let response = send(client, Method::POST, path, CONSUMER, body).await;
    assert_eq!(response.status(), 202, "{path}");
    let location = header(&response, "location");
    let ticket: Value = response.json().await.unwrap();
    assert!(location.ends_with(ticket["run"]["id"].as_str().unwrap()), "{location}: {ticket}");
    location
}

/// The run at this path, as soon as `is_there` holds of it.
async fn until(client: &Client, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1_000 {
        let run = get(client, path).await;
        if is_there(&run) {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path} never comes to it");
}

async fn over(client: &Client, path: &str) -> Value {
    until(client, path, |run| run["ended_at"].is_string()).await
}

fn header(response: &Response, name: &str) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_added_listed_changed_and_removed() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let made = send(client, Method::POST, TASKS, CONSUMER, task(&target, "/fine")).await;
    assert_eq!(made.status(), 201);
    assert_eq!(header(&made, "location"), "/integration-tasks/1");
    let etag = header(&made, "etag");
    let made: Value = made.json().await.unwrap();
    let shown = send(client, Method::GET, "/integration-tasks/1", CONSUMER, Value::Null).await;
    assert_eq!(header(&shown, "etag"), etag);
    assert_eq!(shown.json::<Value>().await.unwrap(), made);
    let retry = json!({"max_attempts": 3, "backoff_ms": 1000, "on_status": null, "on_timeout": null});
    assert_eq!((&made["config"]["retry"], &made["config"]["timeout_ms"]), (&retry, &json!(30_000)));
    assert_eq!((&made["status"], &made["execution_time"]), (&json!("pending"), &Value::Null));

    let patch = json!({"name": "Älter", "config": {
        "payload": {"note": null, "by": [null, 1]},
        "headers": {"X-Shop": null},
        "success": {"status": 200},
    }});
    let request = client.request(Method::PATCH, "/integration-tasks/1").bearer_auth(CONSUMER);
    let patch = request.header("content-type", "application/merge-patch+json").body(patch.to_string());
    let patched = patch.send().await.unwrap();
    assert_eq!(patched.status(), 200);
    let task: Value = patched.json().await.unwrap();
    assert_eq!(task["config"]["payload"], json!({"order": 7, "by": [null, 1]}));
    assert_eq!(task["config"]["headers"], json!({"X-Api-Key": "********"}));
    assert_eq!(task["config"]["success"], json!({"status": [200], "body_regex": null}));
    let small = json!({"name": "b", "config": {"base_url": target.uri(), "http_method": "get"}});
    let (status, task) = ask(client, Method::PUT, "/integration-tasks/1", CONSUMER, small.clone()).await;
    assert_eq!((status, &task["config"]["headers"]), (200, &json!({})));
    assert_eq!((&task["config"]["http_method"], &task["config"]["payload"]), (&json!("GET"), &Value::Null));

    added(client, json!({"name": "Äpfel", "config": small["config"]})).await;
    let list = send(client, Method::GET, "/integration-tasks?sort=name&page_size=1", CONSUMER, Value::Null);
    let list = list.await;
    assert!(header(&list, "link").contains("rel=\"next\""));
    let list: Value = list.json().await.unwrap();
    assert_eq!((&list["count"], &list["results"][0]["name"]), (&json!(2), &json!("Äpfel")));
    assert_eq!(list["next"], "/integration-tasks?sort=name&page_size=1&page=2");
    for (query, count) in [("q=APF", 1), ("status=pending", 2), ("status=failed", 0)] {
        assert_eq!(get(client, &format!("{TASKS}?{query}")).await["count"], count, "{query}");
    }
    let wrong = ask(client, Method::GET, "/integration-tasks?status=faild", CONSUMER, Value::Null).await;
    assert_eq!(wrong.0, 400);
    assert!(wrong.1["detail"].as_str().unwrap().contains("failed"), "{}", wrong.1);

    assert_eq!(ask(client, Method::DELETE, "/integration-tasks/1", CONSUMER, Value::Null).await.0, 204);
    assert_eq!(ask(client, Method::DELETE, "/integration-tasks/1", CONSUMER, Value::Null).await.0, 404);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_shows_what_was_sent_and_what_came_back() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let id = added(client, task(&target, "/fine")).await;
    let location = run(client, &format!("{TASKS}/execute/{id}"), Value::Null).await;
    let run = over(client, &location).await;
    assert_eq!((&run["status"], &run["max_attempts"]), (&json!("succeeded"), &json!(3)));
    let attempt = &run["attempts"][0];
    assert_eq!((&attempt["number"], &attempt["outcome"]), (&json!(1), &json!("succeeded")));
    assert_eq!(attempt["request"]["method"], "POST");
    assert_eq!(attempt["request"]["body"], r#"{"order":7,"note":"paid"}"#);
    let headers = attempt["request"]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!({"name": "X-Api-Key", "value": "********"})), "{headers:?}");
    let response = &attempt["response"];
    assert_eq!((&response["status"], &response["body"]), (&json!(200), &json!("well done")));
    assert_eq!((&response["truncated"], &response["body_encoding"]), (&json!(false), &Value::Null));

    let sent = &target.received_requests().await.unwrap()[0];
    assert_eq!(
        (&sent.headers["x-api-key"], &sent.headers["x-shop"]),
        (&"s3cret".parse().unwrap(), &"north".parse().unwrap())
    );
    assert_eq!(sent.headers["idempotency-key"], run["id"].as_str().unwrap());

    let task = get(client, &format!("{TASKS}/{id}")).await;
    assert_eq!((&task["status"], &task["last_run"]), (&json!("succeeded"), &run["id"]));
    assert_eq!((&task["result"]["response"], &task["result"]["error"]), (response, &Value::Null));
    assert!(task["execution_time"].as_f64().unwrap() < 20.0);
    let list = get(client, &format!("{TASKS}?status=succeeded")).await;
    assert_eq!((&list["count"], &list["results"][0]["result"]), (&json!(1), &Value::Null));

    let change = json!({"config": {"base_url": format!("{}/bytes", target.uri())}});
    assert_eq!(ask(client, Method::PATCH, &format!("{TASKS}/{id}"), CONSUMER, change).await.0, 200);
    let location = self::run(client, &format!("{TASKS}/execute/{id}"), Value::Null).await;
    let response = &over(client, &location).await["attempts"][0]["response"];
    assert_eq!((&response["body"], &response["body_encoding"]), (&json!("/wB/"), &json!("base64")));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_stands_for_the_secret_that_is_kept() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let id = added(client, task(&target, "/fine")).await;
    let place = format!("{TASKS}/{id}");
    let shown = get(client, &place).await;
    assert_eq!(shown["config"]["headers"], json!({"X-Api-Key": "********", "X-Shop": "north"}));
    let back = json!({"name": "again", "config": shown["config"]});
    assert_eq!(ask(client, Method::PUT, &place, CONSUMER, back).await.0, 200);
    over(client, &run(client, &format!("{TASKS}/execute/{id}"), Value::Null).await).await;
    assert_eq!(target.received_requests().await.unwrap()[0].headers["x-api-key"], "s3cret");

    let change = json!({"config": {"headers": {"X-Token": "********"}}});
    let (status, problem) = ask(client, Method::PATCH, &place, CONSUMER, change).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/config/headers/X-Token")));

    // It does not go to whoever is named next.
    let elsewhere = json!({"config": {"base_url": "https://example.com/"}});
    let (status, problem) = ask(client, Method::PATCH, &place, CONSUMER, elsewhere).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/config/headers/X-Api-Key")));
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("give the secret again"), "{problem}");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_with_if_match_needs_the_present_revision() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let id = added(client, task(&target, "/fine")).await;
    let place = format!("{TASKS}/{id}");
    let shown = send(client, Method::GET, &place, CONSUMER, Value::Null).await;
    let etag = header(&shown, "etag");
    let with = async |method: Method, name: &str, tag: &str, body: Value| {
        let request = client.request(method, &place).bearer_auth(CONSUMER).header(name, tag);
        let request = if body.is_null() { request } else { request.json(&body) };
        request.send().await.unwrap()
    };
    let again = async |tag: &str| with(Method::GET, "if-none-match", tag, Value::Null).await.status();
    assert_eq!(again(&etag).await, 304);
    over(client, &run(client, &format!("{TASKS}/execute/{id}"), Value::Null).await).await;
    assert_eq!(again(&etag).await, 200, "its status has changed");
    let change =
        async |tag: &str, name: &str| with(Method::PATCH, "if-match", tag, json!({ "name": name })).await;
    assert_eq!(change(&format!("W/{etag}"), "weak").await.status(), 412, "a weak tag is not enough");
    let changed = change(&etag, "changed").await;
    assert_eq!(changed.status(), 200, "a run in between is in nobody's way");
    let etag_now = header(&changed, "etag");
    assert_eq!(again(&etag_now).await, 304);
    assert_eq!(change(&etag, "late").await.status(), 412);
    let whole = task(&target, "/fine");
    assert_eq!(with(Method::PUT, "if-match", &etag, whole.clone()).await.status(), 412);
    assert_eq!(with(Method::PUT, "if-match", &etag_now, whole).await.status(), 200);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_without_if_match_do_not_undo_each_other() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let place = format!("{TASKS}/{}", added(client, task(&target, "/fine")).await);
    let changes = (0..8).map(|n| {
        let (client, place) = (client.clone(), place.clone());
        tokio::spawn(async move {
            let change = json!({"config": {"headers": {format!("X-{n}"): "there"}}});
            ask(&client, Method::PATCH, &place, CONSUMER, change).await.0
        })
    });
    assert!(join_all(changes).await.into_iter().all(|status| status.unwrap() == 200));
    assert_eq!(get(client, &place).await["config"]["headers"].as_object().unwrap().len(), 10);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_with_a_schedule_runs_by_itself() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let mut scheduled = task(&target, "/fine");
    scheduled["config"]["schedule"] = json!({"cron": "* * * * * *"});
    let place = format!("{TASKS}/{}", added(client, scheduled).await);
    let shown = until(client, &place, |task| task["status"] == "succeeded").await;
    let schedule = json!({"cron": "* * * * * *", "time_zone": "UTC", "overlap": "skip"});
    assert_eq!(shown["config"]["schedule"], schedule);
    let first = shown["last_run"].clone();
    until(client, &place, |task| task["status"] == "succeeded" && task["last_run"] != first).await;
    let (status, task) =
        ask(client, Method::PATCH, &place, CONSUMER, json!({"config": {"schedule": null}})).await;
    assert_eq!((status, &task["config"]["schedule"]), (200, &Value::Null));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_up_runs_without_the_api() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let mut scheduled = task(&target, "/fine");
    scheduled["config"]["schedule"] = json!({"cron": "* * * * * *"});
    added(client, scheduled).await;
    let address = target.address().to_string();
    let flags = ["malecon", "--database-url", malecon.database(), "--allow-targets", &address];
    let config = Cli::try_parse_from(flags).unwrap().config.resolve().unwrap();
    let _kept = malecon.end().await;
    let calls = async || target.received_requests().await.unwrap().len();
    let before = calls().await;
    let worker = start_worker(&config).await.unwrap();
    while calls().await < before + 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    worker.stop().await;
    let after = calls().await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(calls().await, after, "nothing is begun any more");
}

#[rstest]
#[case(json!({"name": 1}), &["/name"])]
#[case(json!({"name": " "}), &["/name"])]
#[case(json!({"id": 1, "status": "queued"}), &["/id", "/status"])]
#[case(json!({"config": []}), &["/config"])]
#[case(json!({"config": {"base_url": 1, "http_method": "FETCH"}}), &["/config/base_url", "/config/http_method"])]
#[case(json!({"config": {"base_url": "ftp://example.com"}}), &["/config/base_url"])]
#[case(json!({"config": {"base_url": "http://169.254.169.254/"}}), &["/config/base_url"])]
#[case(json!({"config": {"http_method": "GET"}}), &["/config/payload"])]
#[case(json!({"config": {"headers": {"X/Y": 1}}}), &["/config/headers/X~1Y"])]
#[case(json!({"config": {"headers": {"Host": "x"}}}), &["/config/headers/Host"])]
#[case(json!({"config": {"timeout_ms": 99, "max_redirects": 1.5}}), &["/config/timeout_ms", "/config/max_redirects"])]
#[case(json!({"config": {"schedule": {}}}), &["/config/schedule/cron"])]
#[case(json!({"config": {"schedule": {"cron": "* * * *"}}}), &["/config/schedule/cron"])]
#[case(json!({"config": {"schedule": {"cron": "0 0 30 2 *"}}}), &["/config/schedule/cron"])]
#[case(json!({"config": {"schedule": {"cron": "* * * * *", "time_zone": "Europe/Atlantis"}}}), &["/config/schedule/time_zone"])]
#[case(json!({"config": {"retry": {"max_attempt": 2}}}), &["/config/retry/max_attempt"])]
#[case(json!({"config": {"retry": {"max_attempts": 21, "on_status": [99]}}}), &["/config/retry/max_attempts", "/config/retry/on_status"])]
#[case(json!({"config": {"retry": {"on_timeout": "yes"}}}), &["/config/retry/on_timeout"])]
#[case(json!({"config": {"success": {"status": [], "body_regex": 7}}}), &["/config/success/status", "/config/success/body_regex"])]
#[case(json!({"config": {"success": {"body_regex": "("}}}), &["/config/success/body_regex"])]
#[case(json!({"config": {"success": {"body_regex": "[01]*1[01]{9000}[2-9a-z]"}}}), &["/config/success/body_regex"])]
#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_pointed_at(#[case] mistake: Value, #[case] pointers: &[&str]) {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let id = added(client, task(&target, "/fine")).await;
    let (status, problem) =
        ask(client, Method::PATCH, &format!("{TASKS}/{id}"), CONSUMER, mistake.clone()).await;
    let errors = problem["errors"].as_array().unwrap();
    let told: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!((status, &*told), (422, pointers), "{problem}");

    let mut whole = task(&target, "/fine");
    for (name, value) in mistake.as_object().unwrap() {
        match (whole[name].as_object_mut(), value.as_object()) {
            (Some(members), Some(wrong)) => members.extend(wrong.clone()),
            _ => whole[name] = value.clone(),
        }
    }
    let (status, problem) = ask(client, Method::POST, TASKS, CONSUMER, whole).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointers[0])), "{problem}");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_near_is_named_and_twenty_mistakes_are_enough() {
    let (_target, malecon) = start().await;
    let client = &malecon.client;
    let (status, problem) = ask(client, Method::POST, TASKS, CONSUMER, json!({"confg": {}})).await;
    assert_eq!(status, 422);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("did you mean config?") && detail.contains("name is missing"), "{detail}");
    let headers: Value =
        (0..100).map(|n| (format!("Proxy-{n} x"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    let config = json!({"base_url": "https://example.com/", "http_method": "POST", "headers": headers});
    let (status, problem) =
        ask(client, Method::POST, TASKS, CONSUMER, json!({"name": "x", "config": config})).await;
    assert_eq!((status, problem["errors"].as_array().unwrap().len()), (422, 20));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_and_body_make_one_run() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let id = added(client, task(&target, "/fine")).await;
    let execute = async |key: &str, body: &'static str| {
        let request = client.request(Method::POST, &format!("{TASKS}/execute/{id}")).bearer_auth(CONSUMER);
        let response = request.header("Idempotency-Key", key).body(body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let all = join_all((0..8).map(|_| execute("order 7", "{}"))).await;
    let first = &all[0].1["run"]["id"];
    assert!(first.is_string());
    assert!(all.iter().all(|(status, ticket)| *status == 202 && ticket["run"]["id"] == *first), "{all:?}");
    assert_ne!(execute("order 8", "{}").await.1["run"]["id"], *first);
    for (key, body) in [("order 7", "{ }"), ("", "{}"), (&*"k".repeat(256), "{}")] {
        let (status, problem) = execute(key, body).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid_idempotency_key")), "{key:?}");
        assert_eq!(problem["errors"][0]["pointer"], "header/Idempotency-Key");
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_and_repeated_otherwise() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let id = added(client, task(&target, "/busy")).await;
    let location = run(client, &format!("{TASKS}/execute/{id}"), Value::Null).await;
    let waits = |run: &Value| run["attempts"][0]["outcome"] == "failed";
    let waiting = until(client, &location, waits).await;
    assert_eq!((&waiting["status"], &waiting["ended_at"]), (&json!("queued"), &Value::Null));
    assert!(waiting["next_attempt_at"].as_str().unwrap() > waiting["created_at"].as_str().unwrap());
    assert_eq!(waiting["attempts"][0]["error"], "the target answered 503");

    assert_eq!(run(client, &format!("{location}/cancel"), Value::Null).await, location);
    assert_eq!(get(client, &location).await["status"], "cancelled");
    let (status, problem) =
        ask(client, Method::POST, &format!("{location}/cancel"), CONSUMER, Value::Null).await;
    assert_eq!((status, &problem["code"]), (409, &json!("run_over")));

    let again = json!({"config": {"success": {"status": [503]}, "headers": {"X-Shop": "south"}}});
    let replay = run(client, &format!("{location}/replay"), again).await;
    let replayed = over(client, &replay).await;
    assert_eq!((&replayed["status"], &replayed["replayed_from"]), (&json!("succeeded"), &waiting["id"]));
    let sent = target.received_requests().await.unwrap().pop().unwrap();
    assert_eq!(
        (&sent.headers["x-api-key"], &sent.headers["x-shop"]),
        (&"s3cret".parse().unwrap(), &"south".parse().unwrap())
    );
    let task = get(client, &format!("{TASKS}/{id}")).await;
    assert_eq!(task["config"]["success"]["status"], Value::Null, "the task is as it was");
    let wrong = json!({"config": {"timeout": 1}});
    let (status, problem) = ask(client, Method::POST, &format!("{location}/replay"), CONSUMER, wrong).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/config/timeout")));
    assert!(problem["detail"].as_str().unwrap().contains("timeout_ms"), "{problem}");
    run(client, &format!("{location}/replay"), json!({})).await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_latest_first_from_a_cursor_on() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let id = added(client, task(&target, "/fine")).await;
    let mut runs = vec![];
    for _ in 0..4 {
        runs.push(run(client, &format!("{TASKS}/execute/{id}"), Value::Null).await);
    }
    runs.reverse();
    let mut seen = vec![];
    let mut next = json!(format!("{TASKS}/{id}/runs?page_size=2"));
    while let Some(path) = next.as_str() {
        let response = send(client, Method::GET, path, CONSUMER, Value::Null).await;
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let page: Value = response.json().await.unwrap();
        next = page["next"].clone();
        assert_eq!(link, next.as_str().map(|next| format!("<{next}>; rel=\"next\"")));
        let rows = page["results"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        seen.extend(rows.iter().map(|run| format!("{TASKS}/{id}/runs/{}", run["id"].as_str().unwrap())));
    }
    assert_eq!(seen, runs);
    for query in ["cursor=7", "page=1", "page_size=101"] {
        let path = format!("{TASKS}/{id}/runs?{query}");
        assert_eq!(ask(client, Method::GET, &path, CONSUMER, Value::Null).await.0, 400, "{query}");
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_shows_what_would_be_sent_and_sends_nothing() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&target).await;
    let id = added(client, task(&target, "/other")).await;
    let (status, check) =
        ask(client, Method::POST, &format!("{TASKS}/{id}/check"), CONSUMER, Value::Null).await;
    assert_eq!((status, &check["allowed"], &check["reason"]), (200, &json!(true), &Value::Null));
    assert_eq!(check["request"]["url"], format!("{}/other", target.uri()));
    assert_eq!(check["request"]["body"], r#"{"order":7,"note":"paid"}"#);
    assert!(!check.to_string().contains("s3cret"), "{check}");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_task_is_not_there_for_administrators_either() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    let id = added(client, task(&target, "/fine")).await;
    let location = run(client, &format!("{TASKS}/execute/{id}"), Value::Null).await;
    let other = added(client, task(&target, "/fine")).await;
    let elsewhere = location.replace(&format!("/{id}/"), &format!("/{other}/"));
    assert_eq!(ask(client, Method::GET, &elsewhere, CONSUMER, Value::Null).await.0, 404);
    let place = format!("{TASKS}/{id}");
    for (method, path, body) in [
        (Method::GET, place.clone(), Value::Null),
        (Method::PUT, place.clone(), task(&target, "/fine")),
        (Method::PATCH, place.clone(), json!({"name": "mine"})),
        (Method::DELETE, place.clone(), Value::Null),
        (Method::POST, format!("{TASKS}/execute/{id}"), Value::Null),
        (Method::POST, format!("{place}/check"), Value::Null),
        (Method::GET, format!("{place}/runs"), Value::Null),
        (Method::GET, location.clone(), Value::Null),
        (Method::POST, format!("{location}/cancel"), Value::Null),
        (Method::POST, format!("{location}/replay"), json!({"config": {"timeout_ms": 1000}})),
    ] {
        assert_eq!(ask(client, method, &path, ADMIN, body).await.0, 404, "{path}");
    }
    assert_eq!(ask(client, Method::GET, TASKS, ADMIN, Value::Null).await.1["count"], 0);
    for path in ["x", "0", "99", "execute", &format!("{id}/runs/x"), &format!("{id}/runs/{NOBODY}")] {
        let path = format!("{TASKS}/{path}");
        assert_eq!(ask(client, Method::GET, &path, CONSUMER, Value::Null).await.0, 404, "{path}");
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_without_a_zone_has_that_of_the_program() {
    let target = MockServer::start().await;
    let address = target.address().to_string();
    let malecon = Malecon::demo(&["--allow-targets", &address, "--time-zone", "America/Lima"]).await;
    let mut body = task(&target, "/fine");
    for (given, zone) in [(None, "America/Lima"), (Some("Europe/Madrid"), "Europe/Madrid")] {
        body["config"]["schedule"] = json!({"cron": "0 7 1 1 *", "time_zone": given});
        let id = added(&malecon.client, body.clone()).await;
        let shown = get(&malecon.client, &format!("{TASKS}/{id}")).await;
        assert_eq!(shown["config"]["schedule"]["time_zone"], zone);
    }
    malecon.stop().await;
}
