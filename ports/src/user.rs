//! Users, their API tokens and their sessions.

use async_trait::async_trait;
use malecon_domain::{ApiToken, Email, Instant, Page, Paged, Profile, User, UserChange, UserQuery};

use crate::RepositoryError;

/// A user to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// What is said of it.
    pub profile: Profile,
    /// The hash of its password, in PHC format; without one nobody logs in as it.
    pub password_hash: Option<String>,
    /// When it came.
    pub at: Instant,
}

/// What became of a write of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserWrite {
    /// It is written; the user as it now is, or was, for one that was removed.
    Done(User),
    /// There is no such user.
    NotFound,
    /// Another user has the address.
    EmailTaken,
    /// It would leave no administrator that is not disabled.
    LastAdmin,
    /// The user has changed since the revision that the caller knew.
    Outdated,
}

/// Keeps users.
///
/// # Contract
/// - `a_user_comes_back_as_it_was_added`: under its number and its address, with its password's hash.
/// - `numbers_are_never_given_twice`: not even when the last user is removed.
/// - `an_address_is_one_users`: a second user with it is `EmailTaken`, by adding and by changing; of
///   many that add it at once, one gets it.
/// - `a_change_leaves_the_rest`: only what is in the change changes; `revision` grows with each change
///   and `token_version` with those that end tokens.
/// - `an_outdated_change_changes_nothing`: `Outdated` when the revision is not the one expected; of
///   many that expect the same one at once, one is done.
/// - `the_last_administrator_stays`: it is not removed, disabled or made a user, however many try at
///   once on the last ones.
/// - `the_first_administrator_is_found`: the one of the lowest number among those that are not disabled.
/// - `a_removed_user_is_gone`: and its tokens and sessions with it.
/// - `lists_are_sorted_and_cut_into_pages`: and the number decides between equals.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Adds a user.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn add(&self, user: &NewUser) -> Result<UserWrite, RepositoryError>;

    /// One user.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, id: i64) -> Result<Option<User>, RepositoryError>;

    /// The user with this address, and the hash of its password.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find_by_email(&self, email: &Email) -> Result<Option<(User, Option<String>)>, RepositoryError>;

    /// The first administrator that is not disabled.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn first_admin(&self) -> Result<Option<User>, RepositoryError>;

    /// One page of all users.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn list(&self, query: &UserQuery) -> Result<Paged<User>, RepositoryError>;

    /// Changes a user, whatever its revision for `None`.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn change(
        &self,
        id: i64,
        change: &UserChange,
        revision: Option<i64>,
    ) -> Result<UserWrite, RepositoryError>;

    /// Removes a user.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn remove(&self, id: i64) -> Result<UserWrite, RepositoryError>;
}

/// SHA-256 of a token. Tokens themselves are never stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// An API token to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiToken {
    /// What is stored of it.
    pub hash: TokenHash,
    /// Whose it is.
    pub user_id: i64,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// When it was made.
    pub at: Instant,
    /// When it ends.
    pub expires_at: Option<Instant>,
}

/// What became of an API token that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenWrite {
    /// It is stored.
    Added(ApiToken),
    /// Its user has as many as it may have.
    QuotaReached,
}

/// Keeps API tokens.
///
/// # Contract
/// - `an_unknown_token_is_nobodys`: `None`, not an error.
/// - `a_token_names_its_user`: as the user now is, with what was said of the token.
/// - `a_token_needs_a_user`: `MissingReference` without one.
/// - `a_token_is_stored_once`: a second one of the same hash is a `Conflict`.
/// - `a_user_has_no_more_tokens_than_the_limit`: `QuotaReached`, and nothing is stored; of many that are
///   added at once, no more get in than there is room for.
/// - `tokens_that_have_ended_make_room`: at the limit, those of the user that ended at the new one's `at`
///   or before are removed.
/// - `the_first_token_is_added_once`: `add_first` adds only when there is none at all; of many that
///   call it at once, one does.
/// - `only_its_owner_removes_it`: unless no owner is named.
/// - `all_of_a_user_are_removed_at_once`: and nobody else's; how many they were.
/// - `the_last_use_is_noted`: and never goes back.
/// - `lists_tell_one_users_tokens`: in the order they were made.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenRepository: Send + Sync {
    /// Adds a token, unless its user has as many as `limit` already; `None` is no limit.
    ///
    /// # Errors
    /// `MissingReference`, `Conflict`; others of the store.
    async fn add(&self, token: &NewApiToken, limit: Option<u64>) -> Result<TokenWrite, RepositoryError>;

    /// Adds a token if there is none yet, anybody's; whether it did.
    ///
    /// # Errors
    /// As [`TokenRepository::add`].
    async fn add_first(&self, token: &NewApiToken) -> Result<bool, RepositoryError>;

    /// A token and its user.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, hash: &TokenHash) -> Result<Option<(ApiToken, User)>, RepositoryError>;

    /// One page of a user's tokens.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn list(&self, user_id: i64, page: Page) -> Result<Paged<ApiToken>, RepositoryError>;

    /// Removes a token, if it is this user's, or whoever's for `None`; whether it did.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn remove(&self, id: i64, user_id: Option<i64>) -> Result<bool, RepositoryError>;

    /// Removes all tokens of a user; how many.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn remove_all(&self, user_id: i64) -> Result<u64, RepositoryError>;

    /// Notes that a token was used.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn used(&self, id: i64, at: Instant) -> Result<(), RepositoryError>;
}

/// A refresh token to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRefresh {
    /// What is stored of it.
    pub hash: TokenHash,
    /// When it is made.
    pub at: Instant,
    /// When it ends.
    pub expires_at: Instant,
}

/// What became of a refresh token that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was good: the session goes on with the next one.
    Rotated {
        /// The session.
        session: i64,
        /// Its user.
        user: User,
    },
    /// It had been used before: somebody has a copy, and the session is over.
    Reused,
    /// It is unknown, too old, or its session is over.
    Refused,
}

/// A keyed hash of a user and an address that it logged in from. Addresses themselves are never stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddressHash(pub [u8; 32]);

/// Addresses that are known of a user at most.
pub const KNOWN_ADDRESSES: usize = 16;

/// Keeps sessions: one login and the refresh tokens that followed from it.
///
/// # Contract
/// - `a_session_names_its_user`: while it lasts.
/// - `a_refresh_token_works_once`: the next one works after it; of many that present it at once, at
///   most one goes on.
/// - `a_used_refresh_token_ends_its_session`: `Reused`, and then the latest one is `Refused` too.
/// - `an_old_refresh_token_is_refused`: at `expires_at` and after.
/// - `any_of_its_refresh_tokens_ends_a_session`: used or not.
/// - `a_session_ends_with_its_users_tokens`: when the user's `token_version` has grown or it is
///   disabled.
/// - `a_session_makes_its_address_known`: of this user alone, since the last session that began there,
///   and as long as there is the user.
/// - `the_latest_addresses_are_known`: [`KNOWN_ADDRESSES`] of each user.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Begins a session of a user, at this address if one is named; its number.
    ///
    /// # Errors
    /// `MissingReference` without the user; others of the store.
    async fn begin<'a>(
        &self,
        user: &User,
        refresh: &NewRefresh,
        from: Option<&'a AddressHash>,
    ) -> Result<i64, RepositoryError>;

    /// Whether a session of this user began at one of these addresses, at this time or later.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn knows(
        &self,
        user_id: i64,
        addresses: &[AddressHash],
        since: Instant,
    ) -> Result<bool, RepositoryError>;

    /// Exchanges a refresh token for the next one.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn rotate(&self, presented: &TokenHash, next: &NewRefresh) -> Result<Rotation, RepositoryError>;

    /// Ends the session of a refresh token; whether there was one.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn end(&self, presented: &TokenHash) -> Result<bool, RepositoryError>;

    /// The user of a session that is not over.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, session: i64) -> Result<Option<User>, RepositoryError>;
}

/// A key that signs access tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(pub Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Keeps the keys that sign access tokens.
///
/// # Contract
/// - `the_first_key_stays`: `first` stores its key only when there is none; of many at once, one.
/// - `a_new_key_goes_before_the_last_one`: `keys` tells the newest two, the newest first.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait KeyRepository: Send + Sync {
    /// The newest two keys, the newest first.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn keys(&self) -> Result<Vec<SigningKey>, RepositoryError>;

    /// Stores a key if there is none.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn first(&self, key: &SigningKey, at: Instant) -> Result<(), RepositoryError>;

    /// Stores a newer key.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn add(&self, key: &SigningKey, at: Instant) -> Result<(), RepositoryError>;
}
