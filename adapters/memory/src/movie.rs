//! Movies that users keep, in RAM.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use malecon_domain::text::fold;
use malecon_domain::{
    Direction, Favorite, Instant, Movie, MovieQuery, MovieSortKey, Paged, Rating, Sort, Stars,
};
use malecon_ports::{FavoriteRepository, MovieRepository, RatingRepository, RepositoryError};

use crate::MemoryUsers;

/// Keeps movies, favorites and ratings of the users of one [`MemoryUsers`] in RAM. Clones share them.
#[derive(Clone)]
pub struct MemoryMovies {
    users: MemoryUsers,
    state: Arc<Mutex<State>>,
}

/// What users keep lies under the numbers of the user and the movie. What a removed user kept is
/// passed over until [`MovieRepository::forget`] drops it: no other user gets its number.
#[derive(Default)]
struct State {
    /// A movie that is not here has been forgotten, or nobody has kept it.
    details: HashMap<i64, (Instant, Movie)>,
    favorites: BTreeMap<(i64, i64), Instant>,
    ratings: BTreeMap<(i64, i64), Rated>,
}

#[derive(Clone, Copy)]
struct Rated {
    stars: Stars,
    created_at: Instant,
    updated_at: Instant,
}

/// What a list is sorted by.
struct Keys<'a> {
    movie: &'a Movie,
    stars: Option<Stars>,
    added_at: Instant,
}

impl MemoryMovies {
    /// An empty store.
    pub fn new(users: MemoryUsers) -> Self {
        Self { users, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, user_id: i64) -> Result<(), RepositoryError> {
        let missing = || RepositoryError::MissingReference(format!("user {user_id}"));
        self.users.exists(user_id).then_some(()).ok_or_else(missing)
    }

    /// Numbers of the movies that somebody keeps.
    fn kept(&self, state: &State) -> HashSet<i64> {
        let pairs = state.favorites.keys().chain(state.ratings.keys());
        pairs.filter(|(user_id, _)| self.users.exists(*user_id)).map(|(_, movie_id)| *movie_id).collect()
    }
}

impl State {
    fn keep(&mut self, movie: &Movie, at: Instant) {
        if self.details.get(&movie.id).is_none_or(|(kept_at, _)| *kept_at <= at) {
            self.details.insert(movie.id, (at, movie.clone()));
        }
    }

    fn movie(&self, id: i64) -> Movie {
        let bare = || Movie { id, ..Movie::default() };
        self.details.get(&id).map_or_else(bare, |(_, movie)| movie.clone())
    }

    fn favorite(&self, pair: &(i64, i64), added_at: Instant) -> Favorite {
        let stars = self.ratings.get(pair).map(|rated| rated.stars);
        Favorite { movie: self.movie(pair.1), stars, added_at }
    }

    fn rating(&self, pair: &(i64, i64), rated: Rated) -> Rating {
        let Rated { stars, created_at, updated_at } = rated;
        Rating { movie: self.movie(pair.1), stars, created_at, updated_at }
    }
}

fn all_of(user_id: i64) -> std::ops::RangeInclusive<(i64, i64)> {
    (user_id, i64::MIN)..=(user_id, i64::MAX)
}

fn paged<T>(mut items: Vec<T>, query: &MovieQuery, keys: impl Fn(&T) -> Keys<'_>) -> Paged<T> {
    items.sort_by(|a, b| compare(&query.sort, &keys(a), &keys(b)));
    let total = items.len() as u64;
    let offset = usize::try_from(query.page.offset()).unwrap_or(usize::MAX);
    Paged { items: items.into_iter().skip(offset).take(query.page.size() as usize).collect(), total }
}

fn compare(sort: &[Sort<MovieSortKey>], a: &Keys<'_>, b: &Keys<'_>) -> Ordering {
    let usual = [MovieSortKey::ReleaseDate, MovieSortKey::Stars]
        .map(|key| Sort { key, direction: Direction::Descending });
    let sort = if sort.is_empty() { &usual[..] } else { sort };
    let by_key = sort.iter().map(|Sort { key, direction }| match key {
        MovieSortKey::ReleaseDate => optional(*direction, a.movie.release_date, b.movie.release_date),
        MovieSortKey::Stars => optional(*direction, a.stars, b.stars),
        MovieSortKey::Title => optional(*direction, Some(fold(&a.movie.title)), Some(fold(&b.movie.title))),
        MovieSortKey::AddedAt => optional(*direction, Some(a.added_at), Some(b.added_at)),
    });
    by_key.fold(Ordering::Equal, Ordering::then).then(a.movie.id.cmp(&b.movie.id))
}

/// What is missing is last either way.
fn optional<T: Ord>(direction: Direction, a: Option<T>, b: Option<T>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if direction == Direction::Descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

#[async_trait]
impl MovieRepository for MemoryMovies {
    async fn refresh(&self, movie: &Movie, at: Instant) -> Result<(), RepositoryError> {
        let mut state = self.state();
        if self.kept(&state).contains(&movie.id) {
            state.keep(movie, at);
        }
        Ok(())
    }

    async fn due(&self, before: Instant, most: u32) -> Result<Vec<i64>, RepositoryError> {
        let state = self.state();
        let age = |id: i64| state.details.get(&id).map(|(at, _)| *at);
        let mut due: Vec<(Option<Instant>, i64)> =
            self.kept(&state).into_iter().map(|id| (age(id), id)).collect();
        due.retain(|(at, _)| at.is_none_or(|at| at < before));
        due.sort_unstable();
        Ok(due.into_iter().map(|(_, id)| id).take(most as usize).collect())
    }

    async fn forget(&self, before: Instant) -> Result<u64, RepositoryError> {
        let mut state = self.state();
        state.favorites.retain(|(user_id, _), _| self.users.exists(*user_id));
        state.ratings.retain(|(user_id, _), _| self.users.exists(*user_id));
        let count = state.details.len();
        state.details.retain(|_, (at, _)| *at >= before);
        Ok((count - state.details.len()) as u64)
    }
}

#[async_trait]
impl FavoriteRepository for MemoryMovies {
    async fn add(&self, user_id: i64, movie: &Movie, at: Instant) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        self.known(user_id)?;
        state.keep(movie, at);
        let is_new = !state.favorites.contains_key(&(user_id, movie.id));
        state.favorites.entry((user_id, movie.id)).or_insert(at);
        Ok(is_new)
    }

    async fn find(&self, user_id: i64, movie_id: i64) -> Result<Option<Favorite>, RepositoryError> {
        let (state, pair) = (self.state(), (user_id, movie_id));
        let at = state.favorites.get(&pair).filter(|_| self.users.exists(user_id));
        Ok(at.map(|at| state.favorite(&pair, *at)))
    }

    async fn list(&self, user_id: i64, query: &MovieQuery) -> Result<Paged<Favorite>, RepositoryError> {
        let state = self.state();
        let mut list = vec![];
        if self.users.exists(user_id) {
            let range = state.favorites.range(all_of(user_id));
            list.extend(range.map(|(pair, at)| state.favorite(pair, *at)));
        }
        Ok(paged(list, query, |f| Keys { movie: &f.movie, stars: f.stars, added_at: f.added_at }))
    }

    async fn remove(&self, user_id: i64, movie_id: i64) -> Result<bool, RepositoryError> {
        let was_there = self.state().favorites.remove(&(user_id, movie_id)).is_some();
        Ok(was_there && self.users.exists(user_id))
    }

    async fn clear(&self, user_id: i64) -> Result<u64, RepositoryError> {
        let mut state = self.state();
        let count = state.favorites.len();
        state.favorites.retain(|(owner, _), _| *owner != user_id);
        let cleared = (count - state.favorites.len()) as u64;
        Ok(if self.users.exists(user_id) { cleared } else { 0 })
    }
}

#[async_trait]
impl RatingRepository for MemoryMovies {
    async fn add(
        &self,
        user_id: i64,
        movie: &Movie,
        stars: Stars,
        at: Instant,
    ) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        self.known(user_id)?;
        state.keep(movie, at);
        let is_new = !state.ratings.contains_key(&(user_id, movie.id));
        let rated = Rated { stars, created_at: at, updated_at: at };
        state.ratings.entry((user_id, movie.id)).or_insert(rated);
        Ok(is_new)
    }

    async fn change(
        &self,
        user_id: i64,
        movie_id: i64,
        stars: Stars,
        at: Instant,
    ) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        let Some(rated) = state.ratings.get_mut(&(user_id, movie_id)) else { return Ok(false) };
        (rated.stars, rated.updated_at) = (stars, at);
        Ok(self.users.exists(user_id))
    }

    async fn find(&self, user_id: i64, movie_id: i64) -> Result<Option<Rating>, RepositoryError> {
        let (state, pair) = (self.state(), (user_id, movie_id));
        let rated = state.ratings.get(&pair).filter(|_| self.users.exists(user_id));
        Ok(rated.map(|rated| state.rating(&pair, *rated)))
    }

    async fn list(&self, user_id: i64, query: &MovieQuery) -> Result<Paged<Rating>, RepositoryError> {
        let state = self.state();
        let mut list = vec![];
        if self.users.exists(user_id) {
            let range = state.ratings.range(all_of(user_id));
            list.extend(range.map(|(pair, rated)| state.rating(pair, *rated)));
        }
        Ok(paged(list, query, |r| Keys { movie: &r.movie, stars: Some(r.stars), added_at: r.created_at }))
    }

    async fn remove(&self, user_id: i64, movie_id: i64) -> Result<bool, RepositoryError> {
        let was_there = self.state().ratings.remove(&(user_id, movie_id)).is_some();
        Ok(was_there && self.users.exists(user_id))
    }
}
