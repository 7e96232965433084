//! A worker service, and what it says when it has not worked.

use std::time::Duration;

use malecon_ports::{ChoreGateway, GatewayError};
use rstest::rstest;
use serde_json::json;
use wiremock::matchers::{body_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::stub::{Reply, Stub, answer, client, ok};
use crate::Workers;

#[tokio::test]
async fn a_chore_takes_its_time() {
    let server = MockServer::start().await;
    let wanted = Mock::given(method("POST")).and(path("/workers")).and(query_param("key", "k"));
    let wanted =
        wanted.and(query_param("task_complexity", "2")).and(body_json(json!({"task_complexity": 2})));
    // Longer than this client gives others.
    let reply = ResponseTemplate::new(201).set_body_json(json!({"status": true}));
    let reply = reply.set_delay(Duration::from_millis(400));
    wanted.respond_with(reply).expect(1).mount(&server).await;
    let workers = Workers::new(client(), format!("{}/workers?key=k", server.uri()).parse().unwrap());
    workers.perform(2).await.unwrap();
}

#[rstest]
#[case(r#"{"status": "done"}"#, true)]
#[case(r#"{"status": 1, "task": 7}"#, true)]
#[case(r#"{"status": false}"#, false)]
#[case(r#"{"status": ""}"#, false)]
#[case(r#"{"status": null}"#, false)]
#[case("{}", false)]
#[case("<html>Sorry</html>", false)]
#[tokio::test]
async fn a_chore_is_done_when_the_answer_says_so(#[case] body: &str, #[case] is_done: bool) {
    let stub = Stub::new(vec![ok(body)]).await;
    let answer = Workers::new(client(), stub.url.clone()).perform(0).await;
    match answer {
        Ok(()) => assert!(is_done),
        Err(error) => assert!(!is_done && matches!(error, GatewayError::Malformed(_)), "{error:?}"),
    }
}

#[rstest]
#[case(answer("503 Busy", "", ""))]
#[case(Reply::Bytes(vec![]))]
#[case(Reply::Nothing)]
#[tokio::test]
async fn a_chore_is_asked_for_once(#[case] reply: Reply) {
    let stub = Stub::new(vec![reply]).await;
    let error = Workers::new(client(), stub.url.clone()).perform(0).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable(_)), "{error:?}");
    assert_eq!(stub.asked(), 1);
}
