//! A TMDB of invented movies, in changing moods.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Fine,
    /// Fine, after a while.
    Slow,
    Status(u16),
    /// 503 that asks for a minute.
    RetryLater,
    /// The head of an answer, and then nothing.
    Stalled,
    /// A body that breaks off.
    Cut,
    /// A page of HTML with status 200.
    Html,
    /// JSON of another kind with status 200.
    OtherJson,
    /// The connection is closed without a word.
    Hangup,
}

pub struct Tmdb {
    pub url: String,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
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

impl Tmdb {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(Mood::Fine));
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, count) = (Arc::clone(&mood), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mood, count) = (Arc::clone(&shared), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut head = vec![];
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    let mood = *mood.lock().unwrap();
                    let head = String::from_utf8(head).unwrap();
                    assert!(head.to_lowercase().contains("authorization: bearer s3cret"), "{head}");
                    let (status, body) = answer_to(head.split(' ').nth(1).unwrap());
                    let body = body.to_string();
                    let answer = |status: u16, more: &str, body: &str| {
                        format!(
                            "HTTP/1.1 {status} X\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                            body.len()
                        )
                    };
                    let json = "content-type: application/json\r\n";
                    let bytes = match mood {
                        Mood::Fine => answer(status, json, &body),
                        Mood::Slow => {
                            tokio::time::sleep(Duration::from_millis(300)).await;
                            answer(status, json, &body)
                        }
                        Mood::Status(status) => answer(status, json, r#"{"status_code": 11}"#),
                        Mood::RetryLater => answer(503, "retry-after: 60\r\n", "busy"),
                        Mood::Stalled => {
                            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{").await?;
                            tokio::time::sleep(Duration::from_secs(60)).await;
                            String::new()
                        }
                        Mood::Cut => {
                            let whole = answer(200, json, &body);
                            whole[..whole.len() - body.len() / 2].to_owned()
                        }
                        Mood::Html => answer(200, "content-type: text/html\r\n", "<html>Sorry</html>"),
                        Mood::OtherJson => answer(200, json, r#"{"results": "none"}"#),
                        Mood::Hangup => String::new(),
                    };
                    stream.write_all(bytes.as_bytes()).await
                });
            }
        });
        Self { url, mood, asked }
    }

    pub fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How many requests it has had.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
