//! The live view of runs: a real stream of events.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ADMIN, CONSUMER, Client, Malecon};
use crate::users::{ask, send};

const EVENTS: &str = "/api/events";
const LONG: Duration = Duration::from_secs(60);

/// A target, and a server that may call it.
async fn start() -> (MockServer, Malecon) {
    let target = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&target).await;
    let malecon =
        Malecon::demo(&["--rate-limit", "0", "--allow-targets", &target.address().to_string()]).await;
    (target, malecon)
}

/// An open stream.
struct Events {
    response: Response,
    rest: String,
}

#[derive(Debug)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

impl Events {
    /// Opens it, and reads the first comment: from here on nothing is missed.
    async fn open(client: &Client, token: &str) -> Self {
        let response = send(client, Method::GET, EVENTS, token, Value::Null).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut events = Self { response, rest: String::new() };
        assert_eq!(events.block().await.as_deref(), Some(": keep-alive"));
        events
    }

    /// The lines up to the next empty one; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let block = block.to_owned();
                self.rest = rest.to_owned();
                return Some(block);
            }
            let chunk = tokio::time::timeout(LONG, self.response.chunk()).await.expect("something comes");
            self.rest.push_str(str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    async fn next(&mut self) -> Event {
        loop {
            let block = self.block().await.expect("an event");
            if block.starts_with(':') {
                continue;
            }
            let mut lines = block.lines();
            let mut member = |name: &str| lines.next().unwrap().strip_prefix(name).unwrap().to_owned();
            let (id, kind, data) = (member("id: "), member("event: "), member("data: "));
            return Event { id, kind, data: serde_json::from_str(&data).unwrap() };
        }
    }
}

/// A task of who has the token, and its run.
async fn execute(client: &Client, token: &str, target: &MockServer) -> (Value, Value) {
    let task = json!({"name": "x", "config": {"base_url": target.uri(), "http_method": "GET"}});
    let (status, task) = ask(client, Method::POST, "/integration-tasks", token, task).await;
    assert_eq!(status, 201);
    let path = format!("/integration-tasks/execute/{}", task["id"]);
    let (status, ticket) = ask(client, Method::POST, &path, token, Value::Null).await;
    assert_eq!(status, 202);
    (task["id"].clone(), ticket["run"]["id"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sees_what_happens_to_ones_own_runs() {
    let (target, malecon) = start().await;
    let client = &malecon.client;
    execute(client, CONSUMER, &target).await;
    let (mut mine, mut theirs) = (Events::open(client, CONSUMER).await, Events::open(client, ADMIN).await);
    let my_run = execute(client, CONSUMER, &target).await;
    let their_run = execute(client, ADMIN, &target).await;
    let their_task = their_run.0.clone();
    for (events, token, (task, run)) in [(&mut mine, CONSUMER, my_run), (&mut theirs, ADMIN, their_run)] {
        let mut all = vec![];
        while all.len() < 3 {
            let event = events.next().await;
            // How the run went on that was there before.
            if event.data["task_id"] == task {
                all.push(event);
            }
        }
        let id = run.as_str().unwrap();
        for (event, (kind, end)) in
            all.iter().zip([("queued", "queued"), ("started", "started-1"), ("finished", "finished")])
        {
            assert_eq!((event.kind.as_str(), event.id.clone()), (kind, format!("{id}-{end}")));
            assert_eq!(event.data["run"]["id"], run, "{event:?}");
        }
        let path = format!("/integration-tasks/{task}/runs");
        let listed = ask(client, Method::GET, &path, token, Value::Null).await.1;
        assert_eq!(all[2].data["run"], listed["results"][0], "as in the list");
    }
    // What was somebody else's would have come by now.
    let (last, _) = execute(client, CONSUMER, &target).await;
    let mut task = Value::Null;
    while task != last {
        task = mine.next().await.data["task_id"].take();
        assert_ne!(task, their_task);
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_streams_and_no_more() {
    let (_target, malecon) = start().await;
    let client = &malecon.client;
    let mut open = vec![];
    for _ in 0..10 {
        open.push(Events::open(client, CONSUMER).await);
    }
    let (status, problem) = ask(client, Method::GET, EVENTS, CONSUMER, Value::Null).await;
    assert_eq!((status, &problem["code"]), (429, &json!("too_many_streams")));
    Events::open(client, ADMIN).await;
    open.pop();
    // The server hears of it soon.
    let mut status = 429;
    for _ in 0..500 {
        status = send(client, Method::GET, EVENTS, CONSUMER, Value::Null).await.status().as_u16();
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, 200);
    let head = send(client, Method::HEAD, EVENTS, ADMIN, Value::Null).await;
    assert_eq!((head.status().as_u16(), head.bytes().await.unwrap().len()), (200, 0));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let (_target, malecon) = start().await;
    let client = &malecon.client;
    let (status, token) = ask(client, Method::POST, "/api/tokens", CONSUMER, json!({"name": "t"})).await;
    assert_eq!(status, 201);
    let mut events = Events::open(client, token["token"].as_str().unwrap()).await;
    let path = format!("/api/tokens/{}", token["id"]);
    assert_eq!(ask(client, Method::DELETE, &path, CONSUMER, Value::Null).await.0, 204);
    assert_eq!(events.block().await, None);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_server_is_told_to_stop() {
    let (_target, malecon) = start().await;
    let mut events = Events::open(&malecon.client, CONSUMER).await;
    let begun = std::time::Instant::now();
    malecon.stop().await;
    assert_eq!(events.block().await, None, "and not in the middle of anything");
    assert!(begun.elapsed() < Duration::from_secs(8), "before the grace is over");
}
