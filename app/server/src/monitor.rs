//! Metrics, and the state of what we depend on.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use malecon::CountryService;
use malecon::domain::RunTally;
use malecon_http::{Check, Health};
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
