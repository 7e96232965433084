//! Twelve ways of TMDB being down: what is kept stands in for it, and the operator reads of it.

use std::io::Write;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::{Mood, Tmdb};
use crate::support::{CONSUMER, Client, Malecon};
use crate::users::send;

const POPULAR: &str = "/api/movies/popular";
/// How long one attempt may take while something is kept; less than the pause after it.
const ATTEMPT: &str = "3s";
/// Longer than anybody is kept waiting by a busy machine, and shorter than by an upstream that hangs.
const AT_ONCE: Duration = Duration::from_millis(1_500);
/// The same for those who are to wait for 1.8 s at most, when an attempt may take a minute.
const SOON: Duration = Duration::from_secs(30);
/// How long TMDB is down, and how often it may be asked: once in that time.
const REST: Duration = Duration::from_secs(5);

/// What all tests together log of upstreams that fail.
static LOG: Mutex<Vec<u8>> = Mutex::new(vec![]);
static BEGIN: LazyLock<()> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("malecon::upstream=error"));
    subscriber.with_ansi(false).with_writer(|| Log).init();
});

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines about the upstream at this URL.
fn lines(url: &str) -> Vec<String> {
    let (_, place) = url.split_once("://").unwrap();
    let text = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    text.lines().filter(|line| line.contains(&format!("\"{place}/"))).map(str::to_owned).collect()
}

async fn at(url: &str, attempt: &str) -> Malecon {
    LazyLock::force(&BEGIN);
    let tmdb = ["--tmdb-token", "s3cret", "--tmdb-url", url, "--upstream-timeout", attempt];
    Malecon::demo(&[&tmdb[..], &["--rate-limit", "0", "--cache-ttl", "100ms"]].concat()).await
}

async fn get(client: &Client, path: &str) -> Response {
    send(client, Method::GET, path, CONSUMER, Value::Null).await
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

fn is_stale(response: &Response) -> bool {
    header(response, "cache-status") == "malecon; hit; fwd=stale; detail=upstream_unavailable"
}

/// How TMDB is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nobody listens.
    Gone,
    /// Its name is no longer known.
    Nameless,
    /// Its certificate is signed by itself.
    SelfSigned,
    /// It answers in this way.
    Mood(Mood),
}

#[rstest]
#[case::refused(Way::Gone, "Connection refused")]
#[case::reset(Way::Mood(Mood::Reset), "reset")]
#[case::black_hole(Way::Mood(Mood::Silent), "timed out")]
#[case::dns(Way::Nameless, "dns error")]
#[case::internal_error(Way::Mood(Mood::Status(500)), "status 500")]
#[case::retry_later(Way::Mood(Mood::RetryLater), "limits our rate")]
#[case::too_many(Way::Mood(Mood::TooMany), "limits our rate")]
#[case::stalled(Way::Mood(Mood::Stalled), "timed out")]
#[case::cut(Way::Mood(Mood::Cut), "end of file before message length reached")]
#[case::html(Way::Mood(Mood::Html), "no JSON")]
#[case::other_json(Way::Mood(Mood::OtherJson), "expected a list of results")]
#[case::bad_certificate(Way::SelfSigned, "invalid peer certificate: UnknownIssuer")]
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_a_line_a_probe_and_what_is_kept_stands_in(#[case] way: Way, #[case] words: &str) {
    let (tmdb, unsigned) = (Tmdb::new().await, Tmdb::self_signed().await);
    let malecon = at(&tmdb.url, ATTEMPT).await;
    let client = &malecon.client;
    let fresh = get(client, POPULAR).await.text().await.unwrap();
    assert_eq!(get(client, "/api/movies/1").await.status(), 200);
    let moved = |url: &str| {
        tmdb.turn(Mood::Moved(format!("{url}/").leak()));
        url.to_owned()
    };
    // Where one who has kept nothing meets the same.
    let url = match way {
        Way::Gone => {
            tmdb.leave();
            tmdb.url.clone()
        }
        Way::Nameless => moved("http://nameless.invalid"),
        Way::SelfSigned => moved(&unsigned.url),
        Way::Mood(mood) => {
            tmdb.turn(mood);
            tmdb.url.clone()
        }
    };
    tokio::time::sleep(Duration::from_millis(150)).await;

    let (begun, asked) = (Instant::now(), tmdb.asked());
    let mut is_known = false;
    while begun.elapsed() < REST {
        let before = Instant::now();
        let answer = get(client, POPULAR).await;
        assert!(before.elapsed() < AT_ONCE, "nobody waits: {:?}", before.elapsed());
        assert_eq!(answer.status(), 200);
        assert!(is_stale(&answer) || !is_known, "{}", header(&answer, "cache-status"));
        if is_stale(&answer) && !is_known {
            is_known = true;
            let kept = get(client, "/api/movies/1").await;
            assert!(kept.status() == 200 && is_stale(&kept), "{kept:?}");
            let before = Instant::now();
            let nothing = get(client, "/api/movies/2").await;
            assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
            assert_eq!(nothing.status(), 503);
            assert!((1..=20).contains(&header(&nothing, "retry-after").parse().unwrap()));
            assert_eq!(header(&nothing, "content-type"), "application/problem+json");
        }
        assert_eq!(answer.text().await.unwrap(), fresh);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_known, "it was never marked");
    let lines = lines(&tmdb.url);
    let (calls, most) = (tmdb.asked() - asked, 1 + (begun.elapsed().as_secs() / REST.as_secs()) as usize);
    assert!(calls <= most && (1..=most).contains(&lines.len()), "{calls} calls: {lines:#?}");
    for line in &lines {
        assert!(line.contains("ERROR") && line.contains("attempts=1 ") && line.contains(words), "{line}");
    }
    malecon.stop().await;

    let newcomer = at(&url, "1m").await;
    let before = Instant::now();
    let nothing = get(&newcomer.client, POPULAR).await;
    assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
    assert!([502, 503, 504].contains(&nothing.status().as_u16()), "{}", nothing.status());
    assert!(nothing.headers().contains_key("retry-after"));
    assert_eq!(header(&nothing, "content-type"), "application/problem+json");
    newcomer.stop().await;
}

#[rstest]
#[case(Mood::RetryLater)]
#[case(Mood::TooMany)]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_retry_after_beyond_their_patience(#[case] mood: Mood) {
    let tmdb = Tmdb::new().await;
    tmdb.turn(mood);
    let malecon = at(&tmdb.url, ATTEMPT).await;
    let answer = get(&malecon.client, POPULAR).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "20"));
    assert_eq!(tmdb.asked(), 1);
    malecon.stop().await;
}
