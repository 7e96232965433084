//! Backups of a database in use, and their way back.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use clap::Parser;
use malecon_server::command::{Backup, Cli, backup};
use malecon_server::listen::Limits;
use malecon_server::{Config, Failure};
use reqwest::Method;
use serde_json::json;

use crate::engine::ground::until;
use crate::support::{CONSUMER, Client, Folder, Malecon};
use crate::users::send;

/// In these variables stand the database and the file of a process.
const DATABASE: &str = "MALECON_TEST_BACKUP_OF";
const FILE: &str = "MALECON_TEST_BACKUP_TO";
/// What a process says when it has no backup.
const FAILED: &str = "it failed: ";

fn config(url: &str) -> Config {
    Cli::try_parse_from(["malecon", "--database-url", url]).unwrap().config.resolve().unwrap()
}

async fn back_up(url: &str, file: &Path) -> Result<(), Failure> {
    backup(&config(url), &Backup { file: file.to_owned(), force: false }).await
}

/// Adds dogs until it is told to stop, and notes each that was accepted.
async fn add_dogs(client: Client, who: usize, added: Arc<Mutex<Vec<String>>>) {
    for number in 0.. {
        let name = format!("dog-{who}-{number}");
        let body = json!({"is_adopted": true, "id_user": 2});
        let made = send(&client, Method::POST, &format!("/api/dogs/{name}"), CONSUMER, body).await;
        if made.status() == 202 {
            added.lock().unwrap().push(name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_a_backup_is_in_it_while_others_write() {
    let malecon = Malecon::demo(&["--rate-limit", "0", "--dog-ceo-url", "http://127.0.0.1:1"]).await;
    let added = Arc::new(Mutex::new(vec![]));
    let writers: Vec<_> =
        (0..3).map(|who| tokio::spawn(add_dogs(malecon.client.clone(), who, Arc::clone(&added)))).collect();
    let folder = Folder::new();
    let mut backups = vec![];
    for round in 0..3 {
        let count = added.lock().unwrap().len();
        until("more dogs", async || (added.lock().unwrap().len() > count + 10).then_some(())).await;
        let before = added.lock().unwrap().clone();
        let file = folder.0.join(format!("{round}.db"));
        back_up(malecon.database(), &file).await.unwrap();
        backups.push((file, before));
    }
    let count = added.lock().unwrap().len();
    until("dogs after it", async || (added.lock().unwrap().len() > count).then_some(())).await;
    writers.iter().for_each(tokio::task::JoinHandle::abort);
    malecon.stop().await;

    for (file, before) in backups {
        let url = format!("sqlite://{}", file.display());
        let flags = ["--demo", "--database-url", &url, "--dog-ceo-url", "http://127.0.0.1:1"];
        let restored = Malecon::with(&flags, Limits::default()).await;
        for name in before {
            assert_eq!(restored.client.get(&format!("/api/dogs/{name}")).await.status(), 200, "{name}");
        }
        restored.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_finds_no_room_leaves_nothing_and_says_so() {
    let malecon = Malecon::demo(&[]).await;
    let folder = Folder::new();
    let file = folder.0.join("malecon.db");
    let said = a_process_with_little_room(malecon.database(), &file);
    assert!(said.contains("there is no backup: "), "{said}");
    assert!(said.contains("malecon.db can't be written"), "{said}");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0, "no half of a file");
    back_up(malecon.database(), &file).await.unwrap();
    malecon.stop().await;
}

/// Backs up where no file may have over 200 KiB.
fn a_process_with_little_room(url: &str, file: &Path) -> String {
    let itself = format!("{}::a_process", module_path!().split_once("::").unwrap().1);
    let limited = "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &itself, "--ignored", "--nocapture"])
        .env(DATABASE, url)
        .env(FILE, file)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().find_map(|line| line.split_once(FAILED)).map_or_else(String::new, |(_, why)| why.to_owned())
}

#[tokio::test]
#[ignore = "is a process of another test"]
async fn a_process() {
    #[expect(clippy::disallowed_methods, reason = "a test that is started as a process has no arguments")]
    let (Ok(url), Ok(file)) = (std::env::var(DATABASE), std::env::var(FILE)) else { return };
    if let Err(failure) = back_up(&url, &PathBuf::from(file)).await {
        println!("{FAILED}{}", failure.chain());
    }
}

#[tokio::test]
async fn of_postgres_it_tells_how_and_fails() {
    let failure = back_up("postgres://ana:s3cret@localhost/base", Path::new("x.dump")).await.unwrap_err();
    assert_eq!(failure.chain(), "nothing was written: PostgreSQL is backed up with pg_dump");
}
