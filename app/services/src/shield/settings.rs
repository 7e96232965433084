//! What a shield needs: its ports, its times, and who drives its work.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use malecon_ports::{Cache, Clock, Lock};

/// Runs work that nobody waits for. This crate spawns nothing: with Tokio,
/// `Background::new(|work| { tokio::spawn(work); })`.
#[derive(Clone)]
pub struct Background(Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>);

impl Background {
    /// Work that this function runs. It must return at once.
    pub fn new(run: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    pub(crate) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        (self.0)(Box::pin(work));
    }
}

/// What a shield needs.
#[derive(Clone)]
pub struct ShieldPorts {
    /// A cache that processes share, and that outlives them. Its errors are no obstacle.
    pub far: Option<Arc<dyn Cache>>,
    /// A lock that processes share, so that one of them fetches; of use together with `far`. Its errors
    /// are no obstacle.
    pub lock: Option<Arc<dyn Lock>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who drives fetches, so that they end whether somebody waits for them or not.
    pub background: Background,
}

/// The times of a shield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShieldSettings {
    /// How long a value is as good as new.
    pub ttl: Duration,
    /// For how long after that it is answered at once, while it is fetched anew behind the caller.
    pub revalidate_for: Duration,
    /// How old a value may be that stands in for a source that fails.
    pub stale_for: Duration,
    /// How long a caller waits.
    pub patience: Duration,
    /// How long the upstream rests after a failure, and between probes.
    pub rest: Duration,
}

impl Default for ShieldSettings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30),
            revalidate_for: Duration::from_secs(5 * 60),
            stale_for: Duration::from_secs(24 * 60 * 60),
            patience: Duration::from_millis(1_800),
            rest: Duration::from_secs(5),
        }
    }
}

impl ShieldSettings {
    /// How long values are kept.
    pub(crate) fn keep_for(&self) -> Duration {
        self.stale_for.max(self.ttl + self.revalidate_for)
    }
}

/// Makes values into bytes for the far cache, and back.
pub trait Codec<T>: Send + Sync {
    /// The value as bytes.
    fn encode(&self, value: &T) -> Vec<u8>;

    /// The value, or `None` for bytes that are none, e.g. of another version.
    fn decode(&self, bytes: &[u8]) -> Option<T>;
}

/// How hard a fetch tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// With retries: somebody waits, and nothing else is to be had.
    Full,
    /// Without retries: a probe, or a refresh while something kept can be served.
    Once,
}
