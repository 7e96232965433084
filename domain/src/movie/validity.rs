//! What of a movie may be shown: a source's mistakes, or its attacks, end here.

use super::{Genre, Movie};

/// Characters of a title, or of another short text.
const LONGEST_TEXT: usize = 1_000;
/// Characters of an overview.
const LONGEST_OVERVIEW: usize = 20_000;
/// Bytes of a link or of a path.
const LONGEST_LINK: usize = 2_000;
/// Genres of one movie.
const MOST_GENRES: usize = 100;
/// Minutes: none is longer than two months.
const LONGEST_RUNTIME: u32 = 100_000;
/// Money in US dollars, with room for inflation.
const MOST_MONEY: u64 = 1_000_000_000_000;
/// Votes: everybody's.
const MOST_VOTES: u64 = 20_000_000_000;
/// The source's own measure; it knows of no more than some thousands.
const MOST_POPULAR: f64 = 1e9;

/// Why something is no movie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMovie {
    /// Its number is not one from 1.
    #[error("id is not a number from 1")]
    Id,
    /// Its title is blank, too long, or holds a control character.
    #[error("title is blank, too long, or holds a control character")]
    Title,
}

impl Movie {
    /// The movie without what must not be shown. What may be missing is as good as missing then.
    ///
    /// # Errors
    /// [`InvalidMovie`] for one without a number or a title.
    pub fn checked(self) -> Result<Self, InvalidMovie> {
        if self.id < 1 {
            return Err(InvalidMovie::Id);
        }
        if self.title.trim().is_empty() || !is_text(&self.title) {
            return Err(InvalidMovie::Title);
        }
        let text = |text: Option<String>| text.filter(|text| is_text(text));
        let path = |path: Option<String>| path.filter(|path| is_path(path));
        let money = |money: Option<u64>| money.filter(|money| *money <= MOST_MONEY);
        let genre = |genre: Genre| Genre { name: text(genre.name), ..genre };
        Ok(Self {
            original_title: text(self.original_title),
            original_language: self.original_language.filter(|code| is_code(code)),
            overview: self.overview.filter(|text| is_overview(text)),
            tagline: text(self.tagline),
            runtime: self.runtime.filter(|minutes| *minutes <= LONGEST_RUNTIME),
            status: text(self.status),
            genres: self.genres.into_iter().take(MOST_GENRES).map(genre).collect(),
            popularity: self.popularity.filter(|popularity| (0.0..=MOST_POPULAR).contains(popularity)),
            vote_average: self.vote_average.filter(|vote| (0.0..=10.0).contains(vote)),
            vote_count: self.vote_count.filter(|count| *count <= MOST_VOTES),
            poster_path: path(self.poster_path),
            backdrop_path: path(self.backdrop_path),
            homepage: self.homepage.filter(|url| is_link(url)),
            imdb_id: self.imdb_id.filter(|code| is_code(code)),
            budget: money(self.budget),
            revenue: money(self.revenue),
            ..self
        })
    }
}

fn is_text(text: &str) -> bool {
    text.chars().count() <= LONGEST_TEXT && !text.chars().any(char::is_control)
}

/// It may have paragraphs.
fn is_overview(text: &str) -> bool {
    let is_wrong = |letter: char| letter.is_control() && !['\n', '\r', '\t'].contains(&letter);
    text.chars().count() <= LONGEST_OVERVIEW && !text.chars().any(is_wrong)
}

/// What nobody's browser takes for a script.
fn is_link(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    url.len() <= LONGEST_LINK
        && host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        && !url
            .chars()
            .any(|letter| letter.is_control() || letter.is_whitespace() || "<>\"'`\\".contains(letter))
}

/// Below the source's image address, and nowhere else.
fn is_path(path: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    path.len() <= LONGEST_LINK
        && path.starts_with('/')
        && !path.contains("//")
        && !path.contains("..")
        && path.bytes().all(is_good)
}

fn is_code(code: &str) -> bool {
    (1..=20).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
