//! The promises of [`MovieRepository`], [`FavoriteRepository`] and [`RatingRepository`].

mod shelf;

use futures_util::future::join_all;
use malecon_domain::{Direction, Movie, MovieSortKey, Paged};

use self::shelf::{
    NOBODY, at, check_orders, due, favor, favorites, full, movie, orders, rate, ratings, shelf, sort, stars,
    user, whole,
};
use crate::{FavoriteRepository, MovieRepository, RatingRepository, RepositoryError, UserRepository};

/// Tests of every promise of the three ports on the store that the expression makes: any
/// [`MovieStore`].
#[macro_export]
macro_rules! movie_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::movie, [
            details_are_replaced,
            movies_are_due_by_age,
            old_details_are_forgotten,
            a_favorite_is_added_once,
            a_favorite_needs_a_user,
            favorites_have_the_users_own_stars,
            favorites_are_sorted_and_cut_into_pages,
            favorites_are_cleared,
            favorites_end_with_their_user,
            the_first_rating_wins,
            a_rating_needs_a_user,
            a_rating_is_corrected,
            a_removed_rating_is_gone,
            ratings_are_sorted_and_cut_into_pages,
            ratings_end_with_their_user,
        ]);
    };
}

/// A store under test: its users, its movies, and what the users keep of them.
pub trait MovieStore: Send + Sync {
    /// The users.
    fn users(&self) -> &dyn UserRepository;
    /// The movies' details.
    fn movies(&self) -> &dyn MovieRepository;
    /// The favorites.
    fn favorites(&self) -> &dyn FavoriteRepository;
    /// The ratings.
    fn ratings(&self) -> &dyn RatingRepository;
}

/// Later details replace earlier ones, in all lists.
pub async fn details_are_replaced(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    let shown = async || {
        let (mut favorites, mut ratings) = (favorites(store, ana).await, ratings(store, bea).await);
        let (favorite, rating) = (favorites.remove(0).movie, ratings.remove(0).movie);
        assert_eq!(favorite, rating);
        favorite
    };
    favor(store, ana, &full(), 0).await;
    rate(store, bea, &full(), 5, 0).await;
    assert_eq!(shown().await, full(), "as it was written");
    let next = |title: &str| movie(full().id, title);
    store.movies().refresh(&next("second"), at(10)).await.expect("refresh");
    assert_eq!(shown().await, next("second"));
    store.movies().refresh(&next("late"), at(9)).await.expect("refresh");
    assert_eq!(shown().await, next("second"));
    assert!(!favor(store, ana, &full(), 20).await);
    assert_eq!(shown().await, full(), "by adding it, too");
    store.movies().refresh(&next("zz"), at(30)).await.expect("refresh");
    favor(store, ana, &movie(2, "yy"), 0).await;
    let by_title = whole(vec![sort(MovieSortKey::Title, Direction::Ascending)]);
    let page = store.favorites().list(ana, &by_title).await.expect("list");
    assert_eq!(page.items[0].movie, movie(2, "yy"), "{:?}", page.items);
    // What nobody keeps is not kept: or it would be later than what comes after it.
    store.movies().refresh(&movie(3, "nobody's"), at(99)).await.expect("refresh");
    let cid = user(store, "cid").await;
    favor(store, cid, &movie(3, "cid's"), 0).await;
    assert_eq!(favorites(store, cid).await[0].movie, movie(3, "cid's"));
}

/// The oldest first, those of today not at all.
pub async fn movies_are_due_by_age(store: &impl MovieStore) {
    let ana = user(store, "ana").await;
    favor(store, ana, &movie(1, "a"), 10).await;
    rate(store, ana, &movie(2, "b"), 0, 5).await;
    favor(store, ana, &movie(4, "d"), 5).await;
    favor(store, ana, &movie(3, "c"), 20).await;
    assert_eq!(due(store, 20).await, [2, 4, 1]);
    assert_eq!(store.movies().due(at(20), 2).await.expect("due"), [2, 4]);
    assert_eq!(store.movies().due(at(20), 0).await.expect("due"), [0; 0]);
    assert_eq!(due(store, 5).await, [0; 0]);
    store.movies().refresh(&movie(2, "b"), at(15)).await.expect("refresh");
    assert_eq!(due(store, 100).await, [4, 1, 2, 3]);
    store.favorites().remove(ana, 4).await.expect("remove");
    store.ratings().remove(ana, 2).await.expect("remove");
    assert_eq!(due(store, 100).await, [1, 3], "nobody keeps the others");
}

/// Only numbers remain of old details.
pub async fn old_details_are_forgotten(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    favor(store, ana, &full(), 0).await;
    rate(store, ana, &full(), 4, 0).await;
    favor(store, ana, &movie(1, "young"), 10).await;
    favor(store, ana, &movie(2, "nobody's"), 0).await;
    store.favorites().remove(ana, 2).await.expect("remove");
    let forget = async |second| store.movies().forget(at(second)).await.expect("forget");
    assert_eq!(forget(0).await, 0);
    assert_eq!(forget(10).await, 2, "of one movie that is kept, and of one that is not");
    assert_eq!(forget(10).await, 0);
    let bare = Movie { id: full().id, ..Movie::default() };
    let list = favorites(store, ana).await;
    let shown: Vec<_> = list.iter().map(|f| (&f.movie, f.stars)).collect();
    assert_eq!(shown, [(&bare, Some(stars(4))), (&movie(1, "young"), None)]);
    assert_eq!(ratings(store, ana).await[0].movie, bare);
    assert_eq!(due(store, -1_000).await, [full().id]);
    store.movies().refresh(&full(), at(-5)).await.expect("refresh");
    assert_eq!(ratings(store, ana).await[0].movie, full(), "any details are later than none");
    favor(store, bea, &movie(2, "bea's"), -5).await;
    assert_eq!(favorites(store, bea).await[0].movie, movie(2, "bea's"));
}

/// Many add it, one is first.
pub async fn a_favorite_is_added_once(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    let one = movie(1, "one");
    let added = join_all((0..20).map(|_| favor(store, ana, &one, 0))).await;
    assert_eq!(added.into_iter().filter(|new| *new).count(), 1);
    assert!(!favor(store, ana, &one, 10).await);
    let list = favorites(store, ana).await;
    assert_eq!((list.len(), list[0].added_at), (1, at(0)));
    let has = async |user, id| store.favorites().find(user, id).await.expect("find").is_some();
    assert!(has(ana, 1).await && !has(ana, 2).await && !has(bea, 1).await);
    assert!(favor(store, bea, &one, 10).await, "another user's");
    let removed = join_all((0..5).map(|_| store.favorites().remove(ana, 1))).await;
    assert_eq!(removed.into_iter().filter(|gone| *gone.as_ref().expect("remove")).count(), 1);
    assert!(!has(ana, 1).await && has(bea, 1).await);
    assert!(favor(store, ana, &one, 20).await);
    assert_eq!(favorites(store, ana).await[0].added_at, at(20));
}

/// Nobody has no favorites.
pub async fn a_favorite_needs_a_user(store: &impl MovieStore) {
    let gone = user(store, "gone").await;
    store.users().remove(gone).await.expect("remove");
    for nobody in [NOBODY, gone] {
        let answer = store.favorites().add(nobody, &movie(1, "one"), at(0)).await;
        assert!(matches!(answer, Err(RepositoryError::MissingReference(_))), "{answer:?}");
        assert_eq!(favorites(store, nobody).await, []);
    }
    assert_eq!(due(store, 100).await, [0; 0]);
}

/// A favorite shows what its user thinks of it.
pub async fn favorites_have_the_users_own_stars(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    let one = movie(1, "one");
    favor(store, ana, &one, 0).await;
    favor(store, bea, &one, 0).await;
    rate(store, ana, &one, 4, 0).await;
    let shown = async |user| favorites(store, user).await[0].stars;
    assert_eq!((shown(ana).await, shown(bea).await), (Some(stars(4)), None));
    rate(store, bea, &one, 0, 0).await;
    store.ratings().change(ana, 1, stars(1), at(1)).await.expect("change");
    assert_eq!((shown(ana).await, shown(bea).await), (Some(stars(1)), Some(stars(0))));
    store.ratings().remove(ana, 1).await.expect("remove");
    assert_eq!((shown(ana).await, shown(bea).await), (None, Some(stars(0))));
}

/// Every order, and its pages.
pub async fn favorites_are_sorted_and_cut_into_pages(store: &impl MovieStore) {
    use {Direction::*, MovieSortKey::*};
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    for (movie, number, second) in shelf() {
        favor(store, ana, &movie, second).await;
        favor(store, bea, &movie, -second).await;
        rate(store, bea, &movie, 5 - number.unwrap_or(0), 0).await;
        if let Some(number) = number {
            rate(store, ana, &movie, number, 0).await;
        }
    }
    favor(store, bea, &movie(8, "bea's"), 0).await;
    let mut expected = orders();
    expected.extend([
        (vec![], [4, 2, 1, 6, 7, 3, 5]),
        (vec![sort(Stars, Ascending)], [4, 1, 6, 7, 3, 2, 5]),
        (vec![sort(Stars, Descending)], [3, 7, 1, 6, 4, 2, 5]),
        (vec![sort(ReleaseDate, Ascending), sort(Stars, Ascending)], [7, 1, 6, 4, 2, 3, 5]),
        (vec![sort(Stars, Descending), sort(Title, Ascending)], [3, 7, 1, 6, 4, 5, 2]),
    ]);
    check_orders(expected, async |query| {
        let page = store.favorites().list(ana, query).await.expect("list");
        Paged { items: page.items.iter().map(|f| f.movie.id).collect(), total: page.total }
    })
    .await;
}

/// All of one, none of another.
pub async fn favorites_are_cleared(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    for id in 1..=3 {
        favor(store, ana, &movie(id, "a movie"), 0).await;
        favor(store, bea, &movie(id, "a movie"), 0).await;
    }
    rate(store, ana, &movie(1, "a movie"), 5, 0).await;
    let cleared = join_all((0..5).map(|_| store.favorites().clear(ana))).await;
    assert_eq!(cleared.into_iter().map(|count| count.expect("clear")).sum::<u64>(), 3);
    assert_eq!((favorites(store, ana).await.len(), favorites(store, bea).await.len()), (0, 3));
    assert_eq!(ratings(store, ana).await.len(), 1, "ratings stay");
}

/// A removed user keeps nothing.
pub async fn favorites_end_with_their_user(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    favor(store, ana, &movie(1, "ana's"), 0).await;
    favor(store, ana, &movie(2, "both's"), 0).await;
    favor(store, bea, &movie(2, "both's"), 0).await;
    store.users().remove(ana).await.expect("remove");
    assert_eq!(favorites(store, ana).await, []);
    assert_eq!(store.favorites().find(ana, 1).await.expect("find"), None);
    assert!(!store.favorites().remove(ana, 1).await.expect("remove"));
    assert_eq!(store.favorites().clear(ana).await.expect("clear"), 0);
    assert_eq!(favorites(store, bea).await.len(), 1);
    assert_eq!(due(store, 100).await, [2]);
}

/// Many rate it, one is first.
pub async fn the_first_rating_wins(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    let one = movie(1, "one");
    let added = join_all((0..18).map(|number| rate(store, ana, &one, number % 6, 0))).await;
    let winners: Vec<u64> = (0..18).zip(added).filter(|(_, new)| *new).map(|(n, _)| n % 6).collect();
    assert_eq!(winners.len(), 1);
    assert!(!rate(store, ana, &one, (winners[0] + 1) % 6, 10).await);
    let list = ratings(store, ana).await;
    assert_eq!((list.len(), list[0].stars), (1, stars(winners[0])));
    assert_eq!((list[0].created_at, list[0].updated_at), (at(0), at(0)));
    assert!(rate(store, bea, &one, 0, 10).await, "another user's");
}

/// Nobody has no ratings.
pub async fn a_rating_needs_a_user(store: &impl MovieStore) {
    let gone = user(store, "gone").await;
    store.users().remove(gone).await.expect("remove");
    for nobody in [NOBODY, gone] {
        let answer = store.ratings().add(nobody, &movie(1, "one"), stars(3), at(0)).await;
        assert!(matches!(answer, Err(RepositoryError::MissingReference(_))), "{answer:?}");
        assert_eq!(ratings(store, nobody).await, []);
    }
    assert_eq!(due(store, 100).await, [0; 0]);
}

/// Only what is there is corrected.
pub async fn a_rating_is_corrected(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    let change = async |user, id| store.ratings().change(user, id, stars(0), at(10)).await.expect("change");
    assert!(!change(ana, 1).await);
    rate(store, ana, &movie(1, "one"), 5, 0).await;
    rate(store, ana, &movie(2, "two"), 5, 0).await;
    assert!(change(ana, 1).await && !change(bea, 1).await && !change(NOBODY, 1).await);
    let shown: Vec<_> = ratings(store, ana)
        .await
        .into_iter()
        .map(|rating| (rating.movie.id, rating.stars, rating.created_at, rating.updated_at))
        .collect();
    assert_eq!(shown, [(2, stars(5), at(0), at(0)), (1, stars(0), at(0), at(10))]);
}

/// A rating is removed once, and its stars with it.
pub async fn a_removed_rating_is_gone(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    let one = movie(1, "one");
    rate(store, ana, &one, 5, 0).await;
    rate(store, bea, &one, 4, 0).await;
    favor(store, ana, &one, 0).await;
    let removed = join_all((0..5).map(|_| store.ratings().remove(ana, 1))).await;
    assert_eq!(removed.into_iter().filter(|gone| *gone.as_ref().expect("remove")).count(), 1);
    assert_eq!((ratings(store, ana).await.len(), ratings(store, bea).await.len()), (0, 1));
    assert_eq!(store.ratings().find(ana, 1).await.expect("find"), None);
    assert!(!store.ratings().change(ana, 1, stars(1), at(1)).await.expect("change"));
    assert_eq!(favorites(store, ana).await[0].stars, None);
    assert!(rate(store, ana, &one, 2, 10).await);
    assert_eq!(ratings(store, ana).await[0].created_at, at(10));
}

/// Every order, and its pages.
pub async fn ratings_are_sorted_and_cut_into_pages(store: &impl MovieStore) {
    use {Direction::*, MovieSortKey::*};
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    for (movie, number, second) in shelf() {
        let number = number.unwrap_or(1);
        rate(store, ana, &movie, number, second).await;
        rate(store, bea, &movie, 5 - number, -second).await;
    }
    rate(store, bea, &movie(8, "bea's"), 0, 0).await;
    let mut expected = orders();
    expected.extend([
        (vec![], [2, 4, 1, 6, 7, 3, 5]),
        (vec![sort(Stars, Ascending)], [4, 2, 5, 1, 6, 7, 3]),
        (vec![sort(Stars, Descending)], [3, 7, 1, 6, 2, 5, 4]),
        (vec![sort(ReleaseDate, Ascending), sort(Stars, Ascending)], [7, 1, 6, 4, 2, 5, 3]),
    ]);
    check_orders(expected, async |query| {
        let page = store.ratings().list(ana, query).await.expect("list");
        Paged { items: page.items.iter().map(|r| r.movie.id).collect(), total: page.total }
    })
    .await;
}

/// A removed user thinks nothing.
pub async fn ratings_end_with_their_user(store: &impl MovieStore) {
    let (ana, bea) = (user(store, "ana").await, user(store, "bea").await);
    rate(store, ana, &movie(1, "ana's"), 3, 0).await;
    rate(store, ana, &movie(2, "both's"), 3, 0).await;
    rate(store, bea, &movie(2, "both's"), 3, 0).await;
    store.users().remove(ana).await.expect("remove");
    assert_eq!(ratings(store, ana).await, []);
    assert_eq!(store.ratings().find(ana, 1).await.expect("find"), None);
    assert!(!store.ratings().change(ana, 1, stars(1), at(1)).await.expect("change"));
    assert!(!store.ratings().remove(ana, 1).await.expect("remove"));
    assert_eq!(ratings(store, bea).await.len(), 1);
    assert_eq!(due(store, 100).await, [2]);
}
