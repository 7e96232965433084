//! Favorites in a table.

use async_trait::async_trait;
use malecon_domain::{Favorite, Instant, Movie, MovieQuery, Paged};
use malecon_ports::{FavoriteRepository, RepositoryError};

use crate::db::Db;
use crate::error::classify;
use crate::movie::{List, execute, keep};

const LIST: List = List {
    table: "favorites",
    columns: "NULLIF(favorites.stars, -1) AS stars, favorites.added_at AS added_at, \
              favorites.added_at AS updated_at",
};

/// The favorites of one database.
#[derive(Clone, Debug)]
pub struct SqlFavoriteRepository {
    db: Db,
}

impl SqlFavoriteRepository {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl FavoriteRepository for SqlFavoriteRepository {
    async fn add(&self, user_id: i64, movie: &Movie, at: Instant) -> Result<bool, RepositoryError> {
        let sql = "INSERT INTO favorites (user_id, movie_id, added_at, released, stars) \
                   SELECT $1, id, $3, COALESCE(release_date, -1), COALESCE((SELECT stars FROM ratings \
                   WHERE user_id = $1 AND movie_id = $2), -1) FROM movies WHERE id = $2 \
                   ON CONFLICT (user_id, movie_id) DO NOTHING";
        let values = [user_id.into(), movie.id.into(), at.timestamp_micros().into()];
        let transaction = self.db.begin().await?;
        keep(&transaction, movie, at).await?;
        let added = execute(&transaction, sql, values).await?;
        transaction.commit().await.map_err(classify)?;
        Ok(added == 1)
    }

    async fn find(&self, user_id: i64, movie_id: i64) -> Result<Option<Favorite>, RepositoryError> {
        LIST.find(&self.db, user_id, movie_id).await
    }

    async fn list(&self, user_id: i64, query: &MovieQuery) -> Result<Paged<Favorite>, RepositoryError> {
        LIST.page(&self.db, user_id, query).await
    }

    async fn remove(&self, user_id: i64, movie_id: i64) -> Result<bool, RepositoryError> {
        let sql = "DELETE FROM favorites WHERE user_id = $1 AND movie_id = $2";
        Ok(execute(&self.db, sql, [user_id.into(), movie_id.into()]).await? == 1)
    }

    async fn clear(&self, user_id: i64) -> Result<u64, RepositoryError> {
        execute(&self.db, "DELETE FROM favorites WHERE user_id = $1", [user_id.into()]).await
    }
}
