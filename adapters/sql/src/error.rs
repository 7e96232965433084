//! Database errors, by what a caller can do about them.

use malecon_ports::RepositoryError;
use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};

/// SQLSTATEs, or classes of them, of a database that is not what it should be now, and may be later:
/// connection exceptions, read-only transactions (as on a standby), invalid authorization, a catalog that
/// is not there, transaction rollbacks, a table that is not there, insufficient resources, a lock that
/// was not to be had, operator intervention, system errors, corruption.
/// Source: PostgreSQL's manual, Appendix A.
const PASSING: [&str; 12] =
    ["08", "25006", "28", "3D000", "40", "42P01", "53", "55P03", "57", "58", "XX001", "XX002"];

/// Result codes of SQLite that are the same: busy, locked, no memory, read-only, interrupted, I/O, corrupt,
/// full, can't open, not a database. Source: <https://sqlite.org/rescode.html>.
const SQLITE_PASSING: [u32; 10] = [BUSY, 6, 7, 8, 9, 10, CORRUPT, FULL, 14, NOT_A_DATABASE];
const BUSY: u32 = 5;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const NOT_A_DATABASE: u32 = 26;

pub(crate) fn classify(error: DbErr) -> RepositoryError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(detail)) => return RepositoryError::Conflict(detail),
        Some(SqlErr::ForeignKeyConstraintViolation(detail)) => {
            return RepositoryError::MissingReference(detail);
        }
        _ => {}
    }
    match kind_of(&error) {
        ErrorKind::Other => RepositoryError::Corrupt(error.into()),
        _ => RepositoryError::Unavailable(error.into()),
    }
}

/// What kind of failure an error is, for metrics and the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// No connection, or no answer.
    Silent,
    /// No free connection.
    Exhausted,
    /// The breaker was open.
    Refused,
    /// Somebody else holds a lock.
    Locked,
    /// No room left.
    Full,
    /// What is stored can't be read.
    Corrupt,
    /// The database says that it can't.
    Unable,
    /// What was asked, or what was answered, makes no sense.
    Other,
}

impl ErrorKind {
    pub const ALL: [Self; 8] = [
        Self::Silent,
        Self::Exhausted,
        Self::Refused,
        Self::Locked,
        Self::Full,
        Self::Corrupt,
        Self::Unable,
        Self::Other,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Exhausted => "exhausted",
            Self::Refused => "refused",
            Self::Locked => "locked",
            Self::Full => "full",
            Self::Corrupt => "corrupt",
            Self::Unable => "unable",
            Self::Other => "other",
        }
    }

    /// Whether the database itself has said nothing.
    pub fn is_silence(self) -> bool {
        matches!(self, Self::Silent | Self::Exhausted)
    }
}

pub(crate) fn kind_of(error: &DbErr) -> ErrorKind {
    match error {
        DbErr::ConnectionAcquire(_) => ErrorKind::Exhausted,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => kind_of_sqlx(error),
        DbErr::Conn(_) => ErrorKind::Silent,
        _ => ErrorKind::Other,
    }
}

fn kind_of_sqlx(error: &SqlxError) -> ErrorKind {
    match error {
        SqlxError::Database(error) => match error.code() {
            // A table is not there.
            Some(code) if code == "1" && error.message().starts_with("no such table") => ErrorKind::Unable,
            Some(code) => kind_of_code(&code),
            None => ErrorKind::Other,
        },
        SqlxError::ColumnDecode { .. }
        | SqlxError::Decode(_)
        | SqlxError::Encode(_)
        | SqlxError::ColumnNotFound(_)
        | SqlxError::ColumnIndexOutOfBounds { .. }
        | SqlxError::TypeNotFound { .. }
        | SqlxError::RowNotFound => ErrorKind::Other,
        // A transaction that can't be begun.
        SqlxError::InvalidSavePointStatement | SqlxError::BeginFailed => ErrorKind::Unable,
        _ => ErrorKind::Silent,
    }
}

fn kind_of_code(code: &str) -> ErrorKind {
    match code.parse::<u32>() {
        // SQLite's extended codes carry the plain one in the low byte.
        Ok(number) if code.len() != 5 => match number & 0xff {
            BUSY => ErrorKind::Locked,
            FULL => ErrorKind::Full,
            CORRUPT | NOT_A_DATABASE => ErrorKind::Corrupt,
            plain if SQLITE_PASSING.contains(&plain) => ErrorKind::Unable,
            _ => ErrorKind::Other,
        },
        _ if code == "55P03" => ErrorKind::Locked,
        _ if code == "53100" => ErrorKind::Full,
        _ if code == "XX001" || code == "XX002" => ErrorKind::Corrupt,
        _ if PASSING.iter().any(|class| code.starts_with(class)) => ErrorKind::Unable,
        _ => ErrorKind::Other,
    }
}
