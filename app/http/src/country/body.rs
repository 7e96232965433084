//! JSON bodies of `/api/countries`.

use bytes::Bytes;
use malecon::domain::{Rejection, StoredCountry, SyncReport};
use malecon::{Draft, ServiceError};
use poem_openapi::Object;
use serde::Serialize;

use crate::listing::keep;
use crate::ready::rfc3339;

/// A country.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Country")]
pub(crate) struct CountryBody {
    /// ISO 3166-1 alpha-3.
    code: String,
    /// ISO 3166-1 alpha-2.
    cca2: String,
    /// ISO 3166-1 numeric, three digits.
    ccn3: Option<String>,
    /// Common English name.
    name: String,
    /// Official English name.
    official_name: String,
    /// Capitals.
    capital: Vec<String>,
    /// Currencies.
    currencies: Vec<CurrencyBody>,
    /// Continents it lies on.
    continents: Vec<String>,
    /// UN region.
    region: String,
    /// UN subregion.
    subregion: Option<String>,
    /// Official languages.
    languages: Vec<LanguageBody>,
    /// Inhabitants.
    population: u64,
    /// Area in km².
    area: Option<f64>,
    /// Latitude and longitude of its middle, in degrees; empty when unknown.
    latlng: Vec<f64>,
    /// Time zones.
    timezones: Vec<String>,
    /// Its flag.
    flag: FlagBody,
    /// When a sync last changed it, RFC 3339 UTC.
    updated_at: String,
}

/// A currency.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Currency")]
struct CurrencyBody {
    /// ISO 4217 code.
    code: String,
    /// English name.
    name: String,
    /// Symbol.
    symbol: Option<String>,
}

/// A language.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Language")]
struct LanguageBody {
    /// ISO 639-3 code.
    code: String,
    /// English name.
    name: String,
}

/// A flag.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Flag")]
struct FlagBody {
    /// As an emoji.
    emoji: Option<String>,
    /// URL of a PNG.
    png: Option<String>,
    /// URL of an SVG.
    svg: Option<String>,
}

/// A page of countries.
#[derive(Debug, Serialize, Object)]
pub(crate) struct CountryPage {
    /// Countries that match, on all pages.
    pub count: u64,
    /// Where the next page is.
    pub next: Option<String>,
    /// Where the previous page is.
    pub previous: Option<String>,
    /// The countries of this page.
    pub results: Vec<CountryBody>,
}

impl CountryBody {
    /// The names of its members, for `fields`.
    pub fn members() -> Vec<&'static str> {
        vec![
            "code",
            "cca2",
            "ccn3",
            "name",
            "official_name",
            "capital",
            "currencies",
            "continents",
            "region",
            "subregion",
            "languages",
            "population",
            "area",
            "latlng",
            "timezones",
            "flag",
            "updated_at",
        ]
    }
}

impl CountryPage {
    /// The page, its countries with these members only.
    pub fn sparse(&self, members: &[&str]) -> Result<Draft, ServiceError> {
        let sparse = || {
            let mut page = serde_json::to_value(self)?;
            for country in page["results"].as_array_mut().into_iter().flatten() {
                keep(country, members);
            }
            serde_json::to_vec(&page)
        };
        let bytes = sparse().map_err(|error| ServiceError::Internal(std::sync::Arc::new(error)))?;
        Ok(Bytes::from(bytes).into())
    }
}

impl From<StoredCountry> for CountryBody {
    fn from(stored: StoredCountry) -> Self {
        let record = stored.country.into_record();
        let currencies = record.currencies.into_iter();
        let languages = record.languages.into_iter();
        Self {
            code: record.cca3,
            cca2: record.cca2,
            ccn3: record.ccn3,
            name: record.name.common,
            official_name: record.name.official,
            capital: record.capital,
            currencies: currencies
                .map(|c| CurrencyBody { code: c.code, name: c.name, symbol: c.symbol })
                .collect(),
            continents: record.continents,
            region: record.region,
            subregion: record.subregion,
            languages: languages.map(|l| LanguageBody { code: l.code, name: l.name }).collect(),
            population: record.population,
            area: record.area,
            latlng: record.latlng.map(|point| vec![point.lat, point.lng]).unwrap_or_default(),
            timezones: record.timezones,
            flag: FlagBody { emoji: record.flag, png: record.flags.png, svg: record.flags.svg },
            updated_at: rfc3339(stored.updated_at),
        }
    }
}

/// What a sync did.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "SyncReport")]
pub(crate) struct ReportBody {
    /// Which source was asked.
    source: String,
    /// When it began, RFC 3339 UTC.
    started_at: String,
    /// When it ended, RFC 3339 UTC.
    finished_at: String,
    /// `succeeded`, `source_drifted` (the source answered what is not to be believed; nothing
    /// changed) or `failed` (it did not answer; nothing changed).
    outcome: String,
    /// Why it did not succeed.
    detail: Option<String>,
    /// Records in the answer.
    seen: u64,
    /// Countries added.
    inserted: u64,
    /// Countries changed.
    updated: u64,
    /// Countries found as they were.
    unchanged: u64,
    /// Alpha-3 codes of countries that the source no longer has; they are kept.
    missing: Vec<String>,
    /// Records that were not taken.
    rejected: Vec<RejectionBody>,
}

/// A record that was not taken.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Rejection")]
struct RejectionBody {
    /// Its alpha-3 code, or its place in the answer.
    record: String,
    /// What is wrong with it.
    reason: String,
}

impl From<SyncReport> for ReportBody {
    fn from(report: SyncReport) -> Self {
        Self {
            source: report.source,
            started_at: rfc3339(report.started_at),
            finished_at: rfc3339(report.finished_at),
            outcome: report.outcome.name().to_owned(),
            detail: report.detail,
            seen: report.seen,
            inserted: report.inserted,
            updated: report.updated,
            unchanged: report.unchanged,
            missing: report.missing,
            rejected: report
                .rejected
                .into_iter()
                .map(|Rejection { record, reason }| RejectionBody { record, reason })
                .collect(),
        }
    }
}
