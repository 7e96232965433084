//! A database that is out of reach in the middle of it.

use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;

use super::ground::{Engine, Ground};
use super::target::{Answer, Target};
use crate::dam::{Dam, Gate};

/// How long the database is out of reach.
const OUTAGE: Duration = Duration::from_secs(3);
/// Leases that lapse in that time, and leases that don't.
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

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
    let mut url = url::Url::parse(&ground.url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let dam = Dam::before(server).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(dam.address.port())).unwrap();
    let bounds = ["--workers", "8", "--per-host", "8"];
    let mut process = ground.process_with(url.as_str(), &bounds, lease).await;
    let task = ground.task(&target, 20, None).await;
    let runs = join_all((0..20).map(|_| ground.run(task))).await;
    target.reached(8).await;

    dam.turn(gate);
    // Nobody can be told how these have ended.
    target.let_go();
    tokio::time::sleep(OUTAGE).await;
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
