//! How connections to a database are made, kept and looked after.

use std::pin::pin;
use std::str::FromStr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::future::{Either, select};
use malecon_ports::RepositoryError;
use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sea_orm::sqlx::{ConnectOptions as _, Connection, Sqlite};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqlxError};
use tokio::time::timeout;

use crate::breaker::Breaker;
use crate::db::{ErrorCounts, Pool, Pools, SQLITE_BUSY_TIMEOUT, Timeouts};
use crate::error::classify;
use crate::file::DatabaseFile;
use crate::permissions::create_private;
use crate::store::SqlOptions;

/// How long a connection that comes back to the pool may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one waits before one tries again to make another connection.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// After how long of doing nothing a connection is asked whether it is still there.
const IDLE_BEFORE_PING: Duration = Duration::from_secs(30);

/// How connections are called on the server.
const APPLICATION: &str = "malecon";

/// How long the very first connection may take.
const FIRST_CONNECT: Duration = Duration::from_secs(5);

/// What background work waits for: a connection, and an answer.
const BACKGROUND: Timeouts = Timeouts { acquire: Duration::from_secs(10), answer: Duration::from_secs(30) };

/// How often the file of a new SQLite database is asked for, while another process makes it.
const SQLITE_ATTEMPTS: u32 = 50;

/// Opens `sqlite:…` or `postgres://…`.
pub(crate) async fn connect(url: &str, options: &SqlOptions) -> Result<Pools, RepositoryError> {
    if url.starts_with("sqlite:") {
        return sqlite(url, options).await;
    }
    let url = url.replacen("postgresql://", "postgres://", 1);
    if !url.starts_with("postgres://") {
        return Err(corrupt("the URL begins neither with sqlite: nor with postgres://"));
    }
    postgres(&url, options).await
}

fn corrupt(why: &'static str) -> RepositoryError {
    RepositoryError::Corrupt(why.into())
}

/// One that writes and several that read: so nobody waits for a reader, and no reader for anybody.
async fn sqlite(url: &str, options: &SqlOptions) -> Result<Pools, RepositoryError> {
    // sqlx' own word for a URL that it can't read repeats it.
    let connect = SqliteConnectOptions::from_str(url).map_err(|_| corrupt("the URL can't be read"))?;
    let connect = connect
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .disable_statement_logging();
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let pool = |size: u32| {
        let pool = PoolOptions::<Sqlite>::new()
            .max_connections(size)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            // sqlx counts on a ROLLBACK that succeeds. When SQLite has rolled back by itself (no room, an I/O
            // error), it fails, and this connection would never commit again.
            .after_release(|connection, _| {
                Box::pin(async move {
                    // Behind a rollback that is on its way.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            });
        // The database is gone with its only connection.
        if in_memory { pool.min_connections(1).idle_timeout(None).max_lifetime(None) } else { pool }
    };
    if !in_memory && url.contains("mode=rwc") {
        create_private(connect.get_filename());
    }
    let writer = first(pool(1).connect_lazy_with(connect.clone())).await?;
    // One whose file was deleted must not begin another.
    let connect = connect.create_if_missing(false);
    writer.set_connect_options(connect.clone());
    let file = DatabaseFile::at(connect.get_filename());
    let writer = Pool::new("writer", writer, 1);
    let readers = if in_memory {
        writer.clone()
    } else {
        let readers = pool(options.max_connections).connect_lazy_with(connect.pragma("query_only", "ON"));
        Pool::new("readers", readers, options.max_connections)
    };
    Ok(Pools {
        requests: readers.clone(),
        background: readers,
        writer: Some(writer),
        request_timeouts: options.request_timeouts(),
        background_timeouts: BACKGROUND,
        breaker: Breaker::default(),
        errors: ErrorCounts::default(),
        lost_leases: AtomicU64::default(),
        file,
    })
}

/// Makes the first connection of a pool, again while another process makes the same file.
async fn first(pool: SqlitePool) -> Result<SqlitePool, RepositoryError> {
    for _ in 0..SQLITE_ATTEMPTS {
        match pool.acquire().await {
            Ok(_) => return Ok(pool),
            // One of them switches it to WAL first.
            Err(error) if error.to_string().contains("locked") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(classify(DbErr::Conn(RuntimeErr::SqlxError(error.into())))),
        }
    }
    Err(RepositoryError::Unavailable("the file stays locked".into()))
}

/// As many connections for requests as for the background, so that neither waits for the other.
async fn postgres(url: &str, options: &SqlOptions) -> Result<Pools, RepositoryError> {
    // SeaORM's and sqlx' own words for a URL that they can't read repeat it, password and all.
    let connect = PgConnectOptions::from_str(url).map_err(|_| corrupt("the URL can't be read"))?;
    let connect = connect.application_name(APPLICATION).disable_statement_logging();
    reach(&connect).await?;
    let timeouts = options.request_timeouts();
    let millis = |time: Duration| time.as_millis().to_string();
    // A process whose host vanishes in mid-transaction would hold its rows for hours.
    let idle = ("idle_in_transaction_session_timeout", millis(options.idle_in_transaction));
    // The server gives up a little before we do, so that the connection is free at once.
    let requests = connect.clone().options([
        idle.clone(),
        ("statement_timeout", millis(timeouts.answer.mul_f64(0.95))),
        ("lock_timeout", millis(timeouts.answer.mul_f64(0.8))),
    ]);
    let background = connect.options([idle, ("statement_timeout", millis(BACKGROUND.answer))]);
    let pool = |connect: PgConnectOptions| -> DatabaseConnection {
        let again = connect.clone();
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for < IDLE_BEFORE_PING {
                        return Ok(true);
                    }
                    Ok(timeout(PING_TIMEOUT, connection.ping()).await.is_ok_and(|pong| pong.is_ok()))
                })
            })
            .after_release(move |connection, _| {
                let again = again.clone();
                Box::pin(async move { replace_if_dead(connection, &again).await })
            });
        pool.connect_lazy_with(connect).into()
    };
    let size = options.max_connections;
    Ok(Pools {
        requests: Pool::new("requests", pool(requests), size),
        background: Pool::new("background", pool(background), size),
        writer: None,
        request_timeouts: timeouts,
        background_timeouts: BACKGROUND,
        breaker: Breaker::default(),
        errors: ErrorCounts::default(),
        lost_leases: AtomicU64::default(),
        file: None,
    })
}

/// Sees to it that a connection that comes back to the pool is alive. sqlx itself asks it, and waits for
/// the answer and then for its close as long as they take: one whose server has vanished would keep its
/// place in the pool. Here another one takes it, as soon as there is a server again.
async fn replace_if_dead(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<bool, SqlxError> {
    if let Ok(pong) = timeout(PING_TIMEOUT, connection.ping()).await {
        return pong.map(|()| true);
    }
    loop {
        if let Ok(Ok(another)) = timeout(FIRST_CONNECT, PgConnection::connect_with(options)).await {
            *connection = another;
            return Ok(true);
        }
        tokio::time::sleep(RECONNECT_DELAY).await;
    }
}

/// Connects once: a pool that can't connect says no more than that its time is up.
async fn reach(options: &PgConnectOptions) -> Result<(), RepositoryError> {
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let connect = PgConnection::connect_with(options);
    match select(pin!(connect), pin!(tokio::time::sleep(FIRST_CONNECT))).await {
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
