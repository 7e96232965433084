//! Redirects: as many as a call asks for, and none to where it would not go.

use CallFault::{Blocked, Redirect};
use malecon_domain::Payload;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use rstest::rstest;

use super::*;
use crate::target::Step;

const STATUSES: [&str; 5] =
    ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"];

/// Places behind a redirect, and what they are called there.
const PLACES: &[(&str, CallFault)] = &[
    ("http://127.0.0.1:PORT/", Blocked),
    ("//127.0.0.1:PORT/", Blocked),
    ("//2130706433:PORT", Blocked),
    ("\\\\127.0.0.1:PORT\\", Blocked),
    ("http://0x7f.1:PORT/", Blocked),
    ("http://[::ffff:127.0.0.1]:PORT/", Blocked),
    ("http://[::1]:PORT/", Blocked),
    ("http://127.0.0.2:PORT/", Blocked),
    ("https://127.0.0.1:PORT/", Blocked),
    ("http://localhost:PORT/", Blocked),
    ("http://app.localhost:PORT/", Blocked),
    ("http://metadata.google.internal/", Blocked),
    ("http://169.254.169.254/latest/meta-data", Blocked),
    ("http://[fd00:ec2::254]/", Blocked),
    ("http://10.0.0.1/", Blocked),
    ("http://router/", Blocked),
    ("http://user@127.0.0.1:PORT/", Redirect),
    ("http://[::1", Redirect),
    ("http://127.0.0.1:99999/", Redirect),
    ("ftp://127.0.0.1:PORT/", Redirect),
    ("file:///etc/passwd", Redirect),
    ("gopher://127.0.0.1:PORT/_GET", Redirect),
    ("javascript:alert(1)", Redirect),
];

#[tokio::test]
async fn no_redirect_leads_where_no_task_goes() {
    let canary = Peer::fine().await;
    for (number, (place, fault)) in PLACES.iter().enumerate() {
        let place = place.replace("PORT", &canary.port().to_string());
        let target = Peer::new(vec![redirect(STATUSES[number % 5], &place)]).await;
        let asked = Call { redirects: 3, ..call(target.url("/")) };
        assert_eq!(fault_of(only(&target).call(&asked).await), *fault, "{place}");
        assert_eq!(target.connections(), 1, "{place}");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_redirect_to_a_name_is_judged_by_its_addresses() {
    let canary = Peer::fine().await;
    let place = format!("http://example.com:{}/", canary.port());
    let target = Peer::new(vec![redirect("302 Found", &place)]).await;
    let names = Names::new(&[&["8.8.8.8", "127.0.0.1"]]);
    let targets = Targets::with_lookup(allowing(&target.address.to_string()), names).unwrap();
    let error = targets.call(&Call { redirects: 1, ..call(target.url("/")) }).await.unwrap_err();
    assert_eq!((error.fault, &*error.reason), (Blocked, "after a redirect: tasks may not call this target"));
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_call_that_asks_for_none_gets_the_redirect_itself() {
    let target = Peer::new(vec![redirect("302 Found", "/next")]).await;
    let received = only(&target).call(&call(target.url("/"))).await.unwrap();
    assert_eq!((received.status, received.redirected_to.as_deref()), (302, None));
    assert_eq!((received.header("Location"), &*received.body), (Some("/next"), &b"elsewhere"[..]));
}

#[rstest]
#[case::as_many(3, None)]
#[case::one_too_many(2, Some(Redirect))]
#[tokio::test]
async fn as_many_are_followed_as_are_asked_for(#[case] redirects: u8, #[case] fault: Option<CallFault>) {
    let hops = ["/a/b?c=1", "../d", "?e"].map(|place| redirect("307 Temporary Redirect", place));
    let target = Peer::new([&hops[..], &[answer("200 OK", "", "there")]].concat()).await;
    let answer = only(&target).call(&Call { redirects, ..call(target.url("/start")) }).await;
    assert_eq!(answer.as_ref().err().map(|error| error.fault), fault);
    if let Ok(received) = answer {
        assert_eq!(received.redirected_to, Some(target.url("/d?e")));
        assert_eq!(received.body, b"there");
    }
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_an_answer() {
    for status in ["302 Found", "304 Not Modified", "300 Multiple Choices"] {
        let target = Peer::new(vec![answer(status, "", "")]).await;
        let received = only(&target).call(&Call { redirects: 1, ..call(target.url("/")) }).await.unwrap();
        assert_eq!((received.status, received.redirected_to), (status[..3].parse().unwrap(), None));
    }
}

#[rstest]
#[case::moved_post(HttpMethod::Post, 0, "GET")]
#[case::found_post(HttpMethod::Post, 1, "GET")]
#[case::other_post(HttpMethod::Post, 2, "GET")]
#[case::temporary_post(HttpMethod::Post, 3, "POST")]
#[case::permanent_post(HttpMethod::Post, 4, "POST")]
#[case::moved_put(HttpMethod::Put, 0, "PUT")]
#[case::found_patch(HttpMethod::Patch, 1, "PATCH")]
#[case::other_put(HttpMethod::Put, 2, "GET")]
#[case::other_delete(HttpMethod::Delete, 2, "GET")]
#[case::temporary_put(HttpMethod::Put, 3, "PUT")]
#[tokio::test]
async fn methods_and_bodies_go_on_as_browsers_let_them(
    #[case] method: HttpMethod,
    #[case] status: usize,
    #[case] then: &str,
) {
    let target = Peer::new(vec![redirect(STATUSES[status], "/next"), answer("200 OK", "", "")]).await;
    let payload = Some(Payload::Json("{}".to_owned()));
    let headers = vec![("Content-Language".to_owned(), "es".to_owned())];
    let asked = Call { method, payload, headers, redirects: 1, ..call(target.url("/")) };
    only(&target).call(&asked).await.unwrap();
    let second = &target.requests()[1];
    assert!(second.starts_with(&format!("{then} /next HTTP/1.1\r\n")), "{second}");
    let keeps = then != "GET";
    assert_eq!(second.ends_with("\r\n\r\n{}"), keeps, "{second}");
    assert_eq!(second.contains("content-"), keeps, "{second}");
}

#[tokio::test]
async fn a_head_stays_a_head() {
    for status in STATUSES {
        let target = Peer::new(vec![
            Say::Bytes(format!("HTTP/1.1 {status}\r\nlocation: /next\r\n\r\n").into_bytes()),
            Say::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        ])
        .await;
        let asked = Call { method: HttpMethod::Head, redirects: 1, ..call(target.url("/")) };
        only(&target).call(&asked).await.unwrap();
        assert!(target.requests()[1].starts_with("HEAD /next "));
    }
}

#[tokio::test]
async fn headers_are_for_their_origin() {
    let (first, second) = (Peer::fine().await, Peer::fine().await);
    let secrets =
        ["Authorization", "Cookie", "X-Api-Key", "Idempotency-Key", "X-Auth-Token", "Client-Secret"];
    let names = secrets.iter().chain(&["X-Trace"]);
    let headers: Vec<_> = names.map(|name| ((*name).to_owned(), "s3cret".to_owned())).collect();
    let known = |request: &str| request.matches("s3cret").count();

    let same = Peer::new(vec![redirect("307 Temporary Redirect", "/next"), answer("200 OK", "", "")]).await;
    let asked = Call { headers: headers.clone(), redirects: 3, ..call(same.url("/")) };
    only(&same).call(&asked).await.unwrap();
    assert_eq!(known(&same.requests()[1]), 7);

    // Another port, another name for the same place, and back again.
    for place in [second.url("/"), format!("http://localhost:{}/", first.port())] {
        let start = Peer::new(vec![redirect("307 Temporary Redirect", &place)]).await;
        let list = format!("{},{},localhost", start.address, second.address);
        let asked =
            Call { url: start.url("/"), payload: Some(Payload::Json("{}".to_owned())), ..asked.clone() };
        Targets::new(allowing(&list)).unwrap().call(&asked).await.unwrap();
        assert_eq!(known(&start.requests()[0]), 7);
    }
    assert_eq!([known(&first.requests()[0]), known(&second.requests()[0])], [0, 0]);
    let [there, again] = [&first.requests()[0], &second.requests()[0]];
    for request in [there, again] {
        assert!(request.contains("content-type: application/json\r\n"), "what tells of the body: {request}");
        assert!(request.contains("user-agent: malecon/") && !request.contains("x-trace"), "{request}");
    }

    let away = Peer::new(vec![redirect("307 Temporary Redirect", &first.url("/back"))]).await;
    let there = Peer::new(vec![redirect("307 Temporary Redirect", &away.url("/"))]).await;
    let list = format!("{},{},{}", there.address, away.address, first.address);
    let asked = Call { url: there.url("/"), ..asked };
    Targets::new(allowing(&list)).unwrap().call(&asked).await.unwrap();
    assert_eq!(known(&first.requests()[1]), 0);
}

#[rstest]
#[case::to_http("https://a.example/", "http://a.example/", None)]
#[case::to_http_elsewhere("https://a.example/", "http://b.example/", None)]
#[case::to_https("http://a.example/", "https://a.example/", Some(("https://a.example/", false)))]
#[case::same_port("https://a.example/", "https://a.example:443/x", Some(("https://a.example/x", true)))]
#[case::other_port("https://a.example/", "https://a.example:444/", Some(("https://a.example:444/", false)))]
#[case::below("https://a.example/", "https://x.a.example/", Some(("https://x.a.example/", false)))]
#[case::relative("https://a.example/b/c", "d#e", Some(("https://a.example/b/d", true)))]
fn nothing_leaves_encryption_and_secrets_stay(
    #[case] from: &str,
    #[case] to: &'static str,
    #[case] next: Option<(&str, bool)>,
) {
    let headers = vec![("Authorization".to_owned(), "Bearer t".to_owned())];
    let step = Step::first(&Call { headers, ..call(from) }).unwrap();
    let redirected = step.redirected(StatusCode::FOUND, &HeaderValue::from_static(to));
    let redirected = redirected.map_err(|error| error.fault);
    let found = redirected.as_ref().map(|step| (step.url.as_str(), step.headers.contains_key(AUTHORIZATION)));
    assert_eq!(found, next.ok_or(&Redirect));
}

#[test]
fn an_origin_has_one_form() {
    let targets = Targets::new(TargetOptions::default()).unwrap();
    let origin = |url: &str| targets.origin(url).unwrap();
    assert_eq!(origin("HTTPS://A.Example/b?c"), "https://a.example");
    assert_eq!(origin("https://a.example:443/"), origin("https://a.example"));
    for other in
        ["http://a.example/", "https://a.example:444/", "https://b.a.example/", "https://a.example./"]
    {
        assert_ne!(origin(other), origin("https://a.example/"), "{other}");
    }
    assert!(targets.origin("ftp://a.example/").is_err() && targets.origin("nowhere").is_err());
}
