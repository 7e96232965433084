//! A database that is out of reach in the middle of it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use malecon::domain::{Overlap, Schedule, UserChange};
use malecon::ports::{RepositoryError, UserRepository, UserWrite};
use malecon_sql::testing::Held;
use malecon_sql::{SqlOptions, SqlStore};
use rstest::rstest;

use super::ground::{Engine, Ground, setting, until};
use super::target::{Answer, Target};
use crate::dam::{Dam, Gate};

/// How long the database is out of reach.
fn outage() -> Duration {
    Duration::from_secs(setting("MALECON_TEST_OUTAGE", 3))
}

/// Leases that lapse in that time, and leases that don't.
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

/// A dam before the database, and the URL of what is behind it.
async fn dammed(ground: &Ground) -> (Dam, String) {
    let mut url = url::Url::parse(&ground.url).unwrap();
    let dam = Dam::before(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(dam.address.port())).unwrap();
    (dam, url.to_string())
}

#[rstest]
#[case::shut_for_less_than_a_lease(Gate::Shut, LONG)]
#[case::shut_for_longer_than_a_lease(Gate::Shut, SHORT)]
#[case::frozen_for_less_than_a_lease(Gate::Frozen, LONG)]
#[case::frozen_for_longer_than_a_lease(Gate::Frozen, SHORT)]
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_worker_goes_on_when_its_database_is_back(#[case] gate: Gate, #[case] lease: Duration) {
    let ground = Ground::new(Engine::Postgres).await;
    let target = Target::start(|nth| if nth == 1 { Answer::Held } else { Answer::AtOnce }).await;
    let (dam, url) = dammed(&ground).await;
    let bounds = ["--workers", "8", "--per-host", "8"];
    let mut process = ground.process_with(&url, &bounds, lease).await;
    let task = ground.task(&target, 20, None).await;
    let runs = join_all((0..20).map(|_| ground.run(task))).await;
    target.reached(8).await;

    dam.turn(gate);
    // Nobody can be told how these have ended.
    target.let_go();
    tokio::time::sleep(outage()).await;
    dam.turn(Gate::Open);

    ground.all_over().await;
    let calls = target.calls();
    assert_eq!(calls.len(), runs.len());
    for run in &runs {
        let lost = ground.succeeded_once(run, &calls).await;
        assert!(lease == SHORT || lost == 0, "{lost} attempts were lost within one lease");
    }
    assert!(process.lives());
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn a_worker_whose_connections_are_dead_without_a_word_makes_others() {
    let ground = Ground::new(Engine::Postgres).await;
    let target = Target::start(|nth| if nth == 1 { Answer::Held } else { Answer::AtOnce }).await;
    let (dam, url) = dammed(&ground).await;
    let bounds = ["--workers", "8", "--per-host", "8"];
    let mut process = ground.process_with(&url, &bounds, LONG).await;
    let schedule = Schedule::new("* * * * * *", "UTC", Overlap::Allow).unwrap();
    let ticking = ground.task(&target, 20, Some(schedule)).await;
    let task = ground.task(&target, 20, None).await;
    let runs = join_all((0..20).map(|_| ground.run(task))).await;
    target.reached(8).await;

    let begun = Instant::now();
    dam.turn(Gate::Lost);
    target.let_go();
    let before = ground.runs(ticking).await.len();
    for run in &runs {
        ground.over(run).await;
        ground.succeeded_once(run, &target.calls()).await;
    }
    println!("all runs were over {:?} after the connections had died", begun.elapsed());
    until("a run of the schedule", async || (ground.runs(ticking).await.len() > before + 1).then_some(()))
        .await;
    println!("the schedule went on {:?} after they had", begun.elapsed());
    assert!(process.lives());
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn rows_that_a_vanished_process_holds_are_free_again_after_a_while() {
    let ground = Ground::new(Engine::Postgres).await;
    let vanishing = async |idle| {
        let options = SqlOptions { idle_in_transaction: idle, ..SqlOptions::default() };
        SqlStore::connect(&ground.url, options).await.unwrap()
    };
    let change = UserChange { disabled: Some(false), ..UserChange::default() };
    let users = ground.wired.store.users();
    let write = || users.change(ground.user.user_id, &change, None);

    let patient = vanishing(Duration::from_secs(600)).await;
    let held = Held::users(&patient).await;
    let refused = write().await;
    assert!(matches!(refused, Err(RepositoryError::Unavailable(_))), "they are held: {refused:?}");
    assert!(held.ends_well().await);

    let hasty = vanishing(Duration::from_secs(1)).await;
    let held = Held::users(&hasty).await;
    let taken = async || matches!(write().await, Ok(UserWrite::Done(_))).then_some(());
    until("a write of what was held", taken).await;
    assert!(!held.ends_well().await, "it lost its rows, and could not write");
}
