//! A source of movies behind a shield.

use std::sync::Arc;

use malecon_domain::{Movie, MoviePage, PopularQuery, Sourced};
use malecon_ports::MovieGateway;

use super::record::Json;
use crate::ServiceError;
use crate::shield::{Breaker, Effort, Shield, ShieldPorts, ShieldSettings};

/// How people call it.
pub(super) const SOURCE: &str = "the source of movies";

/// A [`MovieGateway`] that wears a [`Shield`]: what it gave is kept, and stands in while it is down.
/// Clones share it.
#[derive(Clone)]
pub struct ShieldedMovies {
    gateways: Gateways,
    pages: Shield<Arc<MoviePage>>,
    movies: Shield<Option<Arc<Movie>>>,
}

#[derive(Clone)]
struct Gateways {
    full: Arc<dyn MovieGateway>,
    once: Arc<dyn MovieGateway>,
}

impl Gateways {
    fn of(self, effort: Effort) -> Arc<dyn MovieGateway> {
        match effort {
            Effort::Full => self.full,
            Effort::Once => self.once,
        }
    }
}

impl ShieldedMovies {
    /// The source with its retries, and the same source without.
    pub fn new(
        full: Arc<dyn MovieGateway>,
        once: Arc<dyn MovieGateway>,
        ports: ShieldPorts,
        breaker: Breaker,
        settings: ShieldSettings,
    ) -> Self {
        let codec = Arc::new(Json);
        let pages = Shield::new("movie-pages", ports.clone(), codec.clone(), breaker.clone(), settings);
        let movies = Shield::new("movies", ports, codec, breaker, settings);
        Self { gateways: Gateways { full, once }, pages, movies }
    }

    /// One page of popular movies.
    ///
    /// # Errors
    /// `Unavailable` when neither the source nor what is kept has it.
    pub async fn popular(&self, query: &PopularQuery) -> Result<Sourced<Arc<MoviePage>>, ServiceError> {
        let [language, region] =
            [&query.language, &query.region].map(|part| part.as_deref().unwrap_or_default());
        let key = format!("popular:{language}:{region}:{}", query.page());
        let (gateways, query) = (self.gateways.clone(), query.clone());
        let fetch = |effort| {
            let gateway = gateways.of(effort);
            Box::pin(async move { gateway.popular(&query).await.map(|page| Arc::new(page.value)) }) as _
        };
        self.pages.get(&key, fetch).await.map_err(|error| error.into_service(SOURCE))
    }

    /// One movie with all details; `None` for a number that the source does not know.
    ///
    /// # Errors
    /// `Unavailable` when neither the source nor what is kept has it.
    pub async fn movie(&self, id: i64) -> Result<Sourced<Option<Arc<Movie>>>, ServiceError> {
        let gateways = self.gateways.clone();
        let fetch = move |effort| {
            let gateway = gateways.of(effort);
            Box::pin(async move { gateway.movie(id).await.map(|movie| movie.value.map(Arc::new)) }) as _
        };
        self.movies.get(&format!("movie:{id}"), fetch).await.map_err(|error| error.into_service(SOURCE))
    }
}
