//! Passwords and signed tokens: what cryptography does for us.

use async_trait::async_trait;
use malecon_domain::{Instant, Password};

use crate::{Cause, SigningKey};

/// A fault of the machine: no randomness, no memory.
#[derive(Debug, thiserror::Error)]
#[error("no cryptography")]
pub struct SecretError(#[source] pub Cause);

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
    /// [`SecretError`].
    async fn hash(&self, password: &Password) -> Result<String, SecretError>;

    /// Whether the text is the password of the hash; as long for no hash at all.
    ///
    /// # Errors
    /// [`SecretError`].
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
    /// [`SecretError`].
    fn sign(&self, claims: &Claims, key: &SigningKey) -> Result<String, SecretError>;

    /// What a token says, if the key signed it.
    fn read(&self, token: &str, key: &SigningKey) -> Option<Claims>;
}
