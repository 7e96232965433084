//! The bodies that attempts leave behind: how much of them is kept, and which go to make room.

use malecon_domain::Trace;
use malecon_ports::RepositoryError;
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use crate::db::Db;
use crate::entity::call::{TraceJson, read, write};
use crate::error::classify;
use crate::movie::{execute, statement};

/// Owners of more bytes than these. Neither database reads a trace to tell its length.
pub(crate) async fn hoarders(db: &Db, bytes: u64) -> Result<Vec<i64>, RepositoryError> {
    let sql = "SELECT runs.owner AS owner FROM attempts JOIN runs ON runs.id = attempts.run_id \
               WHERE runs.owner IS NOT NULL AND attempts.trace IS NOT NULL AND NOT attempts.body_dropped \
               GROUP BY runs.owner HAVING SUM(octet_length(attempts.trace)) > $1";
    let rows = db.query_all_raw(statement(db, sql, [capped(bytes).into()])).await.map_err(classify)?;
    rows.iter().map(|row| row.try_get("", "owner").map_err(classify)).collect()
}

/// Drops the bodies of the oldest traces of an owner that are beyond so many bytes, counted from the
/// latest on. One after the other, since each may be large.
pub(crate) async fn drop_bodies(db: &Db, owner: i64, bytes: u64, most: u32) -> Result<u64, RepositoryError> {
    let sql = "SELECT run_id, number FROM (SELECT attempts.run_id AS run_id, attempts.number AS number, \
               SUM(octet_length(attempts.trace)) OVER (ORDER BY attempts.run_id DESC, attempts.number DESC \
               ROWS UNBOUNDED PRECEDING) AS kept \
               FROM attempts JOIN runs ON runs.id = attempts.run_id WHERE runs.owner = $1 \
               AND attempts.trace IS NOT NULL AND NOT attempts.body_dropped) AS theirs \
               WHERE kept > $2 ORDER BY run_id, number LIMIT $3";
    let values = [owner.into(), capped(bytes).into(), i64::from(most).into()];
    let rows = db.query_all_raw(statement(db, sql, values)).await.map_err(classify)?;
    let beyond = rows.iter().map(place).collect::<Result<Vec<_>, _>>().map_err(classify)?;
    let mut dropped = 0;
    for (run, number) in beyond {
        dropped += drop_one(db, run, number).await?;
    }
    Ok(dropped)
}

fn place(row: &QueryResult) -> Result<(String, i64), DbErr> {
    Ok((row.try_get("", "run_id")?, row.try_get("", "number")?))
}

/// A trace that was written does not change any more, but by this.
async fn drop_one(db: &Db, run: String, number: i64) -> Result<u64, RepositoryError> {
    let sql = "SELECT trace FROM attempts WHERE run_id = $1 AND number = $2 AND trace IS NOT NULL";
    let row = db.query_one_raw(statement(db, sql, [run.as_str().into(), number.into()])).await;
    let Some(row) = row.map_err(classify)? else { return Ok(0) };
    let text: String = row.try_get("", "trace").map_err(classify)?;
    // One that can't be read has nothing that anybody will miss.
    let mut trace = read::<TraceJson>(&text).and_then(Trace::try_from).unwrap_or_default();
    drop(text);
    trace.drop_bodies();
    let sql = "UPDATE attempts SET trace = $1, body_dropped = TRUE WHERE run_id = $2 AND number = $3";
    execute(db, sql, [write(&TraceJson::from(&trace))?.into(), run.into(), number.into()]).await
}

fn capped(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
