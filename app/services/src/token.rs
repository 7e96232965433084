//! Callers and their tokens: API tokens, access tokens and the sessions behind them.

mod session;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use malecon_domain::{ApiToken, Credential, Instant, Page, Paged, Principal, User};
use malecon_ports::{
    Clock, KeyRepository, NewApiToken, PasswordHasher, RateLimiter, RepositoryError, SessionRepository,
    SigningKey, TokenHash, TokenRepository, TokenSigner, TokenWrite, UserRepository,
};
use moka::future::Cache;
use rand::RngCore;
use sha2::{Digest, Sha256};

use crate::ServiceError;
use crate::proof::Proof;
use crate::user::{missing, own};

pub use session::TokenPair;
pub(crate) use session::{hex, new_key};

/// Tokens longer than this are nobody's.
const LONGEST_TOKEN: usize = 4096;
/// How long what was found of a token is believed: what is revoked counts within a second.
const BELIEVED: Duration = Duration::from_millis(700);
/// How often a token's last use is noted.
const NOTED: Duration = Duration::from_secs(60);
/// How often the signing keys are looked at again for a token that none of them signed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What every API token of ours begins with, so that scanners know it.
const PREFIX: &str = "malecon_";
/// API tokens that a user may have, unless told.
const MOST_TOKENS: u64 = 100;
/// Characters of a token that are kept in the clear, to know it by.
const SHOWN: usize = 12;

/// What is stored of a token.
pub fn hash_token(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token.as_bytes()).into())
}

/// What the service needs from outside.
#[derive(Clone)]
pub struct TokenPorts {
    /// Users and their passwords.
    pub users: Arc<dyn UserRepository>,
    /// API tokens.
    pub tokens: Arc<dyn TokenRepository>,
    /// Sessions.
    pub sessions: Arc<dyn SessionRepository>,
    /// Keys that sign access tokens.
    pub keys: Arc<dyn KeyRepository>,
    /// Hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Signs access tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// Counts attempts to log in.
    pub limiter: Arc<dyn RateLimiter>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Knows callers by their tokens, and gives them tokens.
#[derive(Clone)]
pub struct TokenService {
    ports: TokenPorts,
    /// A key that was given rather than made: then it is the only one.
    given_key: Option<SigningKey>,
    /// API tokens of one user.
    limit: Option<u64>,
    api_tokens: Cache<TokenHash, Option<(ApiToken, User)>>,
    session_users: Cache<i64, Option<User>>,
    signing_keys: Cache<(), Arc<Vec<SigningKey>>>,
    noted: Cache<i64, ()>,
    looked_again: Cache<(), ()>,
}

/// A caller and what it is metered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// Names the user among all that are metered.
    pub meter_key: String,
}

impl Caller {
    fn new(user: &User, credential: Credential) -> Self {
        let meter_key = format!("user-{}", user.id);
        Self { principal: Principal::from(user).with(credential), meter_key }
    }
}

/// An API token to be, unchecked.
#[derive(Clone, Default)]
pub struct TokenInput {
    /// What it is for.
    pub name: String,
    /// When it ends; never unless told.
    pub expires_at: Option<Instant>,
    /// The caller's present password, which it shows in a session.
    pub current_password: Option<String>,
}

impl TokenService {
    /// A service over these ports. Access tokens are signed with the given key, or with one that is
    /// made and kept with the users.
    pub fn new(ports: TokenPorts, given_key: Option<SigningKey>) -> Self {
        let believed = || Cache::builder().max_capacity(10_000).time_to_live(BELIEVED);
        Self {
            ports,
            given_key,
            limit: Some(MOST_TOKENS),
            api_tokens: believed().build(),
            session_users: Cache::builder().max_capacity(10_000).time_to_live(BELIEVED).build(),
            signing_keys: Cache::builder().max_capacity(1).time_to_live(BELIEVED).build(),
            noted: Cache::builder().max_capacity(10_000).time_to_live(NOTED).build(),
            looked_again: Cache::builder().max_capacity(1).time_to_live(LOOK_AGAIN).build(),
        }
    }

    /// The same, where a user may have so many API tokens; 0 is no limit.
    #[must_use]
    pub fn with_max_tokens(self, most: u64) -> Self {
        Self { limit: (most > 0).then_some(most), ..self }
    }

    /// Who presents the token; `None` when it is nobody's.
    ///
    /// # Errors
    /// `Unavailable` when the store can't be asked.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Caller>, ServiceError> {
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            return Ok(None);
        }
        if token.contains('.') { self.by_access_token(token).await } else { self.by_api_token(token).await }
    }

    async fn by_api_token(&self, token: &str) -> Result<Option<Caller>, ServiceError> {
        let hash = hash_token(token);
        let found =
            believing(&self.api_tokens, hash.clone(), async { Ok(self.ports.tokens.find(&hash).await?) });
        let Some((token, user)) = found.await? else { return Ok(None) };
        let now = self.ports.clock.now();
        if user.disabled || token.expires_at.is_some_and(|end| now >= end) {
            return Ok(None);
        }
        self.note(&token, now).await;
        Ok(Some(Caller::new(&user, Credential::ApiToken { expires_at: token.expires_at })))
    }

    /// Notes the use of a token, at most once a minute; what can't be noted is no obstacle.
    async fn note(&self, token: &ApiToken, now: Instant) {
        if self.noted.contains_key(&token.id) {
            return;
        }
        self.noted.insert(token.id, ()).await;
        if let Err(error) = self.ports.tokens.used(token.id, now).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the use of a token was not noted");
        }
    }

    /// One page of a user's API tokens, for itself or an administrator.
    ///
    /// # Errors
    /// `NotFound` for somebody else's; `Unavailable`.
    pub async fn list(
        &self,
        caller: &Principal,
        user_id: i64,
        page: Page,
    ) -> Result<Paged<ApiToken>, ServiceError> {
        own(caller, user_id)?;
        if self.ports.users.find(user_id).await?.is_none() {
            return Err(ServiceError::NotFound);
        }
        Ok(self.ports.tokens.list(user_id, page).await?)
    }

    /// Makes an API token for a user: itself, or anybody for an administrator. The token is told this
    /// once. One that is made with an API token ends no later than that; in a session the caller shows
    /// its password.
    ///
    /// # Errors
    /// `NotFound` for somebody else; `Invalid`, also without a password; `Conflict`
    /// (`expires_in_the_past`, [`ServiceError::WRONG_PASSWORD`], [`ServiceError::QUOTA_EXCEEDED`]);
    /// `Limited`; `Unavailable`.
    pub async fn add(
        &self,
        caller: &Principal,
        user_id: i64,
        input: TokenInput,
    ) -> Result<(String, ApiToken), ServiceError> {
        own(caller, user_id)?;
        let mut expires_at = input.expires_at;
        self.check(&input.name, expires_at)?;
        match caller.credential {
            Credential::ApiToken { expires_at: Some(end) } => {
                expires_at = Some(expires_at.map_or(end, |wanted| wanted.min(end)));
            }
            Credential::Session => {
                let (users, hasher, limiter) = (&self.ports.users, &self.ports.hasher, &self.ports.limiter);
                let user = users.find(caller.user_id).await?.ok_or(ServiceError::NotFound)?;
                let proof = Proof { users: &**users, hasher: &**hasher, limiter: &**limiter };
                proof.ask(&user, input.current_password.as_deref()).await?;
            }
            Credential::ApiToken { expires_at: None } | Credential::External => {}
        }
        self.add_unattended(user_id, &input.name, expires_at).await
    }

    /// Makes an API token, for a command line.
    ///
    /// # Errors
    /// `NotFound` without the user; `Invalid`; `Conflict` (`expires_in_the_past`,
    /// [`ServiceError::QUOTA_EXCEEDED`]); `Unavailable`.
    pub async fn add_unattended(
        &self,
        user_id: i64,
        name: &str,
        expires_at: Option<Instant>,
    ) -> Result<(String, ApiToken), ServiceError> {
        let name = self.check(name, expires_at)?;
        if self.ports.users.find(user_id).await?.is_none() {
            return Err(ServiceError::NotFound);
        }
        let token = new_token();
        let stored = self.stored(&token, user_id, name, expires_at);
        match self.ports.tokens.add(&stored, self.limit).await.map_err(missing)? {
            TokenWrite::Added(stored) => Ok((token, stored)),
            TokenWrite::QuotaReached => {
                Err(ServiceError::quota_exceeded("API tokens", self.limit.unwrap_or_default()))
            }
        }
    }

    /// The name without what surrounds it, if a token may be so.
    fn check<'a>(&self, name: &'a str, expires_at: Option<Instant>) -> Result<&'a str, ServiceError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            let detail = "a name has 1 to 100 characters, none of them a control character";
            return Err(ServiceError::invalid("name", detail));
        }
        if expires_at.is_some_and(|end| end <= self.ports.clock.now()) {
            return Err(ServiceError::conflict("expires_in_the_past", "the token would have ended already"));
        }
        Ok(name)
    }

    /// Removes an API token of the caller, or anybody's for an administrator.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Unavailable`.
    pub async fn remove(&self, caller: &Principal, id: i64) -> Result<(), ServiceError> {
        let owner = (!caller.is_admin()).then_some(caller.user_id);
        if !self.ports.tokens.remove(id, owner).await? {
            return Err(ServiceError::NotFound);
        }
        self.api_tokens.invalidate_all();
        Ok(())
    }

    /// Removes all API tokens of a user, itself or anybody for an administrator, the one that the caller
    /// presents among them; how many. Its sessions go on.
    ///
    /// # Errors
    /// `NotFound` for somebody else's; `Unavailable`.
    pub async fn remove_all(&self, caller: &Principal, user_id: i64) -> Result<u64, ServiceError> {
        own(caller, user_id)?;
        if self.ports.users.find(user_id).await?.is_none() {
            return Err(ServiceError::NotFound);
        }
        let removed = self.ports.tokens.remove_all(user_id).await?;
        self.api_tokens.invalidate_all();
        Ok(removed)
    }

    /// Makes the first of all API tokens, for this user; `None` when there is one already.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn introduce(&self, user_id: i64) -> Result<Option<String>, ServiceError> {
        let token = new_token();
        let first = self.ports.tokens.add_first(&self.stored(&token, user_id, "first", None)).await?;
        Ok(first.then_some(token))
    }

    /// Whose this API token is, however the user now is; for a command line.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn holder_unattended(&self, token: &str) -> Result<Option<User>, ServiceError> {
        Ok(self.ports.tokens.find(&hash_token(token)).await?.map(|(_, user)| user))
    }

    /// Adds a token that is known to all, as a demo has them, unless it is there.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn plant(&self, user_id: i64, token: &str) -> Result<(), ServiceError> {
        if self.ports.tokens.find(&hash_token(token)).await?.is_none() {
            match self.ports.tokens.add(&self.stored(token, user_id, "demo", None), None).await {
                // Another process was faster.
                Ok(_) | Err(RepositoryError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Removes a token that is known to all, if it is there.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn uproot(&self, token: &str) -> Result<(), ServiceError> {
        if let Some((token, _)) = self.ports.tokens.find(&hash_token(token)).await? {
            self.ports.tokens.remove(token.id, None).await?;
        }
        Ok(())
    }

    fn stored(&self, token: &str, user_id: i64, name: &str, expires_at: Option<Instant>) -> NewApiToken {
        // Of a token that is short nothing is shown.
        let shown = if token.len() > 3 * SHOWN { SHOWN } else { 0 };
        NewApiToken {
            hash: hash_token(token),
            user_id,
            name: name.to_owned(),
            prefix: token.chars().take(shown).collect(),
            at: self.ports.clock.now(),
            expires_at,
        }
    }
}

/// What is in the cache, or what the store says; of many that ask at once, one asks the store.
async fn believing<K, V>(
    cache: &Cache<K, V>,
    key: K,
    ask: impl Future<Output = Result<V, ServiceError>>,
) -> Result<V, ServiceError>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    cache.try_get_with(key, ask).await.map_err(|error| (*error).clone())
}

/// A new API token: 256 random bits behind a prefix that tells what it is.
fn new_token() -> String {
    random(PREFIX)
}

/// 256 random bits in hexadecimal behind a prefix.
fn random(prefix: &str) -> String {
    let mut bits = [0_u8; 32];
    rand::rng().fill_bytes(&mut bits);
    bits.iter().fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
