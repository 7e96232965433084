//! An attempt's row.

use malecon_domain::{Attempt, AttemptEnd, Trace};
use malecon_ports::RepositoryError;
use sea_orm::entity::prelude::*;

use super::call::{TraceJson, named, read};
use super::country::instant;
use super::run::count;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub outcome: Option<String>,
    pub trace: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Attempt {
    type Error = RepositoryError;

    fn try_from(row: Model) -> Result<Self, RepositoryError> {
        let end = |name: String| named(&name, AttemptEnd::from_name(&name));
        let trace = |text: String| read::<TraceJson>(&text).and_then(Trace::try_from);
        Ok(Self {
            number: count(row.number)?,
            started_at: instant(row.started_at)?,
            ended_at: row.ended_at.map(instant).transpose()?,
            end: row.outcome.map(end).transpose()?,
            trace: row.trace.map(trace).transpose()?.unwrap_or_default(),
        })
    }
}
