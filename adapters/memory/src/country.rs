//! Countries in RAM.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use malecon_domain::{CountryCode, CountryQuery, DataVersion, Paged, StoredCountry, SyncOutcome, SyncReport};
use malecon_ports::{CountryRepository, CountryRestore, RepositoryError, SyncWrite};

use crate::MemoryLock;

/// Keeps countries in RAM, honouring the leases of one [`MemoryLock`]. Clones share them.
#[derive(Clone)]
pub struct MemoryCountries {
    lock: MemoryLock,
    state: Arc<Mutex<State>>,
}

struct State {
    countries: BTreeMap<String, StoredCountry>,
    version: DataVersion,
    report: Option<SyncReport>,
}

impl MemoryCountries {
    /// An empty store.
    pub fn new(lock: MemoryLock) -> Self {
        let since = malecon_domain::Instant::default();
        let version = DataVersion { number: 0, since, checked_at: since };
        Self {
            lock,
            state: Arc::new(Mutex::new(State { countries: BTreeMap::new(), version, report: None })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CountryRepository for MemoryCountries {
    async fn list(&self, query: &CountryQuery) -> Result<Paged<StoredCountry>, RepositoryError> {
        let filter = query.filter.folded();
        let mut found: Vec<StoredCountry> = self
            .state()
            .countries
            .values()
            .filter(|stored| filter.matches(&stored.country))
            .cloned()
            .collect();
        found.sort_by(|a, b| query.compare(&a.country, &b.country));
        let total = found.len() as u64;
        let offset = usize::try_from(query.page.offset()).unwrap_or(usize::MAX);
        let items = found.into_iter().skip(offset).take(query.page.size() as usize).collect();
        Ok(Paged { items, total })
    }

    async fn find(&self, code: &CountryCode) -> Result<Option<StoredCountry>, RepositoryError> {
        let is_it = |stored: &&StoredCountry| match code {
            CountryCode::Alpha2(code) => stored.country.cca2 == *code,
            CountryCode::Alpha3(code) => stored.country.cca3 == *code,
            CountryCode::Numeric(code) => stored.country.ccn3.as_ref() == Some(code),
        };
        Ok(self.state().countries.values().find(is_it).cloned())
    }

    async fn all(&self) -> Result<Vec<StoredCountry>, RepositoryError> {
        Ok(self.state().countries.values().cloned().collect())
    }

    async fn version(&self) -> Result<DataVersion, RepositoryError> {
        Ok(self.state().version)
    }

    async fn apply(&self, write: &SyncWrite) -> Result<DataVersion, RepositoryError> {
        let leases = self.lock.leases();
        if !leases.is_current(&write.lease) {
            return Err(RepositoryError::Conflict(format!("the lease {} was lost", write.lease.name)));
        }
        let mut state = self.state();
        for country in &write.upserts {
            let stored = StoredCountry { country: country.clone(), updated_at: write.at };
            state.countries.insert(country.cca3.clone(), stored);
        }
        if !write.upserts.is_empty() {
            state.version.number += 1;
            state.version.since = write.at;
        }
        if write.report.outcome == SyncOutcome::Succeeded {
            state.version.checked_at = write.at;
        }
        state.report = Some(write.report.clone());
        Ok(state.version)
    }

    async fn restore(&self, restore: &CountryRestore) -> Result<bool, RepositoryError> {
        let leases = self.lock.leases();
        if !leases.is_current(&restore.lease) {
            return Err(RepositoryError::Conflict(format!("the lease {} was lost", restore.lease.name)));
        }
        let mut state = self.state();
        if !state.countries.is_empty() {
            return Ok(false);
        }
        let countries = restore.countries.iter().cloned();
        state.countries = countries.map(|stored| (stored.country.cca3.clone(), stored)).collect();
        state.version = restore.version;
        state.report = Some(restore.report.clone());
        Ok(true)
    }

    async fn last_report(&self) -> Result<Option<SyncReport>, RepositoryError> {
        Ok(self.state().report.clone())
    }
}
