//! Passwords and signed tokens: what cryptography does for us.

use async_trait::async_trait;
use malecon_domain::{Instant, Password};

use crate::{Cause, SigningKey};

/// Why there is no cryptography.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Too many wait for it already; trying later helps.
    #[error("too much cryptography at once")]
    Busy,
    /// A fault of the machine: no randomness, no memory.
    #[error("no cryptography")]
    Failed(#[source] Cause),
}

/// Hashes passwords, slowly.
///
/// # Contract
/// - `a_password_fits_its_own_hash`: and no other password does.
/// - `hashes_are_salted`: the same password has another hash each time.
/// - `a_strange_hash_fits_nothing`: `false`, not an error.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// The hash in PHC format.
    ///
    /// # Errors
    /// `Busy`, `Failed`.
    async fn hash(&self, password: &Password) -> Result<String, SecretError>;

    /// Whether the text is the password of the hash; as long for no hash at all.
    ///
    /// # Errors
    /// `Busy`, `Failed`.
    async fn fits(&self, text: &str, hash: Option<String>) -> Result<bool, SecretError>;
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who made it.
    pub issuer: String,
    /// Who it is for.
    pub audience: String,
    /// The user's number.
    pub subject: i64,
    /// The user's token version when it was made.
    pub version: i64,
    /// The session that it belongs to.
    pub session: i64,
    /// Its own number.
    pub id: String,
    /// When it was made, to the second.
    pub issued_at: Instant,
    /// When it begins, to the second.
    pub not_before: Instant,
    /// When it ends, to the second.
    pub expires_at: Instant,
}

/// Signs access tokens: JWT (RFC 7519) with HS256 and nothing else.
///
/// # Contract
/// - `a_signed_token_is_read_with_its_key`: with the claims it was made of.
/// - `another_key_reads_nothing`.
/// - `a_changed_token_is_not_read`: whatever byte is changed, cut or added.
/// - `no_other_algorithm_is_read`: `none`, HS384 and others, whatever the header says.
/// - Times are told, not judged.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait TokenSigner: Send + Sync {
    /// The token.
    ///
    /// # Errors
    /// `Failed`.
    fn sign(&self, claims: &Claims, key: &SigningKey) -> Result<String, SecretError>;

    /// What a token says, if the key signed it.
    fn read(&self, token: &str, key: &SigningKey) -> Option<Claims>;
}

/// Seals texts, so that a store that is stolen does not tell them.
///
/// # Contract
/// - `what_is_sealed_is_opened`: and tells nothing of itself but its length.
/// - `seals_differ`: of the same text as well.
/// - `a_broken_seal_opens_nothing`: whatever byte is changed, cut or added; nor with another key.
/// - `an_older_key_still_opens`: what was sealed with it.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Sealer: Send + Sync {
    /// The text, sealed with the first of these keys.
    ///
    /// # Errors
    /// `Failed`, also without any key.
    fn seal(&self, text: &str, keys: &[SigningKey]) -> Result<Vec<u8>, SecretError>;

    /// The text that was sealed with one of these keys.
    fn open(&self, sealed: &[u8], keys: &[SigningKey]) -> Option<String>;
}
