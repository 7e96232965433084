//! A country's record as JSON, as it lies in its row. What is empty is left out.

use std::collections::BTreeMap;

use malecon_domain::{
    Car, CoatOfArms, Country, CountryName, CountryRecord, Currency, Demonym, Flags, Idd, Language, LatLng,
    LocalName, Maps, PostalCode,
};
use serde::{Deserialize, Serialize};

type Names = BTreeMap<String, (String, String)>;
type Pair = (Option<String>, Option<String>);

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
pub struct RecordJson {
    cca2: String,
    cca3: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ccn3: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cioc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fifa: Option<String>,
    common: String,
    official: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    native: Names,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tld: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    independent: Option<bool>,
    status: String,
    un_member: bool,
    /// Code, name, symbol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    currencies: Vec<(String, String, Option<String>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idd_root: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    idd_suffixes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    capital: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capital_latlng: Option<(f64, f64)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alt_spellings: Vec<String>,
    region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subregion: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    continents: Vec<String>,
    /// Code and name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    languages: Vec<(String, String)>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    translations: Names,
    #[serde(skip_serializing_if = "Option::is_none")]
    latlng: Option<(f64, f64)>,
    landlocked: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    borders: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<f64>,
    /// Feminine and masculine.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    demonyms: Names,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<String>,
    /// PNG and SVG.
    flags: Pair,
    /// PNG and SVG.
    coat_of_arms: Pair,
    population: u64,
    /// Google and OpenStreetMap.
    maps: Pair,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    gini: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    car_signs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    car_side: Option<String>,
    /// Format and regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<(String, Option<String>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_of_week: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timezones: Vec<String>,
}

fn names(names: BTreeMap<String, LocalName>) -> Names {
    names.into_iter().map(|(code, name)| (code, (name.official, name.common))).collect()
}

fn local_names(names: Names) -> BTreeMap<String, LocalName> {
    names.into_iter().map(|(code, (official, common))| (code, LocalName { official, common })).collect()
}

fn point(point: Option<(f64, f64)>) -> Option<LatLng> {
    point.map(|(lat, lng)| LatLng { lat, lng })
}

impl From<&Country> for RecordJson {
    fn from(country: &Country) -> Self {
        let r = country.clone().into_record();
        Self {
            cca2: r.cca2,
            cca3: r.cca3,
            ccn3: r.ccn3,
            cioc: r.cioc,
            fifa: r.fifa,
            common: r.name.common,
            official: r.name.official,
            native: names(r.name.native),
            tld: r.tld,
            independent: r.independent,
            status: r.status,
            un_member: r.un_member,
            currencies: r.currencies.into_iter().map(|c| (c.code, c.name, c.symbol)).collect(),
            idd_root: r.idd.root,
            idd_suffixes: r.idd.suffixes,
            capital: r.capital,
            capital_latlng: r.capital_latlng.map(|p| (p.lat, p.lng)),
            alt_spellings: r.alt_spellings,
            region: r.region,
            subregion: r.subregion,
            continents: r.continents,
            languages: r.languages.into_iter().map(|l| (l.code, l.name)).collect(),
            translations: names(r.translations),
            latlng: r.latlng.map(|p| (p.lat, p.lng)),
            landlocked: r.landlocked,
            borders: r.borders,
            area: r.area,
            demonyms: r.demonyms.into_iter().map(|(code, d)| (code, (d.f, d.m))).collect(),
            flag: r.flag,
            flags: (r.flags.png, r.flags.svg),
            coat_of_arms: (r.coat_of_arms.png, r.coat_of_arms.svg),
            population: r.population,
            maps: (r.maps.google, r.maps.open_street),
            gini: r.gini,
            car_signs: r.car.signs,
            car_side: r.car.side,
            postal_code: r.postal_code.map(|p| (p.format, p.regex)),
            start_of_week: r.start_of_week,
            timezones: r.timezones,
        }
    }
}

impl From<RecordJson> for CountryRecord {
    fn from(j: RecordJson) -> Self {
        Self {
            cca2: j.cca2,
            cca3: j.cca3,
            ccn3: j.ccn3,
            cioc: j.cioc,
            fifa: j.fifa,
            name: CountryName { common: j.common, official: j.official, native: local_names(j.native) },
            tld: j.tld,
            independent: j.independent,
            status: j.status,
            un_member: j.un_member,
            currencies: j
                .currencies
                .into_iter()
                .map(|(code, name, symbol)| Currency { code, name, symbol })
                .collect(),
            idd: Idd { root: j.idd_root, suffixes: j.idd_suffixes },
            capital: j.capital,
            capital_latlng: point(j.capital_latlng),
            alt_spellings: j.alt_spellings,
            region: j.region,
            subregion: j.subregion,
            continents: j.continents,
            languages: j.languages.into_iter().map(|(code, name)| Language { code, name }).collect(),
            translations: local_names(j.translations),
            latlng: point(j.latlng),
            landlocked: j.landlocked,
            borders: j.borders,
            area: j.area,
            demonyms: j.demonyms.into_iter().map(|(code, (f, m))| (code, Demonym { f, m })).collect(),
            flag: j.flag,
            flags: Flags { png: j.flags.0, svg: j.flags.1 },
            coat_of_arms: CoatOfArms { png: j.coat_of_arms.0, svg: j.coat_of_arms.1 },
            population: j.population,
            maps: Maps { google: j.maps.0, open_street: j.maps.1 },
            gini: j.gini,
            car: Car { signs: j.car_signs, side: j.car_side },
            postal_code: j.postal_code.map(|(format, regex)| PostalCode { format, regex }),
            start_of_week: j.start_of_week,
            timezones: j.timezones,
        }
    }
}
