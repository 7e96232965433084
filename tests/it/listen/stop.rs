//! How a server ends: unready first, then deaf, then gone.

use std::time::{Duration, Instant};

use malecon_server::listen::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::frames::{AUTHORITY, GOAWAY, Http2};
use super::{at_work, rest, status, with};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drains_answers_and_says_that_it_is_not_ready() {
    let malecon = with(Limits { drain: Duration::from_secs(4), ..Limits::default() }).await;
    let client = malecon.client.clone();
    assert_eq!(client.get("/health/ready").await.status(), 200);
    let stopping = tokio::spawn(malecon.stop());
    let begun = Instant::now();
    while client.get("/health/ready").await.status() == 200 {
        assert!(begun.elapsed() < Duration::from_secs(3), "it is still ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (code, body) = client.status_and_json("/health/ready").await;
    assert_eq!((code, &body["status"]), (503, &"unavailable".into()));
    let mut fresh = TcpStream::connect(client.address).await.expect("it still accepts");
    fresh.write_all(b"GET /api/countries/PE HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut fresh).await, 200);
    stopping.await.unwrap();
    assert!(TcpStream::connect(client.address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_drain_is_not_ready_while_it_ends() {
    let malecon = with(Limits::default()).await;
    let mut kept = at_work("127.0.0.1", malecon.client.address).await;
    let mut asks = TcpStream::connect(malecon.client.address).await.unwrap();
    asks.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let address = malecon.client.address;
    let stopping = tokio::spawn(malecon.stop());
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it still accepts");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    asks.write_all(b"\r\n").await.unwrap();
    assert_eq!(status(&mut asks).await, 503);
    kept.write_all(b"{}").await.unwrap();
    assert_eq!(status(&mut kept).await, 422, "what is under way is finished");
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_asks_for_nothing_holds_up_the_end() {
    let malecon = with(Limits { grace: Duration::from_secs(120), ..Limits::default() }).await;
    let address = malecon.client.address;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut http1 = TcpStream::connect(address).await.unwrap();
    http1.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut http1).await, 200);
    let mut http2 = Http2::connect(address).await;
    http2.get(1, "/health/live", AUTHORITY).await;
    assert_eq!(http2.status(1).await, 0x88);
    let begun = Instant::now();
    // The HTTP/2 client answers no ping: it is not read from until the server has ended.
    malecon.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    rest(&mut silent).await;
    rest(&mut http1).await;
    let mut said_goaway = false;
    while let Some(frame) = http2.next().await {
        said_goaway |= frame.kind == GOAWAY;
    }
    assert!(said_goaway);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_over_after_the_grace_is_cut_off() {
    let malecon = with(Limits { grace: Duration::from_millis(500), ..Limits::default() }).await;
    let mut working = at_work("127.0.0.1", malecon.client.address).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    malecon.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(rest(&mut working).await.is_empty());
}
