//! Stores that lose their countries, or are replaced by others, while somebody holds them.

use malecon_ports::{CountryRestore, SyncWrite};

use super::*;

/// A store in whose place another one can be put.
#[derive(Clone)]
struct Replaceable(Arc<Mutex<MemoryCountries>>);

impl Replaceable {
    fn new(store: MemoryCountries) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    fn store(&self) -> MemoryCountries {
        self.0.lock().unwrap().clone()
    }

    fn replace(&self, store: MemoryCountries) {
        *self.0.lock().unwrap() = store;
    }
}

#[async_trait::async_trait]
impl CountryRepository for Replaceable {
    async fn list(&self, query: &CountryQuery) -> Result<Paged<StoredCountry>, RepositoryError> {
        self.store().list(query).await
    }

    async fn find(&self, code: &CountryCode) -> Result<Option<StoredCountry>, RepositoryError> {
        self.store().find(code).await
    }

    async fn all(&self) -> Result<Vec<StoredCountry>, RepositoryError> {
        self.store().all().await
    }

    async fn version(&self) -> Result<DataVersion, RepositoryError> {
        self.store().version().await
    }

    async fn apply(&self, write: &SyncWrite) -> Result<DataVersion, RepositoryError> {
        self.store().apply(write).await
    }

    async fn restore(&self, restore: &CountryRestore) -> Result<bool, RepositoryError> {
        self.store().restore(restore).await
    }

    async fn last_report(&self) -> Result<Option<SyncReport>, RepositoryError> {
        self.store().last_report().await
    }
}

/// A service over a store that was filled with a source's first answer.
async fn filled(answers: Vec<Result<Batch, GatewayError>>) -> (CountryService, Replaceable, MemoryLock) {
    let lock = MemoryLock::new();
    let store = Replaceable::new(MemoryCountries::new(lock.clone()));
    let service = over(&store, &lock, source(answers));
    service.sync(&caller(ADMIN)).await.unwrap();
    (service, store, lock)
}

fn over(store: &Replaceable, lock: &MemoryLock, source: Arc<dyn CountryGateway>) -> CountryService {
    let ports = CountryPorts {
        repository: Arc::new(store.clone()),
        snapshot: source.clone(),
        source,
        lock: Arc::new(lock.clone()),
        sheet: Arc::new(MockSheet::new()),
        clock: Arc::new(SystemClock),
    };
    CountryService::new(ports, SyncSettings::default())
}

async fn codes_of(service: &CountryService) -> Vec<String> {
    let page = service.list(&CountryQuery::default()).await.unwrap();
    page.items.iter().map(|stored| stored.country.cca3.clone()).collect()
}

#[tokio::test]
async fn what_is_held_stays_and_fills_a_store_that_has_lost_it() {
    let (service, store, lock) = filled(vec![Ok(batch(&["AAX", "BBX"]))]).await;
    let held = service.held().await.unwrap();
    store.replace(MemoryCountries::new(lock));
    let query = CountryQuery::default();
    assert_eq!(service.list_of(&held, &query).await.unwrap().total, 2, "before anybody has looked");
    assert_eq!(service.get_of(&held, "BBX").await.unwrap(), held.countries[1]);
    assert_eq!(store.all().await.unwrap(), []);

    let after = service.refresh().await.unwrap();
    assert_eq!((after.version, &after.countries), (held.version, &held.countries));
    assert_eq!(store.all().await.unwrap(), held.countries, "with the time of each one's last change");
    assert_eq!(store.version().await.unwrap(), held.version, "the same data, the same version");
    let report = service.last_report(&caller(Role::User)).await.unwrap().unwrap();
    assert_eq!((report.source.as_str(), report.inserted), ("held", 2));
}

#[tokio::test]
async fn a_loss_that_nobody_has_seen_yet_is_answered_from_what_is_held() {
    let (service, store, lock) = filled(vec![Ok(batch(&["AAX", "BBX"]))]).await;
    store.replace(MemoryCountries::new(lock.clone()));
    // Somebody is at it, for as long as this lasts.
    let lease = lock.acquire("country-sync", Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(codes_of(&service).await, ["AAX", "BBX"]);
    assert_eq!(service.get("aax").await.unwrap().country.cca3, "AAX");
    assert_eq!(service.refresh().await.unwrap().countries.len(), 2);
    assert_eq!(store.all().await.unwrap(), [], "two never write at once");
    assert_eq!(service.fill().await.unwrap(), None, "what is held is no empty store");
    lock.release(&lease).await.unwrap();
    service.refresh().await.unwrap();
    assert_eq!(store.all().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_sync_into_a_store_that_has_lost_its_countries_keeps_what_the_source_lacks() {
    let mut narrow = batch(&["AAX", "BBX"]);
    narrow.covered = [malecon_domain::CountryField::Population].into_iter().collect();
    narrow.records.iter_mut().for_each(|record| record.region = "Asia".to_owned());
    let (service, store, lock) = filled(vec![Ok(batch(&["AAX", "BBX"])), Ok(narrow)]).await;
    store.replace(MemoryCountries::new(lock));
    let report = service.sync(&caller(ADMIN)).await.unwrap();
    assert_eq!((report.inserted, report.unchanged), (0, 2), "{report:?}");
    assert_eq!(service.get("AAX").await.unwrap().country.region, "Europe");
}

#[tokio::test]
async fn a_store_that_can_not_be_filled_is_no_reason_to_answer_nothing() {
    let mut empty = MockCountryRepository::new();
    let full = DataVersion { number: 7, since: Default::default(), checked_at: Default::default() };
    let nothing = DataVersion { number: 0, ..full };
    let record = malecon_domain::Country::new(record("AAX")).unwrap();
    let stored = StoredCountry { country: record, updated_at: Default::default() };
    empty.expect_version().times(2).returning(move || Ok(full));
    empty.expect_all().times(1).returning(move || Ok(vec![stored.clone()]));
    empty.expect_version().returning(move || Ok(nothing));
    empty.expect_restore().times(2).returning(|_| Err(RepositoryError::Unavailable("read-only".into())));
    let lock = MemoryLock::new();
    let ports = CountryPorts {
        repository: Arc::new(empty),
        source: source(vec![]),
        snapshot: source(vec![]),
        lock: Arc::new(lock),
        sheet: Arc::new(MockSheet::new()),
        clock: Arc::new(SystemClock),
    };
    let service = CountryService::new(ports, SyncSettings::default());
    service.refresh().await.unwrap();
    for _ in 0..2 {
        let held = service.refresh().await.unwrap();
        assert_eq!((held.version.number, held.countries.len()), (7, 1));
    }
    assert!(!service.fill_conflicts().await, "each attempt lets go of its lease");
}

#[tokio::test]
async fn an_older_store_that_has_countries_is_followed_and_its_next_version_is_another() {
    let mut changed = batch(&["AAX", "BBX"]);
    changed.records[0].population = 6;
    let mut other = batch(&["AAX", "BBX"]);
    other.records[0].population = 7;
    let first = Ok(batch(&["AAX", "BBX"]));
    let (service, store, lock) = filled(vec![first, Ok(changed), Ok(other)]).await;
    let backup = MemoryCountries::new(lock.clone());
    let copy = over(&Replaceable::new(backup.clone()), &lock, source(vec![Ok(batch(&["AAX", "BBX"]))]));
    copy.sync(&caller(ADMIN)).await.unwrap();
    service.sync(&caller(ADMIN)).await.unwrap();
    let lost = service.held().await.unwrap();
    assert_eq!((lost.version.number, lost.countries[0].country.population), (2, 6));

    store.replace(backup);
    assert_eq!(
        service.list_of(&lost, &CountryQuery::default()).await.unwrap().items[0].country.population,
        6
    );
    let older = service.refresh().await.unwrap();
    assert_eq!((older.version.number, older.countries[0].country.population), (1, 5));
    service.sync(&caller(ADMIN)).await.unwrap();
    let newer = service.held().await.unwrap();
    assert_eq!((newer.version.number, newer.countries[0].country.population), (2, 7));
    assert!(!newer.version.same_data(lost.version), "one number, two versions");
}

#[tokio::test]
async fn what_is_written_while_it_is_read_is_read_again() {
    let version = |number| DataVersion { number, since: Default::default(), checked_at: Default::default() };
    let mut busy = MockCountryRepository::new();
    let numbers = Mutex::new([1, 2, 2].into_iter());
    busy.expect_version().returning(move || Ok(version(numbers.lock().unwrap().next().unwrap())));
    busy.expect_all().times(2).returning(|| Ok(vec![]));
    let ports = CountryPorts {
        repository: Arc::new(busy),
        source: source(vec![]),
        snapshot: source(vec![]),
        lock: Arc::new(MemoryLock::new()),
        sheet: Arc::new(MockSheet::new()),
        clock: Arc::new(SystemClock),
    };
    let service = CountryService::new(ports, SyncSettings::default());
    assert_eq!(service.refresh().await.unwrap().version.number, 2);
}
