//! A database: opened, migrated, asked whether it is there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use malecon_ports::RepositoryError;
use sea_orm::sqlx::postgres::PgPool;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::MigratorTrait;
use tokio::sync::Semaphore;

use crate::bell::Bell;
use crate::connect;
use crate::db::{Db, Timeouts};
use crate::error::classify;
use crate::migration::Migrator;
use crate::{
    SqlActivityRepository, SqlCountryRepository, SqlDogs, SqlFavoriteRepository, SqlKeyRepository, SqlLock,
    SqlMovieRepository, SqlQueue, SqlRatingRepository, SqlRuns, SqlSchedules, SqlSessionRepository, SqlTasks,
    SqlTokenRepository, SqlUserRepository,
};

/// Key of the advisory lock that migrations hold on PostgreSQL: "malecon" in ASCII.
const MIGRATION_LOCK: i64 = 0x006d_616c_6563_6f6e;

/// How long connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A century, in microseconds.
const LONGEST: i64 = 100 * 365 * 24 * 60 * 60 * 1_000_000;

/// How a database is used.
#[derive(Clone, Debug)]
pub struct SqlOptions {
    /// Connections at once for requests, and as many for the background. On SQLite so many read, and one
    /// writes; in memory there is one.
    pub max_connections: u32,
    /// How long a request waits for a connection, and on SQLite for another process that writes.
    pub acquire_timeout: Duration,
    /// How long a request waits for an answer, the wait for a connection included.
    pub answer_timeout: Duration,
    /// How long a transaction may do nothing, on PostgreSQL: then its rows are free again.
    pub idle_in_transaction: Duration,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            acquire_timeout: Duration::from_millis(800),
            answer_timeout: Duration::from_millis(900),
            idle_in_transaction: Duration::from_secs(30),
        }
    }
}

impl SqlOptions {
    pub(crate) fn request_timeouts(&self) -> Timeouts {
        Timeouts { acquire: self.acquire_timeout, answer: self.answer_timeout }
    }
}

/// An open database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqlStore {
    /// For what nobody waits for.
    pub(crate) db: Db,
    /// Connections that requests of one part of the program may have at once.
    shares: Arc<Shares>,
    /// Tells who waits for a run.
    bell: Bell,
}

/// Parts of the program that must not starve one another when the tables of one of them are locked.
#[derive(Debug)]
struct Shares {
    countries: Arc<Semaphore>,
    accounts: Arc<Semaphore>,
    movies: Arc<Semaphore>,
    dogs: Arc<Semaphore>,
    /// With the runs of everything.
    tasks: Arc<Semaphore>,
    checks: Arc<Semaphore>,
}

impl Shares {
    fn of(connections: u32) -> Self {
        let share = || Arc::new(Semaphore::new((connections - connections.div_ceil(4)).max(1) as usize));
        Self {
            countries: share(),
            accounts: share(),
            movies: share(),
            dogs: share(),
            tasks: share(),
            checks: share(),
        }
    }
}

impl SqlStore {
    /// Opens `sqlite:…` or `postgres://…`.
    ///
    /// # Errors
    /// `Corrupt` for a URL that makes no sense, `Unavailable` for a database that does not answer.
    /// Neither repeats the URL, which may hold a password.
    pub async fn connect(url: &str, options: SqlOptions) -> Result<Self, RepositoryError> {
        let pools = connect::connect(url, &options).await?;
        let shares = Arc::new(Shares::of(pools.requests.size));
        Ok(Self { db: Db::new(Arc::new(pools)), shares, bell: Bell::default() })
    }

    /// The same, where each run that becomes due gets a ticket in the same transaction: by this statement,
    /// whose values are the run's number as text, the number of its next attempt, and when it is due in
    /// microseconds since 1970.
    #[must_use]
    pub fn with_tickets(mut self, statement: &'static str) -> Self {
        self.bell.ticket = Some(statement);
        self
    }

    /// Its connections for the background, for others who keep something in the same PostgreSQL; `None` on
    /// SQLite.
    pub fn postgres_pool(&self) -> Option<PgPool> {
        let is_postgres = self.db.get_database_backend() == DbBackend::Postgres;
        is_postgres.then(|| self.db.pools.background.connections.get_postgres_connection_pool().clone())
    }

    /// The file of a SQLite database that others than its owner may read, if it is one.
    pub fn exposed_file(&self) -> Option<std::path::PathBuf> {
        self.db.pools.file.as_ref()?.exposed()
    }

    /// `sqlite` or `postgres`.
    pub fn kind(&self) -> &'static str {
        match self.db.get_database_backend() {
            DbBackend::Sqlite => "sqlite",
            _ => "postgres",
        }
    }

    /// Brings the schema up to date, in one transaction. Processes that do it at once wait for one
    /// another.
    ///
    /// # Errors
    /// [`RepositoryError`] of the database; then the schema is as it was.
    pub async fn migrate(&self) -> Result<(), RepositoryError> {
        let transaction = self.db.begin().await?;
        let migrate = async {
            if self.db.get_database_backend() == DbBackend::Postgres {
                transaction
                    .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                    .await?;
            }
            Migrator::up(transaction.inner(), None).await
        };
        migrate.await.map_err(classify)?;
        transaction.commit().await.map_err(classify)
    }

    /// Names of the migrations that the schema lacks. It may have others, of a later version.
    ///
    /// # Errors
    /// [`RepositoryError`] of the database.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, RepositoryError> {
        let names: Vec<String> =
            Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
        let backend = self.db.get_database_backend();
        let sql = match backend {
            DbBackend::Sqlite => "SELECT COUNT(*) AS n FROM sqlite_master WHERE name = 'seaql_migrations'",
            _ => "SELECT COUNT(to_regclass('seaql_migrations')) AS n",
        };
        let read = async {
            let count = self.db.query_one_raw(Statement::from_string(backend, sql)).await.and_then(one)?;
            if count.try_get::<i64>("", "n")? == 0 {
                return Ok(vec![]);
            }
            let sql = Statement::from_string(backend, "SELECT version FROM seaql_migrations");
            let rows = self.db.query_all_raw(sql).await?;
            rows.iter().map(|row| row.try_get("", "version")).collect::<Result<Vec<String>, DbErr>>()
        };
        let applied = read.await.map_err(classify)?;
        Ok(names.into_iter().filter(|name| !applied.contains(name)).collect())
    }

    /// Asks the database for an answer.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub async fn ping(&self) -> Result<(), RepositoryError> {
        let sql = Statement::from_string(self.db.get_database_backend(), "SELECT 1");
        self.db.query_one_raw(sql).await.map(|_| ()).map_err(classify)
    }

    /// Closes all connections, once their work is done.
    pub async fn close(&self) {
        let pools = self.db.pools.all().into_iter().map(|pool| pool.connections.clone().close());
        // What can't be closed is closed by the end of the process.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, join_all(pools)).await;
    }

    /// As a request, but of no part's share.
    pub(crate) fn for_checks(&self) -> Db {
        self.db.for_requests(&self.shares.checks)
    }

    /// Its countries.
    pub fn countries(&self) -> SqlCountryRepository {
        SqlCountryRepository::new(self.db.for_requests(&self.shares.countries))
    }

    /// Its leases.
    pub fn lock(&self) -> SqlLock {
        SqlLock::new(self.db.clone())
    }

    /// Its users.
    pub fn users(&self) -> SqlUserRepository {
        SqlUserRepository::new(self.db.for_requests(&self.shares.accounts))
    }

    /// Its API tokens.
    pub fn tokens(&self) -> SqlTokenRepository {
        SqlTokenRepository::new(self.db.for_requests(&self.shares.accounts))
    }

    /// Its sessions.
    pub fn sessions(&self) -> SqlSessionRepository {
        SqlSessionRepository::new(self.db.for_requests(&self.shares.accounts))
    }

    /// The keys that sign its tokens.
    pub fn keys(&self) -> SqlKeyRepository {
        SqlKeyRepository::new(self.db.for_requests(&self.shares.accounts), "signing_keys")
    }

    /// The keys that its secrets are sealed with.
    pub fn seal_keys(&self) -> SqlKeyRepository {
        SqlKeyRepository::new(self.db.for_requests(&self.shares.accounts), "seal_keys")
    }

    /// Its countries' activities.
    pub fn activities(&self) -> SqlActivityRepository {
        SqlActivityRepository::new(self.db.for_requests(&self.shares.countries))
    }

    /// Its movies.
    pub fn movies(&self) -> SqlMovieRepository {
        SqlMovieRepository::new(self.db.for_requests(&self.shares.movies))
    }

    /// Its users' favorites.
    pub fn favorites(&self) -> SqlFavoriteRepository {
        SqlFavoriteRepository::new(self.db.for_requests(&self.shares.movies))
    }

    /// Its users' ratings.
    pub fn ratings(&self) -> SqlRatingRepository {
        SqlRatingRepository::new(self.db.for_requests(&self.shares.movies))
    }

    /// Its users' integration tasks.
    pub fn tasks(&self) -> SqlTasks {
        SqlTasks::new(self.db.for_requests(&self.shares.tasks))
    }

    /// When its tasks are run by themselves.
    pub fn schedules(&self) -> SqlSchedules {
        SqlSchedules::new(self.db.clone(), self.bell.clone())
    }

    /// Its dogs.
    pub fn dogs(&self) -> SqlDogs {
        SqlDogs::new(self.db.for_requests(&self.shares.dogs), self.bell.clone())
    }

    /// Its runs.
    pub fn runs(&self) -> SqlRuns {
        SqlRuns::new(self.db.for_requests(&self.shares.tasks), self.bell.clone())
    }

    /// Its queue of due runs.
    pub fn queue(&self) -> SqlQueue {
        SqlQueue::new(self.db.clone(), self.bell.clone())
    }
}

/// Milliseconds since 1970 by the database's clock, as an SQL expression.
pub(crate) fn now(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        _ => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    }
}

/// Microseconds since 1970 by the database's clock, which goes on within a transaction.
pub(crate) async fn clock(db: &impl ConnectionTrait) -> Result<i64, RepositoryError> {
    let backend = db.get_database_backend();
    let sql = format!("SELECT {} * 1000 AS now", now(backend));
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await.and_then(one);
    row.and_then(|row| row.try_get("", "now")).map_err(classify)
}

/// A time in microseconds, short enough to be added to an instant.
pub(crate) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).map_or(LONGEST, |micros| micros.min(LONGEST))
}

/// What leaves out the rows of a query that somebody holds, and holds the others. On SQLite only one
/// writes at a time.
pub(crate) fn unlocked(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "",
        _ => "FOR UPDATE SKIP LOCKED",
    }
}

/// The one row of a query that has one.
pub(crate) fn one<T>(row: Option<T>) -> Result<T, DbErr> {
    row.ok_or_else(|| DbErr::RecordNotFound("a row that is always there".to_owned()))
}
