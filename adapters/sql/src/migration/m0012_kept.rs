//! Which attempts have no bodies any more, and configs of tasks without their payloads, for lists.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};
use serde_json::Value;

/// Tasks that are read at once: each may be a megabyte.
const AT_ONCE: usize = 20;

pub(super) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0012_kept"
    }
}

#[async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let text = match db.get_database_backend() {
            DbBackend::Postgres => "TEXT COLLATE \"C\"",
            _ => "TEXT",
        };
        for sql in [
            "ALTER TABLE attempts ADD COLUMN body_dropped BOOLEAN NOT NULL DEFAULT FALSE".to_owned(),
            // A head is that of a revision, since processes of an earlier version change configs alone.
            format!("ALTER TABLE tasks ADD COLUMN head {text}"),
            "ALTER TABLE tasks ADD COLUMN head_revision BIGINT".to_owned(),
        ] {
            db.execute_unprepared(&sql).await?;
        }
        let mut last = 0;
        while let Some(next) = behead(db, last).await? {
            last = next;
        }
        Ok(())
    }
}

/// Writes the heads of the next few tasks after this one; the last of them. One whose config can't be read
/// stays without: lists read its config.
async fn behead(db: &impl ConnectionTrait, after: i64) -> Result<Option<i64>, DbErr> {
    let backend = db.get_database_backend();
    let sql = format!("SELECT id, config FROM tasks WHERE id > $1 ORDER BY id LIMIT {AT_ONCE}");
    let mut last = None;
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, sql, [after.into()])).await? {
        let (id, config): (i64, String) = (row.try_get("", "id")?, row.try_get("", "config")?);
        last = Some(id);
        let Ok(Value::Object(mut head)) = serde_json::from_str(&config) else { continue };
        head.remove("payload");
        let values = [Value::Object(head).to_string().into(), id.into()];
        let sql = "UPDATE tasks SET head = $1, head_revision = revision WHERE id = $2";
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    }
    Ok(last)
}
