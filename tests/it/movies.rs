//! Movies, favorites and ratings, with TMDB there and gone.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ADMIN, CONSUMER, Client, Malecon};
use crate::tmdb::{Mood, Tmdb};
use crate::users::{ask, send};

const POPULAR: &str = "/api/movies/popular";

async fn with(tmdb: &Tmdb, flags: &[&str]) -> Malecon {
    at(&tmdb.url, flags).await
}

async fn at(url: &str, flags: &[&str]) -> Malecon {
    let movies = ["--tmdb-token", "s3cret", "--tmdb-url", url, "--rate-limit", "0"];
    Malecon::demo(&[&movies, flags].concat()).await
}

async fn get(client: &Client, path: &str) -> Response {
    send(client, Method::GET, path, CONSUMER, Value::Null).await
}

fn cache_status(response: &Response) -> &str {
    response.headers()["cache-status"].to_str().unwrap()
}

fn ids(list: &Value) -> Vec<i64> {
    list["results"].as_array().unwrap().iter().map(|movie| movie["id"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_flow_of_favorites_and_ratings() {
    let tmdb = Tmdb::new().await;
    let malecon = with(&tmdb, &[]).await;
    let client = &malecon.client;
    let none = Value::Null;

    let (status, popular) = ask(client, Method::GET, POPULAR, CONSUMER, none.clone()).await;
    assert_eq!((status, ids(&popular).len(), &popular["count"]), (200, 20, &json!(800_000)));
    assert_eq!(popular["next"], "/api/movies/popular?page=2");
    assert_eq!(popular["results"][3]["release_date"], Value::Null, "an empty date is none");

    let favorites = "/api/users/me/favorites";
    for movie in [4, 2, 1, 3] {
        let made = send(client, Method::POST, favorites, CONSUMER, json!({ "movie_id": movie })).await;
        assert_eq!(made.status(), 201);
        assert_eq!(made.headers()["location"], favorites, "where a GET shows it");
    }
    assert_eq!(ask(client, Method::POST, favorites, CONSUMER, json!({"movie_id": 1})).await.0, 200);
    assert_eq!(ask(client, Method::POST, favorites, CONSUMER, json!({"movie_id": 99})).await.0, 404);
    assert_eq!(ask(client, Method::PUT, &format!("{favorites}/5"), CONSUMER, none.clone()).await.0, 201);
    assert_eq!(ask(client, Method::PUT, &format!("{favorites}/5"), CONSUMER, none.clone()).await.0, 200);
    assert_eq!(ask(client, Method::DELETE, &format!("{favorites}/5"), CONSUMER, none.clone()).await.0, 204);
    assert_eq!(ask(client, Method::DELETE, &format!("{favorites}/5"), CONSUMER, none.clone()).await.0, 404);

    let ratings = "/api/users/2/ratings";
    let rate = async |movie: i64, stars: Value| {
        ask(client, Method::POST, ratings, CONSUMER, json!({"movie_id": movie, "stars": stars})).await
    };
    assert_eq!(rate(3, json!(4)).await.0, 201);
    let (status, problem) = rate(3, json!(5)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("already_rated")));
    for wrong in [json!(6), json!(-1), json!(2.5), json!("3"), Value::Null] {
        assert_eq!(rate(1, wrong).await.0, 422);
    }
    assert_eq!(
        ask(client, Method::PATCH, "/api/users/2/ratings/1", CONSUMER, json!({"stars": 1})).await.0,
        404
    );
    assert_eq!(
        ask(client, Method::PUT, "/api/users/2/ratings/1", CONSUMER, json!({"stars": 5})).await.0,
        201
    );
    let (status, rating) =
        ask(client, Method::PATCH, "/api/users/2/ratings/1", CONSUMER, json!({"stars": 2})).await;
    assert_eq!((status, &rating["stars"], &rating["title"]), (200, &json!(2), &json!("The Wall")));

    for (method, path, body) in [
        (Method::PUT, "/api/users/2/ratings/1", json!({"stars": 0})),
        (Method::PATCH, "/api/users/2/ratings/1", json!({"stars": 0})),
        (Method::PUT, "/api/users/2/favorites/5", Value::Null),
    ] {
        let request = client.request(method, path).bearer_auth(CONSUMER).header("If-Match", "\"x\"");
        assert_eq!(request.json(&body).send().await.unwrap().status(), 412, "{path} has no ETag");
    }

    // The list needs TMDB no more.
    tmdb.turn(Mood::Status(500));
    let (_, list) = ask(client, Method::GET, favorites, CONSUMER, none.clone()).await;
    assert_eq!(ids(&list), [3, 1, 2, 4], "by date, then stars; the one without a date last");
    assert_eq!((&list["results"][0]["stars"], &list["results"][2]["stars"]), (&json!(4), &Value::Null));
    assert_eq!(list["results"][0]["runtime"], 101);
    let (_, list) =
        ask(client, Method::GET, "/api/users/me/favorites?sort=title&page_size=2", CONSUMER, none.clone())
            .await;
    assert_eq!(ids(&list), [3, 4]);
    let (_, list) = ask(client, Method::GET, ratings, CONSUMER, none.clone()).await;
    assert_eq!((ids(&list), &list["results"][1]["stars"]), (vec![3, 1], &json!(2)));

    assert_eq!(ask(client, Method::GET, "/api/users/1/favorites", CONSUMER, none.clone()).await.0, 404);
    assert_eq!(ask(client, Method::DELETE, favorites, CONSUMER, none.clone()).await.0, 403);
    assert_eq!(ask(client, Method::DELETE, "/api/users/77/favorites", ADMIN, none.clone()).await.0, 404);
    let (status, cleared) = ask(client, Method::DELETE, "/api/users/2/favorites", ADMIN, none.clone()).await;
    assert_eq!((status, cleared), (200, json!({"removed": 4})));
    assert_eq!(ask(client, Method::DELETE, "/api/users/2/ratings/3", CONSUMER, none.clone()).await.0, 204);
    assert_eq!(ask(client, Method::DELETE, "/api/users/2/ratings/3", CONSUMER, none).await.0, 404);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_first_ratings_one_is_first() {
    let tmdb = Tmdb::new().await;
    let malecon = with(&tmdb, &[]).await;
    let body = json!({"movie_id": 1, "stars": 3});
    let rate = || ask(&malecon.client, Method::POST, "/api/users/me/ratings", CONSUMER, body.clone());
    let mut statuses: Vec<u16> =
        join_all((0..8).map(|_| rate())).await.into_iter().map(|answer| answer.0).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_is_asked_once_within_the_time_to_live() {
    let tmdb = Tmdb::new().await;
    let malecon = with(&tmdb, &["--cache-ttl", "500ms", "--revalidate-for", "0s"]).await;
    let client = &malecon.client;
    let first = get(client, POPULAR).await;
    assert_eq!(cache_status(&first), "malecon; fwd=miss; stored");
    let second = get(client, POPULAR).await;
    assert!(cache_status(&second).starts_with("malecon; hit; ttl="));
    assert_eq!(second.headers()["etag"], first.headers()["etag"]);
    assert_eq!(second.headers()["cache-control"], "private, no-cache");
    assert_eq!(tmdb.asked(), 1);
    tokio::time::sleep(Duration::from_millis(550)).await;
    assert_eq!(cache_status(&get(client, POPULAR).await), "malecon; fwd=miss; stored");
    assert_eq!(tmdb.asked(), 2);
    get(client, "/api/movies/popular?page=2").await;
    get(client, "/api/movies/popular?language=es").await;
    assert_eq!(tmdb.asked(), 4, "other questions are other answers");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_wants_a_token_each_time() {
    let tmdb = Tmdb::new().await;
    let flags =
        ["--tmdb-token", "s3cret", "--tmdb-url", &tmdb.url, "--rate-limit", "100", "--cache-ttl", "1h"];
    let malecon = Malecon::demo(&flags).await;
    let client = &malecon.client;
    let (_, made) = ask(client, Method::POST, "/api/tokens", CONSUMER, json!({"name": "lane"})).await;
    let token = made["token"].as_str().unwrap();
    let left = async || {
        let answer = send(client, Method::GET, POPULAR, token, Value::Null).await;
        assert_eq!(answer.status(), 200);
        let text = answer.headers()["ratelimit"].to_str().unwrap().to_owned();
        text.split([';', '=']).nth(2).unwrap().parse::<u32>().unwrap()
    };
    // All requests of the user count, whatever token they come with; the first one made this token.
    assert_eq!((left().await, left().await, left().await), (98, 97, 96), "each one counts");
    for wrong in ["", "x", &token[1..]] {
        let answer = send(client, Method::GET, POPULAR, wrong, Value::Null).await;
        assert_eq!(answer.status(), 401, "{wrong:?}");
    }
    assert_eq!(client.request(Method::GET, POPULAR).send().await.unwrap().status(), 401);
    let etag = get(client, POPULAR).await.headers()["etag"].clone();
    let again = client.request(Method::GET, POPULAR).bearer_auth(CONSUMER).header("If-None-Match", etag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    for _ in 0..94 {
        left().await;
    }
    assert_eq!(send(client, Method::GET, POPULAR, token, Value::Null).await.status(), 429);
    let place = format!("/api/tokens/{}", made["id"]);
    assert_eq!(ask(client, Method::DELETE, &place, ADMIN, Value::Null).await.0, 204);
    let mut status = 0;
    for _ in 0..200 {
        status = send(client, Method::GET, POPULAR, token, Value::Null).await.status().as_u16();
        if status == 401 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, 401, "it was revoked");
    assert_eq!(tmdb.asked(), 1);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_of_an_unknown_page_cause_one_call() {
    let tmdb = Tmdb::new().await;
    tmdb.turn(Mood::Slow);
    let malecon = with(&tmdb, &[]).await;
    let callers = (0..1_000).map(|_| get(&malecon.client, POPULAR));
    assert!(join_all(callers).await.iter().all(|answer| answer.status() == 200));
    assert_eq!(tmdb.asked(), 1);
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(redis), ignore = "needs TEST_REDIS_URL")]
async fn two_processes_with_redis_cause_one_call_and_what_it_keeps_survives_them() {
    let tmdb = Tmdb::new().await;
    tmdb.turn(Mood::Slow);
    // A language of its own: keys of other tests are in the same Redis.
    let stamp = uuid::Uuid::new_v4().as_u128();
    let letters: Vec<char> = (0..4).map(|n| char::from(b'a' + ((stamp >> (8 * n)) % 26) as u8)).collect();
    let page = 1 + stamp % 3;
    let language = format!("{}{}-{}{}", letters[0], letters[1], letters[2], letters[3]);
    let path = format!("{POPULAR}?language={language}&page={page}");
    let redis = ["--redis-url", env!("TEST_REDIS_URL")];
    let ready = async |malecon: &Malecon| {
        while malecon.client.json("/health/ready").await["checks"]["redis"] != "ok" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (one, two) = (with(&tmdb, &redis).await, with(&tmdb, &redis).await);
    ready(&one).await;
    ready(&two).await;
    let callers = (0..200).map(|n| get(if n % 2 == 0 { &one.client } else { &two.client }, &path));
    assert!(join_all(callers).await.iter().all(|answer| answer.status() == 200));
    assert_eq!(tmdb.asked(), 1);
    one.stop().await;
    two.stop().await;
    let later = with(&tmdb, &redis).await;
    ready(&later).await;
    let kept = get(&later.client, &path).await;
    assert!(cache_status(&kept).starts_with("malecon; hit; ttl="), "{}", cache_status(&kept));
    assert_eq!(tmdb.asked(), 1);
    later.stop().await;
}

#[rstest]
#[case::dns("http://tmdb.invalid")]
#[case::refused("http://127.0.0.1:1")]
#[case::no_tls("https://PLAIN")]
#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_tmdb_is_a_problem(#[case] url: &str) {
    let tmdb = Tmdb::new().await;
    let url = url.replace("PLAIN", tmdb.url.strip_prefix("http://").unwrap());
    let malecon = at(&url, &[]).await;
    let answer = get(&malecon.client, POPULAR).await;
    assert!([502, 503, 504].contains(&answer.status().as_u16()));
    assert!(answer.headers().contains_key("retry-after"));
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_answers_follow_when_tmdb_is_back() {
    let tmdb = Tmdb::new().await;
    let malecon = with(&tmdb, &["--cache-ttl", "100ms"]).await;
    let client = &malecon.client;
    get(client, POPULAR).await;
    tmdb.turn(Mood::Status(500));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let begun = Instant::now();
    let until = async |wanted: &str| {
        while !cache_status(&get(client, POPULAR).await).contains(wanted) {
            assert!(begun.elapsed() < Duration::from_secs(30), "never {wanted}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until("fwd=stale").await;
    tmdb.turn(Mood::Fine);
    until("hit; ttl=0").await;
    malecon.stop().await;
}

#[tokio::test]
async fn without_a_token_for_tmdb_movies_say_so() {
    let client = crate::support::shared();
    for path in [POPULAR, "/api/movies/1"] {
        let answer = get(&client, path).await;
        assert_eq!(answer.status(), 503);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "tmdb_not_configured");
    }
    assert_eq!(get(&client, "/api/users/me/favorites").await.status(), 200);
}

#[rstest]
#[case("/api/movies/popular?page=501", 422)]
#[case("/api/movies/popular?page=1000001", 422)]
#[case("/api/movies/popular?page=99999999999", 400)]
#[case("/api/movies/popular?page=0", 400)]
#[case("/api/movies/popular?language=english", 400)]
#[case("/api/movies/popular?regoin=US", 400)]
#[case("/api/movies/abc", 404)]
#[tokio::test]
async fn nonsense_about_movies_is_refused(#[case] path: &str, #[case] status: u16) {
    assert_eq!(get(&crate::support::shared(), path).await.status(), status);
}
