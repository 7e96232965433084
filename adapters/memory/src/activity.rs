//! Activities of countries in RAM.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use malecon_domain::{Activity, ActivityState, Instant, RunId};
use malecon_ports::{ActivityRepository, RepositoryError};

/// Keeps activities in RAM. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryActivities {
    countries: Arc<Mutex<HashMap<String, Kept>>>,
}

#[derive(Default)]
struct Kept {
    activities: Vec<Activity>,
    fetched_at: Option<Instant>,
    run: Option<RunId>,
}

impl MemoryActivities {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn countries(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.countries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ActivityRepository for MemoryActivities {
    async fn state(&self, country: &str) -> Result<ActivityState, RepositoryError> {
        let state = |kept: &Kept| ActivityState {
            fetched_at: kept.fetched_at,
            count: kept.activities.len() as u64,
            run: kept.run,
        };
        Ok(self.countries().get(country).map(state).unwrap_or_default())
    }

    async fn all(&self, country: &str) -> Result<Vec<Activity>, RepositoryError> {
        Ok(self.countries().get(country).map(|kept| kept.activities.clone()).unwrap_or_default())
    }

    async fn replace(
        &self,
        country: &str,
        activities: &[Activity],
        at: Instant,
    ) -> Result<(), RepositoryError> {
        let mut countries = self.countries();
        let kept = countries.entry(country.to_owned()).or_default();
        if kept.fetched_at.is_none_or(|before| before <= at) {
            (kept.activities, kept.fetched_at) = (activities.to_vec(), Some(at));
        }
        Ok(())
    }

    async fn note(&self, country: &str, run: RunId) -> Result<(), RepositoryError> {
        self.countries().entry(country.to_owned()).or_default().run = Some(run);
        Ok(())
    }
}
