//! The questions of restcountries v3.1, and which countries answer them.

use super::{Country, LocalName};
use crate::text::fold;

/// A v3.1 question. Texts are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// Every country.
    All,
    /// Substring of the common name, the official name or any alternative spelling.
    Name(String),
    /// Equals the common or the official name.
    FullName(String),
    /// One of these alpha-2, alpha-3, numeric or Olympic codes.
    Alpha(Vec<String>),
    /// A currency's code, or a substring of its name. A text that is somebody's code is nothing but a code:
    /// `AUD` is no part of "Saudi riyal".
    Currency(String),
    /// A language's code or its name.
    Language(String),
    /// Substring of any capital; accents count for nothing.
    Capital(String),
    /// Substring of the region, or equals the subregion.
    Region(String),
    /// Substring of the subregion.
    Subregion(String),
    /// Substring of the name in any other language.
    Translation(String),
    /// Substring of what inhabitants are called.
    Demonym(String),
    /// Sovereign or not; not knowing counts as not.
    Independent(bool),
}

impl Lookup {
    /// The countries that answer the question, in the order they come in.
    pub fn select<'a, T: AsRef<Country>>(&self, countries: &'a [T]) -> Vec<&'a T> {
        let matcher = self.prepared();
        let is_code = matches!(&matcher, Self::Currency(code) if countries.iter().any(|country| has_currency((*country).as_ref(), code)));
        countries.iter().filter(|country| matcher.matches((*country).as_ref(), is_code)).collect()
    }

    /// The same question with its texts folded once.
    fn prepared(&self) -> Self {
        let lower = |text: &String| text.to_lowercase();
        match self {
            Self::All => Self::All,
            Self::Name(text) => Self::Name(lower(text)),
            Self::FullName(text) => Self::FullName(lower(text)),
            Self::Alpha(codes) => Self::Alpha(codes.iter().map(|c| c.to_ascii_uppercase()).collect()),
            Self::Currency(text) => Self::Currency(lower(text)),
            Self::Language(text) => Self::Language(lower(text)),
            Self::Capital(text) => Self::Capital(fold(text)),
            Self::Region(text) => Self::Region(lower(text)),
            Self::Subregion(text) => Self::Subregion(lower(text)),
            Self::Translation(text) => Self::Translation(lower(text)),
            Self::Demonym(text) => Self::Demonym(lower(text)),
            Self::Independent(status) => Self::Independent(*status),
        }
    }

    /// Whether the country answers it; `is_code` tells of a currency that it is a code.
    fn matches(&self, country: &Country, is_code: bool) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(part);
        let is = |text: &str, other: &str| text.to_lowercase() == other;
        let local = |name: &LocalName, part: &str| has(&name.common, part) || has(&name.official, part);
        match self {
            Self::All => true,
            Self::Name(part) => {
                has(&country.name.common, part)
                    || has(&country.name.official, part)
                    || country.alt_spellings.iter().any(|spelling| has(spelling, part))
            }
            Self::FullName(name) => is(&country.name.common, name) || is(&country.name.official, name),
            Self::Alpha(codes) => codes.iter().any(|code| {
                [Some(&country.cca2), Some(&country.cca3), country.ccn3.as_ref(), country.cioc.as_ref()]
                    .into_iter()
                    .flatten()
                    .any(|own| own == code)
            }),
            Self::Currency(code) if is_code => has_currency(country, code),
            Self::Currency(text) => country.currencies.iter().any(|currency| has(&currency.name, text)),
            Self::Language(text) => {
                country.languages.iter().any(|language| is(&language.code, text) || is(&language.name, text))
            }
            Self::Capital(part) => country.capital.iter().any(|capital| fold(capital).contains(part)),
            Self::Region(text) => {
                has(&country.region, text) || country.subregion.as_ref().is_some_and(|sub| is(sub, text))
            }
            Self::Subregion(part) => country.subregion.as_ref().is_some_and(|sub| has(sub, part)),
            Self::Translation(part) => country.translations.values().any(|name| local(name, part)),
            Self::Demonym(part) => country.demonyms.values().any(|d| has(&d.f, part) || has(&d.m, part)),
            Self::Independent(status) => country.independent.unwrap_or(false) == *status,
        }
    }
}

fn has_currency(country: &Country, code: &str) -> bool {
    country.currencies.iter().any(|currency| currency.code.eq_ignore_ascii_case(code))
}

impl AsRef<Country> for Country {
    fn as_ref(&self) -> &Country {
        self
    }
}

impl AsRef<Country> for super::StoredCountry {
    fn as_ref(&self) -> &Country {
        &self.country
    }
}
