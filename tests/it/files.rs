//! Files that are passed on, to services of every mood.

mod keeper;

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::keeper::{Keeper, Mood, answer};
use crate::engine::ground::{Engine, Ground};
use crate::support::{CONSUMER, Client, Malecon};

const MIB: usize = 1024 * 1024;

/// A server that passes files on to the keeper.
async fn before(keeper: &Keeper, flags: &[&str]) -> Malecon {
    Malecon::demo(&[&["--files-url", &keeper.url()], flags].concat()).await
}

async fn upload(client: &Client, form: Form) -> Response {
    client.request(Method::POST, "/api/files").bearer_auth(CONSUMER).multipart(form).send().await.unwrap()
}

fn small() -> Form {
    Form::new().part("file", Part::bytes(b"some bytes".as_slice()).file_name("a.txt"))
}

/// Status and code of a problem.
async fn problem(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_str().unwrap().to_owned())
}

/// A file of this length, in chunks.
fn chunked(mib: usize) -> Body {
    let chunk = Bytes::from(vec![b'x'; MIB]);
    Body::wrap_stream(stream::iter((0..mib).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_arrives_with_its_name_and_type_and_the_answer_comes_back() {
    let keeper = Keeper::new(Mood::Fine).await;
    let malecon = before(&keeper, &[]).await;
    let part =
        Part::bytes(b"some bytes".as_slice()).file_name("Malecón 漁港.png").mime_str("image/png").unwrap();
    let form = Form::new().text("note", "comes first").part("file", part).text("note", "comes last");
    let response = upload(&malecon.client, form).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["content-type"], "application/json");
    for header in ["x-request-id", "ratelimit", "x-content-type-options", "cache-control"] {
        assert!(response.headers().contains_key(header), "{header}");
    }
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"filename": "kept.bin"}));
    let seen = keeper.only().await;
    assert_eq!((seen.name().as_str(), seen.media_type().as_deref()), ("Malecón 漁港.png", Some("image/png")));
    assert!(
        seen.is_whole && seen.content() == b"some bytes" && !seen.text().contains("note"),
        "{}",
        seen.text()
    );
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_pass_through_a_process_that_does_not_grow() {
    const LENGTH: usize = 100_000_000;
    let keeper = Keeper::new(Mood::Fine).await;
    let ground = Ground::new(Engine::Sqlite).await;
    let flags = ["--files-url", &keeper.url(), "--max-upload", "100MB"];
    let process = ground.process_with(&ground.url, &flags, Duration::from_secs(60)).await;
    // What a first request makes is there afterwards.
    assert_eq!(upload(&process.client, small()).await.status(), 201);
    let (before, _) = process.memory();
    let content: Bytes =
        (0..LENGTH).map(|n| (n as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let file = Part::stream_with_length(content.clone(), LENGTH as u64).file_name("large.bin");
    let response = upload(&process.client, Form::new().part("file", file)).await;
    assert_eq!(response.status(), 201);
    let (_, peak) = process.memory();
    let seen = keeper.seen(2).await.pop().unwrap();
    assert!(seen.is_whole && seen.content() == content, "{} bytes", seen.body.len());
    let grown = peak.saturating_sub(before) / MIB;
    println!("memory: {} MiB before, {} MiB at most", before / MIB, peak / MIB);
    assert!(grown < 32, "it has grown by {grown} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_too_large_is_refused_before_the_file_comes() {
    let keeper = Keeper::new(Mood::Fine).await;
    let malecon = before(&keeper, &[]).await;
    let mut stream = TcpStream::connect(malecon.client.address).await.unwrap();
    let head = format!(
        "POST /api/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {CONSUMER}\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary=XX\r\n\r\n",
        26 * MIB
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("a file has at most 26214400 bytes"), "{answer}");
    assert_eq!(keeper.asked(), 0);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_too_large_is_cut_off_on_both_sides() {
    let keeper = Keeper::new(Mood::Fine).await;
    let malecon = before(&keeper, &["--max-upload", "2MiB"]).await;
    let exact = Form::new().part("file", Part::stream(chunked(2)));
    assert_eq!(upload(&malecon.client, exact).await.status(), 201);
    let large = Form::new().part("file", Part::stream(chunked(40)));
    let sent =
        malecon.client.request(Method::POST, "/api/files").bearer_auth(CONSUMER).multipart(large).send();
    assert_eq!(problem(sent.await.unwrap()).await, (413, "payload_too_large".to_owned()));
    let seen = keeper.seen(2).await;
    assert_eq!(seen[0].content().len(), 2 * MIB);
    assert!(!seen[1].is_whole && seen[1].body.len() < 3 * MIB, "{}", seen[1].body.len());
    malecon.stop().await;
}

#[rstest]
#[case::takes_nothing(Mood::Deaf)]
#[case::says_nothing(Mood::Silent)]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stalls_is_a_504(#[case] mood: Mood) {
    let keeper = Keeper::new(mood).await;
    let malecon = before(&keeper, &["--upstream-timeout", "100ms"]).await;
    // More than lies in the buffers of a connection.
    let form = Form::new().part("file", Part::bytes(vec![0; 24 * MIB]));
    assert_eq!(problem(upload(&malecon.client, form).await).await, (504, "upstream_timeout".to_owned()));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stalls_is_a_408() {
    let keeper = Keeper::new(Mood::Fine).await;
    let malecon = before(&keeper, &["--upstream-timeout", "100ms"]).await;
    let mut stream = TcpStream::connect(malecon.client.address).await.unwrap();
    let head = format!(
        "POST /api/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {CONSUMER}\r\nContent-Length: 1000\r\n\
         Content-Type: multipart/form-data; boundary=XX\r\n\r\n--XX\r\n\
         Content-Disposition: form-data; name=\"file\"\r\n\r\nbegins"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    assert!(!keeper.only().await.is_whole);
    malecon.stop().await;
}

#[rstest]
#[case::json(
    Mood::Says(answer("201 Created", "application/json", r#"{"filename":"b"}"#)),
    201,
    r#"{"filename":"b"}"#
)]
#[case::text(Mood::Says(answer("200 OK", "text/plain", "thanks")), 201, "thanks")]
#[case::nothing(Mood::Says(answer("204 No Content", "text/plain", "")), 201, "")]
#[case::refuses(Mood::Says(answer("403 Forbidden", "text/plain", "no")), 502, "upstream_malformed")]
#[case::moved(Mood::Says("HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned()), 502, "upstream_malformed")]
#[case::page(
    Mood::Says(answer("200 OK", "text/html; charset=utf-8", "<html>Sorry")),
    502,
    "upstream_malformed"
)]
#[case::half_json(
    Mood::Says(answer("201 Created", "application/json", r#"{"filename":"#)),
    502,
    "upstream_malformed"
)]
#[case::no_http(Mood::Says("what?\r\n\r\n".to_owned()), 503, "upstream_unavailable")]
#[case::hangs_up(Mood::Says(String::new()), 503, "upstream_unavailable")]
#[case::broken(
    Mood::Says(answer("500 Internal Server Error", "text/plain", "boom")),
    503,
    "upstream_unavailable"
)]
#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_says_decides(#[case] mood: Mood, #[case] status: u16, #[case] wanted: &str) {
    let keeper = Keeper::new(mood).await;
    let malecon = before(&keeper, &[]).await;
    let response = upload(&malecon.client, small()).await;
    if status == 201 {
        assert_eq!(response.status(), 201);
        assert_eq!(response.text().await.unwrap(), wanted);
    } else {
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(problem(response).await, (status, wanted.to_owned()));
    }
    assert_eq!(keeper.asked(), 1, "a file is sent once, and no redirect is followed");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_gone_is_a_503_and_so_is_one_that_is_not_named() {
    let keeper = Keeper::new(Mood::Fine).await;
    let url = keeper.url();
    drop(keeper);
    let malecon = Malecon::demo(&["--files-url", &url]).await;
    let response = upload(&malecon.client, small()).await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(problem(response).await, (503, "upstream_unavailable".to_owned()));
    malecon.stop().await;

    let malecon = Malecon::demo(&[]).await;
    let response = upload(&malecon.client, small()).await;
    assert_eq!(response.headers()["retry-after"], "3600");
    assert_eq!(problem(response).await, (503, "files_not_configured".to_owned()));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_cleaned() {
    let keeper = Keeper::new(Mood::Fine).await;
    let malecon = before(&keeper, &[]).await;
    let long = format!("{}.pdf", "é".repeat(300));
    let cut = format!("{}.pdf", "é".repeat(125));
    let names = [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\map.png", "map.png"),
        ("a\tb\u{202e}c.txt", "abc.txt"),
        ("漁港.png", "漁港.png"),
        (&*long, &*cut),
        ("..", "file"),
        ("", "file"),
    ];
    for (given, _) in names {
        let body = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{given}\"\r\n\r\nx\r\n--XX--\r\n"
        );
        let request = malecon.client.request(Method::POST, "/api/files").bearer_auth(CONSUMER);
        let request = request.header("content-type", "multipart/form-data; boundary=XX").body(body);
        assert_eq!(request.send().await.unwrap().status(), 201, "{given:?}");
    }
    let seen = keeper.seen(names.len()).await;
    let found: Vec<String> = seen.iter().map(|seen| seen.name()).collect();
    assert_eq!(found, names.map(|(_, wanted)| wanted));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_one_file() {
    let keeper = Keeper::new(Mood::Fine).await;
    let malecon = before(&keeper, &[]).await;
    let none = upload(&malecon.client, Form::new().text("note", "x")).await;
    let body: Value = none.json().await.unwrap();
    assert_eq!((&body["code"], &body["errors"][0]["pointer"]), (&json!("invalid_body"), &json!("/file")));
    assert_eq!(keeper.asked(), 0);
    let two = upload(&malecon.client, small().part("file", Part::bytes(b"more".as_slice()))).await;
    assert_eq!(problem(two).await, (422, "invalid_body".to_owned()));
    assert!(!keeper.only().await.is_whole, "half of what was sent is nothing whole");
    let json = malecon.client.request(Method::POST, "/api/files").bearer_auth(CONSUMER).json(&json!({}));
    assert_eq!(problem(json.send().await.unwrap()).await, (415, "unsupported_media_type".to_owned()));
    malecon.stop().await;
}
