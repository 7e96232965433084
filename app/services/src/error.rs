//! Why a use case failed, by class.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use malecon_domain::TaskFault;
use malecon_ports::{Cause, GatewayError, LockError, RepositoryError, SecretError, SheetError};

/// Why a use case failed. It can be shared: callers of one computation get the same error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ServiceError {
    /// What was asked for does not exist, or is not the caller's to see.
    #[error("not found")]
    NotFound,
    /// The caller's role does not allow it.
    #[error("only an administrator may do this")]
    Forbidden,
    /// Something else is in the way.
    #[error("{detail}")]
    Conflict {
        /// Stable name of what is in the way, e.g. `sync_running`.
        code: &'static str,
        /// A sentence for people.
        detail: String,
        /// Of [`ServiceError::QUOTA_EXCEEDED`]: how much there may be.
        limit: Option<u64>,
    },
    /// What was asked for breaks a rule.
    #[error("{}", first(.0))]
    Invalid(Vec<Fault>),
    /// Who asks could not show who it is.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Too often.
    #[error("too many attempts")]
    Limited {
        /// When to try again.
        retry_after: Duration,
    },
    /// A part that is needed does not answer; trying later may help.
    #[error("{what} is unavailable")]
    Unavailable {
        /// Which part.
        what: &'static str,
        /// In which way.
        lack: Lack,
        /// When to try again.
        retry_after: Duration,
        /// What lies behind it, for the log.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A fault of ours; trying again does not help.
    #[error("internal error")]
    Internal(#[source] Arc<dyn Error + Send + Sync>),
}

/// One thing that is wrong with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which member, e.g. `email`; for one within another, with a `/` between.
    pub member: Cow<'static, str>,
    /// What is wrong with it.
    pub detail: String,
}

impl Fault {
    pub(crate) fn new(member: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { member: member.into(), detail: detail.into() }
    }
}

impl From<TaskFault> for Fault {
    fn from(fault: TaskFault) -> Self {
        Self::new(fault.pointer.trim_start_matches('/').to_owned(), fault.detail)
    }
}

/// In which way a part is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It is the store, and does not answer, or can't do what it is there for.
    Store,
    /// It is another part of ours.
    Ours,
    /// It is somebody else's, and fails or limits our rate.
    Upstream,
    /// It is somebody else's and answers what can't be understood, or refuses us.
    UpstreamWrong,
    /// It is somebody else's and takes too long.
    UpstreamLate,
    /// It is being made, or will be; the stable name of what is not ready.
    NotReady(&'static str),
    /// Nobody has told us where it is; the stable name of what is not configured.
    NotConfigured(&'static str),
}

impl From<&GatewayError> for Lack {
    fn from(error: &GatewayError) -> Self {
        match error {
            GatewayError::Unavailable(_) | GatewayError::RateLimited { .. } => Self::Upstream,
            GatewayError::Refused(_) | GatewayError::Malformed(_) => Self::UpstreamWrong,
        }
    }
}

/// An error and what lies behind it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn first(faults: &[Fault]) -> &str {
    faults.first().map_or("invalid", |fault| fault.detail.as_str())
}

impl ServiceError {
    /// The code of a [`ServiceError::Conflict`] with what the caller believed to be there.
    pub const OUTDATED: &str = "precondition_failed";

    /// The code of a [`ServiceError::Conflict`] with a password that is not the present one.
    pub const WRONG_PASSWORD: &str = "wrong_password";

    /// The code of a [`ServiceError::Conflict`] with a limit of what one user may have.
    pub const QUOTA_EXCEEDED: &str = "quota_exceeded";

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into(), limit: None }
    }

    /// A user has as many of these as it may have: `things` in the plural, e.g. `API tokens`.
    pub fn quota_exceeded(things: &str, limit: u64) -> Self {
        let detail = format!("a user has at most {limit} {things}");
        Self::Conflict { code: Self::QUOTA_EXCEEDED, detail, limit: Some(limit) }
    }

    pub(crate) fn invalid(member: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault::new(member, detail)])
    }

    pub(crate) fn unavailable(what: &'static str, cause: impl Into<Cause>) -> Self {
        let (retry_after, source) = (Duration::from_secs(1), Arc::from(cause.into()));
        Self::Unavailable { what, lack: Lack::Ours, retry_after, source }
    }

    pub(crate) fn store_unavailable(cause: impl Into<Cause>) -> Self {
        let (retry_after, source) = (Duration::from_secs(1), Arc::from(cause.into()));
        Self::Unavailable { what: "the store", lack: Lack::Store, retry_after, source }
    }

    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(Arc::from(cause.into()))
    }
}

impl From<RepositoryError> for ServiceError {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::Unavailable(cause) => Self::store_unavailable(cause),
            RepositoryError::Conflict(detail) => Self::conflict("conflict", detail),
            RepositoryError::MissingReference(_) | RepositoryError::Corrupt(_) => Self::internal(error),
        }
    }
}

impl From<LockError> for ServiceError {
    fn from(error: LockError) -> Self {
        Self::store_unavailable(error)
    }
}

impl From<SheetError> for ServiceError {
    fn from(error: SheetError) -> Self {
        Self::internal(error)
    }
}

impl From<SecretError> for ServiceError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Busy => Self::unavailable("the check of passwords", error),
            SecretError::Failed(_) => Self::internal(error),
        }
    }
}
