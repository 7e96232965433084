//! Ratings in a table.

use async_trait::async_trait;
use malecon_domain::{Instant, Movie, MovieQuery, Paged, Rating, Stars};
use malecon_ports::{RatingRepository, RepositoryError};
use sea_orm::ConnectionTrait;

use crate::db::Db;
use crate::error::classify;
use crate::movie::{List, execute, keep};

const LIST: List =
    List { table: "ratings", columns: "ratings.stars, ratings.created_at AS added_at, ratings.updated_at" };

/// The ratings of one database.
#[derive(Clone, Debug)]
pub struct SqlRatingRepository {
    db: Db,
}

impl SqlRatingRepository {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl RatingRepository for SqlRatingRepository {
    async fn add(
        &self,
        user_id: i64,
        movie: &Movie,
        stars: Stars,
        at: Instant,
    ) -> Result<bool, RepositoryError> {
        let sql = "INSERT INTO ratings (user_id, movie_id, stars, created_at, updated_at, released) \
                   SELECT $1, id, $3, $4, $4, COALESCE(release_date, -1) FROM movies WHERE id = $2 \
                   ON CONFLICT (user_id, movie_id) DO NOTHING";
        let values =
            [user_id.into(), movie.id.into(), i64::from(stars.number()).into(), at.timestamp_micros().into()];
        let transaction = self.db.begin().await?;
        keep(&transaction, movie, at).await?;
        let added = execute(&transaction, sql, values).await? == 1;
        if added {
            tell_favorite(&transaction, user_id, movie.id, Some(stars)).await?;
        }
        transaction.commit().await.map_err(classify)?;
        Ok(added)
    }

    async fn change(
        &self,
        user_id: i64,
        movie_id: i64,
        stars: Stars,
        at: Instant,
    ) -> Result<bool, RepositoryError> {
        let sql = "UPDATE ratings SET stars = $3, updated_at = $4 WHERE user_id = $1 AND movie_id = $2";
        let values =
            [user_id.into(), movie_id.into(), i64::from(stars.number()).into(), at.timestamp_micros().into()];
        let transaction = self.db.begin().await?;
        hold(&transaction, movie_id).await?;
        let changed = execute(&transaction, sql, values).await? == 1;
        if changed {
            tell_favorite(&transaction, user_id, movie_id, Some(stars)).await?;
        }
        transaction.commit().await.map_err(classify)?;
        Ok(changed)
    }

    async fn find(&self, user_id: i64, movie_id: i64) -> Result<Option<Rating>, RepositoryError> {
        LIST.find(&self.db, user_id, movie_id).await
    }

    async fn list(&self, user_id: i64, query: &MovieQuery) -> Result<Paged<Rating>, RepositoryError> {
        LIST.page(&self.db, user_id, query).await
    }

    async fn remove(&self, user_id: i64, movie_id: i64) -> Result<bool, RepositoryError> {
        let sql = "DELETE FROM ratings WHERE user_id = $1 AND movie_id = $2";
        let transaction = self.db.begin().await?;
        hold(&transaction, movie_id).await?;
        let removed = execute(&transaction, sql, [user_id.into(), movie_id.into()]).await? == 1;
        tell_favorite(&transaction, user_id, movie_id, None).await?;
        transaction.commit().await.map_err(classify)?;
        Ok(removed)
    }
}

/// Holds the movie's row until the transaction ends, as [`keep`] does: who adds the movie to the same
/// user's favorites now must see what becomes of the rating, or be seen.
async fn hold(db: &impl ConnectionTrait, movie_id: i64) -> Result<(), RepositoryError> {
    execute(db, "UPDATE movies SET id = id WHERE id = $1", [movie_id.into()]).await.map(|_| ())
}

/// Writes a user's stars beside its favorite, if the movie is one.
async fn tell_favorite(
    db: &impl ConnectionTrait,
    user_id: i64,
    movie_id: i64,
    stars: Option<Stars>,
) -> Result<(), RepositoryError> {
    let sql = "UPDATE favorites SET stars = $3 WHERE user_id = $1 AND movie_id = $2";
    let stars = stars.map_or(-1, |stars| i64::from(stars.number()));
    execute(db, sql, [user_id.into(), movie_id.into(), stars.into()]).await.map(|_| ())
}
