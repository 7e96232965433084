//! The use cases of countries, on fakes for state and mocks for failures.

mod restore;

use std::sync::Mutex;

use malecon_domain::{Batch, CountryName, CountryRecord, Credential, FieldSet, Role, SyncOutcome};
use malecon_memory::{ManualClock, MemoryCountries, MemoryLock, SystemClock};
use malecon_ports::{GatewayError, MockCountryGateway, MockCountryRepository, MockSheet};

use super::*;

const ADMIN: Role = Role::Admin;

fn caller(role: Role) -> Principal {
    Principal { user_id: 1, name: "ana".to_owned(), role, credential: Credential::External }
}

fn record(cca3: &str) -> CountryRecord {
    CountryRecord {
        cca2: cca3[..2].to_owned(),
        cca3: cca3.to_owned(),
        name: CountryName {
            common: format!("Land {cca3}"),
            official: format!("Realm {cca3}"),
            ..CountryName::default()
        },
        region: "Europe".to_owned(),
        population: 5,
        ..CountryRecord::default()
    }
}

fn batch(codes: &[&str]) -> Batch {
    Batch {
        covered: FieldSet::ALL,
        records: codes.iter().map(|code| record(code)).collect(),
        rejected: vec![],
    }
}

/// A source that gives these answers, one after the other.
fn source(answers: Vec<Result<Batch, GatewayError>>) -> Arc<dyn CountryGateway> {
    let mut gateway = MockCountryGateway::new();
    let answers = Mutex::new(answers.into_iter());
    gateway.expect_source().returning(|| "mock".to_owned());
    gateway.expect_fetch().returning(move || answers.lock().unwrap().next().unwrap());
    Arc::new(gateway)
}

fn service(source: Arc<dyn CountryGateway>) -> CountryService {
    let lock = MemoryLock::new();
    CountryService::new(
        CountryPorts {
            repository: Arc::new(MemoryCountries::new(lock.clone())),
            snapshot: source.clone(),
            source,
            lock: Arc::new(lock),
            sheet: Arc::new(MockSheet::new()),
            clock: Arc::new(SystemClock),
        },
        SyncSettings::default(),
    )
}

#[tokio::test]
async fn an_empty_store_is_filled_once() {
    let service = service(source(vec![Ok(batch(&["AAX", "BBX"]))]));
    let report = service.fill().await.unwrap().unwrap();
    assert_eq!(
        (report.outcome, report.inserted, report.source.as_str()),
        (SyncOutcome::Succeeded, 2, "mock")
    );
    assert_eq!(service.fill().await.unwrap(), None);
    assert_eq!(service.get("aax").await.unwrap().country.cca3, "AAX");
    assert!(matches!(service.get("zz").await, Err(ServiceError::NotFound)));
    assert!(matches!(service.get("nonsense").await, Err(ServiceError::NotFound)));
}

#[tokio::test]
async fn a_sync_that_changes_something_starts_a_version_at_once() {
    let mut changed = batch(&["AAX"]);
    changed.records[0].population = 6;
    let service = service(source(vec![Ok(batch(&["AAX"])), Ok(batch(&["AAX"])), Ok(changed)]));
    service.sync(&caller(ADMIN)).await.unwrap();
    let first = service.held().await.unwrap();
    service.sync(&caller(ADMIN)).await.unwrap();
    assert_eq!(service.held().await.unwrap().version.number, first.version.number);
    service.sync(&caller(ADMIN)).await.unwrap();
    let second = service.held().await.unwrap();
    assert_eq!(
        (second.version.number, second.countries[0].country.population),
        (first.version.number + 1, 6)
    );
}

#[tokio::test]
async fn a_source_that_fails_or_lies_changes_nothing_and_is_reported() {
    let answers = vec![
        Ok(batch(&["AAX", "BBX"])),
        Err(GatewayError::Unavailable("refused".into())),
        Err(GatewayError::RateLimited { retry_after: None }),
        Err(GatewayError::Malformed("an object".into())),
        Ok(batch(&[])),
        Ok(batch(&["AAX"])),
    ];
    let service = service(source(answers));
    service.sync(&caller(ADMIN)).await.unwrap();
    let before = service.held().await.unwrap().countries.clone();
    let expected = [
        (SyncOutcome::Failed, "the upstream is unavailable: refused"),
        (SyncOutcome::Failed, "the upstream limits our rate"),
        (SyncOutcome::SourceDrifted, "the upstream's answer is malformed: an object"),
        (SyncOutcome::SourceDrifted, "the source has no valid country"),
        (SyncOutcome::SourceDrifted, "the source has 1 valid countries, we hold 2"),
    ];
    for (outcome, detail) in expected {
        let report = service.sync(&caller(ADMIN)).await.unwrap();
        assert_eq!((report.outcome, report.detail.as_deref()), (outcome, Some(detail)));
        assert_eq!(service.held().await.unwrap().countries, before);
        assert_eq!(service.last_report(&caller(Role::User)).await.unwrap(), Some(report));
    }
}

#[tokio::test]
async fn users_may_not_sync() {
    let service = service(source(vec![]));
    assert!(matches!(service.sync(&caller(Role::User)).await, Err(ServiceError::Forbidden)));
}

#[tokio::test]
async fn two_syncs_never_run_at_once_and_a_long_one_keeps_its_lease() {
    let clock = Arc::new(ManualClock::new(chrono::DateTime::UNIX_EPOCH));
    let lock = MemoryLock::new();
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let told = Mutex::new(Some(told));
    let slow = MockSlow { told };
    let ports = CountryPorts {
        repository: Arc::new(MemoryCountries::new(lock.clone())),
        source: Arc::new(slow),
        snapshot: source(vec![]),
        lock: Arc::new(lock),
        sheet: Arc::new(MockSheet::new()),
        clock: clock.clone(),
    };
    let service = CountryService::new(ports, SyncSettings { lease: Duration::from_secs(60) });
    let first = tokio::spawn({
        let service = service.clone();
        async move { service.sync_unattended().await }
    });
    loop {
        match service.fill_conflicts().await {
            true => break,
            false => tokio::task::yield_now().await,
        }
    }
    clock.advance(Duration::from_secs(25));
    tokio::task::yield_now().await;
    assert!(service.fill_conflicts().await, "the lease was renewed, not lost");
    tell.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap().inserted, 1);
    assert!(!service.fill_conflicts().await, "and released");
}

/// A source that answers when it is told to.
struct MockSlow {
    told: Mutex<Option<tokio::sync::oneshot::Receiver<()>>>,
}

#[async_trait::async_trait]
impl CountryGateway for MockSlow {
    fn source(&self) -> String {
        "slow".to_owned()
    }

    async fn fetch(&self) -> Result<Batch, GatewayError> {
        let told = self.told.lock().unwrap().take();
        if let Some(told) = told {
            let _ = told.await;
        }
        Ok(batch(&["AAX"]))
    }
}

impl CountryService {
    /// Whether somebody holds the lease of the sync.
    async fn fill_conflicts(&self) -> bool {
        match self.ports.lock.acquire("country-sync", Duration::from_secs(60)).await.unwrap() {
            None => true,
            Some(lease) => {
                self.ports.lock.release(&lease).await.unwrap();
                false
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_or_hangs_is_unavailable_within_a_second() {
    let clock = Arc::new(ManualClock::new(chrono::DateTime::UNIX_EPOCH));
    let mut broken = MockCountryRepository::new();
    broken.expect_version().returning(|| Err(RepositoryError::Unavailable("gone".into())));
    broken.expect_list().returning(|_| Err(RepositoryError::Unavailable("gone".into())));
    broken.expect_find().returning(|_| Err(RepositoryError::Corrupt("what is this".into())));
    let ports = CountryPorts {
        repository: Arc::new(broken),
        source: source(vec![]),
        snapshot: source(vec![]),
        lock: Arc::new(MemoryLock::new()),
        sheet: Arc::new(MockSheet::new()),
        clock: clock.clone(),
    };
    let service = CountryService::new(ports.clone(), SyncSettings::default());
    assert!(matches!(service.held().await, Err(ServiceError::Unavailable { what: "the store", .. })));
    assert!(matches!(service.list(&CountryQuery::default()).await, Err(ServiceError::Unavailable { .. })));
    assert!(matches!(service.get("pe").await, Err(ServiceError::Internal(_))));

    let hung =
        CountryService::new(CountryPorts { repository: Arc::new(Hung), ..ports }, SyncSettings::default());
    let asked = tokio::spawn(async move { hung.list(&CountryQuery::default()).await });
    while !asked.is_finished() {
        clock.advance(Duration::from_millis(950));
        tokio::task::yield_now().await;
    }
    assert!(matches!(asked.await.unwrap(), Err(ServiceError::Unavailable { .. })));
}

/// A store that never answers.
struct Hung;

#[async_trait::async_trait]
impl CountryRepository for Hung {
    async fn list(&self, _: &CountryQuery) -> Result<Paged<StoredCountry>, RepositoryError> {
        std::future::pending().await
    }

    async fn find(&self, _: &CountryCode) -> Result<Option<StoredCountry>, RepositoryError> {
        std::future::pending().await
    }

    async fn all(&self) -> Result<Vec<StoredCountry>, RepositoryError> {
        std::future::pending().await
    }

    async fn version(&self) -> Result<DataVersion, RepositoryError> {
        std::future::pending().await
    }

    async fn apply(&self, _: &malecon_ports::SyncWrite) -> Result<DataVersion, RepositoryError> {
        std::future::pending().await
    }

    async fn restore(&self, _: &malecon_ports::CountryRestore) -> Result<bool, RepositoryError> {
        std::future::pending().await
    }

    async fn last_report(&self) -> Result<Option<SyncReport>, RepositoryError> {
        std::future::pending().await
    }
}
