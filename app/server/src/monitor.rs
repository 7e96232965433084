//! Metrics, and the state of what we depend on.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use malecon::domain::{JobKind, Next, Run, RunTally, Trace};
use malecon::ports::Clock;
use malecon::{CountryService, JobHandler, ServiceError};
use malecon_http::{Check, Health};
use malecon_memory::SystemClock;
use malecon_redis::RedisStore;
use malecon_sql::SqlStore;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// How long a part may take to say that it is there.
const PATIENCE: Duration = Duration::from_millis(800);

/// The one recorder of the process; it is set when first asked for.
pub(crate) fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let matcher = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        let recorder = match builder.set_buckets_for_metric(matcher, &BUCKETS) {
            Ok(builder) => builder.build_recorder(),
            Err(_) => PrometheusBuilder::new().build_recorder(),
        };
        let handle = recorder.handle();
        // Somebody else's recorder stays: then ours is empty, which does no harm.
        let _ = metrics::set_global_recorder(recorder);
        describe();
        handle
    })
}

fn describe() {
    metrics::describe_counter!("http_requests_total", "Requests answered, by method, route and status");
    metrics::describe_histogram!(
        "http_request_duration_seconds",
        metrics::Unit::Seconds,
        "Time to answer, by method and route"
    );
    metrics::describe_gauge!("malecon_countries", "Countries held");
    metrics::describe_gauge!("malecon_countries_version", "Version of the countries held");
    metrics::describe_gauge!(
        "malecon_countries_checked_timestamp_seconds",
        metrics::Unit::Seconds,
        "When a sync of countries last succeeded"
    );
    metrics::describe_gauge!("malecon_runs", "Runs of integration tasks that are not over, by state");
    metrics::describe_gauge!(
        "malecon_runs_longest_wait_seconds",
        metrics::Unit::Seconds,
        "How long the run has waited that has been due longest"
    );
    metrics::describe_counter!(
        "malecon_attempts_total",
        "Attempts of runs that ended in this process, by kind and outcome"
    );
    metrics::describe_histogram!(
        "malecon_attempt_duration_seconds",
        metrics::Unit::Seconds,
        "Time that attempts took, by kind"
    );
    metrics::describe_histogram!(
        "malecon_attempt_wait_seconds",
        metrics::Unit::Seconds,
        "Time from when attempts were due to when they began, by kind"
    );
    metrics::describe_gauge!("malecon_connections", "Open connections");
    metrics::describe_gauge!("malecon_up", "Whether a part that we depend on answers, by part");
    metrics::gauge!("malecon_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Tells what the service holds.
pub(crate) async fn observe(countries: &CountryService) {
    if let Ok(held) = countries.held().await {
        metrics::gauge!("malecon_countries").set(held.countries.len() as f64);
        metrics::gauge!("malecon_countries_version").set(held.version.number as f64);
        metrics::gauge!("malecon_countries_checked_timestamp_seconds")
            .set(held.version.checked_at.timestamp() as f64);
    }
}

/// Tells what there is to do.
pub(crate) fn observe_runs(tally: &RunTally) {
    metrics::gauge!("malecon_runs", "state" => "queued").set(tally.queued as f64);
    metrics::gauge!("malecon_runs", "state" => "running").set(tally.running as f64);
    metrics::gauge!("malecon_runs_longest_wait_seconds").set(tally.longest_wait.as_secs_f64());
}

/// A handler whose attempts are counted and timed.
pub(crate) fn metered(kind: JobKind, handler: Arc<dyn JobHandler>) -> Arc<dyn JobHandler> {
    Arc::new(Metered { kind, handler })
}

struct Metered {
    kind: JobKind,
    handler: Arc<dyn JobHandler>,
}

#[async_trait]
impl JobHandler for Metered {
    async fn attempt(&self, run: &Run) -> Result<(Next, Trace), ServiceError> {
        let kind = self.kind.name();
        let begun = SystemClock.now();
        let waited = (begun - run.due_at).to_std().unwrap_or_default();
        metrics::histogram!("malecon_attempt_wait_seconds", "kind" => kind).record(waited);
        let done = self.handler.attempt(run).await;
        let took = (SystemClock.now() - begun).to_std().unwrap_or_default();
        metrics::histogram!("malecon_attempt_duration_seconds", "kind" => kind).record(took);
        let outcome = match &done {
            Ok((Next::Over(end), _)) => end.name(),
            Ok((Next::Again(_), _)) => "again",
            Err(_) => "error",
        };
        metrics::counter!("malecon_attempts_total", "kind" => kind, "outcome" => outcome).increment(1);
        done
    }
}

/// Asks the database, and Redis where there is one.
pub(crate) struct Parts {
    pub store: SqlStore,
    pub redis: Option<RedisStore>,
}

#[async_trait]
impl Health for Parts {
    async fn checks(&self) -> Vec<Check> {
        let database =
            async { tokio::time::timeout(PATIENCE, self.store.ping()).await.is_ok_and(|ping| ping.is_ok()) };
        let redis = async {
            match &self.redis {
                Some(redis) => {
                    Some(tokio::time::timeout(PATIENCE, redis.ping()).await.is_ok_and(|ping| ping.is_ok()))
                }
                None => None,
            }
        };
        let (database, redis) = tokio::join!(database, redis);
        let mut checks = vec![Check { name: "database", up: database, vital: true }];
        checks.extend(redis.map(|up| Check { name: "redis", up, vital: false }));
        for check in &checks {
            metrics::gauge!("malecon_up", "part" => check.name).set(f64::from(u8::from(check.up)));
        }
        checks
    }
}
