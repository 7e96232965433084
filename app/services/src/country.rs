//! Countries: mirrored from a source, kept, and answered.

mod job;
mod restore;
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
use malecon_ports::{Clock, CountryGateway, CountryRepository, Lock, RepositoryError, Sheet, SheetFormat};

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
    /// What was last said of a store that has lost what is held.
    loss: Arc<restore::Loss>,
}

impl CountryService {
    /// A service over these ports.
    pub fn new(ports: CountryPorts, settings: SyncSettings) -> Self {
        Self { ports, settings, held: Arc::default(), loss: Arc::default() }
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

    /// Looks whether the store has another version, and holds it if so: also an older one, which a
    /// backup has brought back. A store that has lost all countries is filled with what is held, which
    /// stays. Call it every half second or so where several processes share a store; after a sync of its
    /// own the service does so itself.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer; what is held stays.
    pub async fn refresh(&self) -> Result<Arc<CountrySet>, ServiceError> {
        let repository = &self.ports.repository;
        let mut version = self.stored_version().await?;
        loop {
            let held = self.held.load_full();
            if let Some(held) = held.filter(|held| held.version == version || has_lost(version, held)) {
                let held_by_store = held.version == version;
                return Ok(if held_by_store { self.found_again(held) } else { self.put_back(held).await });
            }
            let all = within(&*self.ports.clock, READ_LIMIT * 5, repository.all());
            let mut countries = all.await?;
            let after = self.stored_version().await?;
            // Who writes in between would have its data known under the version before.
            if !version.same_data(after) {
                version = after;
                continue;
            }
            countries.sort_by_cached_key(|stored| {
                (fold(&stored.country.name.common), stored.country.cca3.clone())
            });
            let set = Arc::new(CountrySet { version: after, countries });
            self.held.store(Some(Arc::clone(&set)));
            return Ok(self.found_again(set));
        }
    }

    async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, RepositoryError>>,
    ) -> Result<T, ServiceError> {
        within(&*self.ports.clock, READ_LIMIT, work).await
    }

    async fn stored_version(&self) -> Result<DataVersion, ServiceError> {
        self.bounded(self.ports.repository.version()).await
    }

    /// One page of the countries that match.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer within a second.
    pub async fn list(&self, query: &CountryQuery) -> Result<Paged<StoredCountry>, ServiceError> {
        let (page, version) = self.versioned(self.ports.repository.list(query)).await?;
        match self.held.load().as_ref() {
            Some(held) if has_lost(version, held) => Ok(held.page(query)),
            _ => Ok(page),
        }
    }

    /// The same of one version, whatever the store holds by now: for what is kept under that version.
    ///
    /// # Errors
    /// As [`CountryService::list`].
    pub async fn list_of(
        &self,
        held: &CountrySet,
        query: &CountryQuery,
    ) -> Result<Paged<StoredCountry>, ServiceError> {
        let (page, version) = self.versioned(self.ports.repository.list(query)).await?;
        // What is not there may have been lost and put back since.
        let is_there = !page.items.is_empty() && page.total > 0;
        Ok(if is_there && version.same_data(held.version) { page } else { held.page(query) })
    }

    /// One country, by alpha-2, alpha-3 or numeric code in either case.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` when the store does not answer within a second.
    pub async fn get(&self, code: &str) -> Result<StoredCountry, ServiceError> {
        let code = CountryCode::parse(code).ok_or(ServiceError::NotFound)?;
        let (mut found, version) = self.versioned(self.ports.repository.find(&code)).await?;
        if let Some(held) = self.held.load().as_ref().filter(|held| has_lost(version, held)) {
            found = held.find(&code).cloned();
        }
        found.ok_or(ServiceError::NotFound)
    }

    /// The same of one version, whatever the store holds by now: for what is kept under that version.
    ///
    /// # Errors
    /// As [`CountryService::get`].
    pub async fn get_of(&self, held: &CountrySet, code: &str) -> Result<StoredCountry, ServiceError> {
        let code = CountryCode::parse(code).ok_or(ServiceError::NotFound)?;
        let (mut found, version) = self.versioned(self.ports.repository.find(&code)).await?;
        if found.is_none() || !version.same_data(held.version) {
            found = held.find(&code).cloned();
        }
        found.ok_or(ServiceError::NotFound)
    }

    /// What the store says, and which version it holds after it; both within a second.
    async fn versioned<T>(
        &self,
        work: impl Future<Output = Result<T, RepositoryError>>,
    ) -> Result<(T, DataVersion), ServiceError> {
        self.bounded(async { Ok((work.await?, self.ports.repository.version().await?)) }).await
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
        self.export_of(&*self.held().await?, filter, sort, format)
    }

    /// The same of one version.
    ///
    /// # Errors
    /// `Internal` when no sheet can be written.
    pub fn export_of(
        &self,
        held: &CountrySet,
        filter: &CountryFilter,
        sort: &[Sort<CountrySortKey>],
        format: SheetFormat,
    ) -> Result<Vec<u8>, ServiceError> {
        Ok(self.ports.sheet.write(format, &held.select(filter, sort))?)
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
        self.bounded(self.ports.repository.last_report()).await
    }
}

/// Whether a store that says this version of itself has lost what is held.
fn has_lost(version: DataVersion, held: &CountrySet) -> bool {
    version.number == 0 && !held.countries.is_empty()
}

impl CountrySet {
    /// The country of this code.
    pub fn find(&self, code: &CountryCode) -> Option<&StoredCountry> {
        self.countries.iter().find(|stored| match code {
            CountryCode::Alpha2(code) => stored.country.cca2 == *code,
            CountryCode::Alpha3(code) => stored.country.cca3 == *code,
            CountryCode::Numeric(code) => stored.country.ccn3.as_ref() == Some(code),
        })
    }

    /// One page of the countries that match.
    pub fn page(&self, query: &CountryQuery) -> Paged<StoredCountry> {
        let rows = self.select(&query.filter, &query.sort);
        let total = rows.len() as u64;
        let offset = usize::try_from(query.page.offset()).unwrap_or(usize::MAX);
        Paged { items: rows.into_iter().skip(offset).take(query.page.size() as usize).collect(), total }
    }

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
