//! The server against slow, endless and hostile clients.

mod caps;
mod frames;
mod hosts;
mod proxies;
mod silent;
mod stop;
mod strangers;

use std::net::SocketAddr;
use std::time::Duration;

use malecon_http::HttpSettings;
use malecon_server::listen::{self, Limits};
use malecon_server::wiring::in_memory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{ADMIN, Malecon, shared};

/// How long something may take that is at once; a busy machine is slower.
const PATIENCE: Duration = Duration::from_secs(20);

async fn impatient() -> Malecon {
    let quick = Duration::from_millis(300);
    with(Limits { header_timeout: quick, idle_timeout: quick, ..Limits::default() }).await
}

async fn with(limits: Limits) -> Malecon {
    Malecon::with(&["--demo", "--database-url", "sqlite::memory:"], limits).await
}

/// All that the server says until it closes, which it must, also by a reset.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = vec![];
    let _ =
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the server closes it");
    rest
}

/// The answer to these bytes, after which the server closes.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    String::from_utf8(rest(&mut stream).await).unwrap()
}

/// A connection from another of this machine's own addresses.
async fn from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    socket.connect(address).await.unwrap()
}

/// A connection with a request under way: its body does not come.
async fn at_work(source: &str, address: SocketAddr) -> TcpStream {
    let mut stream = from(source, address).await;
    let head =
        "POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The status of an answer on a connection that stays open.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("an answer").unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_are_cut_off_while_others_are_answered() {
    let malecon = impatient().await;
    let mut slow = vec![];
    for _ in 0..200 {
        let mut stream = TcpStream::connect(malecon.client.address).await.unwrap();
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(malecon.client.get("/api/countries").await.status(), 200);
    for mut stream in slow {
        let mut rest = vec![];
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the server closes it");
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed() {
    let malecon = impatient().await;
    let mut stream = TcpStream::connect(malecon.client.address).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut all = vec![];
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut all)).await.unwrap().unwrap();
    assert!(all.starts_with(b"HTTP/1.1 200"));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_ends_in_413() {
    let mut stream = TcpStream::connect(shared().address).await.unwrap();
    let head = format!(
        "POST /api/countries/sync HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let endless = tokio::spawn(async move {
        let chunk = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
        for _ in 0..10_000 {
            if write.write_all(&chunk).await.is_err() {
                break;
            }
        }
    });
    let mut answer = [0; 12];
    read.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    endless.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_giant_is_refused_before_it_is_sent() {
    let mut stream = TcpStream::connect(shared().address).await.unwrap();
    let head = "POST /api/countries/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_answered_or_closed_and_hurts_nobody() {
    let garbage: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /%ff%fe/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /api/countries?name=%ff%fe&%00=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /api/countries/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"GET http://[::1/ HTTP/1.1\r\n\r\n",
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(shared().address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = vec![];
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer))
            .await
            .expect("an end");
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4") || answer[0] == 0,
            "{:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert_eq!(shared().get("/health/live").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_finishes_what_is_under_way() {
    let malecon = impatient().await;
    let mut stream = TcpStream::connect(malecon.client.address).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let address = malecon.client.address;
    let stopping = tokio::spawn(malecon.stop());
    stream.write_all(b"\r\n").await.unwrap();
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer).await;
    stopping.await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 200"));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_are_accepted_while_the_task_that_serves_is_stuck() {
    let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let app = malecon_http::app(in_memory().unwrap(), HttpSettings::default());
    let (free, freed) = std::sync::mpsc::channel::<()>();
    let (stuck, is_stuck) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let serving = listen::serve(listener, app, Limits::default(), std::future::pending());
        // Somebody who does not give way, as a search in a long text does not.
        let selfish = async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let _ = stuck.send(());
            let _ = freed.recv();
        };
        tokio::join!(serving, selfish)
    });
    is_stuck.await.unwrap();
    // On a busy server somebody always looks after what the system has to tell; here somebody must.
    let busy = tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    let answer =
        answer_to(address, b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    busy.abort();
    free.send(()).unwrap();
}
