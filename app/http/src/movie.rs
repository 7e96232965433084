//! `/api/movies`, and users' favorites and ratings.

mod body;
mod params;

use std::sync::Arc;

use bytes::Bytes;
use malecon::domain::{MoviePage, MovieQuery, MovieSortKey, PopularQuery, Stars};
use malecon::{Draft, ServiceError};
use poem::http::StatusCode;
use poem::{Request, Response};
use poem_openapi::param::Path;
use poem_openapi::{OpenApi, Tags};
use serde::Serialize;

use crate::auth::{Caller, number, precondition, user_id};
use crate::body::Body;
use crate::listing::{Neighbours, page, sort};
use crate::problem::Problem;
use crate::query::Query;
use crate::ready::Ready;
use crate::services::Services;
use crate::written::{Changed, Gone, Made, MadeOrThere, Written};
use body::{ClearedBody, FavoriteBody, FavoritePage, MovieBody, MoviesPage, RatingBody, RatingPage};

pub(crate) use params::{LIST, MOVIE, POPULAR, RATING, STARS};
pub(crate) use params::{MOVIE_EXAMPLE, RATING_EXAMPLE, STARS_EXAMPLE};

#[derive(Tags)]
enum Tag {
    /// Movies from TMDB, kept. This product uses the TMDB API but is not endorsed or certified by TMDB.
    Movies,
}

pub(crate) struct MovieApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api/movies", tag = "Tag::Movies")]
impl MovieApi {
    /// List popular movies
    ///
    /// Twenty a page, as TMDB pages, up to page 500.
    #[oai(path = "/popular", method = "get", operation_id = "listPopularMovies")]
    async fn popular(&self, request: &Request, caller: Caller) -> Result<Ready<MoviesPage>, Problem> {
        let params = Query::read(request, POPULAR)?;
        let text = |name| params.text(name).map(str::to_owned);
        let region = text("region").map(|region| region.to_uppercase());
        let query = PopularQuery::new(params.parsed("page").unwrap_or(1), text("language"), region);
        let query = query.ok_or_else(|| {
            let detail = format!("there are pages 1 to {}", PopularQuery::LAST_PAGE);
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "page_out_of_range", detail)
        })?;
        let found = self.0.movies.popular(&caller.0, &query).await?;
        let key = format!("movies:popular:{}:{}", found.at.timestamp_micros(), params.normal(None));
        let page = found.value.clone();
        Ready::sourced(request, &self.0.answers, &key, &found, self.0.movie_ttl, async move {
            popular_draft(&params, &query, &page)
        })
        .await
    }

    /// Show a movie
    #[oai(path = "/:movie_id", method = "get", operation_id = "showMovie")]
    async fn show(
        &self,
        request: &Request,
        /// TMDB's number.
        #[oai(validator(max_length = 100))]
        movie_id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<MovieBody>, Problem> {
        Query::read(request, &[])?;
        let id = number(&movie_id.0)?;
        let found = self.0.movies.movie(&caller.0, id).await?;
        let key = format!("movies:one:{}:{id}", found.at.timestamp_micros());
        let movie = found.value.clone();
        Ready::sourced(request, &self.0.answers, &key, &found, self.0.movie_ttl, async move {
            draft(&MovieBody::from(&*movie), "")
        })
        .await
    }
}

fn popular_draft(params: &Query, query: &PopularQuery, page: &MoviePage) -> Result<Draft, ServiceError> {
    let neighbours = Neighbours::new("/api/movies/popular", params, query.page().into(), page.pages.into());
    let body = MoviesPage::new(page.total, &neighbours, page.movies.iter().map(MovieBody::from));
    draft(&body, &neighbours.link)
}

fn draft(body: &impl Serialize, link: &str) -> Result<Draft, ServiceError> {
    let bytes = serde_json::to_vec(body).map_err(|error| ServiceError::Internal(Arc::new(error)))?;
    Ok(Draft { body: Bytes::from(bytes), note: Bytes::copy_from_slice(link.as_bytes()) })
}

pub(crate) struct ShelfApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api/users", tag = "Tag::Movies")]
impl ShelfApi {
    /// List favorites
    ///
    /// The latest first, and among those of one day the best rated; movies without a date come last.
    #[oai(path = "/:user_id/favorites", method = "get", operation_id = "listFavorites")]
    async fn favorites(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<FavoritePage>, Problem> {
        let params = Query::read(request, LIST)?;
        let user = self::user_id(&caller.0, &user_id.0)?;
        let query = query(&params);
        let found = self.0.movies.favorites(&caller.0, user, &query).await?;
        let path = format!("/api/users/{}/favorites", user_id.0);
        let neighbours = Neighbours::of(&path, &params, query.page, found.total);
        let body = FavoritePage::new(found.total, &neighbours, found.items.iter().map(FavoriteBody::from));
        Ready::own(request, &body, &neighbours.link, self.0.answers.now())
    }

    /// Add a favorite
    #[oai(path = "/:user_id/favorites", method = "post", operation_id = "addFavorite")]
    async fn add_favorite(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<FavoriteBody, MadeOrThere>, Problem> {
        let movie = Body::read(request, &body, MOVIE)?.whole("movie_id").unwrap_or_default();
        self.put(&caller, &user_id.0, movie).await
    }

    /// Add a favorite
    ///
    /// Safe to repeat. It has no ETag: with `If-Match` it is a 412.
    #[oai(path = "/:user_id/favorites/:movie_id", method = "put", operation_id = "putFavorite")]
    async fn put_favorite(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        /// TMDB's number.
        #[oai(validator(max_length = 100))]
        movie_id: Path<String>,
        caller: Caller,
    ) -> Result<Written<FavoriteBody, MadeOrThere>, Problem> {
        unconditional(request)?;
        self.put(&caller, &user_id.0, number(&movie_id.0)?).await
    }

    /// Remove a favorite
    #[oai(path = "/:user_id/favorites/:movie_id", method = "delete", operation_id = "removeFavorite")]
    async fn remove_favorite(
        &self,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        /// TMDB's number.
        #[oai(validator(max_length = 100))]
        movie_id: Path<String>,
        caller: Caller,
    ) -> Result<Gone, Problem> {
        let user = self::user_id(&caller.0, &user_id.0)?;
        self.0.movies.remove_favorite(&caller.0, user, number(&movie_id.0)?).await?;
        Ok(Gone)
    }

    /// Clear a user's favorites
    ///
    /// For administrators.
    #[oai(path = "/:user_id/favorites", method = "delete", operation_id = "clearFavorites")]
    async fn clear_favorites(
        &self,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        caller: Caller,
    ) -> Result<Written<ClearedBody, Changed>, Problem> {
        let user = self::user_id(&caller.0, &user_id.0)?;
        let removed = self.0.movies.clear_favorites(&caller.0, user).await?;
        Written::there(&ClearedBody { removed })
    }

    /// List ratings
    #[oai(path = "/:user_id/ratings", method = "get", operation_id = "listRatings")]
    async fn ratings(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<RatingPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let user = self::user_id(&caller.0, &user_id.0)?;
        let query = query(&params);
        let found = self.0.movies.ratings(&caller.0, user, &query).await?;
        let path = format!("/api/users/{}/ratings", user_id.0);
        let neighbours = Neighbours::of(&path, &params, query.page, found.total);
        let body = RatingPage::new(found.total, &neighbours, found.items.iter().map(RatingBody::from));
        Ready::own(request, &body, &neighbours.link, self.0.answers.now())
    }

    /// Rate a movie
    #[oai(path = "/:user_id/ratings", method = "post", operation_id = "addRating")]
    async fn add_rating(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<RatingBody, Made>, Problem> {
        let body = Body::read(request, &body, RATING)?;
        let (user, movie) =
            (self::user_id(&caller.0, &user_id.0)?, body.whole("movie_id").unwrap_or_default());
        let rating = self.0.movies.add_rating(&caller.0, user, movie, stars(&body)?).await?;
        Written::made(&RatingBody::from(&rating), &format!("/api/users/{}/ratings", user_id.0))
    }

    /// Set a rating
    ///
    /// Makes it when there is none. Safe to repeat. It has no ETag: with `If-Match` it is a 412.
    #[oai(path = "/:user_id/ratings/:movie_id", method = "put", operation_id = "putRating")]
    async fn put_rating(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        /// TMDB's number.
        #[oai(validator(max_length = 100))]
        movie_id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<RatingBody, MadeOrThere>, Problem> {
        let stars = stars(&Body::read(request, &body, STARS)?)?;
        unconditional(request)?;
        let (user, movie) = (self::user_id(&caller.0, &user_id.0)?, number(&movie_id.0)?);
        let (rating, made) = self.0.movies.set_rating(&caller.0, user, movie, stars).await?;
        let body = RatingBody::from(&rating);
        if made {
            return Written::made(&body, &format!("/api/users/{}/ratings", user_id.0));
        }
        Written::there(&body)
    }

    /// Correct a rating
    ///
    /// It has no ETag: with `If-Match` it is a 412.
    #[oai(path = "/:user_id/ratings/:movie_id", method = "patch", operation_id = "changeRating")]
    async fn change_rating(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        /// TMDB's number.
        #[oai(validator(max_length = 100))]
        movie_id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<RatingBody, Changed>, Problem> {
        let stars = stars(&Body::read(request, &body, STARS)?)?;
        unconditional(request)?;
        let user = self::user_id(&caller.0, &user_id.0)?;
        let rating = self.0.movies.correct_rating(&caller.0, user, number(&movie_id.0)?, stars).await?;
        Written::there(&RatingBody::from(&rating))
    }

    /// Remove a rating
    #[oai(path = "/:user_id/ratings/:movie_id", method = "delete", operation_id = "removeRating")]
    async fn remove_rating(
        &self,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        /// TMDB's number.
        #[oai(validator(max_length = 100))]
        movie_id: Path<String>,
        caller: Caller,
    ) -> Result<Gone, Problem> {
        let user = self::user_id(&caller.0, &user_id.0)?;
        self.0.movies.remove_rating(&caller.0, user, number(&movie_id.0)?).await?;
        Ok(Gone)
    }
}

impl ShelfApi {
    async fn put(
        &self,
        caller: &Caller,
        user_id: &str,
        movie: i64,
    ) -> Result<Written<FavoriteBody, MadeOrThere>, Problem> {
        let user = self::user_id(&caller.0, user_id)?;
        let (favorite, made) = self.0.movies.add_favorite(&caller.0, user, movie).await?;
        let body = FavoriteBody::from(&favorite);
        if made {
            return Written::made(&body, &format!("/api/users/{user_id}/favorites"));
        }
        Written::there(&body)
    }
}

/// Favorites and ratings have no ETag that `If-Match` could name: a 412 for who names one.
fn unconditional(request: &Request) -> Result<(), Problem> {
    precondition(request, &Response::default()).map(|_| ())
}

fn query(params: &Query) -> MovieQuery {
    MovieQuery { sort: sort(params, &MovieSortKey::ALL, MovieSortKey::name), page: page(params) }
}

/// The stars of a body, which its table has checked.
fn stars(body: &Body) -> Result<Stars, Problem> {
    let number = body.whole("stars").and_then(|stars| u64::try_from(stars).ok());
    number.and_then(Stars::new).ok_or_else(Problem::internal)
}
