//! When the tasks of a table are run by themselves.

use async_trait::async_trait;
use malecon_domain::{DueTask, Instant, NewRun};
use malecon_ports::{RepositoryError, ScheduleRepository, TickWrite};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, SelectTwo};

use crate::bell::Bell;
use crate::db::Db;
use crate::entity::country::instant;
use crate::entity::run;
use crate::entity::task::{Column, Entity, Model, TO_BE_PLANNED, task};
use crate::error::classify;
use crate::movie::execute;
use crate::quota::hold_with_room;
use crate::run::{insert, show};
use crate::store::clock;

/// The schedules of one database.
#[derive(Clone, Debug)]
pub struct SqlSchedules {
    db: Db,
    bell: Bell,
}

impl SqlSchedules {
    pub(crate) fn new(db: Db, bell: Bell) -> Self {
        Self { db, bell }
    }
}

#[async_trait]
impl ScheduleRepository for SqlSchedules {
    async fn now(&self) -> Result<Instant, RepositoryError> {
        instant(clock(&self.db).await?)
    }

    async fn due(&self, most: u32) -> Result<Vec<DueTask>, RepositoryError> {
        let now = clock(&self.db).await?;
        let (mut due, mut all_read) = (vec![], Ok(()));
        for (row, last_run) in due_at(now, most).all(&self.db).await.map_err(classify)? {
            let (id, revision, tick) = (row.id, row.revision, row.tick.unwrap_or(TO_BE_PLANNED));
            match due_task(row, last_run, tick, now) {
                Ok(task) => due.push(task),
                Err(error) => {
                    // This is told once. Then it has no tick until it is changed, or it would be in
                    // the way of others for ever.
                    plan(&self.db, (id, revision, tick), None).await?;
                    all_read = Err(error);
                }
            }
        }
        all_read.map(|()| due)
    }

    async fn planned(&self, after: i64, most: u32) -> Result<Vec<DueTask>, RepositoryError> {
        let now = clock(&self.db).await?;
        let planned = Entity::find().find_also_related(run::Entity).filter(Column::Tick.gt(TO_BE_PLANNED));
        let planned = planned.filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(u64::from(most));
        let rows = planned.all(&self.db).await.map_err(classify)?;
        let mut tasks = vec![];
        for (row, last_run) in rows {
            let tick = row.tick.unwrap_or(TO_BE_PLANNED);
            // One that can't be read is told of when it is due.
            tasks.extend(due_task(row, last_run, tick, now).ok());
        }
        Ok(tasks)
    }

    async fn advance(
        &self,
        due: &DueTask,
        next: Option<Instant>,
        run: Option<NewRun>,
    ) -> Result<TickWrite, RepositoryError> {
        let transaction = self.db.begin().await?;
        // Before the task: see `crate::run`.
        let has_room = match &run {
            Some(run) => hold_with_room(&transaction, run).await?,
            None => true,
        };
        let tick = due.tick.map_or(TO_BE_PLANNED, |tick| tick.timestamp_micros());
        let next = next.map(|next| next.timestamp_micros());
        if !plan(&transaction, (due.task.id, due.task.revision, tick), next).await? {
            return Ok(TickWrite::Outdated);
        }
        let run = run.filter(|_| has_room);
        if let Some(run) = &run {
            let now = clock(&transaction).await?;
            if insert(&transaction, run, now, &self.bell).await?.id == run.id {
                show(&transaction, run).await?;
            }
        }
        transaction.commit().await.map_err(classify)?;
        if run.is_some() {
            self.bell.ring();
        }
        Ok(if has_room { TickWrite::Done } else { TickWrite::Full })
    }
}

pub(crate) fn due_at(now: i64, most: u32) -> SelectTwo<Entity, run::Entity> {
    let due = Entity::find().find_also_related(run::Entity).filter(Column::Tick.lte(now));
    due.order_by_asc(Column::Tick).order_by_asc(Column::Id).limit(u64::from(most))
}

fn due_task(
    row: Model,
    last_run: Option<run::Model>,
    tick: i64,
    now: i64,
) -> Result<DueTask, RepositoryError> {
    let tick = (tick != TO_BE_PLANNED).then(|| instant(tick)).transpose()?;
    Ok(DueTask { task: task((row, last_run))?, tick, now: instant(now)? })
}

/// Sets the tick of a task that is as it was seen: its number, revision and tick. Whether it was.
async fn plan(
    db: &impl ConnectionTrait,
    (id, revision, tick): (i64, i64, i64),
    next: Option<i64>,
) -> Result<bool, RepositoryError> {
    let sql = "UPDATE tasks SET tick = $1 WHERE id = $2 AND revision = $3 AND tick = $4";
    Ok(execute(db, sql, [next.into(), id.into(), revision.into(), tick.into()]).await? == 1)
}
