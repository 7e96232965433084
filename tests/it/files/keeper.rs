//! A service that takes files, in every mood, and remembers what came.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How it takes a file.
#[derive(Clone, Debug)]
pub enum Mood {
    /// It takes it, and says 201.
    Fine,
    /// It takes no byte of it.
    Deaf,
    /// It takes it, and says nothing.
    Silent,
    /// It takes it, and says this.
    Says(String),
}

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    head: String,
    /// The body, out of its chunks.
    pub body: Vec<u8>,
    /// Whether its last chunk has come.
    pub is_whole: bool,
}

pub struct Keeper {
    address: SocketAddr,
    asked: watch::Receiver<usize>,
    seen: watch::Sender<Vec<Arc<Seen>>>,
    task: JoinHandle<()>,
}

impl Keeper {
    pub async fn new(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (count, asked) = watch::channel(0);
        let seen = watch::Sender::default();
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let (mood, shared) = (mood.clone(), shared.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut seen = Seen::default();
                    let _ = read_head(&mut stream, &mut seen).await;
                    if matches!(mood, Mood::Deaf) {
                        return std::future::pending().await;
                    }
                    seen.is_whole = read_chunks(&mut stream, &mut seen.body).await.is_ok();
                    shared.send_modify(|all: &mut Vec<_>| all.push(Arc::new(seen)));
                    let words = match mood {
                        Mood::Fine => {
                            answer("201 Created", "application/json", r#"{"filename": "kept.bin"}"#)
                        }
                        Mood::Says(words) => words,
                        Mood::Deaf | Mood::Silent => return std::future::pending().await,
                    };
                    let _ = stream.write_all(words.as_bytes()).await;
                });
            }
        });
        Self { address, asked, seen, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}/keep", self.address)
    }

    /// How often somebody has connected.
    pub fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// The requests, when there have been so many.
    pub async fn seen(&self, many: usize) -> Vec<Arc<Seen>> {
        self.seen.subscribe().wait_for(|seen| seen.len() >= many).await.unwrap().clone()
    }

    /// The only one.
    pub async fn only(&self) -> Arc<Seen> {
        let seen = self.seen(1).await;
        assert_eq!(seen.len(), 1);
        Arc::clone(&seen[0])
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    /// All that can be read of it.
    pub fn text(&self) -> String {
        format!("{}{}", self.head, String::from_utf8_lossy(&self.body))
    }

    /// The head of its part.
    fn part(&self) -> &str {
        std::str::from_utf8(&self.body[..self.begin() - 4]).unwrap()
    }

    fn begin(&self) -> usize {
        self.body.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4
    }

    /// What is in its part.
    pub fn content(&self) -> &[u8] {
        let boundary = self.head.split_once("boundary=").unwrap().1.split("\r\n").next().unwrap();
        let end = format!("\r\n--{boundary}--\r\n");
        self.body[self.begin()..].strip_suffix(end.as_bytes()).unwrap()
    }

    /// What its part is called.
    pub fn name(&self) -> String {
        let name = self.part().split_once("name=\"file\"; filename=\"").unwrap().1;
        name.split("\"\r\n").next().unwrap().trim_end_matches('"').to_owned()
    }

    /// What its part says that it is.
    pub fn media_type(&self) -> Option<String> {
        Some(self.part().split_once("Content-Type: ")?.1.to_owned())
    }
}

/// An answer of HTTP.
pub fn answer(status: &str, media_type: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}")
}

async fn read_head(stream: &mut BufReader<TcpStream>, seen: &mut Seen) -> std::io::Result<()> {
    while !seen.head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut seen.head).await? == 0 {
            break;
        }
    }
    Ok(())
}

async fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let length = usize::from_str_radix(line.trim_end(), 16).map_err(std::io::Error::other)?;
        let begin = body.len();
        body.resize(begin + length, 0);
        stream.read_exact(&mut body[begin..]).await?;
        stream.read_exact(&mut [0; 2]).await?;
        if length == 0 {
            return Ok(());
        }
    }
}
