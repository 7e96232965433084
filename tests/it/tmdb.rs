//! A TMDB of invented movies, in changing moods.

mod outage;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Fine,
    /// Fine, after a while.
    Slow,
    Status(u16),
    /// 503 that asks for 20 s.
    RetryLater,
    /// 429 that asks for 20 s.
    TooMany,
    /// Not a byte.
    Silent,
    /// The head of an answer, and then nothing.
    Stalled,
    /// A body that breaks off.
    Cut,
    /// A page of HTML with status 200.
    Html,
    /// JSON of another kind with status 200.
    OtherJson,
    /// The connection is reset.
    Reset,
    /// It has moved to this place.
    Moved(&'static str),
}

pub struct Tmdb {
    pub url: String,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// Movie 1 is the latest, 4 has no date, 99 does not exist.
fn movie(id: u64) -> Option<Value> {
    let (title, date) = match id {
        1 => ("The Wall", "2024-05-01"),
        2 => ("The Tide", "1999-12-31"),
        3 => ("The Gull", "2024-05-01"),
        4 => ("The Pier", ""),
        5..=60 => ("Another Wave", "1990-01-01"),
        _ => return None,
    };
    Some(json!({
        "id": id, "title": title, "original_title": title, "release_date": date, "overview": "",
        "genre_ids": [18], "popularity": 10.5, "vote_average": 7.1, "vote_count": 12, "adult": false,
        "poster_path": null, "some_new_key": {"x": 1},
    }))
}

fn answer_to(path: &str) -> (u16, Value) {
    let missing = json!({"success": false, "status_code": 34, "status_message": "not found"});
    if let Some(query) = path.strip_prefix("/movie/popular?") {
        let page = query.split('&').find_map(|pair| pair.strip_prefix("page=")).unwrap_or("1");
        let page: u64 = page.parse().unwrap();
        let mut results: Vec<Value> = (1..=20).filter_map(|n| movie((page - 1) * 20 + n)).collect();
        // Pages shift while one reads them.
        results.push(results[0].clone());
        let body = json!({"page": page, "results": results, "total_pages": 40_000, "total_results": 800_000});
        return (200, body);
    }
    let id = path.strip_prefix("/movie/").and_then(|rest| rest.split('?').next()?.parse().ok());
    match id.and_then(movie) {
        Some(mut details) => {
            details["runtime"] = json!(101);
            details["genres"] = json!([{"id": 18, "name": "Drama"}]);
            (200, details)
        }
        None => (404, missing),
    }
}

/// Answers one request.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mood: Mood,
    count: &AtomicUsize,
) -> std::io::Result<()> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    count.fetch_add(1, Ordering::SeqCst);
    let head = String::from_utf8(head).unwrap();
    assert!(head.to_lowercase().contains("authorization: bearer s3cret"), "{head}");
    let (status, body) = answer_to(head.split(' ').nth(1).unwrap());
    let body = body.to_string();
    let answer = |status: u16, more: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status} X\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
    };
    let json = "content-type: application/json\r\n";
    let bytes = match mood {
        Mood::Fine => answer(status, json, &body),
        Mood::Slow => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            answer(status, json, &body)
        }
        Mood::Status(status) => answer(status, json, r#"{"status_code": 11}"#),
        Mood::RetryLater => answer(503, "retry-after: 20\r\n", "busy"),
        Mood::TooMany => answer(429, "retry-after: 20\r\n", "busy"),
        Mood::Silent => std::future::pending().await,
        Mood::Stalled => {
            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{").await?;
            std::future::pending().await
        }
        Mood::Cut => {
            let whole = answer(200, json, &body);
            whole[..whole.len() - body.len() / 2].to_owned()
        }
        Mood::Html => answer(200, "content-type: text/html\r\n", "<html>Sorry</html>"),
        Mood::OtherJson => answer(200, json, r#"{"results": "none"}"#),
        Mood::Reset => String::new(),
        Mood::Moved(place) => answer(302, &format!("location: {place}\r\n"), ""),
    };
    stream.write_all(bytes.as_bytes()).await?;
    stream.shutdown().await
}

impl Tmdb {
    pub async fn new() -> Self {
        Self::behind(None).await
    }

    /// With a certificate that nobody vouches for.
    pub async fn self_signed() -> Self {
        let identity = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.into()], key.into())
            .unwrap();
        Self::behind(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn behind(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(Mood::Fine));
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, count) = (Arc::clone(&mood), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mood, count, tls) = (*shared.lock().unwrap(), Arc::clone(&count), tls.clone());
                tokio::spawn(async move {
                    if mood == Mood::Reset {
                        count.fetch_add(1, Ordering::SeqCst);
                        return stream.set_zero_linger();
                    }
                    match tls {
                        Some(tls) => serve(tls.accept(stream).await?, mood, &count).await,
                        None => serve(stream, mood, &count).await,
                    }
                });
            }
        });
        Self { url, mood, asked, task }
    }

    /// Nobody listens any longer.
    pub fn leave(&self) {
        self.task.abort();
    }

    pub fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How many requests it has had.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
