//! The use cases of movies, on fakes for state and a source that the tests tell what to say.

mod upkeep;

use std::sync::Mutex;

use malecon_domain::{Email, Freshness, Genre, Profile, Role};
use malecon_memory::{ManualClock, MemoryCache, MemoryLock, MemoryMovies, MemoryUsers};
use malecon_ports::{GatewayError, MockMovieGateway, NewUser, UserWrite};

use super::*;
use crate::{Background, Breaker, ShieldPorts, ShieldSettings};

const SECOND: Duration = Duration::from_secs(1);

/// What the source knows: movies 1 to 99, all of it or nothing, and what it was asked for.
#[derive(Default)]
struct Source {
    is_down: bool,
    asked: Vec<String>,
    /// A movie that it no longer knows.
    lost: Option<i64>,
}

struct Bench {
    source: Arc<Mutex<Source>>,
    clock: Arc<ManualClock>,
    users: MemoryUsers,
    movies: MemoryMovies,
    far: MemoryCache,
    ana: Principal,
    bea: Principal,
    admin: Principal,
}

fn movie(id: i64) -> Movie {
    Movie {
        id,
        title: format!("Movie {id}"),
        release_date: chrono::NaiveDate::from_ymd_opt(1895, 12, 28),
        genres: vec![Genre { id: 18, name: Some("Drama".to_owned()) }, Genre { id: 1, name: None }],
        popularity: Some(1_580.123_456_789_012_3),
        ..Movie::default()
    }
}

/// The source as a gateway that says its name before each question.
fn gateway(source: &Arc<Mutex<Source>>, clock: &Arc<ManualClock>, name: &'static str) -> MockMovieGateway {
    let ask = {
        let (source, clock) = (source.clone(), clock.clone());
        move |question: String| {
            let mut source = source.lock().unwrap();
            source.asked.push(format!("{name} {question}"));
            if source.is_down { Err(GatewayError::Unavailable("refused".into())) } else { Ok(clock.now()) }
        }
    };
    let (ask_popular, source) = (ask.clone(), source.clone());
    let mut gateway = MockMovieGateway::new();
    gateway.expect_popular().returning(move |query| {
        let at = ask_popular(format!("{query:?}"))?;
        Ok(Sourced::fetched(MoviePage::new(vec![movie(1), movie(2)], 7, 133), at))
    });
    gateway.expect_movie().returning(move |id| {
        let at = ask(format!("{id}"))?;
        let is_known = (1..100).contains(&id) && source.lock().unwrap().lost != Some(id);
        Ok(Sourced::fetched(is_known.then(|| movie(id)), at))
    });
    gateway
}

async fn user(users: &MemoryUsers, name: &str, role: Role, clock: &ManualClock) -> Principal {
    let email = Email::new(&format!("{name}@example.com")).unwrap();
    let profile = Profile { name: name.to_owned(), last_name: String::new(), email, role };
    match users.add(&NewUser { profile, password_hash: None, at: clock.now() }).await.unwrap() {
        UserWrite::Done(user) => Principal::from(&user),
        other => panic!("{other:?}"),
    }
}

async fn bench() -> Bench {
    let start = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let (clock, users) = (Arc::new(ManualClock::new(start)), MemoryUsers::new());
    Bench {
        ana: user(&users, "ana", Role::User, &clock).await,
        bea: user(&users, "bea", Role::User, &clock).await,
        admin: user(&users, "admin", Role::Admin, &clock).await,
        source: Arc::default(),
        movies: MemoryMovies::new(users.clone()),
        far: MemoryCache::default(),
        users,
        clock,
    }
}

impl Bench {
    /// A process: a service with a shield of its own.
    fn service(&self) -> MovieService {
        let [full, once] = ["full", "once"].map(|name| Arc::new(gateway(&self.source, &self.clock, name)));
        let ports = ShieldPorts {
            far: Some(Arc::new(self.far.clone())),
            lock: Some(Arc::new(MemoryLock::new())),
            clock: self.clock.clone(),
            background: Background::new(|work| {
                tokio::spawn(work);
            }),
        };
        let source = ShieldedMovies::new(full, once, ports, Breaker::new(), ShieldSettings::default());
        MovieService::new(self.ports(Some(source)))
    }

    fn ports(&self, source: Option<ShieldedMovies>) -> MoviePorts {
        let movies = Arc::new(self.movies.clone());
        MoviePorts {
            source,
            movies: movies.clone(),
            favorites: movies.clone(),
            ratings: movies,
            users: Arc::new(self.users.clone()),
            clock: self.clock.clone(),
        }
    }

    fn take_down(&self, is_down: bool) {
        self.source.lock().unwrap().is_down = is_down;
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.source.lock().unwrap().asked)
    }
}

fn stars(number: u64) -> Stars {
    Stars::new(number).unwrap()
}

fn is_upstream<T: std::fmt::Debug>(answer: &Result<T, ServiceError>) -> bool {
    matches!(answer, Err(ServiceError::Unavailable { what: SOURCE, lack: Lack::Upstream, .. }))
}

macro_rules! assert_error {
    ($answer:expr, $error:pat) => {{
        let answer = $answer;
        assert!(matches!(answer, Err($error)), "{answer:?}");
    }};
}

#[tokio::test]
async fn what_the_source_gave_is_kept_and_outlives_source_and_process() {
    let bench = bench().await;
    let (service, caller) = (bench.service(), &bench.ana);
    let popular = |page| PopularQuery::new(page, Some("es".to_owned()), None).unwrap();
    let first = service.popular(caller, &popular(1)).await.unwrap();
    assert_eq!((first.value.movies.len(), first.value.pages, first.value.total), (2, 7, 133));
    let details = service.movie(caller, 1).await.unwrap();
    assert_eq!((&*details.value, details.freshness), (&movie(1), Freshness::Fetched));
    assert_error!(service.movie(caller, 100).await, ServiceError::NotFound);
    assert_eq!(bench.asked().len(), 3);
    assert_eq!(service.popular(caller, &popular(1)).await.unwrap().freshness, Freshness::Kept);
    assert_error!(service.movie(caller, 100).await, ServiceError::NotFound);
    assert_eq!(bench.asked(), [""; 0]);
    service.popular(caller, &popular(2)).await.unwrap();
    service.popular(caller, &PopularQuery::new(1, None, Some("ES".to_owned())).unwrap()).await.unwrap();
    assert_eq!(bench.asked().len(), 2, "other questions, other answers");

    bench.take_down(true);
    bench.clock.advance(SECOND * 3_600);
    let restarted = bench.service();
    let kept = restarted.popular(caller, &popular(1)).await.unwrap();
    assert_eq!((kept.value, kept.at, kept.freshness), (first.value, first.at, Freshness::StandingIn));
    let kept = restarted.movie(caller, 1).await.unwrap();
    assert_eq!((&*kept.value, kept.freshness), (&movie(1), Freshness::StandingIn), "details and all");
    assert_error!(restarted.movie(caller, 100).await, ServiceError::NotFound);
    assert_eq!(bench.asked().len(), 1, "pages and movies have one breaker");
    assert!(is_upstream(&restarted.movie(caller, 3).await));
    bench.clock.advance(SECOND * 5);
    assert!(is_upstream(&restarted.movie(caller, 3).await));
    assert_eq!(bench.asked(), ["once 3"], "a probe has no retries");
}

#[tokio::test]
async fn favorites_are_added_once_listed_and_removed() {
    let bench = bench().await;
    let (service, ana) = (bench.service(), &bench.ana);
    let (favorite, is_new) = service.add_favorite(ana, ana.user_id, 1).await.unwrap();
    let expected = Favorite { movie: movie(1), stars: None, added_at: bench.clock.now() };
    assert_eq!((&favorite, is_new), (&expected, true));
    service.add_rating(ana, ana.user_id, 1, stars(4)).await.unwrap();
    bench.clock.advance(SECOND);
    let again = service.add_favorite(ana, ana.user_id, 1).await.unwrap();
    assert_eq!(again, (Favorite { stars: Some(stars(4)), ..expected }, false));
    let list = service.favorites(ana, ana.user_id, &MovieQuery::default()).await.unwrap();
    assert_eq!((list.items, list.total), (vec![again.0], 1));

    assert_error!(service.add_favorite(ana, ana.user_id, 100).await, ServiceError::NotFound);
    service.remove_favorite(ana, ana.user_id, 1).await.unwrap();
    assert_error!(service.remove_favorite(ana, ana.user_id, 1).await, ServiceError::NotFound);
    assert_eq!(service.favorites(ana, ana.user_id, &MovieQuery::default()).await.unwrap().total, 0);
}

#[tokio::test]
async fn ratings_are_added_once_corrected_and_removed() {
    let bench = bench().await;
    let (service, ana) = (bench.service(), &bench.ana);
    let (id, began) = (ana.user_id, bench.clock.now());
    assert_error!(service.correct_rating(ana, id, 1, stars(3)).await, ServiceError::NotFound);
    let rating = service.add_rating(ana, id, 1, stars(0)).await.unwrap();
    let expected = Rating { movie: movie(1), stars: stars(0), created_at: began, updated_at: began };
    assert_eq!(rating, expected);
    assert_error!(
        service.add_rating(ana, id, 1, stars(5)).await,
        ServiceError::Conflict { code: "already_rated", .. }
    );
    bench.clock.advance(SECOND);
    let corrected = service.correct_rating(ana, id, 1, stars(5)).await.unwrap();
    let expected = Rating { stars: stars(5), updated_at: began + SECOND, ..expected };
    assert_eq!(corrected, expected);
    let put = service.set_rating(ana, id, 1, stars(2)).await.unwrap();
    assert_eq!(put, (Rating { stars: stars(2), ..expected }, false));
    let (put, is_new) = service.set_rating(ana, id, 2, stars(1)).await.unwrap();
    assert_eq!((put.movie, put.stars, is_new), (movie(2), stars(1), true));
    assert_eq!(service.ratings(ana, id, &MovieQuery::default()).await.unwrap().total, 2);
    for answer in [
        service.add_rating(ana, id, 100, stars(1)).await.map(|_| ()),
        service.set_rating(ana, id, 100, stars(1)).await.map(|_| ()),
    ] {
        assert_error!(answer, ServiceError::NotFound);
    }
    service.remove_rating(ana, id, 1).await.unwrap();
    assert_error!(service.remove_rating(ana, id, 1).await, ServiceError::NotFound);
    assert_eq!(service.ratings(ana, id, &MovieQuery::default()).await.unwrap().total, 1);
}

/// Every question about a user's movies.
async fn all(service: &MovieService, caller: &Principal, user_id: i64) -> Vec<Result<(), ServiceError>> {
    let query = MovieQuery::default();
    vec![
        service.add_favorite(caller, user_id, 1).await.map(|_| ()),
        service.favorites(caller, user_id, &query).await.map(|_| ()),
        service.remove_favorite(caller, user_id, 1).await,
        service.add_rating(caller, user_id, 1, stars(1)).await.map(|_| ()),
        service.correct_rating(caller, user_id, 1, stars(1)).await.map(|_| ()),
        service.set_rating(caller, user_id, 1, stars(1)).await.map(|_| ()),
        service.ratings(caller, user_id, &query).await.map(|_| ()),
        service.remove_rating(caller, user_id, 1).await,
    ]
}

#[tokio::test]
async fn users_have_their_own_and_administrators_everybodys() {
    let bench = bench().await;
    let (service, ana) = (bench.service(), bench.ana.user_id);
    for caller in [&bench.ana, &bench.admin] {
        assert!(all(&service, caller, ana).await.iter().all(Result::is_ok));
    }
    assert!(bench.asked().len() < 2);
    for (caller, user_id) in [(&bench.bea, ana), (&bench.bea, 4_711), (&bench.admin, 4_711)] {
        for answer in all(&service, caller, user_id).await {
            assert_error!(answer, ServiceError::NotFound);
        }
    }
    assert_eq!(bench.asked(), [""; 0], "nobody asks for nobody");

    service.add_favorite(&bench.ana, ana, 1).await.unwrap();
    for user_id in [ana, 4_711] {
        assert_error!(service.clear_favorites(&bench.ana, user_id).await, ServiceError::Forbidden);
    }
    assert_error!(service.clear_favorites(&bench.admin, 4_711).await, ServiceError::NotFound);
    assert_eq!(service.clear_favorites(&bench.admin, ana).await.unwrap(), 1);
    assert_eq!(service.clear_favorites(&bench.admin, ana).await.unwrap(), 0);
}

#[tokio::test]
async fn while_the_source_is_down_or_not_there_what_users_keep_is_there() {
    let bench = bench().await;
    let (up, ana) = (bench.service(), &bench.ana);
    let id = ana.user_id;
    up.add_favorite(ana, id, 1).await.unwrap();
    up.add_rating(ana, id, 1, stars(1)).await.unwrap();
    up.movie(ana, 2).await.unwrap();
    bench.take_down(true);
    bench.clock.advance(SECOND * 3_600);
    let (down, bare) = (bench.service(), MovieService::new(bench.ports(None)));
    for service in [&down, &bare] {
        assert!(!service.add_favorite(ana, id, 1).await.unwrap().1);
        assert_eq!(service.favorites(ana, id, &MovieQuery::default()).await.unwrap().total, 1);
        assert_eq!(service.ratings(ana, id, &MovieQuery::default()).await.unwrap().items[0].movie, movie(1));
        assert!(!service.set_rating(ana, id, 1, stars(2)).await.unwrap().1);
        assert_eq!(service.correct_rating(ana, id, 1, stars(3)).await.unwrap().stars, stars(3));
        assert_error!(service.add_rating(ana, id, 1, stars(3)).await, ServiceError::Conflict { .. });
    }
    assert!(down.add_favorite(ana, id, 2).await.unwrap().1, "its details are kept");
    assert!(is_upstream(&down.add_favorite(ana, id, 3).await));
    assert!(is_upstream(&down.set_rating(ana, id, 3, stars(3)).await));

    let nowhere = [
        bare.popular(ana, &PopularQuery::new(1, None, None).unwrap()).await.map(|_| ()),
        bare.movie(ana, 1).await.map(|_| ()),
        bare.add_favorite(ana, id, 4).await.map(|_| ()),
        bare.add_rating(ana, id, 4, stars(3)).await.map(|_| ()),
    ];
    for answer in nowhere {
        let lack = Lack::NotConfigured("tmdb_not_configured");
        assert!(
            matches!(&answer, Err(ServiceError::Unavailable { lack: l, .. }) if *l == lack),
            "{answer:?}"
        );
    }
}
