//! What is written is read back with libraries of others.

use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xlsx};
use chrono::{DateTime, Utc};
use malecon_domain::{Country, CountryName, CountryRecord, LatLng, StoredCountry};
use malecon_ports::{Sheet, SheetFormat};
use rstest::rstest;

use super::Sheets;

fn stored(name: &str) -> StoredCountry {
    let record = CountryRecord {
        cca2: "AR".into(),
        cca3: "ARG".into(),
        ccn3: Some("032".into()),
        name: CountryName {
            common: name.into(),
            official: "Argentine Republic".into(),
            ..CountryName::default()
        },
        capital: vec!["Buenos Aires".into(), "La Plata".into()],
        region: "Americas".into(),
        population: 45_376_763,
        area: None,
        latlng: Some(LatLng { lat: -34.5, lng: 64.0 }),
        ..CountryRecord::default()
    };
    let updated_at: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    StoredCountry { country: Country::new(record).unwrap(), updated_at }
}

fn workbook(countries: &[StoredCountry]) -> (Vec<u8>, calamine::Range<Data>) {
    let bytes = Sheets::new().write(SheetFormat::Xlsx, countries).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.clone())).unwrap();
    let range = book.worksheet_range("Countries").unwrap();
    (bytes, range)
}

#[test]
fn numbers_are_numbers_and_times_are_times() {
    let (_, range) = workbook(&[stored("Argentina")]);
    let cell = |heading: &str| {
        let headings = range.rows().next().unwrap();
        let column = headings.iter().position(|cell| cell == &Data::String(heading.into())).unwrap();
        range.rows().nth(1).unwrap()[column].clone()
    };
    assert_eq!(cell("population"), Data::Float(45_376_763.0));
    assert_eq!((cell("latitude"), cell("longitude")), (Data::Float(-34.5), Data::Float(64.0)));
    assert_eq!(cell("area_km2"), Data::Empty);
    assert_eq!(cell("ccn3"), Data::String("032".into()));
    assert_eq!(cell("capital"), Data::String("Buenos Aires, La Plata".into()));
    let Data::DateTime(time) = cell("updated_at") else { panic!("{:?}", cell("updated_at")) };
    assert_eq!(time.to_ymd_hms_milli(), (2023, 11, 14, 22, 13, 20, 0));
}

#[test]
fn the_heading_is_frozen_and_everything_is_filtered() {
    let (bytes, range) = workbook(&vec![stored("Argentina"); 1_000]);
    assert_eq!(range.height(), 1_001);
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut xml = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut xml).unwrap();
    assert!(xml.contains("ySplit=\"1\"") && xml.contains("state=\"frozen\""), "{}", &xml[..600]);
    assert!(xml.contains("<autoFilter ref=\"A1:T1001\""));
    assert!(!xml.contains("<f>"));
}

#[rstest]
#[case("=1+1")]
#[case("+1")]
#[case("-1")]
#[case("@SUM(A1)")]
#[case("＝1+1")]
#[case("＋1")]
#[case("－1")]
#[case("＠SUM(A1)")]
#[case(" =1+1")]
#[case(";=1+1")]
#[case("|=1+1")]
#[case("|cmd")]
#[case("http://link.example")]
fn no_text_becomes_a_formula(#[case] name: &str) {
    let (_, range) = workbook(&[stored(name)]);
    assert_eq!(range.rows().nth(1).unwrap()[3], Data::String(name.into()));
    let csv = Sheets::new().write(SheetFormat::Csv, &[stored(name)]).unwrap();
    let mut reader = ::csv::Reader::from_reader(&csv[..]);
    let row = reader.records().next().unwrap().unwrap();
    let expected = match name.strip_prefix([';', '|']).filter(|rest| rest.starts_with('=')) {
        Some(rest) => format!("'{}'{rest}", &name[..1]),
        None if name.starts_with("http") => name.to_owned(),
        None => format!("'{name}"),
    };
    assert_eq!(&row[3], expected);
    assert_eq!(&row[14], "-34.5", "a negative number is no formula");
}

#[test]
fn csv_is_what_rfc_4180_says() {
    let csv = Sheets::new().write(SheetFormat::Csv, &[stored("A \"quoted\", name")]).unwrap();
    let text = String::from_utf8(csv).unwrap();
    assert!(text.starts_with("code,cca2,ccn3,name,"));
    assert!(
        text.contains("\"A \"\"quoted\"\", name\"") && text.ends_with("2023-11-14T22:13:20Z\r\n"),
        "{text}"
    );
    assert!(text.contains(",45376763,,-34.5,64,"), "{text}");
}

/// Whatever a reader takes for the border between cells, none begins with what begins a formula.
#[rstest]
#[case("a;=1+1", "'a;'=1+1")]
#[case("a| @SUM(A1)", "'a|' @SUM(A1)")]
#[case("a\t＝1", "'a\t'＝1")]
#[case("a;b|c", "a;b|c")]
#[case("a = b", "a = b")]
#[case("well-known", "well-known")]
fn no_border_in_a_text_begins_a_formula(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(crate::csv::guarded(text.to_owned()), expected);
}
