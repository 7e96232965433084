//! Why the program ends early.

use std::error::Error;

/// Why a command failed: one sentence for people, and what lies behind it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    what: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with nothing behind it.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// A failure and what lies behind it.
    pub fn of(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }

    /// The failure and all that lies behind it, in one line.
    pub fn chain(&self) -> String {
        std::iter::successors(Some(self as &dyn Error), |error| (*error).source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ")
    }
}

impl From<malecon::ServiceError> for Failure {
    fn from(error: malecon::ServiceError) -> Self {
        Self::of("the command failed", error)
    }
}

impl From<malecon::ports::RepositoryError> for Failure {
    fn from(error: malecon::ports::RepositoryError) -> Self {
        Self::of("the database failed", error)
    }
}
