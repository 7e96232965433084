//! Settings: flag, environment variable and `.env` line of one name. Nothing else reads the
//! environment.

mod connections;
mod report;
mod show;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use malecon::domain::{AllowList, Mailbox, TimeOfDay, Zone};
use url::Url;

use crate::Failure;

pub use connections::Connections;
pub use report::{Many, Perhaps, ReportFilter};
pub(crate) use show::{check_names, show};

/// How long a report must be known, so that its day has no other: a day has 25 hours at most.
const KEPT_REPORTS: Duration = Duration::from_secs(48 * 60 * 60);

/// All settings.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Settings")]
pub struct Config {
    /// Address and port to listen on
    #[arg(long, env = "MALECON_LISTEN", default_value = "127.0.0.1:8000", global = true)]
    pub listen: SocketAddr,

    /// Connections.
    #[command(flatten)]
    pub connections: Connections,

    /// Database: sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://malecon.db?mode=rwc",
        global = true,
        hide_env_values = true
    )]
    pub database_url: String,

    /// File that holds DATABASE_URL
    #[arg(long, env = "DATABASE_URL_FILE", global = true)]
    pub database_url_file: Option<PathBuf>,

    /// Connections to the database for requests, and as many for the background; on SQLite so many read
    #[arg(long, env = "MALECON_DB_POOL", default_value = "8", global = true)]
    pub db_pool: NonZeroU32,

    /// How long a start waits for a database that does not answer yet, e.g. 60s
    #[arg(long, env = "MALECON_WAIT_FOR", default_value = "0s", value_parser = duration, global = true)]
    pub wait_for: Duration,

    /// Redis: redis://HOST:PORT; shared cache of several processes. Without it each has its own
    #[arg(long, env = "REDIS_URL", global = true, hide_env_values = true)]
    pub redis_url: Option<String>,

    /// File that holds REDIS_URL
    #[arg(long, env = "REDIS_URL_FILE", global = true)]
    pub redis_url_file: Option<PathBuf>,

    /// Source of countries: the base of a v3.1-compatible API, e.g. http://host/v3.1
    #[arg(long, env = "RESTCOUNTRIES_URL", value_parser = http_url, global = true)]
    pub restcountries_url: Option<Url>,

    /// Source of countries: key of restcountries v5; goes before RESTCOUNTRIES_URL
    #[arg(long, env = "RESTCOUNTRIES_API_KEY", global = true, hide_env_values = true)]
    pub restcountries_api_key: Option<String>,

    /// File that holds RESTCOUNTRIES_API_KEY
    #[arg(long, env = "RESTCOUNTRIES_API_KEY_FILE", global = true)]
    pub restcountries_api_key_file: Option<PathBuf>,

    /// Where restcountries v5 is
    #[arg(
        long,
        env = "RESTCOUNTRIES_V5_URL",
        default_value = "https://api.restcountries.com/countries/v5",
        value_parser = http_url,
        global = true
    )]
    pub restcountries_v5_url: Url,

    /// How often countries are mirrored from their source, e.g. 30m
    #[arg(long, env = "MALECON_SYNC_EVERY", default_value = "1h", value_parser = duration, global = true)]
    pub sync_every: Duration,

    /// How long an upstream may take over one attempt
    #[arg(long, env = "MALECON_UPSTREAM_TIMEOUT", default_value = "5s", value_parser = duration, global = true)]
    pub upstream_timeout: Duration,

    /// How often a failed request to an upstream is repeated
    #[arg(long, env = "MALECON_RETRIES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=10), global = true)]
    pub retries: u32,

    /// Wait before the first repetition; doubles from one to the next
    #[arg(long, env = "MALECON_RETRY_BASE", default_value = "200ms", value_parser = duration, global = true)]
    pub retry_base: Duration,

    /// How long an answer of an upstream is given again without asking
    #[arg(long, env = "MALECON_CACHE_TTL", default_value = "30s", value_parser = duration, global = true)]
    pub cache_ttl: Duration,

    /// How long after that a kept answer is given while it is fetched anew behind the caller's back
    #[arg(long, env = "MALECON_REVALIDATE_FOR", default_value = "5m", value_parser = duration, global = true)]
    pub revalidate_for: Duration,

    /// How long a kept answer may stand in for an upstream that fails
    #[arg(long, env = "MALECON_STALE_FOR", default_value = "24h", value_parser = duration, global = true)]
    pub stale_for: Duration,

    /// Movies: the read access token of TMDB
    #[arg(long, env = "TMDB_TOKEN", global = true, hide_env_values = true)]
    pub tmdb_token: Option<String>,

    /// File that holds TMDB_TOKEN
    #[arg(long, env = "TMDB_TOKEN_FILE", global = true)]
    pub tmdb_token_file: Option<PathBuf>,

    /// Where TMDB is
    #[arg(long, env = "TMDB_URL", default_value = "https://api.themoviedb.org/3", value_parser = http_url, global = true)]
    pub tmdb_url: Url,

    /// Activities: where Wikidata's query service is
    #[arg(long, env = "WIKIDATA_URL", default_value = "https://query.wikidata.org/sparql", value_parser = http_url, global = true)]
    pub wikidata_url: Url,

    /// Whom Wikidata may turn to about your requests, e.g. an e-mail address: its rules ask for one
    #[arg(long, env = "WIKIDATA_CONTACT", value_parser = contact, global = true)]
    pub wikidata_contact: Option<String>,
    /// Where pictures of dogs come from: dog.ceo, or what speaks like it
    #[arg(long, env = "DOG_CEO_URL", default_value = "https://dog.ceo/api", value_parser = http_url, global = true)]
    pub dog_ceo_url: Url,

    /// Worker service that does a chore for each new dog; without it there are no chores
    #[arg(long, env = "WORKERS_URL", value_parser = http_url, global = true)]
    pub workers_url: Option<Url>,
    /// Where uploaded files are passed on to, e.g. http://host/api/files
    #[arg(long, env = "FILES_URL", value_parser = http_url, global = true)]
    pub files_url: Option<Url>,

    /// The largest file that is passed on, e.g. 500KiB or 1GB
    #[arg(long, env = "MALECON_MAX_UPLOAD", default_value = "25MiB", value_parser = size, global = true)]
    pub max_upload: u64,

    /// Secret that signs access tokens, at least 32 bytes; made and kept in the database when absent
    #[arg(long, env = "MALECON_JWT_SECRET", global = true, hide_env_values = true)]
    pub jwt_secret: Option<String>,

    /// File that holds MALECON_JWT_SECRET
    #[arg(long, env = "MALECON_JWT_SECRET_FILE", global = true)]
    pub jwt_secret_file: Option<PathBuf>,

    /// Requests a minute of one user, by all of its tokens and logins; 0 for as many as one likes
    #[arg(long, env = "MALECON_RATE_LIMIT", default_value_t = 6000, global = true)]
    pub rate_limit: u32,

    /// API tokens of one user; 0 for as many as one likes
    #[arg(long, env = "MALECON_MAX_TOKENS", default_value_t = 100, global = true)]
    pub max_tokens: u64,

    /// Attempts of integration tasks under way at once
    #[arg(long, env = "MALECON_WORKERS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000), global = true)]
    pub workers: u16,

    /// Attempts under way at once against one host
    #[arg(long, env = "MALECON_PER_HOST", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000), global = true)]
    pub per_host: u16,

    /// How long runs of integration tasks are kept when they are over, e.g. 30d
    #[arg(long, env = "MALECON_KEEP_RUNS", default_value = "30d", value_parser = duration, global = true)]
    pub keep_runs: Duration,

    /// Integration tasks of one user at most; 0 for as many as one likes
    #[arg(long, env = "MALECON_MAX_TASKS", default_value_t = 1000, global = true)]
    pub max_tasks: u32,

    /// Runs of one user's tasks that are queued or running, at most; 0 for as many as one likes
    #[arg(long, env = "MALECON_MAX_OPEN_RUNS", default_value_t = 10_000, global = true)]
    pub max_open_runs: u32,

    /// How much is kept of what one user's tasks sent and received, e.g. 256MiB: beyond, the oldest bodies
    /// are dropped; 0 for as much as one likes
    #[arg(long, env = "MALECON_MAX_KEPT", default_value = "256MiB", value_parser = size_or_none, global = true)]
    pub max_kept: u64,

    /// Hosts and networks, separated by commas, that integration tasks may call although they are
    /// private, each with a port or without, e.g. 10.1.0.0/16,127.0.0.1:9000
    #[arg(long, env = "MALECON_ALLOW_TARGETS", default_value = "", value_parser = allow_list, hide_default_value = true, global = true)]
    pub allow_targets: AllowList,

    /// Mail server: smtps://USER:PASSWORD@HOST, or smtp://…?tls=required or ?tls=opportunistic for
    /// STARTTLS; smtp:// alone is not encrypted
    #[arg(long, env = "SMTP_URL", global = true, hide_env_values = true)]
    pub smtp_url: Option<String>,

    /// File that holds SMTP_URL
    #[arg(long, env = "SMTP_URL_FILE", global = true)]
    pub smtp_url_file: Option<PathBuf>,

    /// Who sends the daily report: an address, or NAME <ADDRESS>
    #[arg(long, env = "MALECON_REPORT_FROM", default_value = "", value_parser = report::sender, hide_default_value = true, global = true)]
    pub report_from: Perhaps<Mailbox>,

    /// Who gets the daily report: addresses, separated by commas
    #[arg(long, env = "MALECON_REPORT_TO", default_value = "", value_parser = report::addressees, hide_default_value = true, global = true)]
    pub report_to: Many<Mailbox>,

    /// When the daily report is sent, by the clocks of MALECON_TIME_ZONE
    #[arg(long, env = "MALECON_REPORT_AT", default_value = "07:00", value_parser = report::time_of_day, global = true)]
    pub report_at: TimeOfDay,

    /// Which countries are reported and in which order, as in GET /api/countries, e.g.
    /// continent=Europe&sort=-population; all when absent
    #[arg(long, env = "MALECON_REPORT_FILTER", default_value = "", value_parser = report::report_filter, hide_default_value = true, global = true)]
    pub report_filter: ReportFilter,

    /// Time zone of the daily report and of schedules that name none, e.g. Europe/Madrid
    #[arg(long, env = "MALECON_TIME_ZONE", default_value = "UTC", value_parser = report::time_zone, global = true)]
    pub time_zone: Zone,

    /// Exact origins, separated by commas, whose pages may call what needs a token
    #[arg(long, env = "MALECON_CORS_ORIGINS", value_delimiter = ',', value_parser = origin, global = true)]
    pub cors_origins: Vec<String>,

    /// Token that opens /metrics and nothing else
    #[arg(long, env = "MALECON_METRICS_TOKEN", global = true, hide_env_values = true)]
    pub metrics_token: Option<String>,

    /// File that holds MALECON_METRICS_TOKEN
    #[arg(long, env = "MALECON_METRICS_TOKEN_FILE", global = true)]
    pub metrics_token_file: Option<PathBuf>,

    /// Two users with known tokens, open metrics; on a loopback address only
    #[arg(long, env = "MALECON_DEMO", global = true)]
    pub demo: bool,

    /// What is logged: error, warn, info, debug, trace, or filters such as info,malecon=debug
    #[arg(long, env = "MALECON_LOG", default_value = "info", global = true)]
    pub log: String,

    /// How it is logged
    #[arg(long, env = "MALECON_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads the files that hold secrets, and checks what one setting can't say alone.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn resolve(mut self) -> Result<Self, Failure> {
        const DEFAULT_DATABASE: &str = "sqlite://malecon.db?mode=rwc";
        if let Some(file) = &self.database_url_file {
            if self.database_url != DEFAULT_DATABASE {
                return Err(both("DATABASE_URL"));
            }
            self.database_url = read_secret("DATABASE_URL_FILE", file)?;
        }
        from_file(&mut self.redis_url, "REDIS_URL", self.redis_url_file.as_deref())?;
        from_file(
            &mut self.restcountries_api_key,
            "RESTCOUNTRIES_API_KEY",
            self.restcountries_api_key_file.as_deref(),
        )?;
        from_file(&mut self.tmdb_token, "TMDB_TOKEN", self.tmdb_token_file.as_deref())?;
        from_file(&mut self.jwt_secret, "MALECON_JWT_SECRET", self.jwt_secret_file.as_deref())?;
        if self.jwt_secret.as_ref().is_some_and(|secret| secret.len() < 32) {
            return Err(Failure::new("MALECON_JWT_SECRET is too short: at least 32 bytes"));
        }
        from_file(&mut self.metrics_token, "MALECON_METRICS_TOKEN", self.metrics_token_file.as_deref())?;
        from_file(&mut self.smtp_url, "SMTP_URL", self.smtp_url_file.as_deref())?;
        if self.keep_runs < KEPT_REPORTS && !self.report_to.is_empty() {
            return Err(Failure::new(
                "MALECON_KEEP_RUNS is too short: at least 2d, or a day could have more than one report",
            ));
        }
        if self.demo && !self.listen.ip().is_loopback() {
            let what = format!(
                "MALECON_DEMO has known tokens and is refused on {}: listen on a loopback address",
                self.listen
            );
            return Err(Failure::new(what));
        }
        for (name, value, least) in [
            ("MALECON_SYNC_EVERY", self.sync_every, Duration::from_secs(1)),
            ("MALECON_UPSTREAM_TIMEOUT", self.upstream_timeout, Duration::from_millis(10)),
        ] {
            if value < least {
                return Err(Failure::new(format!("{name} is too short: at least {least:?}")));
            }
        }
        Ok(self)
    }
}

fn from_file(value: &mut Option<String>, name: &str, file: Option<&Path>) -> Result<(), Failure> {
    value.take_if(|value| value.is_empty());
    let Some(file) = file else { return Ok(()) };
    if value.is_some() {
        return Err(both(name));
    }
    *value = Some(read_secret(&format!("{name}_FILE"), file)?);
    Ok(())
}

fn both(name: &str) -> Failure {
    Failure::new(format!("{name} and {name}_FILE are both given: keep one"))
}

/// What a file says that holds a secret.
pub(crate) fn read_secret(name: &str, file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::of(format!("{name} names {}, which can't be read", file.display()), error)
    })?;
    match text.trim() {
        "" => Err(Failure::new(format!("{name} names {}, which is empty", file.display()))),
        text => Ok(text.to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write for example 30s, 5m or 1h"))
}

/// Bytes: a whole number, with a unit or without.
fn size(text: &str) -> Result<u64, String> {
    let bytes = size_or_none(text).ok().filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "not a size; write for example 500KiB, 25MiB or 1GB".to_owned())
}

/// The same, or 0.
fn size_or_none(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("B", 1),
        ("KB", 1_000),
        ("KiB", 1 << 10),
        ("MB", 1_000_000),
        ("MiB", 1 << 20),
        ("GB", 1_000_000_000),
        ("GiB", 1 << 30),
    ];
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()));
    let bytes = unit.and_then(|(_, unit)| digits.parse::<u64>().ok()?.checked_mul(*unit));
    bytes.ok_or_else(|| "not a size; write for example 500KiB, 25MiB or 1GB, or 0".to_owned())
}

fn allow_list(text: &str) -> Result<AllowList, String> {
    AllowList::parse(text).map_err(|error| error.to_string())
}

fn http_url(text: &str) -> Result<Url, String> {
    match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("not a URL like http://host/path".to_owned()),
    }
}

/// What may stand in the comment of a User-Agent.
fn contact(text: &str) -> Result<String, String> {
    let fits = |letter: char| (' '..='~').contains(&letter) && !"()\\".contains(letter);
    match text.trim() {
        text if !text.is_empty() && text.len() <= 200 && text.chars().all(fits) => Ok(text.to_owned()),
        _ => Err("not an address like ops@example.com or https://example.com".to_owned()),
    }
}

fn origin(text: &str) -> Result<String, String> {
    let url = http_url(text).map_err(|_| "not an exact origin like https://example.com".to_owned())?;
    let origin = url.origin().ascii_serialization();
    if text.trim() == origin {
        Ok(origin)
    } else {
        Err(format!("not an exact origin; did you mean {origin}?"))
    }
}
