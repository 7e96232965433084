//! Backups of files, good and bad.

use std::os::unix::fs::PermissionsExt;

use malecon_domain::Instant;
use malecon_ports::{KeyRepository, SigningKey};

use super::*;
use crate::{SqlOptions, SqlStore};

/// A folder that is gone with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("malecon-sql-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite://{}/{name}?mode=rwc", self.0.display())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn migrated(url: &str) -> SqlStore {
    let store = SqlStore::connect(url, SqlOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    store
}

#[tokio::test]
async fn a_backup_of_a_database_in_use_is_whole_and_its_owners_alone() {
    let folder = Folder::new();
    let store = migrated(&folder.url("malecon.db")).await;
    let key = |byte| SigningKey(vec![byte; 32]);
    store.keys().add(&key(1), Instant::default()).await.unwrap();
    let file = folder.file("it's a backup.db");
    let bytes = backup(&folder.url("malecon.db"), &file, false).await.unwrap();
    let found = std::fs::metadata(&file).unwrap();
    assert_eq!((found.len(), found.permissions().mode() & 0o777), (bytes, 0o600));
    assert!(
        !folder.names().iter().any(|name| name.starts_with('.') || name.starts_with("it's a backup.db-"))
    );

    store.keys().add(&key(2), Instant::default()).await.unwrap();
    let url = format!("sqlite://{}", file.display());
    let copy = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
    assert_eq!(copy.pending_migrations().await.unwrap(), Vec::<String>::new());
    assert_eq!(copy.keys().keys().await.unwrap(), [key(1)]);
    copy.close().await;

    let again = backup(&folder.url("malecon.db"), &file, false).await.unwrap_err();
    assert!(again.to_string().ends_with("is there already: name another file, or --force"), "{again}");
    backup(&folder.url("malecon.db"), &file, true).await.unwrap();
    let copy = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
    assert_eq!(copy.keys().keys().await.unwrap(), [key(2), key(1)], "the newer one is there");
    let forced = backup(&folder.url("malecon.db"), &file, true).await.unwrap_err();
    assert!(forced.to_string().contains("is a database in use"), "{forced}");
    copy.close().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_leaves_nothing() {
    let folder = Folder::new();
    let store = migrated(&folder.url("malecon.db")).await;
    let before = folder.names();
    let refused = async |url: &str, file: &Path, what: &str| {
        let error = backup(url, file, true).await.unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    };
    let url = folder.url("malecon.db");
    for end in ["malecon.db", "./malecon.db", "malecon.db-wal", "malecon.db-journal"] {
        refused(&url, &folder.file(end), "is the database itself").await;
    }
    refused(&url, &folder.0, "is no file").await;
    refused(&url, &folder.file("no/such/folder.db"), "can't be written").await;
    refused("sqlite::memory:", &folder.file("a.db"), "is in memory").await;
    refused(&folder.url("other.db"), &folder.file("a.db"), "there is no database at").await;
    refused("sqlite://x?mode=nonsense", &folder.file("a.db"), "can't be read").await;
    std::os::unix::fs::symlink(folder.file("malecon.db"), folder.file(".b.db.partial")).unwrap();
    let error = backup(&url, &folder.file("b.db"), false).await.unwrap_err();
    assert!(error.source_text().contains("is a link"), "{error:?}");
    std::fs::remove_file(folder.file(".b.db.partial")).unwrap();
    assert_eq!(folder.names(), before);
    assert_eq!(store.pending_migrations().await.unwrap(), Vec::<String>::new(), "nor has it been harmed");
}

#[tokio::test]
async fn what_is_no_good_gets_no_name() {
    let folder = Folder::new();
    std::fs::write(folder.file("text.db"), "this is no database, and never was one: it is a plain text")
        .unwrap();
    let error = backup(&folder.url("text.db"), &folder.file("a.db"), false).await.unwrap_err();
    assert!(matches!(error, BackupError::Read(_)), "{error:?}");

    let mut others = open_new(&folder.file("others.db")).await;
    sqlx::query("CREATE TABLE others (id INTEGER PRIMARY KEY)").execute(&mut others).await.unwrap();
    let error = backup(&folder.url("others.db"), &folder.file("a.db"), false).await.unwrap_err();
    assert!(error.to_string().contains("no schema of Malecón's"), "{error}");

    migrated(&folder.url("dangling.db")).await.close().await;
    let mut dangling = open_new(&folder.file("dangling.db")).await;
    let sql = "INSERT INTO sessions (user_id, token_version, ended, created_at) VALUES (7, 1, 0, 0)";
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut dangling).await.unwrap();
    sqlx::query(sql).execute(&mut dangling).await.unwrap();
    let error = backup(&folder.url("dangling.db"), &folder.file("a.db"), false).await.unwrap_err();
    assert!(error.to_string().contains("1 rows refer to others"), "{error}");
    assert!(!folder.names().iter().any(|name| name.contains("a.db")), "{:?}", folder.names());
}

#[tokio::test]
async fn two_never_write_one_backup_and_what_a_killed_one_left_is_no_obstacle() {
    let folder = Folder::new();
    migrated(&folder.url("malecon.db")).await.close().await;
    let file = folder.file("a.db");
    let other = Partial::create(&file).unwrap();
    let error = backup(&folder.url("malecon.db"), &file, false).await.unwrap_err();
    assert!(error.source_text().contains("another backup is being written there"), "{error:?}");
    drop(other);
    std::fs::write(folder.file(".a.db.partial"), vec![7; 10_000_000]).unwrap();
    backup(&folder.url("malecon.db"), &file, false).await.unwrap();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "also when what was left was open to all");
    assert!(!folder.names().contains(&".a.db.partial".to_owned()));
}

#[test]
fn postgres_is_told_how_without_its_password() {
    let url = "postgresql://ana:s3cret@db.example:5433/my%20base?sslmode=require";
    let [dump, restore] = postgres_commands(url, Path::new("/b/it's.dump")).unwrap();
    let place = "--host=db.example --port=5433 --username=ana '--dbname=my base'";
    assert_eq!(dump, format!(r"umask 077; pg_dump --format=custom --file='/b/it'\''s.dump' {place}"));
    assert_eq!(
        restore,
        format!(r"pg_restore --clean --if-exists --no-owner --exit-on-error {place} '/b/it'\''s.dump'")
    );
    let error = postgres_commands("postgres://ana:s3cret@[", Path::new("x")).unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"));
}

async fn open_new(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).create_if_missing(true).connect().await.unwrap()
}

impl BackupError {
    /// What lies behind it.
    fn source_text(&self) -> String {
        std::error::Error::source(self).map(ToString::to_string).unwrap_or_default()
    }
}
