//! Mail, on its way out.

use async_trait::async_trait;
use malecon_domain::{Mail, Mailbox};

/// Whether it helps to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// It may: there was no connection, or no answer, or one that says to come back (4xx).
    Later,
    /// It does not: the server refuses us, or all of the addressees (5xx).
    Refused,
}

/// Why a mail was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct MailError {
    /// Whether it helps to try again.
    pub fault: MailFault,
    /// A sentence for administrators: what the server said, without secrets.
    pub reason: String,
}

/// An addressee that the server will not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which one.
    pub to: Mailbox,
    /// What the server said.
    pub reason: String,
}

/// Hands mail to a server that delivers it.
///
/// # Contract
/// - `send` answers when the server has taken the mail for everybody but those whom it refuses for
///   good, and tells who they are. When it refuses all of them, that is an error.
/// - While it puts off a single one of the others, nobody gets the mail: to send it again later reaches
///   nobody twice.
/// - After `Later` the server may have the mail all the same, when it was not heard to say so. The mail's
///   `id` stands in what is sent, so that programs that get both know them for one.
/// - `send` and `check` end by themselves, whatever the server does or does not.
/// - `check` sends nothing, but does all that comes before: it connects, encrypts and logs in.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a mail; to whom it does not go.
    ///
    /// # Errors
    /// [`MailError`].
    async fn send(&self, mail: &Mail) -> Result<Vec<Refusal>, MailError>;

    /// Whether the server would take mail of ours, as far as can be told.
    ///
    /// # Errors
    /// [`MailError`].
    async fn check(&self) -> Result<(), MailError>;
}
