//! What makes an activity, which answers are believed, and the table of kinds.

use rstest::rstest;

use super::*;
use crate::page::{Direction, Page, Sort};

fn record(id: &str, name: &str) -> ActivityRecord {
    ActivityRecord {
        id: id.to_owned(),
        name: name.to_owned(),
        kind: ActivityKind::Sightsee,
        description: None,
        latlng: None,
        picture: None,
        source: format!("https://source.example/{id}"),
        world_heritage: false,
    }
}

fn good() -> ActivityRecord {
    record("Q1", "Pier")
}

fn activity(id: &str, name: &str, kind: ActivityKind) -> Activity {
    Activity::new(ActivityRecord { kind, ..record(id, name) }).unwrap()
}

fn batch(count: usize) -> ActivityBatch {
    let records = (0..count).map(|n| record(&format!("Q{n}"), "a place")).collect();
    ActivityBatch { records, rejected: vec![] }
}

#[test]
fn a_whole_record_and_a_bare_one_are_activities() {
    let whole = ActivityRecord {
        description: Some("a place by the sea".to_owned()),
        latlng: Some(LatLng { lat: -90.0, lng: 180.0 }),
        picture: Some("https://pictures.example/a.jpg".to_owned()),
        world_heritage: true,
        ..record("Q1", "Pier")
    };
    for record in [whole, record("Q2", "Mole")] {
        let activity = Activity::new(record.clone()).unwrap();
        assert_eq!(activity.name, record.name);
        assert_eq!(activity.into_record(), record);
    }
}

#[rstest]
#[case::no_key(ActivityRecord { id: String::new(), ..good() }, InvalidActivity::Missing("id"))]
#[case::no_name(ActivityRecord { name: "  ".to_owned(), ..good() }, InvalidActivity::Missing("name"))]
#[case::blank_description(ActivityRecord { description: Some(String::new()), ..good() }, InvalidActivity::Missing("description"))]
#[case::long(ActivityRecord { name: "x".repeat(1_001), ..good() }, InvalidActivity::TooLong("name"))]
#[case::control(ActivityRecord { name: "a\u{7}".to_owned(), ..good() }, InvalidActivity::ControlCharacter("name"))]
#[case::script(ActivityRecord { picture: Some("javascript:alert(1)".to_owned()), ..good() }, InvalidActivity::Url("picture"))]
#[case::plain_http(ActivityRecord { picture: Some("http://x/a.jpg".to_owned()), ..good() }, InvalidActivity::Url("picture"))]
#[case::source(ActivityRecord { source: "Q1".to_owned(), ..good() }, InvalidActivity::Url("source"))]
#[case::north(ActivityRecord { latlng: Some(LatLng { lat: 90.1, lng: 0.0 }), ..good() }, InvalidActivity::OutOfRange)]
#[case::nowhere(ActivityRecord { latlng: Some(LatLng { lat: f64::NAN, lng: 0.0 }), ..good() }, InvalidActivity::OutOfRange)]
fn what_is_wrong_is_told(#[case] bad: ActivityRecord, #[case] expected: InvalidActivity) {
    assert_eq!(Activity::new(bad), Err(expected));
}

#[test]
fn bad_records_are_rejected_and_the_rest_go_on() {
    let mut batch = batch(3);
    batch.records.insert(0, record("Q8", ""));
    batch.records.push(record("Q1", "the same again"));
    batch.rejected.push(Rejection { record: "Q9".to_owned(), reason: "unreadable".to_owned() });
    let plan = ActivityPlan::new(0, batch).unwrap();
    let ids: Vec<&str> = plan.activities.iter().map(|activity| activity.id.as_str()).collect();
    assert_eq!(ids, ["Q0", "Q1", "Q2"]);
    assert_eq!(plan.activities[1].name, "a place");
    let told: Vec<_> = plan.rejected.iter().map(|r| (r.record.as_str(), r.reason.as_str())).collect();
    assert_eq!(told, [("Q9", "unreadable"), ("Q8", "name is missing"), ("Q1", "comes twice")]);
}

#[rstest]
#[case(0, 0, true)]
#[case(0, 5, true)]
#[case(1, 0, false)]
#[case(10, 5, true)]
#[case(10, 4, false)]
#[case(60, 0, false)]
fn an_answer_with_less_than_half_is_not_believed(
    #[case] held: u64,
    #[case] found: usize,
    #[case] believed: bool,
) {
    let plan = ActivityPlan::new(held, batch(found));
    match plan {
        Ok(plan) => assert!(believed && plan.activities.len() == found),
        Err(drift) => assert!(!believed && drift == ActivityDrift { held, found: found as u64 }),
    }
}

#[test]
fn every_kind_has_one_row_a_name_and_classes_of_its_own() {
    let names: BTreeSet<&str> = ActivityKind::all().map(ActivityKind::name).collect();
    let classes: BTreeSet<u32> = ActivityKind::classes().collect();
    assert_eq!((names.len(), ActivityKind::all().count()), (30, 30));
    assert_eq!(classes.len(), ActivityKind::classes().count(), "no class is in two rows");
    for kind in ActivityKind::all() {
        assert_eq!(ActivityKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(ActivityKind::from_name("sleep"), None);
}

#[rstest]
#[case(&[33_506], ActivityKind::VisitMuseum)]
#[case(&[570_116, 23_413], ActivityKind::VisitCastle)]
#[case(&[23_413, 570_116], ActivityKind::VisitCastle)]
#[case(&[8_502, 8_072], ActivityKind::SeeVolcano)]
#[case(&[46_169, 8_502], ActivityKind::Hike)]
#[case(&[33_506, 207_694], ActivityKind::SeeArt)]
#[case(&[40_080], ActivityKind::Swim)]
#[case(&[5, 570_116], ActivityKind::Sightsee)]
#[case(&[5], ActivityKind::Sightsee)]
#[case(&[], ActivityKind::Sightsee)]
fn what_says_more_counts(#[case] classes: &[u32], #[case] expected: ActivityKind) {
    assert_eq!(ActivityKind::of(classes), expected);
}

#[test]
fn a_list_is_filtered_sorted_and_cut() {
    use {ActivityKind::*, ActivitySortKey::*, Direction::*};
    let all = || {
        vec![
            activity("Q4", "Ruinas", ExploreRuins),
            activity("Q3", "Árbol", Hike),
            activity("Q2", "playa", Swim),
            activity("Q1", "Playa", Swim),
            activity("Q5", "Zoo", SeeAnimals),
        ]
    };
    let shown = |kinds: &[ActivityKind], sort: &[(ActivitySortKey, Direction)], page| {
        let sort = sort.iter().map(|(key, direction)| Sort { key: *key, direction: *direction }).collect();
        let page = ActivityQuery { kinds: kinds.to_vec(), sort, page }.select(all());
        (page.items.iter().map(|a| a.id.clone()).collect::<Vec<_>>().join(" "), page.total)
    };
    let whole = Page::default();
    assert_eq!(shown(&[], &[], whole), ("Q4 Q3 Q2 Q1 Q5".to_owned(), 5));
    assert_eq!(shown(&[], &[(Name, Ascending)], whole), ("Q3 Q1 Q2 Q4 Q5".to_owned(), 5));
    assert_eq!(shown(&[], &[(Name, Descending)], whole), ("Q5 Q4 Q1 Q2 Q3".to_owned(), 5));
    let by_kind = [(Kind, Descending), (Name, Ascending)];
    assert_eq!(shown(&[], &by_kind, whole), ("Q1 Q2 Q5 Q3 Q4".to_owned(), 5));
    assert_eq!(shown(&[Swim, Hike], &[], whole), ("Q3 Q2 Q1".to_owned(), 3));
    assert_eq!(shown(&[Dive], &[], whole), (String::new(), 0));
    assert_eq!(shown(&[], &[], Page::new(2, 2).unwrap()), ("Q2 Q1".to_owned(), 5));
    assert_eq!(shown(&[], &[], Page::new(9, 2).unwrap()), (String::new(), 5));
}
