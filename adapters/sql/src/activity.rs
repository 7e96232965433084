//! Activities of countries in a table.

use async_trait::async_trait;
use malecon_domain::{Activity, ActivityState, Instant, RunId};
use malecon_ports::{ActivityRepository, RepositoryError};
use sea_orm::ConnectionTrait;

use crate::db::Db;
use crate::entity::activity::{read, write};
use crate::entity::country::instant;
use crate::error::classify;
use crate::movie::{execute, statement};

/// The activities of one database.
#[derive(Clone, Debug)]
pub struct SqlActivityRepository {
    db: Db,
}

impl SqlActivityRepository {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl ActivityRepository for SqlActivityRepository {
    async fn state(&self, country: &str) -> Result<ActivityState, RepositoryError> {
        let sql = "SELECT fetched_at, total, run FROM activities WHERE country = $1";
        let row = self.db.query_one_raw(statement(&self.db, sql, [country.into()])).await;
        let Some(row) = row.map_err(classify)? else { return Ok(ActivityState::default()) };
        let fetched_at: Option<i64> = row.try_get("", "fetched_at").map_err(classify)?;
        let total: i64 = row.try_get("", "total").map_err(classify)?;
        let run: Option<String> = row.try_get("", "run").map_err(classify)?;
        let run = run.map(|run| run.parse().map_err(|error| RepositoryError::Corrupt(Box::new(error))));
        Ok(ActivityState {
            fetched_at: fetched_at.map(instant).transpose()?,
            count: total.unsigned_abs(),
            run: run.transpose()?,
        })
    }

    async fn all(&self, country: &str) -> Result<Vec<Activity>, RepositoryError> {
        let sql = "SELECT list FROM activities WHERE country = $1";
        let row = self.db.query_one_raw(statement(&self.db, sql, [country.into()])).await;
        let Some(row) = row.map_err(classify)? else { return Ok(vec![]) };
        let list: String = row.try_get("", "list").map_err(classify)?;
        read(&list)
    }

    async fn replace(
        &self,
        country: &str,
        activities: &[Activity],
        at: Instant,
    ) -> Result<(), RepositoryError> {
        let db = self.db.in_background();
        let sql = "INSERT INTO activities (country, fetched_at, total, list) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (country) DO UPDATE SET fetched_at = excluded.fetched_at, \
                   total = excluded.total, list = excluded.list \
                   WHERE activities.fetched_at IS NULL OR activities.fetched_at <= excluded.fetched_at";
        let total = i64::try_from(activities.len()).unwrap_or(i64::MAX);
        let values = [country.into(), at.timestamp_micros().into(), total.into(), write(activities)?.into()];
        execute(&db, sql, values).await.map(|_| ())
    }

    async fn note(&self, country: &str, run: RunId) -> Result<(), RepositoryError> {
        let sql = "INSERT INTO activities (country, total, run, list) VALUES ($1, 0, $2, '[]') \
                   ON CONFLICT (country) DO UPDATE SET run = excluded.run";
        execute(&self.db, sql, [country.into(), run.to_string().into()]).await.map(|_| ())
    }
}
