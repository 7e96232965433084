//! The promises of [`ActivityRepository`].

use malecon_domain::{Activity, ActivityKind, ActivityRecord, ActivityState, Instant, LatLng, RunId};

use crate::ActivityRepository;

/// Tests of every promise of [`ActivityRepository`] on the store that the expression makes: any
/// [`ActivityStore`].
#[macro_export]
macro_rules! activity_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::activity, [
            a_country_has_nothing_at_first,
            activities_come_back_as_written,
            none_is_kept_as_none,
            later_activities_replace_earlier_ones,
            the_last_run_is_noted,
        ]);
    };
}

/// A store under test.
pub trait ActivityStore: Send + Sync {
    /// The activities of countries.
    fn activities(&self) -> &dyn ActivityRepository;
}

fn at(second: i64) -> Instant {
    Instant::from_timestamp(1_700_000_000 + second, 123_456_000).expect("an instant")
}

fn run(number: u128) -> RunId {
    RunId::from_u128(number)
}

/// One that has everything.
fn full() -> ActivityRecord {
    ActivityRecord {
        id: "Q3".to_owned(),
        name: "Ľupčiansky “hrad” 🏰 O'Higgins".to_owned(),
        kind: ActivityKind::VisitCastle,
        description: Some("a castle; it's old".to_owned()),
        latlng: Some(LatLng { lat: -13.163_333_333_3, lng: 0.1 + 0.2 }),
        picture: Some("https://pictures.example/a%20b.jpg?x=1&y=2".to_owned()),
        source: "https://source.example/Q3".to_owned(),
        world_heritage: true,
    }
}

/// One that has nothing which may be missing.
fn bare(id: &str, kind: ActivityKind) -> Activity {
    let record = ActivityRecord {
        id: id.to_owned(),
        name: "a place".to_owned(),
        kind,
        description: None,
        latlng: None,
        picture: None,
        source: format!("https://source.example/{id}"),
        world_heritage: false,
    };
    Activity::new(record).expect("an activity")
}

/// One of every kind.
fn every_kind() -> Vec<Activity> {
    let mut all = vec![Activity::new(full()).expect("an activity")];
    all.extend(ActivityKind::all().enumerate().map(|(n, kind)| bare(&format!("Q{}", 100 - n), kind)));
    all
}

async fn state(store: &impl ActivityStore, country: &str) -> ActivityState {
    store.activities().state(country).await.expect("state")
}

async fn all(store: &impl ActivityStore, country: &str) -> Vec<Activity> {
    store.activities().all(country).await.expect("all")
}

async fn replace(store: &impl ActivityStore, country: &str, activities: &[Activity], second: i64) {
    store.activities().replace(country, activities, at(second)).await.expect("replace");
}

/// Nothing is known of a country that nobody asked for.
pub async fn a_country_has_nothing_at_first(store: &impl ActivityStore) {
    replace(store, "PER", &every_kind(), 0).await;
    for country in ["BRA", "per", ""] {
        assert_eq!(state(store, country).await, ActivityState::default());
        assert_eq!(all(store, country).await, []);
    }
}

/// Every member survives, and the order.
pub async fn activities_come_back_as_written(store: &impl ActivityStore) {
    replace(store, "PER", &every_kind(), 5).await;
    assert_eq!(all(store, "PER").await, every_kind());
    let count = every_kind().len() as u64;
    assert_eq!(state(store, "PER").await, ActivityState { fetched_at: Some(at(5)), count, run: None });
}

/// A country without sights has been fetched all the same.
pub async fn none_is_kept_as_none(store: &impl ActivityStore) {
    replace(store, "BVT", &[], 1).await;
    let expected = ActivityState { fetched_at: Some(at(1)), count: 0, run: None };
    assert_eq!((state(store, "BVT").await, all(store, "BVT").await), (expected, vec![]));
}

/// The latest ones are the ones.
pub async fn later_activities_replace_earlier_ones(store: &impl ActivityStore) {
    let (first, second) = ([bare("Q1", ActivityKind::Hike)], [bare("Q2", ActivityKind::Swim)]);
    replace(store, "PER", &every_kind(), 0).await;
    replace(store, "BRA", &first, 0).await;
    replace(store, "PER", &second, 10).await;
    assert_eq!((all(store, "PER").await, all(store, "BRA").await), (second.to_vec(), first.to_vec()));
    replace(store, "PER", &first, 9).await;
    assert_eq!(all(store, "PER").await, second, "fetched before");
    assert_eq!(state(store, "PER").await, ActivityState { fetched_at: Some(at(10)), count: 1, run: None });
    replace(store, "PER", &[], 11).await;
    assert_eq!(all(store, "PER").await, []);
}

/// A run is noted, whatever else is there.
pub async fn the_last_run_is_noted(store: &impl ActivityStore) {
    let noted = async |country| (state(store, country).await.run, state(store, country).await.fetched_at);
    store.activities().note("PER", run(1)).await.expect("note");
    assert_eq!(noted("PER").await, (Some(run(1)), None));
    store.activities().note("PER", run(u128::MAX)).await.expect("note");
    store.activities().note("BRA", run(3)).await.expect("note");
    replace(store, "PER", &every_kind(), 0).await;
    assert_eq!(noted("PER").await, (Some(run(u128::MAX)), Some(at(0))));
    store.activities().note("PER", run(4)).await.expect("note");
    assert_eq!(noted("PER").await, (Some(run(4)), Some(at(0))));
    assert_eq!(noted("BRA").await, (Some(run(3)), None));
    assert_eq!(all(store, "PER").await, every_kind());
}
