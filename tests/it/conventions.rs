//! What holds for every answer.

use reqwest::Method;
use reqwest::header::HeaderValue;
use rstest::rstest;
use serde_json::{Map, Value};

use crate::support::{ADMIN, CONSUMER, Malecon, shared};

const PUBLIC: [&str; 6] = [
    "/api/countries",
    "/api/countries/PE",
    "/v3.1/all?fields=name",
    "/api/countries/export?format=csv",
    "/api/dogs",
    "/api/dogs/is_adopted?sort=-name",
];
const AROUND: [&str; 4] = ["/api/schema", "/api/docs", "/health/live", "/api/schema?format=yaml"];

#[tokio::test(flavor = "multi_thread")]
async fn every_get_has_a_validator() {
    for path in PUBLIC.into_iter().chain(AROUND) {
        let first = shared().get(path).await;
        assert_eq!(first.status(), 200, "{path}");
        let etag = first.headers()["etag"].clone();
        for value in [
            etag.clone(),
            HeaderValue::from_static("*"),
            HeaderValue::try_from(format!("\"x\", W/{}", etag.to_str().unwrap())).unwrap(),
        ] {
            let again =
                shared().request(Method::GET, path).header("If-None-Match", &value).send().await.unwrap();
            assert_eq!(again.status(), 304, "{path} {value:?}");
            assert_eq!(again.headers()["etag"], etag, "{path}");
            assert!(again.bytes().await.unwrap().is_empty(), "{path}");
        }
        let other =
            shared().request(Method::GET, path).header("If-None-Match", "\"other\"").send().await.unwrap();
        assert_eq!(other.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_trailing_slashes_work_wherever_get_does() {
    for path in PUBLIC.into_iter().chain(AROUND) {
        let get = shared().get(path).await;
        let length = get.headers()["content-length"].clone();
        let slashed = match path.split_once('?') {
            Some((path, query)) => format!("{path}/?{query}"),
            None => format!("{path}/"),
        };
        assert_eq!(shared().get(&slashed).await.status(), 200, "{slashed}");
        let head = shared().request(Method::HEAD, path).send().await.unwrap();
        assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &length), "{path}");
        assert_eq!(head.headers()["etag"], get.headers()["etag"], "{path}");
        assert!(head.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn public_answers_tell_their_age_and_where_they_came_from() {
    let path = "/api/countries?q=cache-status";
    let first = shared().get(path).await;
    assert_eq!(first.headers()["cache-status"], "malecon; fwd=miss; stored");
    let second = shared().get(path).await;
    let status = second.headers()["cache-status"].to_str().unwrap();
    assert!(status.starts_with("malecon; hit; ttl="), "{status}");
    assert!(second.headers()["age"].to_str().unwrap().parse::<u32>().unwrap() < 60);
    assert_eq!(second.headers()["cache-control"], "public, max-age=300");
    assert!(second.headers().contains_key("last-modified"));
    let report =
        shared().request(Method::GET, "/api/countries/sync").bearer_auth(CONSUMER).send().await.unwrap();
    assert_eq!(report.headers()["cache-control"], "private, no-cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_a_problem() {
    let nothing = shared().get("/nothing/here").await;
    assert_eq!(nothing.headers()["content-type"], "application/problem+json");
    let id = nothing.headers()["x-request-id"].clone();
    let problem: Value = nothing.json().await.unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&404.into(), &"not_found".into()));
    assert_eq!(problem["request_id"], id.to_str().unwrap());
    for member in ["type", "title", "detail"] {
        assert!(problem[member].is_string(), "{member}");
    }
    let wrong = shared().request(Method::DELETE, "/api/countries").send().await.unwrap();
    assert_eq!(wrong.status(), 405);
    assert_eq!(wrong.headers()["allow"], "GET, HEAD, OPTIONS");
    let problem: Value = wrong.json().await.unwrap();
    assert_eq!(problem["code"], "method_not_allowed");
    let sync = shared().request(Method::PUT, "/api/countries/sync").send().await.unwrap();
    assert_eq!(sync.headers()["allow"], "GET, HEAD, POST, OPTIONS");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_mistakes_the_first_twenty_are_told() {
    let body: Map<String, Value> = (0..60_000).map(|n| (format!("m{n}"), Value::Null)).collect();
    let request = shared().request(Method::POST, "/api/users").bearer_auth(ADMIN).json(&body);
    let query: String = (0..2_000).map(|n| format!("&p{n}=1&page=1")).collect();
    for (answer, status, pointers) in [
        (request.send().await.unwrap(), 422, ["/m0", "/m19"]),
        (shared().get(&format!("/api/countries?{query}")).await, 400, ["query/p0", "query/p10"]),
    ] {
        assert_eq!(answer.status(), status);
        let text = answer.text().await.unwrap();
        assert!(text.len() < 10_000, "{} bytes", text.len());
        let problem: Value = serde_json::from_str(&text).unwrap();
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 20);
        assert_eq!([&errors[0]["pointer"], &errors[19]["pointer"]], pointers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fit_request_id_is_kept_and_others_are_replaced() {
    for (given, kept) in [("abc-1.2_3", true), ("a b", false), ("<script>", false), (&"x".repeat(65), false)]
    {
        let answer =
            shared().request(Method::GET, "/health/live").header("X-Request-Id", given).send().await.unwrap();
        assert_eq!(answer.headers()["x-request-id"] == given, kept, "{given}");
    }
}

#[rstest]
#[case("/v3.1/all?fields=name", "https://anybody.example", Some("*"))]
#[case("/api/countries", "null", Some("*"))]
#[case("/api/dogs/is_adopted", "https://anybody.example", Some("*"))]
#[case("/health/live", "https://anybody.example", None)]
#[case("/health/live", "https://app.example", Some("https://app.example"))]
#[case("/health/live", "https://app.example.evil.example", None)]
#[case("/api/countries/sync", "https://app.example", Some("https://app.example"))]
#[case("/api/countries/sync", "https://anybody.example", None)]
#[tokio::test(flavor = "multi_thread")]
async fn browsers_read_what_is_open_and_exact_origins_the_rest(
    #[case] path: &str,
    #[case] origin: &str,
    #[case] allowed: Option<&str>,
) {
    let malecon = Malecon::demo(&["--cors-origins", "https://app.example"]).await;
    let answer = malecon.client.request(Method::GET, path).header("Origin", origin).send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("access-control-allow-origin").as_deref(), allowed);
    assert_eq!(header("access-control-allow-credentials"), None);
    assert_eq!(header("vary").is_some_and(|vary| vary.contains("origin")), allowed != Some("*"));
    let preflight = malecon.client.request(Method::OPTIONS, path).header("Origin", origin);
    let preflight = preflight.header("Access-Control-Request-Method", "GET").send().await.unwrap();
    assert_eq!(preflight.status(), 204);
    let allows = preflight.headers().get("access-control-allow-methods");
    assert_eq!(allows.is_some(), allowed.is_some());
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_open_to_no_origin_unless_it_is_named() {
    let preflight =
        shared().request(Method::OPTIONS, "/api/countries").header("Origin", "https://evil.example");
    let preflight = preflight.header("Access-Control-Request-Method", "POST").send().await.unwrap();
    assert_eq!(preflight.headers().get("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_of_any_bytes_does_not_hurt() {
    let origin = HeaderValue::from_bytes(b"https://\xff\xfe.example").unwrap();
    let answer =
        shared().request(Method::GET, "/health/live").header("Origin", &origin).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn security_headers_are_on_everything() {
    for path in ["/api/countries", "/nothing", "/api/docs"] {
        let answer = shared().get(path).await;
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers()["x-frame-options"], "DENY", "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_compressed_for_who_asks() {
    let path = "/v3.1/all?fields=name,translations";
    let plain = shared().get(path).await;
    assert_eq!(plain.headers().get("content-encoding"), None);
    assert!(plain.headers()["vary"].to_str().unwrap().contains("accept-encoding"));
    let plain = plain.bytes().await.unwrap();
    let zipped =
        shared().request(Method::GET, path).header("Accept-Encoding", "br;q=1, gzip").send().await.unwrap();
    assert_eq!(zipped.status(), 200);
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    assert!(zipped.bytes().await.unwrap().len() < plain.len() / 2);
    let refused =
        shared().request(Method::GET, path).header("Accept-Encoding", "gzip;q=0").send().await.unwrap();
    assert_eq!(refused.bytes().await.unwrap(), plain);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_the_state_of_each_part() {
    let ready = shared().json("/health/ready").await;
    assert_eq!(ready["status"], "ok");
    assert_eq!((&ready["checks"]["database"], &ready["checks"]["countries"]), (&"ok".into(), &"ok".into()));
    assert_eq!(shared().json("/health/live").await["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_closed_without_a_demo() {
    shared().get("/api/countries").await;
    let open = shared().get("/metrics").await.text().await.unwrap();
    assert!(open.contains("http_requests_total{"), "{open}");
    assert!(open.contains("route=\"/api/countries\""), "{open}");
    let flags = ["--database-url", "sqlite::memory:", "--metrics-token", "scrape"];
    let malecon = Malecon::with(&flags, malecon_server::listen::Limits::default()).await;
    assert_eq!(malecon.client.get("/metrics").await.status(), 401);
    let with = async |token: &str| {
        malecon
            .client
            .request(Method::GET, "/metrics")
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!((with("scrape").await, with("scrap").await, with(ADMIN).await), (200, 401, 401));
    malecon.stop().await;
}
