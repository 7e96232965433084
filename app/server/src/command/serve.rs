//! `malecon serve`.

use std::net::SocketAddr;
use std::time::Duration;

use malecon::ServiceError;
use malecon_http::HttpSettings;
use malecon_sql::SqlStore;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::signals::Signals;
use crate::listen::{self, Limits};
use crate::wiring::{Retry, START_TIMEOUT, Wired, plans, wire};
use crate::{Config, Failure, first, monitor, schedule};

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    working: Working,
    draining: watch::Sender<bool>,
    drain: Duration,
}

impl Running {
    /// Stops it: it says that it is not ready for a while; then there are no new connections, and requests
    /// and attempts under way get their grace.
    pub async fn stop(self) {
        let _ = self.draining.send(true);
        tokio::time::sleep(self.drain).await;
        self.working.stop().await;
    }
}

/// Work that goes on until it is told to stop, and what runs beside it.
pub struct Working {
    stop: watch::Sender<bool>,
    work: Vec<JoinHandle<()>>,
    beside: Vec<JoinHandle<()>>,
    store: SqlStore,
}

impl Working {
    /// Stops it: nothing new is begun, what is under way gets its grace.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.work {
            let _ = task.await;
        }
        for task in self.beside {
            task.abort();
        }
        self.store.close().await;
    }
}

/// Starts a server and what runs beside it. Its store is filled when this returns.
///
/// # Errors
/// Anything that keeps it from serving.
pub async fn start(config: &Config, limits: Limits) -> Result<Running, Failure> {
    monitor::metrics();
    let wired = wire(config).await?;
    wired.migrate().await?;
    let Wired { services, http, store, worker, tickets, health, .. } = wired;
    fill(&services.countries).await?;
    let listener = listen::bind(config.listen)
        .map_err(|error| Failure::of(format!("can't listen on {}", config.listen), error))?;
    if let Some(token) = first::introduce(&services, &store.lock(), config.demo).await? {
        super::print(&format!("The administrator's API token, shown this once: {token}\n"))?;
    }
    let address = listener.local_addr().map_err(|error| Failure::of("the listener has no address", error))?;
    let beside = vec![
        tokio::spawn(schedule::follow(services.countries.clone())),
        tokio::spawn(health.watch(services.countries.clone())),
        tokio::spawn(schedule::look_after_movies(services.movies.clone())),
        tokio::spawn(schedule::tick(services.tasks.clone())),
        tokio::spawn(schedule::look_after_runs(services.tasks.clone(), config.keep_runs)),
        tokio::spawn(schedule::plan(services.jobs.clone(), plans(config))),
        tokio::spawn(schedule::fetch_tickets(tickets)),
        tokio::spawn(schedule::report(services.reports.clone())),
    ];
    let (stop, stopped) = watch::channel(false);
    let (draining, drained) = watch::channel(false);
    let http = HttpSettings { stopping: Some(stopped.clone()), draining: Some(drained), ..http };
    let app = malecon_http::app(services, http);
    let drain = limits.drain;
    // Each is a task of its own: what keeps one busy is nothing to the others.
    let work = vec![
        tokio::spawn(listen::serve(listener, app, limits, told(stopped.clone()))),
        tokio::spawn(async move { worker.work(told(stopped)).await }),
    ];
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), demo = config.demo, "listening");
    Ok(Running { address, working: Working { stop, work, beside, store }, draining, drain })
}

/// Starts what takes up runs of integration tasks, and keeps their schedules, without the API.
///
/// # Errors
/// Anything that keeps it from working.
pub async fn start_worker(config: &Config) -> Result<Working, Failure> {
    let wired = wire(config).await?;
    wired.migrate().await?;
    let Wired { services, store, worker, tickets, health, .. } = wired;
    let beside = vec![
        tokio::spawn(health.watch(services.countries.clone())),
        tokio::spawn(schedule::tick(services.tasks.clone())),
        tokio::spawn(schedule::look_after_runs(services.tasks, config.keep_runs)),
        tokio::spawn(schedule::plan(services.jobs, plans(config))),
        tokio::spawn(schedule::fetch_tickets(tickets)),
        tokio::spawn(schedule::report(services.reports)),
    ];
    let (stop, stopped) = watch::channel(false);
    let work = vec![tokio::spawn(async move { worker.work(told(stopped)).await })];
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "working");
    Ok(Working { stop, work, beside, store })
}

/// When it is told to stop.
async fn told(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Fills an empty store; when another process is at it, or it can't be used yet, waits until it is filled.
async fn fill(countries: &malecon::CountryService) -> Result<(), Failure> {
    let retry = Retry::new("filling the store", START_TIMEOUT);
    loop {
        match countries.fill().await {
            Ok(_) => return Ok(()),
            Err(error @ (ServiceError::Conflict { .. } | ServiceError::Unavailable { .. }))
                if retry.again(&error).await => {}
            Err(error) => return Err(Failure::of("the store can't be filled", error)),
        }
    }
}

/// Serves until the process is told to stop.
pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let limits = Limits::of(config, usize::try_from(files).unwrap_or(usize::MAX));
    let signals = Signals::hear()?;
    let running = signals.unless_told(start(config, limits)).await?;
    if config.demo {
        let url = format!("http://{}", running.address);
        super::print(&format!(
            "Malecón's demo runs. Try:\n  \
             curl '{url}/v3.1/all?fields=name,capital'\n  \
             curl '{url}/api/countries?continent=south%20america&sort=-population'\n  \
             curl -X POST -H 'Authorization: Bearer abcdef1234567890' {url}/api/countries/sync\n  \
             curl -H 'Authorization: Bearer 1234567890' {url}/api/users/me\n\
             Documentation: {url}/api/docs\n"
        ))?;
    }
    signals.told().await;
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

/// Works until the process is told to stop.
pub(super) async fn run_worker(config: &Config) -> Result<(), Failure> {
    let signals = Signals::hear()?;
    let working = signals.unless_told(start_worker(config)).await?;
    signals.told().await;
    tracing::info!("stopping");
    working.stop().await;
    Ok(())
}
