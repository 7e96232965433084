//! How repositories reach their database: each call with a connection of its purpose, within its time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use malecon_ports::RepositoryError;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::breaker::Breaker;
use crate::error::{ErrorKind, classify, kind_of};

/// How long the end of a transaction may take: who gives up earlier does not know what became of it.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a write may take on SQLite. What it waits for is the disk; a lock has a time of its own.
const SQLITE_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for its turn to write to SQLite while others before it get theirs.
const WRITER_QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long SQLite itself waits for another process that writes.
pub(crate) const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_millis(700);

/// So long may every answer take.
const SHORTEST_ANSWER: Duration = Duration::from_millis(150);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Somebody waits for the answer.
    Request,
    /// Nobody does.
    Background,
}

/// How long one of them waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For a connection, and for the writer's place on SQLite.
    pub acquire: Duration,
    /// For an answer.
    pub answer: Duration,
}

impl Timeouts {
    /// What is left of the time for an answer; whoever has waited long for a connection asks all the same.
    fn left(self, begun: Instant) -> Duration {
        self.answer.saturating_sub(begun.elapsed()).max(SHORTEST_ANSWER)
    }
}

/// Connections for one purpose.
#[derive(Debug)]
pub(crate) struct Pool {
    pub name: &'static str,
    pub connections: DatabaseConnection,
    permits: Arc<Semaphore>,
    pub size: u32,
    /// Calls that went well: whoever waits for a place sees that others get through.
    completed: AtomicU64,
}

impl Pool {
    pub fn new(name: &'static str, connections: impl Into<DatabaseConnection>, size: u32) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(size as usize));
        Arc::new(Self {
            name,
            connections: connections.into(),
            permits,
            size,
            completed: AtomicU64::default(),
        })
    }

    /// How many of its connections are in use.
    pub fn in_use(&self) -> u32 {
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(self.size);
        self.size.saturating_sub(free)
    }
}

/// All connections to one database.
#[derive(Debug)]
pub(crate) struct Pools {
    pub requests: Arc<Pool>,
    pub background: Arc<Pool>,
    /// Who writes on SQLite; elsewhere whoever asks does.
    pub writer: Option<Arc<Pool>>,
    pub request_timeouts: Timeouts,
    pub background_timeouts: Timeouts,
    pub breaker: Breaker,
    pub errors: ErrorCounts,
    /// Leases of runs that were found to have lapsed.
    pub lost_leases: AtomicU64,
    /// The file of a SQLite database.
    pub file: Option<crate::file::DatabaseFile>,
}

impl Pools {
    /// Each of them once.
    pub fn all(&self) -> Vec<&Arc<Pool>> {
        let mut all = vec![&self.requests];
        for pool in self.writer.iter().chain([&self.background]) {
            if all.iter().all(|known| !Arc::ptr_eq(known, pool)) {
                all.push(pool);
            }
        }
        all
    }
}

/// How many calls failed, by kind.
#[derive(Debug)]
pub(crate) struct ErrorCounts {
    counts: [AtomicU64; ErrorKind::ALL.len()],
    since: Instant,
    /// When corruption was last met, in seconds since `since` and one more; 0 for never.
    corrupt_at: AtomicU64,
}

impl Default for ErrorCounts {
    fn default() -> Self {
        Self { counts: Default::default(), since: Instant::now(), corrupt_at: AtomicU64::default() }
    }
}

impl ErrorCounts {
    fn count(&self, kind: ErrorKind) {
        self.counts[kind as usize].fetch_add(1, Ordering::Relaxed);
        if kind == ErrorKind::Corrupt {
            self.corrupt_at.store(self.since.elapsed().as_secs() + 1, Ordering::Relaxed);
        }
    }

    /// How long ago the database said that it can't read what it holds.
    pub fn last_corruption(&self) -> Option<Duration> {
        let at = self.corrupt_at.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.since.elapsed().saturating_sub(Duration::from_secs(at)))
    }

    pub fn read(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        ErrorKind::ALL.iter().map(|kind| kind.name()).zip(counts).collect()
    }
}

/// A way to the database, for one purpose. Clones are cheap.
#[derive(Clone, Debug)]
pub(crate) struct Db {
    pub pools: Arc<Pools>,
    purpose: Purpose,
    /// No part of the program has all connections, whatever keeps its tables.
    share: Option<Arc<Semaphore>>,
}

impl Db {
    pub fn new(pools: Arc<Pools>) -> Self {
        Self { pools, purpose: Purpose::Background, share: None }
    }

    /// For requests, of which those of this share leave some connections to others.
    pub fn for_requests(&self, share: &Arc<Semaphore>) -> Self {
        Self { purpose: Purpose::Request, share: Some(Arc::clone(share)), ..self.clone() }
    }

    /// For work that nobody waits for.
    pub fn in_background(&self) -> Self {
        Self { purpose: Purpose::Background, share: None, ..self.clone() }
    }

    fn pool(&self, writes: bool) -> &Arc<Pool> {
        match (&self.pools.writer, self.purpose) {
            (Some(writer), _) if writes => writer,
            (_, Purpose::Request) => &self.pools.requests,
            (_, Purpose::Background) => &self.pools.background,
        }
    }

    fn timeouts(&self, writes: bool) -> Timeouts {
        let timeouts = match self.purpose {
            Purpose::Request => self.pools.request_timeouts,
            Purpose::Background => self.pools.background_timeouts,
        };
        match self.pools.writer {
            Some(_) if writes => Timeouts { answer: timeouts.answer.max(SQLITE_WRITE_TIMEOUT), ..timeouts },
            _ => timeouts,
        }
    }

    /// A place among those who may use a connection now. Where one writes for all, a queue that moves is
    /// waited in for longer than one that stands.
    async fn permits(&self, pool: &Arc<Pool>, limit: Duration) -> Result<Permits, DbErr> {
        let is_writer = self.pools.writer.as_ref().is_some_and(|writer| Arc::ptr_eq(writer, pool));
        let places = async {
            let share = match &self.share {
                Some(share) if !is_writer => Arc::clone(share).acquire_owned().await.ok(),
                _ => None,
            };
            (share, Arc::clone(&pool.permits).acquire_owned().await.ok())
        };
        let (mut places, begun) = (pin!(places), Instant::now());
        loop {
            let completed = pool.completed.load(Ordering::Relaxed);
            if let Ok(permits) = timeout(limit, places.as_mut()).await {
                return Ok(permits);
            }
            let moves = is_writer && pool.completed.load(Ordering::Relaxed) != completed;
            if !moves || begun.elapsed() >= WRITER_QUEUE_TIMEOUT {
                return Err(self.pools.failed(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)));
            }
        }
    }

    /// One call, with a connection of the right pool.
    async fn call<T>(
        &self,
        writes: bool,
        call: impl for<'a> Fn(&'a DatabaseConnection) -> BoxFuture<'a, Result<T, DbErr>> + Sync,
    ) -> Result<T, DbErr> {
        let (pool, timeouts, begun) = (self.pool(writes), self.timeouts(writes), Instant::now());
        self.pools.admit(writes)?;
        let _permits = self.permits(pool, timeouts.acquire).await?;
        loop {
            let answer = self.pools.watch(timeouts.left(begun), call(&pool.connections)).await;
            match answer {
                Err(error) if self.waits_on(&error, begun, timeouts) => {}
                answer => {
                    pool.completed.fetch_add(u64::from(answer.is_ok()), Ordering::Relaxed);
                    return answer.map_err(|error| self.pools.failed(error));
                }
            }
        }
    }

    /// Whether there is time to wait once more for another process that writes to the same SQLite file.
    fn waits_on(&self, error: &DbErr, begun: Instant, timeouts: Timeouts) -> bool {
        self.pools.writer.is_some()
            && kind_of(error) == ErrorKind::Locked
            && begun.elapsed() + SQLITE_BUSY_TIMEOUT <= timeouts.acquire
    }

    /// A transaction that is going to write: on SQLite it takes the writer's place at once, since one
    /// that reads first can't wait for it later.
    pub async fn begin(&self) -> Result<Transaction, RepositoryError> {
        self.try_begin().await.map_err(classify)
    }

    async fn try_begin(&self) -> Result<Transaction, DbErr> {
        let (pool, timeouts, begun) = (self.pool(true), self.timeouts(true), Instant::now());
        let sqlite_transaction_mode = self.pools.writer.as_ref().map(|_| SqliteTransactionMode::Immediate);
        self.pools.admit(true)?;
        let permits = self.permits(pool, timeouts.acquire).await?;
        let inner = loop {
            let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
            let begin = pool.connections.begin_with_options(options);
            match self.pools.watch(timeouts.left(begun), begin).await {
                Err(error) if self.waits_on(&error, begun, timeouts) => {}
                begun => break begun.map_err(|error| self.pools.failed(error))?,
            }
        };
        let (pools, pool) = (Arc::clone(&self.pools), Arc::clone(pool));
        Ok(Transaction { inner, pools, pool, answer: timeouts.answer, _permits: permits })
    }
}

impl Pools {
    /// Whether anybody may ask now.
    fn admit(&self, writes: bool) -> Result<(), DbErr> {
        if !self.breaker.admits() {
            self.errors.count(ErrorKind::Refused);
            return Err(unavailable("the database has not answered lately"));
        }
        // What is written to a file that has no name any more is lost with the process.
        match &self.file {
            Some(file) if writes => file.check().map_err(|error| self.failed(unavailable(&error))),
            _ => Ok(()),
        }
    }

    /// Waits so long for an answer, and remembers whether there was one.
    async fn watch<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let answer = timeout(limit, call).await;
        let answer = answer.unwrap_or_else(|_| Err(unavailable(&format!("no answer within {limit:?}"))));
        match &answer {
            Err(error) if kind_of(error).is_silence() => self.breaker.failed(),
            _ => self.breaker.succeeded(),
        }
        answer
    }

    /// Counts an error.
    fn failed(&self, error: DbErr) -> DbErr {
        self.errors.count(kind_of(&error));
        error
    }
}

fn unavailable(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.to_owned()))
}

type Permits = (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>);

/// Whether a statement only reads. Which one does is known by how it begins: one that begins otherwise
/// and reads is only sent to the writer.
fn writes(sql: &str) -> bool {
    !sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("SELECT"))
}

#[async_trait]
impl ConnectionTrait for Db {
    fn get_database_backend(&self) -> DbBackend {
        self.pools.requests.connections.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.call(true, |db| db.execute_raw(statement.clone())).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let statement = Statement::from_string(self.get_database_backend(), sql);
        self.call(true, |db| {
            let statement = statement.clone();
            Box::pin(async move { db.execute_unprepared(&statement.sql).await })
        })
        .await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.call(writes(&statement.sql), |db| db.query_one_raw(statement.clone())).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.call(writes(&statement.sql), |db| db.query_all_raw(statement.clone())).await
    }
}

/// A transaction; who drops it has done nothing.
#[derive(Debug)]
pub(crate) struct Transaction {
    inner: DatabaseTransaction,
    pools: Arc<Pools>,
    pool: Arc<Pool>,
    answer: Duration,
    _permits: Permits,
}

impl Transaction {
    pub async fn commit(self) -> Result<(), DbErr> {
        let answer = self.pools.watch(self.answer.max(COMMIT_TIMEOUT), self.inner.commit()).await;
        self.pool.completed.fetch_add(u64::from(answer.is_ok()), Ordering::Relaxed);
        answer.map_err(|error| self.pools.failed(error))
    }

    pub async fn rollback(self) -> Result<(), DbErr> {
        let answer = self.pools.watch(self.answer.max(COMMIT_TIMEOUT), self.inner.rollback()).await;
        answer.map_err(|error| self.pools.failed(error))
    }

    /// SeaORM's own, for its migrations.
    pub fn inner(&self) -> &DatabaseTransaction {
        &self.inner
    }

    async fn watch<T>(&self, call: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.pools.watch(self.answer, call).await.map_err(|error| self.pools.failed(error))
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.watch(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.watch(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.watch(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.watch(self.inner.query_all_raw(statement)).await
    }
}
