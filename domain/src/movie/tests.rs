//! Pages of movies, stars.

use super::*;

#[test]
fn a_page_has_each_movie_once_and_no_more_pages_than_can_be_asked_for() {
    let movie = |id, title: &str| Movie { id, title: title.to_owned(), ..Movie::default() };
    let page = MoviePage::new(vec![movie(1, "a"), movie(2, "b"), movie(1, "c")], 43_000, 860_000);
    assert_eq!(page.movies.iter().map(|movie| movie.title.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((page.pages, page.total), (500, 860_000));
}

#[test]
fn pages_run_from_1_to_500() {
    assert!(PopularQuery::new(0, None, None).is_none());
    assert_eq!(PopularQuery::new(500, None, None).unwrap().page(), 500);
    assert!(PopularQuery::new(501, None, None).is_none());
}

#[test]
fn stars_run_from_0_to_5() {
    assert_eq!(Stars::new(0).unwrap().number(), 0);
    assert_eq!(Stars::new(5).unwrap().number(), 5);
    assert!(Stars::new(6).is_none() && Stars::new(u64::MAX).is_none());
}
