//! Rules of countries.

use rstest::rstest;

use super::*;
use crate::page::{Direction, Page, Sort};

fn record(cca3: &str) -> CountryRecord {
    CountryRecord {
        cca2: cca3[..2].to_owned(),
        cca3: cca3.to_owned(),
        name: CountryName {
            common: format!("Land {cca3}"),
            official: format!("Realm of {cca3}"),
            ..CountryName::default()
        },
        region: "Europe".to_owned(),
        population: 5,
        ..CountryRecord::default()
    }
}

fn country(cca3: &str) -> Country {
    Country::new(record(cca3)).unwrap()
}

fn many(count: u8) -> Vec<CountryRecord> {
    (0..count).map(|i| record(&format!("{}{}X", (b'A' + i / 26) as char, (b'A' + i % 26) as char))).collect()
}

fn held(count: u8) -> Vec<Country> {
    many(count).into_iter().map(|r| Country::new(r).unwrap()).collect()
}

fn batch(records: Vec<CountryRecord>) -> Batch {
    Batch { covered: FieldSet::ALL, records, rejected: vec![] }
}

#[rstest]
#[case::lower_case(|r: &mut CountryRecord| r.cca2 = "aa".into(), "cca2 is not two capital letters: \"aa\"")]
#[case::no_name(|r: &mut CountryRecord| r.name.common = " ".into(), "name.common is missing")]
#[case::numeric(|r: &mut CountryRecord| r.ccn3 = Some("32".into()), "ccn3 is not three digits: \"32\"")]
#[case::area_nan(|r: &mut CountryRecord| r.area = Some(f64::NAN), "area is out of range")]
#[case::area_negative(|r: &mut CountryRecord| r.area = Some(-1.0), "area is out of range")]
#[case::people(|r: &mut CountryRecord| r.population = u64::MAX, "population is out of range")]
#[case::pole(|r: &mut CountryRecord| r.latlng = Some(LatLng { lat: 90.5, lng: 0.0 }), "latlng is out of range")]
#[case::nul(|r: &mut CountryRecord| r.capital = vec!["a\0b".into()], "capital holds a control character")]
#[case::huge(|r: &mut CountryRecord| r.region = "x".repeat(1001), "region is too long")]
#[case::script(|r: &mut CountryRecord| r.flags.svg = Some("javascript:alert(1)".into()), "flags.svg is not an http URL")]
fn a_bad_record_is_refused_with_its_reason(#[case] spoil: fn(&mut CountryRecord), #[case] reason: &str) {
    let mut spoilt = record("AAX");
    spoil(&mut spoilt);
    assert_eq!(Country::new(spoilt).unwrap_err().to_string(), reason);
}

#[test]
fn a_plan_tells_new_changed_and_unchanged_apart() {
    let mut answer = many(21);
    answer[3].population = 6;
    let plan = SyncPlan::new(&held(20), batch(answer)).unwrap();
    assert_eq!((plan.seen, plan.insert.len(), plan.update.len(), plan.unchanged), (21, 1, 1, 19));
    assert!(plan.changes_something() && plan.missing.is_empty() && plan.rejected.is_empty());
}

#[test]
fn a_bad_record_is_rejected_and_the_rest_go_on() {
    let mut answer = many(20);
    answer[0].population = u64::MAX;
    answer[1].cca3 = String::new();
    let plan = SyncPlan::new(&held(20), batch(answer)).unwrap();
    assert_eq!(plan.unchanged, 18);
    assert_eq!(plan.rejected.iter().map(|r| r.record.as_str()).collect::<Vec<_>>(), ["AAX", "#1"]);
    assert_eq!(plan.missing, ["ABX"], "a rejected country is not a missing one");
}

#[rstest]
#[case::nothing(20, 0, false)]
#[case::one_tenth_fewer_is_believed(20, 18, true)]
#[case::more_is_not(20, 17, false)]
#[case::half(20, 10, false)]
#[case::an_empty_store_believes_one(0, 1, true)]
#[case::an_empty_store_does_not_believe_nothing(0, 0, false)]
fn a_source_that_shrinks_is_not_believed(#[case] before: u8, #[case] after: u8, #[case] believed: bool) {
    assert_eq!(SyncPlan::new(&held(before), batch(many(after))).is_ok(), believed);
}

#[test]
fn a_source_that_loses_a_field_everywhere_is_not_believed() {
    let mut answer = many(20);
    for record in answer.iter_mut().take(3) {
        record.population = 0;
    }
    let drift = SyncPlan::new(&held(20), batch(answer.clone())).unwrap_err();
    assert_eq!(drift, Drift::Lost { field: CountryField::Population, countries: 3, held: 20 });
    answer[2].population = 5;
    assert_eq!(SyncPlan::new(&held(20), batch(answer)).unwrap().update.len(), 2);
}

#[test]
fn fields_the_source_was_not_asked_for_are_kept() {
    let mut full = record("AAX");
    full.capital = vec!["Old".to_owned()];
    full.timezones = vec!["UTC".to_owned()];
    let covered = CountryField::ALL.into_iter().filter(|f| *f != CountryField::Timezones).collect();
    let mut answer = record("AAX");
    answer.capital = vec!["New".to_owned()];
    let plan = SyncPlan::new(
        &[Country::new(full).unwrap()],
        Batch { covered, records: vec![answer], rejected: vec![] },
    )
    .unwrap();
    assert_eq!(plan.update[0].capital, ["New"]);
    assert_eq!(plan.update[0].timezones, ["UTC"]);
}

#[test]
fn no_two_countries_share_a_code() {
    let mut answer = many(20);
    let mut double = record("ZZZ");
    double.cca2 = "AA".to_owned();
    answer.push(double.clone());
    let plan = SyncPlan::new(&held(20), batch(answer)).unwrap();
    assert_eq!(plan.rejected, [Rejection { record: "ZZZ".into(), reason: "cca2 AA comes twice".into() }]);

    let mut without_owner = many(20);
    without_owner[0] = double;
    let plan = SyncPlan::new(&held(20), batch(without_owner)).unwrap();
    assert_eq!(plan.rejected, [Rejection { record: "ZZZ".into(), reason: "cca2 AA is that of AAX".into() }]);
    assert_eq!(plan.missing, ["AAX"]);
}

#[rstest]
#[case("aland", true)]
#[case("ÅLAND", true)]
#[case("land\nrealm", false)]
#[case("europe", false)]
fn a_name_filter_folds_case_and_accents(#[case] text: &str, #[case] found: bool) {
    let mut aland = record("ALX");
    aland.name.common = "Åland Islands".to_owned();
    let filter = CountryFilter { name: Some(text.to_owned()), ..CountryFilter::default() };
    let trimmed = filter.folded();
    assert_eq!(trimmed.matches(&Country::new(aland).unwrap()), found);
}

#[test]
fn what_is_absent_comes_last_both_ways() {
    let mut small = record("AAX");
    small.area = Some(1.0);
    let mut large = record("BBX");
    large.area = Some(2.0);
    for (direction, expected) in
        [(Direction::Ascending, ["AAX", "BBX", "CCX"]), (Direction::Descending, ["BBX", "AAX", "CCX"])]
    {
        let query = CountryQuery {
            sort: vec![Sort { key: CountrySortKey::Area, direction }],
            page: Page::default(),
            filter: CountryFilter::default(),
        };
        let mut list =
            [country("CCX"), Country::new(small.clone()).unwrap(), Country::new(large.clone()).unwrap()];
        list.sort_by(|a, b| query.compare(a, b));
        assert_eq!(list.iter().map(|c| c.cca3.as_str()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn lookups_match_as_v31_did() {
    let mut peru = record("PER");
    peru.name.common = "Peru".into();
    peru.ccn3 = Some("604".into());
    peru.cioc = Some("PEX".into());
    peru.alt_spellings = vec!["República del Perú".into()];
    peru.capital = vec!["São Lima".into()];
    peru.currencies = vec![Currency { code: "PEN".into(), name: "Peruvian sol".into(), symbol: None }];
    peru.languages = vec![Language { code: "aym".into(), name: "Aymara".into() }];
    peru.region = "Americas".into();
    peru.subregion = Some("South America".into());
    peru.translations
        .insert("deu".into(), LocalName { official: "Republik Peru".into(), common: "Peru".into() });
    peru.demonyms.insert("fra".into(), Demonym { f: "Péruvienne".into(), m: "Péruvien".into() });
    let all = [Country::new(peru).unwrap()];
    let yes = [
        Lookup::All,
        Lookup::Name("PERÚ".into()),
        Lookup::FullName("peru".into()),
        Lookup::Alpha(vec!["xx".into(), "pex".into()]),
        Lookup::Alpha(vec!["604".into()]),
        Lookup::Currency("pen".into()),
        Lookup::Currency("SOL".into()),
        Lookup::Language("AYM".into()),
        Lookup::Language("aymara".into()),
        Lookup::Capital("sao".into()),
        Lookup::Region("amer".into()),
        Lookup::Region("south america".into()),
        Lookup::Subregion("south".into()),
        Lookup::Translation("REPUBLIK".into()),
        Lookup::Demonym("péruvien".into()),
        Lookup::Independent(false),
    ];
    let no = [
        Lookup::FullName("per".into()),
        Lookup::Alpha(vec!["pq".into()]),
        Lookup::Language("aymar".into()),
        Lookup::Region("south".into()),
        Lookup::Demonym("peruvien".into()),
        Lookup::Independent(true),
    ];
    for lookup in yes {
        assert_eq!(lookup.select(&all).len(), 1, "{lookup:?}");
    }
    for lookup in no {
        assert!(lookup.select(&all).is_empty(), "{lookup:?}");
    }
}

#[rstest]
#[case::code(|record: &mut CountryRecord| record.cca2 = "ZZ".into(), "cca2 ZZ comes twice")]
#[case::name(|record: &mut CountryRecord| record.name.common = "Land ZZZ".into(), "name Land ZZZ comes twice")]
fn a_record_that_claims_anothers_code_or_name_is_the_one_that_is_rejected(
    #[case] steal: fn(&mut CountryRecord),
    #[case] reason: &str,
) {
    let named = |code: &str| {
        let mut record = record(code);
        record.name.common = format!("Land {code}");
        record
    };
    let held = ["AAX", "ZZZ"].map(|code| Country::new(named(code)).unwrap());
    let mut thief = named("AAX");
    steal(&mut thief);
    // The thief stands first, and is named; the rightful owner comes after it.
    let batch = Batch { covered: FieldSet::ALL, records: vec![thief, named("ZZZ")], rejected: vec![] };
    let plan = SyncPlan::new(&held, batch);
    // Half of two is too much to lose at once, so hold more.
    assert!(plan.is_err());
    let more = (b'A'..=b'Z').map(|letter| format!("Q{}Q", char::from(letter)));
    let codes: Vec<String> = ["AAX".to_owned(), "ZZZ".to_owned()].into_iter().chain(more).collect();
    let held: Vec<Country> = codes.iter().map(|code| Country::new(named(code)).unwrap()).collect();
    let mut records: Vec<CountryRecord> = codes.iter().map(|code| named(code)).collect();
    steal(&mut records[0]);
    let batch = Batch { covered: FieldSet::ALL, records, rejected: vec![] };
    let plan = SyncPlan::new(&held, batch).unwrap();
    assert_eq!(plan.rejected, [Rejection { record: "AAX".into(), reason: reason.into() }]);
    assert_eq!((plan.update.len(), plan.unchanged), (0, 27));
}

#[rstest]
#[case("ar", Some(CountryCode::Alpha2("AR".into())))]
#[case("ArG", Some(CountryCode::Alpha3("ARG".into())))]
#[case("032", Some(CountryCode::Numeric("032".into())))]
#[case("32", None)]
#[case("a1", None)]
#[case("áb", None)]
#[case("", None)]
fn codes_are_read_in_either_case(#[case] text: &str, #[case] code: Option<CountryCode>) {
    assert_eq!(CountryCode::parse(text), code);
}

#[test]
fn there_are_35_fields_with_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = CountryField::ALL.iter().map(|f| f.name()).collect();
    assert_eq!(names.len(), 35);
    assert!(
        CountryField::ALL
            .iter()
            .all(|f| CountryField::from_name(f.name()) == Some(*f) && FieldSet::ALL.contains(*f))
    );
}
