//! Takes up runs and sees them through.

#[cfg(test)]
mod tests;
mod under_way;

use std::collections::HashMap;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, FutureExt, pending, select};
use malecon_domain::{AttemptEnd, JobKind, Next, Run, Trace};
use malecon_ports::{Clock, Hold, RepositoryError, RunLease, TaskQueue};

use self::under_way::UnderWay;
use crate::deadline::within;
use crate::{Background, ServiceError, activity};

/// How often one looks for runs that others have added, or that have become due.
const POLL: Duration = Duration::from_millis(500);
/// How long a job waits for a worker that does its kind.
const UNKNOWN_REST: Duration = Duration::from_secs(60);
/// How long one waits before asking a store again that failed.
const STORE_REST: Duration = Duration::from_millis(500);
/// How long a store may say nothing: then the connection to it is dead, and nobody knows.
const STORE_LIMIT: Duration = Duration::from_secs(10);
/// How long attempts that are cancelled may take to let go of what they hold.
const LETTING_GO: Duration = Duration::from_secs(1);

/// Does the work of one kind of job.
#[async_trait]
pub trait JobHandler: Send + Sync {
    /// One attempt of a run: what becomes of the run, and what the attempt leaves behind. It may be
    /// dropped at any await, and made again by somebody else.
    ///
    /// # Errors
    /// What keeps the program itself from beginning it; it is tried again soon.
    async fn attempt(&self, run: &Run) -> Result<(Next, Trace), ServiceError>;
}

/// Who does which kind of job.
pub type JobHandlers = Vec<(JobKind, Arc<dyn JobHandler>)>;

/// What a [`Worker`] needs.
#[derive(Clone)]
pub struct WorkerPorts {
    /// Where runs are taken from.
    pub queue: Arc<dyn TaskQueue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who drives attempts, each as a task of its own, so that none holds up another.
    pub background: Background,
}

/// How much a [`Worker`] does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Attempts under way at most.
    pub workers: usize,
    /// Attempts under way against one lane at most, e.g. one host.
    pub per_lane: usize,
    /// Lanes that let attempts pass one by one.
    pub narrow: &'static [&'static str],
    /// How long an attempt is this worker's. It is renewed at a sixth of that; when a process dies,
    /// its runs are taken up by others after it.
    pub lease: Duration,
    /// How long attempts under way may take when the worker is told to stop, before they are interrupted.
    pub grace: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            workers: 16,
            per_lane: 4,
            narrow: &[activity::LANE],
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// Takes up runs that are due, as many at once as its settings say, and sees each attempt through.
/// Any number of them, in any number of processes, work on one store.
#[derive(Clone)]
pub struct Worker {
    ports: WorkerPorts,
    settings: WorkerSettings,
    handlers: Arc<HashMap<JobKind, Arc<dyn JobHandler>>>,
}

impl Worker {
    /// A worker that has its jobs done by these. One that nobody does waits for a worker that knows more.
    pub fn new(ports: WorkerPorts, settings: WorkerSettings, handlers: JobHandlers) -> Self {
        Self { ports, settings, handlers: Arc::new(handlers.into_iter().collect()) }
    }

    /// Works until `stop` ends. Then nothing new is begun, what is under way gets its grace, and what is
    /// still under way after it is interrupted and handed back, for another worker to take up at once. To
    /// drop it loses nothing either: what it had taken up is taken up again when its leases have lapsed.
    pub async fn work(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut under_way = UnderWay::default();
        while stop.as_mut().now_or_never().is_none() {
            under_way.note_ended();
            let has_room = under_way.len() < self.settings.workers;
            if has_room && let Some(run) = self.claim(under_way.full(&self.settings)).await {
                self.begin(&mut under_way, run);
                continue;
            }
            // Its lane may have been in the way.
            if under_way.note_ended() {
                continue;
            }
            let woken = async { if has_room { self.ports.queue.wait(POLL).await } else { pending().await } };
            let (woken, ended) = (pin!(woken), pin!(under_way.one_ended()));
            if let Either::Right(_) = select(select(woken, ended), stop.as_mut()).await {
                break;
            }
        }
        let grace = self.ports.clock.sleep(self.settings.grace);
        select(pin!(under_way.all_ended()), grace).await;
        self.hand_back(&mut under_way).await;
    }

    /// Goes about one attempt, as a task of its own.
    fn begin(&self, under_way: &mut UnderWay, run: Run) {
        let (worker, lease, lane) =
            (self.clone(), RunLease { id: run.id, attempt: run.attempts }, run.lane.clone());
        let attempt = under_way.begin(lease, lane, async move { worker.see_through(&run).await });
        self.ports.background.run(attempt);
    }

    /// Interrupts what is under way, and lets others have it.
    async fn hand_back(&self, under_way: &mut UnderWay) {
        let leases = under_way.interrupt();
        if leases.is_empty() {
            return;
        }
        select(pin!(under_way.all_ended()), self.ports.clock.sleep(LETTING_GO)).await;
        match self.ask(self.ports.queue.release(&leases)).await {
            Ok(released) => tracing::warn!(
                released,
                "attempts were interrupted: their runs are queued again, and called with the same keys"
            ),
            Err(error) => tracing::error!(
                error = &error as &dyn Error,
                "attempts were interrupted; their runs are taken up again when their leases have lapsed"
            ),
        }
    }

    /// What the store says, if it says anything in time.
    async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, RepositoryError>>,
    ) -> Result<T, ServiceError> {
        within(&*self.ports.clock, STORE_LIMIT, question).await
    }

    /// The next run, of none of these lanes.
    async fn claim(&self, full: Vec<String>) -> Option<Run> {
        match self.ask(self.ports.queue.claim(&full, self.settings.lease)).await {
            Ok(run) => run,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "no run can be taken up");
                self.ports.clock.sleep(STORE_REST).await;
                None
            }
        }
    }

    /// One attempt from its claim to its end.
    async fn see_through(&self, run: &Run) {
        let lease = RunLease { id: run.id, attempt: run.attempts };
        match self.hold(&lease, self.attempt(run)).await {
            Some((next, trace)) => self.finish(run, &lease, next, &trace).await,
            None => {
                tracing::warn!(run = %run.id, attempt = run.attempts, "an attempt was lost to another worker")
            }
        }
    }

    async fn attempt(&self, run: &Run) -> (Next, Trace) {
        let kind = run.job.kind();
        let Some(handler) = self.handlers.get(&kind) else {
            let reason = format!("this program does no {}", kind.name());
            return (Next::Again(UNKNOWN_REST), Trace::of_failure(reason));
        };
        match handler.attempt(run).await {
            Ok(done) => done,
            Err(error) => {
                tracing::warn!(run = %run.id, error = &error as &dyn Error, "a run could not be begun");
                (Next::Again(STORE_REST), Trace::of_failure("the program could not begin it"))
            }
        }
    }

    /// Does the work while the lease is kept; `None` when it was lost.
    async fn hold(
        &self,
        lease: &RunLease,
        work: impl Future<Output = (Next, Trace)>,
    ) -> Option<(Next, Trace)> {
        let mut work = pin!(work);
        loop {
            let beat = self.ports.clock.sleep(self.settings.lease / 6);
            match select(work.as_mut(), beat).await {
                Either::Left((done, _)) => return Some(done),
                Either::Right(_) => {
                    match self.ask(self.ports.queue.renew(lease, self.settings.lease)).await {
                        Ok(Hold::Held) => {}
                        Ok(Hold::Cancelled) => {
                            return Some((Next::Over(AttemptEnd::Cancelled), Trace::default()));
                        }
                        Ok(Hold::Lost) => return None,
                        // There are five more before it lapses.
                        Err(error) => {
                            tracing::warn!(run = %lease.id, error = &error as &dyn Error, "a lease was not renewed")
                        }
                    }
                }
            }
        }
    }

    /// Says how the attempt ended, until the store hears it or the lease has lapsed.
    async fn finish(&self, run: &Run, lease: &RunLease, next: Next, trace: &Trace) {
        let tries = self.settings.lease.as_millis() / STORE_REST.as_millis();
        for _ in 0..=tries {
            match self.ask(self.ports.queue.finish(lease, next, trace)).await {
                Ok(true) => {
                    let reason = trace.reason.as_deref().unwrap_or_default();
                    tracing::info!(run = %run.id, lane = run.lane, attempt = run.attempts, ?next, reason, "an attempt ended");
                    return;
                }
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(run = %run.id, error = &error as &dyn Error, "the end of an attempt was not kept");
                    self.ports.clock.sleep(STORE_REST).await;
                }
            }
        }
        tracing::warn!(run = %run.id, attempt = run.attempts, "an attempt ended too late to count");
    }
}
