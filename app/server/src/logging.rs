//! Logs on standard error.

mod repeats;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::sync::LazyLock;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use self::repeats::Repeats;
use crate::config::LogFormat;
use crate::{Config, Failure};

/// Steps of migrations, tickets of runs, notices of PostgreSQL that a table is there, each retry, each lost connection.
const QUIET: &str = "sea_orm_migration=warn,sqlx::postgres::notice=warn,reqwest_retry=error,fred=error,\
     graphile_worker=warn,graphile_worker_migrations=warn";

/// Starts logging as the settings say. A second start in one process changes nothing.
pub(crate) fn start(config: &Config) -> Result<(), Failure> {
    let _ = logger(&config.log, config.log_format, std::io::stderr)?.try_init();
    Ok(())
}

/// What the log of this process has said lately.
static REPEATS: LazyLock<Repeats> = LazyLock::new(Repeats::default);

/// Tells of what was held back since it had been said already.
pub(crate) fn flush_repeats() {
    REPEATS.flush();
}

fn logger<W>(log: &str, format: LogFormat, writer: W) -> Result<impl Subscriber + Send + Sync, Failure>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let words = log.split(',').map(str::trim).filter(|word| !word.contains(['=', '[']));
    if let Some(word) = words
        .into_iter()
        .find(|word| word.parse::<LevelFilter>().is_err() && !word.contains("::") && *word != "malecon")
    {
        return Err(Failure::new(format!(
            "MALECON_LOG: {word} is none of error, warn, info, debug, trace, off"
        )));
    }
    // What others repeat, or say better than we could, is no news; what the operator names wins.
    let filter = EnvFilter::try_new(format!("{QUIET},{log}"))
        .map_err(|error| Failure::of(format!("MALECON_LOG is not a log filter: {log}"), error))?;
    let lines = fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let lines = lines.with_filter(&*REPEATS);
    Ok(tracing_subscriber::registry().with(filter).with(filter_fn(is_discreet)).with(lines))
}

/// SeaORM's spans of the lowest level tell the URL of the database, password and all: nobody gets
/// them, whatever is asked for.
fn is_discreet(metadata: &Metadata<'_>) -> bool {
    *metadata.level() != Level::TRACE || !metadata.target().starts_with("sea_orm")
}
