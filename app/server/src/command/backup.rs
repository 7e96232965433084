//! `malecon backup`.

use std::path::PathBuf;

use malecon_sql::postgres_commands;

use super::print;
use super::signals::Signals;
use crate::{Config, Failure};

/// Where a backup goes.
#[derive(clap::Args, Debug)]
pub struct Backup {
    /// File to write
    pub file: PathBuf,
    /// Replace a file that is there already
    #[arg(long)]
    pub force: bool,
}

/// Copies the database into a file, while servers and workers use it; of PostgreSQL, tells how.
///
/// # Errors
/// There is no backup then, and a file that was there before still is.
pub async fn backup(config: &Config, backup: &Backup) -> Result<(), Failure> {
    let Backup { file, force } = backup;
    let failed = |error| Failure::of("there is no backup", error);
    if !config.database_url.starts_with("sqlite:") {
        let [dump, restore] = postgres_commands(&config.database_url, file).map_err(failed)?;
        print(&format!(
            "PostgreSQL has its own tools, which ask for the password, or read PGPASSWORD or ~/.pgpass:\n  \
             {dump}\nand to bring it back, with all servers and workers stopped:\n  {restore}\n"
        ))?;
        return Err(Failure::new("nothing was written: PostgreSQL is backed up with pg_dump"));
    }
    let signals = Signals::hear()?;
    let bytes = tokio::select! {
        bytes = malecon_sql::backup(&config.database_url, file, *force) => bytes.map_err(failed)?,
        () = signals.told() => {
            return Err(Failure::new("there is no backup: it was interrupted"));
        }
    };
    print(&format!("{}: {bytes} bytes, checked\n", file.display()))
}
