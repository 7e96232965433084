//! A copy of a SQLite file that is in use, which gets its name when it is known to be good.

mod partial;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use malecon_ports::Cause;
use sea_orm::SqlxError;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};

use self::partial::Partial;

/// How long a backup waits for a lock of the file.
const PATIENCE: Duration = Duration::from_secs(30);

/// Result codes of SQLite for a full disk, and for a file that is none of its own or damaged.
const FULL: u32 = 13;
const DAMAGED: [u32; 2] = [11, 26];

/// Why there is no backup. Then there is no file either, and one that was there before still is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It makes no sense, or would do harm.
    #[error("{0}")]
    Refused(String),
    /// The disk of the backup is full.
    #[error("there is no room for {}: its disk is full", .0.display())]
    Full(PathBuf),
    /// The backup can't be written.
    #[error("{} can't be written", file.display())]
    Write {
        /// Where it was to be.
        file: PathBuf,
        /// What lies behind it.
        #[source]
        error: Cause,
    },
    /// The database can't be read.
    #[error("the database can't be read")]
    Read(#[source] Cause),
    /// What was written is not good.
    #[error("the copy is not sound, so it was thrown away: {0}")]
    Unsound(String),
}

/// Copies the database of this URL, while others read and write it, into a file that nobody but its owner
/// may read: checked and on disk before it has its name. One that is there already is replaced if `force`
/// says so. Tells the bytes of the file.
///
/// # Errors
/// [`BackupError`]; none repeats the URL.
pub async fn backup(url: &str, file: &Path, force: bool) -> Result<u64, BackupError> {
    let source = sqlite_file(url).map_err(BackupError::Refused)?;
    refuse(&source, file, force)?;
    let write = |error: io::Error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BackupError::Full(file.to_owned()),
        _ => BackupError::Write { file: file.to_owned(), error: error.into() },
    };
    let partial = Partial::create(file).map_err(write)?;
    let Some(place) = partial.path().to_str().map(str::to_owned) else {
        return Err(BackupError::Refused(format!("{} is no UTF-8, which SQLite needs", file.display())));
    };
    let mut database = open(&source, false).await.map_err(|error| BackupError::Read(error.into()))?;
    // One snapshot, whatever is written meanwhile; nobody waits for it.
    let copied = sqlx::query("VACUUM INTO ?1").bind(place).execute(&mut database).await;
    copied.map_err(|error| match code(&error) {
        Some(FULL) => BackupError::Full(file.to_owned()),
        Some(code) if DAMAGED.contains(&code) => BackupError::Read(error.into()),
        _ => BackupError::Write { file: file.to_owned(), error: error.into() },
    })?;
    let _ = database.close().await;
    check(partial.path()).await?;
    refuse(&source, file, force)?;
    partial.finish(file).map_err(write)
}

/// The commands that back up the PostgreSQL database of this URL into the file, and bring it back, for a
/// shell. They ask for the password.
///
/// # Errors
/// A URL that can't be read; it is not repeated.
pub fn postgres_commands(url: &str, file: &Path) -> Result<[String; 2], BackupError> {
    let url = url.replacen("postgresql://", "postgres://", 1);
    let options = PgConnectOptions::from_str(&url)
        .map_err(|_| BackupError::Refused("the URL of the database can't be read".to_owned()))?;
    let host = options.get_socket().map_or(options.get_host().to_owned(), |path| path.display().to_string());
    let place = [
        format!("--host={host}"),
        format!("--port={}", options.get_port()),
        format!("--username={}", options.get_username()),
        format!("--dbname={}", options.get_database().unwrap_or(options.get_username())),
    ];
    let place = place.map(|argument| quoted(&argument)).join(" ");
    let file = quoted(&file.display().to_string());
    Ok([
        format!("umask 077; pg_dump --format=custom --file={file} {place}"),
        format!("pg_restore --clean --if-exists --no-owner --exit-on-error {place} {file}"),
    ])
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=./:@%+,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The file of a SQLite database that is there.
pub(crate) fn sqlite_file(url: &str) -> Result<PathBuf, String> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err("the database is in memory and ends with its process: there is no file".to_owned());
    }
    let options = SqliteConnectOptions::from_str(url);
    let options = options.map_err(|_| "the URL of the database can't be read".to_owned())?;
    let file = options.get_filename();
    match std::fs::metadata(file) {
        Ok(found) if found.is_file() => Ok(file.to_owned()),
        Ok(_) => Err(format!("{} is no file", file.display())),
        Err(error) => Err(format!("there is no database at {}: {error}", file.display())),
    }
}

/// Opens a file that is there as it is: nothing of it is changed.
async fn open(file: &Path, read_only: bool) -> Result<SqliteConnection, SqlxError> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).read_only(read_only);
    options.busy_timeout(PATIENCE).disable_statement_logging().connect().await
}

/// Result code of SQLite; its extended codes carry the plain one in the low byte.
pub(crate) fn code(error: &SqlxError) -> Option<u32> {
    Some(error.as_database_error()?.code()?.parse::<u32>().ok()? & 0xff)
}

/// Sees to it that a backup goes where it does no harm.
fn refuse(source: &Path, file: &Path, force: bool) -> Result<(), BackupError> {
    let refused = |what: &str| Err(BackupError::Refused(format!("{} {what}", file.display())));
    let beside = |path: &Path, end: &str| {
        let mut path = path.as_os_str().to_owned();
        path.push(end);
        PathBuf::from(path)
    };
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    let is_own = ["", "-wal", "-shm", "-journal"].iter().any(|end| {
        let own = whole(source).map(|source| beside(&source, end));
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let named = file.file_name().and_then(|name| Some(whole(parent)?.join(name)));
        own.is_some() && (own == whole(file) || own == named)
    });
    if is_own {
        return refused("is the database itself");
    }
    match std::fs::metadata(file) {
        Ok(found) if !found.is_file() => refused("is no file"),
        Ok(_) if ["-wal", "-shm", "-journal"].iter().any(|end| beside(file, end).exists()) => {
            refused("is a database in use: there is a -wal, -shm or -journal file beside it")
        }
        Ok(_) if !force => refused("is there already: name another file, or --force"),
        _ => Ok(()),
    }
}

/// Reads the whole copy.
async fn check(file: &Path) -> Result<(), BackupError> {
    let unsound = |error: SqlxError| BackupError::Unsound(error.to_string());
    let mut copy = open(file, true).await.map_err(unsound)?;
    let said: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut copy).await.map_err(unsound)?;
    if said != ["ok"] {
        return Err(BackupError::Unsound(said.into_iter().take(3).collect::<Vec<_>>().join("; ")));
    }
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut copy).await.map_err(unsound)?;
    if !dangling.is_empty() {
        let what = format!("{} rows refer to others that are not there", dangling.len());
        return Err(BackupError::Unsound(what));
    }
    let migrations = sqlx::query_scalar("SELECT COUNT(*) FROM seaql_migrations").fetch_one(&mut copy).await;
    if !migrations.is_ok_and(|count: i64| count > 0) {
        return Err(BackupError::Unsound("it has no schema of Malecón's".to_owned()));
    }
    let _ = copy.close().await;
    Ok(())
}
