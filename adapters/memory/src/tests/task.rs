//! Tasks and their runs.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use malecon_domain::{HttpMethod, Job, NewRun, RetryRule, RunId, SuccessRule, TaskConfig};
use malecon_ports::contract::task::TaskStore;
use malecon_ports::contract::user::UserStore;
use malecon_ports::{
    Clock, KeyRepository, RunRepository, ScheduleRepository, SessionRepository, TaskQueue, TaskRepository,
    TokenRepository, UserRepository,
};

use crate::{ManualClock, MemoryDogs, MemoryTasks, MemoryUsers};

/// All that runs belong to, and what comes with them.
pub(super) struct Store(MemoryUsers, MemoryTasks, pub(super) MemoryDogs);

impl Store {
    pub(super) fn new() -> Self {
        let users = MemoryUsers::new();
        let tasks = MemoryTasks::new(users.clone());
        Self(users.clone(), tasks.clone(), MemoryDogs::new(users, tasks))
    }
}

impl UserStore for Store {
    fn users(&self) -> &dyn UserRepository {
        &self.0
    }

    fn tokens(&self) -> &dyn TokenRepository {
        &self.0
    }

    fn sessions(&self) -> &dyn SessionRepository {
        &self.0
    }

    fn keys(&self) -> &dyn KeyRepository {
        &self.0
    }
}

impl TaskStore for Store {
    fn tasks(&self) -> &dyn TaskRepository {
        &self.1
    }

    fn schedules(&self) -> &dyn ScheduleRepository {
        &self.1
    }

    fn runs(&self) -> &dyn RunRepository {
        &self.1
    }

    fn queue(&self) -> &dyn TaskQueue {
        &self.1
    }
}

malecon_ports::task_contract!(Store::new());

mod schedule {
    malecon_ports::schedule_contract!(super::Store::new());
}

mod run {
    malecon_ports::run_contract!(super::Store::new());
}

/// A run to be, due after so long.
fn run(n: u128, delay: Duration) -> NewRun {
    let config = TaskConfig {
        base_url: "https://example.org".to_owned(),
        method: HttpMethod::Get,
        payload: None,
        headers: vec![],
        timeout: TaskConfig::DEFAULT_TIMEOUT,
        redirects: 0,
        retry: RetryRule::default(),
        success: SuccessRule::default(),
        schedule: None,
    };
    NewRun {
        id: RunId::from_u128(n),
        owner: None,
        task_id: None,
        job: Job::Call(config),
        lane: "example.org:443".to_owned(),
        max_attempts: 3,
        delay,
        once: None,
        replayed_from: None,
        most_open: None,
    }
}

#[tokio::test]
async fn time_is_that_of_the_clock() {
    let clock = Arc::new(ManualClock::new(chrono::DateTime::UNIX_EPOCH));
    let tasks = MemoryTasks::with_clock(MemoryUsers::new(), clock.clone());
    let day = Duration::from_secs(86_400);
    RunRepository::add(&tasks, &run(1, day)).await.unwrap();
    assert_eq!(tasks.claim(&[], day).await.unwrap(), None);
    clock.advance(day + Duration::from_secs(5));
    assert_eq!(tasks.tally().await.unwrap().longest_wait, Duration::from_secs(5));
    let first = tasks.claim(&[], day).await.unwrap().unwrap();
    assert_eq!(first.started_at, Some(clock.now()));
    assert_eq!(tasks.clone().claim(&[], day).await.unwrap(), None, "clones share them");
    clock.advance(day);
    assert_eq!(tasks.claim(&[], day).await.unwrap().map(|run| run.attempts), Some(2));
}

#[tokio::test]
async fn one_run_wakes_all_who_wait_and_one_who_comes_late() {
    let tasks = MemoryTasks::new(MemoryUsers::new());
    let long = Duration::from_secs(3_600);
    let is_back = |wait: &mut std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>| {
        wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    };
    let mut waits = [tasks.wait(long), tasks.wait(long)];
    assert!(!waits.iter_mut().any(is_back));
    RunRepository::add(&tasks, &run(1, Duration::ZERO)).await.unwrap();
    assert!(waits.iter_mut().all(is_back));
    let late = [tasks.wait(long), tasks.wait(long)].each_mut().map(is_back);
    assert_eq!(late, [true, false]);
}
