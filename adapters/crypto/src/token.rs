//! Access tokens: JWT with HS256.

use std::collections::HashSet;

use chrono::DateTime;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use malecon_domain::Instant;
use malecon_ports::{Claims, SecretError, SigningKey, TokenSigner};
use serde::{Deserialize, Serialize};

/// Bytes of a token that is looked at. Ours have a few hundred; nothing is hashed for more than this.
const LONGEST: usize = 8 * 1024;

/// Signs with HMAC and SHA-256, and reads nothing else.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Hs256;

impl Hs256 {
    /// A signer.
    pub fn new() -> Self {
        // Without one the library panics when some other crate turned on its second provider. An
        // embedder may have chosen already: then it is theirs.
        let _ = DEFAULT_PROVIDER.install_default();
        Self
    }
}

impl Default for Hs256 {
    fn default() -> Self {
        Self::new()
    }
}

/// The claims as they are written: RFC 7519's names, times in seconds.
#[derive(Serialize, Deserialize)]
struct Body {
    iss: String,
    aud: String,
    sub: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    ver: i64,
    sid: i64,
}

impl From<&Claims> for Body {
    fn from(claims: &Claims) -> Self {
        Self {
            iss: claims.issuer.clone(),
            aud: claims.audience.clone(),
            sub: claims.subject.to_string(),
            exp: claims.expires_at.timestamp(),
            nbf: claims.not_before.timestamp(),
            iat: claims.issued_at.timestamp(),
            jti: claims.id.clone(),
            ver: claims.version,
            sid: claims.session,
        }
    }
}

impl Body {
    /// `None` for a subject that is no number, or a time beyond all calendars.
    fn claims(self) -> Option<Claims> {
        let at = |seconds| -> Option<Instant> { DateTime::from_timestamp(seconds, 0) };
        Some(Claims {
            issuer: self.iss,
            audience: self.aud,
            subject: self.sub.parse().ok()?,
            version: self.ver,
            session: self.sid,
            id: self.jti,
            issued_at: at(self.iat)?,
            not_before: at(self.nbf)?,
            expires_at: at(self.exp)?,
        })
    }
}

/// The signature and the algorithm are judged here, the claims by whom they are told.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

impl TokenSigner for Hs256 {
    fn sign(&self, claims: &Claims, key: &SigningKey) -> Result<String, SecretError> {
        let header = Header::new(Algorithm::HS256);
        encode(&header, &Body::from(claims), &EncodingKey::from_secret(&key.0))
            .map_err(|error| SecretError::Failed(error.into()))
    }

    fn read(&self, token: &str, key: &SigningKey) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let data = decode::<Body>(token, &DecodingKey::from_secret(&key.0), &validation()).ok()?;
        // RFC 7515, 4.1.11: what must be understood and is not makes a token invalid.
        if data.header.crit.is_some() {
            return None;
        }
        data.claims.claims()
    }
}
