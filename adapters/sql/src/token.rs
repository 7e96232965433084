//! API tokens in a table, by their hashes.

use async_trait::async_trait;
use malecon_domain::{ApiToken, Instant, Page, Paged, User};
use malecon_ports::{NewApiToken, RepositoryError, TokenHash, TokenRepository, TokenWrite};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

use crate::db::Db;
use crate::entity::token::{Column, Entity, row};
use crate::entity::user;
use crate::error::classify;

/// The API tokens of one database.
#[derive(Clone, Debug)]
pub struct SqlTokenRepository {
    db: Db,
}

impl SqlTokenRepository {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl TokenRepository for SqlTokenRepository {
    async fn add(&self, token: &NewApiToken, limit: Option<u64>) -> Result<TokenWrite, RepositoryError> {
        let transaction = self.db.begin().await?;
        let add = async {
            if let Some(limit) = limit
                && !has_room(&transaction, token, limit).await?
            {
                return Ok(None);
            }
            row(token).insert(&transaction).await.map(Some)
        };
        let Some(added) = add.await.map_err(classify)? else { return Ok(TokenWrite::QuotaReached) };
        transaction.commit().await.map_err(classify)?;
        added.try_into().map(TokenWrite::Added)
    }

    async fn add_first(&self, token: &NewApiToken) -> Result<bool, RepositoryError> {
        let transaction = self.db.begin().await?;
        let add = async {
            lock(&transaction, token.user_id).await?;
            if Entity::find().one(&transaction).await?.is_some() {
                return Ok(false);
            }
            row(token).insert(&transaction).await.map(|_| true)
        };
        let is_first = add.await.map_err(classify)?;
        transaction.commit().await.map_err(classify)?;
        Ok(is_first)
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<(ApiToken, User)>, RepositoryError> {
        let select = Entity::find().filter(Column::Hash.eq(hash.0.to_vec())).find_also_related(user::Entity);
        let Some((token, Some(user))) = select.one(&self.db).await.map_err(classify)? else {
            return Ok(None);
        };
        Ok(Some((token.try_into()?, user.try_into()?)))
    }

    async fn list(&self, user_id: i64, page: Page) -> Result<Paged<ApiToken>, RepositoryError> {
        let theirs = Entity::find().filter(Column::UserId.eq(user_id));
        let total = theirs.clone().count(&self.db).await.map_err(classify)?;
        let page = theirs.order_by_asc(Column::Id).limit(u64::from(page.size())).offset(page.offset());
        let rows = page.all(&self.db).await.map_err(classify)?;
        Ok(Paged { items: rows.into_iter().map(ApiToken::try_from).collect::<Result<_, _>>()?, total })
    }

    async fn remove(&self, id: i64, user_id: Option<i64>) -> Result<bool, RepositoryError> {
        let is_theirs = user_id.map(|user_id| Column::UserId.eq(user_id));
        let delete = Entity::delete_by_id(id).filter(Condition::all().add_option(is_theirs));
        let done = delete.exec(&self.db).await.map_err(classify)?;
        Ok(done.rows_affected == 1)
    }

    async fn remove_all(&self, user_id: i64) -> Result<u64, RepositoryError> {
        let delete = Entity::delete_many().filter(Column::UserId.eq(user_id));
        Ok(delete.exec(&self.db).await.map_err(classify)?.rows_affected)
    }

    async fn used(&self, id: i64, at: Instant) -> Result<(), RepositoryError> {
        let at = at.timestamp_micros();
        let is_older = Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lt(at));
        let update = Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(at))
            .filter(Column::Id.eq(id))
            .filter(is_older);
        update.exec(&self.db).await.map(|_| ()).map_err(classify)
    }
}

/// Whether the token's user may have one more, in place of those that have ended if need be. On
/// PostgreSQL whoever adds one of the same user waits for us from here on; on SQLite nobody else writes.
async fn has_room(
    transaction: &impl ConnectionTrait,
    token: &NewApiToken,
    limit: u64,
) -> Result<bool, DbErr> {
    user::Entity::find_by_id(token.user_id).lock(LockType::NoKeyUpdate).one(transaction).await?;
    let theirs = || Entity::find().filter(Column::UserId.eq(token.user_id)).count(transaction);
    if theirs().await? < limit {
        return Ok(true);
    }
    let ended = Entity::delete_many()
        .filter(Column::UserId.eq(token.user_id))
        .filter(Column::ExpiresAt.lte(token.at.timestamp_micros()));
    ended.exec(transaction).await?;
    Ok(theirs().await? < limit)
}

/// On PostgreSQL, keeps others from adding tokens: two that look at once would both see none. The user
/// comes first, as for whoever removes it, or the two would wait for each other.
async fn lock(transaction: &impl ConnectionTrait, user_id: i64) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        user::Entity::find_by_id(user_id).lock(LockType::KeyShare).one(transaction).await?;
        transaction.execute_unprepared("LOCK TABLE api_tokens IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    Ok(())
}
