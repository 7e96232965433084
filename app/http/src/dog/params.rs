//! Parameters and bodies of dogs.

use malecon::domain::{DogName, DogSortKey};
use serde_json::{Value, json};

use super::body::DogBody;
use crate::body::{self, Member};
use crate::listing::{PAGE, PAGE_SIZE};
use crate::query::{Kind, Param};

const FIELDS: Param = Param {
    name: "fields",
    kind: Kind::Members(DogBody::members),
    about: "Members to answer with, separated by commas; all when absent",
};

/// `GET /api/dogs`, `GET /api/dogs/is_adopted` and `GET /api/users/{user_id}/dogs`.
pub(crate) const LIST: &[Param] = &[
    Param {
        name: "sort",
        kind: Kind::Order(sort_keys),
        about: "Sort keys separated by commas, `-` before one for descending; names compare without case \
                and accents; the number decides between equals",
    },
    FIELDS,
    PAGE,
    PAGE_SIZE,
];

/// `GET /api/dogs/{name}`.
pub(crate) const ONE: &[Param] = &[FIELDS];

const OWNER: body::Kind = body::Kind::Whole { least: 1, most: i64::MAX };

macro_rules! said {
    ($adopted:literal, $owner:literal) => {
        &[
            Member { name: "is_adopted", kind: body::Kind::Flag, needed: false, about: $adopted },
            Member { name: "id_user", kind: body::Kind::Maybe(&OWNER), needed: false, about: $owner },
        ]
    };
}

/// `POST /api/dogs/{name}`.
pub(crate) const NEW: &[Member] = said!(
    "Whether it has found a home; it has not unless told",
    "Number of the user whose it is: the caller's, or anybody's for administrators; nobody's unless told"
);

/// `PUT /api/dogs/{name}`.
pub(crate) const CHANGE: &[Member] = said!(
    "Whether it has found a home",
    "Number of the user whose it is: the caller's, or anybody's for administrators; null for nobody's"
);

/// What the documents show.
pub(crate) const EXAMPLE: &str = r#"{"is_adopted": true, "id_user": null}"#;

/// What a dog can be called, as OpenAPI describes it.
pub(crate) fn name_document() -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": DogName::LONGEST,
        "pattern": r"^[^\x00-\x1f\x7f-\x9f/]+$", "example": "Lazy",
    })
}

fn sort_keys() -> Vec<&'static str> {
    DogSortKey::ALL.into_iter().map(DogSortKey::name).collect()
}
