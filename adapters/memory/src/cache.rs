//! A cache in the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use malecon_ports::{Cache, CacheError};
use moka::Expiry;

/// Keeps values in RAM, at most so many bytes of them.
#[derive(Clone)]
pub struct MemoryCache(moka::future::Cache<Arc<str>, Entry>);

#[derive(Clone)]
struct Entry {
    value: Bytes,
    ttl: Duration,
}

/// Each entry lives for its own time.
struct OwnTime;

impl Expiry<Arc<str>, Entry> for OwnTime {
    fn expire_after_create(&self, _: &Arc<str>, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &Arc<str>,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl MemoryCache {
    /// A cache of at most `max_bytes` of keys and values.
    pub fn new(max_bytes: u64) -> Self {
        let weigh =
            |key: &Arc<str>, entry: &Entry| u32::try_from(key.len() + entry.value.len()).unwrap_or(u32::MAX);
        Self(
            moka::future::Cache::builder()
                .max_capacity(max_bytes)
                .weigher(weigh)
                .expire_after(OwnTime)
                .build(),
        )
    }
}

impl Default for MemoryCache {
    /// 32 MiB.
    fn default() -> Self {
        Self::new(32 * 1024 * 1024)
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        Ok(self.0.get(key).await.map(|entry| entry.value))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.0.insert(Arc::from(key), Entry { value, ttl }).await;
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.0.invalidate(key).await;
        Ok(())
    }
}
