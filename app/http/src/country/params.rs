//! The query parameters of `/api/countries`.

use malecon::domain::CountrySortKey;

use super::body::CountryBody;
use crate::listing::{PAGE, PAGE_SIZE};
use crate::query::{Kind, Param};

const fn text(name: &'static str, about: &'static str) -> Param {
    Param { name, kind: Kind::Text, about }
}

const FIELDS: Param = Param {
    name: "fields",
    kind: Kind::Members(CountryBody::members),
    about: "Members to answer with, separated by commas; all when absent",
};
const PEOPLE: Kind = Kind::Whole { least: 0, most: 9_007_199_254_740_991 };

/// Filters and order: common to the list and the export.
macro_rules! filtered {
    ($($more:expr),* $(,)?) => {
        &[
            text("name", "Part of the common or official name"),
            text("capital", "Part of a capital's name"),
            text("continent", "Part of a continent's name"),
            text("currency", "Part of a currency's code or name"),
            text("language", "Part of a language's code or name"),
            text("region", "Part of the region's or the subregion's name"),
            text("q", "Part of any of these, of another spelling of the name, or of a code"),
            Param { name: "population__gte", kind: PEOPLE, about: "Inhabitants, at least" },
            Param { name: "population__lte", kind: PEOPLE, about: "Inhabitants, at most" },
            Param { name: "area__gte", kind: Kind::Decimal, about: "Area in km², at least" },
            Param { name: "area__lte", kind: Kind::Decimal, about: "Area in km², at most" },
            Param {
                name: "sort",
                kind: Kind::Order(sort_keys),
                about: "Sort keys separated by commas, `-` before one for descending; the code decides between equals",
            },
            $($more),*
        ]
    };
}

/// Filters and order alone.
pub(crate) const FILTERED: &[Param] = filtered![];

/// `GET /api/countries`.
pub(crate) const LIST: &[Param] = filtered![FIELDS, PAGE, PAGE_SIZE,];

/// `GET /api/countries/export`.
pub(crate) const EXPORT: &[Param] = filtered![Param {
    name: "format",
    kind: Kind::Choice(&["xlsx", "csv"]),
    about: "Kind of file, xlsx unless told"
}];

/// `GET /api/countries/{id}`.
pub(crate) const ONE: &[Param] = &[FIELDS];

fn sort_keys() -> Vec<&'static str> {
    CountrySortKey::ALL.into_iter().map(CountrySortKey::name).collect()
}
