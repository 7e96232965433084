//! Filters and sort orders of the list of countries.

use std::cmp::Ordering;

use super::Country;
use crate::page::{Direction, Page, Sort};
use crate::text::fold;

/// Which countries are wanted. Texts match substrings without regard to case and accents; all that
/// is given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CountryFilter {
    /// In the common or the official name.
    pub name: Option<String>,
    /// In a capital.
    pub capital: Option<String>,
    /// In a continent.
    pub continent: Option<String>,
    /// In a currency's code or name.
    pub currency: Option<String>,
    /// In a language's code or name.
    pub language: Option<String>,
    /// In the region or the subregion.
    pub region: Option<String>,
    /// In any of the above, in an alternative spelling or in a code.
    pub q: Option<String>,
    /// At least so many inhabitants.
    pub population_gte: Option<u64>,
    /// At most so many inhabitants.
    pub population_lte: Option<u64>,
    /// At least so large, in km². A country of unknown area matches no bound.
    pub area_gte: Option<f64>,
    /// At most so large, in km².
    pub area_lte: Option<f64>,
}

impl CountryFilter {
    /// The same filter with its texts folded, blank ones dropped: what is compared with
    /// [`SearchKeys`].
    pub fn folded(&self) -> Self {
        let text = |part: &Option<String>| {
            part.as_deref().map(|part| fold(part.trim())).filter(|part| !part.is_empty())
        };
        Self {
            name: text(&self.name),
            capital: text(&self.capital),
            continent: text(&self.continent),
            currency: text(&self.currency),
            language: text(&self.language),
            region: text(&self.region),
            q: text(&self.q),
            ..*self
        }
    }

    /// Whether the country is wanted. `self` must be [`CountryFilter::folded`].
    pub fn matches(&self, country: &Country) -> bool {
        let keys = SearchKeys::of(country);
        let has =
            |text: &str, part: &Option<String>| part.as_ref().is_none_or(|part| text.contains(part.as_str()));
        has(&keys.name, &self.name)
            && has(&keys.capital, &self.capital)
            && has(&keys.continent, &self.continent)
            && has(&keys.currency, &self.currency)
            && has(&keys.language, &self.language)
            && has(&keys.region, &self.region)
            && has(&keys.all, &self.q)
            && self.population_gte.is_none_or(|least| country.population >= least)
            && self.population_lte.is_none_or(|most| country.population <= most)
            && self.area_gte.is_none_or(|least| country.area.is_some_and(|area| area >= least))
            && self.area_lte.is_none_or(|most| country.area.is_some_and(|area| area <= most))
    }
}

/// The folded texts that a filter looks into; members are joined with line feeds, so that no part
/// spans two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchKeys {
    /// Common and official name.
    pub name: String,
    /// Capitals.
    pub capital: String,
    /// Continents.
    pub continent: String,
    /// Currency codes and names.
    pub currency: String,
    /// Language codes and names.
    pub language: String,
    /// Region and subregion.
    pub region: String,
    /// All of these, alternative spellings and codes.
    pub all: String,
}

impl SearchKeys {
    /// The texts of a country.
    pub fn of(country: &Country) -> Self {
        let name = folded([&country.name.common, &country.name.official]);
        let capital = folded(&country.capital);
        let continent = folded(&country.continents);
        let currency = folded(country.currencies.iter().flat_map(|c| [&c.code, &c.name]));
        let language = folded(country.languages.iter().flat_map(|l| [&l.code, &l.name]));
        let region = folded([&country.region].into_iter().chain(&country.subregion));
        let codes = folded(
            [&country.cca2, &country.cca3].into_iter().chain(&country.ccn3).chain(&country.alt_spellings),
        );
        let all = [&name, &capital, &continent, &currency, &language, &region, &codes]
            .map(String::as_str)
            .join("\n");
        Self { name, capital, continent, currency, language, region, all }
    }
}

fn folded<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    texts.into_iter().map(|text| fold(text)).collect::<Vec<_>>().join("\n")
}

/// What the list of countries can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountrySortKey {
    /// Common name.
    Name,
    /// First capital.
    Capital,
    /// First currency's code.
    Currency,
    /// First continent.
    Continent,
    /// First language's name.
    Language,
    /// Inhabitants.
    Population,
    /// Area in km².
    Area,
    /// Flag emoji.
    Flag,
    /// Alpha-3 code.
    Code,
}

impl CountrySortKey {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Name,
        Self::Capital,
        Self::Currency,
        Self::Continent,
        Self::Language,
        Self::Population,
        Self::Area,
        Self::Flag,
        Self::Code,
    ];

    /// The name in a query string.
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Capital => "capital",
            Self::Currency => "currency",
            Self::Continent => "continent",
            Self::Language => "language",
            Self::Population => "population",
            Self::Area => "area",
            Self::Flag => "flag",
            Self::Code => "code",
        }
    }
}

/// The texts that a sort compares, byte by byte: folded, `None` where a country has none. Absent
/// values come last whichever way a list runs; the alpha-3 code decides between equals, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortKeys {
    /// Folded common name.
    pub name: String,
    /// Folded first capital.
    pub capital: Option<String>,
    /// First currency's code, folded.
    pub currency: Option<String>,
    /// Folded first continent.
    pub continent: Option<String>,
    /// First language's folded name.
    pub language: Option<String>,
    /// Flag emoji.
    pub flag: Option<String>,
}

impl SortKeys {
    /// The texts of a country.
    pub fn of(country: &Country) -> Self {
        Self {
            name: fold(&country.name.common),
            capital: country.capital.first().map(|text| fold(text)),
            currency: country.currencies.first().map(|currency| fold(&currency.code)),
            continent: country.continents.first().map(|text| fold(text)),
            language: country.languages.first().map(|language| fold(&language.name)),
            flag: country.flag.clone(),
        }
    }
}

/// A question for the list of countries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CountryQuery {
    /// Which ones.
    pub filter: CountryFilter,
    /// In which order; by name when nothing is said.
    pub sort: Vec<Sort<CountrySortKey>>,
    /// Which part.
    pub page: Page,
}

impl CountryQuery {
    /// Compares two countries as [`CountryQuery::sort`] says: the reference for stores that sort
    /// by other means.
    pub fn compare(&self, a: &Country, b: &Country) -> Ordering {
        let by_name = [Sort { key: CountrySortKey::Name, direction: Direction::Ascending }];
        let sort = if self.sort.is_empty() { &by_name[..] } else { &self.sort };
        let (left, right) = (SortKeys::of(a), SortKeys::of(b));
        for Sort { key, direction } in sort {
            let order = match key {
                CountrySortKey::Name => directed(Some(&left.name), Some(&right.name), *direction),
                CountrySortKey::Capital => {
                    directed(left.capital.as_ref(), right.capital.as_ref(), *direction)
                }
                CountrySortKey::Currency => {
                    directed(left.currency.as_ref(), right.currency.as_ref(), *direction)
                }
                CountrySortKey::Continent => {
                    directed(left.continent.as_ref(), right.continent.as_ref(), *direction)
                }
                CountrySortKey::Language => {
                    directed(left.language.as_ref(), right.language.as_ref(), *direction)
                }
                CountrySortKey::Flag => directed(left.flag.as_ref(), right.flag.as_ref(), *direction),
                CountrySortKey::Code => directed(Some(&a.cca3), Some(&b.cca3), *direction),
                CountrySortKey::Population => directed(Some(&a.population), Some(&b.population), *direction),
                CountrySortKey::Area => directed(a.area.as_ref(), b.area.as_ref(), *direction),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        a.cca3.cmp(&b.cca3)
    }
}

fn directed<T: PartialOrd>(a: Option<T>, b: Option<T>, direction: Direction) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => {
            let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
            if direction == Direction::Descending { order.reverse() } else { order }
        }
    }
}
