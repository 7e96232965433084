//! Users, movies and lists for the promises about them.

use chrono::{DateTime, NaiveDate, Utc};
use malecon_domain::{
    Direction, Email, Favorite, Genre, Instant, Movie, MovieQuery, MovieSortKey, Page, Paged, Profile,
    Rating, Role, Sort, Stars,
};

use super::MovieStore;
use crate::{NewUser, UserWrite};

/// A number that no user has.
pub const NOBODY: i64 = 4_711;

pub fn at(second: i64) -> Instant {
    DateTime::<Utc>::from_timestamp(1_700_000_000 + second, 0).expect("an instant")
}

pub fn stars(number: u64) -> Stars {
    Stars::new(number).expect("stars")
}

/// Adds a user and tells its number.
pub async fn user(store: &impl MovieStore, name: &str) -> i64 {
    let email = Email::new(&format!("{name}@example.com")).expect("an address");
    let profile = Profile { name: name.to_owned(), last_name: String::new(), email, role: Role::User };
    let user = NewUser { profile, password_hash: None, at: at(0) };
    match store.users().add(&user).await.expect("add") {
        UserWrite::Done(user) => user.id,
        other => panic!("{other:?}"),
    }
}

/// A movie of which little is known.
pub fn movie(id: i64, title: &str) -> Movie {
    Movie { id, title: title.to_owned(), ..Movie::default() }
}

/// A movie of which all is known, and whose number is beyond 32 bits.
pub fn full() -> Movie {
    let text = |text: &str| Some(text.to_owned());
    Movie {
        id: 5_000_000_000,
        title: "Ma\u{0}lecón \\ 'quoted' \"title\" 100%".to_owned(),
        original_title: text("奥兰"),
        original_language: text("zh"),
        overview: text("Long.\nAnd\u{0} longer."),
        tagline: text(""),
        release_date: NaiveDate::from_ymd_opt(1895, 12, 28),
        runtime: Some(u32::MAX),
        status: text("Released"),
        genres: vec![
            Genre { id: 18, name: text("Drama") },
            Genre { id: -1, name: None },
            Genre { id: 18, name: text("") },
        ],
        popularity: Some(1_580.123_456_789_012_3),
        vote_average: Some(0.0),
        vote_count: Some(u64::MAX),
        poster_path: text("/p.jpg"),
        backdrop_path: text("/b.jpg"),
        homepage: text("https://movie.example"),
        imdb_id: text("tt0000001"),
        budget: Some(0),
        revenue: Some(2_923_706_026),
        adult: true,
    }
}

/// Seven movies with a user's stars and the second they are added in. 1 and 6 differ in nothing but
/// their numbers.
pub fn shelf() -> Vec<(Movie, Option<u64>, i64)> {
    let dated = |id, title, year, month, day| Movie {
        release_date: NaiveDate::from_ymd_opt(year, month, day),
        ..movie(id, title)
    };
    vec![
        (dated(6, "Zebra", 2001, 1, 1), Some(3), 40),
        (movie(5, "álamo"), None, 0),
        (dated(7, "Metropolis", 1927, 1, 10), Some(4), 5),
        (movie(3, "arbusto"), Some(5), 20),
        (dated(2, "Árbol", 2020, 5, 1), None, 30),
        (dated(1, "zebra", 2001, 1, 1), Some(3), 40),
        (dated(4, "Ñu", 2020, 5, 1), Some(0), 10),
    ]
}

pub fn sort(key: MovieSortKey, direction: Direction) -> Sort<MovieSortKey> {
    Sort { key, direction }
}

/// The whole list.
pub fn whole(sort: Vec<Sort<MovieSortKey>>) -> MovieQuery {
    MovieQuery { sort, page: Page::new(1, 100).expect("a page") }
}

pub async fn favorites(store: &impl MovieStore, user: i64) -> Vec<Favorite> {
    let page = store.favorites().list(user, &whole(vec![])).await.expect("list");
    assert_eq!(page.total, page.items.len() as u64);
    for listed in &page.items {
        let found = store.favorites().find(user, listed.movie.id).await.expect("find");
        assert_eq!(found.as_ref(), Some(listed), "alone as in the list");
    }
    page.items
}

pub async fn ratings(store: &impl MovieStore, user: i64) -> Vec<Rating> {
    let page = store.ratings().list(user, &whole(vec![])).await.expect("list");
    assert_eq!(page.total, page.items.len() as u64);
    for listed in &page.items {
        let found = store.ratings().find(user, listed.movie.id).await.expect("find");
        assert_eq!(found.as_ref(), Some(listed), "alone as in the list");
    }
    page.items
}

pub async fn favor(store: &impl MovieStore, user: i64, movie: &Movie, second: i64) -> bool {
    store.favorites().add(user, movie, at(second)).await.expect("add")
}

pub async fn rate(store: &impl MovieStore, user: i64, movie: &Movie, number: u64, second: i64) -> bool {
    store.ratings().add(user, movie, stars(number), at(second)).await.expect("add")
}

pub async fn due(store: &impl MovieStore, second: i64) -> Vec<i64> {
    store.movies().due(at(second), 100).await.expect("due")
}

/// What a sort order makes of the [`shelf`]: its name and the numbers in order.
pub type Expected = (Vec<Sort<MovieSortKey>>, [i64; 7]);

/// The orders that are the same for favorites and ratings.
pub fn orders() -> Vec<Expected> {
    use {Direction::*, MovieSortKey::*};
    vec![
        (vec![sort(ReleaseDate, Ascending)], [7, 1, 6, 2, 4, 3, 5]),
        (vec![sort(ReleaseDate, Descending)], [2, 4, 1, 6, 7, 3, 5]),
        (vec![sort(Title, Ascending)], [5, 2, 3, 7, 4, 1, 6]),
        (vec![sort(Title, Descending)], [1, 6, 4, 7, 3, 2, 5]),
        (vec![sort(AddedAt, Ascending)], [5, 7, 4, 3, 2, 1, 6]),
        (vec![sort(AddedAt, Descending)], [1, 6, 2, 3, 4, 7, 5]),
    ]
}

/// Asks for every order, and for the first one page by page.
pub async fn check_orders(expected: Vec<Expected>, list: impl AsyncFn(&MovieQuery) -> Paged<i64>) {
    for (sort, numbers) in &expected {
        let page = list(&whole(sort.clone())).await;
        assert_eq!((page.items, page.total), (numbers.to_vec(), 7), "{sort:?}");
    }
    for (sort, numbers) in expected {
        let mut joined = vec![];
        for number in 1..=3 {
            let page = Page::new(number, 3).expect("a page");
            let page = list(&MovieQuery { sort: sort.clone(), page }).await;
            assert_eq!(page.total, 7);
            joined.extend(page.items);
        }
        assert_eq!(joined, numbers, "{sort:?}");
    }
    let far = MovieQuery { sort: vec![], page: Page::new(u32::MAX, 100).expect("a page") };
    let far = list(&far).await;
    assert_eq!((far.items, far.total), (vec![], 7));
}
