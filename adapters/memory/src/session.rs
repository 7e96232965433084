//! Sessions in RAM.

use std::collections::BTreeSet;

use async_trait::async_trait;
use malecon_domain::{Instant, User};
use malecon_ports::{
    AddressHash, KNOWN_ADDRESSES, NewRefresh, RepositoryError, Rotation, SessionRepository, TokenHash,
};

use crate::MemoryUsers;
use crate::user::State;

/// A session. One that is over stays, so that its tokens are known to be its tokens.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) user_id: i64,
    token_version: i64,
    ended: bool,
}

/// A refresh token.
#[derive(Debug)]
pub(crate) struct Refresh {
    session: i64,
    used: bool,
    expires_at: Instant,
}

#[async_trait]
impl SessionRepository for MemoryUsers {
    async fn begin<'a>(
        &self,
        user: &User,
        refresh: &NewRefresh,
        from: Option<&'a AddressHash>,
    ) -> Result<i64, RepositoryError> {
        let mut state = self.state();
        state.owner(user.id)?;
        state.remove_sessions(|session, ends| {
            session.user_id == user.id && ends.is_none_or(|ends| ends <= refresh.at)
        });
        let id = state.last_session + 1;
        state.add_refresh(id, refresh)?;
        state.last_session = id;
        let session = Session { user_id: user.id, token_version: user.token_version, ended: false };
        state.sessions.insert(id, session);
        if let Some(address) = from {
            state.know(user.id, address, refresh.at);
        }
        Ok(id)
    }

    async fn knows(
        &self,
        user_id: i64,
        addresses: &[AddressHash],
        since: Instant,
    ) -> Result<bool, RepositoryError> {
        let state = self.state();
        let Some(known) = state.addresses.get(&user_id) else { return Ok(false) };
        Ok(addresses.iter().any(|address| known.get(address).is_some_and(|last| *last >= since)))
    }

    async fn rotate(&self, presented: &TokenHash, next: &NewRefresh) -> Result<Rotation, RepositoryError> {
        let mut state = self.state();
        let Some(&Refresh { session, used, expires_at }) = state.refresh.get(presented) else {
            return Ok(Rotation::Refused);
        };
        let Some(user) = state.session_user(session).cloned() else { return Ok(Rotation::Refused) };
        if expires_at <= next.at {
            return Ok(Rotation::Refused);
        }
        if used {
            state.end(session);
            return Ok(Rotation::Reused);
        }
        state.add_refresh(session, next)?;
        if let Some(refresh) = state.refresh.get_mut(presented) {
            refresh.used = true;
        }
        Ok(Rotation::Rotated { session, user })
    }

    async fn end(&self, presented: &TokenHash) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        let session = state.refresh.get(presented).map(|refresh| refresh.session);
        Ok(session.is_some_and(|session| state.end(session)))
    }

    async fn find(&self, session: i64) -> Result<Option<User>, RepositoryError> {
        Ok(self.state().session_user(session).cloned())
    }
}

impl State {
    /// The user of a session that is not over.
    fn session_user(&self, session: i64) -> Option<&User> {
        let session = self.sessions.get(&session).filter(|session| !session.ended)?;
        let is_good = |user: &&User| !user.disabled && user.token_version == session.token_version;
        self.user(session.user_id).filter(is_good)
    }

    /// Makes an address known, and forgets those that the user has used least lately.
    fn know(&mut self, user_id: i64, address: &AddressHash, at: Instant) {
        let known = self.addresses.entry(user_id).or_default();
        let last = known.entry(address.clone()).or_insert(at);
        *last = (*last).max(at);
        while known.len() > KNOWN_ADDRESSES {
            let Some(oldest) = known.iter().min_by_key(|(_, last)| **last).map(|(old, _)| old.clone()) else {
                break;
            };
            known.remove(&oldest);
        }
    }

    fn add_refresh(&mut self, session: i64, new: &NewRefresh) -> Result<(), RepositoryError> {
        if self.refresh.contains_key(&new.hash) {
            return Err(RepositoryError::Conflict("the refresh token is stored already".to_owned()));
        }
        let refresh = Refresh { session, used: false, expires_at: new.expires_at };
        self.refresh.insert(new.hash.clone(), refresh);
        Ok(())
    }

    /// Whether it was not over before.
    fn end(&mut self, session: i64) -> bool {
        self.sessions.get_mut(&session).is_some_and(|session| !std::mem::replace(&mut session.ended, true))
    }

    /// Removes sessions, by what they are and when the last of their refresh tokens ends.
    pub(crate) fn remove_sessions(&mut self, is_it: impl Fn(&Session, Option<Instant>) -> bool) {
        let ends = |id: i64| {
            let refresh = self.refresh.values().filter(|refresh| refresh.session == id);
            refresh.map(|refresh| refresh.expires_at).max()
        };
        let gone: BTreeSet<i64> = self
            .sessions
            .iter()
            .filter(|(id, session)| is_it(session, ends(**id)))
            .map(|(id, _)| *id)
            .collect();
        self.sessions.retain(|id, _| !gone.contains(id));
        self.refresh.retain(|_, refresh| !gone.contains(&refresh.session));
    }
}
