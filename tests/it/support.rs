//! A server of one's own, a client, and a source that misbehaves on demand.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use clap::Parser;
use malecon_server::command::{Cli, Running, start};
use malecon_server::listen::Limits;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Tokens of the demo.
pub const ADMIN: &str = "abcdef1234567890";
pub const CONSUMER: &str = "1234567890";

/// A folder that is gone with its owner.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("malecon-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running server on a database of its own.
pub struct Malecon {
    pub client: Client,
    pub running: Option<Running>,
    folder: Option<Folder>,
    database: String,
}

impl Malecon {
    /// A demo on a SQLite file, with these flags more.
    pub async fn demo(flags: &[&str]) -> Self {
        let folder = Folder::new();
        let database = format!("sqlite://{}/malecon.db?mode=rwc", folder.0.display());
        let flags = [&["--demo", "--database-url", &database], flags].concat();
        Self { folder: Some(folder), ..Self::with(&flags, Limits::default()).await }
    }

    /// A server with exactly these flags, on a port of its own.
    pub async fn with(flags: &[&str], limits: Limits) -> Self {
        let flags = [&["malecon", "--listen", "127.0.0.1:0", "--retry-base", "5ms"], flags].concat();
        let config = Cli::try_parse_from(flags).unwrap().config.resolve().unwrap();
        let running = start(&config, limits).await.unwrap();
        let database = config.database_url;
        Self { client: Client::new(running.address), running: Some(running), folder: None, database }
    }

    /// Where its database is.
    pub fn database(&self) -> &str {
        &self.database
    }

    pub async fn stop(self) {
        self.end().await;
    }

    /// Stops it; its database is there as long as what this returns.
    pub async fn end(mut self) -> Option<Folder> {
        self.running.take().unwrap().stop().await;
        self.folder.take()
    }
}

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    http: reqwest::Client,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        // Installs the provider of TLS that reqwest needs even for plain HTTP.
        malecon_upstream::UpstreamClient::new(malecon_upstream::ClientOptions::default()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test is a stranger to upstream::client")]
        let http =
            reqwest::Client::builder().no_proxy().no_gzip().timeout(Duration::from_secs(60)).build().unwrap();
        Self { address, http }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The JSON of a 200.
    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Status and JSON of an answer.
    pub async fn status_and_json(&self, path: &str) -> (u16, Value) {
        let response = self.get(path).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The report of a sync that the administrator asked for, again while another one runs.
    pub async fn sync(&self) -> Value {
        loop {
            let request = self.request(Method::POST, "/api/countries/sync").bearer_auth(ADMIN);
            let response = request.send().await.unwrap();
            if response.status() != 409 {
                assert_eq!(response.status(), 200);
                return response.json().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A demo that tests share, which only read from it.
pub fn shared() -> Client {
    static SHARED: LazyLock<SocketAddr> = LazyLock::new(|| {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let malecon =
                    Malecon::with(&["--demo", "--database-url", "sqlite::memory:"], Limits::default()).await;
                tell.send(malecon.client.address).unwrap();
                std::future::pending::<()>().await;
            });
        });
        told.recv().unwrap()
    });
    Client::new(*SHARED)
}

/// How a source answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As another Malecón does.
    Fine,
    /// As restcountries.com does since June 2026: 301, then 200 with an object that says goodbye.
    Gone,
    /// A page of HTML with status 200.
    Html,
    /// An empty list.
    Empty,
    /// The first half of the list.
    Half,
    /// A body that breaks off.
    Truncated,
    /// Status 500.
    Broken,
    /// No answer at all.
    Silent,
    /// Every country has the same wrong population.
    Wiped,
    /// One country is invalid.
    OneBad,
    /// One country is gone, another has changed.
    Changed,
}

/// A v3.1 source in front of a Malecón, in changing moods.
pub struct Source {
    pub url: String,
    mood: Arc<Mutex<Mood>>,
    /// How many requests it has had.
    asked: watch::Sender<usize>,
}

impl Source {
    pub async fn before(upstream: Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v3.1", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(Mood::Fine));
        let shared = Arc::clone(&mood);
        let asked = watch::Sender::new(0);
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.send_modify(|asked| *asked += 1);
                let (mood, upstream) = (*shared.lock().unwrap(), upstream.clone());
                tokio::spawn(async move {
                    let mut head = vec![];
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    let head = String::from_utf8(head).unwrap();
                    let path = head.split(' ').nth(1).unwrap();
                    let answer = respond(mood, path, &upstream).await;
                    stream.write_all(&answer).await
                });
            }
        });
        Self { url, mood, asked }
    }

    /// Ends when it has been asked once more than by now.
    pub fn asked_again(&self) -> impl Future<Output = ()> + use<> {
        let mut asked = self.asked.subscribe();
        let before = *asked.borrow_and_update();
        async move {
            asked.wait_for(|asked| *asked > before).await.unwrap();
        }
    }

    pub fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

async fn respond(mood: Mood, path: &str, upstream: &Client) -> Vec<u8> {
    let answer = |head: &str, body: &str| {
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    let ok = |body: &str| answer("200 OK\r\ncontent-type: application/json", body);
    match mood {
        Mood::Gone if path.ends_with("/gone") => {
            ok(r#"{"success":false,"data":null,"errors":[{"message":"deprecated"}]}"#)
        }
        Mood::Gone => answer("301 Moved Permanently\r\nlocation: /gone", ""),
        Mood::Html => answer("200 OK\r\ncontent-type: text/html", "<html><body>Sorry</body></html>"),
        Mood::Empty => ok("[]"),
        Mood::Broken => answer("500 Internal Server Error", "boom"),
        Mood::Silent => {
            tokio::time::sleep(Duration::from_secs(120)).await;
            vec![]
        }
        Mood::Fine | Mood::Half | Mood::Truncated | Mood::Wiped | Mood::OneBad | Mood::Changed => {
            let mut list = upstream.json(path).await;
            let countries = list.as_array_mut().unwrap();
            match mood {
                Mood::Half => countries.truncate(125),
                Mood::Wiped => countries.iter_mut().for_each(|c| set(c, "population", 0.into())),
                Mood::OneBad => set(&mut countries[7], "area", "wide".into()),
                Mood::Changed => {
                    countries.remove(3);
                    set(&mut countries[7], "capital", vec!["New Capital"].into());
                }
                _ => {}
            }
            let body = list.to_string();
            let mut bytes = ok(&body);
            if mood == Mood::Truncated {
                bytes.truncate(bytes.len() - body.len() / 2);
            }
            bytes
        }
    }
}

/// Changes a member where it is.
fn set(country: &mut Value, member: &str, value: Value) {
    if let Some(place) = country.get_mut(member) {
        *place = value;
    }
}
