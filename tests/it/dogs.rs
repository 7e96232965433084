//! Dogs over HTTP, with a source of pictures that can be told to fail.

use futures_util::future::join_all;
use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::engine::until;
use crate::support::{ADMIN, CONSUMER, Client, Malecon, shared};
use crate::users::{ask, send};

pub const PICTURE: &str = "https://images.dog.example/breeds/pier/n1.jpg";

/// A source that always has the same picture.
pub async fn source() -> MockServer {
    let source = MockServer::start().await;
    answer(&source, 200).await;
    source
}

/// From now on the source answers with this status.
async fn answer(source: &MockServer, status: u16) {
    source.reset().await;
    let body = json!({"message": PICTURE, "status": "success"});
    let wanted = Mock::given(method("GET")).and(path("/api/breeds/image/random"));
    wanted.respond_with(ResponseTemplate::new(status).set_body_json(body)).mount(source).await;
}

/// A server whose pictures come from there, with these flags more.
async fn start(source: &MockServer, flags: &[&str]) -> Malecon {
    let url = format!("{}/api", source.uri());
    Malecon::demo(&[&["--rate-limit", "0", "--dog-ceo-url", &url], flags].concat()).await
}

async fn post(client: &Client, name: &str, body: Value) -> (u16, Value) {
    ask(client, Method::POST, &format!("/api/dogs/{name}"), CONSUMER, body).await
}

/// The dog as it is when it has a picture.
async fn pictured(client: &Client, name: &str) -> Value {
    until(&format!("the picture of {name}"), async || {
        let dog = client.json(&format!("/api/dogs/{name}")).await;
        (!dog["picture"].is_null()).then_some(dog)
    })
    .await
}

/// The job when it is so.
async fn job(client: &Client, location: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    until(&format!("what is waited for of {location}"), async || {
        let (status, job) = ask(client, Method::GET, location, CONSUMER, Value::Null).await;
        assert_eq!(status, 200, "{job}");
        is_so(&job).then_some(job)
    })
    .await
}

fn location(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_posts_a_dog_and_finds_it_with_a_picture() {
    let source = source().await;
    let malecon = start(&source, &[]).await;
    let client = &malecon.client;
    let ana = json!({"name": "Ana", "email": "ana@example.com", "password": "correct horse"});
    let (_, ana) = ask(client, Method::POST, "/api/users", ADMIN, ana).await;
    let login = json!({"email": "ana@example.com", "password": "correct horse"});
    let login = client.request(Method::POST, "/api/token").json(&login).send().await.unwrap();
    let login: Value = login.json().await.unwrap();
    let token = login["access"].as_str().unwrap();

    let unknown = client.request(Method::POST, "/api/dogs/Lazy").send().await.unwrap();
    assert_eq!(unknown.status(), 401);
    let body = json!({"is_adopted": true, "id_user": ana["id"]});
    let made = send(client, Method::POST, "/api/dogs/Lazy", token, body.clone()).await;
    assert_eq!(made.status(), 202);
    let place = location(&made);
    let made: Value = made.json().await.unwrap();
    assert_eq!(place, format!("/api/jobs/{}", made["job"]["id"].as_str().unwrap()));
    assert_eq!(made["job"]["status"], "queued");
    let dog = &made["dog"];
    assert_eq!(
        (&dog["name"], &dog["picture"], &dog["is_adopted"]),
        (&json!("Lazy"), &Value::Null, &json!(true))
    );
    assert_eq!((dog["id"].as_i64(), &dog["id_user"]), (Some(1), &ana["id"]));
    let date = dog["create_date"].as_str().unwrap();
    assert!(date.len() == "2020-02-20T20:58:55.164954Z".len() && date.ends_with('Z'), "{date}");
    assert_eq!(dog.as_object().unwrap().len(), 6, "{dog}");

    let found = pictured(client, "Lazy").await;
    assert_eq!(found["picture"], PICTURE);
    assert_eq!((&found["id"], &found["create_date"]), (&dog["id"], &dog["create_date"]));
    let done = until("the end of the job", async || {
        let (_, job) = ask(client, Method::GET, &place, token, Value::Null).await;
        (job["status"] == "succeeded").then_some(job)
    })
    .await;
    assert!(done["result"].as_str().unwrap().contains(PICTURE), "{done}");
    assert_eq!((&done["kind"], &done["attempts"]), (&json!("picture"), &json!(1)));

    let again = send(client, Method::POST, "/api/dogs/Lazy", token, body).await;
    assert_eq!(again.status(), 409);
    assert_eq!(again.json::<Value>().await.unwrap()["code"], "name_taken");

    let mut theirs = client.request(Method::GET, "/api/users/me/dogs").bearer_auth(token);
    theirs = theirs.query(&[("fields", "name,picture")]);
    let theirs: Value = theirs.send().await.unwrap().json().await.unwrap();
    assert_eq!(theirs["results"], json!([{"name": "Lazy", "picture": PICTURE}]));

    let (status, dog) = ask(client, Method::PUT, "/api/dogs/Lazy", token, json!({"is_adopted": false})).await;
    assert_eq!((status, &dog["is_adopted"], &dog["id_user"]), (200, &json!(false), &ana["id"]));
    assert_eq!(dog["picture"], PICTURE);

    let user = format!("/api/users/{}", ana["id"]);
    assert_eq!(ask(client, Method::DELETE, &user, ADMIN, Value::Null).await.0, 204);
    let orphan = client.json("/api/dogs/Lazy").await;
    assert_eq!((&orphan["id_user"], &orphan["picture"]), (&Value::Null, &json!(PICTURE)));
    assert_eq!(ask(client, Method::DELETE, "/api/dogs/lazy", CONSUMER, Value::Null).await.0, 204);
    assert_eq!(client.get("/api/dogs/Lazy").await.status(), 404);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_source_is_down_the_job_says_why_and_later_the_picture_comes() {
    let source = source().await;
    let malecon = start(&source, &["--retries", "0"]).await;
    let client = &malecon.client;
    answer(&source, 503).await;
    let made = send(client, Method::POST, "/api/dogs/Lazy", CONSUMER, Value::Null).await;
    assert_eq!(made.status(), 202);
    let place = location(&made);
    let tried =
        job(client, &place, |job| job["attempts"].as_u64() >= Some(2) && !job["error"].is_null()).await;
    let error = tried["error"].as_str().unwrap();
    assert!(error.contains("does not answer") && error.contains("503"), "{error}");
    assert!(["queued", "running"].contains(&tried["status"].as_str().unwrap()), "{tried}");
    assert_eq!(client.json("/api/dogs/Lazy").await["picture"], Value::Null);

    answer(&source, 200).await;
    assert_eq!(pictured(client, "Lazy").await["picture"], PICTURE);
    let done = job(client, &place, |job| job["status"] == "succeeded").await;
    assert!(done["attempts"].as_u64() >= Some(2), "{done}");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dog_that_is_removed_meanwhile_ends_its_job() {
    let source = source().await;
    let malecon = start(&source, &["--retries", "0"]).await;
    let client = &malecon.client;
    answer(&source, 500).await;
    let made = send(client, Method::POST, "/api/dogs/Brief", CONSUMER, Value::Null).await;
    assert_eq!(ask(client, Method::DELETE, "/api/dogs/Brief", CONSUMER, Value::Null).await.0, 204);
    let done = job(client, &location(&made), |job| job["status"] == "succeeded").await;
    assert!(done["result"].as_str().unwrap().contains("gone"), "{done}");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chore_is_asked_for_when_there_is_a_worker_service() {
    let source = source().await;
    let wanted = Mock::given(method("POST")).and(path("/workers")).and(query_param("task_complexity", "1"));
    let reply = ResponseTemplate::new(201).set_body_json(json!({"status": true}));
    wanted.respond_with(reply).expect(1).mount(&source).await;
    let malecon = start(&source, &["--workers-url", &format!("{}/workers", source.uri())]).await;
    let made = send(&malecon.client, Method::POST, "/api/dogs/Lazy", CONSUMER, Value::Null).await;
    job(&malecon.client, &location(&made), |job| job["status"] == "succeeded").await;
    source.verify().await;
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_done_again_by_whoever_asked_for_it() {
    let source = source().await;
    let malecon = start(&source, &[]).await;
    let client = &malecon.client;
    let made = send(client, Method::POST, "/api/dogs/Lazy", CONSUMER, Value::Null).await;
    let place = location(&made);
    job(client, &place, |job| job["status"] == "succeeded").await;
    let again = send(client, Method::POST, &format!("{place}/replay"), CONSUMER, Value::Null).await;
    assert_eq!(again.status(), 202);
    let done = job(client, &location(&again), |job| job["status"] == "succeeded").await;
    assert_eq!(done["kind"], "picture");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_have_any_letters_and_compare_without_case() {
    let source = source().await;
    let malecon = start(&source, &[]).await;
    let client = &malecon.client;
    for (written, name, others) in [
        ("%C3%91and%C3%BA", "Ñandú", vec!["%c3%91AND%C3%9A", "N%CC%83andu%CC%81"]),
        ("%E3%83%9D%E3%83%81", "ポチ", vec!["%E3%83%9D%E3%83%81"]),
        ("%F0%9F%90%B6", "🐶", vec![]),
        ("100%25%3F%23%26%20%22dog%22", "100%?#& \"dog\"", vec!["100%25%3f%23&%20%22DOG%22"]),
        ("%20Lazy%20Bones%20", "Lazy Bones", vec!["lazy%20bones", "LAZY%20BONES/"]),
        ("not_is_adopted", "not_is_adopted", vec![]),
    ] {
        let (status, made) = post(client, written, json!({})).await;
        assert_eq!((status, &made["dog"]["name"]), (202, &json!(name)), "{made}");
        for other in others {
            assert_eq!(client.json(&format!("/api/dogs/{other}")).await["name"], name);
            assert_eq!(post(client, other, json!({})).await.0, 409, "{other}");
        }
        assert_eq!(pictured(client, written).await["name"], name);
    }
    malecon.stop().await;
}

#[rstest]
#[case::long(&"a".repeat(65), 422, 404)]
#[case::long_in_bytes(&"%F0%9F%90%B6".repeat(65), 422, 404)]
#[case::blank("%20%20", 422, 404)]
#[case::control("a%07b", 422, 404)]
#[case::nul("a%00b", 422, 404)]
#[case::slash("a%2Fb", 422, 404)]
#[case::accent("%CC%81", 422, 404)]
#[case::list_in_disguise("IS_Adopted", 422, 404)]
#[case::no_text("%FF", 400, 400)]
#[tokio::test]
async fn what_is_no_name_is_refused(#[case] name: &str, #[case] posted: u16, #[case] got: u16) {
    let client = shared();
    let place = format!("/api/dogs/{name}");
    let (status, problem) = ask(&client, Method::POST, &place, CONSUMER, Value::Null).await;
    assert_eq!(status, posted, "{problem}");
    if posted == 422 {
        assert_eq!(problem["code"], "invalid_name");
        assert_eq!(problem["errors"][0]["pointer"], "path/name");
    }
    assert_eq!(client.get(&place).await.status(), got);
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(ask(&client, method, &place, CONSUMER, json!({})).await.0, got);
    }
}

#[rstest]
#[case(json!({"name": "Lazy"}), "/name")]
#[case(json!({"picture": PICTURE}), "/picture")]
#[case(json!({"is_adopted": "yes"}), "/is_adopted")]
#[case(json!({"is_adopted": null}), "/is_adopted")]
#[case(json!({"id_user": 0}), "/id_user")]
#[case(json!({"id_user": "me"}), "/id_user")]
#[case(json!({"id_user": 4_711}), "/id_user")]
#[tokio::test]
async fn a_bad_body_is_refused_with_pointers(#[case] body: Value, #[case] pointer: &str) {
    let (status, problem) = ask(&shared(), Method::POST, "/api/dogs/Never", ADMIN, body).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)), "{problem}");
    assert_eq!(shared().get("/api/dogs/Never").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_posts_of_one_name_at_once_one_is_first() {
    let source = source().await;
    let malecon = start(&source, &[]).await;
    for round in 0..10 {
        let posts = ["Twin", "TWIN"].map(|twin| {
            let (client, name) = (malecon.client.clone(), format!("{twin}{round}"));
            tokio::spawn(async move { post(&client, &name, json!({})).await.0 })
        });
        let mut statuses: Vec<_> = join_all(posts).await.into_iter().map(Result::unwrap).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [202, 409]);
    }
    assert_eq!(malecon.client.json("/api/dogs").await["count"], 10);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_filters_sorts_pages_and_fields() {
    let source = source().await;
    let malecon = start(&source, &[]).await;
    let client = &malecon.client;
    for (name, is_adopted) in [("Zoe", true), ("Asa", false), ("Bo", true), ("Cid", true)] {
        assert_eq!(post(client, name, json!({"is_adopted": is_adopted})).await.0, 202);
    }
    let names = |list: &Value| {
        let rows = list["results"].as_array().unwrap().iter();
        rows.map(|dog| dog["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&client.json("/api/dogs").await), ["Zoe", "Asa", "Bo", "Cid"]);
    let adopted = client.get("/api/dogs/is_adopted?sort=-name&page_size=2&fields=name").await;
    assert_eq!(adopted.headers()["link"].to_str().unwrap().matches("rel=").count(), 3, "first, next, last");
    let adopted: Value = adopted.json().await.unwrap();
    assert_eq!((names(&adopted), &adopted["count"]), (vec!["Zoe".to_owned(), "Cid".to_owned()], &json!(3)));
    assert_eq!(adopted["results"][0], json!({"name": "Zoe"}));
    let next = adopted["next"].as_str().unwrap();
    assert!(next.starts_with("/api/dogs/is_adopted?"), "{next}");
    assert_eq!(names(&client.json(next).await), ["Bo"]);
    assert_eq!(
        client.json("/api/dogs/Bo?fields=name,is_adopted").await,
        json!({"name": "Bo", "is_adopted": true})
    );
    for wrong in [
        "/api/dogs?sort=colour",
        "/api/dogs?fields=colour",
        "/api/dogs/is_adopted?nme=x",
        "/api/dogs/Bo?sort=id",
    ] {
        assert_eq!(client.get(wrong).await.status(), 400, "{wrong}");
    }
    let posted =
        client.request(Method::POST, "/api/dogs/is_adopted").bearer_auth(CONSUMER).send().await.unwrap();
    assert_eq!(
        (posted.status().as_u16(), &posted.headers()["allow"]),
        (405, &"GET, HEAD, OPTIONS".parse().unwrap())
    );
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_read_and_validators_hold() {
    let source = source().await;
    let malecon = start(&source, &[]).await;
    let client = &malecon.client;
    post(client, "Lazy", json!({})).await;
    pictured(client, "Lazy").await;
    for place in ["/api/dogs", "/api/dogs/is_adopted", "/api/dogs/Lazy"] {
        let request = client.request(Method::GET, place).header("origin", "https://anybody.example");
        let first = request.send().await.unwrap();
        assert_eq!(first.headers()["access-control-allow-origin"], "*", "{place}");
        assert!(
            first.headers()["cache-control"].to_str().unwrap().starts_with("public, max-age="),
            "{place}"
        );
        let etag = first.headers()["etag"].clone();
        let again = client.request(Method::GET, place).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{place}");
        assert_eq!(client.request(Method::HEAD, place).send().await.unwrap().status(), 200);
    }
    let theirs = send(client, Method::GET, "/api/users/me/dogs", CONSUMER, Value::Null).await;
    assert_eq!(theirs.headers()["cache-control"], "private, no-cache");

    let change = async |tag: &str, is_adopted: bool| {
        let request = client.request(Method::PUT, "/api/dogs/Lazy").bearer_auth(CONSUMER);
        request.header("if-match", tag).json(&json!({"is_adopted": is_adopted})).send().await.unwrap()
    };
    let shown = client.get("/api/dogs/Lazy").await.headers()["etag"].to_str().unwrap().to_owned();
    let changed = change(&shown, true).await;
    assert_eq!(changed.status(), 200);
    assert_eq!(changed.headers()["etag"], client.get("/api/dogs/Lazy").await.headers()["etag"]);
    let outdated = change(&shown, false).await;
    assert_eq!(outdated.status(), 412);
    assert_eq!(client.json("/api/dogs/Lazy").await["is_adopted"], true);
    assert_eq!(change("*", false).await.status(), 200);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_comes_is_in_nobodys_way() {
    let source = source().await;
    let malecon = start(&source, &["--retries", "0"]).await;
    let client = &malecon.client;
    answer(&source, 503).await;
    post(client, "Lazy", json!({})).await;
    let before = client.get("/api/dogs/Lazy").await.headers()["etag"].clone();
    answer(&source, 200).await;
    pictured(client, "Lazy").await;
    let get = client.request(Method::GET, "/api/dogs/Lazy").header("if-none-match", &before);
    assert_eq!(get.send().await.unwrap().status(), 200, "who reads sees it");
    let put = client.request(Method::PUT, "/api/dogs/Lazy").bearer_auth(CONSUMER).header("if-match", &before);
    assert_eq!(put.json(&json!({"id_user": 2})).send().await.unwrap().status(), 200);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_write_their_own_and_nobodys_and_administrators_all() {
    let source = source().await;
    let malecon = start(&source, &[]).await;
    let client = &malecon.client;
    let put =
        async |token: &str, body: Value| ask(client, Method::PUT, "/api/dogs/Lazy", token, body).await.0;
    assert_eq!(post(client, "Theirs", json!({"id_user": 1})).await.0, 403);
    assert_eq!(client.get("/api/dogs/Theirs").await.status(), 404);
    assert_eq!(post(client, "Lazy", json!({"id_user": null})).await.0, 202);
    assert_eq!(put(CONSUMER, json!({"id_user": 1})).await, 403);
    assert_eq!(put(CONSUMER, json!({"id_user": 2})).await, 200);
    assert_eq!(put(ADMIN, json!({"id_user": 1})).await, 200);
    assert_eq!(put(CONSUMER, json!({"is_adopted": true})).await, 404);
    assert_eq!(ask(client, Method::DELETE, "/api/dogs/Lazy", CONSUMER, Value::Null).await.0, 404);
    assert_eq!(client.json("/api/dogs/Lazy").await["id_user"], 1);
    assert_eq!(ask(client, Method::DELETE, "/api/dogs/Lazy", ADMIN, Value::Null).await.0, 204);
    malecon.stop().await;
}
