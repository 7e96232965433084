//! Keeping the details of movies young.

use std::sync::Arc;
use std::time::Duration;

use malecon_domain::{Freshness, Movie, Sourced};

use super::MovieService;
use super::gateway::SOURCE;
use crate::ServiceError;

/// Details older than this are fetched anew.
const REFRESH_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Details older than this are forgotten: TMDB's terms of use allow six months.
const FORGET_AFTER: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// Movies that are refreshed at one go.
const REFRESHED_AT_ONCE: u32 = 20;

/// What [`MovieService::refresh_due`] did.
#[derive(Clone, Debug, Default)]
pub struct MovieUpkeep {
    /// Movies whose details were fetched anew.
    pub refreshed: u64,
    /// Movies whose details were forgotten.
    pub forgotten: u64,
    /// Why it stopped before the last movie that was due.
    pub stopped_by: Option<ServiceError>,
}

impl MovieService {
    /// Fetches old details anew, the oldest first and 20 at most, until the source fails; and forgets
    /// details that are too old to be kept. Of a movie that the source no longer knows, only its
    /// number is kept. For a schedule.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer. A source that fails is no error but a part of
    /// the answer.
    pub async fn refresh_due(&self) -> Result<MovieUpkeep, ServiceError> {
        let (movies, now) = (&self.ports.movies, self.ports.clock.now());
        let mut upkeep = MovieUpkeep::default();
        if let Some(source) = &self.ports.source {
            for id in movies.due(now - REFRESH_AFTER, REFRESHED_AT_ONCE).await? {
                match source.movie(id).await {
                    Ok(Sourced { freshness: Freshness::StandingIn, .. }) => {
                        let failing = "it fails, and what is kept stands in for it";
                        upkeep.stopped_by = Some(ServiceError::unavailable(SOURCE, failing));
                        break;
                    }
                    Ok(Sourced { value, at, .. }) => {
                        let movie = value.unwrap_or_else(|| Arc::new(Movie { id, ..Movie::default() }));
                        movies.refresh(&movie, at).await?;
                        upkeep.refreshed += 1;
                    }
                    Err(error) => {
                        upkeep.stopped_by = Some(error);
                        break;
                    }
                }
            }
        }
        upkeep.forgotten = movies.forget(now - FORGET_AFTER).await?;
        Ok(upkeep)
    }
}
