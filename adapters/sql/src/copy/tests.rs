//! What can be known of a copy without PostgreSQL; the rest is in the tests of the whole.

use std::collections::BTreeSet;

use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{ConnectOptions as _, Connection as _};

use super::*;
use crate::{SqlOptions, SqlStore};

/// The URL of a file that is gone with this.
struct File(std::path::PathBuf);

impl File {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("malecon-copy-{}.db", uuid::Uuid::new_v4().simple())))
    }

    fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.0.display())
    }

    async fn migrated(&self) -> SqlStore {
        let store = SqlStore::connect(&self.url(), SqlOptions::default()).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    async fn open(&self) -> SqliteConnection {
        sqlx::sqlite::SqliteConnectOptions::new().filename(&self.0).connect().await.unwrap()
    }

    async fn refusal(&self) -> String {
        CopySource::open(&self.url()).await.unwrap_err().to_string()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.0.display()));
        }
    }
}

#[tokio::test]
async fn each_table_of_the_schema_is_copied_after_those_that_it_refers_to_or_left_out() {
    let file = File::new();
    file.migrated().await.close().await;
    let mut database = file.open().await;
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let tables: BTreeSet<String> =
        sqlx::query_scalar(sql).fetch_all(&mut database).await.unwrap().into_iter().collect();
    let known = COPIED.iter().chain(&LEFT_OUT).map(|name| (*name).to_owned()).collect();
    assert_eq!(tables, known, "say of a new table whether it is copied");
    for (place, table) in COPIED.iter().enumerate() {
        let sql = "SELECT \"table\" FROM pragma_foreign_key_list($1)";
        let others: Vec<String> =
            sqlx::query_scalar(sql).bind(*table).fetch_all(&mut database).await.unwrap();
        for other in others {
            assert!(COPIED[..place].contains(&other.as_str()), "{table} refers to {other}");
        }
    }
}

#[tokio::test]
async fn a_file_that_somebody_has_open_is_refused_and_nobody_opens_one_that_is_copied() {
    let file = File::new();
    let store = file.migrated().await;
    store.ping().await.unwrap();
    assert!(file.refusal().await.contains("is in use: stop each server and worker"), "idle as it is");
    store.close().await;
    let source = CopySource::open(&file.url()).await.unwrap();
    let options =
        SqlOptions { acquire_timeout: std::time::Duration::from_millis(50), ..SqlOptions::default() };
    let refused = async {
        let store = SqlStore::connect(&file.url(), options).await?;
        store.migrate().await
    };
    assert!(refused.await.is_err());
    source.close().await;
    file.migrated().await.close().await;
}

#[tokio::test]
async fn a_file_that_is_not_of_this_version_is_refused() {
    let file = File::new();
    assert!(file.refusal().await.contains("there is no database at"));
    assert!(!file.0.exists());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file.0).create_if_missing(true);
    let mut other = options.connect().await.unwrap();
    sqlx::query("CREATE TABLE others (id INTEGER)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert!(file.refusal().await.contains("no schema of Malecón's"));
    file.migrated().await.close().await;
    let change = async |sql: &'static str| {
        let mut database = file.open().await;
        sqlx::query(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    };
    change("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)").await;
    assert!(file.refusal().await.contains("newer"));
    change("DELETE FROM seaql_migrations WHERE version IN ('m9999_future', 'm0007_activities')").await;
    assert!(file.refusal().await.contains("older schema: run `malecon migrate` on it first"));
}

#[tokio::test]
async fn a_target_of_another_kind_is_refused_without_its_url() {
    for url in ["sqlite://s3cret.db", "mysql://root:s3cret@localhost/x", "postgres://a:s3cret@["] {
        let error = empty_target(url).await.unwrap_err();
        assert!(
            matches!(error, CopyError::Refused(_)) && !format!("{error:?}").contains("s3cret"),
            "{error:?}"
        );
    }
}
