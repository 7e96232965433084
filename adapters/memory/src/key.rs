//! Signing keys in RAM.

use async_trait::async_trait;
use malecon_domain::Instant;
use malecon_ports::{KeyRepository, RepositoryError, SigningKey};

use crate::MemoryUsers;

#[async_trait]
impl KeyRepository for MemoryUsers {
    async fn keys(&self) -> Result<Vec<SigningKey>, RepositoryError> {
        Ok(self.state().keys.iter().rev().take(2).cloned().collect())
    }

    async fn first(&self, key: &SigningKey, _at: Instant) -> Result<(), RepositoryError> {
        let mut state = self.state();
        if state.keys.is_empty() {
            state.keys.push(key.clone());
        }
        Ok(())
    }

    async fn add(&self, key: &SigningKey, _at: Instant) -> Result<(), RepositoryError> {
        self.state().keys.push(key.clone());
        Ok(())
    }
}
