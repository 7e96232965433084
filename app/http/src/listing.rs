//! Pages of lists: where the neighbouring ones are.

use malecon::domain::{Direction, Page, Sort};
use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;
use crate::query::{Kind, Param, Query};

/// `page`, as every list has it.
pub(crate) const PAGE: Param =
    Param { name: "page", kind: Kind::Whole { least: 1, most: 1_000_000 }, about: "Page, from 1" };
/// `page_size`, as every list has it.
pub(crate) const PAGE_SIZE: Param = Param {
    name: "page_size",
    kind: Kind::Whole { least: 1, most: 100 },
    about: "Rows on a page, 10 unless told",
};

/// The page that was asked for.
pub(crate) fn page(params: &Query) -> Page {
    let number = params.parsed("page").unwrap_or(1);
    Page::new(number, params.parsed("page_size").unwrap_or(Page::DEFAULT_SIZE)).unwrap_or_default()
}

/// The order that was asked for, of keys that the table of parameters has checked.
pub(crate) fn sort<K: Copy>(params: &Query, keys: &[K], name: impl Fn(K) -> &'static str) -> Vec<Sort<K>> {
    let key = |text: &str| {
        let (text, direction) = match text.strip_prefix('-') {
            Some(text) => (text, Direction::Descending),
            None => (text, Direction::Ascending),
        };
        let key = keys.iter().copied().find(|key| name(*key) == text)?;
        Some(Sort { key, direction })
    };
    params.members("sort").into_iter().filter_map(key).collect()
}

/// Drops the members of an object that are not named.
pub(crate) fn keep(value: &mut Value, members: &[&str]) {
    if let Value::Object(object) = value {
        object.retain(|name, _| members.contains(&name.as_str()));
    }
}

/// A row, or a page of rows, with these members of each row only.
pub(crate) fn sparse(body: &impl Serialize, members: &[&str]) -> Result<Value, Problem> {
    let mut value = serde_json::to_value(body).map_err(|_| Problem::internal())?;
    match value.get_mut("results").and_then(Value::as_array_mut) {
        Some(rows) => rows.iter_mut().for_each(|row| keep(row, members)),
        None => keep(&mut value, members),
    }
    Ok(value)
}

/// The neighbours of a page.
pub(crate) struct Neighbours {
    pub next: Option<String>,
    pub previous: Option<String>,
    /// The `Link` header (RFC 8288).
    pub link: String,
}

impl Neighbours {
    /// Those of page `number` of a list of so many pages, at this path.
    pub fn new(path: &str, params: &Query, number: u64, pages: u64) -> Self {
        let pages = pages.max(1);
        let url = |number: u64| format!("{path}?{}", params.normal(Some(number)));
        let next = (number < pages).then(|| url(number + 1));
        let previous = (number > 1).then(|| url((number - 1).min(pages)));
        let links = [
            ("first", Some(url(1))),
            ("prev", previous.clone()),
            ("next", next.clone()),
            ("last", Some(url(pages))),
        ];
        let links =
            links.into_iter().filter_map(|(rel, url)| url.map(|url| format!("<{url}>; rel=\"{rel}\"")));
        let link = links.collect::<Vec<_>>().join(", ");
        Self { next, previous, link }
    }

    /// Those of a page of a list of so many rows.
    pub fn of(path: &str, params: &Query, page: Page, total: u64) -> Self {
        Self::new(path, params, u64::from(page.number()), total.div_ceil(page.size().into()))
    }
}

/// A page of a list, as its body.
macro_rules! page_of {
    ($name:ident, $row:ty, $about:literal) => {
        #[doc = $about]
        #[derive(Debug, serde::Serialize, poem_openapi::Object)]
        pub(crate) struct $name {
            /// Rows of the whole list.
            count: u64,
            /// The next page.
            next: Option<String>,
            /// The page before.
            previous: Option<String>,
            /// The rows of this page.
            results: Vec<$row>,
        }

        impl $name {
            /// These rows, of a list of so many.
            pub fn new(
                count: u64,
                neighbours: &crate::listing::Neighbours,
                results: impl Iterator<Item = $row>,
            ) -> Self {
                let (next, previous) = (neighbours.next.clone(), neighbours.previous.clone());
                Self { count, next, previous, results: results.collect() }
            }
        }
    };
}
pub(crate) use page_of;
