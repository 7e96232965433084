//! Movies as bytes, for the far cache.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use malecon_domain::{Genre, Movie, MoviePage};
use serde::{Deserialize, Serialize};

use crate::shield::Codec;

/// Movies as JSON. A field more or less makes no difference: processes of two versions may share a
/// cache.
pub(super) struct Json;

impl Codec<Arc<MoviePage>> for Json {
    fn encode(&self, page: &Arc<MoviePage>) -> Vec<u8> {
        let record = PageRecord {
            movies: page.movies.iter().map(MovieRecord::from).collect(),
            pages: page.pages,
            total: page.total,
        };
        serde_json::to_vec(&record).unwrap_or_default()
    }

    fn decode(&self, bytes: &[u8]) -> Option<Arc<MoviePage>> {
        let record: PageRecord = serde_json::from_slice(bytes).ok()?;
        let movies = record.movies.into_iter().map(Movie::from).collect();
        Some(Arc::new(MoviePage::new(movies, record.pages, record.total)))
    }
}

impl Codec<Option<Arc<Movie>>> for Json {
    fn encode(&self, movie: &Option<Arc<Movie>>) -> Vec<u8> {
        serde_json::to_vec(&movie.as_deref().map(MovieRecord::from)).unwrap_or_default()
    }

    fn decode(&self, bytes: &[u8]) -> Option<Option<Arc<Movie>>> {
        let record: Option<MovieRecord> = serde_json::from_slice(bytes).ok()?;
        Some(record.map(|record| Arc::new(record.into())))
    }
}

#[derive(Serialize, Deserialize)]
struct PageRecord {
    movies: Vec<MovieRecord>,
    pages: u32,
    total: u64,
}

#[derive(Serialize, Deserialize)]
struct MovieRecord {
    id: i64,
    title: String,
    original_title: Option<String>,
    original_language: Option<String>,
    overview: Option<String>,
    tagline: Option<String>,
    /// Days since the first of the year 1, which is day 1.
    release_date: Option<i32>,
    runtime: Option<u32>,
    status: Option<String>,
    /// Number and name.
    genres: Vec<(i64, Option<String>)>,
    popularity: Option<f64>,
    vote_average: Option<f64>,
    vote_count: Option<u64>,
    poster_path: Option<String>,
    backdrop_path: Option<String>,
    homepage: Option<String>,
    imdb_id: Option<String>,
    budget: Option<u64>,
    revenue: Option<u64>,
    adult: bool,
}

impl From<&Movie> for MovieRecord {
    fn from(movie: &Movie) -> Self {
        let movie = movie.clone();
        Self {
            id: movie.id,
            title: movie.title,
            original_title: movie.original_title,
            original_language: movie.original_language,
            overview: movie.overview,
            tagline: movie.tagline,
            release_date: movie.release_date.map(|date| date.num_days_from_ce()),
            runtime: movie.runtime,
            status: movie.status,
            genres: movie.genres.into_iter().map(|genre| (genre.id, genre.name)).collect(),
            popularity: movie.popularity,
            vote_average: movie.vote_average,
            vote_count: movie.vote_count,
            poster_path: movie.poster_path,
            backdrop_path: movie.backdrop_path,
            homepage: movie.homepage,
            imdb_id: movie.imdb_id,
            budget: movie.budget,
            revenue: movie.revenue,
            adult: movie.adult,
        }
    }
}

impl From<MovieRecord> for Movie {
    fn from(record: MovieRecord) -> Self {
        Self {
            id: record.id,
            title: record.title,
            original_title: record.original_title,
            original_language: record.original_language,
            overview: record.overview,
            tagline: record.tagline,
            release_date: record.release_date.and_then(NaiveDate::from_num_days_from_ce_opt),
            runtime: record.runtime,
            status: record.status,
            genres: record.genres.into_iter().map(|(id, name)| Genre { id, name }).collect(),
            popularity: record.popularity,
            vote_average: record.vote_average,
            vote_count: record.vote_count,
            poster_path: record.poster_path,
            backdrop_path: record.backdrop_path,
            homepage: record.homepage,
            imdb_id: record.imdb_id,
            budget: record.budget,
            revenue: record.revenue,
            adult: record.adult,
        }
    }
}
