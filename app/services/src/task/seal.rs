//! Secrets of tasks, sealed where they are kept.

use std::sync::{Arc, OnceLock};

use malecon_ports::{Clock, KeyRepository, Sealer, SigningKey};

use super::TaskPorts;
use crate::ServiceError;
use crate::token::new_key;

/// Seals and opens with the keys that there are. Clones share them.
#[derive(Clone)]
pub(crate) struct Seals {
    sealer: Arc<dyn Sealer>,
    stored: Arc<dyn KeyRepository>,
    clock: Arc<dyn Clock>,
    given: Option<SigningKey>,
    /// The keys, once they were read: they do not change.
    keys: Arc<OnceLock<Vec<SigningKey>>>,
}

impl Seals {
    pub(super) fn new(ports: &TaskPorts, given: Option<SigningKey>) -> Self {
        let TaskPorts { sealer, keys, clock, .. } = ports.clone();
        Self { sealer, stored: keys, clock, given, keys: Arc::default() }
    }

    /// The text, sealed.
    pub async fn seal(&self, text: &str) -> Result<Vec<u8>, ServiceError> {
        Ok(self.sealer.seal(text, self.keys().await?)?)
    }

    /// The text, if one of the keys sealed it.
    pub async fn open(&self, sealed: &[u8]) -> Result<Option<String>, ServiceError> {
        Ok(self.sealer.open(sealed, self.keys().await?))
    }

    /// The key that was given goes before those that were made before it was.
    async fn keys(&self) -> Result<&[SigningKey], ServiceError> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let mut stored = self.stored.keys().await?;
        if stored.is_empty() && self.given.is_none() {
            self.stored.first(&new_key(), self.clock.now()).await?;
            stored = self.stored.keys().await?;
        }
        let keys = self.given.iter().cloned().chain(stored).collect();
        Ok(self.keys.get_or_init(|| keys))
    }
}
