//! The queue: due runs of the table, each leased to one owner by the database's clock.

mod steady;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{AttemptEnd, Next, Run, RunState, Trace};
use malecon_ports::{Hold, RepositoryError, RunLease, TaskQueue};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::steady::Steady;
use crate::bell::Bell;
use crate::db::Db;
use crate::entity::call::{TraceJson, write};
use crate::entity::run::Entity;
use crate::error::classify;
use crate::movie::{execute, statement};
use crate::store::{clock, micros, unlocked};

/// Whether an attempt that failed is a run's last.
const IS_LAST: &str = "attempts - lost - interrupted >= max_attempts";

/// What becomes of a run that is over at `$1`, in the state `$2`.
const OVER: &str = "state = $2, ended_at = $1, lease_until = NULL";

/// Bytes of a body whose trace is written without waiting for a turn.
const SMALL: usize = 64 * 1024;

/// Large traces that are written at once.
const PENS: usize = 1;

/// The queue of one database.
#[derive(Clone, Debug)]
pub struct SqlQueue {
    db: Db,
    bell: Bell,
    /// For those who write a large trace: as a row it takes several times its memory.
    pens: Arc<Semaphore>,
    /// Whether the database's clock can be believed that a lease has lapsed.
    pub(crate) steady: Steady,
}

impl SqlQueue {
    pub(crate) fn new(db: Db, bell: Bell) -> Self {
        Self { db, bell, pens: Arc::new(Semaphore::new(PENS)), steady: Steady::default() }
    }

    /// A turn to write a trace, if it is one that has to wait for one.
    async fn pen(&self, trace: &Trace) -> Option<SemaphorePermit<'_>> {
        let is_large = trace.received.as_ref().is_some_and(|received| received.body.len() > SMALL);
        if is_large { self.pens.acquire().await.ok() } else { None }
    }

    /// What time it is for runs.
    async fn now(&self, db: &impl ConnectionTrait) -> Result<i64, RepositoryError> {
        Ok(clock(db).await? + self.steady.skew())
    }
}

#[async_trait]
impl TaskQueue for SqlQueue {
    async fn claim(&self, full: &[String], lease: Duration) -> Result<Option<Run>, RepositoryError> {
        let transaction = self.db.begin().await?;
        let now = self.now(&transaction).await?;
        // Whoever looks through the table also finds what others have left.
        if self.steady.is_at(now, lease) {
            let lost = free_lapsed(&transaction, now, &self.bell).await?;
            self.db.pools.lost_leases.fetch_add(lost, Ordering::Relaxed);
        }
        let run = take(&transaction, full, now, lease).await?;
        transaction.commit().await.map_err(classify)?;
        // One that can't be read was ended with its claim: it would be in everybody's way for ever.
        run.transpose()
    }

    async fn renew(&self, lease: &RunLease, time: Duration) -> Result<Hold, RepositoryError> {
        let sql = "UPDATE runs SET lease_until = $1 + $2 WHERE id = $3 AND attempts = $4 \
                   AND state = 'running' RETURNING cancelled";
        let now = self.now(&self.db).await?;
        let values = fenced(now, micros(time), lease);
        let row = self.db.query_one_raw(statement(&self.db, sql, values)).await.map_err(classify)?;
        Ok(match row.map(|row| row.try_get("", "cancelled")).transpose().map_err(classify)? {
            Some(false) => Hold::Held,
            Some(true) => Hold::Cancelled,
            None => Hold::Lost,
        })
    }

    async fn finish(&self, lease: &RunLease, next: Next, trace: &Trace) -> Result<bool, RepositoryError> {
        let _pen = self.pen(trace).await;
        let trace = write(&TraceJson::from(trace))?;
        let again = again(IS_LAST);
        let (end, change, value): (_, _, Value) = match next {
            Next::Over(end) => (end, OVER, state_after(end).name().into()),
            Next::Again(wait) => (AttemptEnd::Failed, &*again, micros(wait).into()),
        };
        let sql = format!(
            "UPDATE runs SET {change} WHERE id = $3 AND attempts = $4 \
             AND state = 'running' RETURNING id, attempts, state, due_at"
        );
        let transaction = self.db.begin().await?;
        let now = self.now(&transaction).await?;
        let update = statement(&transaction, &sql, fenced(now, value, lease));
        let Some(row) = transaction.query_one_raw(update).await.map_err(classify)? else {
            return Ok(false);
        };
        announce_again(&transaction, &row, &self.bell).await?;
        let sql = "UPDATE attempts SET ended_at = $1, outcome = $2, trace = $5 \
                   WHERE run_id = $3 AND number = $4";
        let values = fenced(now, end.name(), lease).into_iter().chain([trace.into()]);
        execute(&transaction, sql, values).await?;
        transaction.commit().await.map_err(classify)?;
        Ok(true)
    }

    async fn release(&self, leases: &[RunLease]) -> Result<u64, RepositoryError> {
        if leases.is_empty() {
            return Ok(0);
        }
        let transaction = self.db.begin().await?;
        let now = self.now(&transaction).await?;
        let pairs: Vec<_> =
            (0..leases.len()).map(|n| format!("(${}, CAST(${} AS BIGINT))", 2 * n + 3, 2 * n + 4)).collect();
        let held = format!("state = 'running' AND (id, attempts) IN (VALUES {})", pairs.join(", "));
        let values = leases.iter().flat_map(|lease| -> [Value; 2] {
            [lease.id.to_string().into(), i64::from(lease.attempt).into()]
        });
        let ended = end_each(&transaction, &held, values, AttemptEnd::Interrupted, now, &self.bell).await?;
        transaction.commit().await.map_err(classify)?;
        self.bell.ring();
        Ok(ended)
    }

    async fn wait(&self, most: Duration) {
        // Either is a reason to look.
        let _ = tokio::time::timeout(most, self.bell.heard()).await;
    }
}

fn state_after(end: AttemptEnd) -> RunState {
    match end {
        AttemptEnd::Succeeded => RunState::Succeeded,
        AttemptEnd::Failed | AttemptEnd::Lost | AttemptEnd::Interrupted => RunState::Failed,
        AttemptEnd::Cancelled => RunState::Cancelled,
    }
}

/// What becomes of a run whose attempt ended at `$1`, unless that was its last: it is due again after `$2`.
fn again(is_last: &str) -> String {
    format!(
        "state = CASE WHEN cancelled THEN 'cancelled' WHEN {is_last} THEN 'failed' ELSE 'queued' END, \
         due_at = CASE WHEN cancelled OR {is_last} THEN due_at ELSE $1 + $2 END, \
         ended_at = CASE WHEN cancelled OR {is_last} THEN $1 END, lease_until = NULL"
    )
}

/// Values of a change that only the lease's owner may make.
fn fenced(now: i64, value: impl Into<Value>, lease: &RunLease) -> [Value; 4] {
    [now.into(), value.into(), lease.id.to_string().into(), i64::from(lease.attempt).into()]
}

/// Ends the attempts of those who did not renew their leases; how many there were.
async fn free_lapsed(db: &impl ConnectionTrait, now: i64, bell: &Bell) -> Result<u64, RepositoryError> {
    let lapsed = "state = 'running' AND lease_until <= $1";
    end_each(db, lapsed, [], AttemptEnd::Lost, now, bell).await
}

/// Ends attempts that nobody goes on with, as lost or interrupted: those of these runs, if nobody else is at
/// them. `held` speaks of the values from `$3` on. How many there were.
async fn end_each(
    db: &impl ConnectionTrait,
    held: &str,
    values: impl IntoIterator<Item = Value>,
    end: AttemptEnd,
    now: i64,
    bell: &Bell,
) -> Result<u64, RepositoryError> {
    let (count, is_last) = match end {
        AttemptEnd::Lost => ("lost", format!("lost + 1 >= {}", Run::MAX_LOST)),
        _ => ("interrupted", "FALSE".to_owned()),
    };
    let sql = format!(
        "UPDATE runs SET {}, {count} = {count} + 1 WHERE id IN (SELECT id FROM runs WHERE {held} {}) \
         RETURNING id, attempts, state, due_at",
        again(&is_last),
        unlocked(db.get_database_backend())
    );
    let values = [now.into(), 0_i64.into()].into_iter().chain(values);
    let rows = db.query_all_raw(statement(db, &sql, values)).await.map_err(classify)?;
    let sql = "UPDATE attempts SET ended_at = $1, outcome = $2 WHERE run_id = $3 AND number = $4";
    for row in &rows {
        announce_again(db, row, bell).await?;
        let run: String = row.try_get("", "id").map_err(classify)?;
        let number: i64 = row.try_get("", "attempts").map_err(classify)?;
        execute(db, sql, [now.into(), end.name().into(), run.into(), number.into()]).await?;
    }
    Ok(rows.len() as u64)
}

/// Announces the next attempt of a run that is tried again.
async fn announce_again(
    db: &impl ConnectionTrait,
    row: &QueryResult,
    bell: &Bell,
) -> Result<(), RepositoryError> {
    let get = || -> Result<(String, i64, String, i64), DbErr> {
        Ok((
            row.try_get("", "id")?,
            row.try_get("", "attempts")?,
            row.try_get("", "state")?,
            row.try_get("", "due_at")?,
        ))
    };
    let (run, attempts, state, due_at) = get().map_err(classify)?;
    if state == RunState::Queued.name() {
        bell.announce(db, &run, attempts + 1, due_at).await?;
    }
    Ok(())
}

/// Takes the run that has been due longest, and begins its next attempt.
async fn take(
    db: &impl ConnectionTrait,
    full: &[String],
    now: i64,
    lease: Duration,
) -> Result<Option<Result<Run, RepositoryError>>, RepositoryError> {
    let sql = take_sql(db.get_database_backend(), full.len());
    let values = [now.into(), micros(lease).into()].into_iter();
    let values = values.chain(full.iter().map(|lane| lane.as_str().into()));
    let select = Entity::find().from_raw_sql(statement(db, sql, values));
    let Some(row) = select.one(db).await.map_err(classify)? else { return Ok(None) };
    let sql = "INSERT INTO attempts (run_id, number, started_at) VALUES ($1, $2, $3)";
    execute(db, sql, [row.id.as_str().into(), row.attempts.into(), now.into()]).await?;
    let id = row.id.clone();
    let run = Run::try_from(row);
    if run.is_err() {
        let sql = format!("UPDATE runs SET {OVER} WHERE id = $3");
        let end = AttemptEnd::Failed.name();
        execute(db, &sql, [now.into(), RunState::Failed.name().into(), id.as_str().into()]).await?;
        let sql = "UPDATE attempts SET ended_at = $1, outcome = $2 WHERE run_id = $3 AND ended_at IS NULL";
        execute(db, sql, [now.into(), end.into(), id.into()]).await?;
    }
    Ok(Some(run))
}

/// At `$1`, for `$2`; the lanes that are left come after.
pub(crate) fn take_sql(backend: DbBackend, lanes: usize) -> String {
    let lanes: Vec<_> = (0..lanes).map(|n| format!("${}", n + 3)).collect();
    let others =
        if lanes.is_empty() { String::new() } else { format!("AND lane NOT IN ({})", lanes.join(", ")) };
    format!(
        "UPDATE runs SET state = 'running', attempts = attempts + 1, \
         started_at = COALESCE(started_at, $1), lease_until = $1 + $2 \
         WHERE id = (SELECT id FROM runs WHERE state = 'queued' AND due_at <= $1 {others} \
         ORDER BY due_at, id LIMIT 1 {}) RETURNING *",
        unlocked(backend)
    )
}
