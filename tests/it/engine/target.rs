//! A target that counts calls per idempotency key.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// When a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    AtOnce,
    /// When all that are held are let go.
    Held,
    /// At once, with a body without end.
    Endless,
    /// At once, with gibibytes of zeros, a mebibyte in each kibibyte of gzip.
    Bomb,
    /// At once, with a byte a second.
    Drip,
}

/// How often each run has called.
pub type Calls = HashMap<String, usize>;

/// A target on a port of its own. Its calls are GETs, and it answers 200.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    calls: watch::Sender<Calls>,
    gate: watch::Sender<bool>,
}

impl Target {
    /// It asks for each call, which may be its run's first or a later one, what to do.
    pub async fn start(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Self { address, calls: watch::Sender::default(), gate: watch::Sender::default() };
        let (shared, answer) = (target.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (target, answer) = (shared.clone(), Arc::clone(&answer));
                tokio::spawn(async move { target.hear(stream, &*answer).await });
            }
        });
        target
    }

    /// One that answers all at once.
    pub async fn quick() -> Self {
        Self::start(|_| Answer::AtOnce).await
    }

    /// Where it is called.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers all calls that are held, and holds no more.
    pub fn let_go(&self) {
        self.gate.send_replace(true);
    }

    /// The calls so far.
    pub fn calls(&self) -> Calls {
        self.calls.borrow().clone()
    }

    /// How many there are of them.
    pub fn total(&self) -> usize {
        self.calls.borrow().values().sum()
    }

    /// Ends when it has been called so often.
    pub async fn reached(&self, total: usize) {
        self.calls.subscribe().wait_for(|calls| calls.values().sum::<usize>() >= total).await.unwrap();
    }

    /// A client that dies in the middle of it is nothing to a target.
    async fn hear(&self, stream: TcpStream, answer: &(dyn Fn(usize) -> Answer + Send + Sync)) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut key = None;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("idempotency-key") => {
                    key = Some(value.to_owned());
                }
                None if line == "\r\n" => break,
                None if line.is_empty() => return None,
                _ => {}
            }
        }
        let mut nth = 0;
        self.calls.send_modify(|calls| {
            let count = calls.entry(key.unwrap_or_else(|| "a call without a key".to_owned())).or_default();
            *count += 1;
            nth = *count;
        });
        match answer(nth) {
            Answer::AtOnce => {}
            Answer::Held => drop(self.gate.subscribe().wait_for(|is_open| *is_open).await.ok()?),
            Answer::Endless => return pour(stream, "", &[], &[b'x'; 64 * 1024], Duration::ZERO).await,
            Answer::Drip => return pour(stream, "", &[], b"x", Duration::from_secs(1)).await,
            Answer::Bomb => {
                let (first, next) = zeros();
                return pour(stream, "content-encoding: gzip\r\n", &first, &next, Duration::ZERO).await;
            }
        }
        let fine = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone";
        stream.write_all(fine).await.ok()
    }
}

/// Answers with a first piece and then, as long as anybody takes it, with the next one again and again.
async fn pour(
    mut stream: BufReader<TcpStream>,
    header: &str,
    first: &[u8],
    next: &[u8],
    wait: Duration,
) -> Option<()> {
    let head = format!("HTTP/1.1 200 OK\r\n{header}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(first).await.ok()?;
    loop {
        stream.write_all(next).await.ok()?;
        stream.flush().await.ok()?;
        tokio::time::sleep(wait).await;
    }
}

/// A mebibyte of zeros in gzip, and what makes any number of others of it when it is appended.
fn zeros() -> (Vec<u8>, Vec<u8>) {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    let mut piece = || {
        encoder.write_all(&vec![0; 1024 * 1024]).unwrap();
        encoder.flush().unwrap();
        std::mem::take(encoder.get_mut())
    };
    (piece(), piece())
}
