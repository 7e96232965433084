//! Connections over which no request comes, whatever else does.

use std::time::Duration;

use malecon_server::listen::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::frames::{ACK, AUTHORITY, GOAWAY, Http2, PING, PREFACE, SETTINGS, WINDOW_UPDATE};
use super::{PATIENCE, rest, status, with};

/// Heads have little time, and connections that are kept have very much.
fn hasty() -> Limits {
    Limits {
        header_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_secs(600),
        ..Limits::default()
    }
}

/// Connections that are kept have little time, and heads have very much.
fn restless() -> Limits {
    Limits {
        header_timeout: Duration::from_secs(600),
        idle_timeout: Duration::from_millis(500),
        ..Limits::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_head_has_a_deadline_in_every_protocol() {
    let malecon = with(hasty()).await;
    let settings = [PREFACE, &[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]].concat();
    // A request that never ends: HEADERS without END_HEADERS.
    let half = [&settings[..], &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]].concat();
    let beginnings: [&[u8]; 7] =
        [b"", b"G", b"PRI * HTT", PREFACE, &settings, &half, b"GET / HTTP/1.1\r\nHost: x\r\n"];
    for beginning in beginnings {
        let mut stream = TcpStream::connect(malecon.client.address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        rest(&mut stream).await;
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_ask_for_nothing_do_not_prolong_the_deadline() {
    let malecon = with(hasty()).await;
    assert!(chatter(Http2::connect(malecon.client.address).await).await, "GOAWAY");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_connection_that_only_pings_is_idle() {
    let malecon = with(restless()).await;
    let mut http2 = Http2::connect(malecon.client.address).await;
    http2.get(1, "/health/live", AUTHORITY).await;
    assert_eq!(http2.status(1).await, 0x88);
    assert!(chatter(http2).await, "GOAWAY");
    malecon.stop().await;
}

/// Goes on with all that is no request until the server closes; whether it said GOAWAY.
async fn chatter(mut http2: Http2) -> bool {
    let begun = std::time::Instant::now();
    let mut said_goaway = false;
    loop {
        http2.send(PING, 0, 0, b"12345678").await;
        http2.send(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()).await;
        http2.send(SETTINGS, 0, 0, &[]).await;
        // Both have an answer. The server's own pings get theirs as well.
        let mut answers = 0;
        while answers < 2 {
            let Some(frame) = http2.next().await else { return said_goaway };
            said_goaway |= frame.kind == GOAWAY;
            answers += u32::from([PING, SETTINGS].contains(&frame.kind) && frame.flags & ACK != 0);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(begun.elapsed() < PATIENCE, "it is still open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_may_be_idle_for_longer_than_a_head_may_take() {
    let malecon = with(hasty()).await;
    let mut stream = TcpStream::connect(malecon.client.address).await.unwrap();
    for pause in [1_500, 0] {
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(status(&mut stream).await, 200);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    // But each head has its deadline.
    stream.write_all(b"GET /health/live HT").await.unwrap();
    assert!(rest(&mut stream).await.is_empty());
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_long_is_not_idle() {
    let quick = Duration::from_millis(200);
    let malecon = with(Limits { header_timeout: quick, idle_timeout: quick, ..Limits::default() }).await;
    let mut stream = super::at_work("127.0.0.1", malecon.client.address).await;
    tokio::time::sleep(quick * 5).await;
    stream.write_all(b"{}").await.unwrap();
    assert_eq!(status(&mut stream).await, 422);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_nothing_of_an_answer_over_http2_has_its_time() {
    let limits = Limits {
        header_timeout: Duration::from_millis(500),
        write_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let malecon = with(limits).await;
    let mut http2 = Http2::connect(malecon.client.address).await;
    // SETTINGS_INITIAL_WINDOW_SIZE is 0: the head of the answer comes, and no body ever.
    http2.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
    http2.get(1, "/health/live", AUTHORITY).await;
    assert_eq!(http2.status(1).await, 0x88);
    assert!(chatter(http2).await, "GOAWAY");
    malecon.stop().await;
}
