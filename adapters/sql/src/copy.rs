//! Everything of a SQLite database, moved to PostgreSQL in one transaction.

mod source;
mod target;
#[cfg(test)]
mod tests;
mod value;

use futures_util::TryStreamExt;
use malecon_ports::Cause;
use sea_orm::SqlxError;
use sea_orm::sqlx::{self, AssertSqlSafe};

pub use self::source::CopySource;
pub use self::target::empty_target;
use self::target::{Batch, Target};
use self::value::{Table, Value};

/// Tables whose rows are copied, those before that others refer to.
const COPIED: [&str; 17] = [
    "countries",
    "country_state",
    "activities",
    "users",
    "api_tokens",
    "sessions",
    "refresh_tokens",
    "login_addresses",
    "signing_keys",
    "seal_keys",
    "movies",
    "favorites",
    "ratings",
    "tasks",
    "runs",
    "attempts",
    "dogs",
];

/// Tables that each database has for itself: leases of processes that run on it, and its schema's steps.
const LEFT_OUT: [&str; 2] = ["leases", "seaql_migrations"];

/// What is said of rows that can't be copied, at most.
const MOST_TOLD: usize = 20;

/// Why nothing was copied. Then the target is as empty as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// It makes no sense, or would do harm.
    #[error("{0}")]
    Refused(String),
    /// The source can't be read.
    #[error("the source can't be read")]
    Read(#[source] Cause),
    /// The target can't be read or written.
    #[error("the target failed")]
    Write(#[source] Cause),
    /// Values that the target can't hold, or that are not of their column's type; each in one line.
    #[error("the target can't hold what is in the source:\n  {}", .0.join("\n  "))]
    Unfit(Vec<String>),
    /// A table has another number of rows on the other side.
    #[error("{table} has {source_rows} rows in the source and {target_rows} in the target")]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows of it in the source.
        source_rows: u64,
        /// Rows of it in the target.
        target_rows: u64,
    },
}

/// What was copied of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// Its rows, counted on both sides.
    pub rows: u64,
}

/// Copies all rows into the migrated PostgreSQL database of this URL, whose tables are empty: all or
/// nothing. Numbers that its tables give are higher than any that was given before, and runs that were
/// under way are taken up again there.
///
/// # Errors
/// [`CopyError`]; none repeats the URL.
pub async fn copy(source: &mut CopySource, to: &str) -> Result<Vec<Copied>, CopyError> {
    let mut target = Target::begin(to).await?;
    let mut unfit = vec![];
    let mut copied = vec![];
    for name in COPIED {
        let table = target.table(name).await?;
        source.agrees(&table).await?;
        let rows = rows(source, &table, &mut target, &mut unfit).await?;
        copied.push(Copied { table: name, rows });
        if unfit.len() > MOST_TOLD {
            break;
        }
    }
    if !unfit.is_empty() {
        if unfit.len() > MOST_TOLD {
            unfit.truncate(MOST_TOLD);
            unfit.push("and more".to_owned());
        }
        return Err(CopyError::Unfit(unfit));
    }
    for Copied { table, rows } in &copied {
        let (source_rows, target_rows) = (source.count(table).await?, target.count(table).await?);
        if source_rows != *rows || target_rows != *rows {
            return Err(CopyError::Differs { table, source_rows, target_rows });
        }
        for column in target.identities(table).await? {
            target.count_on(table, &column, source.highest(table, &column).await?).await?;
        }
    }
    target.finish().await?;
    Ok(copied)
}

/// Copies the rows of a table, and tells how many. When one is unfit, no more are written, and all are
/// looked at.
async fn rows(
    source: &mut CopySource,
    table: &Table,
    target: &mut Target,
    unfit: &mut Vec<String>,
) -> Result<u64, CopyError> {
    let mut select = sqlx::query(AssertSqlSafe(table.select())).fetch(source.connection());
    let (mut count, mut batch) = (0, Batch::default());
    while let Some(row) = select.try_next().await.map_err(read)? {
        count += 1;
        match Value::all(table, &row) {
            Ok(values) => batch.push(values),
            Err(what) => unfit.push(format!("{} {}: {what}", table.name, table.key(&row))),
        }
        if unfit.len() > MOST_TOLD {
            return Ok(count);
        }
        if unfit.is_empty() && batch.is_full(table) {
            target.insert(table, std::mem::take(&mut batch)).await?;
        }
    }
    if unfit.is_empty() {
        target.insert(table, batch).await?;
    }
    Ok(count)
}

fn read(error: SqlxError) -> CopyError {
    CopyError::Read(error.into())
}
