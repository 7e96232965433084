//! Integration tasks in a table.

use std::collections::HashMap;

use async_trait::async_trait;
use malecon_domain::text::fold;
use malecon_domain::{
    Direction, Instant, Paged, RunState, RunSummary, Sort, Task, TaskDraft, TaskQuery, TaskSortKey,
    TaskSummary,
};
use malecon_ports::{RepositoryError, TaskRepository, TaskWrite};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, ModelTrait,
    Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::db::Db;
use crate::entity::run;
use crate::entity::task::{ActiveModel, Column, Entity, Summary, drafted, summary, task};
use crate::error::classify;
use crate::quota::has_room_for_task;

/// The tasks of one database.
#[derive(Clone, Debug)]
pub struct SqlTasks {
    db: Db,
}

impl SqlTasks {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl TaskRepository for SqlTasks {
    async fn add(
        &self,
        owner: i64,
        draft: &TaskDraft,
        most: Option<u32>,
        at: Instant,
    ) -> Result<Option<Task>, RepositoryError> {
        let transaction = self.db.begin().await?;
        if !has_room_for_task(&transaction, owner, most).await? {
            return Ok(None);
        }
        let created_at = Set(at.timestamp_micros());
        let row = ActiveModel { owner: Set(owner), created_at, ..drafted(draft, 1, at)? };
        let row = row.insert(&transaction).await.map_err(classify)?;
        transaction.commit().await.map_err(classify)?;
        task((row, None)).map(Some)
    }

    async fn find(&self, owner: i64, id: i64) -> Result<Option<Task>, RepositoryError> {
        let theirs = Entity::find_by_id(id).filter(Column::Owner.eq(owner)).find_also_related(run::Entity);
        theirs.one(&self.db).await.map_err(classify)?.map(task).transpose()
    }

    async fn list(&self, owner: i64, query: &TaskQuery) -> Result<Paged<TaskSummary>, RepositoryError> {
        // PostgreSQL has no such letter, so no name of ours holds it.
        if query.text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Ok(Paged { items: vec![], total: 0 });
        }
        let backend = self.db.get_database_backend();
        let matching = Entity::find().left_join(run::Entity).filter(condition(owner, query, backend));
        let total = matching.clone().count(&self.db).await.map_err(classify)?;
        let page =
            sorted(matching, &query.sort).limit(u64::from(query.page.size())).offset(query.page.offset());
        let page = page.select_only().columns(Summary::COLUMNS).expr_as(Expr::cust(Summary::HEAD), "head");
        let rows = page.into_model::<Summary>().all(&self.db).await.map_err(classify)?;
        let mut last_runs = self.last_runs(&rows).await?;
        let items = rows.into_iter().map(|row| {
            let last_run = row.last_run.as_ref().and_then(|id| last_runs.remove(id));
            summary(row, last_run)
        });
        Ok(Paged { items: items.collect::<Result<_, _>>()?, total })
    }

    async fn change(
        &self,
        owner: i64,
        id: i64,
        draft: &TaskDraft,
        revision: Option<i64>,
        at: Instant,
    ) -> Result<TaskWrite, RepositoryError> {
        let transaction = self.db.begin().await?;
        let theirs = Entity::find_by_id(id).filter(Column::Owner.eq(owner)).lock_exclusive();
        let Some(row) = theirs.one(&transaction).await.map_err(classify)? else {
            return Ok(TaskWrite::Missing);
        };
        if revision.is_some_and(|revision| revision != row.revision) {
            return Ok(TaskWrite::Outdated);
        }
        let next = ActiveModel { id: Set(id), ..drafted(draft, row.revision + 1, at)? };
        let row = next.update(&transaction).await.map_err(classify)?;
        let last_run = row.find_related(run::Entity).one(&transaction).await.map_err(classify)?;
        transaction.commit().await.map_err(classify)?;
        task((row, last_run)).map(TaskWrite::Done)
    }

    async fn remove(&self, owner: i64, id: i64) -> Result<bool, RepositoryError> {
        // The database removes its runs: see the schema.
        let delete = Entity::delete_by_id(id).filter(Column::Owner.eq(owner));
        Ok(delete.exec(&self.db).await.map_err(classify)?.rows_affected == 1)
    }
}

impl SqlTasks {
    /// The latest runs of these tasks, by number.
    async fn last_runs(&self, tasks: &[Summary]) -> Result<HashMap<String, RunSummary>, RepositoryError> {
        let ids = tasks.iter().filter_map(|task| task.last_run.clone());
        let theirs = run::Entity::find().filter(run::Column::Id.is_in(ids));
        let rows = theirs.into_partial_model::<run::Summary>().all(&self.db).await.map_err(classify)?;
        rows.into_iter().map(|row| Ok((row.id.clone(), row.try_into()?))).collect()
    }
}

/// Positions of substrings, not LIKE: so no letter is a wildcard.
fn condition(owner: i64, query: &TaskQuery, backend: DbBackend) -> Condition {
    let position = if backend == DbBackend::Sqlite { "instr" } else { "strpos" };
    let has = |text: &String| {
        let name = Expr::col((Entity, Column::NameFolded));
        Func::cust(position).arg(name).arg(fold(text)).gt(0)
    };
    let is_in = |state: Option<RunState>| match state {
        Some(state) => run::Column::State.eq(state.name()),
        None => Column::LastRun.is_null(),
    };
    Condition::all()
        .add(Column::Owner.eq(owner))
        .add_option(query.text.as_ref().map(has))
        .add_option(query.state.map(is_in))
}

fn sorted(select: Select<Entity>, sort: &[Sort<TaskSortKey>]) -> Select<Entity> {
    let select = sort.iter().fold(select, |select, Sort { key, direction }| {
        let column = match key {
            TaskSortKey::Id => Column::Id,
            TaskSortKey::Name => Column::NameFolded,
            TaskSortKey::CreatedAt => Column::CreatedAt,
            TaskSortKey::UpdatedAt => Column::UpdatedAt,
        };
        let order = if *direction == Direction::Descending { Order::Desc } else { Order::Asc };
        select.order_by(column, order)
    });
    select.order_by_asc(Column::Id)
}
