//! A connection that comes and goes, and what is kept over it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::config::{Config, ReconnectPolicy, UnresponsiveConfig};
use fred::types::{Builder, ConnectHandle, Expiration};

use crate::breaker::Breaker;
use crate::{RedisCache, RedisLock, RedisRateLimiter};

/// How long a request waits for one answer.
const PATIENCE: Duration = Duration::from_millis(80);

/// How long anything waits for one answer. Leases are work in the background and can.
const LONG_PATIENCE: Duration = Duration::from_secs(1);

/// A connection that owes an answer for so long is made anew. Less than the time between two probes
/// of the breaker, since each command begins the time again.
const UNRESPONSIVE: UnresponsiveConfig = UnresponsiveConfig {
    max_timeout: Some(Duration::from_millis(500)),
    interval: Duration::from_millis(250),
};

/// How long the first connection may take before its absence is worth a word.
const START: Duration = Duration::from_secs(1);

/// Schemes with and without TLS, of one server and of a cluster.
const SCHEMES: [&str; 4] = ["redis", "rediss", "redis-cluster", "rediss-cluster"];

/// Why there can never be a connection. The URL is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL can't be read.
    #[error("not a Redis URL: write redis://HOST:PORT/DATABASE or rediss://USER:PASSWORD@HOST:PORT")]
    Url,
    /// The system's root certificates can't be read.
    #[error("TLS can't be set up")]
    Tls(#[source] malecon_ports::Cause),
}

/// A Redis server, there or not. Clones share its connection, which ends with the last of them.
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) client: Client,
    pub(crate) prefix: Arc<str>,
    pub(crate) breaker: Arc<Breaker>,
    begun: Instant,
    connection: Arc<Connection>,
    /// Commands that failed.
    errors: Arc<AtomicU64>,
}

/// The task that connects, and connects again.
struct Connection(ConnectHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RedisStore {
    /// Begins to connect, and goes on in the background for as long as it takes. All keys begin with
    /// `prefix`, which has no braces.
    ///
    /// # Errors
    /// [`ConnectError`]. A server that does not answer is no error.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn connect(url: &str, prefix: &str) -> Result<Self, ConnectError> {
        // An embedder may have chosen a provider already: then it is theirs.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if !url.split_once("://").is_some_and(|(scheme, _)| SCHEMES.contains(&scheme)) {
            return Err(ConnectError::Url);
        }
        let refuse = |error: Error| match error.kind() {
            ErrorKind::Tls => ConnectError::Tls(error.into()),
            _ => ConnectError::Url,
        };
        let mut config = Config::from_url(url).map_err(refuse)?;
        // Else a server that is not there yet would be given up.
        config.fail_fast = false;
        let client = Builder::from_config(config)
            .with_performance_config(|performance| performance.default_command_timeout = LONG_PATIENCE)
            .with_connection_config(|connection| {
                connection.connection_timeout = Duration::from_secs(1);
                connection.internal_command_timeout = Duration::from_secs(1);
                connection.max_command_attempts = 1;
                connection.reconnect_on_auth_error = true;
                connection.unresponsive = UNRESPONSIVE;
                connection.tcp.nodelay = Some(true);
            })
            .set_policy(ReconnectPolicy::new_exponential(0, 50, 1_000, 2))
            .build()
            .map_err(refuse)?;
        let connection = Arc::new(Connection(client.connect()));
        let begun = Instant::now();
        Ok(Self {
            client,
            prefix: Arc::from(prefix),
            breaker: Arc::default(),
            begun,
            connection,
            errors: Arc::default(),
        })
    }

    /// Its cache.
    pub fn cache(&self) -> RedisCache {
        RedisCache(self.clone())
    }

    /// Its leases.
    pub fn lock(&self) -> RedisLock {
        RedisLock(self.clone())
    }

    /// Its limits.
    pub fn limiter(&self) -> RedisRateLimiter {
        RedisRateLimiter(self.clone())
    }

    /// Writes a value, as the cache does: a server whose memory is full answers, and keeps nothing.
    ///
    /// # Errors
    /// Why it can't.
    pub async fn check(&self) -> Result<(), malecon_ports::Cause> {
        self.connected()?;
        let expire = Some(Expiration::PX(1_000));
        self.watched(self.client.set::<(), _, _>(
            format!("{}:health-check", self.prefix),
            "x",
            expire,
            None,
            false,
        ))
        .await?;
        Ok(())
    }

    /// Commands that failed since it was opened: refused, or not answered in time.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Ends the connection, for every clone. Waits 80 ms at most.
    pub async fn close(&self) {
        // A server that is gone needs no farewell.
        let _ = tokio::time::timeout(PATIENCE, self.client.quit()).await;
        self.connection.0.abort();
    }

    /// A command of a request: 80 ms at most, and none at all while Redis is known to fail.
    pub(crate) async fn hasty<T>(&self, command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.connected()?;
        if !self.breaker.admits(Instant::now()) {
            return Err(Error::new(ErrorKind::Canceled, "Redis is left alone for a while"));
        }
        self.watched(command).await
    }

    /// A command that may wait: 1 s at most. It does not care for the breaker.
    pub(crate) async fn patient<T>(
        &self,
        command: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.connected()?;
        command.await
    }

    fn connected(&self) -> Result<(), Error> {
        if self.client.is_connected() {
            return Ok(());
        }
        let now = Instant::now();
        if now.duration_since(self.begun) > START {
            self.breaker.gone(now);
        }
        Err(Error::new(ErrorKind::IO, "not connected"))
    }

    /// Runs a command with little patience, and tells the breaker how it ended.
    async fn watched<T>(&self, command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let answer = tokio::time::timeout(PATIENCE, command)
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "no answer in time")));
        if answer.is_err() {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        match &answer {
            Ok(_) => self.breaker.answered(),
            Err(error) if is_answer(error) => self.breaker.refused(Instant::now(), error),
            Err(error) => self.breaker.failed(Instant::now(), error),
        }
        answer
    }
}

/// Whether the error is what Redis said, rather than that it said nothing.
fn is_answer(error: &Error) -> bool {
    use ErrorKind::{Auth, InvalidArgument, InvalidCommand, NotFound, Parse, Unknown};
    matches!(error.kind(), Auth | InvalidArgument | InvalidCommand | NotFound | Parse | Unknown)
}

/// A time to live as Redis takes it: 1 ms at least, and no more than it can add to its clock.
pub(crate) fn millis(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).clamp(1, i64::MAX / 2)
}
