//! A database: opened, migrated, asked whether it is there.

use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::{Either, select};
use malecon_ports::RepositoryError;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{ConnectOptions as _, Connection};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    RuntimeErr, SqliteTransactionMode, SqlxError, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use crate::bell::Bell;
use crate::error::classify;
use crate::migration::Migrator;
use crate::{
    SqlActivityRepository, SqlCountryRepository, SqlDogs, SqlFavoriteRepository, SqlKeyRepository, SqlLock,
    SqlMovieRepository, SqlQueue, SqlRatingRepository, SqlRuns, SqlSchedules, SqlSessionRepository, SqlTasks,
    SqlTokenRepository, SqlUserRepository,
};

/// Key of the advisory lock that migrations hold on PostgreSQL: "malecon" in ASCII.
const MIGRATION_LOCK: i64 = 0x006d_616c_6563_6f6e;

/// How long a connection that comes back to the pool may take to say that it is there.
const LONGEST_PONG: Duration = Duration::from_secs(5);

/// How long connections may take to close.
const LONGEST_CLOSE: Duration = Duration::from_secs(5);

/// How long one waits before one tries again to make another connection.
const CONNECT_REST: Duration = Duration::from_secs(1);

/// How long a statement may take, on PostgreSQL.
const STATEMENT_LIMIT: Duration = Duration::from_secs(30);

/// How connections are called on the server.
const APPLICATION: &str = "malecon";

/// How long the very first connection may take.
const FIRST_CONNECT: Duration = Duration::from_secs(5);

/// A century, in microseconds.
const LONGEST: i64 = 100 * 365 * 24 * 60 * 60 * 1_000_000;

/// How a database is used.
#[derive(Clone, Debug)]
pub struct SqlOptions {
    /// Connections at once; an in-memory SQLite always has one.
    pub max_connections: u32,
    /// How long a caller waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a transaction may do nothing, on PostgreSQL: then its rows are free again.
    pub idle_in_transaction: Duration,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            acquire_timeout: Duration::from_millis(800),
            idle_in_transaction: Duration::from_secs(30),
        }
    }
}

/// An open database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqlStore {
    pub(crate) db: DatabaseConnection,
    /// Tells who waits for a run.
    bell: Bell,
}

impl SqlStore {
    /// Opens `sqlite:…` or `postgres://…`.
    ///
    /// # Errors
    /// `Corrupt` for a URL that makes no sense, `Unavailable` for a database that does not answer.
    /// Neither repeats the URL, which may hold a password.
    pub async fn connect(url: &str, options: SqlOptions) -> Result<Self, RepositoryError> {
        let is_sqlite = url.starts_with("sqlite:");
        let url = url.replacen("postgresql://", "postgres://", 1);
        if !is_sqlite && !url.starts_with("postgres://") {
            return Err(RepositoryError::Corrupt(
                "the URL begins neither with sqlite: nor with postgres://".into(),
            ));
        }
        if !is_sqlite {
            reach(&url).await?;
        }
        let mut connect = ConnectOptions::new(&url);
        connect
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .connect_timeout(options.acquire_timeout)
            .sqlx_logging(false)
            .test_before_acquire(false)
            .test_before_acquire_if_idle_for(Duration::from_secs(30))
            .statement_timeout(STATEMENT_LIMIT)
            .set_application_name(APPLICATION);
        connect.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .busy_timeout(Duration::from_secs(5))
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
        });
        // A process whose host vanishes in mid-transaction would hold its rows for hours.
        let idle = format!("{}ms", options.idle_in_transaction.as_millis());
        let idle_again = idle.clone();
        connect.map_sqlx_postgres_opts(move |postgres| {
            postgres.options([("idle_in_transaction_session_timeout", &idle_again)])
        });
        if !is_sqlite {
            let again = postgres_options(&url)?.options([("idle_in_transaction_session_timeout", &idle)]);
            connect.map_sqlx_postgres_pool_opts(move |pool| {
                let again = again.clone();
                pool.after_release(move |connection, _| {
                    let again = again.clone();
                    Box::pin(async move { alive(connection, &again).await })
                })
            });
        }
        if url.contains(":memory:") || url.contains("mode=memory") {
            // The database is gone with its only connection.
            connect.max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        }
        for _ in 0..50 {
            match Database::connect(connect.clone()).await {
                // Two processes that make one file at the same time: one switches it to WAL first.
                Err(error) if is_sqlite && error.to_string().contains("locked") => {
                    futures_timer::Delay::new(Duration::from_millis(20)).await;
                }
                // SeaORM's own word for a URL that it can't read repeats it, password and all.
                Err(DbErr::Conn(RuntimeErr::Internal(_))) => {
                    return Err(RepositoryError::Corrupt("the URL can't be read".into()));
                }
                Err(error) => return Err(classify(error)),
                Ok(db) => return Ok(Self { db, bell: Bell::default() }),
            }
        }
        Err(RepositoryError::Unavailable("the file stays locked".into()))
    }

    /// The same, where each run that becomes due gets a ticket in the same transaction: by this statement,
    /// whose values are the run's number as text, the number of its next attempt, and when it is due in
    /// microseconds since 1970.
    #[must_use]
    pub fn with_tickets(mut self, statement: &'static str) -> Self {
        self.bell.ticket = Some(statement);
        self
    }

    /// Its connections, for others who keep something in the same PostgreSQL; `None` on SQLite.
    pub fn postgres_pool(&self) -> Option<PgPool> {
        let is_postgres = self.db.get_database_backend() == DbBackend::Postgres;
        is_postgres.then(|| self.db.get_postgres_connection_pool().clone())
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
        let transaction = begin(&self.db).await?;
        let migrate = async {
            if self.db.get_database_backend() == DbBackend::Postgres {
                transaction
                    .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                    .await?;
            }
            Migrator::up(&transaction, None).await
        };
        migrate.await.map_err(classify)?;
        transaction.commit().await.map_err(classify)
    }

    /// Names of the migrations that the schema lacks.
    ///
    /// # Errors
    /// [`RepositoryError`] of the database.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, RepositoryError> {
        let pending = Migrator::get_pending_migrations_read_only(&self.db).await.map_err(classify)?;
        Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
    }

    /// Asks the database for an answer.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub async fn ping(&self) -> Result<(), RepositoryError> {
        self.db.execute_unprepared("SELECT 1").await.map(|_| ()).map_err(classify)
    }

    /// Closes all connections, once their work is done.
    pub async fn close(&self) {
        // What can't be closed is closed by the end of the process.
        let _ = select(pin!(self.db.clone().close()), futures_timer::Delay::new(LONGEST_CLOSE)).await;
    }

    /// Its countries.
    pub fn countries(&self) -> SqlCountryRepository {
        SqlCountryRepository::new(self.db.clone())
    }

    /// Its leases.
    pub fn lock(&self) -> SqlLock {
        SqlLock::new(self.db.clone())
    }

    /// Its users.
    pub fn users(&self) -> SqlUserRepository {
        SqlUserRepository::new(self.db.clone())
    }

    /// Its API tokens.
    pub fn tokens(&self) -> SqlTokenRepository {
        SqlTokenRepository::new(self.db.clone())
    }

    /// Its sessions.
    pub fn sessions(&self) -> SqlSessionRepository {
        SqlSessionRepository::new(self.db.clone())
    }

    /// The keys that sign its tokens.
    pub fn keys(&self) -> SqlKeyRepository {
        SqlKeyRepository::new(self.db.clone(), "signing_keys")
    }

    /// The keys that its secrets are sealed with.
    pub fn seal_keys(&self) -> SqlKeyRepository {
        SqlKeyRepository::new(self.db.clone(), "seal_keys")
    }

    /// Its countries' activities.
    pub fn activities(&self) -> SqlActivityRepository {
        SqlActivityRepository::new(self.db.clone())
    }

    /// Its movies.
    pub fn movies(&self) -> SqlMovieRepository {
        SqlMovieRepository::new(self.db.clone())
    }

    /// Its users' favorites.
    pub fn favorites(&self) -> SqlFavoriteRepository {
        SqlFavoriteRepository::new(self.db.clone())
    }

    /// Its users' ratings.
    pub fn ratings(&self) -> SqlRatingRepository {
        SqlRatingRepository::new(self.db.clone())
    }

    /// Its users' integration tasks.
    pub fn tasks(&self) -> SqlTasks {
        SqlTasks::new(self.db.clone())
    }

    /// When its tasks are run by themselves.
    pub fn schedules(&self) -> SqlSchedules {
        SqlSchedules::new(self.db.clone(), self.bell.clone())
    }

    /// Its dogs.
    pub fn dogs(&self) -> SqlDogs {
        SqlDogs::new(self.db.clone(), self.bell.clone())
    }

    /// Its runs.
    pub fn runs(&self) -> SqlRuns {
        SqlRuns::new(self.db.clone(), self.bell.clone())
    }

    /// Its queue of due runs.
    pub fn queue(&self) -> SqlQueue {
        SqlQueue::new(self.db.clone(), self.bell.clone())
    }
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, RepositoryError> {
    // SeaORM's and sqlx' own words for a URL that they can't read repeat it, password and all.
    let options = PgConnectOptions::from_str(url);
    let options = options.map_err(|_| RepositoryError::Corrupt("the URL can't be read".into()))?;
    let options = options.application_name(APPLICATION).disable_statement_logging();
    Ok(options.options([("statement_timeout", STATEMENT_LIMIT.as_millis().to_string())]))
}

/// Sees to it that a connection that comes back to the pool is alive. sqlx itself asks it, and waits for
/// the answer and then for its close as long as they take: one whose server has vanished would keep its
/// place in the pool. Here another one takes it, as soon as there is a server again.
async fn alive(connection: &mut PgConnection, options: &PgConnectOptions) -> Result<bool, SqlxError> {
    if let Ok(pong) = tokio::time::timeout(LONGEST_PONG, connection.ping()).await {
        return pong.map(|()| true);
    }
    loop {
        if let Ok(Ok(another)) =
            tokio::time::timeout(FIRST_CONNECT, PgConnection::connect_with(options)).await
        {
            *connection = another;
            return Ok(true);
        }
        tokio::time::sleep(CONNECT_REST).await;
    }
}

/// Connects once: a pool that can't connect says no more than that its time is up.
async fn reach(url: &str) -> Result<(), RepositoryError> {
    let options = postgres_options(url)?;
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let connect = PgConnection::connect_with(&options);
    match select(pin!(connect), futures_timer::Delay::new(FIRST_CONNECT)).await {
        Either::Left((Ok(connection), _)) => {
            let _ = connection.close().await;
            Ok(())
        }
        Either::Left((Err(error), _)) => {
            Err(RepositoryError::Unavailable(format!("{place}: {error}").into()))
        }
        Either::Right(_) => {
            Err(RepositoryError::Unavailable(format!("{place}: no answer within {FIRST_CONNECT:?}").into()))
        }
    }
}

/// A transaction that is going to write: on SQLite it takes the writer's place at once, since one
/// that reads first can't wait for it later.
pub(crate) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, RepositoryError> {
    let options =
        TransactionOptions { sqlite_transaction_mode: immediate(db), ..TransactionOptions::default() };
    db.begin_with_options(options).await.map_err(classify)
}

fn immediate(db: &DatabaseConnection) -> Option<SqliteTransactionMode> {
    (db.get_database_backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate)
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
