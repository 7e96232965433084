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

fn good() -> Movie {
    Movie {
        id: 7,
        title: "Tide".to_owned(),
        overview: Some("One.\r\nTwo.".to_owned()),
        homepage: Some("https://tide.example/a?b=c".to_owned()),
        poster_path: Some("/p_1-2.jpg".to_owned()),
        imdb_id: Some("tt0000000".to_owned()),
        original_language: Some("pt-BR".to_owned()),
        popularity: Some(12.5),
        vote_average: Some(10.0),
        genres: vec![Genre { id: 1, name: Some("Seaside".to_owned()) }],
        ..Movie::default()
    }
}

#[test]
fn what_must_not_be_shown_of_a_movie_is_dropped() {
    assert_eq!(good().checked(), Ok(good()));
    let spoilt = Movie {
        overview: Some("a\u{1b}[2J".to_owned()),
        tagline: Some("a\nb".to_owned()),
        original_title: Some("x".repeat(1_001)),
        homepage: Some("javascript:alert(1)".to_owned()),
        poster_path: Some("//evil.example/p.jpg".to_owned()),
        backdrop_path: Some("javascript:alert(1)".to_owned()),
        imdb_id: Some("tt0\"><script>".to_owned()),
        original_language: Some("x y".to_owned()),
        popularity: Some(f64::INFINITY),
        vote_average: Some(11.0),
        vote_count: Some(u64::MAX),
        runtime: Some(u32::MAX),
        budget: Some(u64::MAX),
        revenue: Some(u64::MAX),
        status: Some("\0".to_owned()),
        genres: vec![Genre { id: 1, name: Some("a\0".to_owned()) }],
        ..good()
    };
    let bare = Movie {
        id: 7,
        title: "Tide".to_owned(),
        genres: vec![Genre { id: 1, name: None }],
        ..Movie::default()
    };
    assert_eq!(spoilt.checked(), Ok(bare));
    for url in
        ["http://", "https:///a", "https://a b/", "data:text/html,a", "https://a/\"x", "HTTPS:alert(1)"]
    {
        let movie = Movie { homepage: Some(url.to_owned()), ..good() };
        assert_eq!(movie.checked().unwrap().homepage, None, "{url}");
    }
    for title in ["", " ", "a\u{7}", &"x".repeat(1_001)] {
        assert_eq!(
            Movie { title: title.to_owned(), ..good() }.checked(),
            Err(InvalidMovie::Title),
            "{title}"
        );
    }
    assert_eq!(Movie { id: 0, ..good() }.checked(), Err(InvalidMovie::Id));
}
