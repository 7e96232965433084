//! The contract suites on SQLite, and what is ours alone.

use std::time::Duration;

use malecon_domain::{AttemptEnd, NewRun, Next, Role, Trace};
use malecon_ports::contract::run::new_run;
use malecon_ports::contract::schedule::scheduled;
use malecon_ports::contract::session::refresh;
use malecon_ports::contract::user::{UserStore, add};
use malecon_ports::{
    Hold, RepositoryError, RunLease, RunRepository, ScheduleRepository, TaskQueue, TaskRepository,
};
use sea_orm::{ConnectionTrait, QueryTrait, Statement};

use crate::db::Db;
use crate::queue::take_sql;
use crate::run::latest_of;
use crate::schedule::due_at;
use crate::testing::sqlite;
use crate::{SqlOptions, SqlQueue, SqlStore};

mod countries {
    malecon_ports::country_contract!(super::sqlite().await);
}

mod activities {
    malecon_ports::activity_contract!(super::sqlite().await);
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

mod tasks {
    malecon_ports::task_contract!(super::sqlite().await);
}

mod schedules {
    malecon_ports::schedule_contract!(super::sqlite().await);
}

mod dogs {
    malecon_ports::dog_contract!(super::sqlite().await);
}

mod runs {
    malecon_ports::run_contract!(super::sqlite().await);
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
    assert_eq!(
        pending,
        [
            "m0001_countries",
            "m0002_leases",
            "m0003_users",
            "m0004_movies",
            "m0005_tasks",
            "m0006_dogs",
            "m0007_activities",
            "m0010_lost",
            "m0011_login_addresses",
            "m0012_kept"
        ]
    );
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
    let begin = async |user, n, second| db.sessions().begin(user, &refresh(n, second), None).await.unwrap();
    let old = begin(&ana, 1, 0).await;
    let bens = begin(&ben, 2, 0).await;
    let goes_on = begin(&ana, 3, 0).await;
    db.sessions().rotate(&refresh(3, 0).hash, &refresh(4, 50)).await.unwrap();
    let new = begin(&ana, 5, 100).await;
    let is_there = async |session| db.sessions().find(session).await.unwrap().is_some();
    assert!(!is_there(old).await);
    assert!(is_there(bens).await && is_there(goes_on).await && is_there(new).await);
}

/// How SQLite goes about it.
async fn plan(db: &Db, mut statement: Statement) -> Vec<String> {
    statement.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect()
}

#[tokio::test]
async fn a_claim_looks_only_at_runs_that_wait() {
    let db = sqlite().await.store.db.clone();
    let backend = db.get_database_backend();
    for lanes in [0, 2] {
        let plan = plan(&db, Statement::from_string(backend, take_sql(backend, lanes))).await;
        assert!(
            plan.iter().any(|step| step == "SEARCH runs USING COVERING INDEX runs_due (due_at<?)"),
            "{plan:?}"
        );
        assert!(
            !plan.iter().any(|step| step.contains("SCAN runs") || step.contains("TEMP B-TREE")),
            "{plan:?}"
        );
    }
}

#[tokio::test]
async fn the_latest_runs_are_found_without_looking_at_the_others() {
    let db = sqlite().await.store.db.clone();
    for (is_over, index) in [(false, "runs_open"), (true, "runs_owner")] {
        let plan = plan(&db, latest_of(1, is_over, 100).build(db.get_database_backend())).await;
        assert_eq!(plan, [format!("SEARCH runs USING INDEX {index} (owner>? AND owner<?)")]);
    }
}

#[tokio::test]
async fn only_tasks_that_are_due_are_looked_at() {
    let db = sqlite().await.store.db.clone();
    let plan = plan(&db, due_at(0, 100).build(db.get_database_backend())).await;
    assert_eq!(plan[0], "SEARCH tasks USING INDEX tasks_tick (tick<?)");
    assert!(!plan.iter().any(|step| step.contains("SCAN") || step.contains("TEMP B-TREE")), "{plan:?}");
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_told_once() {
    let db = sqlite().await;
    let ana = add(&db, "ana", Role::User).await.id;
    let (broken, good) = (scheduled(&db, ana).await, scheduled(&db, ana).await);
    let sql = "UPDATE tasks SET config = replace(config, 'Europe/Madrid', 'Europe/Atlantis') WHERE id = 1";
    db.store.db.execute_unprepared(sql).await.unwrap();
    let find = async |id| db.store.tasks().find(ana, id).await;
    assert!(matches!(find(broken.id).await, Err(RepositoryError::Corrupt(_))));
    let due = async || db.store.schedules().due(1).await;
    assert!(matches!(due().await, Err(RepositoryError::Corrupt(_))));
    assert_eq!(due().await.unwrap()[0].task, good);
    let changed = db.store.tasks().change(ana, broken.id, &good.draft, None, good.updated_at).await;
    changed.unwrap();
    assert_eq!(due().await.unwrap()[0].task.id, broken.id);
}

#[tokio::test]
async fn a_run_that_cannot_be_read_is_failed_and_in_nobodys_way() {
    let db = sqlite().await;
    for n in [1, 2] {
        db.store.runs().add(&new_run(n)).await.unwrap();
    }
    let sql = "UPDATE runs SET job = '\"of a later version\"' WHERE id LIKE '%1'";
    db.store.db.execute_unprepared(sql).await.unwrap();
    let claim = async || db.store.queue().claim(&[], Duration::from_secs(60)).await;
    assert!(matches!(claim().await, Err(RepositoryError::Corrupt(_))), "it is told once");
    assert_eq!(claim().await.unwrap().map(|run| run.id), Some(new_run(2).id));
    assert_eq!(claim().await.unwrap(), None);
    let row = "SELECT COUNT(*) AS n FROM runs JOIN attempts ON run_id = id \
               WHERE state = 'failed' AND outcome = 'failed' AND attempts.ended_at IS NOT NULL";
    let statement = Statement::from_string(db.store.db.get_database_backend(), row);
    let row = db.store.db.query_one_raw(statement).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i64>("", "n").unwrap(), 1);
}

/// A database on a small disk: what has been acknowledged is there, however often it was full.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let (path, url) = file();
    let store = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    let numbered = |n: u128| NewRun { id: uuid::Uuid::from_u128(n), ..new_run(0) };
    let (mut acknowledged, mut refused) = (vec![], 0);
    for n in 0..4_000 {
        if n % 400 == 100 {
            // The one connection that writes finds no room for another page.
            store.db.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        }
        if n % 400 == 300 {
            store.db.execute_unprepared("PRAGMA max_page_count = 1000000").await.unwrap();
        }
        match store.runs().add(&numbered(n)).await {
            Ok(_) => acknowledged.push(numbered(n).id),
            Err(RepositoryError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 0, "the disk was never full");
    for n in 5_000..5_010 {
        store.runs().add(&numbered(n)).await.unwrap();
        acknowledged.push(numbered(n).id);
    }
    // Another process, as after a restart.
    let again = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
    for id in &acknowledged {
        assert!(again.runs().find(*id).await.unwrap().is_some(), "{id} was acknowledged; {refused} were not");
    }
    remove(&path);
}

#[tokio::test]
async fn nothing_is_written_to_a_file_that_was_deleted_or_replaced() {
    let (path, url) = file();
    let store = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    store.runs().add(&new_run(1)).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let write = store.runs().add(&new_run(2)).await;
    assert!(matches!(write, Err(RepositoryError::Unavailable(_))), "{write:?}");
    std::fs::write(&path, "").unwrap();
    let write = store.runs().add(&new_run(2)).await;
    assert!(matches!(write, Err(RepositoryError::Unavailable(_))), "{write:?}");
    remove(&path);
}

#[tokio::test]
async fn a_damaged_file_is_unavailable_and_said_to_be() {
    let (path, url) = file();
    let store = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    for n in 0..200 {
        store.runs().add(&new_run(n)).await.unwrap();
    }
    store.db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    // The runs came last; the first pages say what there is.
    let end = bytes.len() - 12 * 4096;
    bytes[end..].fill(0xAA);
    std::fs::write(&path, bytes).unwrap();
    let store = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
    assert!(!store.is_corrupt());
    let mut damaged = 0;
    for n in 0..200 {
        match store.runs().find(new_run(n).id).await {
            Ok(_) => {}
            Err(RepositoryError::Unavailable(_)) => damaged += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(damaged > 0 && store.is_corrupt(), "{damaged}");
    remove(&path);
}

#[tokio::test]
async fn a_clock_that_is_put_forward_makes_nobody_lose_what_is_under_way() {
    let (hour, lease) = (Duration::from_secs(3_600), Duration::from_secs(60));
    let db = sqlite().await;
    // Two processes: one has claimed both runs, but is at one of them alone.
    let (owner, other) = (db.store.queue(), db.store.queue());
    let mut held = vec![];
    for n in [1, 2] {
        db.store.runs().add(&new_run(n)).await.unwrap();
        held.push(owner.claim(&[], lease).await.unwrap().unwrap());
    }
    let claim = async |queue: &SqlQueue| queue.claim(&[], Duration::from_secs(2)).await.unwrap();
    assert_eq!(claim(&other).await, None);
    for queue in [&owner, &other] {
        queue.steady.put_forward(hour);
        assert_eq!(claim(queue).await, None, "the leases have not lapsed: the clock has jumped");
    }
    let [live, dead] = [&held[0], &held[1]].map(|run| RunLease { id: run.id, attempt: run.attempts });
    assert_eq!(owner.renew(&live, lease).await.unwrap(), Hold::Held);
    let next = loop {
        if let Some(run) = claim(&other).await {
            break run;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((next.id, next.lost), (dead.id, 1), "what nobody has renewed since then");
    let lease = RunLease { id: next.id, attempt: next.attempts };
    assert_eq!(other.release(&[lease]).await.unwrap(), 1);
    db.store.runs().cancel(next.id).await.unwrap();
    assert_eq!((claim(&owner).await, claim(&other).await), (None, None));
    let end = Next::Over(AttemptEnd::Succeeded);
    assert!(owner.finish(&live, end, &Trace::default()).await.unwrap());
}

#[tokio::test]
async fn a_new_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("malecon-mode-{}.db", std::process::id()));
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let store = SqlStore::connect(&url, SqlOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    for end in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{}{end}", path.display())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{end}");
    }
    assert_eq!(store.exposed_file(), None);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(store.exposed_file(), Some(path.clone()));
    store.close().await;
    remove(&path);
    let absent = SqlStore::connect(&url.replace("rwc", "rw"), SqlOptions::default()).await;
    assert!(absent.is_err() && !path.exists(), "one that is not to be made is not made");
}

/// Nobody is refused for being one of many, as long as the queue moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_writers_that_moves_is_waited_in() {
    let (path, url) = file();
    let options = SqlOptions { acquire_timeout: Duration::from_millis(60), ..SqlOptions::default() };
    let store = SqlStore::connect(&url, options).await.unwrap();
    store.migrate().await.unwrap();
    let adds = (0..200).map(|n| {
        let runs = store.runs();
        tokio::spawn(async move { runs.add(&new_run(n)).await.map(|_| ()) })
    });
    let adds: Vec<_> = adds.collect();
    for add in adds {
        add.await.unwrap().unwrap();
    }
    remove(&path);
}
