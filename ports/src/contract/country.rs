//! The promises of [`CountryRepository`].

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use malecon_domain::{
    Car, CoatOfArms, Country, CountryCode, CountryFilter, CountryName, CountryQuery, CountryRecord,
    CountrySortKey, Currency, DataVersion, Demonym, Direction, Flags, Idd, Instant, Language, LatLng,
    LocalName, Maps, Page, PostalCode, Rejection, Sort, StoredCountry, SyncOutcome, SyncReport,
};

use crate::{CountryRepository, CountryRestore, Lock, RepositoryError, SyncWrite};

/// Tests of every promise of [`CountryRepository`] on the store that the expression makes: anything
/// with `repository()` and `lock()`, see [`CountryStore`].
#[macro_export]
macro_rules! country_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::country, [
            an_empty_store_has_version_zero,
            countries_come_back_as_written,
            writing_again_changes_only_what_differs,
            a_write_with_upserts_starts_a_version,
            the_last_report_is_kept,
            a_lost_lease_writes_nothing,
            a_restore_fills_an_empty_store,
            a_restore_leaves_a_store_with_countries_alone,
            a_lost_lease_restores_nothing,
            countries_are_found_by_any_code,
            filters_agree_with_the_domain,
            wildcards_are_plain_letters,
            sorts_agree_with_the_domain,
            pages_cut_the_sorted_list,
        ]);
    };
}

/// A store under test: its countries, and the lock whose leases it honours.
pub trait CountryStore: Send + Sync {
    /// The countries.
    fn repository(&self) -> &dyn CountryRepository;
    /// The leases.
    fn lock(&self) -> &dyn Lock;
}

const LONG: Duration = Duration::from_secs(60);

fn at(second: i64) -> Instant {
    DateTime::<Utc>::from_timestamp(1_700_000_000 + second, 0).expect("an instant")
}

fn report(second: i64) -> SyncReport {
    SyncReport {
        source: "contract".to_owned(),
        started_at: at(second - 1),
        finished_at: at(second),
        outcome: SyncOutcome::Succeeded,
        detail: None,
        seen: 3,
        inserted: 1,
        updated: 1,
        unchanged: 1,
        missing: vec!["XXX".to_owned()],
        rejected: vec![Rejection { record: "#4".to_owned(), reason: "name.common is missing".to_owned() }],
    }
}

/// Eight countries that differ in every way that filters and sorts see.
pub fn countries() -> Vec<Country> {
    let text = |s: &str| s.to_owned();
    let plain =
        |cca2: &str, cca3: &str, ccn3: Option<&str>, name: &str, population: u64, area: Option<f64>| {
            CountryRecord {
                cca2: text(cca2),
                cca3: text(cca3),
                ccn3: ccn3.map(text),
                name: CountryName {
                    common: text(name),
                    official: format!("Realm of {name}"),
                    native: BTreeMap::new(),
                },
                status: text("officially-assigned"),
                region: text("Europe"),
                population,
                area,
                ..CountryRecord::default()
            }
        };
    let mut full = plain("AX", "ALA", Some("248"), "Åland Islands", 29_458, Some(1_580.123_456_789_012_3));
    full.cioc = Some(text("ALX"));
    full.fifa = Some(text("ALF"));
    full.name.native = BTreeMap::from([(
        text("swe"),
        LocalName { official: text("Landskapet Åland"), common: text("Åland") },
    )]);
    full.tld = vec![text(".ax"), text(".åx")];
    full.independent = Some(false);
    full.un_member = true;
    full.currencies = vec![
        Currency { code: text("EUR"), name: text("Euro"), symbol: Some(text("€")) },
        Currency { code: text("AAA"), name: text("Second pound"), symbol: None },
    ];
    full.idd = Idd { root: Some(text("+3")), suffixes: vec![text("5818")] };
    full.capital = vec![text("Mariehamn"), text("São Two")];
    full.capital_latlng = Some(LatLng { lat: 60.12, lng: 19.9 });
    full.alt_spellings = vec![text("Ahvenanmaa"), text("100% _odd_ \\ 'quoted' \"name\"")];
    full.subregion = Some(text("Northern Europe"));
    full.continents = vec![text("Europe"), text("Asia")];
    full.languages = vec![
        Language { code: text("swe"), name: text("Swedish") },
        Language { code: text("fin"), name: text("Finnish") },
    ];
    full.translations =
        BTreeMap::from([(text("zho"), LocalName { official: text("奥兰群岛"), common: text("奥兰群岛") })]);
    full.latlng = Some(LatLng { lat: 60.116_667, lng: -19.912_345_678_901_234 });
    full.landlocked = true;
    full.borders = vec![text("FIN"), text("SWE")];
    full.demonyms = BTreeMap::from([(text("eng"), Demonym { f: text("Ålandish"), m: text("Ålandish") })]);
    full.flag = Some(text("🇦🇽"));
    full.flags = Flags {
        png: Some(text("https://flags.example/ax.png")),
        svg: Some(text("https://flags.example/ax.svg")),
    };
    full.coat_of_arms = CoatOfArms { png: Some(text("https://arms.example/ax.png")), svg: None };
    full.maps = Maps {
        google: Some(text("https://maps.example/g")),
        open_street: Some(text("https://maps.example/o")),
    };
    full.gini = BTreeMap::from([(text("2018"), 27.1), (text("2019"), 30.0)]);
    full.car = Car { signs: vec![text("AX")], side: Some(text("right")) };
    full.postal_code = Some(PostalCode { format: text("#####"), regex: Some(text("^(?:FI)*(\\d{5})$")) });
    full.start_of_week = Some(text("monday"));
    full.timezones = vec![text("UTC+02:00")];

    let mut second = plain("CW", "CUW", Some("531"), "Curaçao", 155_014, Some(444.0));
    second.capital = vec![text("Willemstad")];
    second.continents = vec![text("North America")];
    second.currencies = vec![Currency {
        code: text("ANG"),
        name: text("Netherlands Antillean guilder"),
        symbol: Some(text("ƒ")),
    }];
    second.languages = vec![Language { code: text("nld"), name: text("Dutch") }];
    second.region = text("Americas");
    second.subregion = Some(text("Caribbean"));
    second.flag = Some(text("🇨🇼"));
    let mut third = plain("CN", "CHN", Some("156"), "China", 1_402_112_000, Some(9_706_961.0));
    third.capital = vec![text("Beijing")];
    third.continents = vec![text("Asia")];
    third.languages = vec![Language { code: text("zho"), name: text("Chinese") }];
    third.region = text("Asia");
    [
        full,
        second,
        third,
        plain("XK", "UNK", None, "Kosovo", 1_775_378, Some(10_908.0)),
        plain("AQ", "ATA", Some("010"), "Antarctica", 1_000, Some(14_000_000.0)),
        plain("BV", "BVT", Some("074"), "bouvet Island", 0, Some(0.0)),
        plain("ZZ", "ZZA", Some("991"), "Same Name", 7, None),
        plain("ZY", "ZZB", Some("990"), "same name", 7, None),
    ]
    .into_iter()
    .map(|record| Country::new(record).expect("a valid country"))
    .collect()
}

async fn write(store: &impl CountryStore, second: i64, upserts: Vec<Country>) -> DataVersion {
    let lease = store.lock().acquire("country-sync", LONG).await.expect("acquire").expect("a lease");
    let write = SyncWrite { lease: lease.clone(), at: at(second), upserts, report: report(second) };
    let version = store.repository().apply(&write).await.expect("apply");
    store.lock().release(&lease).await.expect("release");
    version
}

async fn all(store: &impl CountryStore) -> Vec<StoredCountry> {
    store.repository().all().await.expect("all")
}

async fn codes(store: &impl CountryStore, query: &CountryQuery) -> Vec<String> {
    let page = store.repository().list(query).await.expect("list");
    page.items.into_iter().map(|stored| stored.country.cca3.clone()).collect()
}

fn whole(filter: CountryFilter, sort: Vec<Sort<CountrySortKey>>) -> CountryQuery {
    CountryQuery { filter, sort, page: Page::new(1, 100).expect("a page") }
}

/// What the domain says the answer is.
fn expected(query: &CountryQuery) -> Vec<String> {
    let filter = query.filter.folded();
    let mut list: Vec<Country> = countries().into_iter().filter(|country| filter.matches(country)).collect();
    list.sort_by(|a, b| query.compare(a, b));
    list.into_iter().map(|country| country.cca3.clone()).collect()
}

/// What somebody holds: each country as old as its place says, of version 7.
fn held(lease: &crate::Lease) -> CountryRestore {
    let countries = countries().into_iter().zip(0..);
    CountryRestore {
        lease: lease.clone(),
        countries: countries
            .map(|(country, second)| StoredCountry { country, updated_at: at(second) })
            .collect(),
        version: DataVersion { number: 7, since: at(8), checked_at: at(9) },
        report: report(20),
    }
}

/// Nothing is there.
pub async fn an_empty_store_has_version_zero(store: &impl CountryStore) {
    let repository = store.repository();
    assert_eq!(repository.version().await.expect("version").number, 0);
    assert_eq!(repository.last_report().await.expect("last_report"), None);
    assert_eq!(all(store).await, []);
    let page = repository.list(&CountryQuery::default()).await.expect("list");
    assert_eq!((page.items.len(), page.total), (0, 0));
}

/// Every member survives.
pub async fn countries_come_back_as_written(store: &impl CountryStore) {
    write(store, 0, countries()).await;
    let mut sorted = countries();
    sorted.sort_by(|a, b| a.cca3.cmp(&b.cca3));
    let stored = all(store).await;
    assert_eq!(stored.iter().map(|s| s.country.clone()).collect::<Vec<_>>(), sorted);
    assert!(stored.iter().all(|s| s.updated_at == at(0)));
    let page = store.repository().list(&whole(CountryFilter::default(), vec![])).await.expect("list");
    for listed in page.items {
        assert!(stored.contains(&listed), "a list shows the same: {}", listed.country.cca3);
    }
}

/// Only what differs changes.
pub async fn writing_again_changes_only_what_differs(store: &impl CountryStore) {
    write(store, 0, countries()).await;
    let mut record = countries()[1].clone().into_record();
    record.population += 1;
    record.capital = vec![];
    let changed = Country::new(record).expect("a valid country");
    write(store, 10, vec![changed.clone()]).await;
    let stored = all(store).await;
    assert_eq!(stored.len(), countries().len());
    for row in stored {
        let is_changed = row.country.cca3 == changed.cca3;
        assert_eq!(row.updated_at, if is_changed { at(10) } else { at(0) });
        assert!(!is_changed || row.country == changed);
    }
    write(store, 20, vec![countries()[1].clone(), changed.clone()]).await;
    assert_eq!(all(store).await.len(), countries().len(), "a country that comes twice is written once");
    let by_population = whole(
        CountryFilter {
            population_lte: Some(155_015),
            population_gte: Some(155_015),
            ..CountryFilter::default()
        },
        vec![],
    );
    assert_eq!(codes(store, &by_population).await, ["CUW"], "what filters see changes too");
}

/// Versions count changes.
pub async fn a_write_with_upserts_starts_a_version(store: &impl CountryStore) {
    let first = write(store, 0, countries()).await;
    assert_eq!((first.number, first.since, first.checked_at), (1, at(0), at(0)));
    let same = write(store, 10, vec![]).await;
    assert_eq!((same.number, same.since, same.checked_at), (1, at(0), at(10)));
    let lease = store.lock().acquire("country-sync", LONG).await.expect("acquire").expect("a lease");
    let report = SyncReport { outcome: SyncOutcome::SourceDrifted, ..report(20) };
    let failed = SyncWrite { lease: lease.clone(), at: at(20), upserts: vec![], report };
    let failed = store.repository().apply(&failed).await.expect("apply");
    store.lock().release(&lease).await.expect("release");
    assert_eq!((failed.number, failed.since, failed.checked_at), (1, at(0), at(10)));
    let second = write(store, 30, countries()[..1].to_vec()).await;
    assert_eq!((second.number, second.since, second.checked_at), (2, at(30), at(30)));
    assert_eq!(store.repository().version().await.expect("version"), second);
}

/// The report survives.
pub async fn the_last_report_is_kept(store: &impl CountryStore) {
    write(store, 0, vec![]).await;
    write(store, 10, vec![]).await;
    assert_eq!(store.repository().last_report().await.expect("last_report"), Some(report(10)));
}

/// All is as it was.
pub async fn a_restore_fills_an_empty_store(store: &impl CountryStore) {
    let lease = store.lock().acquire("country-sync", LONG).await.expect("acquire").expect("a lease");
    let restore = held(&lease);
    assert!(store.repository().restore(&restore).await.expect("restore"));
    store.lock().release(&lease).await.expect("release");
    let mut expected = restore.countries;
    expected.sort_by(|a, b| a.country.cca3.cmp(&b.country.cca3));
    assert_eq!(all(store).await, expected);
    assert_eq!(store.repository().version().await.expect("version"), restore.version);
    assert_eq!(store.repository().last_report().await.expect("last_report"), Some(restore.report));
    let next = write(store, 30, countries()[..1].to_vec()).await;
    assert_eq!((next.number, next.since), (8, at(30)), "versions go on from there");
}

/// What is there stays.
pub async fn a_restore_leaves_a_store_with_countries_alone(store: &impl CountryStore) {
    let before = write(store, 0, countries()[..1].to_vec()).await;
    let lease = store.lock().acquire("country-sync", LONG).await.expect("acquire").expect("a lease");
    assert!(!store.repository().restore(&held(&lease)).await.expect("restore"));
    assert_eq!(all(store).await.len(), 1);
    assert_eq!(store.repository().version().await.expect("version"), before);
    assert_eq!(store.repository().last_report().await.expect("last_report"), Some(report(0)));
}

/// Who lost its lease restores nothing.
pub async fn a_lost_lease_restores_nothing(store: &impl CountryStore) {
    let released = store.lock().acquire("country-sync", LONG).await.expect("acquire").expect("a lease");
    store.lock().release(&released).await.expect("release");
    let answer = store.repository().restore(&held(&released)).await;
    assert!(matches!(answer, Err(RepositoryError::Conflict(_))), "{answer:?}");
    assert_eq!(all(store).await, []);
    assert_eq!(store.repository().version().await.expect("version").number, 0);
    assert_eq!(store.repository().last_report().await.expect("last_report"), None);
}

/// Who lost its lease changes nothing.
pub async fn a_lost_lease_writes_nothing(store: &impl CountryStore) {
    let before = write(store, 0, countries()[..1].to_vec()).await;
    let lock = store.lock();
    let released = lock.acquire("country-sync", LONG).await.expect("acquire").expect("a lease");
    lock.release(&released).await.expect("release");
    let lapsed =
        lock.acquire("country-sync", Duration::from_millis(400)).await.expect("acquire").expect("a lease");
    super::until("the lease lapses", async || {
        !lock.renew(&lapsed, Duration::from_millis(400)).await.expect("renew") || {
            futures_timer::Delay::new(Duration::from_millis(450)).await;
            false
        }
    })
    .await;
    let refused = async |lease: &crate::Lease| {
        let write = SyncWrite { lease: lease.clone(), at: at(10), upserts: countries(), report: report(10) };
        let answer = store.repository().apply(&write).await;
        assert!(matches!(answer, Err(RepositoryError::Conflict(_))), "{answer:?}");
    };
    refused(&released).await;
    refused(&lapsed).await;
    let owner = lock.acquire("country-sync", LONG).await.expect("acquire").expect("a lease");
    refused(&lapsed).await;
    assert_eq!(all(store).await.len(), 1);
    assert_eq!(store.repository().version().await.expect("version"), before);
    assert_eq!(store.repository().last_report().await.expect("last_report"), Some(report(0)));
    let write = SyncWrite { lease: owner, at: at(20), upserts: countries(), report: report(20) };
    store.repository().apply(&write).await.expect("the owner writes");
}

/// Any code finds its country.
pub async fn countries_are_found_by_any_code(store: &impl CountryStore) {
    write(store, 0, countries()).await;
    for (text, found) in [
        ("ax", Some("ALA")),
        ("ALA", Some("ALA")),
        ("248", Some("ALA")),
        ("010", Some("ATA")),
        ("XK", Some("UNK")),
        ("qq", None),
        ("000", None),
    ] {
        let code = CountryCode::parse(text).expect("a code");
        let country = store.repository().find(&code).await.expect("find");
        assert_eq!(country.as_ref().map(|c| c.country.cca3.as_str()), found, "{text}");
    }
}

/// Lists hold what the domain's filter accepts.
pub async fn filters_agree_with_the_domain(store: &impl CountryStore) {
    write(store, 0, countries()).await;
    let with = |set: &dyn Fn(&mut CountryFilter)| {
        let mut filter = CountryFilter::default();
        set(&mut filter);
        filter
    };
    let text = |s: &str| Some(s.to_owned());
    let filters = [
        with(&|_| {}),
        with(&|f| f.name = text("ALAND")),
        with(&|f| f.name = text("realm of k")),
        with(&|f| f.name = text("  curaçao ")),
        with(&|f| f.capital = text("SAO")),
        with(&|f| f.continent = text("asia")),
        with(&|f| f.continent = text("america")),
        with(&|f| f.currency = text("eur")),
        with(&|f| f.currency = text("guilder")),
        with(&|f| f.language = text("dutch")),
        with(&|f| f.language = text("ZHO")),
        with(&|f| f.region = text("caribbean")),
        with(&|f| f.q = text("ahvenanmaa")),
        with(&|f| f.q = text("chn")),
        with(&|f| f.q = text("nowhere")),
        with(&|f| f.population_gte = Some(1_775_378)),
        with(&|f| f.population_lte = Some(7)),
        with(&|f| f.population_gte = Some(u64::MAX)),
        with(&|f| f.population_lte = Some(u64::MAX)),
        with(&|f| f.area_gte = Some(10_908.0)),
        with(&|f| f.area_lte = Some(444.0)),
        with(&|f| f.area_lte = Some(f64::NAN)),
        with(&|f| f.area_gte = Some(f64::NAN)),
        with(&|f| {
            f.continent = text("asia");
            f.population_gte = Some(1_000_000);
        }),
    ];
    for filter in filters {
        let query = whole(filter, vec![]);
        let page = store.repository().list(&query).await.expect("list");
        assert_eq!(page.total, page.items.len() as u64);
        assert_eq!(codes(store, &query).await, expected(&query), "{:?}", query.filter);
    }
}

/// No letter is special.
pub async fn wildcards_are_plain_letters(store: &impl CountryStore) {
    write(store, 0, countries()).await;
    for (part, count) in [
        ("%", 1),
        ("_", 1),
        ("\\", 1),
        ("'", 1),
        ("\"", 1),
        ("100%", 1),
        ("a%d", 0),
        ("_land", 0),
        ("* OR 1=1 --", 0),
        ("\u{0}", 0),
    ] {
        let query = whole(CountryFilter { q: Some(part.to_owned()), ..CountryFilter::default() }, vec![]);
        assert_eq!(codes(store, &query).await.len(), count, "{part:?}");
    }
}

/// Lists run as the domain compares.
pub async fn sorts_agree_with_the_domain(store: &impl CountryStore) {
    write(store, 0, countries()).await;
    for key in CountrySortKey::ALL {
        for direction in [Direction::Ascending, Direction::Descending] {
            let query = whole(CountryFilter::default(), vec![Sort { key, direction }]);
            assert_eq!(codes(store, &query).await, expected(&query), "{key:?} {direction:?}");
        }
    }
    let both = whole(
        CountryFilter::default(),
        vec![
            Sort { key: CountrySortKey::Continent, direction: Direction::Descending },
            Sort { key: CountrySortKey::Population, direction: Direction::Ascending },
        ],
    );
    assert_eq!(codes(store, &both).await, expected(&both));
}

/// Pages join to the whole.
pub async fn pages_cut_the_sorted_list(store: &impl CountryStore) {
    write(store, 0, countries()).await;
    let mut joined = vec![];
    for number in 1..=4 {
        let query = CountryQuery { page: Page::new(number, 3).expect("a page"), ..CountryQuery::default() };
        let page = store.repository().list(&query).await.expect("list");
        assert_eq!(page.total, 8);
        joined.extend(page.items.into_iter().map(|stored| stored.country.cca3.clone()));
    }
    assert_eq!(joined, expected(&CountryQuery::default()));
    let far = CountryQuery { page: Page::new(u32::MAX, 100).expect("a page"), ..CountryQuery::default() };
    assert_eq!(codes(store, &far).await, Vec::<String>::new());
}
