//! Movies of somebody else, and what users keep of them.

mod gateway;
mod record;
#[cfg(test)]
mod tests;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use malecon_domain::{
    Favorite, Movie, MoviePage, MovieQuery, Paged, PopularQuery, Principal, Rating, Sourced, Stars,
};
use malecon_ports::{Clock, FavoriteRepository, MovieRepository, RatingRepository, UserRepository};

use self::gateway::SOURCE;
pub use self::gateway::ShieldedMovies;
pub use self::upkeep::MovieUpkeep;
use crate::ServiceError;
use crate::error::Lack;
use crate::user::{administrator, missing, own};

/// What [`MovieService`] needs.
#[derive(Clone)]
pub struct MoviePorts {
    /// Where movies come from, if anywhere is configured.
    pub source: Option<ShieldedMovies>,
    /// The details of movies that users keep.
    pub movies: Arc<dyn MovieRepository>,
    /// Users' favorites.
    pub favorites: Arc<dyn FavoriteRepository>,
    /// Users' ratings.
    pub ratings: Arc<dyn RatingRepository>,
    /// The users.
    pub users: Arc<dyn UserRepository>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Shows movies, and keeps users' favorites and ratings. Users see and change their own, and
/// administrators anybody's; somebody else's are not found.
#[derive(Clone)]
pub struct MovieService {
    ports: MoviePorts,
}

impl MovieService {
    /// A service over these ports.
    pub fn new(ports: MoviePorts) -> Self {
        Self { ports }
    }

    /// One page of popular movies.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn popular(
        &self,
        _: &Principal,
        query: &PopularQuery,
    ) -> Result<Sourced<Arc<MoviePage>>, ServiceError> {
        self.source()?.popular(query).await
    }

    /// One movie with all details.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn movie(&self, _: &Principal, id: i64) -> Result<Sourced<Arc<Movie>>, ServiceError> {
        let Sourced { value, at, freshness } = self.source()?.movie(id).await?;
        Ok(Sourced { value: value.ok_or(ServiceError::NotFound)?, at, freshness })
    }

    /// One page of a user's favorites.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn favorites(
        &self,
        caller: &Principal,
        user_id: i64,
        query: &MovieQuery,
    ) -> Result<Paged<Favorite>, ServiceError> {
        own(caller, user_id)?;
        let page = self.ports.favorites.list(user_id, query).await?;
        self.existing(user_id, page.total > 0).await?;
        Ok(page)
    }

    /// Adds a favorite; whether it was new. One that was there needs no source.
    ///
    /// # Errors
    /// `NotFound`, also for a movie that the source does not know; `Unavailable`.
    pub async fn add_favorite(
        &self,
        caller: &Principal,
        user_id: i64,
        movie_id: i64,
    ) -> Result<(Favorite, bool), ServiceError> {
        own(caller, user_id)?;
        let favorites = &self.ports.favorites;
        if let Some(favorite) = favorites.find(user_id, movie_id).await? {
            return Ok((favorite, false));
        }
        self.existing(user_id, false).await?;
        let movie = self.movie(caller, movie_id).await?.value;
        let at = self.ports.clock.now();
        let is_new = favorites.add(user_id, &movie, at).await.map_err(missing)?;
        let added = favorites.find(user_id, movie_id).await?;
        Ok((
            added.unwrap_or(Favorite { movie: Arc::unwrap_or_clone(movie), stars: None, added_at: at }),
            is_new,
        ))
    }

    /// Removes a favorite.
    ///
    /// # Errors
    /// `NotFound` when it was not there, `Unavailable`.
    pub async fn remove_favorite(
        &self,
        caller: &Principal,
        user_id: i64,
        movie_id: i64,
    ) -> Result<(), ServiceError> {
        own(caller, user_id)?;
        found(self.ports.favorites.remove(user_id, movie_id).await?)
    }

    /// Removes all favorites of a user, for administrators; how many.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Unavailable`.
    pub async fn clear_favorites(&self, caller: &Principal, user_id: i64) -> Result<u64, ServiceError> {
        administrator(caller)?;
        self.existing(user_id, false).await?;
        Ok(self.ports.favorites.clear(user_id).await?)
    }

    /// One page of a user's ratings.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn ratings(
        &self,
        caller: &Principal,
        user_id: i64,
        query: &MovieQuery,
    ) -> Result<Paged<Rating>, ServiceError> {
        own(caller, user_id)?;
        let page = self.ports.ratings.list(user_id, query).await?;
        self.existing(user_id, page.total > 0).await?;
        Ok(page)
    }

    /// Rates a movie that the user has not rated.
    ///
    /// # Errors
    /// `Conflict` (`already_rated`); `NotFound`, also for a movie that the source does not know;
    /// `Unavailable`.
    pub async fn add_rating(
        &self,
        caller: &Principal,
        user_id: i64,
        movie_id: i64,
        stars: Stars,
    ) -> Result<Rating, ServiceError> {
        own(caller, user_id)?;
        let added = match self.ports.ratings.find(user_id, movie_id).await? {
            Some(_) => None,
            None => self.rate(caller, user_id, movie_id, stars).await?,
        };
        added.ok_or_else(|| ServiceError::conflict("already_rated", "this user has rated this movie"))
    }

    /// Rates a movie, or corrects its rating; whether it is new. A correction needs no source.
    ///
    /// # Errors
    /// `NotFound`, also for a movie that the source does not know; `Unavailable`.
    pub async fn set_rating(
        &self,
        caller: &Principal,
        user_id: i64,
        movie_id: i64,
        stars: Stars,
    ) -> Result<(Rating, bool), ServiceError> {
        match self.correct_rating(caller, user_id, movie_id, stars).await {
            Err(ServiceError::NotFound) => own(caller, user_id)?,
            corrected => return corrected.map(|rating| (rating, false)),
        }
        match self.rate(caller, user_id, movie_id, stars).await? {
            Some(rating) => Ok((rating, true)),
            // Somebody has rated it since.
            None => Ok((self.correct_rating(caller, user_id, movie_id, stars).await?, false)),
        }
    }

    /// Corrects a rating. It needs no source.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Unavailable`.
    pub async fn correct_rating(
        &self,
        caller: &Principal,
        user_id: i64,
        movie_id: i64,
        stars: Stars,
    ) -> Result<Rating, ServiceError> {
        own(caller, user_id)?;
        let ratings = &self.ports.ratings;
        found(ratings.change(user_id, movie_id, stars, self.ports.clock.now()).await?)?;
        ratings.find(user_id, movie_id).await?.ok_or(ServiceError::NotFound)
    }

    /// Removes a rating.
    ///
    /// # Errors
    /// `NotFound` when it was not there, `Unavailable`.
    pub async fn remove_rating(
        &self,
        caller: &Principal,
        user_id: i64,
        movie_id: i64,
    ) -> Result<(), ServiceError> {
        own(caller, user_id)?;
        found(self.ports.ratings.remove(user_id, movie_id).await?)
    }

    /// Rates a movie; `None` when it is rated already.
    async fn rate(
        &self,
        caller: &Principal,
        user_id: i64,
        movie_id: i64,
        stars: Stars,
    ) -> Result<Option<Rating>, ServiceError> {
        self.existing(user_id, false).await?;
        let movie = self.movie(caller, movie_id).await?.value;
        let (ratings, at) = (&self.ports.ratings, self.ports.clock.now());
        if !ratings.add(user_id, &movie, stars, at).await.map_err(missing)? {
            return Ok(None);
        }
        let added = ratings.find(user_id, movie_id).await?;
        let movie = Arc::unwrap_or_clone(movie);
        Ok(Some(added.unwrap_or(Rating { movie, stars, created_at: at, updated_at: at })))
    }

    fn source(&self) -> Result<&ShieldedMovies, ServiceError> {
        self.ports.source.as_ref().ok_or_else(|| ServiceError::Unavailable {
            what: SOURCE,
            lack: Lack::NotConfigured("tmdb_not_configured"),
            retry_after: Duration::from_secs(60 * 60),
            source: Arc::from(malecon_ports::Cause::from("no token for it is configured")),
        })
    }

    /// There is such a user. Who keeps something is one.
    async fn existing(&self, user_id: i64, keeps_something: bool) -> Result<(), ServiceError> {
        if keeps_something {
            return Ok(());
        }
        self.ports.users.find(user_id).await?.map(|_| ()).ok_or(ServiceError::NotFound)
    }
}

fn found(was_there: bool) -> Result<(), ServiceError> {
    if was_there { Ok(()) } else { Err(ServiceError::NotFound) }
}
