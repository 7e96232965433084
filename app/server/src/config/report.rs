//! What settings of the report say.

use malecon::domain::{CountryFilter, CountrySortKey, Mailbox, Sort, TimeOfDay, Zone};

/// An option that clap takes for one value, which may be blank.
pub type Perhaps<T> = Option<T>;
/// A list that clap takes for one value.
pub type Many<T> = Vec<T>;

/// Which countries are reported, and in which order.
#[derive(Clone, Debug, Default)]
pub struct ReportFilter {
    /// As it was written.
    pub query: String,
    /// Which ones.
    pub filter: CountryFilter,
    /// In which order.
    pub sort: Vec<Sort<CountrySortKey>>,
}

pub(super) fn sender(text: &str) -> Result<Option<Mailbox>, String> {
    let text = Some(text).filter(|text| !text.trim().is_empty());
    text.map(Mailbox::parse).transpose().map_err(|error| error.to_string())
}

pub(super) fn addressees(text: &str) -> Result<Vec<Mailbox>, String> {
    Mailbox::parse_list(text).map_err(|error| error.to_string())
}

pub(super) fn time_of_day(text: &str) -> Result<TimeOfDay, String> {
    TimeOfDay::parse(text).ok_or_else(|| "not a time of day like 07:00 or 18:30".to_owned())
}

pub(super) fn time_zone(text: &str) -> Result<Zone, String> {
    Zone::parse(text)
        .ok_or_else(|| "not a name of the IANA time zone database, such as Europe/Madrid".to_owned())
}

pub(super) fn report_filter(text: &str) -> Result<ReportFilter, String> {
    let query = text.trim().trim_start_matches('?').to_owned();
    let (filter, sort) = malecon_http::parse_filter(&query)?;
    Ok(ReportFilter { query, filter, sort })
}
