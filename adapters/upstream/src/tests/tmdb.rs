//! TMDB, in invented movies.

mod failure;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{Freshness, Genre, Instant, PopularQuery};
use malecon_ports::{Clock, GatewayError, MovieGateway};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::stub::{Reply, Stub, client, ok};
use crate::Tmdb;

const TOKEN: &str = "t0p.s3cret.t0ken";

/// A clock that stands still.
struct Noon;

fn noon() -> Instant {
    Instant::from_timestamp(1_700_000_000, 0).unwrap()
}

#[async_trait]
impl Clock for Noon {
    fn now(&self) -> Instant {
        noon()
    }

    async fn sleep(&self, _: Duration) {}
}

fn tmdb(url: &str) -> Tmdb {
    Tmdb::new(client(), url.parse().unwrap(), TOKEN, Arc::new(Noon))
}

/// Asks an upstream that gives one reply for ever.
async fn against(reply: Reply) -> (Tmdb, Stub) {
    let stub = Stub::new(vec![reply]).await;
    (tmdb(stub.url.as_str()), stub)
}

fn query(page: u32) -> PopularQuery {
    PopularQuery::new(page, None, None).unwrap()
}

fn row(id: i64) -> Value {
    json!({
        "adult": false, "backdrop_path": "/b.jpg", "genre_ids": [1, 2, 1], "id": id, "original_language": "xx",
        "original_title": format!("Ti {id}"), "overview": "A lighthouse keeper learns to swim.", "popularity": 12.5,
        "poster_path": "/p.jpg", "release_date": "2031-02-28", "title": format!("Tide {id}"), "video": false,
        "vote_average": 7.25, "vote_count": 40,
    })
}

fn listed(rows: &[Value]) -> Value {
    json!({"page": 1, "results": rows, "total_pages": 41_000, "total_results": 820_000})
}

fn alone(id: i64) -> Value {
    let mut movie = row(id);
    let more = json!({
        "genres": [{"id": 1, "name": "Seaside"}, {"id": 2, "name": ""}, {"name": "No number"}, "odd"],
        "runtime": 95, "tagline": "Mind the gap.", "status": "Released", "homepage": "https://tide.example/",
        "imdb_id": "tt0000000", "budget": 0, "revenue": 12_000, "belongs_to_collection": null,
        "production_companies": [{"id": 9, "name": "Pier"}], "spoken_languages": [],
    });
    movie.as_object_mut().unwrap().remove("genre_ids");
    movie.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    movie
}

#[tokio::test]
async fn popular_movies_are_asked_for_with_the_token() {
    let server = MockServer::start().await;
    let wanted = || Mock::given(method("GET")).and(path("/3/movie/popular"));
    let wanted = || wanted().and(header("authorization", format!("Bearer {TOKEN}")));
    let whole = wanted().and(query_param("page", "7")).and(query_param("language", "pt-BR"));
    let page = ResponseTemplate::new(200).set_body_json(listed(&[row(1), row(2)]));
    whole.and(query_param("region", "BR")).respond_with(page.clone()).expect(1).mount(&server).await;
    let bare = wanted().and(query_param("page", "1")).and(query_param_is_missing("language"));
    let bare = bare.and(query_param_is_missing("region")).and(query_param_is_missing("api_key"));
    bare.respond_with(page).expect(2).mount(&server).await;

    let query_of_all = PopularQuery::new(7, Some("pt-BR".into()), Some("BR".into())).unwrap();
    let found = tmdb(&format!("{}/3", server.uri())).popular(&query_of_all).await.unwrap();
    assert_eq!((found.at, found.freshness), (noon(), Freshness::Fetched));
    assert_eq!((found.value.pages, found.value.total), (500, 820_000), "only 500 pages can be asked for");
    assert_eq!(found.value.movies.len(), 2);
    let movie = &found.value.movies[0];
    assert_eq!(
        (movie.id, movie.title.as_str(), movie.original_title.as_deref()),
        (1, "Tide 1", Some("Ti 1"))
    );
    assert_eq!(movie.release_date.unwrap().to_string(), "2031-02-28");
    assert_eq!((movie.popularity, movie.vote_average, movie.vote_count), (Some(12.5), Some(7.25), Some(40)));
    assert_eq!(
        (movie.poster_path.as_deref(), movie.backdrop_path.as_deref()),
        (Some("/p.jpg"), Some("/b.jpg"))
    );
    assert_eq!(movie.genres, [1, 2].map(|id| Genre { id, name: None }));
    assert_eq!((movie.runtime, movie.tagline.as_ref(), movie.budget, movie.adult), (None, None, None, false));

    for base in ["/3/", "/3?api_key=other"] {
        tmdb(&format!("{}{base}", server.uri())).popular(&query(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_movie_alone_has_all_details() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET")).and(path("/3/movie/42"));
    let mock = mock.and(header("authorization", format!("Bearer {TOKEN}")));
    mock.respond_with(ResponseTemplate::new(200).set_body_json(alone(42))).expect(1).mount(&server).await;
    let found = tmdb(&format!("{}/3", server.uri())).movie(42).await.unwrap();
    assert_eq!((found.at, found.freshness), (noon(), Freshness::Fetched));
    let movie = found.value.unwrap();
    let seaside = Genre { id: 1, name: Some("Seaside".into()) };
    assert_eq!(movie.genres, [seaside, Genre { id: 2, name: None }], "what is no genre is left out");
    assert_eq!((movie.runtime, movie.status.as_deref()), (Some(95), Some("Released")));
    assert_eq!(
        (movie.tagline.as_deref(), movie.imdb_id.as_deref()),
        (Some("Mind the gap."), Some("tt0000000"))
    );
    assert_eq!(movie.homepage.as_deref(), Some("https://tide.example/"));
    assert_eq!((movie.budget, movie.revenue), (None, Some(12_000)), "0 is what nobody told");
}

#[tokio::test]
async fn a_movie_that_comes_twice_is_there_once() {
    let mut later = row(1);
    later["title"] = json!("Later");
    let (tmdb, _stub) = against(ok(&listed(&[row(1), row(2), later, row(2)]).to_string())).await;
    let movies = tmdb.popular(&query(1)).await.unwrap().value.movies;
    assert_eq!(movies.iter().map(|movie| movie.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(movies[0].title, "Tide 1", "the first one counts");
}

#[rstest]
#[case::null(Value::Null)]
#[case::empty(json!(""))]
#[case::map(json!({}))]
#[case::list(json!([{}]))]
#[case::flag(json!(true))]
#[case::huge(json!(-1e300))]
#[tokio::test]
async fn what_is_not_as_it_should_be_is_missing(#[case] wrong: Value) {
    for strip in [false, true] {
        let mut movie = alone(5);
        movie["genre_ids"] = json!([1]);
        for (name, value) in movie.as_object_mut().unwrap() {
            if !["id", "title"].contains(&name.as_str()) {
                *value = wrong.clone();
            }
        }
        if strip {
            movie.as_object_mut().unwrap().retain(|name, _| ["id", "title"].contains(&name.as_str()));
        }
        let (tmdb, _stub) = against(ok(&movie.to_string())).await;
        let mut found = tmdb.movie(5).await.unwrap().value.unwrap();
        if wrong == json!(true) {
            found.adult = false;
        }
        let bare = malecon_domain::Movie { id: 5, title: "Tide 5".into(), ..Default::default() };
        assert_eq!(found, bare);
    }
}

#[rstest]
#[case("")]
#[case("2031")]
#[case("2031-02-30")]
#[case("31-02-2031")]
#[case("+12031-01-01")]
#[case("2031-02-28T00:00:00Z")]
#[tokio::test]
async fn a_date_that_is_none_is_missing(#[case] date: &str) {
    let mut movie = row(1);
    movie["release_date"] = json!(date);
    let (tmdb, _stub) = against(ok(&listed(&[movie]).to_string())).await;
    assert_eq!(tmdb.popular(&query(1)).await.unwrap().value.movies[0].release_date, None);
}

#[rstest]
#[case::no_id(json!({"title": "Tide"}))]
#[case::text_id(json!({"id": "1", "title": "Tide"}))]
#[case::zero(json!({"id": 0, "title": "Tide"}))]
#[case::negative(json!({"id": -1, "title": "Tide"}))]
#[case::fraction(json!({"id": 1.5, "title": "Tide"}))]
#[case::no_title(json!({"id": 1}))]
#[case::null_title(json!({"id": 1, "title": null}))]
#[case::blank_title(json!({"id": 1, "title": ""}))]
#[case::number_for_a_title(json!({"id": 1, "title": 1984}))]
#[case::text(json!("Tide"))]
#[case::null(Value::Null)]
#[tokio::test]
async fn a_row_that_is_no_movie_is_left_out_and_a_page_of_them_malformed(#[case] bad: Value) {
    let (one, _stub) = against(ok(&listed(&[bad.clone(), row(2)]).to_string())).await;
    let movies = one.popular(&query(1)).await.unwrap().value.movies;
    assert_eq!(movies.iter().map(|movie| movie.id).collect::<Vec<_>>(), [2]);
    let (all, _stub) = against(ok(&listed(&[bad.clone(), bad.clone()]).to_string())).await;
    let error = all.popular(&query(1)).await.unwrap_err();
    assert!(matches!(error, GatewayError::Malformed(_)), "{error:?}");
    let (alone, _stub) = against(ok(&bad.to_string())).await;
    let error = alone.movie(1).await.unwrap_err();
    assert!(matches!(error, GatewayError::Malformed(_)), "{error:?}");
}

#[rstest]
#[case::html(ok("<html>Sorry"))]
#[case::nothing(ok(""))]
#[case::empty(ok("{}"))]
#[case::null(ok("null"))]
#[case::list(ok("[]"))]
#[case::map_of_results(ok(r#"{"results": {}}"#))]
#[case::error_with_200(ok(r#"{"success": false, "status_code": 7, "status_message": "no"}"#))]
#[case::many(ok(&listed(&vec![json!({}); 201]).to_string()))]
#[tokio::test]
async fn what_is_no_answer_is_malformed(#[case] reply: Reply) {
    let (tmdb, stub) = against(reply).await;
    let errors = [tmdb.popular(&query(1)).await.unwrap_err(), tmdb.movie(1).await.unwrap_err()];
    assert!(errors.iter().all(|error| matches!(error, GatewayError::Malformed(_))), "{errors:?}");
    assert_eq!(stub.asked(), 2, "it is not asked again");
}

#[tokio::test]
async fn another_movie_than_the_one_asked_for_is_malformed() {
    let (tmdb, _stub) = against(ok(&alone(6).to_string())).await;
    assert!(matches!(tmdb.movie(7).await, Err(GatewayError::Malformed(_))));
}

#[tokio::test]
async fn a_page_beyond_the_last_is_empty() {
    let body = json!({"page": 500, "results": [], "total_pages": 3, "total_results": 60});
    let (tmdb, _stub) = against(ok(&body.to_string())).await;
    let page = tmdb.popular(&query(500)).await.unwrap().value;
    assert_eq!((page.movies.len(), page.pages, page.total), (0, 3, 60));
}

#[rstest]
#[case(Value::Null, Value::Null, 4, 1)]
#[case(json!("many"), json!(-1), 4, 1)]
#[case(json!(1e12), json!(5), 500, 5)]
#[tokio::test]
async fn counts_that_are_none_are_what_was_seen(
    #[case] total_pages: Value,
    #[case] total_results: Value,
    #[case] pages: u32,
    #[case] total: u64,
) {
    let body = json!({"results": [row(1)], "total_pages": total_pages, "total_results": total_results});
    let (tmdb, _stub) = against(ok(&body.to_string())).await;
    let page = tmdb.popular(&query(4)).await.unwrap().value;
    assert_eq!((page.pages, page.total), (pages, total));
}

#[tokio::test]
async fn no_movie_brings_a_script_and_one_bad_movie_spoils_no_page() {
    let mut bad = row(1);
    bad["title"] = json!("a\u{1b}]0;b");
    let mut sly = row(2);
    sly["poster_path"] = json!("javascript:alert(1)");
    let (source, _stub) = against(ok(&listed(&[bad, sly, row(3)]).to_string())).await;
    let page = source.popular(&query(1)).await.unwrap().value;
    assert_eq!(page.movies.iter().map(|movie| movie.id).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(page.movies[0].poster_path, None);

    let mut sly = alone(4);
    sly["homepage"] = json!("javascript:alert(1)");
    let (source, _stub) = against(ok(&sly.to_string())).await;
    let movie = source.movie(4).await.unwrap().value.unwrap();
    assert_eq!((movie.homepage, movie.imdb_id.as_deref()), (None, Some("tt0000000")));
}
