//! Parameters and bodies of movies.

use malecon::domain::{MovieSortKey, PopularQuery, Stars};

use crate::body::{self, Member};
use crate::listing::{PAGE, PAGE_SIZE};
use crate::query::{Kind, Param};

/// `GET /api/movies/popular`.
pub(crate) const POPULAR: &[Param] = &[
    Param { name: "page", kind: Kind::Page { last: PopularQuery::LAST_PAGE }, about: "Page, from 1 to 500" },
    Param {
        name: "language",
        kind: Kind::Tag { parts: 2 },
        about: "Language of titles and texts, e.g. es or pt-BR",
    },
    Param { name: "region", kind: Kind::Tag { parts: 1 }, about: "Country of release dates, e.g. US" },
];

/// `GET /api/users/{user_id}/favorites` and `…/ratings`.
pub(crate) const LIST: &[Param] = &[
    Param {
        name: "sort",
        kind: Kind::Order(sort_keys),
        about: "Sort keys separated by commas, `-` before one for descending; release date and stars, both \
                descending, unless told; the movie's number decides between equals",
    },
    PAGE,
    PAGE_SIZE,
];

const NUMBER: body::Kind = body::Kind::Whole { least: 1, most: i64::MAX };
const STARS_KIND: body::Kind = body::Kind::Whole { least: 0, most: Stars::MOST as i64 };

/// `POST …/favorites`.
pub(crate) const MOVIE: &[Member] =
    &[Member { name: "movie_id", kind: NUMBER, needed: true, about: "TMDB's number of the movie" }];
pub(crate) const MOVIE_EXAMPLE: &str = r#"{"movie_id": 11}"#;

/// `POST …/ratings`.
pub(crate) const RATING: &[Member] = &[
    Member { name: "movie_id", kind: NUMBER, needed: true, about: "TMDB's number of the movie" },
    Member { name: "stars", kind: STARS_KIND, needed: true, about: "0 to 5" },
];
pub(crate) const RATING_EXAMPLE: &str = r#"{"movie_id": 11, "stars": 5}"#;

/// `PUT` and `PATCH …/ratings/{movie_id}`.
pub(crate) const STARS: &[Member] =
    &[Member { name: "stars", kind: STARS_KIND, needed: true, about: "0 to 5" }];
pub(crate) const STARS_EXAMPLE: &str = r#"{"stars": 4}"#;

fn sort_keys() -> Vec<&'static str> {
    MovieSortKey::ALL.into_iter().map(MovieSortKey::name).collect()
}
