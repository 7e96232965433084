//! What is told of runs, under a clock that the tests turn.

use std::pin::Pin;
use std::sync::Mutex;

use futures_util::{FutureExt, StreamExt};
use malecon_domain::{AttemptEnd, Next, Trace};
use malecon_ports::{MockRunRepository, RunLease, TaskQueue};

use super::*;
use crate::task::tests::bench::{Bench, SECOND, draft};

type Events = Pin<Box<dyn Stream<Item = RunEvent> + Send>>;

/// What is told after the next look.
fn told(bench: &Bench, events: &mut Events) -> Vec<(RunId, &'static str)> {
    let mut told = vec![];
    for turned in [Duration::ZERO, POLL] {
        bench.clock.advance(turned);
        while let Some(event) = events.next().now_or_never() {
            let event = event.expect("it has no end");
            told.push((event.run.id, event.kind.name()));
        }
    }
    told
}

async fn watch(bench: &Bench) -> Events {
    Box::pin(bench.tasks.watch(&bench.ana).await.unwrap())
}

async fn execute(bench: &Bench) -> RunId {
    let task = bench.tasks.add(&bench.ana, draft("http://a/")).await.unwrap();
    bench.clock.advance(Duration::from_millis(1));
    bench.tasks.execute(&bench.ana, task.id, None).await.unwrap().id
}

async fn begin(bench: &Bench) -> RunLease {
    let run = bench.store.claim(&[], SECOND * 3_600).await.unwrap().unwrap();
    RunLease { id: run.id, attempt: run.attempts }
}

async fn end(bench: &Bench, lease: &RunLease, next: Next) {
    assert!(bench.store.finish(lease, next, &Trace::default()).await.unwrap());
}

const DONE: Next = Next::Over(AttemptEnd::Succeeded);

#[tokio::test]
async fn what_happens_is_told_once_and_in_order() {
    let bench = Bench::new().await;
    let mut events = watch(&bench).await;
    assert_eq!(told(&bench, &mut events), []);
    let slow = execute(&bench).await;
    assert_eq!(told(&bench, &mut events), [(slow, "queued")]);
    let lease = begin(&bench).await;
    assert_eq!(told(&bench, &mut events), [(slow, "started")]);
    assert_eq!(told(&bench, &mut events), []);

    let quick = execute(&bench).await;
    let quick_lease = begin(&bench).await;
    end(&bench, &quick_lease, DONE).await;
    let all = [(quick, "queued"), (quick, "started"), (quick, "finished")];
    assert_eq!(told(&bench, &mut events), all);

    end(&bench, &lease, Next::Again(Duration::ZERO)).await;
    assert_eq!(told(&bench, &mut events), [], "it waits for its next attempt");
    let lease = begin(&bench).await;
    end(&bench, &lease, DONE).await;
    assert_eq!(told(&bench, &mut events), [(slow, "started"), (slow, "finished")]);
    let cancelled = execute(&bench).await;
    bench.store.cancel(cancelled).await.unwrap();
    assert_eq!(told(&bench, &mut events), [(cancelled, "queued"), (cancelled, "finished")]);
    assert_eq!(told(&bench, &mut events), []);
}

#[tokio::test]
async fn what_was_there_before_is_not_told_but_how_it_goes_on() {
    let bench = Bench::new().await;
    execute(&bench).await;
    let lease = begin(&bench).await;
    end(&bench, &lease, DONE).await;
    let waiting = execute(&bench).await;
    let mut events = watch(&bench).await;
    let made_at_once = execute(&bench).await;
    assert_eq!(told(&bench, &mut events), [(made_at_once, "queued")], "before the first look, but after");
    let lease = begin(&bench).await;
    end(&bench, &lease, DONE).await;
    assert_eq!(told(&bench, &mut events), [(waiting, "started"), (waiting, "finished")]);
}

#[tokio::test]
async fn others_runs_and_runs_that_are_removed_are_not_told() {
    let bench = Bench::new().await;
    let mut events: Events = Box::pin(bench.tasks.watch(&bench.admin).await.unwrap());
    execute(&bench).await;
    assert_eq!(told(&bench, &mut events), []);
    let mut events = watch(&bench).await;
    let task = bench.tasks.list(&bench.ana, &Default::default()).await.unwrap().items[0].id;
    bench.tasks.remove(&bench.ana, task).await.unwrap();
    assert_eq!(told(&bench, &mut events), []);
}

#[tokio::test]
async fn a_slow_run_is_not_lost_behind_many_later_ones() {
    let bench = Bench::new().await;
    let slow = execute(&bench).await;
    let slow_lease = begin(&bench).await;
    let mut events = watch(&bench).await;
    for _ in 0..MOST {
        execute(&bench).await;
        let lease = begin(&bench).await;
        end(&bench, &lease, DONE).await;
    }
    assert_eq!(told(&bench, &mut events).len(), 3 * MOST as usize - 3, "the slow one has its place");
    end(&bench, &slow_lease, DONE).await;
    assert!(told(&bench, &mut events).contains(&(slow, "finished")));
    assert_eq!(told(&bench, &mut events), []);
}

#[tokio::test]
async fn what_had_no_room_at_first_is_not_new() {
    let bench = Bench::new().await;
    let mut first = vec![];
    for _ in 0..MOST + 5 {
        first.push(execute(&bench).await);
    }
    let mut events = watch(&bench).await;
    let last = *first.last().unwrap();
    bench.store.cancel(last).await.unwrap();
    assert_eq!(told(&bench, &mut events), [(last, "finished")], "another has its place now");
    assert_eq!(told(&bench, &mut events), []);
    let new = execute(&bench).await;
    assert_eq!(told(&bench, &mut events), [(new, "queued")]);
}

/// Counts warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<usize>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        *self.0.lock().unwrap() += 1;
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_store_that_fails_for_a_while_is_asked_again_and_told_of_once() {
    let bench = Bench::new().await;
    let asked = Arc::new(Mutex::new(0));
    let mut runs = MockRunRepository::new();
    let (store, counted) = (bench.store.clone(), Arc::clone(&asked));
    runs.expect_recent().returning(move |owner, most| {
        let mut asked = counted.lock().unwrap();
        *asked += 1;
        match *asked {
            3..6 => Err(RepositoryError::Unavailable("gone".into())),
            _ => store.recent(owner, most).now_or_never().expect("it is in RAM"),
        }
    });
    let watch = Watch::begin(Arc::new(runs), bench.clock.clone(), bench.ana.user_id).await.unwrap();
    let mut events: Events = Box::pin(watch.events());
    let warnings = Warnings::default();
    let _here = tracing::subscriber::set_default(warnings.clone());
    assert_eq!(told(&bench, &mut events), []);
    let run = execute(&bench).await;
    assert_eq!(told(&bench, &mut events), []);
    assert_eq!(*asked.lock().unwrap(), 3);
    assert_eq!(told(&bench, &mut events), []);
    assert_eq!(*asked.lock().unwrap(), 3, "it has its rest");
    for count in [4, 5] {
        assert_eq!(told(&bench, &mut events), []);
        assert_eq!((*asked.lock().unwrap(), told(&bench, &mut events)), (count, vec![]));
    }
    assert_eq!(told(&bench, &mut events), [(run, "queued")]);
    assert_eq!(*warnings.0.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_store_that_fails_at_first_is_told() {
    let mut runs = MockRunRepository::new();
    runs.expect_recent().returning(|_, _| Err(RepositoryError::Unavailable("gone".into())));
    let bench = Bench::new().await;
    assert!(Watch::begin(Arc::new(runs), bench.clock.clone(), 1).await.is_err());
}
