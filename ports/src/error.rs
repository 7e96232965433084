//! Errors of ports, by what a caller can do about them.

use std::time::Duration;

/// What lies behind an error.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a repository could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Something else holds the place: a unique key, or a newer lease.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Something that was referred to is not there.
    #[error("missing reference: {0}")]
    MissingReference(String),
    /// The store can't be reached or does not answer; trying later may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] Cause),
    /// The store answered what can't be understood; trying later does not help.
    #[error("the store holds what can't be read")]
    Corrupt(#[source] Cause),
}

/// Why somebody else's API gave us nothing.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No answer: refused, reset, timed out, 5xx.
    #[error("the upstream is unavailable")]
    Unavailable(#[source] Cause),
    /// Too many requests.
    #[error("the upstream limits our rate")]
    RateLimited {
        /// How long it wants us to wait, when it says.
        retry_after: Option<Duration>,
    },
    /// The upstream understood and said no: 4xx.
    #[error("the upstream refused")]
    Refused(#[source] Cause),
    /// An answer that is not what the API promises.
    #[error("the upstream's answer is malformed")]
    Malformed(#[source] Cause),
}
