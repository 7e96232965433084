//! The contract suites on SQLite, and what is ours alone.

use malecon_domain::Role;
use malecon_ports::contract::session::refresh;
use malecon_ports::contract::user::{UserStore, add};

use crate::testing::sqlite;
use crate::{SqlOptions, SqlStore};

mod countries {
    malecon_ports::country_contract!(super::sqlite().await);
}

mod lock {
    malecon_ports::lock_contract!(super::sqlite().await);
}

mod users {
    malecon_ports::user_contract!(super::sqlite().await);
}

mod tokens {
    malecon_ports::token_contract!(super::sqlite().await);
}

mod sessions {
    malecon_ports::session_contract!(super::sqlite().await);
}

mod keys {
    malecon_ports::key_contract!(super::sqlite().await);
}

mod movies {
    malecon_ports::movie_contract!(super::sqlite().await);
}

fn file() -> (std::path::PathBuf, String) {
    let path = std::env::temp_dir().join(format!("malecon-sql-{}.db", uuid::Uuid::new_v4().simple()));
    let url = format!("sqlite://{}?mode=rwc", path.display());
    (path, url)
}

fn remove(path: &std::path::Path) {
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_on_one_new_file_all_succeed() {
    let (path, url) = file();
    let start = || {
        let url = url.clone();
        tokio::spawn(async move {
            let store = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
            store.migrate().await.unwrap();
            assert!(store.pending_migrations().await.unwrap().is_empty());
            store.migrate().await.unwrap();
            store.close().await;
        })
    };
    for started in [start(), start(), start(), start()] {
        started.await.unwrap();
    }
    remove(&path);
}

#[tokio::test]
async fn a_fresh_database_has_migrations_pending() {
    let store = SqlStore::connect("sqlite::memory:", SqlOptions::default()).await.unwrap();
    let pending = store.pending_migrations().await.unwrap();
    assert_eq!(pending, ["m0001_countries", "m0002_leases", "m0003_users", "m0004_movies"]);
    assert_eq!(store.kind(), "sqlite");
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_url_that_makes_no_sense_is_refused_without_repeating_it() {
    for url in
        ["mysql://ana:s3cret@db/x", "postgres://ana:s3cret@127.0.0.1:1/x", "postgres://ana:s3cret@", ""]
    {
        let error = SqlStore::connect(url, SqlOptions::default()).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn a_login_removes_sessions_that_cannot_go_on() {
    let db = sqlite().await;
    let (ana, ben) = (add(&db, "ana", Role::User).await, add(&db, "ben", Role::User).await);
    let begin = async |user, n, second| db.sessions().begin(user, &refresh(n, second)).await.unwrap();
    let old = begin(&ana, 1, 0).await;
    let bens = begin(&ben, 2, 0).await;
    let goes_on = begin(&ana, 3, 0).await;
    db.sessions().rotate(&refresh(3, 0).hash, &refresh(4, 50)).await.unwrap();
    let new = begin(&ana, 5, 100).await;
    let is_there = async |session| db.sessions().find(session).await.unwrap().is_some();
    assert!(!is_there(old).await);
    assert!(is_there(bens).await && is_there(goes_on).await && is_there(new).await);
}
