//! More connections than there may be.

use std::time::{Duration, Instant};

use malecon_server::listen::Limits;
use reqwest::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{PATIENCE, at_work, from, rest, status, with};
use crate::support::Client;

async fn asks(stream: &mut TcpStream) -> u16 {
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    status(stream).await
}

/// The value of a metric of this whole process: other tests add to it.
async fn metric(client: &Client, name: &str) -> f64 {
    let text = client.get("/metrics").await.text().await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// Until then a request has begun that was sent; nobody tells when it has.
const BEGUN: Duration = Duration::from_millis(500);
const EVICTED: &str = "malecon_connections_closed_total{reason=\"evicted\"}";
const REFUSED: &str = "malecon_connections_refused_total{reason=\"address\"}";

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_that_say_nothing_are_in_nobodys_way() {
    let limits = Limits {
        header_timeout: Duration::from_secs(2),
        connections: 100,
        connections_per_address: 100,
        ..Limits::default()
    };
    let malecon = with(limits).await;
    let mut silent = vec![];
    for _ in 0..400 {
        silent.push(TcpStream::connect(malecon.client.address).await.unwrap());
    }
    for _ in 0..10 {
        let answer = Client::new(malecon.client.address).get("/api/countries").await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    for stream in &mut silent {
        rest(stream).await;
    }
    assert!(metric(&malecon.client, EVICTED).await >= 300.0);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_take_all_places() {
    let limits = Limits { connections: 40, connections_per_address: 20, ..Limits::default() };
    let malecon = with(limits).await;
    let address = malecon.client.address;
    let mut kept = from("127.0.0.2", address).await;
    assert_eq!(asks(&mut kept).await, 200);
    let mut greedy = vec![];
    for _ in 0..60 {
        greedy.push(from("127.0.0.3", address).await);
    }
    assert_eq!(asks(greedy.last_mut().unwrap()).await, 200, "its last ones are there");
    assert_eq!(asks(&mut kept).await, 200, "nobody else had to go");
    for stream in &mut greedy[..40] {
        rest(stream).await;
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_whose_connections_are_all_at_work_gets_no_more() {
    let limits = Limits { connections: 40, connections_per_address: 2, ..Limits::default() };
    let malecon = with(limits).await;
    let address = malecon.client.address;
    let mut working = vec![at_work("127.0.0.2", address).await, at_work("127.0.0.2", address).await];
    tokio::time::sleep(BEGUN).await;
    let before = metric(&malecon.client, REFUSED).await;
    let refused = rest(&mut from("127.0.0.2", address).await).await;
    let refused = String::from_utf8(refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("too_many_connections"), "{refused}");
    assert!(metric(&malecon.client, REFUSED).await > before);
    assert_eq!(asks(&mut from("127.0.0.3", address).await).await, 200);
    for stream in &mut working {
        stream.write_all(b"{}").await.unwrap();
        assert_eq!(status(stream).await, 422, "its requests were not disturbed");
    }
    assert_eq!(asks(&mut from("127.0.0.2", address).await).await, 200);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_are_at_work_the_next_one_waits_and_is_then_refused() {
    let limits = Limits { connections: 2, connections_per_address: 2, ..Limits::default() };
    let malecon = with(limits).await;
    let address = malecon.client.address;
    let mut working = [at_work("127.0.0.2", address).await, at_work("127.0.0.3", address).await];
    tokio::time::sleep(BEGUN).await;
    let refused = rest(&mut from("127.0.0.4", address).await).await;
    assert!(refused.starts_with(b"HTTP/1.1 503"), "{:?}", String::from_utf8_lossy(&refused));
    working[0].write_all(b"{}").await.unwrap();
    assert_eq!(status(&mut working[0]).await, 422);
    assert_eq!(asks(&mut from("127.0.0.4", address).await).await, 200, "the first one is idle, and goes");
    rest(&mut working[0]).await;
    working[1].write_all(b"{}").await.unwrap();
    assert_eq!(status(&mut working[1]).await, 422);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_its_answers_slowly_loses_its_place_when_there_is_none_left() {
    let limits = Limits {
        header_timeout: Duration::from_millis(500),
        connections: 1,
        connections_per_address: 1,
        ..Limits::default()
    };
    let malecon = with(limits).await;
    let address = malecon.client.address;
    let mut slow = from("127.0.0.2", address).await;
    // More than the system keeps on its way, none of which is read.
    let request = "GET /v3.1/all?fields=name,altSpellings,flags,languages HTTP/1.1\r\nHost: x\r\n\r\n";
    let asks_much = request.repeat(500);
    slow.write_all(asks_much.as_bytes()).await.unwrap();
    slow.peek(&mut [0]).await.unwrap();
    tokio::time::sleep(BEGUN).await;
    let begun = Instant::now();
    loop {
        let mut other = from("127.0.0.3", address).await;
        let request = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let _ = other.write_all(request).await;
        if rest(&mut other).await.starts_with(b"HTTP/1.1 200") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the slow one keeps its place");
    }
    let taken = rest(&mut slow).await;
    assert!(taken.starts_with(b"HTTP/1.1 200"));
    let answers = taken.windows(15).filter(|part| part == b"HTTP/1.1 200 OK").count();
    assert!(answers < 500, "it was cut off");
    malecon.stop().await;
}
