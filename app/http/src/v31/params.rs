//! The query parameters of `/v3.1`. Others are ignored, as they were.

use crate::query::{Kind, Param};

const SOME: Param = Param {
    name: "fields",
    kind: Kind::Words { needed: false },
    about: "Members to answer with, separated by commas; unknown ones are ignored; all when absent",
};

/// Most routes.
pub(crate) const FIELDS: &[Param] = &[SOME];

/// `name`.
pub(crate) const NAME: &[Param] =
    &[SOME, Param { name: "fullText", kind: Kind::Flag, about: "Whether the whole name must match" }];

/// `alpha?codes=`.
pub(crate) const ALPHA: &[Param] = &[
    SOME,
    Param {
        name: "codes",
        kind: Kind::Words { needed: true },
        about: "Codes separated by commas: alpha-2, alpha-3, numeric or Olympic",
    },
];

/// `independent`.
pub(crate) const INDEPENDENT: &[Param] = &[
    SOME,
    Param {
        name: "status",
        kind: Kind::Flag,
        about: "true, the default, for sovereign countries; else the others",
    },
];
