//! A task's row.

use malecon_domain::text::fold;
use malecon_domain::{Instant, Run, RunSummary, Task, TaskConfig, TaskDraft, TaskSummary};
use malecon_ports::RepositoryError;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use super::call::{ConfigJson, read, write};
use super::country::instant;
use super::run;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub owner: i64,
    pub name: String,
    pub name_folded: String,
    pub last_run: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub revision: i64,
    pub tick: Option<i64>,
    pub config: String,
    /// The config without its payload, of the revision `head_revision`: a process of an earlier version
    /// changes the config alone.
    pub head: Option<String>,
    pub head_revision: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "run::Entity", from = "Column::LastRun", to = "run::Column::Id")]
    LastRun,
}

impl Related<run::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::LastRun.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// What lists read of a task, and where they read it: a payload only where there is no head of the present
/// revision.
#[derive(Debug, FromQueryResult)]
pub struct Summary {
    pub id: i64,
    pub owner: i64,
    pub name: String,
    pub last_run: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub revision: i64,
    pub head: String,
}

impl Summary {
    pub const COLUMNS: [Column; 7] = [
        Column::Id,
        Column::Owner,
        Column::Name,
        Column::LastRun,
        Column::CreatedAt,
        Column::UpdatedAt,
        Column::Revision,
    ];
    pub const HEAD: &str = "CASE WHEN head_revision = revision THEN head ELSE config END";
}

/// A task in a list, and the latest of its runs.
pub fn summary(row: Summary, last_run: Option<RunSummary>) -> Result<TaskSummary, RepositoryError> {
    let config: TaskConfig = read::<ConfigJson>(&row.head)?.try_into()?;
    Ok(TaskSummary {
        id: row.id,
        owner: row.owner,
        name: row.name,
        config: TaskConfig { payload: None, ..config },
        last_run,
        created_at: instant(row.created_at)?,
        updated_at: instant(row.updated_at)?,
        revision: row.revision,
    })
}

/// The tick of a task whose first one is not planned yet.
pub const TO_BE_PLANNED: i64 = 0;

/// What a draft sets of a row that has this revision then.
pub fn drafted(draft: &TaskDraft, revision: i64, at: Instant) -> Result<ActiveModel, RepositoryError> {
    let head = TaskConfig { payload: None, ..draft.config.clone() };
    Ok(ActiveModel {
        id: NotSet,
        owner: NotSet,
        name: Set(draft.name.clone()),
        name_folded: Set(fold(&draft.name)),
        last_run: NotSet,
        created_at: NotSet,
        updated_at: Set(at.timestamp_micros()),
        revision: Set(revision),
        tick: Set(draft.config.schedule.as_ref().map(|_| TO_BE_PLANNED)),
        config: Set(write(&ConfigJson::from(&draft.config))?),
        head: Set(Some(write(&ConfigJson::from(&head))?)),
        head_revision: Set(Some(revision)),
    })
}

/// A task, and the latest of its runs.
pub fn task((row, last_run): (Model, Option<run::Model>)) -> Result<Task, RepositoryError> {
    Ok(Task {
        id: row.id,
        owner: row.owner,
        draft: TaskDraft { name: row.name, config: read::<ConfigJson>(&row.config)?.try_into()? },
        last_run: last_run.map(Run::try_from).transpose()?,
        created_at: instant(row.created_at)?,
        updated_at: instant(row.updated_at)?,
        revision: row.revision,
    })
}
