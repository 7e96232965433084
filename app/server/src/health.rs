//! Whether what we depend on does what it is there for: asked by readiness, and all the time.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use malecon::CountryService;
use malecon_http::{Check, Health};
use malecon_redis::RedisStore;
use malecon_sql::SqlStore;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::{logging, monitor};

/// How long a dependency may take to answer.
const CHECK_TIMEOUT: Duration = Duration::from_millis(950);

/// How long a look counts: so whoever asks all the time costs no more than one who asks each second.
const CHECKS_KEPT: Duration = Duration::from_secs(1);

/// How often the database is written to.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// Asks the database, and Redis where there is one.
#[derive(Clone)]
pub struct DependencyHealth {
    store: SqlStore,
    redis: Option<RedisStore>,
    /// Whether the last write came to be.
    writes: Arc<AtomicBool>,
    /// The last look, and when it was.
    last: Arc<Mutex<Option<Look>>>,
}

type Look = (Instant, Vec<Check>);

impl DependencyHealth {
    pub(crate) fn new(store: SqlStore, redis: Option<RedisStore>) -> Self {
        // A server has just migrated it.
        Self { store, redis, writes: Arc::new(AtomicBool::new(true)), last: Arc::default() }
    }

    /// Writes to the database, looks at everything, and tells metrics and the log, for ever.
    pub async fn watch(self, countries: CountryService) {
        let mut ticks = interval(WRITE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = BTreeMap::new();
        loop {
            ticks.tick().await;
            let written = timeout(WRITE_EVERY, self.store.check_writes()).await;
            if let Ok(Err(error)) = &written {
                tracing::debug!(error = error as &dyn Error, "the database can't be written to");
            }
            self.writes.store(written.is_ok_and(|written| written.is_ok()), Ordering::Relaxed);
            for check in self.checks().await {
                metrics::gauge!("malecon_up", "part" => check.name).set(f64::from(u8::from(check.up)));
                let was_up = known.insert(check.name, check.up).unwrap_or(true);
                match (was_up, check.up) {
                    (true, false) => tracing::warn!(check = check.name, "a health check fails"),
                    (false, true) => tracing::info!(check = check.name, "a health check passes again"),
                    _ => {}
                }
            }
            logging::flush_repeats();
            monitor::observe_store(&self.store);
            if let Some(redis) = &self.redis {
                metrics::counter!("malecon_redis_errors_total").absolute(redis.errors());
            }
            if let Ok(Some(report)) = countries.last_report_unattended().await {
                monitor::observe_sync(&report);
            }
        }
    }

    async fn look(&self) -> Vec<Check> {
        let redis = async {
            let redis = self.redis.as_ref()?;
            Some(timeout(CHECK_TIMEOUT, redis.check()).await.is_ok_and(|answer| answer.is_ok()))
        };
        let (reads, pending, redis) = tokio::join!(
            self.store.check_reads(),
            timeout(CHECK_TIMEOUT, self.store.pending_migrations()),
            redis
        );
        let is_read = reads.iter().any(|(_, read)| read.is_ok());
        let schema = pending.is_ok_and(|pending| pending.is_ok_and(|pending| pending.is_empty()));
        let optional = |name, up| Check { name, up, vital: false };
        let mut checks = vec![
            Check { name: "database", up: is_read, vital: true },
            optional("database_writes", self.writes.load(Ordering::Relaxed)),
            optional("database_schema", schema),
            optional("database_integrity", !self.store.is_corrupt()),
        ];
        checks.extend(reads.into_iter().map(|(table, read)| optional(table_check(table), read.is_ok())));
        checks.extend(redis.map(|up| optional("redis", up)));
        checks
    }
}

#[async_trait]
impl Health for DependencyHealth {
    async fn checks(&self) -> Vec<Check> {
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < CHECKS_KEPT
        {
            return checks.clone();
        }
        let checks = self.look().await;
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

/// The name of a table's check: the countries that are held have one of their own.
fn table_check(table: &'static str) -> &'static str {
    if table == "countries" { "countries_table" } else { table }
}
