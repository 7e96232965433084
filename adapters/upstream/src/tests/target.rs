//! Targets that may be called and targets that must not, against listeners of our own.

mod answer;
mod forbidden;
mod redirect;
mod request;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{AllowList, Call, CallFault, HttpMethod, Received};
use malecon_ports::{CallError, TargetGateway};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::target::Lookup;
use crate::{TargetOptions, Targets};

/// What one request gets.
#[derive(Clone)]
enum Say {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, and the end of the connection.
    Last(Vec<u8>),
    /// These bytes, and the same again without end.
    Endless(Vec<u8>),
    /// A head, then one byte at a time.
    Drops,
    /// Nothing.
    Nothing,
}

/// Somebody who listens, notes what comes, and keeps connections open.
struct Peer {
    address: SocketAddr,
    notes: Arc<Notes>,
}

#[derive(Default)]
struct Notes {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
    hung_up: AtomicUsize,
}

impl Peer {
    /// Says these, one a request; the last one for ever.
    async fn new(says: Vec<Say>) -> Self {
        Self::at("127.0.0.1:0", says).await
    }

    async fn at(address: &str, says: Vec<Say>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let notes = Arc::new(Notes::default());
        let (kept, says) = (Arc::clone(&notes), Arc::new(says));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.connections.fetch_add(1, Ordering::SeqCst);
                let (kept, says) = (Arc::clone(&kept), Arc::clone(&says));
                tokio::spawn(async move {
                    let _ = serve(stream, &kept, &says).await;
                    kept.hung_up.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, notes }
    }

    /// Answers 200 to all.
    async fn fine() -> Self {
        Self::new(vec![answer("200 OK", "", "fine")]).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    fn connections(&self) -> usize {
        self.notes.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.notes.requests.lock().unwrap().clone()
    }

    /// Waits until every connection has ended.
    async fn is_left(&self) {
        while self.notes.hung_up.load(Ordering::SeqCst) < self.connections() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn serve(mut stream: TcpStream, notes: &Notes, says: &[Say]) -> io::Result<()> {
    loop {
        let mut request = vec![];
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&request).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await?;
        let number = {
            let mut requests = notes.requests.lock().unwrap();
            requests.push(head + &String::from_utf8_lossy(&body));
            requests.len() - 1
        };
        match says.get(number).or(says.last()).unwrap() {
            Say::Bytes(bytes) => stream.write_all(bytes).await?,
            Say::Last(bytes) => return stream.write_all(bytes).await,
            Say::Endless(bytes) => loop {
                stream.write_all(bytes).await?;
            },
            Say::Drops => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await?;
                loop {
                    stream.write_all(b".").await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Say::Nothing => return stream.read_u8().await.map(drop),
        }
    }
}

/// A whole answer.
fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Say {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    Say::Bytes([head.as_bytes(), body].concat())
}

fn redirect(status: &str, location: &str) -> Say {
    answer(status, &format!("location: {location}\r\n"), "elsewhere")
}

/// A resolver that answers every name with these, one a question; the last one for ever. `-` is a
/// failure, and `...` no answer at all.
struct Names {
    answers: Mutex<VecDeque<&'static [&'static str]>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&'static [&'static str]]) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.iter().copied().collect()), asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, _name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] }
        };
        match answer {
            ["-"] => Err(io::Error::other("no such host is known to 10.9.8.7")),
            ["..."] => std::future::pending().await,
            ips => Ok(ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect()),
        }
    }
}

/// Options that allow this.
fn allowing(list: &str) -> TargetOptions {
    TargetOptions { allow: AllowList::parse(list).unwrap(), ..TargetOptions::default() }
}

/// Targets that may be called at this peer alone.
fn only(peer: &Peer) -> Targets {
    Targets::new(allowing(&peer.address.to_string())).unwrap()
}

fn call(url: impl Into<String>) -> Call {
    Call {
        url: url.into(),
        method: HttpMethod::Get,
        headers: vec![],
        payload: None,
        timeout: Duration::from_secs(5),
        redirects: 0,
    }
}

fn fault_of(answer: Result<Received, CallError>) -> CallFault {
    answer.unwrap_err().fault
}

async fn body_of(targets: &Targets, url: String) -> Result<String, CallError> {
    targets.call(&call(url)).await.map(|received| String::from_utf8(received.body).unwrap())
}
