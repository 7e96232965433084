//! A near cache before a far one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use malecon_ports::{Cache, CacheError};

/// Bytes of a value at most that is put into the far cache: what is larger is made anew by each process
/// rather than filling a store that others share.
const FAR_LARGEST: usize = 64 * 1024;

/// Looks into a near cache (in the process) before a far one (shared by processes), and goes on with
/// the near one alone while the far one is gone: its errors are misses.
pub struct TieredCache {
    near: Arc<dyn Cache>,
    far: Arc<dyn Cache>,
    near_ttl: Duration,
}

impl TieredCache {
    /// `near` before `far`. What was found far is kept near for `near_ttl`, so a value can outlive
    /// its time to live, or its removal by another process, by that much.
    pub fn new(near: Arc<dyn Cache>, far: Arc<dyn Cache>, near_ttl: Duration) -> Self {
        Self { near, far, near_ttl }
    }
}

#[async_trait]
impl Cache for TieredCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        if let Some(value) = self.near.get(key).await? {
            return Ok(Some(value));
        }
        let Ok(Some(value)) = self.far.get(key).await else { return Ok(None) };
        self.near.put(key, value.clone(), self.near_ttl).await?;
        Ok(Some(value))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.near.put(key, value.clone(), ttl.min(self.near_ttl)).await?;
        if value.len() > FAR_LARGEST {
            return Ok(());
        }
        self.far.put(key, value, ttl).await.or(Ok(()))
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.near.remove(key).await?;
        self.far.remove(key).await.or(Ok(()))
    }
}
