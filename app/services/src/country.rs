//! Countries: mirrored from a source, kept, and answered.

mod job;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use malecon_domain::{
    CountryCode, CountryFilter, CountryQuery, CountrySortKey, DataVersion, Lookup, Paged, Principal, Sort,
    StoredCountry, SyncReport, text::fold,
};
use malecon_ports::{Clock, CountryGateway, CountryRepository, Lock, Sheet, SheetFormat};

use crate::ServiceError;
use crate::deadline::within;

pub use sync::SyncSettings;

/// How long a reader waits for the store.
const READ_LIMIT: Duration = Duration::from_millis(900);

/// What the service needs from outside.
#[derive(Clone)]
pub struct CountryPorts {
    /// Where countries are kept.
    pub repository: Arc<dyn CountryRepository>,
    /// Where they come from.
    pub source: Arc<dyn CountryGateway>,
    /// What fills an empty store.
    pub snapshot: Arc<dyn CountryGateway>,
    /// Keeps two syncs apart; its leases must be known to the repository.
    pub lock: Arc<dyn Lock>,
    /// Writes spreadsheets.
    pub sheet: Arc<dyn Sheet>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// All countries of one version of the data, by name.
#[derive(Debug)]
pub struct CountrySet {
    /// Which version.
    pub version: DataVersion,
    /// The countries, in the order of their folded common names.
    pub countries: Vec<StoredCountry>,
}

/// Mirrors countries and answers for them.
#[derive(Clone)]
pub struct CountryService {
    ports: CountryPorts,
    settings: SyncSettings,
    held: Arc<ArcSwapOption<CountrySet>>,
}

impl CountryService {
    /// A service over these ports.
    pub fn new(ports: CountryPorts, settings: SyncSettings) -> Self {
        Self { ports, settings, held: Arc::default() }
    }

    /// The countries in memory: those of the last [`CountryService::refresh`], or of the store when
    /// there was none.
    ///
    /// # Errors
    /// `Unavailable` when nothing is held and the store does not answer.
    pub async fn held(&self) -> Result<Arc<CountrySet>, ServiceError> {
        match self.held.load_full() {
            Some(held) => Ok(held),
            None => self.refresh().await,
        }
    }

    /// Which version of the data is held; `None` before any is.
    pub fn version(&self) -> Option<DataVersion> {
        self.held.load().as_ref().map(|held| held.version)
    }

    /// Looks whether the store has a newer version, and holds it if so. Call it every half second or
    /// so where several processes share a store; after a sync of its own the service does so itself.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer; what is held stays.
    pub async fn refresh(&self) -> Result<Arc<CountrySet>, ServiceError> {
        let repository = &self.ports.repository;
        let clock = &*self.ports.clock;
        let version = within(clock, READ_LIMIT, repository.version()).await?;
        let held = self.held.load_full();
        if let Some(held) = held.filter(|held| held.version == version) {
            return Ok(held);
        }
        let mut countries = within(clock, READ_LIMIT * 5, repository.all()).await?;
        countries
            .sort_by_cached_key(|stored| (fold(&stored.country.name.common), stored.country.cca3.clone()));
        let set = Arc::new(CountrySet { version, countries });
        self.held.store(Some(Arc::clone(&set)));
        Ok(set)
    }

    /// One page of the countries that match.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer within a second.
    pub async fn list(&self, query: &CountryQuery) -> Result<Paged<StoredCountry>, ServiceError> {
        within(&*self.ports.clock, READ_LIMIT, self.ports.repository.list(query)).await
    }

    /// One country, by alpha-2, alpha-3 or numeric code in either case.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` when the store does not answer within a second.
    pub async fn get(&self, code: &str) -> Result<StoredCountry, ServiceError> {
        let code = CountryCode::parse(code).ok_or(ServiceError::NotFound)?;
        let found = within(&*self.ports.clock, READ_LIMIT, self.ports.repository.find(&code)).await?;
        found.ok_or(ServiceError::NotFound)
    }

    /// A spreadsheet of the countries that match.
    ///
    /// # Errors
    /// `Unavailable` when nothing is held and the store does not answer.
    pub async fn export(
        &self,
        filter: &CountryFilter,
        sort: &[Sort<CountrySortKey>],
        format: SheetFormat,
    ) -> Result<Vec<u8>, ServiceError> {
        let rows = self.held().await?.select(filter, sort);
        Ok(self.ports.sheet.write(format, &rows)?)
    }

    /// What the last sync did; `None` before the first. Any caller with a token may ask.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer within a second.
    pub async fn last_report(&self, _: &Principal) -> Result<Option<SyncReport>, ServiceError> {
        self.last_report_unattended().await
    }

    /// The same, for a schedule.
    ///
    /// # Errors
    /// As [`CountryService::last_report`].
    pub async fn last_report_unattended(&self) -> Result<Option<SyncReport>, ServiceError> {
        within(&*self.ports.clock, READ_LIMIT, self.ports.repository.last_report()).await
    }
}

impl CountrySet {
    /// The countries that answer a v3.1 question, by name.
    pub fn lookup(&self, lookup: &Lookup) -> Vec<&StoredCountry> {
        lookup.select(&self.countries)
    }

    /// The countries that match, in this order; by name when nothing is said.
    pub fn select(&self, filter: &CountryFilter, sort: &[Sort<CountrySortKey>]) -> Vec<StoredCountry> {
        let filter = filter.folded();
        let order = CountryQuery { sort: sort.to_vec(), ..CountryQuery::default() };
        let matching = self.countries.iter().filter(|stored| filter.matches(&stored.country));
        let mut rows: Vec<StoredCountry> = matching.cloned().collect();
        rows.sort_by(|a, b| order.compare(&a.country, &b.country));
        rows
    }
}
