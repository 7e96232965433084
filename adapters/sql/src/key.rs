//! Keys in a table: those that sign tokens, and those that seal secrets.

use async_trait::async_trait;
use malecon_domain::Instant;
use malecon_ports::{KeyRepository, RepositoryError, SigningKey};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::db::Db;
use crate::error::classify;

/// The keys of one database for one purpose.
#[derive(Clone, Debug)]
pub struct SqlKeyRepository {
    db: Db,
    table: &'static str,
}

impl SqlKeyRepository {
    pub(crate) fn new(db: Db, table: &'static str) -> Self {
        Self { db, table }
    }
}

#[async_trait]
impl KeyRepository for SqlKeyRepository {
    async fn keys(&self) -> Result<Vec<SigningKey>, RepositoryError> {
        let sql = format!("SELECT secret FROM {} ORDER BY id DESC LIMIT 2", self.table);
        let select = Statement::from_string(self.db.get_database_backend(), sql);
        let rows = self.db.query_all_raw(select).await.map_err(classify)?;
        rows.iter().map(|row| row.try_get("", "secret").map(SigningKey).map_err(classify)).collect()
    }

    async fn first(&self, key: &SigningKey, at: Instant) -> Result<(), RepositoryError> {
        let (transaction, table) = (self.db.begin().await?, self.table);
        let add = async {
            if self.db.get_database_backend() == DbBackend::Postgres {
                // Two that look at once would both see an empty table.
                let lock = format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
                transaction.execute_unprepared(&lock).await?;
            }
            let sql = format!(
                "INSERT INTO {table} (secret, created_at) \
                 SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM {table})"
            );
            insert(&transaction, &sql, key, at).await
        };
        add.await.map_err(classify)?;
        transaction.commit().await.map_err(classify)
    }

    async fn add(&self, key: &SigningKey, at: Instant) -> Result<(), RepositoryError> {
        let sql = format!("INSERT INTO {} (secret, created_at) VALUES ($1, $2)", self.table);
        insert(&self.db, &sql, key, at).await.map_err(classify)
    }
}

async fn insert(db: &impl ConnectionTrait, sql: &str, key: &SigningKey, at: Instant) -> Result<(), DbErr> {
    let values = [key.0.clone().into(), at.timestamp_micros().into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await.map(|_| ())
}
