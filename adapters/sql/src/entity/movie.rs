//! A movie's row: the details as JSON, and beside them what lists are sorted by.

use chrono::{Datelike, NaiveDate};
use malecon_domain::text::fold;
use malecon_domain::{Favorite, Genre, Instant, Movie, Rating, Stars};
use malecon_ports::RepositoryError;
use sea_orm::{FromQueryResult, Value};
use serde::{Deserialize, Serialize};

use super::country::instant;

/// The columns that [`values`] are for.
pub const COLUMNS: &str = "id, title_folded, release_date, record, fetched_at";

/// What a movie's row holds, in the order of [`COLUMNS`].
pub fn values(movie: &Movie, at: Instant) -> Result<[Value; 5], RepositoryError> {
    let record = serde_json::to_string(&DetailsJson::from(movie))
        .map_err(|error| RepositoryError::Corrupt(error.into()))?;
    Ok([
        movie.id.into(),
        // PostgreSQL has no such letter.
        fold(&movie.title).replace('\0', "").into(),
        movie.release_date.map(|date| i64::from(date.num_days_from_ce())).into(),
        record.into(),
        at.timestamp_micros().into(),
    ])
}

/// A movie of a list, and what its user said of it.
#[derive(FromQueryResult)]
pub struct Listed {
    id: i64,
    release_date: Option<i64>,
    record: String,
    stars: Option<i64>,
    added_at: i64,
    updated_at: i64,
}

impl Listed {
    fn movie(&self) -> Result<Movie, RepositoryError> {
        let release_date = self.release_date.map(date).transpose()?;
        // It was forgotten.
        if self.record.is_empty() {
            return Ok(Movie { id: self.id, ..Movie::default() });
        }
        let details: DetailsJson =
            serde_json::from_str(&self.record).map_err(|error| RepositoryError::Corrupt(error.into()))?;
        Ok(Movie { id: self.id, release_date, ..details.into() })
    }

    fn stars(&self) -> Result<Option<Stars>, RepositoryError> {
        let stars = |number| u64::try_from(number).ok().and_then(Stars::new);
        let impossible = || RepositoryError::Corrupt("impossible stars".into());
        self.stars.map(|number| stars(number).ok_or_else(impossible)).transpose()
    }
}

impl TryFrom<Listed> for Favorite {
    type Error = RepositoryError;

    fn try_from(row: Listed) -> Result<Self, RepositoryError> {
        Ok(Self { movie: row.movie()?, stars: row.stars()?, added_at: instant(row.added_at)? })
    }
}

impl TryFrom<Listed> for Rating {
    type Error = RepositoryError;

    fn try_from(row: Listed) -> Result<Self, RepositoryError> {
        Ok(Self {
            movie: row.movie()?,
            stars: row.stars()?.ok_or_else(|| RepositoryError::Corrupt("no stars".into()))?,
            created_at: instant(row.added_at)?,
            updated_at: instant(row.updated_at)?,
        })
    }
}

fn date(days: i64) -> Result<NaiveDate, RepositoryError> {
    let date = i32::try_from(days).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
    date.ok_or_else(|| RepositoryError::Corrupt("an impossible date".into()))
}

/// All but the number and the date, which have columns. What is missing is left out.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct DetailsJson {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overview: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tagline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Number and name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    genres: Vec<(i64, Option<String>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    popularity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vote_average: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vote_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poster_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backdrop_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imdb_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revenue: Option<u64>,
    adult: bool,
}

impl From<&Movie> for DetailsJson {
    fn from(movie: &Movie) -> Self {
        let movie = movie.clone();
        Self {
            title: movie.title,
            original_title: movie.original_title,
            original_language: movie.original_language,
            overview: movie.overview,
            tagline: movie.tagline,
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

impl From<DetailsJson> for Movie {
    fn from(details: DetailsJson) -> Self {
        Self {
            id: 0,
            title: details.title,
            original_title: details.original_title,
            original_language: details.original_language,
            overview: details.overview,
            tagline: details.tagline,
            release_date: None,
            runtime: details.runtime,
            status: details.status,
            genres: details.genres.into_iter().map(|(id, name)| Genre { id, name }).collect(),
            popularity: details.popularity,
            vote_average: details.vote_average,
            vote_count: details.vote_count,
            poster_path: details.poster_path,
            backdrop_path: details.backdrop_path,
            homepage: details.homepage,
            imdb_id: details.imdb_id,
            budget: details.budget,
            revenue: details.revenue,
            adult: details.adult,
        }
    }
}
