//! What a shield keeps: near, in the process, and far, where processes share it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::DateTime;
use futures_util::future::{Either, ready, select};
use malecon_domain::{Freshness, Instant, Sourced};
use malecon_ports::{Cache, Clock};

use super::{Codec, ShieldPorts};

/// Values kept near.
const NEAR_ENTRIES: u64 = 2_000;
/// How long one waits for what is no more than a help.
const HELP_LIMIT: Duration = Duration::from_millis(200);

/// A value, and when it was fetched.
pub(super) struct Kept<T> {
    pub value: T,
    pub at: Instant,
}

impl<T: Clone> Kept<T> {
    /// How old it is; what other clocks believe to be of the future is new.
    pub fn age(&self, now: Instant) -> Duration {
        (now - self.at).to_std().unwrap_or_default()
    }

    pub fn sourced(&self, freshness: Freshness) -> Sourced<T> {
        Sourced { value: self.value.clone(), at: self.at, freshness }
    }
}

pub(super) struct Store<T> {
    near: moka::future::Cache<String, Arc<Kept<T>>>,
    far: Option<Arc<dyn Cache>>,
    clock: Arc<dyn Clock>,
    codec: Arc<dyn Codec<T>>,
    keep_for: Duration,
}

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self {
            near: self.near.clone(),
            far: self.far.clone(),
            clock: Arc::clone(&self.clock),
            codec: Arc::clone(&self.codec),
            keep_for: self.keep_for,
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Store<T> {
    pub fn new(ports: &ShieldPorts, codec: Arc<dyn Codec<T>>, keep_for: Duration) -> Self {
        let near = moka::future::Cache::builder().max_capacity(NEAR_ENTRIES).time_to_live(keep_for).build();
        Self { near, far: ports.far.clone(), clock: Arc::clone(&ports.clock), codec, keep_for }
    }

    pub async fn near(&self, key: &str) -> Option<Arc<Kept<T>>> {
        self.near.get(key).await
    }

    /// What is kept far. It is kept near from now on, unless there is something newer.
    pub async fn far(&self, key: &str) -> Option<Arc<Kept<T>>> {
        let bytes = bounded(&*self.clock, self.far.as_ref()?.get(key)).await?.ok()??;
        let kept = Arc::new(self.decode(&bytes)?);
        Some(self.keep_near(key, kept).await)
    }

    pub async fn keep(&self, key: &str, kept: &Arc<Kept<T>>) {
        self.keep_near(key, Arc::clone(kept)).await;
        if let Some(far) = &self.far {
            let _ = bounded(&*self.clock, far.put(key, self.encode(kept), self.keep_for)).await;
        }
    }

    /// Keeps it near, unless there is something newer: the newest of both.
    async fn keep_near(&self, key: &str, kept: Arc<Kept<T>>) -> Arc<Kept<T>> {
        let newest = |present: Option<moka::Entry<String, Arc<Kept<T>>>>| {
            let present = present.map(moka::Entry::into_value).filter(|present| present.at > kept.at);
            ready(present.unwrap_or(kept))
        };
        self.near.entry_by_ref(key).and_upsert_with(newest).await.into_value()
    }

    fn encode(&self, kept: &Kept<T>) -> Bytes {
        let value = self.codec.encode(&kept.value);
        let mut bytes = BytesMut::with_capacity(8 + value.len());
        bytes.put_i64(kept.at.timestamp_micros());
        bytes.put_slice(&value);
        bytes.freeze()
    }

    /// `None` for bytes that are no value.
    fn decode(&self, bytes: &Bytes) -> Option<Kept<T>> {
        let (at, value) = bytes.split_first_chunk::<8>()?;
        let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
        Some(Kept { value: self.codec.decode(value)?, at })
    }
}

/// What somebody answers in time. A cache or a lock that hangs is as good as none.
pub(super) async fn bounded<T>(clock: &dyn Clock, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), clock.sleep(HELP_LIMIT)).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}
