//! `malecon tasks`.

use clap::Subcommand;
use futures_util::{StreamExt, pin_mut};
use malecon::domain::{Page, RunState, TaskQuery, TaskSummary, UserQuery};
use malecon::{RunEvent, TaskService, UserService};
use malecon_http::Services;

use super::people::{operator, services};
use super::{Reader, print, print_to};
use crate::{Config, Failure};

/// The status of a task that never ran.
const PENDING: &str = "pending";

/// What can be done with integration tasks.
#[derive(Subcommand, Debug)]
pub enum TasksCommand {
    /// List tasks: number, owner, name, status, last run (UTC), schedule
    List {
        /// Only this user's
        #[arg(long)]
        user: Option<i64>,
        /// Only tasks whose last run is like this: pending, queued, running, succeeded, failed, cancelled
        #[arg(long, value_parser = status)]
        status: Option<Status>,
    },
    /// Print what happens to a user's runs until Ctrl-C: time (UTC), event, task, run, its status
    Follow {
        /// The user's number
        #[arg(long)]
        user: i64,
    },
}

/// The state of a last run; `None` for tasks that never ran.
#[derive(Clone, Copy, Debug)]
pub struct Status(Option<RunState>);

fn status(text: &str) -> Result<Status, String> {
    if text == PENDING {
        return Ok(Status(None));
    }
    let state = RunState::from_name(text)
        .ok_or_else(|| format!("there are {PENDING}, {}", RunState::ALL.map(RunState::name).join(", ")))?;
    Ok(Status(Some(state)))
}

pub(super) async fn tasks(config: &Config, command: TasksCommand) -> Result<(), Failure> {
    let services = services(config).await?;
    match command {
        TasksCommand::List { user, status } => {
            let owners = match user {
                Some(user) => vec![services.users.get(&operator(), user).await?.id],
                None => everybody(&services.users).await?,
            };
            for owner in owners {
                list(&services.tasks, owner, status).await?;
            }
            Ok(())
        }
        TasksCommand::Follow { user } => {
            let user = services.users.get(&operator(), user).await?.id;
            tokio::select! {
                followed = follow(&services, user) => followed,
                stopped = tokio::signal::ctrl_c() => {
                    stopped.map_err(|error| Failure::of("signals can't be heard", error))
                }
            }
        }
    }
}

/// The numbers of all users.
async fn everybody(users: &UserService) -> Result<Vec<i64>, Failure> {
    let mut all = vec![];
    for number in 1.. {
        let page = Page::new(number, Page::MAX_SIZE).unwrap_or_default();
        let found = users.list_unattended(&UserQuery { sort: vec![], page }).await?;
        all.extend(found.items.iter().map(|user| user.id));
        if u64::from(number) * u64::from(Page::MAX_SIZE) >= found.total {
            break;
        }
    }
    Ok(all)
}

async fn list(tasks: &TaskService, owner: i64, status: Option<Status>) -> Result<(), Failure> {
    for number in 1.. {
        let page = Page::new(number, Page::MAX_SIZE).unwrap_or_default();
        let query = TaskQuery { state: status.map(|status| status.0), page, ..TaskQuery::default() };
        let found = tasks.list_unattended(owner, &query).await?;
        found.items.iter().try_for_each(|task| print(&line(task)))?;
        if u64::from(number) * u64::from(Page::MAX_SIZE) >= found.total {
            break;
        }
    }
    Ok(())
}

async fn follow(services: &Services, user: i64) -> Result<(), Failure> {
    let events = services.tasks.watch_unattended(user).await?;
    pin_mut!(events);
    while let Some(event) = events.next().await {
        let now = services.answers.now().format("%F %T");
        if print_to(&format!("{now}\t{}\n", event_line(&event)))? == Reader::Gone {
            break;
        }
    }
    Ok(())
}

fn line(task: &TaskSummary) -> String {
    let last = task.last_run.as_ref();
    let state = last.map_or(PENDING, |run| run.state.name());
    let made = last.map_or_else(|| "-".to_owned(), |run| run.created_at.format("%F %T").to_string());
    let schedule = task.config.schedule.as_ref();
    let schedule = schedule
        .map_or_else(|| "-".to_owned(), |schedule| format!("{} {}", schedule.cron(), schedule.zone()));
    format!("{}\t{}\t{}\t{state}\t{made}\t{schedule}\n", task.id, task.owner, task.name)
}

fn event_line(RunEvent { kind, run }: &RunEvent) -> String {
    let task = run.task_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    format!("{}\t{task}\t{}\t{}", kind.name(), run.id, run.state.name())
}
