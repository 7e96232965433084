//! Things to do in countries: where we keep them, and where they come from.

use async_trait::async_trait;
use malecon_domain::{Activity, ActivityBatch, ActivityState, Instant, RunId};

use crate::{GatewayError, RepositoryError};

/// A source of things to do.
///
/// # Contract
/// - `fetch` has the best known sight first, and each one once.
/// - What can't be read is in `rejected`; an answer that is none, or whose rows are none, is `Malformed`,
///   never an empty batch. A country without sights is an empty batch.
/// - It makes one request and does not retry: whoever runs it does.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ActivityGateway: Send + Sync {
    /// What there is to do in the country of this ISO 3166-1 alpha-2 code. It may take a minute.
    ///
    /// # Errors
    /// [`GatewayError`].
    async fn fetch(&self, cca2: &str) -> Result<ActivityBatch, GatewayError>;
}

/// Keeps the activities of countries, by the alpha-3 codes of these.
///
/// # Contract
/// - `a_country_has_nothing_at_first`: no instant, no run, no activities.
/// - `activities_come_back_as_written`: every member, in their order, with their instant and count.
/// - `none_is_kept_as_none`: an empty list has an instant, too.
/// - `later_activities_replace_earlier_ones`: all of one country, none of another; what was fetched
///   before changes nothing.
/// - `the_last_run_is_noted`: before and after the first activities, and it stays when others replace
///   them.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ActivityRepository: Send + Sync {
    /// How it stands to a country: cheap, asked often.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn state(&self, country: &str) -> Result<ActivityState, RepositoryError>;

    /// All activities of a country, the best known sight first.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn all(&self, country: &str) -> Result<Vec<Activity>, RepositoryError>;

    /// Keeps these, fetched at that instant, instead of all that were there.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn replace(
        &self,
        country: &str,
        activities: &[Activity],
        at: Instant,
    ) -> Result<(), RepositoryError>;

    /// Notes the last run that was made to fetch them.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn note(&self, country: &str, run: RunId) -> Result<(), RepositoryError>;
}
