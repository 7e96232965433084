//! A database with a user, tasks and runs, and processes that work on it.

use std::collections::HashMap;
use std::time::Duration;

use malecon::domain::{
    Attempt, AttemptEnd, HttpMethod, Instant, Principal, RetryRule, Run, RunQuery, RunState, RunSummary,
    Schedule, SuccessRule, TaskConfig, TaskDraft,
};
use malecon::{ServiceError, TaskService, UserInput};
use malecon_server::wiring::{Wired, wire};
use malecon_sql::testing::{TestDatabase, postgres};

use super::process::{Process, config};
use super::target::Target;
use crate::support::{CONSUMER, Folder};

/// How long one waits for what comes within seconds, before one gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The engines of databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database of one's own, with one user.
pub struct Ground {
    pub url: String,
    pub wired: Wired,
    pub user: Principal,
    /// Lets 16 runs be under way at once, against one host too, unless told otherwise.
    pub flags: Vec<String>,
    _folder: Option<Folder>,
    _database: Option<TestDatabase>,
}

impl Ground {
    pub async fn new(engine: Engine) -> Self {
        let (folder, database, url) = match engine {
            Engine::Sqlite => {
                let folder = Folder::new();
                let url = format!("sqlite://{}/malecon.db?mode=rwc", folder.0.display());
                (Some(folder), None, url)
            }
            Engine::Postgres => {
                let database = postgres(env!("TEST_DATABASE_URL")).await;
                let url = database.url.clone();
                (None, Some(database), url)
            }
        };
        Self { _folder: folder, _database: database, ..Self::at(url).await }
    }

    /// On the database of this URL.
    pub async fn at(url: String) -> Self {
        let flags = flags(&url, &["--workers", "16", "--per-host", "16"]);
        let wired = wire(&config(&flags)).await.unwrap();
        wired.migrate().await.unwrap();
        let input = UserInput {
            name: Some("consumer".to_owned()),
            email: Some("consumer@demo.example".to_owned()),
            ..UserInput::default()
        };
        let user = wired.services.users.add_unattended(input).await.unwrap();
        wired.services.tokens.plant(user.id, CONSUMER).await.unwrap();
        Self { url, wired, user: Principal::from(&user), flags, _folder: None, _database: None }
    }

    pub fn tasks(&self) -> &TaskService {
        &self.wired.services.tasks
    }

    /// A process on it.
    pub async fn process(&self, lease: Duration) -> Process {
        Process::start(&self.flags, lease).await
    }

    /// A process on it with other bounds, or by another way to the database.
    pub async fn process_with(&self, url: &str, bounds: &[&str], lease: Duration) -> Process {
        Process::start(&flags(url, bounds), lease).await
    }

    /// A new task that calls the target. Its runs are tried again at once.
    pub async fn task(&self, target: &Target, max_attempts: u32, schedule: Option<Schedule>) -> i64 {
        self.add(Self::config(target, max_attempts, schedule)).await
    }

    /// What such a task does.
    pub fn config(target: &Target, max_attempts: u32, schedule: Option<Schedule>) -> TaskConfig {
        Self::config_of(target.url(), max_attempts, schedule)
    }

    /// The same of another target.
    pub fn config_of(base_url: String, max_attempts: u32, schedule: Option<Schedule>) -> TaskConfig {
        let retry = RetryRule { max_attempts, backoff: Duration::ZERO, ..RetryRule::default() };
        TaskConfig {
            base_url,
            method: HttpMethod::Get,
            payload: None,
            headers: vec![],
            timeout: TaskConfig::TIMEOUTS.1,
            redirects: 0,
            retry,
            success: SuccessRule::default(),
            schedule,
        }
    }

    /// A new task.
    pub async fn add(&self, config: TaskConfig) -> i64 {
        let draft = TaskDraft { name: "Tell the warehouse".to_owned(), config };
        self.tasks().add(&self.user, draft).await.unwrap().id
    }

    /// A new run of a task, asked for again while the store is too busy: then none was made.
    pub async fn run(&self, task: i64) -> RunSummary {
        loop {
            match self.tasks().execute(&self.user, task, None).await {
                Err(ServiceError::Unavailable { retry_after, .. }) => tokio::time::sleep(retry_after).await,
                run => return run.unwrap().summary(),
            }
        }
    }

    /// A run as it is now.
    pub async fn show(&self, run: &RunSummary) -> (Run, Vec<Attempt>) {
        self.tasks().show_run(&self.user, run.task_id.unwrap(), run.id).await.unwrap()
    }

    /// All runs of a task, the first one first.
    pub async fn runs(&self, task_id: i64) -> Vec<RunSummary> {
        let mut runs: Vec<RunSummary> = vec![];
        loop {
            let query = RunQuery { task_id, before: runs.last().map(|run| run.id), most: 100 };
            let page = self.tasks().runs(&self.user, &query).await.unwrap();
            if page.is_empty() {
                runs.reverse();
                return runs;
            }
            runs.extend(page);
        }
    }

    /// The run with its attempts when it is over.
    pub async fn over(&self, run: &RunSummary) -> (Run, Vec<Attempt>) {
        until(&format!("the end of {}", run.id), async || {
            let shown = self.show(run).await;
            shown.0.state.is_over().then_some(shown)
        })
        .await
    }

    /// Ends when no run of anybody waits or is under way.
    pub async fn all_over(&self) {
        until("the end of all runs", async || {
            let tally = self.tasks().tally_unattended().await.unwrap();
            (tally.queued + tally.running == 0).then_some(())
        })
        .await;
    }

    /// What time it is for the database; this makes a run of that task.
    pub async fn time(&self, task: i64) -> Instant {
        self.run(task).await.created_at
    }

    /// Checks that a run has succeeded at the last of its attempts, that the ones before it were lost,
    /// and that the target was called no more often than that; how many were lost.
    pub async fn succeeded_once(&self, run: &RunSummary, calls: &HashMap<String, usize>) -> usize {
        let (run, attempts) = self.show(run).await;
        assert_eq!(run.state, RunState::Succeeded, "{attempts:?}");
        let (last, lost) = attempts.split_last().unwrap();
        assert_eq!(last.end, Some(AttemptEnd::Succeeded), "{attempts:?}");
        assert!(lost.iter().all(|attempt| attempt.end == Some(AttemptEnd::Lost)), "{attempts:?}");
        let count = calls[&run.id.to_string()];
        assert!((1..=attempts.len()).contains(&count), "{count} calls in {attempts:?}");
        lost.len()
    }
}

fn flags(url: &str, bounds: &[&str]) -> Vec<String> {
    let flags = ["--database-url", url, "--listen", "127.0.0.1:0", "--rate-limit", "0"];
    let flags = flags.iter().chain(&["--allow-targets", "127.0.0.1"]).chain(bounds);
    flags.map(|flag| (*flag).to_owned()).collect()
}

/// Anything below it.
pub fn random(below: usize) -> usize {
    uuid::Uuid::new_v4().as_u128() as usize % below
}

/// The number in a variable that makes a test longer, or the short one.
pub fn setting(name: &str, short: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test has no other settings")]
    let value = std::env::var(name);
    value.map_or(short, |value| value.parse().unwrap())
}

/// What comes of it as soon as something does.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let Ok(found) = tokio::time::timeout(PATIENCE, looking).await else { panic!("{what} never comes") };
    found
}
