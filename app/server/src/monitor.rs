//! Metrics.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use malecon::domain::{JobKind, Next, Run, RunTally, SyncOutcome, SyncReport, Trace};
use malecon::ports::Clock;
use malecon::{CountryService, JobHandler, ServiceError};
use malecon_memory::SystemClock;
use malecon_sql::SqlStore;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

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
        process().describe();
        handle
    })
}

/// Memory, processor time, open files, start: of this process.
fn process() -> metrics_process::Collector {
    metrics_process::Collector::default()
}

/// The text of all metrics.
pub(crate) fn render() -> String {
    process().collect();
    metrics().render()
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
    metrics::describe_gauge!(
        "malecon_database_connections",
        "Connections to the database, by pool: in use, and at most"
    );
    metrics::describe_counter!("malecon_database_errors_total", "Calls of the database that failed, by kind");
    metrics::describe_counter!(
        "malecon_leases_lost_total",
        "Leases of runs that this process found to have lapsed"
    );
    metrics::describe_counter!("malecon_redis_errors_total", "Commands of Redis that failed");
    metrics::describe_gauge!("malecon_sync_last_succeeded", "Whether the last sync of countries succeeded");
    metrics::describe_gauge!(
        "malecon_sync_last_timestamp_seconds",
        metrics::Unit::Seconds,
        "When the last sync of countries ended"
    );
    metrics::describe_gauge!("malecon_sync_last_rejected", "Records that the last sync rejected");
    metrics::describe_counter!(
        "malecon_connections_closed_total",
        "Connections that ended, by reason: ended, broken, header_timeout, write_timeout, idle, evicted, stopped"
    );
    metrics::describe_counter!(
        "malecon_connections_refused_total",
        "Connections that were not taken, by reason: full, address, system"
    );
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

/// Tells how the database fares.
pub(crate) fn observe_store(store: &SqlStore) {
    for pool in store.pools() {
        metrics::gauge!("malecon_database_connections", "pool" => pool.name, "state" => "in_use")
            .set(pool.in_use);
        metrics::gauge!("malecon_database_connections", "pool" => pool.name, "state" => "max").set(pool.size);
    }
    metrics::counter!("malecon_leases_lost_total").absolute(store.lost_leases());
    for (kind, count) in store.errors() {
        metrics::counter!("malecon_database_errors_total", "kind" => kind).absolute(count);
    }
}

/// Tells what the last sync did.
pub(crate) fn observe_sync(report: &SyncReport) {
    let succeeded = report.outcome == SyncOutcome::Succeeded;
    metrics::gauge!("malecon_sync_last_succeeded").set(f64::from(u8::from(succeeded)));
    metrics::gauge!("malecon_sync_last_timestamp_seconds").set(report.finished_at.timestamp() as f64);
    metrics::gauge!("malecon_sync_last_rejected").set(report.rejected.len() as f64);
}
