//! The queue that is told by tickets, on PostgreSQL: what every queue promises, and what tickets add.

use std::sync::Arc;
use std::time::Duration;

use malecon::domain::RunId;
use malecon_ports::TaskQueue;
use malecon_ports::contract::run::new_run;
use malecon_ports::contract::task::TaskStore;
use malecon_queue::{TICKET, TicketQueue};
use malecon_sql::testing::{TestDatabase, postgres};
use malecon_sql::{SqlOptions, SqlStore};
use tokio::task::JoinHandle;

/// A database, and a process that fetches tickets.
struct Ticketed {
    database: TestDatabase,
    queue: TicketQueue,
    fetching: JoinHandle<()>,
}

async fn queue(database: &TestDatabase) -> (SqlStore, TicketQueue) {
    let store = SqlStore::connect(&database.url, SqlOptions::default()).await.unwrap().with_tickets(TICKET);
    let queue = TicketQueue::new(store.postgres_pool().unwrap(), Arc::new(store.queue()));
    queue.install().await.unwrap();
    (store, queue)
}

fn fetch(queue: &TicketQueue) -> JoinHandle<()> {
    let queue = queue.clone();
    tokio::spawn(async move { queue.fetch().await })
}

async fn fresh() -> Ticketed {
    let database = postgres(env!("TEST_DATABASE_URL")).await;
    let (store, queue) = queue(&database).await;
    Ticketed { database: database.told_by(&store, queue.clone()), fetching: fetch(&queue), queue }
}

malecon_ports::run_contract!(
    fresh().await.database, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
);

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(60);

/// Waits until this run is claimed by the queue, which is told of it.
async fn is_claimed(queue: &TicketQueue, id: RunId) {
    let claimed = async {
        loop {
            queue.wait(LONG).await;
            if queue.claim(&[], LONG).await.is_ok_and(|run| run.is_some_and(|run| run.id == id)) {
                return;
            }
        }
    };
    tokio::time::timeout(LONG / 2, claimed).await.expect("told at once");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn another_process_is_told_at_once() {
    let here = fresh().await;
    here.fetching.abort();
    let (_, there) = queue(&here.database).await;
    let fetching = fetch(&there);
    let new = new_run(1);
    here.database.runs().add(&new).await.unwrap();
    is_claimed(&there, new.id).await;
    fetching.abort();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn tickets_that_mean_nothing_are_dropped_and_lost_ones_cost_no_run() {
    let store = fresh().await;
    let admin = SqlStore::connect(&store.database.url, SqlOptions::default()).await.unwrap();
    let pool = admin.postgres_pool().unwrap();
    for payload in ["{\"run\": \"nonsense\"}", "{}", "{\"run\": \"0190ffff-0000-7000-8000-000000000000\"}"] {
        let add = "SELECT malecon_queue.add_job('run', $1::json, max_attempts => 1::smallint)";
        sqlx::query(add).bind(payload).execute(&pool).await.unwrap();
    }
    let new = new_run(1);
    store.database.runs().add(&new).await.unwrap();
    is_claimed(&store.queue, new.id).await;

    store.fetching.abort();
    let lost = new_run(2);
    store.database.runs().add(&lost).await.unwrap();
    sqlx::query("DELETE FROM malecon_queue._private_jobs").execute(&pool).await.unwrap();
    assert_eq!(store.queue.claim(&[], LONG).await.unwrap().map(|run| run.id), Some(lost.id));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn fetching_goes_on_when_the_database_cuts_it_off() {
    let store = fresh().await;
    let admin = SqlStore::connect(&store.database.url, SqlOptions::default()).await.unwrap();
    let pool = admin.postgres_pool().unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for n in 0..3 {
        sqlx::query(cut).execute(&pool).await.unwrap();
        // A connection that was cut is known by failing once.
        let new = new_run(n);
        while store.database.runs().add(&new).await.is_err() {}
        is_claimed(&store.queue, new.id).await;
    }
}
