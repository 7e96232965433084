//! Leases as rows, on the database's clock.

use std::time::Duration;

use async_trait::async_trait;
use malecon_ports::{Lease, Lock, LockError};
use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::db::Db;
use crate::store::now;

/// Leases of one database.
#[derive(Clone, Debug)]
pub struct SqlLock {
    db: Db,
}

impl SqlLock {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    fn statement(&self, sql: &str, lease: &Lease, ttl: Duration) -> Statement {
        let backend = self.db.get_database_backend();
        let sql = sql.replace("NOW", now(backend));
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX / 2);
        let token = i64::try_from(lease.token).unwrap_or(i64::MAX);
        Statement::from_sql_and_values(backend, sql, [lease.name.as_str().into(), token.into(), ttl.into()])
    }
}

#[async_trait]
impl Lock for SqlLock {
    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, LockError> {
        // The row stays when the lease ends, so that its token goes on growing.
        let sql = "INSERT INTO leases (name, token, until) VALUES ($1, $2 + 1, NOW + $3) \
                   ON CONFLICT (name) DO UPDATE SET token = leases.token + 1, until = NOW + $3 \
                   WHERE leases.until <= NOW RETURNING token";
        let wanted = Lease { name: name.to_owned(), token: 0 };
        let row = self.db.query_one_raw(self.statement(sql, &wanted, ttl)).await.map_err(gone)?;
        let token = row.map(|row| row.try_get::<i64>("", "token")).transpose().map_err(gone)?;
        Ok(token.map(|token| Lease { token: token.unsigned_abs(), ..wanted }))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, LockError> {
        let sql = "UPDATE leases SET until = NOW + $3 WHERE name = $1 AND token = $2 AND until > NOW";
        let done = self.db.execute_raw(self.statement(sql, lease, ttl)).await.map_err(gone)?;
        Ok(done.rows_affected() == 1)
    }

    async fn release(&self, lease: &Lease) -> Result<(), LockError> {
        let sql = "UPDATE leases SET until = $3 WHERE name = $1 AND token = $2 AND until > NOW";
        self.db.execute_raw(self.statement(sql, lease, Duration::ZERO)).await.map(|_| ()).map_err(gone)
    }
}

/// Whether the lease runs; until the transaction ends, nobody else can take it.
pub(crate) async fn is_current(transaction: &impl ConnectionTrait, lease: &Lease) -> Result<bool, DbErr> {
    let backend = transaction.get_database_backend();
    // A write, not a read: it locks the row on PostgreSQL, and what it changes is nothing.
    let sql = format!(
        "UPDATE leases SET token = token WHERE name = $1 AND token = $2 AND until > {}",
        now(backend)
    );
    let token = i64::try_from(lease.token).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(backend, sql, [lease.name.as_str().into(), token.into()]);
    Ok(transaction.execute_raw(statement).await?.rows_affected() == 1)
}

fn gone(error: DbErr) -> LockError {
    LockError(error.into())
}
