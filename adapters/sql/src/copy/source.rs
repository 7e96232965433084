//! The SQLite file that is copied, which nobody else may use meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::SqlxError;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteLockingMode};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _};
use sea_orm_migration::MigratorTrait;

use super::value::Table;
use super::{CopyError, read};
use crate::backup::{code, sqlite_file};
use crate::migration::Migrator;

/// How long it waits for others to let go of the file.
const PATIENCE: Duration = Duration::from_secs(1);

/// Result codes of SQLite for a file that somebody else uses.
const IN_USE: [u32; 2] = [5, 6];

/// A SQLite database that is ours alone until this is dropped.
#[derive(Debug)]
pub struct CopySource(SqliteConnection);

impl CopySource {
    /// Opens the file of this URL, which holds the newest schema, if nobody else has it open.
    ///
    /// Whoever has a database in WAL mode open, as each server and worker has, holds a shared lock of its
    /// file, idle or not. So an exclusive one is had by nobody beside them, and keeps all others from
    /// opening it.
    ///
    /// # Errors
    /// [`CopyError::Refused`] when somebody has it open, or it is not Malecón's of this version.
    pub async fn open(url: &str) -> Result<Self, CopyError> {
        let file = sqlite_file(url).map_err(CopyError::Refused)?;
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(false);
        let options = options.busy_timeout(PATIENCE).locking_mode(SqliteLockingMode::Exclusive);
        let taken = async {
            let mut source = options.disable_statement_logging().connect().await?;
            sqlx::query("BEGIN EXCLUSIVE").execute(&mut source).await?;
            Ok(source)
        };
        let source: Result<_, SqlxError> = taken.await;
        let source = source.map_err(|error| match code(&error) {
            Some(code) if IN_USE.contains(&code) => CopyError::Refused(format!(
                "{} is in use: stop each server and worker, and what else has it open",
                file.display()
            )),
            _ => read(error),
        })?;
        let mut source = Self(source);
        source.has_this_schema().await?;
        Ok(source)
    }

    async fn has_this_schema(&mut self) -> Result<(), CopyError> {
        let refused = |what: &str| Err(CopyError::Refused(format!("the source {what}")));
        let applied = sqlx::query_scalar("SELECT version FROM seaql_migrations").fetch_all(&mut self.0).await;
        let applied: BTreeSet<String> = match applied {
            Ok(applied) => applied.into_iter().collect(),
            Err(SqlxError::Database(_)) => return refused("has no schema of Malecón's"),
            Err(error) => return Err(read(error)),
        };
        let known: BTreeSet<_> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
        if !applied.is_subset(&known) {
            return refused("has the schema of a newer Malecón");
        }
        if !known.is_subset(&applied) {
            return refused("has an older schema: run `malecon migrate` on it first");
        }
        Ok(())
    }

    /// Whether a table has the columns of the target's.
    pub(super) async fn agrees(&mut self, table: &Table) -> Result<(), CopyError> {
        let names = sqlx::query_scalar("SELECT name FROM pragma_table_info($1)").bind(table.name);
        let names: BTreeSet<String> = names.fetch_all(&mut self.0).await.map_err(read)?.into_iter().collect();
        if names == table.columns.iter().map(|(name, _)| name.clone()).collect() {
            return Ok(());
        }
        Err(CopyError::Refused(format!("{} has other columns in the source than in the target", table.name)))
    }

    pub(super) async fn count(&mut self, table: &str) -> Result<u64, CopyError> {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{table}\"")));
        count.fetch_one(&mut self.0).await.map(i64::unsigned_abs).map_err(read)
    }

    /// The highest number that a column has ever had, also of a row that is gone.
    pub(super) async fn highest(&mut self, table: &str, column: &str) -> Result<i64, CopyError> {
        let sql = format!(
            "SELECT MAX(COALESCE((SELECT MAX(\"{column}\") FROM \"{table}\"), 0), \
             COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0))"
        );
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.0).await.map_err(read)
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }

    /// Lets go of the file.
    pub async fn close(self) {
        // The end of the process does it as well.
        let _ = self.0.close().await;
    }
}
