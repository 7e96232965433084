//! Database errors, by what a caller can do about them.

use malecon_ports::RepositoryError;
use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};

/// Classes of SQLSTATE that pass by themselves: connection exceptions, transaction rollbacks,
/// insufficient resources, operator intervention, system errors.
const PASSING: [&str; 5] = ["08", "40", "53", "57", "58"];
/// Result codes of SQLite that do: busy, locked, read-only, interrupted, I/O, full, can't open.
const SQLITE_PASSING: [u32; 7] = [5, 6, 8, 9, 10, 13, 14];

pub(crate) fn classify(error: DbErr) -> RepositoryError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(detail)) => return RepositoryError::Conflict(detail),
        Some(SqlErr::ForeignKeyConstraintViolation(detail)) => {
            return RepositoryError::MissingReference(detail);
        }
        _ => {}
    }
    let passing = match &error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            is_passing(error)
        }
        _ => false,
    };
    if passing { RepositoryError::Unavailable(error.into()) } else { RepositoryError::Corrupt(error.into()) }
}

fn is_passing(error: &SqlxError) -> bool {
    match error {
        SqlxError::Database(error) => error.code().is_some_and(|code| match code.parse::<u32>() {
            // SQLite's extended codes carry the plain one in the low byte.
            Ok(number) if code.len() != 5 => SQLITE_PASSING.contains(&(number & 0xff)),
            _ => PASSING.iter().any(|class| code.starts_with(class)),
        }),
        SqlxError::ColumnDecode { .. }
        | SqlxError::Decode(_)
        | SqlxError::Encode(_)
        | SqlxError::ColumnNotFound(_)
        | SqlxError::ColumnIndexOutOfBounds { .. }
        | SqlxError::TypeNotFound { .. }
        | SqlxError::RowNotFound => false,
        _ => true,
    }
}
