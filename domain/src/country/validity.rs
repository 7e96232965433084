//! What makes a country's record valid.

use super::{CountryRecord, LatLng};

/// Characters of one text at most.
const LONGEST_TEXT: usize = 1_000;
/// Members of one list at most.
const LONGEST_LIST: usize = 300;
/// People on earth, with room to grow.
const MOST_PEOPLE: u64 = 20_000_000_000;
/// Area of the earth in km², rounded up.
const LARGEST_AREA: f64 = 511_000_000.0;

/// Why a record is no country.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCountry {
    /// A code is not what ISO 3166-1 allows.
    #[error("{member} is not {expected}: {found:?}")]
    Code {
        /// Which member.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is, cut short.
        found: String,
    },
    /// Something that every country has is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A number outside what is possible.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A text is longer than 1,000 characters, or a list than 300 members.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// A text holds a control character.
    #[error("{0} holds a control character")]
    ControlCharacter(&'static str),
    /// A picture or link is not an http or https URL.
    #[error("{0} is not an http URL")]
    Url(&'static str),
}

pub(super) fn check(record: &CountryRecord) -> Result<(), InvalidCountry> {
    code("cca2", "two capital letters", &record.cca2, |c| c.is_ascii_uppercase(), 2)?;
    code("cca3", "three capital letters", &record.cca3, |c| c.is_ascii_uppercase(), 3)?;
    if let Some(ccn3) = &record.ccn3 {
        code("ccn3", "three digits", ccn3, |c| c.is_ascii_digit(), 3)?;
    }
    for border in &record.borders {
        code("borders", "three capital letters", border, |c| c.is_ascii_uppercase(), 3)?;
    }
    for (member, text) in [
        ("name.common", &record.name.common),
        ("name.official", &record.name.official),
        ("region", &record.region),
    ] {
        if text.trim().is_empty() {
            return Err(InvalidCountry::Missing(member));
        }
    }
    if record.population > MOST_PEOPLE {
        return Err(InvalidCountry::OutOfRange("population"));
    }
    if record.area.is_some_and(|area| !(0.0..=LARGEST_AREA).contains(&area)) {
        return Err(InvalidCountry::OutOfRange("area"));
    }
    if record.gini.values().any(|index| !(0.0..=100.0).contains(index)) {
        return Err(InvalidCountry::OutOfRange("gini"));
    }
    point("latlng", record.latlng)?;
    point("capitalInfo.latlng", record.capital_latlng)?;
    for (member, url) in [
        ("flags.png", &record.flags.png),
        ("flags.svg", &record.flags.svg),
        ("coatOfArms.png", &record.coat_of_arms.png),
        ("coatOfArms.svg", &record.coat_of_arms.svg),
        ("maps.googleMaps", &record.maps.google),
        ("maps.openStreetMaps", &record.maps.open_street),
    ] {
        if url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            return Err(InvalidCountry::Url(member));
        }
    }
    texts(record)
}

fn code(
    member: &'static str,
    expected: &'static str,
    found: &str,
    allowed: fn(char) -> bool,
    length: usize,
) -> Result<(), InvalidCountry> {
    if found.len() == length && found.chars().all(allowed) {
        return Ok(());
    }
    Err(InvalidCountry::Code { member, expected, found: found.chars().take(20).collect() })
}

fn point(member: &'static str, point: Option<LatLng>) -> Result<(), InvalidCountry> {
    match point {
        Some(LatLng { lat, lng }) if !((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lng)) => {
            Err(InvalidCountry::OutOfRange(member))
        }
        _ => Ok(()),
    }
}

/// Every text and every list of the record, against the bounds above.
fn texts(record: &CountryRecord) -> Result<(), InvalidCountry> {
    type Texts<'a> = Box<dyn Iterator<Item = &'a String> + 'a>;
    let all: [(&'static str, Texts<'_>); 23] = [
        ("name", Box::new([&record.name.common, &record.name.official].into_iter())),
        (
            "name.nativeName",
            Box::new(record.name.native.iter().flat_map(|(k, n)| [k, &n.official, &n.common])),
        ),
        ("cioc", Box::new(record.cioc.iter())),
        ("fifa", Box::new(record.fifa.iter())),
        ("tld", Box::new(record.tld.iter())),
        ("status", Box::new([&record.status].into_iter())),
        (
            "currencies",
            Box::new(
                record
                    .currencies
                    .iter()
                    .flat_map(|c| [Some(&c.code), Some(&c.name), c.symbol.as_ref()].into_iter().flatten()),
            ),
        ),
        ("idd", Box::new(record.idd.root.iter().chain(&record.idd.suffixes))),
        ("capital", Box::new(record.capital.iter())),
        ("altSpellings", Box::new(record.alt_spellings.iter())),
        ("region", Box::new([&record.region].into_iter())),
        ("subregion", Box::new(record.subregion.iter())),
        ("continents", Box::new(record.continents.iter())),
        ("languages", Box::new(record.languages.iter().flat_map(|l| [&l.code, &l.name]))),
        ("translations", Box::new(record.translations.iter().flat_map(|(k, n)| [k, &n.official, &n.common]))),
        ("demonyms", Box::new(record.demonyms.iter().flat_map(|(k, d)| [k, &d.f, &d.m]))),
        ("flag", Box::new(record.flag.iter())),
        ("flags", Box::new(record.flags.png.iter().chain(&record.flags.svg))),
        ("coatOfArms", Box::new(record.coat_of_arms.png.iter().chain(&record.coat_of_arms.svg))),
        ("maps", Box::new(record.maps.google.iter().chain(&record.maps.open_street))),
        ("car", Box::new(record.car.signs.iter().chain(&record.car.side))),
        (
            "postalCode",
            Box::new(record.postal_code.iter().flat_map(|p| std::iter::once(&p.format).chain(&p.regex))),
        ),
        ("timezones", Box::new(record.timezones.iter().chain(&record.start_of_week))),
    ];
    for (member, texts) in all {
        for (index, text) in texts.enumerate() {
            if index >= LONGEST_LIST * 3 || text.chars().count() > LONGEST_TEXT {
                return Err(InvalidCountry::TooLong(member));
            }
            if text.chars().any(char::is_control) {
                return Err(InvalidCountry::ControlCharacter(member));
            }
        }
    }
    if record.borders.len() > LONGEST_LIST || record.gini.len() > LONGEST_LIST {
        return Err(InvalidCountry::TooLong("borders or gini"));
    }
    Ok(())
}
