//! What the built-in data promises.

use std::collections::BTreeSet;
use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use malecon_domain::{Country, CountryField, SyncPlan};

use super::*;

fn batch() -> Batch {
    decode(PACKED).unwrap()
}

fn countries() -> Vec<Country> {
    batch().records.into_iter().map(|record| Country::new(record).unwrap()).collect()
}

fn country(cca3: &str) -> Country {
    countries().into_iter().find(|country| country.cca3 == cca3).unwrap()
}

/// Alpha-2 codes of the countries that the rule picks, in alphabetical order.
fn codes(rule: impl Fn(&Country) -> bool) -> Vec<String> {
    let mut codes: Vec<_> = countries().iter().filter(|c| rule(c)).map(|c| c.cca2.clone()).collect();
    codes.sort();
    codes
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn the_gateway_answers_with_250_valid_countries() {
    let gateway: &dyn CountryGateway = &Snapshot::new();
    assert_eq!(gateway.source(), "snapshot");
    let batch = gateway.fetch().await.unwrap();
    assert_eq!(batch.records.len(), 250);
    assert_eq!(batch.covered, FieldSet::ALL);
    assert!(batch.rejected.is_empty());
    for record in batch.records {
        let code = record.cca3.clone();
        assert!(Country::new(record).is_ok(), "{code}");
    }
}

#[test]
fn codes_and_names_are_unique() {
    let countries = countries();
    let distinct = |key: fn(&Country) -> &str| countries.iter().map(key).collect::<BTreeSet<_>>().len();
    assert_eq!(distinct(|c| &c.cca2), 250);
    assert_eq!(distinct(|c| &c.cca3), 250);
    assert_eq!(distinct(|c| &c.name.common), 250);
    let numbers: BTreeSet<_> = countries.iter().filter_map(|c| c.ccn3.as_deref()).collect();
    assert_eq!(numbers.len(), 249);
}

#[test]
fn kosovo_has_its_own_codes_and_no_number() {
    let kosovo = country("UNK");
    assert_eq!((kosovo.cca2.as_str(), kosovo.cioc.as_deref()), ("XK", Some("KOS")));
    assert_eq!(codes(|c| c.ccn3.is_none()), ["XK"]);
}

#[test]
fn what_a_country_lacks_is_absent() {
    assert_eq!(codes(|c| c.capital.is_empty()), ["AQ", "BV", "HM", "MO"]);
    assert_eq!(codes(|c| c.currencies.is_empty()), ["AQ", "BV", "HM"]);
    assert_eq!(codes(|c| c.languages.is_empty()), ["AQ"]);
    assert_eq!(codes(|c| c.postal_code.is_some()).len(), 149);
}

#[test]
fn what_a_country_has_twice_is_there_twice() {
    assert_eq!(codes(|c| c.capital.len() > 1), ["PS", "ZA"]);
    assert_eq!(codes(|c| c.continents.len() > 1), ["AZ", "RU", "TR"]);
}

#[test]
fn lists_keep_their_members_and_order() {
    let order = |cca3: &str| country(cca3).currencies.iter().map(|c| c.code.clone()).collect::<Vec<_>>();
    assert_eq!(order("FRO"), ["DKK", "FOK"]);
    assert_eq!(order("BTN"), ["BTN", "INR"]);
    let languages: Vec<_> = country("CHE").languages.iter().map(|l| l.code.clone()).collect();
    assert_eq!(languages, ["fra", "gsw", "ita", "roh"]);
    assert_eq!(country("HMD").car.signs, [""]);
}

#[test]
fn a_record_is_read_into_the_right_members() {
    let argentina = country("ARG");
    assert_eq!(argentina.name.official, "Argentine Republic");
    assert_eq!(argentina.ccn3.as_deref(), Some("032"));
    assert_eq!(argentina.currencies[0].name, "Argentine peso");
    assert_eq!(argentina.currencies[0].symbol.as_deref(), Some("$"));
    assert_eq!(argentina.translations["fra"].common, "Argentine");
    assert_eq!(argentina.translations["fra"].official, "République argentine");
    let latlng = argentina.latlng.unwrap();
    assert_eq!((latlng.lat, latlng.lng), (-34.0, -64.0));
    assert_eq!(argentina.demonyms["fra"].f, "Argentine");
    assert_eq!(argentina.demonyms["fra"].m, "Argentin");
    assert_eq!(argentina.flags.png.as_deref(), Some("https://flagcdn.com/w320/ar.png"));
    assert_eq!(argentina.flags.svg.as_deref(), Some("https://flagcdn.com/ar.svg"));
    assert!(argentina.coat_of_arms.png.as_ref().unwrap().ends_with("/ar.png"));
    assert!(argentina.coat_of_arms.svg.as_ref().unwrap().ends_with("/ar.svg"));
    assert!(argentina.maps.open_street.as_ref().unwrap().contains("openstreetmap"));
    assert_eq!(
        (argentina.idd.root.as_deref(), argentina.idd.suffixes.as_slice()),
        (Some("+5"), &["4".into()][..])
    );
    assert_eq!(argentina.subregion.as_deref(), Some("South America"));
    assert!(argentina.un_member && !argentina.landlocked);
    assert_eq!(argentina.independent, Some(true));
}

#[test]
fn every_border_has_two_sides() {
    let countries = countries();
    let pairs: BTreeSet<_> = countries
        .iter()
        .flat_map(|c| c.borders.iter().map(|border| (c.cca3.as_str(), border.as_str())))
        .collect();
    assert!(pairs.len() > 600);
    for (from, to) in &pairs {
        assert!(pairs.contains(&(*to, *from)), "{from} borders {to}, but not the other way");
    }
}

#[test]
fn every_member_is_filled_for_most_countries() {
    let countries = countries();
    for field in CountryField::ALL {
        let filled = countries.iter().filter(|c| !field.is_empty(c)).count();
        let least = match field {
            // True of some countries only.
            CountryField::Landlocked => 45,
            CountryField::UnMember | CountryField::Borders | CountryField::Gini => 160,
            CountryField::PostalCode => 149,
            CountryField::Cioc | CountryField::Fifa => 200,
            CountryField::CoatOfArms => 220,
            _ => 240,
        };
        assert!(filled >= least, "{}: {filled}", field.name());
    }
}

#[test]
fn a_sync_with_itself_changes_nothing() {
    let plan = SyncPlan::new(&countries(), batch()).unwrap();
    assert_eq!((plan.seen, plan.unchanged), (250, 250));
    assert!(!plan.changes_something());
    assert!(plan.rejected.is_empty() && plan.missing.is_empty());
}

#[test]
fn the_data_is_small_and_describes_no_flags() {
    assert!(PACKED.len() <= 500_000, "{}", PACKED.len());
    let mut text = String::new();
    GzDecoder::new(PACKED).read_to_string(&mut text).unwrap();
    assert!(!text.contains("\"alt\""));
    assert!(!text.to_lowercase().contains("the flag of"));
}

#[test]
fn what_is_no_list_of_countries_is_malformed() {
    let cut = &PACKED[..PACKED.len() / 2];
    let unknown = r#"[{"cca2":"AR","cca3":"ARG","common":"A","official":"A","status":"x","un_member":true,
        "region":"r","landlocked":false,"population":1,"alt":"Three bands."}]"#;
    for packed in [b"".as_slice(), b"not gzip", cut, &gzip("[]"), &gzip("{}"), &gzip("[{}]"), &gzip(unknown)]
    {
        assert!(matches!(decode(packed), Err(GatewayError::Malformed(_))), "{} bytes", packed.len());
    }
    let known = unknown.replace(r#","alt":"Three bands.""#, "");
    assert_eq!(decode(&gzip(&known)).unwrap().records.len(), 1);
}
