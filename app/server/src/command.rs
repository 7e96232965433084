//! The command line.

mod backup;
mod copy;
mod people;
mod serve;
mod signals;
mod small;
mod tasks;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::{check_names, show};
use crate::{Config, Failure, logging};

pub use backup::{Backup, backup};
pub use copy::{Copy, copy};
pub use people::{TokenCommand, UserCommand};
pub use serve::{Running, Working, start, start_worker};
pub use tasks::TasksCommand;

/// A sea wall between programs and the public APIs they depend on.
#[derive(Parser, Debug)]
#[command(name = "malecon", version, max_term_width = 100)]
pub struct Cli {
    /// What to do; serve when nothing is said
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub config: Config,
}

/// What the program can do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve the API, and keep the store up to date
    Serve,
    /// Take up what happens in the background, without the API
    Worker,
    /// Bring the database's schema up to date and end
    Migrate,
    /// Mirror countries from their source now, and tell what that did
    Sync,
    /// Write countries to a file
    Export(Export),
    /// Print the OpenAPI document
    Openapi {
        /// Compare it with openapi.yaml instead; fail when they differ
        #[arg(long)]
        check: bool,
    },
    /// Users: list, add, password, disable, enable, remove
    #[command(subcommand)]
    User(UserCommand),
    /// API tokens: list, add, remove; the signing key: rotate-key
    #[command(subcommand)]
    Token(TokenCommand),
    /// Integration tasks: list; what happens to their runs: follow
    #[command(subcommand)]
    Tasks(TasksCommand),
    /// Copy the SQLite database into a file, checked, while servers use it; of PostgreSQL, tell how
    Backup(Backup),
    /// Move everything from the SQLite database to an empty PostgreSQL one, with all servers stopped
    Copy(Copy),
    /// Print every setting, its value and where it comes from
    Config,
    /// Look at everything that is needed, and tell what is wrong
    Doctor,
    /// Ask a running server whether it lives; for container health checks
    Healthcheck {
        /// Ask whether it can answer requests, too
        #[arg(long)]
        ready: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// What to export.
#[derive(clap::Args, Debug)]
pub struct Export {
    /// Kind of file; what the file's name ends with, or xlsx, when absent
    #[arg(long, value_enum)]
    format: Option<ExportFormat>,
    /// Which countries and in which order, as in GET /api/countries, e.g. continent=Europe&sort=-population
    #[arg(long, default_value = "")]
    query: String,
    /// File to write; - for standard output
    #[arg(long, short, default_value = "-")]
    output: PathBuf,
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    /// Excel workbook.
    Xlsx,
    /// Comma-separated values.
    Csv,
}

/// Runs the program: 0 when all went well, 1 when it failed, 2 for a command line or setting that
/// makes no sense.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, failure)) => {
            report(&failure);
            ExitCode::from(code)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a program whose log may not have started")]
fn report(failure: &Failure) {
    eprintln!("malecon: {}", failure.chain());
}

fn run() -> Result<(), (u8, Failure)> {
    let usage = |failure: Failure| (2, failure);
    let dotenv = load_dotenv().map_err(usage)?;
    #[expect(clippy::disallowed_methods, reason = "this is where settings come from")]
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    check_names(&Cli::command(), names).map_err(usage)?;
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let command = cli.command.unwrap_or(Command::Serve);
    match command {
        Command::Config => {
            return print(&show(&Cli::command(), &matches, &dotenv)).map_err(|failure| (1, failure));
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "malecon", &mut std::io::stdout());
            return Ok(());
        }
        _ => {}
    }
    let config = cli.config.resolve().map_err(usage)?;
    // A log filter that makes no sense is a mistake of usage.
    logging::start(&config).map_err(usage)?;
    execute(command, &config).map_err(|failure| (1, failure))
}

/// Does what a command says, as the process that it is: `serve` and `worker` go on until a signal ends them.
///
/// # Errors
/// Whatever keeps the command from being done.
pub fn execute(command: Command, config: &Config) -> Result<(), Failure> {
    // A second start changes nothing.
    logging::start(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of("no runtime can be started", error))?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve => serve::run(config).await,
            Command::Worker => serve::run_worker(config).await,
            Command::Migrate => small::migrate(config).await,
            Command::Sync => small::sync(config).await,
            Command::Export(export) => small::export(config, &export).await,
            Command::Openapi { check } => small::openapi(check),
            Command::User(command) => people::user(config, command).await,
            Command::Token(command) => people::token(config, command).await,
            Command::Tasks(command) => tasks::tasks(config, command).await,
            Command::Backup(target) => backup(config, &target).await,
            Command::Copy(target) => copy(config, &target).await,
            Command::Doctor => small::doctor(config).await,
            Command::Healthcheck { ready } => small::healthcheck(config, ready).await,
            Command::Config | Command::Completions { .. } => Ok(()),
        }
    });
    // What still runs in the background must not keep an ended program.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

/// Puts the lines of `.env` into the environment, where they are not there yet, and tells which.
fn load_dotenv() -> Result<BTreeSet<String>, Failure> {
    let lines = match dotenvy::dotenv_iter() {
        Err(dotenvy::Error::Io(_)) => return Ok(BTreeSet::new()),
        Err(error) => return Err(Failure::of(".env can't be read", error)),
        Ok(lines) => lines,
    };
    let mut names = BTreeSet::new();
    for line in lines {
        let (name, _) = line.map_err(|error| Failure::of(".env can't be read", error))?;
        #[expect(clippy::disallowed_methods, reason = "this is where settings come from")]
        let is_new = std::env::var_os(&name).is_none();
        if is_new {
            names.insert(name);
        }
    }
    dotenvy::dotenv().map_err(|error| Failure::of(".env can't be read", error))?;
    Ok(names)
}

/// Writes to standard output; a reader that has gone away is no failure.
fn print(text: &str) -> Result<(), Failure> {
    print_to(text).map(|_| ())
}

/// Who reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

/// Writes to standard output, and tells whether anybody reads it.
fn print_to(text: &str) -> Result<Reader, Failure> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Failure::of("can't write", error)),
        Ok(()) => Ok(Reader::There),
    }
}
