//! What runs beside the requests.

use std::error::Error;
use std::time::Duration;

use malecon::{CountryService, JobService, MovieService, Plan, ReportService, ServiceError, TaskService};
use malecon_queue::TicketQueue;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::monitor;

/// How often a replica looks for another's sync: within a second it serves the same.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often one looks whose tick has come.
const TICK_EVERY: Duration = Duration::from_millis(250);

/// How often one looks whether the program itself has something to do.
const PLAN_EVERY: Duration = Duration::from_secs(1);

/// How long one look at the database may take: then the connection is dead, and nobody knows. What is
/// left is found by the next one.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// How often one looks what there is to do.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// How often old runs are removed.
const PRUNE_EVERY: u32 = 10 * 60 / 5;

/// How often what everybody keeps is counted; what is written here is counted at once.
const COUNT_KEPT_EVERY: u32 = 6;

/// How often the details of movies are looked after.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(15 * 60);

/// Holds the newest version of the countries, for ever.
pub async fn follow(countries: CountryService) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match countries.refresh().await {
            Ok(_) if failing => {
                failing = false;
                tracing::info!("the database is back");
            }
            Ok(_) => {}
            Err(error) if !failing => {
                failing = true;
                tracing::error!(error = &error as &dyn Error, "the database is gone; what is held is served");
            }
            Err(_) => {}
        }
        monitor::observe(&countries).await;
        monitor::metrics().run_upkeep();
    }
}

/// What a look at the database found; when there is no answer in time, or none that is any good, one line
/// says so.
async fn looked<T>(what: &str, look: impl Future<Output = Result<T, ServiceError>>) -> Option<T> {
    match timeout(LONGEST_LOOK, look).await {
        Ok(Ok(found)) => return Some(found),
        Ok(Err(error)) => {
            tracing::warn!(what, error = &error as &dyn Error, "the database can't be looked at")
        }
        Err(_) => tracing::warn!(what, "the database says nothing"),
    }
    None
}

/// Makes the runs of the program's own plans, for ever.
pub async fn plan(jobs: JobService, mut plans: Vec<Plan>) {
    let mut ticks = interval(PLAN_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        looked("plans", jobs.tick_unattended(&mut plans)).await;
    }
}

/// Makes the report of each day, for ever.
pub async fn report(reports: ReportService) {
    let mut ticks = interval(PLAN_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if looked("the report", reports.tick_unattended()).await == Some(true) {
            tracing::info!("it is time for the report of today");
        }
    }
}

/// Looks after the details of the movies that users keep, for ever.
pub async fn look_after_movies(movies: MovieService) {
    loop {
        match movies.refresh_due().await {
            Ok(upkeep) => {
                if let Some(error) = &upkeep.stopped_by {
                    tracing::warn!(
                        error = error as &dyn Error,
                        "not all old details of movies were fetched anew"
                    );
                }
                if upkeep.refreshed + upkeep.forgotten > 0 {
                    let (refreshed, forgotten) = (upkeep.refreshed, upkeep.forgotten);
                    tracing::info!(refreshed, forgotten, "looked after the details of movies");
                }
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "the details of movies were not looked after");
            }
        }
        sleep(LOOK_AFTER_EVERY).await;
    }
}

/// Makes the runs of tasks that are to be run by themselves, for ever.
pub async fn tick(tasks: TaskService) {
    let mut ticks = interval(TICK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if looked("schedules", tasks.tick_unattended()).await.is_none() {
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Fetches tickets of due runs, for ever, where there are any.
pub async fn fetch_tickets(tickets: Option<TicketQueue>) {
    if let Some(tickets) = tickets {
        tickets.fetch().await;
    }
}

/// Counts runs, drops bodies that are too many, and removes runs that have been over for so long, for ever.
pub async fn look_after_runs(tasks: TaskService, keep: Duration) {
    let mut ticks = interval(COUNT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in (0..PRUNE_EVERY * COUNT_KEPT_EVERY).cycle() {
        ticks.tick().await;
        if let Ok(Ok(tally)) = timeout(LONGEST_LOOK, tasks.tally_unattended()).await {
            monitor::observe_runs(&tally);
        }
        match looked("kept bodies", tasks.drop_bodies_unattended(tick == 0)).await {
            Some(0) | None => {}
            Some(dropped) => tracing::info!(dropped, "dropped the oldest bodies of those who keep too much"),
        }
        if tick % PRUNE_EVERY != 0 {
            continue;
        }
        match looked("old runs", tasks.prune_unattended(keep)).await {
            Some(0) | None => {}
            Some(removed) => tracing::info!(removed, "removed old runs"),
        }
    }
}
