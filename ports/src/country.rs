//! Countries: where we keep them, and where they come from.

use async_trait::async_trait;
use malecon_domain::{
    Batch, Country, CountryCode, CountryQuery, DataVersion, Instant, Paged, StoredCountry, SyncReport,
};

use crate::{GatewayError, Lease, RepositoryError};

/// What a sync writes, in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncWrite {
    /// The lease that the sync holds.
    pub lease: Lease,
    /// When the sync writes.
    pub at: Instant,
    /// Countries that are new or differ, by alpha-3 code. Others are not touched.
    pub upserts: Vec<Country>,
    /// What the sync did.
    pub report: SyncReport,
}

/// What fills an empty store again, with what somebody still holds of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CountryRestore {
    /// The lease that a sync holds.
    pub lease: Lease,
    /// The countries, each with when it last changed.
    pub countries: Vec<StoredCountry>,
    /// The version that they are.
    pub version: DataVersion,
    /// What is said of it.
    pub report: SyncReport,
}

/// Keeps countries.
///
/// # Contract
/// - `an_empty_store_has_version_zero`: nothing stored, version number 0, no report, empty lists. A
///   store that has lost its countries is empty, whatever its number was; the next one is higher.
/// - `countries_come_back_as_written`: every member of a record survives, accents, empty lists and
///   unknown numbers included.
/// - `writing_again_changes_only_what_differs`: an upsert replaces the country of its alpha-3 code
///   and its `updated_at`; others keep theirs; nothing is ever doubled or deleted.
/// - `a_write_with_upserts_starts_a_version`: the version number grows by one; without upserts it
///   stays. `checked_at` moves to the write's instant when the report's outcome is a success.
/// - `the_last_report_is_kept`: with all its members.
/// - `a_lost_lease_writes_nothing`: when the lease has lapsed, was released or has another owner,
///   the answer is `Conflict` and neither countries nor report nor version change.
/// - `a_restore_fills_an_empty_store`: countries, `updated_at` and version are then as they were, since
///   the same data have the same version wherever they are kept; the report is the last one.
/// - `a_restore_leaves_a_store_with_countries_alone`: the answer is `false`, and nothing changes.
/// - `a_lost_lease_restores_nothing`: the answer is `Conflict`, and nothing changes.
/// - `countries_are_found_by_any_code`: alpha-2, alpha-3 and numeric.
/// - `filters_agree_with_the_domain`: `list` returns what `CountryFilter::matches` accepts.
/// - `wildcards_are_plain_letters`: `%`, `_`, `\` and quotes in a filter match themselves only.
/// - `sorts_agree_with_the_domain`: in the order of `CountryQuery::compare`, for every key both ways.
/// - `pages_cut_the_sorted_list`: pages join to the whole list; past the end they are empty; `total`
///   counts the whole list.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait CountryRepository: Send + Sync {
    /// One page of the countries that match.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn list(&self, query: &CountryQuery) -> Result<Paged<StoredCountry>, RepositoryError>;

    /// One country.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, code: &CountryCode) -> Result<Option<StoredCountry>, RepositoryError>;

    /// All countries, by alpha-3 code.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn all(&self) -> Result<Vec<StoredCountry>, RepositoryError>;

    /// Which state the store holds: cheap, asked often.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn version(&self) -> Result<DataVersion, RepositoryError>;

    /// Writes what a sync found, all or nothing, and tells the version after it.
    ///
    /// # Errors
    /// `Conflict` when the lease is no longer the caller's; others of the store.
    async fn apply(&self, write: &SyncWrite) -> Result<DataVersion, RepositoryError>;

    /// Fills the store if it is empty, all or nothing; `false` when it is not.
    ///
    /// # Errors
    /// `Conflict` when the lease is no longer the caller's; others of the store.
    async fn restore(&self, restore: &CountryRestore) -> Result<bool, RepositoryError>;

    /// What the last sync did.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn last_report(&self) -> Result<Option<SyncReport>, RepositoryError>;
}

/// A source of countries.
///
/// # Contract
/// - `source` is stable, has no secrets, and names the kind of source, e.g. `snapshot`.
/// - `fetch` answers with every record of the source, unchecked, each once as the source has it;
///   records that can't be read are in `rejected`; fields that the source does not have are not in
///   `covered`.
/// - An answer that is not a list of countries is `Malformed`, never an empty batch.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait CountryGateway: Send + Sync {
    /// The source's name in reports and logs.
    fn source(&self) -> String;

    /// Everything the source has.
    ///
    /// # Errors
    /// [`GatewayError`] after the adapter's own retries.
    async fn fetch(&self) -> Result<Batch, GatewayError>;
}
