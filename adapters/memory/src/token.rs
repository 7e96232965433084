//! API tokens in RAM.

use async_trait::async_trait;
use malecon_domain::{ApiToken, Instant, Page, Paged, User};
use malecon_ports::{NewApiToken, RepositoryError, TokenHash, TokenRepository, TokenWrite};

use crate::MemoryUsers;
use crate::user::{State, paged};

#[async_trait]
impl TokenRepository for MemoryUsers {
    async fn add(&self, token: &NewApiToken, limit: Option<u64>) -> Result<TokenWrite, RepositoryError> {
        let mut state = self.state();
        if limit.is_some_and(|limit| state.count_tokens(token.user_id) >= limit) {
            let has_ended = |(_, old): &(_, ApiToken)| old.expires_at.is_some_and(|end| end <= token.at);
            state.tokens.retain(|_, old| old.1.user_id != token.user_id || !has_ended(old));
        }
        if limit.is_some_and(|limit| state.count_tokens(token.user_id) >= limit) {
            return Ok(TokenWrite::QuotaReached);
        }
        state.add_token(token).map(TokenWrite::Added)
    }

    async fn add_first(&self, token: &NewApiToken) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        let is_first = state.tokens.is_empty();
        if is_first {
            state.add_token(token)?;
        }
        Ok(is_first)
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<(ApiToken, User)>, RepositoryError> {
        let state = self.state();
        let found = state.tokens.values().find(|(stored, _)| stored == hash);
        Ok(found.and_then(|(_, token)| Some((token.clone(), state.user(token.user_id)?.clone()))))
    }

    async fn list(&self, user_id: i64, page: Page) -> Result<Paged<ApiToken>, RepositoryError> {
        let state = self.state();
        let tokens = state.tokens.values().map(|(_, token)| token).filter(|token| token.user_id == user_id);
        Ok(paged(tokens.cloned().collect(), page))
    }

    async fn remove(&self, id: i64, user_id: Option<i64>) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        let is_theirs =
            state.tokens.get(&id).is_some_and(|(_, token)| user_id.is_none_or(|user| user == token.user_id));
        if is_theirs {
            state.tokens.remove(&id);
        }
        Ok(is_theirs)
    }

    async fn remove_all(&self, user_id: i64) -> Result<u64, RepositoryError> {
        let mut state = self.state();
        let removed = state.count_tokens(user_id);
        state.tokens.retain(|_, (_, token)| token.user_id != user_id);
        Ok(removed)
    }

    async fn used(&self, id: i64, at: Instant) -> Result<(), RepositoryError> {
        if let Some((_, token)) = self.state().tokens.get_mut(&id) {
            token.last_used_at = token.last_used_at.max(Some(at));
        }
        Ok(())
    }
}

impl State {
    fn count_tokens(&self, user_id: i64) -> u64 {
        self.tokens.values().filter(|(_, token)| token.user_id == user_id).map(|_| 1).sum()
    }

    fn add_token(&mut self, new: &NewApiToken) -> Result<ApiToken, RepositoryError> {
        self.owner(new.user_id)?;
        if self.tokens.values().any(|(hash, _)| *hash == new.hash) {
            return Err(RepositoryError::Conflict("the token is stored already".to_owned()));
        }
        self.last_token += 1;
        let token = ApiToken {
            id: self.last_token,
            user_id: new.user_id,
            name: new.name.clone(),
            prefix: new.prefix.clone(),
            created_at: new.at,
            expires_at: new.expires_at,
            last_used_at: None,
        };
        self.tokens.insert(token.id, (new.hash.clone(), token.clone()));
        Ok(token)
    }
}
