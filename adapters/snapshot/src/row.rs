//! A country as `make_snapshot.py` writes it: pairs and triples are arrays, empty members are left out.

use std::collections::BTreeMap;

use malecon_domain::{
    Car, CoatOfArms, CountryName, CountryRecord, Currency, Demonym, Flags, Idd, Language, LatLng, LocalName,
    Maps, PostalCode,
};
use serde::Deserialize;

/// Official and common.
type Name = (String, String);
type Link = Option<String>;

/// One country. A member that is not listed here, such as a flag's description, is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    cca2: String,
    cca3: String,
    ccn3: Option<String>,
    cioc: Option<String>,
    fifa: Option<String>,
    common: String,
    official: String,
    #[serde(default)]
    native: BTreeMap<String, Name>,
    #[serde(default)]
    tld: Vec<String>,
    independent: Option<bool>,
    status: String,
    un_member: bool,
    /// Code, name, symbol.
    #[serde(default)]
    currencies: Vec<(String, String, Option<String>)>,
    idd_root: Option<String>,
    #[serde(default)]
    idd_suffixes: Vec<String>,
    #[serde(default)]
    capital: Vec<String>,
    capital_latlng: Option<(f64, f64)>,
    #[serde(default)]
    alt_spellings: Vec<String>,
    region: String,
    subregion: Option<String>,
    #[serde(default)]
    continents: Vec<String>,
    /// Code, name.
    #[serde(default)]
    languages: Vec<(String, String)>,
    #[serde(default)]
    translations: BTreeMap<String, Name>,
    latlng: Option<(f64, f64)>,
    landlocked: bool,
    #[serde(default)]
    borders: Vec<String>,
    area: Option<f64>,
    /// Feminine, masculine.
    #[serde(default)]
    demonyms: BTreeMap<String, (String, String)>,
    flag: Option<String>,
    /// PNG, SVG.
    #[serde(default)]
    flags: (Link, Link),
    /// PNG, SVG.
    #[serde(default)]
    coat_of_arms: (Link, Link),
    population: u64,
    /// Google Maps, OpenStreetMap.
    #[serde(default)]
    maps: (Link, Link),
    #[serde(default)]
    gini: BTreeMap<String, f64>,
    #[serde(default)]
    car_signs: Vec<String>,
    car_side: Option<String>,
    /// Format, regular expression.
    postal_code: Option<(String, Option<String>)>,
    start_of_week: Option<String>,
    #[serde(default)]
    timezones: Vec<String>,
}

impl From<Row> for CountryRecord {
    fn from(row: Row) -> Self {
        Self {
            cca2: row.cca2,
            cca3: row.cca3,
            ccn3: row.ccn3,
            cioc: row.cioc,
            fifa: row.fifa,
            name: CountryName { common: row.common, official: row.official, native: names(row.native) },
            tld: row.tld,
            independent: row.independent,
            status: row.status,
            un_member: row.un_member,
            currencies: row
                .currencies
                .into_iter()
                .map(|(code, name, symbol)| Currency { code, name, symbol })
                .collect(),
            idd: Idd { root: row.idd_root, suffixes: row.idd_suffixes },
            capital: row.capital,
            capital_latlng: row.capital_latlng.map(point),
            alt_spellings: row.alt_spellings,
            region: row.region,
            subregion: row.subregion,
            continents: row.continents,
            languages: row.languages.into_iter().map(|(code, name)| Language { code, name }).collect(),
            translations: names(row.translations),
            latlng: row.latlng.map(point),
            landlocked: row.landlocked,
            borders: row.borders,
            area: row.area,
            demonyms: row.demonyms.into_iter().map(|(code, (f, m))| (code, Demonym { f, m })).collect(),
            flag: row.flag,
            flags: Flags { png: row.flags.0, svg: row.flags.1 },
            coat_of_arms: CoatOfArms { png: row.coat_of_arms.0, svg: row.coat_of_arms.1 },
            population: row.population,
            maps: Maps { google: row.maps.0, open_street: row.maps.1 },
            gini: row.gini,
            car: Car { signs: row.car_signs, side: row.car_side },
            postal_code: row.postal_code.map(|(format, regex)| PostalCode { format, regex }),
            start_of_week: row.start_of_week,
            timezones: row.timezones,
        }
    }
}

fn names(names: BTreeMap<String, Name>) -> BTreeMap<String, LocalName> {
    names.into_iter().map(|(code, (official, common))| (code, LocalName { official, common })).collect()
}

fn point((lat, lng): (f64, f64)) -> LatLng {
    LatLng { lat, lng }
}
