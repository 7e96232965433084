//! The columns, the same in every format.

use malecon_domain::{Instant, StoredCountry};

/// What a cell holds.
pub(crate) enum Cell {
    /// A text, never a formula.
    Text(String),
    /// A number.
    Number(f64),
    /// An instant in UTC.
    Time(Instant),
    /// Nothing: the value is unknown.
    Blank,
}

/// A column: its heading, its width in characters, and its cell of a country.
pub(crate) struct Column {
    pub heading: &'static str,
    pub width: u8,
    pub cell: fn(&StoredCountry) -> Cell,
}

const fn column(heading: &'static str, width: u8, cell: fn(&StoredCountry) -> Cell) -> Column {
    Column { heading, width, cell }
}

/// All columns, in order.
pub(crate) const COLUMNS: &[Column] = &[
    column("code", 7, |s| Cell::text(&s.country.cca3)),
    column("cca2", 7, |s| Cell::text(&s.country.cca2)),
    column("ccn3", 7, |s| Cell::maybe(s.country.ccn3.as_ref())),
    column("name", 28, |s| Cell::text(&s.country.name.common)),
    column("official_name", 45, |s| Cell::text(&s.country.name.official)),
    column("capital", 22, |s| Cell::list(s.country.capital.iter())),
    column("currencies", 12, |s| Cell::list(s.country.currencies.iter().map(|c| &c.code))),
    column("currency_names", 28, |s| Cell::list(s.country.currencies.iter().map(|c| &c.name))),
    column("continents", 16, |s| Cell::list(s.country.continents.iter())),
    column("region", 12, |s| Cell::text(&s.country.region)),
    column("subregion", 26, |s| Cell::maybe(s.country.subregion.as_ref())),
    column("languages", 30, |s| Cell::list(s.country.languages.iter().map(|l| &l.name))),
    column("population", 14, |s| Cell::Number(s.country.population as f64)),
    column("area_km2", 14, |s| Cell::number(s.country.area)),
    column("latitude", 11, |s| Cell::number(s.country.latlng.map(|point| point.lat))),
    column("longitude", 11, |s| Cell::number(s.country.latlng.map(|point| point.lng))),
    column("timezones", 24, |s| Cell::list(s.country.timezones.iter())),
    column("flag", 6, |s| Cell::maybe(s.country.flag.as_ref())),
    column("flag_png", 36, |s| Cell::maybe(s.country.flags.png.as_ref())),
    column("updated_at", 20, |s| Cell::Time(s.updated_at)),
];

impl Cell {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn maybe(text: Option<&String>) -> Self {
        text.map_or(Self::Blank, |text| Self::text(text))
    }

    fn number(number: Option<f64>) -> Self {
        number.map_or(Self::Blank, Self::Number)
    }

    fn list<'a>(texts: impl Iterator<Item = &'a String>) -> Self {
        let texts: Vec<&str> = texts.map(String::as_str).collect();
        if texts.is_empty() { Self::Blank } else { Self::Text(texts.join(", ")) }
    }
}
