//! Mirroring: one sync at a time, all or nothing, and never a step back.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use malecon_domain::{Batch, Country, Instant, Principal, SyncOutcome, SyncPlan, SyncReport};
use malecon_ports::{CountryGateway, GatewayError, Lease, SyncWrite};

use super::CountryService;
use crate::ServiceError;
use crate::error::chain;

/// The lease that a sync holds.
const LEASE_NAME: &str = "country-sync";

/// How syncs run.
#[derive(Clone, Copy, Debug)]
pub struct SyncSettings {
    /// How long a process that died in mid-sync keeps others out.
    pub lease: Duration,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self { lease: Duration::from_secs(15) }
    }
}

impl CountryService {
    /// Mirrors the source now, for an administrator.
    ///
    /// # Errors
    /// `Forbidden` for others, `Conflict` (`sync_running`) while a sync runs anywhere, `Unavailable`
    /// when the store does not answer. A source that fails is no error but a report.
    pub async fn sync(&self, caller: &Principal) -> Result<SyncReport, ServiceError> {
        if !caller.is_admin() {
            return Err(ServiceError::Forbidden);
        }
        self.sync_unattended().await
    }

    /// Mirrors the source now, for a schedule or a command line.
    ///
    /// # Errors
    /// As [`CountryService::sync`], without `Forbidden`.
    pub async fn sync_unattended(&self) -> Result<SyncReport, ServiceError> {
        self.run(&*self.ports.source).await
    }

    /// Fills an empty store from the snapshot; `None` when it is not empty.
    ///
    /// # Errors
    /// As [`CountryService::sync`], without `Forbidden`.
    pub async fn fill(&self) -> Result<Option<SyncReport>, ServiceError> {
        if !self.refresh().await?.countries.is_empty() {
            return Ok(None);
        }
        self.run(&*self.ports.snapshot).await.map(Some)
    }

    async fn run(&self, gateway: &dyn CountryGateway) -> Result<SyncReport, ServiceError> {
        let lease = self.lease().await?;
        let report = self.run_leased(gateway, &lease).await.inspect(log);
        self.release(&lease).await;
        if let Err(error) = self.refresh().await {
            tracing::warn!(error = &error as &dyn Error, "what the sync wrote is not held yet");
        }
        report
    }

    /// The lease of whoever writes countries.
    pub(super) async fn lease(&self) -> Result<Lease, ServiceError> {
        self.ports.lock.acquire(LEASE_NAME, self.settings.lease).await?.ok_or_else(running)
    }

    pub(super) async fn release(&self, lease: &Lease) {
        if let Err(error) = self.ports.lock.release(lease).await {
            tracing::warn!(error = &error as &dyn Error, "the lease of the sync lapses by itself");
        }
    }

    async fn run_leased(
        &self,
        gateway: &dyn CountryGateway,
        lease: &Lease,
    ) -> Result<SyncReport, ServiceError> {
        let started_at = self.ports.clock.now();
        let answer = self.fetch(gateway, lease).await?;
        self.restore_lost(lease).await?;
        let held: Vec<Country> =
            self.ports.repository.all().await?.into_iter().map(|stored| stored.country).collect();
        let (mut report, plan) = judge(gateway.source(), started_at, &held, answer);
        report.finished_at = self.ports.clock.now();
        let upserts = plan.insert.into_iter().chain(plan.update).collect();
        let write = SyncWrite { lease: lease.clone(), at: report.finished_at, upserts, report };
        self.ports.repository.apply(&write).await?;
        Ok(write.report)
    }

    /// Asks the source, renewing the lease for as long as it takes.
    async fn fetch(
        &self,
        gateway: &dyn CountryGateway,
        lease: &Lease,
    ) -> Result<Result<Batch, GatewayError>, ServiceError> {
        let mut answer = pin!(gateway.fetch());
        loop {
            match select(answer, self.ports.clock.sleep(self.settings.lease / 3)).await {
                Either::Left((answer, _)) => return Ok(answer),
                Either::Right(((), waiting)) => answer = waiting,
            }
            if !self.ports.lock.renew(lease, self.settings.lease).await? {
                return Err(running());
            }
        }
    }
}

/// One line for the operator.
fn log(report: &SyncReport) {
    tracing::info!(
        source = report.source,
        outcome = report.outcome.name(),
        seen = report.seen,
        inserted = report.inserted,
        updated = report.updated,
        unchanged = report.unchanged,
        missing = report.missing.len(),
        rejected = report.rejected.len(),
        "countries synced"
    );
}

fn running() -> ServiceError {
    ServiceError::conflict("sync_running", "a sync of countries is running")
}

/// What is to be written of an answer, and what is to be said of it.
fn judge(
    source: String,
    started_at: Instant,
    held: &[Country],
    answer: Result<Batch, GatewayError>,
) -> (SyncReport, SyncPlan) {
    let (outcome, detail, plan) = match answer {
        Ok(batch) => {
            let seen = batch.records.len() + batch.rejected.len();
            match SyncPlan::new(held, batch) {
                Ok(plan) => (SyncOutcome::Succeeded, None, plan),
                Err(drift) => {
                    let plan = SyncPlan { seen, ..SyncPlan::default() };
                    (SyncOutcome::SourceDrifted, Some(drift.to_string()), plan)
                }
            }
        }
        Err(error @ GatewayError::Malformed(_)) => {
            (SyncOutcome::SourceDrifted, Some(chain(&error)), SyncPlan::default())
        }
        Err(error) => (SyncOutcome::Failed, Some(chain(&error)), SyncPlan::default()),
    };
    if let Some(detail) = &detail {
        tracing::error!(%source, outcome = outcome.name(), %detail, "nothing was taken from the source of countries");
    }
    let report = SyncReport {
        source,
        started_at,
        finished_at: started_at,
        outcome,
        detail,
        seen: plan.seen as u64,
        inserted: plan.insert.len() as u64,
        updated: plan.update.len() as u64,
        unchanged: plan.unchanged as u64,
        missing: plan.missing.clone(),
        rejected: plan.rejected.clone(),
    };
    (report, plan)
}
