//! A Wikidata of invented sights, in changing moods.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// 429 that asks for a second.
    TooMany,
    GatewayTimeout,
    /// A page of HTML with status 200.
    Html,
    /// The first half of an answer, and the end of the connection.
    Half,
    /// The first half of an answer, and a stack trace.
    BrokenJson,
    /// No sights.
    Empty,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    moods: HashMap<String, VecDeque<Mood>>,
    under_way: usize,
    most_at_once: usize,
}

pub struct Wikidata {
    pub url: String,
    state: Arc<Mutex<State>>,
    open: watch::Sender<bool>,
}

impl Wikidata {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/sparql", listener.local_addr().unwrap());
        let (state, open) = (Arc::<Mutex<State>>::default(), watch::Sender::new(true));
        let (shared, gate) = (Arc::clone(&state), open.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), gate.subscribe()));
            }
        });
        Self { url, state, open }
    }

    /// Its moods of one country, one a question; it is fine later.
    pub fn will(&self, cca2: &str, moods: impl IntoIterator<Item = Mood>) {
        self.state.lock().unwrap().moods.insert(cca2.to_owned(), moods.into_iter().collect());
    }

    /// It answers nothing until it is let go.
    pub fn hold(&self) {
        self.open.send_replace(false);
    }

    pub fn let_go(&self) {
        self.open.send_replace(true);
    }

    /// The countries that it was asked for, by code.
    pub fn asked_sorted(&self) -> Vec<String> {
        let mut asked = self.state.lock().unwrap().asked.clone();
        asked.sort();
        asked
    }

    /// Questions that it had to work on at once.
    pub fn most_at_once(&self) -> usize {
        self.state.lock().unwrap().most_at_once
    }
}

async fn serve(
    mut stream: TcpStream,
    state: Arc<Mutex<State>>,
    mut open: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let lines = head.to_lowercase();
    assert!(lines.contains("\r\naccept: application/sparql-results+json\r\n"), "{head}");
    assert!(lines.contains("\r\nuser-agent: malecon/") && lines.contains("(ops@example.org)\r\n"), "{head}");
    let url = Url::parse("http://localhost").unwrap().join(head.split(' ').nth(1).unwrap()).unwrap();
    let (_, query) = url.query_pairs().find(|(name, _)| name == "query").unwrap();
    let code = query.split("wdt:P297 \"").nth(1).unwrap()[..2].to_owned();
    let mood = {
        let mut state = state.lock().unwrap();
        state.asked.push(code.clone());
        state.under_way += 1;
        state.most_at_once = state.most_at_once.max(state.under_way);
        state.moods.get_mut(&code).and_then(VecDeque::pop_front)
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    open.wait_for(|open| *open).await.unwrap();
    let bytes = answer(mood, &code);
    state.lock().unwrap().under_way -= 1;
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

fn answer(mood: Option<Mood>, code: &str) -> Vec<u8> {
    let body = answered((0..=12).flat_map(|n| rows(code, n)).collect());
    let half = &body[..body.len() / 2];
    let json = "200 X\r\ncontent-type: application/sparql-results+json;charset=utf-8";
    let (head, body) = match mood {
        None => (json, body.clone()),
        Some(Mood::TooMany) => ("429 X\r\nretry-after: 1", "Rate limit exceeded".to_owned()),
        Some(Mood::GatewayTimeout) => {
            ("504 X\r\ncontent-type: text/html", "<html>upstream timeout".to_owned())
        }
        Some(Mood::Html) => ("200 X\r\ncontent-type: text/html", "<html>Sorry</html>".to_owned()),
        Some(Mood::Half) => (json, body.clone()),
        Some(Mood::BrokenJson) => (json, format!("{half}java.util.concurrent.TimeoutException\n\tat x")),
        Some(Mood::Empty) => (json, answered(vec![])),
    };
    let length = body.len();
    let whole = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    match mood {
        Some(Mood::Half) => whole.as_bytes()[..whole.len() - length / 2].to_vec(),
        _ => whole.into_bytes(),
    }
}

fn answered(bindings: Vec<Value>) -> String {
    let vars = ["item", "itemLabel", "itemDescription", "class", "coord", "image", "sitelinks", "unesco"];
    json!({"head": {"vars": vars}, "results": {"bindings": bindings}}).to_string()
}

/// The rows of one sight: a castle with everything, piers at beaches and in parks, and what has no label.
fn rows(code: &str, number: u64) -> Vec<Value> {
    let text = |value: &str| json!({"type": "literal", "xml:lang": "en", "value": value});
    let entity =
        |number: u64| json!({"type": "uri", "value": format!("http://www.wikidata.org/entity/Q{number}")});
    let row = |label: &str, class: u64| {
        json!({
            "item": entity(9_000 + number), "itemLabel": text(label), "class": entity(class),
            "sitelinks": text(&(100 - number).to_string()), "unesco": text("false"),
        })
    };
    match number {
        1 => {
            let mut castle = row(&format!("Castle of {code}"), 570_116);
            castle["unesco"] = text("true");
            castle["itemDescription"] = text("a castle by the sea");
            castle["coord"] = text("Point(-77.5 -12.25)");
            let picture = "http://commons.wikimedia.org/wiki/Special:FilePath/Castle%20of%20sand.jpg";
            castle["image"] = json!({"type": "uri", "value": picture});
            let mut again = castle.clone();
            again["class"] = entity(23_413);
            vec![castle, again]
        }
        0 => vec![row("Q9000", 570_116)],
        _ => vec![row(
            &format!("Pier {number} of {code}"),
            if number.is_multiple_of(2) { 40_080 } else { 46_169 },
        )],
    }
}

/// The best known sight of a country, as the API shows it.
pub fn first_of(code: &str) -> Value {
    json!({
        "id": "Q9001", "name": format!("Castle of {code}"), "kind": "visit_castle",
        "description": "a castle by the sea", "latlng": [-12.25, -77.5],
        "picture": "https://commons.wikimedia.org/wiki/Special:FilePath/Castle%20of%20sand.jpg",
        "source": "https://www.wikidata.org/wiki/Q9001", "world_heritage": true,
    })
}
