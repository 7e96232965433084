//! The Movie Database, v3, with a read token.

use std::sync::Arc;

use async_trait::async_trait;
use malecon_domain::{Genre, Movie, MoviePage, PopularQuery, Sourced};
use malecon_ports::{Clock, GatewayError, MovieGateway};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::UpstreamClient;
use crate::json::{Object, Wrong, kind, parse};

/// Rows of a page at most. It has 20; more than these are no page.
const MOST_ROWS: usize = 200;

/// Movies of TMDB. Whoever shows them shows TMDB's notice too, and keeps nothing longer than six months.
#[derive(Clone)]
pub struct Tmdb {
    client: UpstreamClient,
    url: Url,
    token: SecretString,
    clock: Arc<dyn Clock>,
}

impl Tmdb {
    /// The API at this URL, e.g. `https://api.themoviedb.org/3`, with this read token.
    pub fn new(
        client: UpstreamClient,
        url: Url,
        token: impl Into<SecretString>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { client, url, token: token.into(), clock }
    }

    fn url(&self, last: &str) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("movie").push(last);
        }
        url.set_query(None);
        url
    }
}

#[async_trait]
impl MovieGateway for Tmdb {
    async fn popular(&self, query: &PopularQuery) -> Result<Sourced<MoviePage>, GatewayError> {
        let mut url = self.url("popular");
        url.query_pairs_mut().append_pair("page", &query.page().to_string());
        for (name, value) in [("language", &query.language), ("region", &query.region)] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let read = |body: &[u8]| page(&parse(body)?, query);
        let page = self.client.get(url, Some(&self.token), read).await?;
        Ok(Sourced::fetched(page, self.clock.now()))
    }

    async fn movie(&self, id: i64) -> Result<Sourced<Option<Movie>>, GatewayError> {
        let read = |body: &[u8]| details(&parse(body)?, id);
        let movie = self.client.find(self.url(&id.to_string()), Some(&self.token), is_missing, read).await?;
        Ok(Sourced::fetched(movie, self.clock.now()))
    }
}

/// Whether a 404 says that there is no such movie. Whoever believed a proxy's would lose what is kept.
fn is_missing(body: &[u8]) -> bool {
    parse(body).is_ok_and(|answer| answer["status_code"] == 34)
}

fn malformed(wrong: Wrong) -> GatewayError {
    GatewayError::Malformed(wrong.into())
}

/// The movies of a page that can be read; at least one, if it has any.
fn page(answer: &Value, query: &PopularQuery) -> Result<MoviePage, GatewayError> {
    let Value::Array(rows) = &answer["results"] else {
        return Err(malformed(format!("expected a list of results, found {}", kind(answer))));
    };
    if rows.len() > MOST_ROWS {
        return Err(malformed(format!("{} rows are too many", rows.len())));
    }
    let (mut movies, mut wrong) = (vec![], vec![]);
    for row in rows {
        match movie(row) {
            Ok(movie) => movies.push(movie),
            Err(reason) => wrong.push(reason),
        }
    }
    if let Some(reason) = wrong.first() {
        if movies.is_empty() {
            return Err(malformed(format!("no row is a movie: {reason}")));
        }
        let (page, rows) = (query.page(), wrong.len());
        tracing::warn!(target: "malecon::upstream", page, rows, reason, "movies that can't be read are left out");
    }
    let known = Object::of(answer, "").map_err(malformed)?;
    // Without a count we know of what we have seen.
    let pages = known.count("total_pages").unwrap_or(query.page().into());
    let total = known.count("total_results").unwrap_or(movies.len() as u64);
    Ok(MoviePage::new(movies, u32::try_from(pages).unwrap_or(u32::MAX), total))
}

/// The movie that was asked for, and no other.
fn details(answer: &Value, id: i64) -> Result<Movie, GatewayError> {
    let movie = movie(answer).map_err(malformed)?;
    if movie.id != id {
        return Err(malformed(format!("asked for movie {id}, found movie {}", movie.id)));
    }
    Ok(movie)
}

/// A movie of a list or alone. Without a number and a title it is none; what else is wrong, or must not be
/// shown, is as good as missing.
fn movie(value: &Value) -> Result<Movie, Wrong> {
    let row = Object::of(value, "")?;
    let text = |name: &str| row.text(name).ok().flatten();
    let number = |name: &str| row.number(name).ok().flatten();
    let count = |name: &str| row.count(name).ok();
    // These are 0 when nobody has told TMDB.
    let told = |name: &str| count(name).filter(|count| *count > 0);
    let movie = Movie {
        id: row.get("id").and_then(Value::as_i64).ok_or("id is not a number from 1")?,
        title: row.text("title")?.ok_or("title is missing")?,
        original_title: text("original_title"),
        original_language: text("original_language"),
        overview: text("overview"),
        tagline: text("tagline"),
        // YYYY-MM-DD and nothing longer: years beyond 9999 fit no database.
        release_date: text("release_date").filter(|date| date.len() == 10).and_then(|date| date.parse().ok()),
        runtime: told("runtime").and_then(|minutes| minutes.try_into().ok()),
        status: text("status"),
        genres: genres(row),
        popularity: number("popularity"),
        vote_average: number("vote_average"),
        vote_count: count("vote_count"),
        poster_path: text("poster_path"),
        backdrop_path: text("backdrop_path"),
        homepage: text("homepage"),
        imdb_id: text("imdb_id"),
        budget: told("budget"),
        revenue: told("revenue"),
        adult: row.flag("adult").ok().flatten().unwrap_or_default(),
    };
    movie.checked().map_err(|error| error.to_string())
}

/// `genres` of a movie alone, `genre_ids` of one in a list.
fn genres(movie: Object<'_>) -> Vec<Genre> {
    let list = |name: &str| movie.list(name).unwrap_or_default().iter();
    let named = list("genres").filter_map(|genre| {
        let genre = Object::of(genre, "genres").ok()?;
        Some(Genre { id: genre.get("id")?.as_i64()?, name: genre.text("name").ok().flatten() })
    });
    let numbers = list("genre_ids").filter_map(|id| Some(Genre { id: id.as_i64()?, name: None }));
    let mut genres: Vec<Genre> = vec![];
    for genre in named.chain(numbers) {
        if genres.iter().all(|known| known.id != genre.id) {
            genres.push(genre);
        }
    }
    genres
}
