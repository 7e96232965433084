//! Takes up runs and sees them through.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{BoxFuture, Either, FutureExt, pending, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use malecon_domain::{AttemptEnd, JobKind, Next, Run, Trace};
use malecon_ports::{Clock, Hold, RepositoryError, RunLease, TaskQueue};

use crate::deadline::within;
use crate::{ServiceError, activity};

/// How often one looks for runs that others have added, or that have become due.
const POLL: Duration = Duration::from_millis(500);
/// How long a job waits for a worker that does its kind.
const UNKNOWN_REST: Duration = Duration::from_secs(60);
/// How long one waits before asking a store again that failed.
const STORE_REST: Duration = Duration::from_millis(500);
/// How long a store may say nothing: then the connection to it is dead, and nobody knows.
const STORE_LIMIT: Duration = Duration::from_secs(10);

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
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self { workers: 16, per_lane: 4, narrow: &[activity::LANE], lease: Duration::from_secs(30) }
    }
}

/// Takes up runs that are due, as many at once as its settings say, and sees each attempt through.
/// Any number of them, in any number of processes, work on one store.
#[derive(Clone)]
pub struct Worker {
    ports: WorkerPorts,
    settings: WorkerSettings,
    handlers: HashMap<JobKind, Arc<dyn JobHandler>>,
}

impl Worker {
    /// A worker that has its jobs done by these. One that nobody does waits for a worker that knows more.
    pub fn new(ports: WorkerPorts, settings: WorkerSettings, handlers: JobHandlers) -> Self {
        Self { ports, settings, handlers: handlers.into_iter().collect() }
    }

    /// Works until `stop` ends, and then ends what is under way. To drop it loses nothing either: what
    /// it had taken up is taken up again when its leases have lapsed.
    pub async fn work(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut under_way = UnderWay::default();
        loop {
            if stop.as_mut().now_or_never().is_some() {
                break;
            }
            let has_room = under_way.attempts.len() < self.settings.workers;
            let (claimed, has_ended) = match has_room {
                true => under_way.beside(self.claim(under_way.full(&self.settings))).await,
                false => (None, false),
            };
            if let Some(run) = claimed {
                under_way.begin(run.lane.clone(), self.see_through(run).boxed());
                continue;
            }
            if has_ended {
                continue;
            }
            let woken = async { if has_room { self.ports.queue.wait(POLL).await } else { pending().await } };
            let (woken, ended) = (pin!(woken), pin!(under_way.end_one()));
            if let Either::Right(_) = select(select(woken, ended), stop.as_mut()).await {
                break;
            }
        }
        while !under_way.attempts.is_empty() {
            under_way.end_one().await;
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

    /// One attempt from its claim to its end; the lane that is free then.
    async fn see_through(&self, run: Run) -> String {
        let lease = RunLease { id: run.id, attempt: run.attempts };
        match self.hold(&lease, self.attempt(&run)).await {
            Some((next, trace)) => self.finish(&run, &lease, next, &trace).await,
            None => {
                tracing::warn!(run = %run.id, attempt = run.attempts, "an attempt was lost to another worker")
            }
        }
        run.lane
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

/// Attempts under way, and whom they keep busy.
#[derive(Default)]
struct UnderWay<'a> {
    attempts: FuturesUnordered<BoxFuture<'a, String>>,
    lanes: HashMap<String, usize>,
}

impl<'a> UnderWay<'a> {
    fn begin(&mut self, lane: String, attempt: BoxFuture<'a, String>) {
        *self.lanes.entry(lane).or_default() += 1;
        self.attempts.push(attempt);
    }

    /// Lanes with as many attempts as they may have.
    fn full(&self, settings: &WorkerSettings) -> Vec<String> {
        let most = |lane: &str| if settings.narrow.contains(&lane) { 1 } else { settings.per_lane };
        let full = self.lanes.iter().filter(|(lane, count)| **count >= most(lane));
        full.map(|(lane, _)| lane.clone()).collect()
    }

    /// Goes on until one has ended; for ever when there is none.
    async fn end_one(&mut self) {
        match self.attempts.next().await {
            Some(lane) => {
                if let Some(count) = self.lanes.get_mut(&lane) {
                    *count -= 1;
                }
                self.lanes.retain(|_, count| *count > 0);
            }
            None => pending().await,
        }
    }

    /// Goes on while that work is done; its outcome, and whether any attempt has ended.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> (T, bool) {
        let mut work = pin!(work);
        let mut has_ended = false;
        loop {
            match select(work.as_mut(), pin!(self.end_one())).await {
                Either::Left((outcome, _)) => return (outcome, has_ended),
                Either::Right(_) => has_ended = true,
            }
        }
    }
}
