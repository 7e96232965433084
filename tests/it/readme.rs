//! The README's tour, line by line.

use std::process::Command;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use wiremock::matchers::{path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::dogs;
use crate::support::{Client, Malecon};

/// What the tour's commands answer, in their order: countries, the report and activities that nobody has
/// configured or fetched, users and tokens, movies, dogs, integration tasks, files without a service, and
/// what is around it. What stands for a number or a token that only a reader knows is a 404 or a 401.
const ANSWERS: &[&[u16]] = &[
    &[200, 200, 200, 200],
    &[200, 200, 200],
    &[503, 200, 200],
    &[200, 200],
    &[503, 404],
    &[201, 200, 401, 204],
    &[201, 200, 204, 200],
    &[200, 200],
    &[201, 201, 200, 204, 200],
    &[201, 200, 201, 200, 204],
    &[202, 200, 200, 200, 200, 404, 204],
    &[201, 200, 202, 200, 200, 200],
    &[503],
    &[200, 200],
];

/// The commands of the tour, each with its arguments as a shell makes them.
fn commands() -> Vec<Vec<String>> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let tour = readme.split("## A tour").nth(1).unwrap();
    let tour = tour.split("```").nth(1).unwrap().strip_prefix("sh").unwrap();
    let script = format!("curl() {{ printf '%s\\037' \"$@\"; printf '\\036'; }}\n{tour}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let commands = text.split_terminator('\u{1e}');
    commands.map(|words| words.split_terminator('\u{1f}').map(str::to_owned).collect()).collect()
}

/// The status that curl would show.
async fn run(client: &Client, words: &[String]) -> u16 {
    let (mut method, mut headers, mut body, mut file, mut place) = (None, vec![], None, false, String::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap().clone();
        match word.as_str() {
            "-X" => method = Some(value().parse::<Method>().unwrap()),
            "-H" => headers.push(value()),
            "-d" => body = Some(value()),
            "-F" => file = value().starts_with("file=@"),
            "-o" => drop(value()),
            "-i" | "-N" => {}
            url => place = url.strip_prefix("localhost:8000").unwrap().to_owned(),
        }
    }
    let sends = body.is_some() || file;
    let method = method.unwrap_or(if sends { Method::POST } else { Method::GET });
    let mut request = client.request(method, &place);
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    if let Some(body) = body {
        request = request.body(body);
    }
    if file {
        request = request.multipart(Form::new().part("file", Part::text("x").file_name("countries.xlsx")));
    }
    request.send().await.unwrap().status().as_u16()
}

/// A TMDB that knows every movie.
async fn tmdb() -> MockServer {
    let tmdb = MockServer::start().await;
    let movie =
        |id: u64| json!({"id": id, "title": "The Wall", "adult": false, "release_date": "2024-05-01"});
    let page = json!({"page": 2, "results": [movie(1)], "total_pages": 500, "total_results": 10_000});
    let popular = Mock::given(path("/movie/popular"));
    popular.respond_with(ResponseTemplate::new(200).set_body_json(page)).mount(&tmdb).await;
    let details = move |request: &Request| {
        let id = request.url.path().rsplit('/').next().and_then(|id| id.parse().ok());
        let body: Value = movie(id.unwrap());
        ResponseTemplate::new(200).set_body_json(body)
    };
    Mock::given(path_regex("^/movie/[0-9]+$")).respond_with(details).mount(&tmdb).await;
    tmdb
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme_leads_where_it_says() {
    let (tmdb, pictures) = (tmdb().await, dogs::source().await);
    let (tmdb_url, pictures_url) = (tmdb.uri(), format!("{}/api", pictures.uri()));
    let flags = ["--tmdb-token", "x", "--tmdb-url", &tmdb_url, "--dog-ceo-url", &pictures_url];
    let flags = [&flags[..], &["--wikidata-url", "http://127.0.0.1:9/"]].concat();
    let malecon = Malecon::demo(&flags).await;
    let wanted: Vec<u16> = ANSWERS.concat();
    let commands = commands();
    assert_eq!(commands.len(), wanted.len());
    for (words, wanted) in commands.iter().zip(wanted) {
        assert_eq!(run(&malecon.client, words).await, wanted, "{words:?}");
    }
    malecon.stop().await;
}
