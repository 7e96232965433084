//! The PostgreSQL database that is copied to, all of whose tables are ours until the end.

use std::str::FromStr;

use sea_orm::SqlxError;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::value::{Kind, Table, Value};
use super::{COPIED, CopyError, LEFT_OUT};

/// Rows of one statement at most, and bytes of them at which it is full.
const MOST_ROWS: usize = 500;
const MANY_BYTES: usize = 4 * 1024 * 1024;
/// Parameters of one statement at most.
const MOST_PARAMETERS: usize = 65_535;

/// How it is called on the server.
const APPLICATION: &str = "malecon copy";

/// Rows of a table that are written together.
#[derive(Default)]
pub(super) struct Batch {
    rows: Vec<Vec<Value>>,
    bytes: usize,
}

impl Batch {
    pub fn push(&mut self, row: Vec<Value>) {
        self.bytes += row.iter().map(Value::size).sum::<usize>();
        self.rows.push(row);
    }

    pub fn is_full(&self, table: &Table) -> bool {
        self.bytes >= MANY_BYTES || self.rows.len() >= MOST_ROWS.min(MOST_PARAMETERS / table.columns.len())
    }
}

/// Sees to it that a database has no rows in those of our tables that are there: before its schema is
/// changed.
///
/// # Errors
/// [`CopyError::Refused`] names a table that has rows, or says that the URL is not one of PostgreSQL.
pub async fn empty_target(to: &str) -> Result<(), CopyError> {
    let mut target = connect(to).await?;
    is_empty(&mut target).await?;
    let _ = target.close().await;
    Ok(())
}

/// A transaction that holds all tables.
pub(super) struct Target(PgConnection);

impl Target {
    /// Begins it, if nobody has written there.
    pub async fn begin(to: &str) -> Result<Self, CopyError> {
        let mut target = connect(to).await?;
        let all = COPIED.iter().chain(&LEFT_OUT).map(|name| format!("\"{name}\""));
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", all.collect::<Vec<_>>().join(", "));
        // Whoever reads or writes there has as long to end.
        for sql in ["BEGIN", "SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = '10s'", &lock] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut target).await.map_err(|error| {
                if error.as_database_error().and_then(|error| error.code()).as_deref() == Some("55P03") {
                    return CopyError::Refused("the target is in use: stop what uses it".to_owned());
                }
                write(error)
            })?;
        }
        is_empty(&mut target).await?;
        // The row that its migration made.
        sqlx::query("DELETE FROM country_state").execute(&mut target).await.map_err(write)?;
        Ok(Self(target))
    }

    /// A table, as the catalogue describes it.
    pub async fn table(&mut self, name: &'static str) -> Result<Table, CopyError> {
        let sql = "SELECT column_name::text, data_type::text FROM information_schema.columns \
                   WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";
        let columns: Vec<(String, String)> =
            sqlx::query_as(sql).bind(name).fetch_all(&mut self.0).await.map_err(write)?;
        let sql = "SELECT a.attname::text FROM pg_index i \
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
                   WHERE i.indrelid = to_regclass($1) AND i.indisprimary";
        let keys = sqlx::query_scalar(sql).bind(name).fetch_all(&mut self.0).await.map_err(write)?;
        let kind = |(column, data_type): (String, String)| match Kind::of(&data_type) {
            Some(kind) => Ok((column, kind)),
            None => {
                Err(CopyError::Refused(format!("{name}.{column} is of a type unknown here: {data_type}")))
            }
        };
        let columns = columns.into_iter().map(kind).collect::<Result<Vec<_>, _>>()?;
        if columns.is_empty() {
            return Err(CopyError::Refused(format!("the target has no table {name}")));
        }
        Ok(Table { name, columns, keys })
    }

    pub async fn insert(&mut self, table: &Table, batch: Batch) -> Result<(), CopyError> {
        if batch.rows.is_empty() {
            return Ok(());
        }
        let width = table.columns.len();
        let places = (0..batch.rows.len()).map(|row| {
            let places = (1..=width).map(|column| format!("${}", row * width + column));
            format!("({})", places.collect::<Vec<_>>().join(", "))
        });
        let places = places.collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO \"{}\" ({}) VALUES {places}", table.name, table.names());
        let mut insert = sqlx::query(AssertSqlSafe(sql));
        for value in batch.rows.into_iter().flatten() {
            insert = match value {
                Value::Whole(value) => insert.bind(value),
                Value::Real(value) => insert.bind(value),
                Value::Truth(value) => insert.bind(value),
                Value::Text(value) => insert.bind(value),
                Value::Bytes(value) => insert.bind(value),
            };
        }
        insert.execute(&mut self.0).await.map(|_| ()).map_err(write)
    }

    pub async fn count(&mut self, table: &str) -> Result<u64, CopyError> {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{table}\"")));
        count.fetch_one(&mut self.0).await.map(i64::unsigned_abs).map_err(write)
    }

    /// The columns of a table whose numbers the database gives.
    pub async fn identities(&mut self, table: &str) -> Result<Vec<String>, CopyError> {
        let sql = "SELECT column_name::text FROM information_schema.columns \
                   WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'";
        sqlx::query_scalar(sql).bind(table).fetch_all(&mut self.0).await.map_err(write)
    }

    /// Gives numbers above this one from now on.
    pub async fn count_on(&mut self, table: &str, column: &str, highest: i64) -> Result<(), CopyError> {
        if highest < 1 {
            return Ok(());
        }
        let set = sqlx::query("SELECT setval(pg_get_serial_sequence($1, $2), $3)");
        set.bind(table).bind(column).bind(highest).execute(&mut self.0).await.map(|_| ()).map_err(write)
    }

    /// Hands back what processes had under way, and ends the transaction.
    pub async fn finish(mut self) -> Result<(), CopyError> {
        // Nobody is at work there: the next who looks takes it up, as after a crash.
        let free = "UPDATE runs SET lease_until = 0 WHERE state = 'running'";
        for sql in [free, "COMMIT"] {
            sqlx::query(sql).execute(&mut self.0).await.map_err(write)?;
        }
        let _ = self.0.close().await;
        Ok(())
    }
}

async fn connect(to: &str) -> Result<PgConnection, CopyError> {
    let url = to.replacen("postgresql://", "postgres://", 1);
    let no_url =
        || CopyError::Refused("the target must be a URL like postgres://USER:PASSWORD@HOST/NAME".into());
    if !url.starts_with("postgres://") {
        return Err(no_url());
    }
    let options = PgConnectOptions::from_str(&url).map_err(|_| no_url())?;
    options.application_name(APPLICATION).disable_statement_logging().connect().await.map_err(write)
}

async fn is_empty(target: &mut PgConnection) -> Result<(), CopyError> {
    for table in COPIED.into_iter().chain(["leases"]) {
        let is_there: bool = sqlx::query_scalar("SELECT to_regclass(quote_ident($1)) IS NOT NULL")
            .bind(table)
            .fetch_one(&mut *target)
            .await
            .map_err(write)?;
        if !is_there {
            continue;
        }
        // This one is born with a row.
        let any = if table == "country_state" { "WHERE version <> 0 OR report IS NOT NULL" } else { "" };
        let sql = format!("SELECT EXISTS (SELECT 1 FROM \"{table}\" {any})");
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        if query.fetch_one(&mut *target).await.map_err(write)? {
            return Err(CopyError::Refused(format!("the target is not empty: {table} has rows")));
        }
    }
    Ok(())
}

fn write(error: SqlxError) -> CopyError {
    CopyError::Write(error.into())
}
