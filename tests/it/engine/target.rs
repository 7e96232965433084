//! A target that counts calls per idempotency key.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// When a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    AtOnce,
    /// When all that are held are let go.
    Held,
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
        if answer(nth) == Answer::Held {
            self.gate.subscribe().wait_for(|is_open| *is_open).await.ok()?;
        }
        let fine = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone";
        stream.write_all(fine).await.ok()
    }
}
