//! The query parameters of activities.

use malecon::domain::{ActivityKind, ActivitySortKey};

use crate::listing::{PAGE, PAGE_SIZE};
use crate::query::{Kind, Param};

/// `GET /api/countries/{id}/activities`.
pub(crate) const LIST: &[Param] = &[
    Param {
        name: "kind",
        kind: Kind::Members(kinds),
        about: "Kinds of things to do, separated by commas; all when absent",
    },
    Param {
        name: "sort",
        kind: Kind::Order(sort_keys),
        about: "Sort keys separated by commas, `-` before one for descending; the best known sight first \
                unless told; the id decides between equals",
    },
    PAGE,
    PAGE_SIZE,
];

fn kinds() -> Vec<&'static str> {
    ActivityKind::all().map(ActivityKind::name).collect()
}

fn sort_keys() -> Vec<&'static str> {
    ActivitySortKey::ALL.into_iter().map(ActivitySortKey::name).collect()
}
