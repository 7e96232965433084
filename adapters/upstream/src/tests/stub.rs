//! An upstream that sends what it is told, byte for byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::{ClientOptions, UpstreamClient};

/// What one request gets.
#[derive(Clone)]
pub enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// A head, then zeros without end.
    Endless,
    /// Nothing, for as long as the client waits.
    Nothing,
}

pub struct Stub {
    pub url: Url,
    asked: Arc<AtomicUsize>,
}

impl Stub {
    /// Gives these replies, one a request; the last one for ever.
    pub async fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/v3.1?key=s3cret", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let reply = replies.get(number).or(replies.last()).unwrap().clone();
                tokio::spawn(async move {
                    let mut head = vec![];
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    match reply {
                        Reply::Bytes(bytes) => stream.write_all(&bytes).await,
                        Reply::Nothing => std::future::pending().await,
                        Reply::Endless => {
                            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                            loop {
                                stream.write_all(&[b'0'; 65_536]).await?;
                            }
                        }
                    }
                });
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A whole answer.
pub fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .into_bytes(),
    )
}

pub fn ok(body: &str) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}

/// A client in a hurry.
pub fn client() -> UpstreamClient {
    UpstreamClient::new(options()).unwrap()
}

pub fn options() -> ClientOptions {
    ClientOptions {
        timeout: Duration::from_millis(300),
        retries: 2,
        retry_base: Duration::from_millis(1),
        body_limit: 100_000,
        ..ClientOptions::default()
    }
}
