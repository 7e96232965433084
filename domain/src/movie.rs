//! Movies, and what users keep of them.

#[cfg(test)]
mod tests;
mod validity;

use chrono::NaiveDate;

pub use self::validity::InvalidMovie;
use crate::{Instant, Page, Sort};

/// A movie as its source describes it. Everything but the number and the title may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Movie {
    /// The source's number.
    pub id: i64,
    /// Title in the language asked for.
    pub title: String,
    /// Title in its own language.
    pub original_title: Option<String>,
    /// ISO 639-1.
    pub original_language: Option<String>,
    /// What it is about.
    pub overview: Option<String>,
    /// One line about it.
    pub tagline: Option<String>,
    /// When it was first shown.
    pub release_date: Option<NaiveDate>,
    /// Minutes.
    pub runtime: Option<u32>,
    /// E.g. `Released`.
    pub status: Option<String>,
    /// Its genres; of a list of movies the source tells only their numbers.
    pub genres: Vec<Genre>,
    /// The source's own measure, the larger the more popular.
    pub popularity: Option<f64>,
    /// 0 to 10.
    pub vote_average: Option<f64>,
    /// How many voted.
    pub vote_count: Option<u64>,
    /// Path of a poster below the source's image address.
    pub poster_path: Option<String>,
    /// Path of a wide picture below the source's image address.
    pub backdrop_path: Option<String>,
    /// Its page.
    pub homepage: Option<String>,
    /// Its number in the Internet Movie Database.
    pub imdb_id: Option<String>,
    /// Cost in US dollars.
    pub budget: Option<u64>,
    /// Takings in US dollars.
    pub revenue: Option<u64>,
    /// Whether it is for adults only.
    pub adult: bool,
}

/// A genre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genre {
    /// The source's number.
    pub id: i64,
    /// Its name, where the source tells it.
    pub name: Option<String>,
}

/// Which popular movies are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PopularQuery {
    page: u32,
    /// ISO 639-1, with a country or without, e.g. `es` or `pt-BR`.
    pub language: Option<String>,
    /// ISO 3166-1 alpha-2, in upper case.
    pub region: Option<String>,
}

impl PopularQuery {
    /// Pages at most: what the source gives.
    pub const LAST_PAGE: u32 = 500;

    /// Page 1 to [`Self::LAST_PAGE`]; `None` beyond.
    pub fn new(page: u32, language: Option<String>, region: Option<String>) -> Option<Self> {
        (1..=Self::LAST_PAGE).contains(&page).then_some(Self { page, language, region })
    }

    /// The page's number, from 1.
    pub fn page(&self) -> u32 {
        self.page
    }
}

/// One page of a list of movies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MoviePage {
    /// The movies, each once.
    pub movies: Vec<Movie>,
    /// Pages that can be asked for.
    pub pages: u32,
    /// Movies of the whole list, as the source counts.
    pub total: u64,
}

impl MoviePage {
    /// Movies on a page.
    pub const SIZE: u32 = 20;

    /// A page without doubled movies, whose count of pages is no more than can be asked for.
    pub fn new(movies: Vec<Movie>, pages: u32, total: u64) -> Self {
        let mut unique: Vec<Movie> = Vec::with_capacity(movies.len());
        for movie in movies {
            if unique.iter().all(|known| known.id != movie.id) {
                unique.push(movie);
            }
        }
        Self { movies: unique, pages: pages.min(PopularQuery::LAST_PAGE), total }
    }
}

/// What a user thinks of a movie: 0 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stars(u8);

impl Stars {
    /// The best.
    pub const MOST: u8 = 5;

    /// So many stars; `None` for more than [`Self::MOST`].
    pub fn new(number: u64) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| *number <= Self::MOST).map(Self)
    }

    /// How many.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// A movie that a user keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Favorite {
    /// The movie.
    pub movie: Movie,
    /// What the user thinks of it.
    pub stars: Option<Stars>,
    /// When it was added.
    pub added_at: Instant,
}

/// A movie that a user has rated.
#[derive(Clone, Debug, PartialEq)]
pub struct Rating {
    /// The movie.
    pub movie: Movie,
    /// What the user thinks of it.
    pub stars: Stars,
    /// When it was first rated.
    pub created_at: Instant,
    /// When the stars were last set.
    pub updated_at: Instant,
}

/// What a user's movies are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MovieSortKey {
    /// When the movie was first shown; movies without a date come last either way.
    ReleaseDate,
    /// The user's own stars; movies without come last either way.
    Stars,
    /// The title, without regard to case and accents.
    Title,
    /// When it was added or rated.
    AddedAt,
}

impl MovieSortKey {
    /// All keys.
    pub const ALL: [Self; 4] = [Self::ReleaseDate, Self::Stars, Self::Title, Self::AddedAt];

    /// The name that the API shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReleaseDate => "release_date",
            Self::Stars => "stars",
            Self::Title => "title",
            Self::AddedAt => "added_at",
        }
    }
}

/// Which of a user's movies are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovieQuery {
    /// Order; release date and stars, both descending, for none. The movie's number decides between
    /// equals.
    pub sort: Vec<Sort<MovieSortKey>>,
    /// Which part of the list.
    pub page: Page,
}
