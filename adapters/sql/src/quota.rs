//! What users may have at most, counted so that many who add at once do not have more. On SQLite only
//! one writes at a time; on PostgreSQL those who may come near a limit hold their owner's row.

use malecon_domain::NewRun;
use malecon_ports::RepositoryError;
use sea_orm::sea_query::LockType;
use sea_orm::{ConnectionTrait, Value};

use crate::error::classify;
use crate::movie::statement;
use crate::run::hold;
use crate::store::one;

/// Runs that others may be adding meanwhile, unseen: rather more than a server has connections. Who is
/// that far from the limit waits for nobody.
const UNSEEN: u32 = 2_000;

/// Whether the owner may have another task. Until the transaction ends nobody else adds one.
pub(crate) async fn has_room_for_task(
    transaction: &impl ConnectionTrait,
    owner: i64,
    most: Option<u32>,
) -> Result<bool, RepositoryError> {
    let Some(most) = most else { return Ok(true) };
    hold(transaction, Some(owner), LockType::NoKeyUpdate).await?;
    let sql = "SELECT COUNT(*) AS number FROM tasks WHERE owner = $1";
    Ok(count(transaction, sql, [owner.into()]).await? < i64::from(most))
}

/// Holds the owner of a run to be, if it has one, and tells whether it may have it.
pub(crate) async fn hold_with_room(
    transaction: &impl ConnectionTrait,
    run: &NewRun,
) -> Result<bool, RepositoryError> {
    let Some((owner, most)) = run.owner.zip(run.most_open) else {
        return hold(transaction, run.owner, LockType::KeyShare).await.map(|()| true);
    };
    // First without a lock, since a stronger one can't be had later without the risk of a circle.
    let is_far = open(transaction, owner, most).await? + i64::from(UNSEEN) <= i64::from(most);
    if is_far {
        return hold(transaction, Some(owner), LockType::KeyShare).await.map(|()| true);
    }
    hold(transaction, Some(owner), LockType::NoKeyUpdate).await?;
    Ok(open(transaction, owner, most).await? < i64::from(most))
}

/// How many runs of tasks of the owner are not over; no more are counted than may be.
async fn open(db: &impl ConnectionTrait, owner: i64, most: u32) -> Result<i64, RepositoryError> {
    let sql = "SELECT COUNT(*) AS number FROM (SELECT 1 AS one FROM runs \
               WHERE owner = $1 AND ended_at IS NULL AND task_id IS NOT NULL LIMIT $2) AS theirs";
    count(db, sql, [owner.into(), i64::from(most).into()]).await
}

async fn count(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<i64, RepositoryError> {
    let row = db.query_one_raw(statement(db, sql, values)).await.and_then(one);
    row.and_then(|row| row.try_get("", "number")).map_err(classify)
}
