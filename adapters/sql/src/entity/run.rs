//! A run's row.

use malecon_domain::{NewRun, OnceKey, Run, RunId, RunState, RunSummary};
use malecon_ports::RepositoryError;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::call::{JobJson, named, read, write};
use super::country::instant;
use crate::store::micros;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub owner: Option<i64>,
    pub task_id: Option<i64>,
    pub lane: String,
    pub state: String,
    pub attempts: i64,
    pub max_attempts: i64,
    pub cancelled: bool,
    pub once_key: Option<String>,
    pub fingerprint: Option<String>,
    pub replayed_from: Option<String>,
    pub created_at: i64,
    pub due_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub lease_until: Option<i64>,
    pub job: String,
    pub lost: i64,
    pub interrupted: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a run that is made now.
pub fn row(run: &NewRun, now: i64) -> Result<ActiveModel, RepositoryError> {
    Ok(ActiveModel {
        id: Set(run.id.to_string()),
        owner: Set(run.owner),
        task_id: Set(run.task_id),
        lane: Set(run.lane.clone()),
        state: Set(RunState::Queued.name().to_owned()),
        attempts: Set(0),
        max_attempts: Set(run.max_attempts.into()),
        cancelled: Set(false),
        once_key: Set(run.once.as_ref().map(|once| once.key.clone())),
        fingerprint: Set(run.once.as_ref().map(|once| once.fingerprint.clone())),
        replayed_from: Set(run.replayed_from.map(|id| id.to_string())),
        created_at: Set(now),
        due_at: Set(now.saturating_add(micros(run.delay))),
        started_at: Set(None),
        ended_at: Set(None),
        lease_until: Set(None),
        job: Set(write(&JobJson::from(&run.job))?),
        lost: Set(0),
        interrupted: Set(0),
    })
}

impl TryFrom<Model> for Run {
    type Error = RepositoryError;

    fn try_from(row: Model) -> Result<Self, RepositoryError> {
        let once = row.once_key.zip(row.fingerprint);
        Ok(Self {
            id: id(&row.id)?,
            owner: row.owner,
            task_id: row.task_id,
            job: read::<JobJson>(&row.job)?.try_into()?,
            lane: row.lane,
            state: named(&row.state, RunState::from_name(&row.state))?,
            attempts: count(row.attempts)?,
            lost: count(row.lost)?,
            interrupted: count(row.interrupted)?,
            max_attempts: count(row.max_attempts)?,
            once: once.map(|(key, fingerprint)| OnceKey { key, fingerprint }),
            replayed_from: row.replayed_from.as_deref().map(id).transpose()?,
            created_at: instant(row.created_at)?,
            due_at: instant(row.due_at)?,
            started_at: row.started_at.map(instant).transpose()?,
            ended_at: row.ended_at.map(instant).transpose()?,
        })
    }
}

/// What lists read of a run.
#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Summary {
    pub id: String,
    pub owner: Option<i64>,
    pub task_id: Option<i64>,
    pub state: String,
    pub attempts: i64,
    pub max_attempts: i64,
    pub replayed_from: Option<String>,
    pub created_at: i64,
    pub due_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
}

impl TryFrom<Summary> for RunSummary {
    type Error = RepositoryError;

    fn try_from(row: Summary) -> Result<Self, RepositoryError> {
        Ok(Self {
            id: id(&row.id)?,
            owner: row.owner,
            task_id: row.task_id,
            state: named(&row.state, RunState::from_name(&row.state))?,
            attempts: count(row.attempts)?,
            max_attempts: count(row.max_attempts)?,
            replayed_from: row.replayed_from.as_deref().map(id).transpose()?,
            created_at: instant(row.created_at)?,
            due_at: instant(row.due_at)?,
            started_at: row.started_at.map(instant).transpose()?,
            ended_at: row.ended_at.map(instant).transpose()?,
        })
    }
}

fn id(text: &str) -> Result<RunId, RepositoryError> {
    text.parse().map_err(|error| RepositoryError::Corrupt(Box::new(error)))
}

/// A number of attempts.
pub fn count(number: i64) -> Result<u32, RepositoryError> {
    u32::try_from(number).map_err(|error| RepositoryError::Corrupt(error.into()))
}
