//! Users in RAM, and all that ends with them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use malecon_domain::{
    ApiToken, Direction, Email, Instant, Page, Paged, Role, User, UserChange, UserQuery, UserSortKey,
};
use malecon_ports::{
    AddressHash, NewUser, RepositoryError, SigningKey, TokenHash, UserRepository, UserWrite,
};

use crate::session::{Refresh, Session};

/// Keeps users, their tokens, their sessions and the signing keys in RAM. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryUsers(Arc<Mutex<State>>);

/// All of it under one lock: a user's end is the end of what it had.
#[derive(Debug, Default)]
pub(crate) struct State {
    users: BTreeMap<i64, Kept>,
    last_user: i64,
    pub(crate) tokens: BTreeMap<i64, (TokenHash, ApiToken)>,
    pub(crate) last_token: i64,
    pub(crate) sessions: BTreeMap<i64, Session>,
    pub(crate) last_session: i64,
    /// Where each user logged in from, and when last.
    pub(crate) addresses: HashMap<i64, HashMap<AddressHash, Instant>>,
    pub(crate) refresh: HashMap<TokenHash, Refresh>,
    /// The newest last.
    pub(crate) keys: Vec<SigningKey>,
}

#[derive(Debug)]
struct Kept {
    user: User,
    password_hash: Option<String>,
}

impl MemoryUsers {
    /// A store without users.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is such a user.
    pub(crate) fn exists(&self, user_id: i64) -> bool {
        self.state().user(user_id).is_some()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn user(&self, id: i64) -> Option<&User> {
        self.users.get(&id).map(|kept| &kept.user)
    }

    /// The user of that number, or what an adapter says of a reference to nobody.
    pub(crate) fn owner(&self, id: i64) -> Result<&User, RepositoryError> {
        self.user(id).ok_or_else(|| RepositoryError::MissingReference(format!("there is no user {id}")))
    }

    fn is_taken(&self, email: &Email, by_other_than: i64) -> bool {
        self.users.values().any(|Kept { user, .. }| user.id != by_other_than && user.profile.email == *email)
    }

    fn is_last_admin(&self, user: &User) -> bool {
        is_admin(user) && !self.users.values().any(|kept| kept.user.id != user.id && is_admin(&kept.user))
    }
}

fn is_admin(user: &User) -> bool {
    user.profile.role == Role::Admin && !user.disabled
}

#[async_trait]
impl UserRepository for MemoryUsers {
    async fn add(&self, new: &NewUser) -> Result<UserWrite, RepositoryError> {
        let mut state = self.state();
        if state.is_taken(&new.profile.email, 0) {
            return Ok(UserWrite::EmailTaken);
        }
        state.last_user += 1;
        let user = User {
            id: state.last_user,
            profile: new.profile.clone(),
            disabled: false,
            token_version: 1,
            revision: 1,
            created_at: new.at,
        };
        let kept = Kept { user: user.clone(), password_hash: new.password_hash.clone() };
        state.users.insert(user.id, kept);
        Ok(UserWrite::Done(user))
    }

    async fn find(&self, id: i64) -> Result<Option<User>, RepositoryError> {
        Ok(self.state().user(id).cloned())
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<(User, Option<String>)>, RepositoryError> {
        let state = self.state();
        let found = state.users.values().find(|kept| kept.user.profile.email == *email);
        Ok(found.map(|kept| (kept.user.clone(), kept.password_hash.clone())))
    }

    async fn first_admin(&self) -> Result<Option<User>, RepositoryError> {
        Ok(self.state().users.values().map(|kept| &kept.user).find(|user| is_admin(user)).cloned())
    }

    async fn list(&self, query: &UserQuery) -> Result<Paged<User>, RepositoryError> {
        let mut users: Vec<User> = self.state().users.values().map(|kept| kept.user.clone()).collect();
        // They come by number, and equals stay as they are.
        for sort in query.sort.iter().rev() {
            users.sort_by(|a, b| {
                let order = match sort.key {
                    UserSortKey::Id => a.id.cmp(&b.id),
                    UserSortKey::Name => a.profile.name.cmp(&b.profile.name),
                    UserSortKey::LastName => a.profile.last_name.cmp(&b.profile.last_name),
                    UserSortKey::Email => a.profile.email.cmp(&b.profile.email),
                    UserSortKey::CreatedAt => a.created_at.cmp(&b.created_at),
                };
                if sort.direction == Direction::Descending { order.reverse() } else { order }
            });
        }
        Ok(paged(users, query.page))
    }

    async fn change(
        &self,
        id: i64,
        change: &UserChange,
        revision: Option<i64>,
    ) -> Result<UserWrite, RepositoryError> {
        let mut state = self.state();
        let Some(user) = state.user(id) else { return Ok(UserWrite::NotFound) };
        if revision.is_some_and(|revision| revision != user.revision) {
            return Ok(UserWrite::Outdated);
        }
        let mut next = user.clone();
        next.profile = change.profile.clone().unwrap_or(next.profile);
        next.disabled = change.disabled.unwrap_or(next.disabled);
        next.revision += 1;
        next.token_version += i64::from(change.ends_tokens());
        if !is_admin(&next) && state.is_last_admin(user) {
            return Ok(UserWrite::LastAdmin);
        }
        if state.is_taken(&next.profile.email, id) {
            return Ok(UserWrite::EmailTaken);
        }
        if let Some(kept) = state.users.get_mut(&id) {
            kept.user = next.clone();
            kept.password_hash = change.password_hash.clone().or(kept.password_hash.take());
        }
        Ok(UserWrite::Done(next))
    }

    async fn remove(&self, id: i64) -> Result<UserWrite, RepositoryError> {
        let mut state = self.state();
        let Some(user) = state.user(id).cloned() else { return Ok(UserWrite::NotFound) };
        if state.is_last_admin(&user) {
            return Ok(UserWrite::LastAdmin);
        }
        state.users.remove(&id);
        state.tokens.retain(|_, (_, token)| token.user_id != id);
        state.remove_sessions(|session, _| session.user_id == id);
        state.addresses.remove(&id);
        Ok(UserWrite::Done(user))
    }
}

/// One page of a list.
pub(crate) fn paged<T>(list: Vec<T>, page: Page) -> Paged<T> {
    let total = list.len() as u64;
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Paged { items: list.into_iter().skip(offset).take(page.size() as usize).collect(), total }
}
