//! A cache that processes share.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::interfaces::KeysInterface;
use fred::types::Expiration;
use malecon_ports::{Cache, CacheError};

use crate::RedisStore;
use crate::store::millis;

/// Keeps values in Redis, under the keys as they are. A Redis that is gone costs a caller nothing;
/// one that is frozen 80 ms, and that one caller a second at most.
#[derive(Clone)]
pub struct RedisCache(pub(crate) RedisStore);

impl RedisCache {
    fn key(&self, key: &str) -> String {
        format!("{}:c:{key}", self.0.prefix)
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        self.0.hasty(self.0.client.get(self.key(key))).await.map_err(|error| CacheError(error.into()))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        let set = self.0.client.set(self.key(key), value, Some(Expiration::PX(millis(ttl))), None, false);
        self.0.hasty(set).await.map_err(|error| CacheError(error.into()))
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.0.hasty(self.0.client.del(self.key(key))).await.map_err(|error| CacheError(error.into()))
    }
}
