//! Runs and their attempts in tables. Whoever locks several rows goes from a user to its tasks to
//! their runs, or takes only what nobody holds, so that nobody waits in a circle.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{Attempt, NewRun, Run, RunId, RunQuery, RunSummary, RunTally};
use malecon_ports::{RepositoryError, RunRepository, RunWrite};
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};

use crate::bell::Bell;
use crate::db::Db;
use crate::entity::run::{Column, Entity, Summary, row};
use crate::entity::{attempt, user};
use crate::error::classify;
use crate::kept;
use crate::movie::{execute, statement};
use crate::quota::hold_with_room;
use crate::store::{clock, micros, one, unlocked};

/// The runs of one database.
#[derive(Clone, Debug)]
pub struct SqlRuns {
    db: Db,
    bell: Bell,
}

impl SqlRuns {
    pub(crate) fn new(db: Db, bell: Bell) -> Self {
        Self { db, bell }
    }
}

#[async_trait]
impl RunRepository for SqlRuns {
    async fn add(&self, run: &NewRun) -> Result<RunWrite, RepositoryError> {
        let transaction = self.db.begin().await?;
        if !hold_with_room(&transaction, run).await? {
            let there = there(&transaction, run).await?;
            return Ok(there.map_or(RunWrite::Full, RunWrite::There));
        }
        let now = clock(&transaction).await?;
        show(&transaction, run).await?;
        let kept = insert(&transaction, run, now, &self.bell).await?;
        if kept.id != run.id {
            transaction.rollback().await.map_err(classify)?;
            return Ok(RunWrite::There(kept));
        }
        transaction.commit().await.map_err(classify)?;
        self.bell.ring();
        Ok(RunWrite::Added(kept))
    }

    async fn find(&self, id: RunId) -> Result<Option<Run>, RepositoryError> {
        let row = Entity::find_by_id(id.to_string()).one(&self.db).await.map_err(classify)?;
        row.map(Run::try_from).transpose()
    }

    async fn attempts(&self, id: RunId) -> Result<Vec<Attempt>, RepositoryError> {
        let theirs = attempt::Entity::find().filter(attempt::Column::RunId.eq(id.to_string()));
        let rows = theirs.order_by_asc(attempt::Column::Number).all(&self.db).await.map_err(classify)?;
        rows.into_iter().map(Attempt::try_from).collect()
    }

    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, RepositoryError> {
        let is_older = query.before.map(|id| Column::Id.lt(id.to_string()));
        let theirs = Entity::find()
            .filter(Condition::all().add(Column::TaskId.eq(query.task_id)).add_option(is_older))
            .order_by_desc(Column::Id)
            .limit(u64::from(query.most));
        let rows = theirs.into_partial_model::<Summary>().all(&self.db).await.map_err(classify)?;
        rows.into_iter().map(RunSummary::try_from).collect()
    }

    async fn recent(&self, owner: i64, most: u32) -> Result<Vec<RunSummary>, RepositoryError> {
        let mut recent = BTreeMap::new();
        // One that ends in between is found twice, and is over then.
        for is_over in [false, true] {
            let room = u64::from(most).saturating_sub(recent.len() as u64);
            let rows = latest_of(owner, is_over, room).into_partial_model::<Summary>();
            let rows = rows.all(&self.db).await.map_err(classify)?;
            recent.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
        }
        recent.into_values().rev().map(RunSummary::try_from).collect()
    }

    async fn cancel(&self, id: RunId) -> Result<Option<Run>, RepositoryError> {
        let sql = "UPDATE runs SET cancelled = TRUE, \
                   state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END, \
                   ended_at = CASE state WHEN 'queued' THEN $1 END \
                   WHERE id = $2 AND state IN ('queued', 'running')";
        let now = clock(&self.db).await?;
        execute(&self.db, sql, [now.into(), id.to_string().into()]).await?;
        self.find(id).await
    }

    async fn tally(&self) -> Result<RunTally, RepositoryError> {
        let db = self.db.in_background();
        let sql = "SELECT (SELECT COUNT(*) FROM runs WHERE state = 'queued') AS queued, \
                   (SELECT COUNT(*) FROM runs WHERE state = 'running') AS running, \
                   (SELECT MIN(due_at) FROM runs WHERE state = 'queued') AS due_at";
        let now = clock(&db).await?;
        let read = async {
            let row = one(db.query_one_raw(statement(&db, sql, [])).await?)?;
            let due_at: Option<i64> = row.try_get("", "due_at")?;
            let waited = due_at.map_or(0, |due_at| u64::try_from(now - due_at).unwrap_or(0));
            Ok(RunTally {
                queued: row.try_get::<i64>("", "queued")?.unsigned_abs(),
                running: row.try_get::<i64>("", "running")?.unsigned_abs(),
                longest_wait: Duration::from_micros(waited),
            })
        };
        read.await.map_err(classify)
    }

    async fn prune(&self, older_than: Duration, most: u32) -> Result<u64, RepositoryError> {
        let db = self.db.in_background();
        // Materialized, or PostgreSQL may look for other rows once it has found as many as it should.
        let sql = format!(
            "WITH old AS MATERIALIZED (SELECT id FROM runs WHERE ended_at <= $1 AND NOT EXISTS \
             (SELECT 1 FROM tasks WHERE tasks.id = runs.task_id AND tasks.last_run = runs.id) \
             ORDER BY ended_at LIMIT $2 {}) DELETE FROM runs WHERE id IN (SELECT id FROM old)",
            unlocked(db.get_database_backend())
        );
        let before = clock(&db).await? - micros(older_than);
        execute(&db, &sql, [before.into(), i64::from(most).into()]).await
    }

    async fn hoarders(&self, bytes: u64) -> Result<Vec<i64>, RepositoryError> {
        kept::hoarders(&self.db.in_background(), bytes).await
    }

    async fn drop_bodies(&self, owner: i64, bytes: u64, most: u32) -> Result<u64, RepositoryError> {
        kept::drop_bodies(&self.db.in_background(), owner, bytes, most).await
    }
}

/// The run that has the key of this one.
async fn there(db: &impl ConnectionTrait, run: &NewRun) -> Result<Option<Run>, RepositoryError> {
    let Some(once) = &run.once else { return Ok(None) };
    let row = Entity::find().filter(Column::OnceKey.eq(&*once.key)).one(db).await.map_err(classify)?;
    row.map(Run::try_from).transpose()
}

/// The latest runs of an owner that are over, or that are not.
pub(crate) fn latest_of(owner: i64, is_over: bool, most: u64) -> Select<Entity> {
    let wanted = if is_over { Column::EndedAt.is_not_null() } else { Column::EndedAt.is_null() };
    // As a range and in the order of the index: with `=`, PostgreSQL may go through the runs of all from
    // the latest on, hoping to meet enough of this owner's soon.
    let theirs = Entity::find().filter(Column::Owner.between(owner, owner)).filter(wanted);
    theirs.order_by_asc(Column::Owner).order_by_desc(Column::Id).limit(most)
}

/// Makes a run its task's latest.
pub(crate) async fn show(transaction: &impl ConnectionTrait, run: &NewRun) -> Result<(), RepositoryError> {
    if let Some(task_id) = run.task_id {
        let values = [run.id.to_string().into(), task_id.into()];
        execute(transaction, "UPDATE tasks SET last_run = $1 WHERE id = $2", values).await?;
    }
    Ok(())
}

/// Inserts a run and announces it, unless there is one with its key: the one that is there now.
pub(crate) async fn insert(
    transaction: &impl ConnectionTrait,
    run: &NewRun,
    now: i64,
    bell: &Bell,
) -> Result<Run, RepositoryError> {
    // What is there is read by writing nothing new: it can't go before it is read.
    let or_read = OnConflict::column(Column::OnceKey).update_column(Column::OnceKey).to_owned();
    let insert = Entity::insert(row(run, now)?).on_conflict(or_read);
    let row = insert.exec_with_returning(transaction).await.map_err(classify)?;
    if row.id == run.id.to_string() {
        bell.announce(transaction, &row.id, 1, row.due_at).await?;
    }
    row.try_into()
}

/// On PostgreSQL, holds the owner's row, as strongly as is said: the user comes first, as for whoever
/// removes it.
pub(crate) async fn hold(
    transaction: &impl ConnectionTrait,
    owner: Option<i64>,
    lock: LockType,
) -> Result<(), RepositoryError> {
    if let (Some(id), DbBackend::Postgres) = (owner, transaction.get_database_backend()) {
        let owner = user::Entity::find_by_id(id).lock(lock).one(transaction);
        owner.await.map_err(classify)?;
    }
    Ok(())
}
