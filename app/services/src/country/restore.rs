//! A store that has lost its countries, and is filled with what is held.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use malecon_domain::{SyncOutcome, SyncReport};
use malecon_ports::{CountryRestore, Lease};

use super::{CountryService, CountrySet, has_lost};
use crate::ServiceError;

/// The source in the report of a store that was filled with what a process held.
const SOURCE: &str = "held";

/// What was said of a loss: each thing once, however often the store is looked at.
#[derive(Debug, Default)]
pub(super) struct Loss {
    told: AtomicBool,
    told_why_it_lasts: AtomicBool,
}

impl CountryService {
    /// The store has countries.
    pub(super) fn found_again(&self, held: Arc<CountrySet>) -> Arc<CountrySet> {
        if !held.countries.is_empty() && self.loss.told.swap(false, Ordering::Relaxed) {
            self.loss.told_why_it_lasts.store(false, Ordering::Relaxed);
            tracing::info!(countries = held.countries.len(), "the store has countries again");
        }
        held
    }

    /// The store has lost what is held, so that goes back there.
    pub(super) async fn put_back(&self, held: Arc<CountrySet>) -> Arc<CountrySet> {
        if !self.loss.told.swap(true, Ordering::Relaxed) {
            let countries = held.countries.len();
            tracing::error!(countries, "the store has lost its countries; what is held stays and fills it");
        }
        match self.restore(&held).await {
            Ok(_) => self.found_again(held),
            // Somebody else is at it.
            Err(ServiceError::Conflict { .. }) => held,
            Err(error) => {
                if !self.loss.told_why_it_lasts.swap(true, Ordering::Relaxed) {
                    let error = &error as &dyn Error;
                    tracing::error!(error, "the store can't be filled; what is held is served");
                }
                held
            }
        }
    }

    async fn restore(&self, held: &CountrySet) -> Result<bool, ServiceError> {
        let lease = self.lease().await?;
        let restored = self.restore_leased(held, &lease).await;
        self.release(&lease).await;
        restored
    }

    /// Fills the store, if it has lost what is held, before a sync that would take it for a new one.
    pub(super) async fn restore_lost(&self, lease: &Lease) -> Result<(), ServiceError> {
        let Some(held) = self.held.load_full() else { return Ok(()) };
        if has_lost(self.ports.repository.version().await?, &held) {
            self.restore_leased(&held, lease).await?;
        }
        Ok(())
    }

    async fn restore_leased(&self, held: &CountrySet, lease: &Lease) -> Result<bool, ServiceError> {
        let now = self.ports.clock.now();
        let countries = held.countries.len() as u64;
        let report = SyncReport {
            source: SOURCE.to_owned(),
            started_at: now,
            finished_at: now,
            outcome: SyncOutcome::Succeeded,
            detail: None,
            seen: countries,
            inserted: countries,
            updated: 0,
            unchanged: 0,
            missing: vec![],
            rejected: vec![],
        };
        let restore = CountryRestore {
            lease: lease.clone(),
            countries: held.countries.clone(),
            version: held.version,
            report,
        };
        Ok(self.ports.repository.restore(&restore).await?)
    }
}
