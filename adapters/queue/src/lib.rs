//! Tickets of due runs on PostgreSQL, through graphile_worker: the table of runs is the truth, a ticket
//! says that one of them is due. A ticket that is lost or late costs time, never a run.

mod ticket;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use graphile_worker::{WorkerBuildError, WorkerOptions, WorkerRecoveryConfig};
use malecon_domain::{Next, Run, Trace};
use malecon_ports::{Hold, RepositoryError, RunLease, TaskQueue};
use sqlx::PgPool;
use tokio::sync::{Mutex, mpsc};

pub use self::ticket::TICKET;
use self::ticket::{Ticket, Tickets};

/// The schema of graphile_worker's tables: its own, beside those of anybody else who uses it.
const SCHEMA: &str = "malecon_queue";

/// Tickets that are fetched at once. A process that is busy keeps as many from others until they look
/// at the table.
const FETCHERS: usize = 2;

/// How long it waits before it goes on after the database failed.
const REST: Duration = Duration::from_secs(1);

/// The queue of a table of runs, told by tickets what is due. Clones are one queue.
#[derive(Clone)]
pub struct TicketQueue {
    pool: PgPool,
    /// The table.
    runs: Arc<dyn TaskQueue>,
    tickets: Tickets,
    /// Tickets that were fetched, and that nobody has heard of yet.
    inbox: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl TicketQueue {
    /// A queue over this one of the same database. Its schema must be [installed](Self::install), and
    /// [`TICKET`] be what makes a run due.
    pub fn new(pool: PgPool, runs: Arc<dyn TaskQueue>) -> Self {
        let (tickets, inbox) = mpsc::channel(1);
        Self { pool, runs, tickets: Tickets(tickets), inbox: Arc::new(Mutex::new(inbox)) }
    }

    /// Brings graphile_worker's schema up to date. Processes that do it at once do it once.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn install(&self) -> Result<(), RepositoryError> {
        let installed = WorkerOptions::default().pg_pool(self.pool.clone()).schema(SCHEMA);
        installed.listen_os_shutdown_signals(false).init().await.map(|_| ()).map_err(unavailable)
    }

    /// Fetches tickets, for ever. When it is dropped or dies, those that it had fetched and that nobody had
    /// taken up are handed out again after a minute; their runs are found in the table before.
    pub async fn fetch(&self) {
        loop {
            if let Err(error) = self.fetch_until_it_fails().await {
                tracing::warn!(
                    error = &*error as &dyn Error,
                    "tickets of runs can't be fetched; due runs are looked for"
                );
            }
            tokio::time::sleep(REST).await;
        }
    }

    async fn fetch_until_it_fails(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let worker = WorkerOptions::default()
            .pg_pool(self.pool.clone())
            .schema(SCHEMA)
            .concurrency(FETCHERS)
            .poll_interval(Duration::from_secs(2))
            .complete_job_batch_delay(Duration::from_millis(5))
            .worker_recovery(
                WorkerRecoveryConfig::default()
                    .heartbeat_interval(Duration::from_secs(10))
                    .sweep_interval(Duration::from_secs(15))
                    .sweep_threshold(Duration::from_secs(60)),
            )
            .listen_os_shutdown_signals(false)
            .add_extension(self.tickets.clone())
            .define_job::<Ticket>()
            .init()
            .await?;
        Ok(worker.run().await?)
    }
}

#[async_trait]
impl TaskQueue for TicketQueue {
    async fn claim(&self, full: &[String], lease: Duration) -> Result<Option<Run>, RepositoryError> {
        // The table knows what is due, and since when: tickets that came before the look at it have done
        // their part. While somebody waits for one, they are theirs.
        if let Ok(mut inbox) = self.inbox.try_lock() {
            while inbox.try_recv().is_ok() {}
        }
        self.runs.claim(full, lease).await
    }

    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<Hold, RepositoryError> {
        self.runs.renew(lease, time).await
    }

    async fn finish(&self, lease: &RunLease, next: Next, trace: &Trace) -> Result<bool, RepositoryError> {
        self.runs.finish(lease, next, trace).await
    }

    async fn release(&self, leases: &[RunLease]) -> Result<u64, RepositoryError> {
        self.runs.release(leases).await
    }

    async fn wait(&self, most: Duration) {
        let told = async { self.inbox.lock().await.recv().await };
        // Either is a reason to look.
        let _ = tokio::time::timeout(most, told).await;
    }
}

fn unavailable(error: WorkerBuildError) -> RepositoryError {
    RepositoryError::Unavailable(error.into())
}
