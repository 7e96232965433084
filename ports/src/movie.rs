//! Movies of somebody else, and what users keep of them.

use async_trait::async_trait;
use malecon_domain::{
    Favorite, Instant, Movie, MoviePage, MovieQuery, Paged, PopularQuery, Rating, Sourced, Stars,
};

use crate::{GatewayError, RepositoryError};

/// A source of movies.
///
/// # Contract
/// - `popular` has each movie of a page once.
/// - `movie` is `None` for a number that the source does not know.
/// - What the source did not promise is `Malformed`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MovieGateway: Send + Sync {
    /// One page of popular movies.
    ///
    /// # Errors
    /// [`GatewayError`] after the adapter's own retries.
    async fn popular(&self, query: &PopularQuery) -> Result<Sourced<MoviePage>, GatewayError>;

    /// One movie with all details.
    ///
    /// # Errors
    /// [`GatewayError`] after the adapter's own retries.
    async fn movie(&self, id: i64) -> Result<Sourced<Option<Movie>>, GatewayError>;
}

/// Keeps the details of movies that users keep.
///
/// # Contract
/// - `details_are_replaced`: by later ones, and every list shows them.
/// - `movies_are_due_by_age`: the oldest first, of those that somebody keeps.
/// - `old_details_are_forgotten`: all but the number; the movie stays in its lists, and is due.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MovieRepository: Send + Sync {
    /// Keeps a movie's details, if anybody keeps the movie.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn refresh(&self, movie: &Movie, at: Instant) -> Result<(), RepositoryError>;

    /// Movies whose details are from before an instant, at most so many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn due(&self, before: Instant, most: u32) -> Result<Vec<i64>, RepositoryError>;

    /// Forgets details from before an instant; how many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn forget(&self, before: Instant) -> Result<u64, RepositoryError>;
}

/// Keeps users' favorites.
///
/// # Contract
/// - `a_favorite_is_added_once`: `true` the first time, `false` later; of many at once, one is first.
/// - `a_favorite_needs_a_user`: `MissingReference` without one.
/// - `favorites_have_the_users_own_stars`: and nobody else's.
/// - `favorites_are_sorted_and_cut_into_pages`: by release date and stars unless told, movies without
///   last either way, and the movie's number decides between equals.
/// - `favorites_are_cleared`: all of one user, none of others.
/// - `favorites_end_with_their_user`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait FavoriteRepository: Send + Sync {
    /// Adds a favorite and keeps its details; whether it was new.
    ///
    /// # Errors
    /// `MissingReference`; others of the store.
    async fn add(&self, user_id: i64, movie: &Movie, at: Instant) -> Result<bool, RepositoryError>;

    /// One of them, as the list shows it.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, user_id: i64, movie_id: i64) -> Result<Option<Favorite>, RepositoryError>;

    /// One page of a user's favorites.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn list(&self, user_id: i64, query: &MovieQuery) -> Result<Paged<Favorite>, RepositoryError>;

    /// Removes one; whether it was there.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn remove(&self, user_id: i64, movie_id: i64) -> Result<bool, RepositoryError>;

    /// Removes all of a user; how many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn clear(&self, user_id: i64) -> Result<u64, RepositoryError>;
}

/// Keeps users' ratings.
///
/// # Contract
/// - `the_first_rating_wins`: `add` is `false` when there is one; of many at once, one is `true`.
/// - `a_rating_needs_a_user`: `MissingReference` without one.
/// - `a_rating_is_corrected`: `change` is `false` when there is none.
/// - `a_removed_rating_is_gone`.
/// - `ratings_are_sorted_and_cut_into_pages`: as favorites are.
/// - `ratings_end_with_their_user`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RatingRepository: Send + Sync {
    /// Adds a rating and keeps the movie's details; whether it was new.
    ///
    /// # Errors
    /// `MissingReference`; others of the store.
    async fn add(
        &self,
        user_id: i64,
        movie: &Movie,
        stars: Stars,
        at: Instant,
    ) -> Result<bool, RepositoryError>;

    /// Sets the stars of a rating; whether there is one.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn change(
        &self,
        user_id: i64,
        movie_id: i64,
        stars: Stars,
        at: Instant,
    ) -> Result<bool, RepositoryError>;

    /// One of them, as the list shows it.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, user_id: i64, movie_id: i64) -> Result<Option<Rating>, RepositoryError>;

    /// One page of a user's ratings.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn list(&self, user_id: i64, query: &MovieQuery) -> Result<Paged<Rating>, RepositoryError>;

    /// Removes one; whether it was there.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn remove(&self, user_id: i64, movie_id: i64) -> Result<bool, RepositoryError>;
}
