//! What a start needs may come a little later: a database that is locked, or about to come back.

use std::error::Error;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long what a start needs of the database may fail.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// Tries again until its time is up.
pub(crate) struct Retry {
    what: &'static str,
    until: Instant,
}

impl Retry {
    pub fn new(what: &'static str, limit: Duration) -> Self {
        Self { what, until: Instant::now() + limit }
    }

    /// Waits a moment, and tells whether there is time to try once more.
    pub async fn again(&self, error: &(dyn Error + Send + Sync + 'static)) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        tracing::info!(what = self.what, error = error as &(dyn Error + 'static), "trying again");
        sleep(RETRY_EVERY).await;
        true
    }
}
