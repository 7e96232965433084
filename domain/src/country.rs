//! Countries: the record of a v3.1 country and what makes it valid.

mod code;
mod field;
mod lookup;
mod query;
mod sync;
#[cfg(test)]
mod tests;
mod validity;

use std::collections::BTreeMap;
use std::ops::Deref;

pub use code::CountryCode;
pub use field::{CountryField, FieldSet};
pub use lookup::Lookup;
pub use query::{CountryFilter, CountryQuery, CountrySortKey, SearchKeys, SortKeys};
pub use sync::{Batch, DataVersion, Drift, Rejection, SyncOutcome, SyncPlan, SyncReport};
pub use validity::InvalidCountry;

use crate::Instant;

/// Everything that is known of a country, not yet checked: the members of a restcountries v3.1
/// record but the descriptions of flags.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CountryRecord {
    /// ISO 3166-1 alpha-2, e.g. `AR`.
    pub cca2: String,
    /// ISO 3166-1 alpha-3, e.g. `ARG`. The key.
    pub cca3: String,
    /// ISO 3166-1 numeric, three digits, e.g. `032`. Kosovo has none.
    pub ccn3: Option<String>,
    /// International Olympic Committee code.
    pub cioc: Option<String>,
    /// FIFA code.
    pub fifa: Option<String>,
    /// Its names.
    pub name: CountryName,
    /// Internet top level domains, with the dot.
    pub tld: Vec<String>,
    /// Whether it is a sovereign state; unknown for a few.
    pub independent: Option<bool>,
    /// ISO 3166-1 assignment status, e.g. `officially-assigned`.
    pub status: String,
    /// Whether it is a member of the United Nations.
    pub un_member: bool,
    /// Its currencies, in the source's order.
    pub currencies: Vec<Currency>,
    /// International dialling prefix.
    pub idd: Idd,
    /// Its capitals.
    pub capital: Vec<String>,
    /// Where the capital lies.
    pub capital_latlng: Option<LatLng>,
    /// Other spellings of its name.
    pub alt_spellings: Vec<String>,
    /// UN region, e.g. `Americas`.
    pub region: String,
    /// UN subregion, e.g. `South America`.
    pub subregion: Option<String>,
    /// Continents it lies on.
    pub continents: Vec<String>,
    /// Official languages, in the source's order.
    pub languages: Vec<Language>,
    /// Its name in other languages, by ISO 639-3 code.
    pub translations: BTreeMap<String, LocalName>,
    /// Where its middle lies.
    pub latlng: Option<LatLng>,
    /// Whether it has no coast.
    pub landlocked: bool,
    /// Neighbours, by alpha-3 code.
    pub borders: Vec<String>,
    /// Area in km².
    pub area: Option<f64>,
    /// Inhabitants by language code: feminine and masculine.
    pub demonyms: BTreeMap<String, Demonym>,
    /// Its flag as an emoji.
    pub flag: Option<String>,
    /// Pictures of its flag.
    pub flags: Flags,
    /// Pictures of its coat of arms.
    pub coat_of_arms: CoatOfArms,
    /// Inhabitants.
    pub population: u64,
    /// Links to maps.
    pub maps: Maps,
    /// Gini index by year.
    pub gini: BTreeMap<String, f64>,
    /// Cars: plates and the side of the road.
    pub car: Car,
    /// Postal codes.
    pub postal_code: Option<PostalCode>,
    /// First day of the week, e.g. `monday`.
    pub start_of_week: Option<String>,
    /// Time zones, e.g. `UTC-03:00`.
    pub timezones: Vec<String>,
}

/// Names of a country in English and in its own languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountryName {
    /// Common English name.
    pub common: String,
    /// Official English name.
    pub official: String,
    /// Native names by ISO 639-3 code.
    pub native: BTreeMap<String, LocalName>,
}

/// A country's name in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalName {
    /// Official name.
    pub official: String,
    /// Common name.
    pub common: String,
}

/// A currency. Codes are the keys; names change case from time to time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Currency {
    /// ISO 4217 code.
    pub code: String,
    /// English name.
    pub name: String,
    /// Symbol.
    pub symbol: Option<String>,
}

/// A language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Language {
    /// ISO 639-3 code.
    pub code: String,
    /// English name.
    pub name: String,
}

/// A point on the earth, in degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatLng {
    /// Latitude, −90 to 90.
    pub lat: f64,
    /// Longitude, −180 to 180.
    pub lng: f64,
}

/// International direct dialling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Idd {
    /// First digits, e.g. `+5`.
    pub root: Option<String>,
    /// What may follow the root.
    pub suffixes: Vec<String>,
}

/// Inhabitants in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demonym {
    /// Feminine.
    pub f: String,
    /// Masculine.
    pub m: String,
}

/// URLs of a flag's pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// PNG.
    pub png: Option<String>,
    /// SVG.
    pub svg: Option<String>,
}

/// URLs of a coat of arms' pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoatOfArms {
    /// PNG.
    pub png: Option<String>,
    /// SVG.
    pub svg: Option<String>,
}

/// Links to maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maps {
    /// Google Maps.
    pub google: Option<String>,
    /// OpenStreetMap.
    pub open_street: Option<String>,
}

/// Cars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Car {
    /// Distinguishing signs of vehicles.
    pub signs: Vec<String>,
    /// Side of the road: `left` or `right`.
    pub side: Option<String>,
}

/// Postal codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostalCode {
    /// Picture of a code, e.g. `#####`.
    pub format: String,
    /// Regular expression of a code.
    pub regex: Option<String>,
}

/// A valid country. It reads as the [`CountryRecord`] that it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Country(CountryRecord);

impl Country {
    /// Checks a record.
    ///
    /// # Errors
    /// The first thing that is wrong with it; see [`InvalidCountry`].
    pub fn new(record: CountryRecord) -> Result<Self, InvalidCountry> {
        validity::check(&record)?;
        Ok(Self(record))
    }

    /// The record itself.
    pub fn into_record(self) -> CountryRecord {
        self.0
    }
}

impl Deref for Country {
    type Target = CountryRecord;

    fn deref(&self) -> &CountryRecord {
        &self.0
    }
}

/// A country as a store holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCountry {
    /// The country.
    pub country: Country,
    /// When a sync last changed it.
    pub updated_at: Instant,
}
