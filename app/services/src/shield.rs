//! A shield before a gateway: whatever the upstream does, its callers get the best there is, soon.

mod breaker;
mod error;
mod settings;
mod store;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use malecon_domain::{Freshness, Instant, Sourced};
use malecon_ports::{GatewayError, Lease};

pub use self::breaker::Breaker;
use self::breaker::Stand;
pub use self::error::ShieldError;
pub use self::settings::{Background, Codec, Effort, ShieldPorts, ShieldSettings};
use self::store::{Kept, Store, bounded};
use crate::flight::{Flight, Flights};

/// How often one looks for what another process fetches.
const POLL: Duration = Duration::from_millis(25);
/// How much longer than a caller's patience a process is the one that fetches.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

type Landed<T> = Result<Arc<Kept<T>>, ShieldError>;

/// A decorator that any gateway can wear: a cache, one fetch for any number of callers, values that
/// stand in while the upstream is down, a bound on waiting, and a [`Breaker`]. Clones share all of it.
///
/// By the age of what is kept:
/// - younger than `ttl`: it is the answer ([`Freshness::Kept`]);
/// - for `revalidate_for` after that: it is the answer, and is refreshed behind the caller
///   ([`Freshness::Revalidating`]; [`Freshness::StandingIn`] while the upstream is known to fail);
/// - up to `stale_for`: callers wait for a refresh ([`Freshness::Fetched`]), and get what is kept when
///   it fails or takes longer than `patience`, or at once while the upstream is known to fail;
/// - older, or nothing is kept: callers wait for a fetch, `patience` at most, or get an error at once
///   while the upstream rests.
///
/// Failures are not kept. While the upstream fails it is called once a `rest`. Fetches are driven by
/// [`Background`], so a caller that goes away stops nothing.
///
/// ```
/// use std::sync::Arc;
///
/// use malecon::{Background, Breaker, Codec, Shield, ShieldPorts, ShieldSettings};
///
/// struct Text;
///
/// impl Codec<String> for Text {
///     fn encode(&self, value: &String) -> Vec<u8> {
///         value.clone().into_bytes()
///     }
///     fn decode(&self, bytes: &[u8]) -> Option<String> {
///         String::from_utf8(bytes.to_vec()).ok()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ports = ShieldPorts {
///     far: None,
///     lock: None,
///     clock: Arc::new(malecon_memory::SystemClock),
///     background: Background::new(|work| {
///         tokio::spawn(work);
///     }),
/// };
/// let shield = Shield::new("jokes", ports, Arc::new(Text), Breaker::new(), ShieldSettings::default());
/// // A gateway with two settings of retries would look at the effort.
/// let joke = shield.get("today", |_effort| Box::pin(async { Ok("knock, knock".to_owned()) })).await;
/// assert_eq!(joke.unwrap().value, "knock, knock");
/// # }
/// ```
pub struct Shield<T>(Arc<Inner<T>>);

struct Inner<T> {
    name: &'static str,
    ports: ShieldPorts,
    store: Store<T>,
    breaker: Breaker,
    settings: ShieldSettings,
    flights: Flights<Landed<T>>,
    looks: Flights<Option<Arc<Kept<T>>>>,
}

impl<T> Clone for Shield<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Send + Sync + 'static> Shield<T> {
    /// A shield. Its `name` is part of its keys in the far cache and the lock, and is seen in logs:
    /// shields that share those have names of their own.
    pub fn new(
        name: &'static str,
        ports: ShieldPorts,
        codec: Arc<dyn Codec<T>>,
        breaker: Breaker,
        settings: ShieldSettings,
    ) -> Self {
        let store = Store::new(&ports, codec, settings.keep_for());
        let (flights, looks) = (Flights::new(), Flights::new());
        Self(Arc::new(Inner { name, ports, store, breaker, settings, flights, looks }))
    }

    /// The value under the key: kept, or fetched by `fetch`.
    ///
    /// # Errors
    /// [`ShieldError`] when nothing is to be had.
    pub async fn get<F>(&self, key: &str, fetch: F) -> Result<Sourced<T>, ShieldError>
    where
        F: FnOnce(Effort) -> BoxFuture<'static, Result<T, GatewayError>> + Send + 'static,
    {
        let inner = &self.0;
        let ShieldSettings { ttl, revalidate_for, .. } = inner.settings;
        let asked_at = inner.ports.clock.now();
        let key = format!("shield:{}:{key}", inner.name);
        let kept = self.look(&key).await;
        let now = inner.ports.clock.now();
        let stand = inner.breaker.stand(now);
        let Some(kept) = kept else {
            return match stand {
                Stand::Resting(retry_after) => Err(ShieldError::Resting { retry_after }),
                Stand::Closed | Stand::Due => {
                    let landed = self.wait(self.fly(&key, Effort::Full, fetch), asked_at).await?;
                    Ok(landed.sourced(Freshness::Fetched))
                }
            };
        };
        let age = kept.age(now);
        if age < ttl {
            return Ok(kept.sourced(Freshness::Kept));
        }
        match stand {
            Stand::Closed if age <= ttl + revalidate_for => {
                drop(self.fly(&key, Effort::Once, fetch));
                Ok(kept.sourced(Freshness::Revalidating))
            }
            Stand::Closed => match self.wait(self.fly(&key, Effort::Full, fetch), asked_at).await {
                Ok(landed) => Ok(landed.sourced(Freshness::Fetched)),
                Err(_) => Ok(kept.sourced(Freshness::StandingIn)),
            },
            Stand::Due => {
                drop(self.fly(&key, Effort::Once, fetch));
                Ok(kept.sourced(Freshness::StandingIn))
            }
            Stand::Resting(_) => Ok(kept.sourced(Freshness::StandingIn)),
        }
    }

    /// What is kept near, or far; however many ask, one looks far.
    async fn look(&self, key: &str) -> Option<Arc<Kept<T>>> {
        let inner = &self.0;
        let (now, keep_for) = (inner.ports.clock.now(), inner.settings.keep_for());
        let is_usable = |kept: &Arc<Kept<T>>| kept.age(now) <= keep_for;
        if let Some(kept) = inner.store.near(key).await.filter(is_usable) {
            return Some(kept);
        }
        inner.ports.far.as_ref()?;
        let (store, owned) = (inner.store.clone(), key.to_owned());
        let kept = inner.looks.join(key, async move { store.far(&owned).await }).await;
        kept.filter(is_usable)
    }

    /// The flight under the key, which lands whether somebody waits for it or not.
    fn fly<F>(&self, key: &str, effort: Effort, fetch: F) -> Flight<Landed<T>>
    where
        F: FnOnce(Effort) -> BoxFuture<'static, Result<T, GatewayError>> + Send + 'static,
    {
        let (inner, owned) = (Arc::clone(&self.0), key.to_owned());
        let make = async move { inner.land(&owned, effort, fetch).await };
        let (flight, is_new) = self.0.flights.board(key, make);
        if is_new {
            self.0.ports.background.run(flight.clone().map(drop));
        }
        flight
    }

    /// What is left of the caller's patience goes into waiting for the flight.
    async fn wait(&self, flight: Flight<Landed<T>>, asked_at: Instant) -> Landed<T> {
        let clock = &self.0.ports.clock;
        let waited = (clock.now() - asked_at).to_std().unwrap_or_default();
        let left = self.0.settings.patience.saturating_sub(waited);
        match select(flight, clock.sleep(left)).await {
            Either::Left((landed, _)) => landed,
            Either::Right(_) => Err(ShieldError::Late),
        }
    }
}

/// Where a process stands among those that share a lock and a far cache.
enum Turn<T> {
    /// It is ours to fetch; with a lease, or without one where the lock is no help.
    Ours(Option<Lease>),
    /// Somebody else has fetched it.
    Fetched(Arc<Kept<T>>),
    /// Somebody else is still fetching it, and nobody waits any longer.
    Late,
}

impl<T: Clone + Send + Sync + 'static> Inner<T> {
    async fn land<F>(&self, key: &str, effort: Effort, fetch: F) -> Landed<T>
    where
        F: FnOnce(Effort) -> BoxFuture<'static, Result<T, GatewayError>> + Send + 'static,
    {
        let lease = match self.turn(key).await {
            Turn::Ours(lease) => lease,
            Turn::Fetched(kept) => return Ok(kept),
            Turn::Late => return Err(ShieldError::Late),
        };
        let landed = self.fetch(key, effort, fetch).await;
        self.release(lease).await;
        landed
    }

    /// Waits for another process that fetches the same, and looks what there is by now.
    async fn turn(&self, key: &str) -> Turn<T> {
        // Another flight may have landed since the caller looked.
        if let Some(kept) = self.young(self.store.near(key).await) {
            return Turn::Fetched(kept);
        }
        let (clock, patience) = (&self.ports.clock, self.settings.patience);
        let began = clock.now();
        // Counted as well, or a clock that is set back would make it longer.
        for _ in 0..patience.as_millis() / POLL.as_millis() {
            if (clock.now() - began).to_std().is_ok_and(|waited| waited >= patience) {
                break;
            }
            // Before the look, or the owner could land and leave between the two. Again and again, or
            // nobody would follow an owner that failed.
            let lease = self.lease(key).await;
            if let Some(kept) = self.young(self.store.far(key).await) {
                self.release(lease.flatten()).await;
                return Turn::Fetched(kept);
            }
            match lease {
                Some(None) => clock.sleep(POLL).await,
                Some(lease) => return Turn::Ours(lease),
                None => return Turn::Ours(None),
            }
        }
        Turn::Late
    }

    async fn fetch<F>(&self, key: &str, effort: Effort, fetch: F) -> Landed<T>
    where
        F: FnOnce(Effort) -> BoxFuture<'static, Result<T, GatewayError>> + Send + 'static,
    {
        let (clock, rest) = (&self.ports.clock, self.settings.rest);
        let effort = match self.breaker.admit(clock.now(), rest) {
            Stand::Closed => effort,
            Stand::Due => Effort::Once,
            Stand::Resting(retry_after) => return Err(ShieldError::Resting { retry_after }),
        };
        let fetched = match select(fetch(effort), clock.sleep(self.settings.patience)).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right((_, under_way)) => {
                // As good as down, unless it lands: others need not wait as long.
                self.breaker.failed(
                    &GatewayError::Unavailable("it takes too long".into()),
                    clock.now(),
                    rest,
                );
                under_way.await
            }
        };
        match fetched {
            Ok(value) => {
                self.breaker.succeeded();
                let kept = Arc::new(Kept { value, at: clock.now() });
                self.store.keep(key, &kept).await;
                Ok(kept)
            }
            Err(error) => {
                let retry_after = self.breaker.failed(&error, clock.now(), rest);
                tracing::warn!(upstream = self.name, error = &error as &dyn Error, "a fetch failed");
                Err(ShieldError::Gateway { retry_after, source: Arc::new(error) })
            }
        }
    }

    fn young(&self, kept: Option<Arc<Kept<T>>>) -> Option<Arc<Kept<T>>> {
        let now = self.ports.clock.now();
        kept.filter(|kept| kept.age(now) < self.settings.ttl)
    }

    /// The lease of the key, or none if somebody has it; `None` where there is no lock to ask, or
    /// no cache to find what its owner fetches.
    async fn lease(&self, key: &str) -> Option<Option<Lease>> {
        let lock = self.ports.far.as_ref().and(self.ports.lock.as_ref())?;
        let ttl = self.settings.patience + LEASE_MARGIN;
        bounded(&*self.ports.clock, lock.acquire(key, ttl)).await?.ok()
    }

    async fn release(&self, lease: Option<Lease>) {
        if let (Some(lock), Some(lease)) = (&self.ports.lock, lease) {
            // It lapses by itself.
            let _ = bounded(&*self.ports.clock, lock.release(&lease)).await;
        }
    }
}
