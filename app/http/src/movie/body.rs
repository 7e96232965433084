//! JSON bodies of movies.

use malecon::domain::{Favorite, Movie, Rating};
use poem_openapi::Object;
use serde::Serialize;

use crate::listing::page_of;
use crate::ready::rfc3339;

/// A movie. In lists of popular movies, TMDB tells less.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Movie")]
pub(crate) struct MovieBody {
    /// TMDB's number.
    id: i64,
    /// Title in the language asked for.
    title: String,
    /// Title in its own language.
    original_title: Option<String>,
    /// ISO 639-1.
    original_language: Option<String>,
    /// What it is about.
    overview: Option<String>,
    /// One line about it.
    tagline: Option<String>,
    /// When it was first shown, e.g. 1977-05-25.
    release_date: Option<String>,
    /// Minutes.
    runtime: Option<u32>,
    /// E.g. Released.
    status: Option<String>,
    /// Its genres.
    genres: Vec<GenreBody>,
    /// TMDB's own measure, the larger the more popular.
    popularity: Option<f64>,
    /// 0 to 10.
    vote_average: Option<f64>,
    /// How many voted.
    vote_count: Option<u64>,
    /// Path of a poster; put `https://image.tmdb.org/t/p/w500` or another size before it.
    poster_path: Option<String>,
    /// Path of a wide picture.
    backdrop_path: Option<String>,
    /// Its page.
    homepage: Option<String>,
    /// Its number in the Internet Movie Database.
    imdb_id: Option<String>,
    /// Cost in US dollars.
    budget: Option<u64>,
    /// Takings in US dollars.
    revenue: Option<u64>,
    /// Whether it is for adults only.
    adult: bool,
}

/// A genre.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Genre")]
struct GenreBody {
    /// TMDB's number.
    id: i64,
    /// Its name, where TMDB tells it.
    name: Option<String>,
}

impl From<&Movie> for MovieBody {
    fn from(movie: &Movie) -> Self {
        let genres = movie.genres.iter().map(|genre| GenreBody { id: genre.id, name: genre.name.clone() });
        Self {
            id: movie.id,
            title: movie.title.clone(),
            original_title: movie.original_title.clone(),
            original_language: movie.original_language.clone(),
            overview: movie.overview.clone(),
            tagline: movie.tagline.clone(),
            release_date: movie.release_date.map(|date| date.to_string()),
            runtime: movie.runtime,
            status: movie.status.clone(),
            genres: genres.collect(),
            popularity: movie.popularity,
            vote_average: movie.vote_average,
            vote_count: movie.vote_count,
            poster_path: movie.poster_path.clone(),
            backdrop_path: movie.backdrop_path.clone(),
            homepage: movie.homepage.clone(),
            imdb_id: movie.imdb_id.clone(),
            budget: movie.budget,
            revenue: movie.revenue,
            adult: movie.adult,
        }
    }
}

/// A movie that a user keeps.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Favorite")]
pub(crate) struct FavoriteBody {
    #[serde(flatten)]
    #[oai(flatten)]
    movie: MovieBody,
    /// What the user thinks of it: 0 to 5.
    stars: Option<u8>,
    /// When it was added, RFC 3339 UTC.
    added_at: String,
}

impl From<&Favorite> for FavoriteBody {
    fn from(favorite: &Favorite) -> Self {
        Self {
            movie: MovieBody::from(&favorite.movie),
            stars: favorite.stars.map(|stars| stars.number()),
            added_at: rfc3339(favorite.added_at),
        }
    }
}

/// A movie that a user has rated.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Rating")]
pub(crate) struct RatingBody {
    #[serde(flatten)]
    #[oai(flatten)]
    movie: MovieBody,
    /// What the user thinks of it: 0 to 5.
    stars: u8,
    /// When it was first rated, RFC 3339 UTC.
    created_at: String,
    /// When the stars were last set, RFC 3339 UTC.
    updated_at: String,
}

impl From<&Rating> for RatingBody {
    fn from(rating: &Rating) -> Self {
        Self {
            movie: MovieBody::from(&rating.movie),
            stars: rating.stars.number(),
            created_at: rfc3339(rating.created_at),
            updated_at: rfc3339(rating.updated_at),
        }
    }
}

/// How many were removed.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Cleared")]
pub(crate) struct ClearedBody {
    /// How many were removed.
    pub removed: u64,
}

page_of!(MoviesPage, MovieBody, "A page of movies.");
page_of!(FavoritePage, FavoriteBody, "A page of favorites.");
page_of!(RatingPage, RatingBody, "A page of ratings.");
