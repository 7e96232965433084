//! Clocks that are put forward and back, and clocks of processes that are wrong.

use chrono::{DateTime, TimeDelta};
use futures_util::future::join_all;
use malecon_domain::{Instant, Overlap, Schedule};
use malecon_ports::Clock;
use rstest::rstest;

use super::bench::{Bench, SECOND, draft};
use super::*;

/// A clock that is wrong by so much.
struct Wrong {
    clock: Arc<dyn Clock>,
    by: TimeDelta,
}

#[async_trait::async_trait]
impl Clock for Wrong {
    fn now(&self) -> Instant {
        self.clock.now() + self.by
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}

/// Processes whose clocks are wrong by so many hours.
fn processes(bench: &Bench, hours: &[i64]) -> Vec<TaskService> {
    let wrong = |hours: &i64| Wrong { clock: bench.clock.clone(), by: TimeDelta::hours(*hours) };
    hours.iter().map(|hours| bench.with_clock(Arc::new(wrong(hours)))).collect()
}

async fn scheduled(bench: &Bench, cron: &str, zone: &str) -> i64 {
    let mut draft = draft("http://a/");
    draft.config.schedule = Some(Schedule::new(cron, zone, Overlap::Allow).unwrap());
    bench.tasks.add(&bench.ana, draft).await.unwrap().id
}

/// They all look at once, so often, with a wait before each time.
async fn look(bench: &Bench, processes: &[TaskService], wait: Duration, times: u32) {
    for _ in 0..times {
        bench.clock.advance(wait);
        for made in join_all(processes.iter().map(TaskService::tick_unattended)).await {
            made.unwrap();
        }
    }
}

/// When the runs of a task were made, by the store's clock.
async fn made(bench: &Bench, task: i64) -> Vec<Instant> {
    let query = RunQuery { most: 1_000, ..RunQuery::latest(task) };
    let runs = bench.tasks.runs(&bench.ana, &query).await.unwrap();
    let mut made: Vec<_> = runs.iter().map(|run| run.created_at).collect();
    made.sort();
    made
}

#[rstest]
#[case::spring_berlin("30 2 * * *", "Europe/Berlin", "2024-03-30T12:00:00Z", ["31 01:00", "01 00:30"])]
#[case::autumn_berlin("30 2 * * *", "Europe/Berlin", "2024-10-26T12:00:00Z", ["27 00:30", "28 01:30"])]
#[case::spring_new_york("15 2 * * *", "America/New_York", "2024-03-09T12:00:00Z", ["10 07:00", "11 06:15"])]
#[case::autumn_new_york("15 1 * * *", "America/New_York", "2024-11-02T12:00:00Z", ["03 05:15", "04 06:15"])]
#[case::spring_lord_howe("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00:00Z", ["05 15:30", "06 15:15"])]
#[case::autumn_lord_howe("45 1 * * *", "Australia/Lord_Howe", "2024-04-06T00:00:00Z", ["06 14:45", "07 15:15"])]
#[tokio::test]
async fn clocks_that_are_put_forward_or_back_leave_out_no_run_and_make_none_twice(
    #[case] cron: &str,
    #[case] zone: &str,
    #[case] from: &str,
    #[case] wanted: [&str; 2],
) {
    let bench = Bench::new().await;
    let from = DateTime::parse_from_rfc3339(from).unwrap().to_utc();
    bench.clock.advance((from - bench.clock.now()).to_std().unwrap());
    let task = scheduled(&bench, cron, zone).await;
    look(&bench, &processes(&bench, &[0, 0, 0]), SECOND * 60, 48 * 60).await;
    let made: Vec<_> = made(&bench, task).await.iter().map(|at| at.format("%d %H:%M").to_string()).collect();
    assert_eq!(made, wanted);
}

#[rstest]
#[case::ahead(&[1])]
#[case::behind(&[-1])]
#[case::among_others(&[1, -1, 0])]
#[tokio::test]
async fn who_has_a_wrong_clock_makes_each_run_when_it_is_due(#[case] hours: &[i64]) {
    let bench = Bench::new().await;
    let task = scheduled(&bench, "* * * * * *", "UTC").await;
    let processes = processes(&bench, hours);
    look(&bench, &processes, Duration::ZERO, 1).await;
    let start = bench.clock.now();
    look(&bench, &processes, SECOND / 4, 4 * 60).await;
    let wanted: Vec<_> = (1..=60).map(|second| start + TimeDelta::seconds(second)).collect();
    assert_eq!(made(&bench, task).await, wanted);
}

#[rstest]
#[case::two_minutes(120)]
#[case::a_day(24 * 60 * 60)]
#[tokio::test]
async fn a_clock_that_is_put_back_silences_no_schedule(#[case] seconds: u32) {
    let bench = Bench::new().await;
    let task = scheduled(&bench, "* * * * *", "UTC").await;
    let daily = scheduled(&bench, "30 22 14 * *", "UTC").await;
    let processes = processes(&bench, &[0, 0]);
    // From 22:13:20 on: until the daily one has just been.
    look(&bench, &processes, SECOND, 17 * 60).await;
    assert_eq!((made(&bench, task).await.len(), made(&bench, daily).await.len()), (17, 1));
    bench.clock.put_back(SECOND * seconds);
    look(&bench, &processes, SECOND, 10 * 60).await;
    assert_eq!(made(&bench, task).await.len(), 27, "a run a minute, as ever");
    // What was a moment ago is not done once more.
    assert_eq!(made(&bench, daily).await.len(), 1);

    bench.clock.put_back(SECOND * 120);
    let restarted = self::processes(&bench, &[0]);
    look(&bench, &restarted, SECOND, 60).await;
    assert_eq!(made(&bench, task).await.len(), 28, "nobody knows how late it was");
}
