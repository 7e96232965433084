//! Logins, and the access and refresh tokens that follow from them.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, Mac};
use malecon_domain::{Credential, Email, Instant, User};
use malecon_ports::{AddressHash, Claims, Limit, NewRefresh, RepositoryError, Rotation, SigningKey};
use rand::RngCore;
use sha2::Sha256;

use super::{Caller, TokenService, believing, hash_token, random};
use crate::ServiceError;
use crate::meter::{attempt, guess};

/// How long an access token lasts.
const ACCESS: Duration = Duration::from_secs(600);
/// How long a refresh token lasts.
const REFRESH: Duration = Duration::from_secs(30 * 24 * 3600);
/// Who makes access tokens, and for whom.
const ISSUER: &str = "malecon";
const AUDIENCE: &str = "malecon";
/// Attempts to log in from one address, and those that fail as one user: from each address that it
/// logged in from, and from all others together.
const PER_ADDRESS: Limit = Limit { quota: 30, window: Duration::from_secs(60) };
pub(super) const PER_ACCOUNT: Limit = Limit { quota: 10, window: Duration::from_secs(60) };
/// How long an address is known after a login from it.
const KNOWN_FOR: Duration = Duration::from_secs(90 * 24 * 3600);
/// What is said of every login that fails.
const WRONG: ServiceError = ServiceError::Unauthenticated("e-mail address or password is wrong");

/// What a login gives.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// A JWT that opens everything the user may do.
    pub access: String,
    /// What the next pair is got with, once.
    pub refresh: String,
    /// How long the access token lasts.
    pub expires_in: Duration,
}

impl TokenService {
    /// Logs a user in. An address that tries too often has to wait, and so have all whose guesses at an
    /// account fail too often, but for those who come from where the user logged in before: each such
    /// address has wrong guesses of its own, which nobody else can use up. An unknown user takes as long
    /// as a wrong password, and is asked the same of the store.
    ///
    /// # Errors
    /// `Unauthenticated`, `Limited`, `Unavailable`.
    pub async fn login(
        &self,
        email: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<TokenPair, ServiceError> {
        let email = Email::new(email);
        let account = email.as_ref().map_or_else(|| "none".to_owned(), |email| email.as_str().to_owned());
        let limiter = &*self.ports.limiter;
        if let Some(address) = address {
            attempt(limiter, &format!("login-from-{}", network(address)), 1, PER_ADDRESS).await?;
        }
        let known = match &email {
            Some(email) => self.ports.users.find_by_email(email).await?,
            None => None,
        };
        let user_id = known.as_ref().map_or(0, |(user, _)| user.id);
        let from = self.address_hashes(user_id, address).await?;
        let mut key = format!("login-as-{}", hex(&hash_token(&account).0));
        if let Some(own) = self.known_address(user_id, &from).await? {
            key = format!("{key}-from-{}", hex(&own.0));
        }
        let user = guess(limiter, &key, PER_ACCOUNT, async {
            let hash = known.as_ref().and_then(|(_, hash)| hash.clone());
            let fits = self.ports.hasher.fits(password, hash).await?;
            Ok(known.filter(|(user, hash)| fits && hash.is_some() && !user.disabled))
        });
        match user.await? {
            Some((user, _)) => self.begin(&user, from.first()).await,
            None => Err(WRONG),
        }
    }

    /// What is stored of an address that a user logs in from, by each key that may have made it; the
    /// first one is stored now.
    async fn address_hashes(
        &self,
        user_id: i64,
        address: Option<IpAddr>,
    ) -> Result<Vec<AddressHash>, ServiceError> {
        let Some(address) = address.map(network) else { return Ok(vec![]) };
        let keys = self.keys().await?;
        let hash = |key: &SigningKey| {
            // A key of any length will do.
            let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).ok()?;
            mac.update(format!("login address\0{user_id}\0{address}").as_bytes());
            Some(AddressHash(mac.finalize().into_bytes().into()))
        };
        Ok(keys.iter().filter_map(hash).collect())
    }

    /// What names the address, if the user logged in from it of late.
    async fn known_address<'a>(
        &self,
        user_id: i64,
        from: &'a [AddressHash],
    ) -> Result<Option<&'a AddressHash>, ServiceError> {
        let since = self.ports.clock.now() - KNOWN_FOR;
        let is_known = !from.is_empty() && self.ports.sessions.knows(user_id, from, since).await?;
        Ok(from.first().filter(|_| is_known))
    }

    /// Exchanges a refresh token for a new pair. One that comes twice ends its session.
    ///
    /// # Errors
    /// `Unauthenticated`, `Unavailable`.
    pub async fn refresh(&self, refresh: &str) -> Result<TokenPair, ServiceError> {
        let (token, next) = self.next_refresh();
        match self.ports.sessions.rotate(&hash_token(refresh), &next).await? {
            Rotation::Rotated { session, user } => self.pair(&user, session, token).await,
            Rotation::Reused => {
                tracing::warn!("a refresh token came twice; its session is over");
                Err(ServiceError::Unauthenticated("the refresh token was used before"))
            }
            Rotation::Refused => Err(ServiceError::Unauthenticated("the refresh token is not valid")),
        }
    }

    /// Ends the session of a refresh token; one that is unknown has none.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn revoke(&self, refresh: &str) -> Result<(), ServiceError> {
        self.ports.sessions.end(&hash_token(refresh)).await?;
        self.session_users.invalidate_all();
        Ok(())
    }

    /// Signs with a new key from now on; what the last one signed stays valid.
    ///
    /// # Errors
    /// `Conflict` (`key_is_given`) when the key is given from outside; `Unavailable`.
    pub async fn rotate_key(&self) -> Result<(), ServiceError> {
        if self.given_key.is_some() {
            let detail = "the signing key is given by MALECON_JWT_SECRET: change it there";
            return Err(ServiceError::conflict("key_is_given", detail));
        }
        self.ports.keys.add(&new_key(), self.ports.clock.now()).await?;
        self.signing_keys.invalidate_all();
        Ok(())
    }

    async fn begin(&self, user: &User, from: Option<&AddressHash>) -> Result<TokenPair, ServiceError> {
        let (token, next) = self.next_refresh();
        let session = self.ports.sessions.begin(user, &next, from).await.map_err(|error| match error {
            // The user has gone in the meantime.
            RepositoryError::MissingReference(_) => WRONG,
            error => error.into(),
        })?;
        self.pair(user, session, token).await
    }

    fn next_refresh(&self) -> (String, NewRefresh) {
        let (token, at) = (random("malecon_refresh_"), self.ports.clock.now());
        let next = NewRefresh { hash: hash_token(&token), at, expires_at: at + REFRESH };
        (token, next)
    }

    async fn pair(&self, user: &User, session: i64, refresh: String) -> Result<TokenPair, ServiceError> {
        let now = whole_seconds(self.ports.clock.now());
        let claims = Claims {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            subject: user.id,
            version: user.token_version,
            session,
            id: random(""),
            issued_at: now,
            not_before: now,
            expires_at: now + ACCESS,
        };
        let keys = self.keys().await?;
        let key = keys.first().ok_or(ServiceError::NotFound)?;
        Ok(TokenPair { access: self.ports.signer.sign(&claims, key)?, refresh, expires_in: ACCESS })
    }

    pub(super) async fn by_access_token(&self, token: &str) -> Result<Option<Caller>, ServiceError> {
        let read = async || {
            let keys = self.keys().await?;
            Ok::<_, ServiceError>(keys.iter().find_map(|key| self.ports.signer.read(token, key)))
        };
        let mut claims = read().await?;
        if claims.is_none() && self.given_key.is_none() && !self.looked_again.contains_key(&()) {
            // Another process may have signed it with a key that is newer than those we know. Forged
            // tokens make us look ten times a second at most.
            self.looked_again.insert((), ()).await;
            self.signing_keys.invalidate(&()).await;
            claims = read().await?;
        }
        let Some(claims) = claims.filter(|claims| self.holds(claims)) else { return Ok(None) };
        let user = believing(&self.session_users, claims.session, async {
            Ok(self.ports.sessions.find(claims.session).await?)
        });
        let user = user.await?.filter(|user| {
            user.id == claims.subject && user.token_version == claims.version && !user.disabled
        });
        Ok(user.map(|user| Caller::new(&user, Credential::Session)))
    }

    /// Whether the claims are for us and for now.
    fn holds(&self, claims: &Claims) -> bool {
        let now = self.ports.clock.now();
        claims.issuer == ISSUER
            && claims.audience == AUDIENCE
            && claims.not_before <= now
            && now < claims.expires_at
            && claims.expires_at - claims.issued_at <= chrono::TimeDelta::from_std(ACCESS).unwrap_or_default()
    }

    /// The keys that access tokens may be signed with; the first one signs.
    async fn keys(&self) -> Result<Arc<Vec<SigningKey>>, ServiceError> {
        if let Some(key) = &self.given_key {
            return Ok(Arc::new(vec![key.clone()]));
        }
        believing(&self.signing_keys, (), async {
            let keys = &self.ports.keys;
            let mut found = keys.keys().await?;
            if found.is_empty() {
                keys.first(&new_key(), self.ports.clock.now()).await?;
                found = keys.keys().await?;
            }
            Ok(Arc::new(found))
        })
        .await
    }
}

pub(crate) fn new_key() -> SigningKey {
    let mut bits = vec![0; 64];
    rand::rng().fill_bytes(&mut bits);
    SigningKey(bits)
}

/// Whoever has an IPv6 address has all of its /64; an IPv4 address is one, however it is written.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn whole_seconds(instant: Instant) -> Instant {
    Instant::from_timestamp(instant.timestamp(), 0).unwrap_or(instant)
}
