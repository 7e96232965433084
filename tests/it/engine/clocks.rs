//! Processes whose clocks are an hour off: the database's clock alone counts.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use malecon::domain::{AllowList, Instant, Overlap, Schedule};
use malecon::ports::Clock;
use malecon::{JobPorts, JobService, TaskPorts, TaskService, Worker, WorkerPorts, WorkerSettings};
use malecon_crypto::XChaChaSealer;
use malecon_http::Services;
use malecon_memory::SystemClock;
use malecon_server::schedule;
use malecon_server::wiring::{background, handlers, offload};
use malecon_upstream::{TargetOptions, Targets};
use rstest::rstest;
use tokio::task::JoinSet;

use super::ground::{Engine, Ground};
use super::schedules::{one_for_each_tick, with_so_many};
use super::target::Target;

/// The machine's clock, off by so much.
struct Wrong(TimeDelta);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Instant {
        SystemClock.now() + self.0
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }
}

/// What a process does whose clock is wrong: it keeps schedules and takes up runs.
fn work(ground: &Ground, clock: Arc<dyn Clock>, tasks: &mut JoinSet<()>) {
    let store = &ground.wired.store;
    let allow = AllowList::parse("127.0.0.1").unwrap();
    let jobs = JobPorts {
        runs: Arc::new(store.runs()),
        schedules: Arc::new(store.schedules()),
        clock: Arc::clone(&clock),
    };
    let ports = TaskPorts {
        tasks: Arc::new(store.tasks()),
        runs: Arc::new(store.runs()),
        schedules: Arc::new(store.schedules()),
        targets: Arc::new(Targets::new(TargetOptions { allow, ..TargetOptions::default() }).unwrap()),
        sealer: Arc::new(XChaChaSealer),
        keys: Arc::new(store.seal_keys()),
        clock: Arc::clone(&clock),
        offload: offload(),
    };
    let (service, jobs) = (TaskService::new(ports, None), JobService::new(jobs));
    let services = Services { tasks: service.clone(), jobs, ..ground.wired.services.clone() };
    let queue = WorkerPorts { queue: Arc::new(store.queue()), clock, background: background() };
    let settings = WorkerSettings { lease: Duration::from_secs(60), ..WorkerSettings::default() };
    let worker = Worker::new(queue, settings, handlers(&services));
    tasks.spawn(schedule::tick(service));
    tasks.spawn(async move { worker.work(pending()).await });
}

#[rstest]
#[case::ahead_on_sqlite(Engine::Sqlite, &[1])]
#[case::behind_on_sqlite(Engine::Sqlite, &[-1])]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::both_on_postgres(Engine::Postgres, &[1, -1])]
#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_wrong_clock_makes_no_run_twice_or_too_soon_and_leaves_none_out(
    #[case] engine: Engine,
    #[case] hours: &[i64],
) {
    let (ground, target) = (Ground::new(engine).await, Target::quick().await);
    let clock = ground.task(&target, 1, None).await;
    let start = ground.time(clock).await;
    let schedule = Schedule::new("* * * * * *", "Asia/Kathmandu", Overlap::Allow).unwrap();
    let task = ground.task(&target, 3, Some(schedule)).await;
    let mut tasks = JoinSet::new();
    for hours in hours {
        work(&ground, Arc::new(Wrong(TimeDelta::hours(*hours))), &mut tasks);
    }
    let runs = with_so_many(&ground, task, 8).await;
    one_for_each_tick(&runs, start, 1);
    for run in &runs {
        ground.over(run).await;
        assert_eq!(ground.succeeded_once(run, &target.calls()).await, 0);
    }
}
