//! What TMDB refuses, and what nobody should read of it.

use std::time::Duration;

use malecon_ports::{GatewayError, MovieGateway};
use rstest::rstest;
use serde_json::json;

use super::super::client::Log;
use super::super::stub::{Reply, Stub, answer, ok};
use super::{against, listed, noon, query, row, tmdb};

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn a_number_that_tmdb_does_not_know_is_an_answer() {
    let (log, _guard) = Log::begin();
    let body = r#"{"success": false, "status_code": 34, "status_message": "not there"}"#;
    let (tmdb, stub) = against(answer("404 Not Found", JSON, body)).await;
    let found = tmdb.movie(1).await.unwrap();
    assert_eq!((found.value, found.at, stub.asked()), (None, noon(), 1));
    assert_eq!(log.text(), "", "nobody needs to be told");
    let error = tmdb.popular(&query(1)).await.unwrap_err();
    assert!(matches!(error, GatewayError::Refused(_)), "a list is always there: {error:?}");
    assert!(log.text().contains("not there"), "{}", log.text());
}

#[rstest]
#[case::portal("content-type: text/html\r\n", "<html>Please pay", "<html>Please pay")]
#[case::nothing("", "", "begins with")]
#[case::json_of_others(JSON, r#"{"message": "no route"}"#, "no route")]
#[case::another_code(JSON, r#"{"status_code": 6, "status_message": "Invalid id"}"#, "status_code")]
#[case::text(JSON, r#"{"status_code": "34"}"#, "34")]
#[tokio::test]
async fn a_404_of_somebody_else_is_malformed(#[case] kind: &str, #[case] body: &str, #[case] words: &str) {
    let (log, _guard) = Log::begin();
    let (tmdb, stub) = against(answer("404 Not Found", kind, body)).await;
    let error = tmdb.movie(1).await.unwrap_err();
    let GatewayError::Malformed(cause) = error else { panic!("{error:?}") };
    assert!(cause.to_string().contains(words), "{cause}");
    assert_eq!((stub.asked(), log.text().lines().count()), (1, 1), "{}", log.text());
}

#[tokio::test]
async fn what_cannot_be_read_is_one_line_in_the_log() {
    for body in ["<html>Sorry", r#"{"results": "none"}"#, &listed(&[json!({})]).to_string()] {
        let (log, _guard) = Log::begin();
        let (tmdb, stub) = against(ok(body)).await;
        tmdb.popular(&query(1)).await.unwrap_err();
        tmdb.movie(1).await.unwrap_err();
        let text = log.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        let parts = ["ERROR", stub.url.authority(), "attempts=1 status=200", "malformed"];
        assert!(lines.iter().all(|line| parts.iter().all(|part| line.contains(part))), "{text}");
    }
}

#[rstest]
#[case("400 Bad Request", r#"{"status_code": 22, "status_message": "Invalid page"}"#, "Invalid page")]
#[case("401 Unauthorized", r#"{"status_code": 7, "status_message": "Invalid key"}"#, "Invalid key")]
#[case("422 Unprocessable", r#"{"errors": ["query must be provided"]}"#, "query must be")]
#[tokio::test]
async fn refusals_are_final_and_say_what_they_said(
    #[case] status: &str,
    #[case] body: &str,
    #[case] words: &str,
) {
    let (tmdb, stub) = against(answer(status, JSON, body)).await;
    for error in [tmdb.popular(&query(1)).await.unwrap_err(), tmdb.movie(1).await.unwrap_err()] {
        let GatewayError::Refused(cause) = error else { panic!("{error:?}") };
        assert!(cause.to_string().contains(words) && cause.to_string().contains(&status[..3]), "{cause}");
    }
    assert_eq!(stub.asked(), 2);
}

#[tokio::test]
async fn a_limit_is_told_with_its_time() {
    let (tmdb, stub) = against(answer("429 Slow", "retry-after: 120\r\n", "")).await;
    for error in [tmdb.popular(&query(1)).await.unwrap_err(), tmdb.movie(1).await.unwrap_err()] {
        let GatewayError::RateLimited { retry_after } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, Some(Duration::from_secs(120)));
    }
    assert_eq!(stub.asked(), 2);
}

#[tokio::test]
async fn a_failure_is_tried_again() {
    let stub = Stub::new(vec![answer("500 Oh", "", ""), ok(&listed(&[row(1)]).to_string())]).await;
    assert_eq!(tmdb(stub.url.as_str()).popular(&query(1)).await.unwrap().value.movies.len(), 1);
    let (tmdb, stub) = against(answer("500 Oh", "", "")).await;
    assert!(matches!(tmdb.movie(1).await, Err(GatewayError::Unavailable(_))));
    assert_eq!(stub.asked(), 3);
}

#[rstest]
#[case(answer("401 No", JSON, r#"{"status_message": "Invalid key"}"#))]
#[case(answer("500 Oh", "", ""))]
#[case(ok("<html>"))]
#[case(ok(&listed(&[json!({}), row(1)]).to_string()))]
#[case(Reply::Nothing)]
#[tokio::test]
async fn the_token_is_nowhere_to_be_read(#[case] reply: Reply) {
    let (log, _guard) = Log::begin();
    let (tmdb, _stub) = against(reply).await;
    let found = format!("{:?} {:?}", tmdb.popular(&query(1)).await, tmdb.movie(1).await);
    for text in [found, log.text()] {
        assert!(!text.contains("s3cret") && !text.contains("Bearer"), "{text}");
    }
}
