//! Whether a database does what it is there for, and how it fares.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use malecon_ports::RepositoryError;
use sea_orm::{ConnectionTrait, Statement};

use crate::SqlStore;
use crate::db::Db;
use crate::error::classify;
use crate::movie::execute;

/// A table of each part of the program.
const TABLES: [&str; 7] = ["countries", "users", "movies", "tasks", "runs", "dogs", "activities"];

/// How long a page that can't be read is remembered.
const CORRUPTION_REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// Connections of one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// `requests` and `background`, or `readers` and `writer` on SQLite.
    pub name: &'static str,
    /// Connections in use.
    pub in_use: u32,
    /// Connections at most.
    pub size: u32,
}

impl SqlStore {
    /// Whether a table of each part can be read, within the time of a request.
    pub async fn check_reads(&self) -> Vec<(&'static str, Result<(), RepositoryError>)> {
        let db = self.for_checks();
        join_all(TABLES.map(async |table| (table, read(&db, table).await))).await
    }

    /// Whether anything can be written, and whether it goes where it is looked for.
    ///
    /// # Errors
    /// Why not.
    pub async fn check_writes(&self) -> Result<(), RepositoryError> {
        // Nobody ever holds this lease.
        let sql = "INSERT INTO leases (name, token, until) VALUES ('health-check', 1, 0) \
                   ON CONFLICT (name) DO UPDATE SET token = leases.token + 1";
        execute(&self.for_checks(), sql, []).await.map(|_| ())
    }

    /// Whether the database has lately said that it holds what it can't read.
    pub fn is_corrupt(&self) -> bool {
        self.db.pools.errors.last_corruption().is_some_and(|ago| ago < CORRUPTION_REMEMBERED)
    }

    /// How many of its connections are in use.
    pub fn pools(&self) -> Vec<PoolStats> {
        let pools = self.db.pools.all().into_iter();
        pools.map(|pool| PoolStats { name: pool.name, in_use: pool.in_use(), size: pool.size }).collect()
    }

    /// How many leases of runs this process found to have lapsed: their owners died, or lost the database.
    pub fn lost_leases(&self) -> u64 {
        self.db.pools.lost_leases.load(Ordering::Relaxed)
    }

    /// How many calls failed since it was opened, by kind: `silent` (no connection or no answer),
    /// `exhausted` (no free connection), `refused` (not asked, since it had been silent), `locked`, `full`,
    /// `corrupt`, `unable` (it says that it can't), `other`.
    pub fn errors(&self) -> Vec<(&'static str, u64)> {
        self.db.pools.errors.read()
    }
}

async fn read(db: &Db, table: &str) -> Result<(), RepositoryError> {
    let sql = format!("SELECT 1 FROM {table} LIMIT 1");
    let select = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(select).await.map(|_| ()).map_err(classify)
}
