//! Jobs: who sees them, what is made again, and which ticks make runs.

use malecon_domain::{AttemptEnd, Next, RunState, Trace};
use malecon_memory::{ManualClock, MemoryTasks};
use malecon_ports::{RunLease, TaskQueue};

use super::*;
use crate::task::tests::bench::{Bench, SECOND, background, draft};
use crate::{Worker, WorkerPorts, WorkerSettings};

fn service(store: &MemoryTasks, clock: &Arc<ManualClock>) -> JobService {
    let store = Arc::new(store.clone());
    JobService::new(JobPorts { runs: store.clone(), schedules: store, clock: clock.clone() })
}

async fn finish(bench: &Bench, next: Next) {
    let run = bench.store.claim(&[], SECOND * 30).await.unwrap().unwrap();
    let lease = RunLease { id: run.id, attempt: run.attempts };
    assert!(bench.store.finish(&lease, next, &Trace::default()).await.unwrap());
}

#[tokio::test]
async fn a_job_is_its_owners_and_administrators_alone() {
    let bench = Bench::new().await;
    let jobs = service(&bench.store, &bench.clock);
    let run = jobs.draft(Job::Picture { dog: 1 }, Some(bench.ana.user_id));
    jobs.add_unattended(&run).await.unwrap();
    let other = Principal { user_id: bench.ana.user_id + 1, ..bench.ana.clone() };
    assert_eq!(jobs.find(&bench.ana, run.id).await.unwrap().0.job, run.job);
    assert!(matches!(jobs.find(&other, run.id).await, Err(ServiceError::NotFound)));
    assert_eq!(jobs.find(&bench.admin, run.id).await.unwrap().0.id, run.id);

    let task = bench.tasks.add(&bench.ana, draft("http://a/")).await.unwrap();
    let call = bench.tasks.execute(&bench.ana, task.id, None).await.unwrap();
    let shown = jobs.find(&bench.ana, call.id).await;
    assert!(matches!(shown, Err(ServiceError::NotFound)), "runs of tasks are shown with their tasks");
}

#[tokio::test]
async fn a_job_that_is_over_can_be_done_again() {
    let bench = Bench::new().await;
    let jobs = service(&bench.store, &bench.clock);
    let run = jobs.draft(Job::Picture { dog: 7 }, Some(bench.ana.user_id));
    jobs.add_unattended(&run).await.unwrap();
    let early = jobs.replay(&bench.ana, run.id).await.unwrap_err();
    assert!(matches!(early, ServiceError::Conflict { code: "job_under_way", .. }));
    finish(&bench, Next::Over(AttemptEnd::Failed)).await;
    let again = jobs.replay(&bench.ana, run.id).await.unwrap();
    assert_eq!((again.job, again.owner), (run.job, run.owner));
    assert_eq!((again.replayed_from, again.state), (Some(run.id), RunState::Queued));
}

#[tokio::test]
async fn a_tick_makes_one_run_however_many_look_and_however_many_were_missed() {
    let bench = Bench::new().await;
    let jobs = service(&bench.store, &bench.clock);
    let plans = || [Plan::new(Job::Sync, Rhythm::Every(SECOND * 60))];
    let (mut here, mut there) = (plans(), plans());
    assert_eq!(jobs.tick_unattended(&mut here).await.unwrap(), 1);
    assert_eq!(jobs.tick_unattended(&mut here).await.unwrap(), 0);
    assert_eq!(jobs.tick_unattended(&mut there).await.unwrap(), 0, "another process");
    assert_eq!(jobs.tick_unattended(&mut plans()).await.unwrap(), 0, "one that was started anew");
    bench.clock.advance(SECOND * 600);
    assert_eq!(jobs.tick_unattended(&mut here).await.unwrap(), 1, "the last of ten");
    assert_eq!(jobs.tick_unattended(&mut there).await.unwrap(), 0);

    let mut later = plans().map(Plan::from_the_next_tick);
    bench.clock.advance(SECOND * 60);
    assert_eq!(jobs.tick_unattended(&mut later).await.unwrap(), 0);
    bench.clock.advance(SECOND * 60);
    assert_eq!(jobs.tick_unattended(&mut later).await.unwrap(), 1);
}

#[tokio::test]
async fn a_job_that_nobody_does_waits() {
    let bench = Bench::new().await;
    let jobs = service(&bench.store, &bench.clock);
    let run = jobs.add_unattended(&jobs.draft(Job::Report, None)).await.unwrap();
    let ports = WorkerPorts {
        queue: Arc::new(bench.store.clone()),
        clock: bench.clock.clone(),
        background: background(),
    };
    let worker = Worker::new(ports, WorkerSettings::default(), vec![(JobKind::Call, bench.tasks.handler())]);
    let stop = async {
        while jobs.ports.runs.find(run.id).await.unwrap().unwrap().attempts == 0 {
            tokio::task::yield_now().await;
        }
    };
    worker.work(stop).await;
    let run = jobs.ports.runs.find(run.id).await.unwrap().unwrap();
    assert_eq!((run.state, run.attempts), (RunState::Queued, 1));
    let reason = jobs.ports.runs.attempts(run.id).await.unwrap()[0].trace.reason.clone();
    assert_eq!(reason.as_deref(), Some("this program does no report"));
}

#[test]
fn waits_grow_and_stay_within_their_bound() {
    for attempt in 1..200 {
        let most = LONGEST_BACKOFF.min(BACKOFF * 2_u32.saturating_pow(attempt.min(20) - 1));
        assert!(backoff(attempt) <= most, "{attempt}");
    }
    assert!((0..100).any(|_| backoff(100) > LONGEST_BACKOFF / 2));
}
