//! Logs on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogFormat;
use crate::{Config, Failure};

/// Steps of migrations, notices of PostgreSQL that a table is there, each retry, each lost connection.
const QUIET: &str = "sea_orm_migration=warn,sqlx::postgres::notice=warn,reqwest_retry=error,fred=error";

/// Starts logging as the settings say. A second start in one process changes nothing.
pub(crate) fn start(config: &Config) -> Result<(), Failure> {
    let words = config.log.split(',').map(str::trim).filter(|word| !word.contains(['=', '[']));
    if let Some(word) = words
        .into_iter()
        .find(|word| word.parse::<LevelFilter>().is_err() && !word.contains("::") && *word != "malecon")
    {
        return Err(Failure::new(format!(
            "MALECON_LOG: {word} is none of error, warn, info, debug, trace, off"
        )));
    }
    // What others repeat, or say better than we could, is no news; what the operator names wins.
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.log))
        .map_err(|error| Failure::of(format!("MALECON_LOG is not a log filter: {}", config.log), error))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match config.log_format {
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    Ok(())
}
