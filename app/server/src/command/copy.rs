//! `malecon copy`.

use std::path::PathBuf;
use std::sync::Arc;

use malecon_queue::TicketQueue;
use malecon_sql::{CopySource, SqlOptions, SqlStore, empty_target};

use super::print;
use crate::config::read_secret;
use crate::{Config, Failure};

/// Where a copy goes.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Copy {
    /// The PostgreSQL database, e.g. postgres://USER:PASSWORD@HOST/NAME; it must be empty
    #[arg(long)]
    pub to: Option<String>,
    /// File that holds its URL, so that no password is on a command line
    #[arg(long)]
    pub to_file: Option<PathBuf>,
}

/// Copies everything of a SQLite database to an empty one of PostgreSQL.
///
/// # Errors
/// Nothing was copied then: the target has at most a schema, and can be copied to again.
pub async fn copy(config: &Config, copy: &Copy) -> Result<(), Failure> {
    let to = match (&copy.to, &copy.to_file) {
        (Some(url), _) => url.clone(),
        (None, Some(file)) => read_secret("--to-file", file)?,
        (None, None) => return Err(Failure::new("--to or --to-file is missing")),
    };
    if !config.database_url.starts_with("sqlite:") {
        return Err(Failure::new(
            "DATABASE_URL must be a SQLite database: a copy goes from SQLite to PostgreSQL, not back",
        ));
    }
    let failed = |error| Failure::of("nothing was copied", error);
    let mut source = CopySource::open(&config.database_url).await.map_err(failed)?;
    empty_target(&to).await.map_err(failed)?;
    migrate(&to).await?;
    let copied = malecon_sql::copy(&mut source, &to).await.map_err(failed)?;
    source.close().await;
    let mut text = format!("{:>10}  {}\n", "rows", "table");
    for table in &copied {
        text.push_str(&format!("{:>10}  {}\n", table.rows, table.table));
    }
    let rows: u64 = copied.iter().map(|table| table.rows).sum();
    text.push_str(&format!(
        "{rows:>10}  in all, counted on both sides\n\
         Now start servers and workers with the new DATABASE_URL, and put the SQLite file away.\n"
    ));
    print(&text)
}

/// As a server that starts there does.
async fn migrate(to: &str) -> Result<(), Failure> {
    let failed = |error| Failure::of("the target can't be migrated", error);
    let store = SqlStore::connect(to, SqlOptions::default()).await.map_err(failed)?;
    store.migrate().await.map_err(failed)?;
    if let Some(pool) = store.postgres_pool() {
        TicketQueue::new(pool, Arc::new(store.queue())).install().await.map_err(failed)?;
    }
    store.close().await;
    Ok(())
}
