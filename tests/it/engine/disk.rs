//! A disk that is full, and has room again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use malecon::domain::RunId;
use reqwest::Method;
use serde_json::Value;

use super::ground::{Ground, setting, until};
use super::process::Process;
use super::target::Target;
use crate::support::{CONSUMER, Client, Folder};

const LEASE: Duration = Duration::from_secs(2);

/// How long writes may stay away once there is room; on a quiet machine it is well under a second.
const BACK: Duration = Duration::from_secs(5);

/// A small file system; it is gone with its owner.
struct Disk(Folder);

impl Disk {
    fn new(size: &str) -> Self {
        let folder = Folder::new();
        let size = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder.0).status();
        assert!(mount.unwrap().success());
        Self(folder)
    }

    fn filler(&self) -> PathBuf {
        self.0.0.join("filler")
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        for chunk in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; chunk]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

/// What was acknowledged: names of dogs, and runs.
#[derive(Default)]
struct Acknowledged {
    dogs: Vec<String>,
    runs: Vec<RunId>,
}

/// Writes until it is told to stop; what is not taken must be a 503.
async fn write(client: Client, task: i64, name: String, stop: Arc<AtomicBool>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let dog = format!("{name} {n}");
        let post = async |path: String| {
            let sent = client.request(Method::POST, &path).bearer_auth(CONSUMER).send().await.ok()?;
            let status = sent.status().as_u16();
            assert!([202, 503].contains(&status), "{path}: {status}");
            if status == 202 { sent.json::<Value>().await.ok() } else { None }
        };
        if post(format!("/api/dogs/{dog}")).await.is_some() {
            acknowledged.dogs.push(dog);
        }
        if let Some(run) = post(format!("/integration-tasks/execute/{task}")).await {
            acknowledged.runs.push(run["run"]["id"].as_str().unwrap().parse().unwrap());
        }
    }
    acknowledged
}

/// Whether a dog can be posted now.
async fn takes_writes(client: &Client) -> bool {
    let path = format!("/api/dogs/{}", uuid::Uuid::new_v4());
    let sent = client.request(Method::POST, &path).bearer_auth(CONSUMER).send().await;
    sent.is_ok_and(|sent| sent.status() == 202)
}

/// The database, as a new process finds it.
fn url(folder: &Path) -> String {
    format!("sqlite://{}/malecon.db?mode=rwc", folder.display())
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(tmpfs), ignore = "needs to mount a file system")]
async fn a_disk_that_was_full_has_lost_nothing_that_was_acknowledged() {
    let (disk, target) = (Disk::new("96m"), Target::quick().await);
    let ground = Ground::at(url(&disk.0.0)).await;
    let task = ground.task(&target, 20, None).await;
    let mut process: Process = ground.process(LEASE).await;
    let mut all = Acknowledged::default();
    let mut slowest = Duration::ZERO;
    for round in 0..setting("MALECON_TEST_ROUNDS", 6) {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..4)
            .map(|n| {
                let (client, stop) = (process.client.clone(), Arc::clone(&stop));
                tokio::spawn(write(client, task, format!("r{round}w{n}"), stop))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        disk.fill();
        until("a write that is refused", async || (!takes_writes(&process.client).await).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        disk.free();
        let begun = Instant::now();
        until("a write that is taken", async || takes_writes(&process.client).await.then_some(())).await;
        slowest = slowest.max(begun.elapsed());
        // All of them, and not one connection of several.
        for _ in 0..20 {
            assert!(takes_writes(&process.client).await, "one of many is still refused");
        }
        if round % 2 == 1 {
            process.kill();
        }
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            let acknowledged = writer.await.unwrap();
            all.dogs.extend(acknowledged.dogs);
            all.runs.extend(acknowledged.runs);
        }
        if round % 2 == 1 {
            process = ground.process(LEASE).await;
        }
    }
    process.kill();
    println!(
        "{} dogs and {} runs; writes were back after {slowest:?} at most",
        all.dogs.len(),
        all.runs.len()
    );
    assert!(slowest < BACK, "{slowest:?}");

    let process = ground.process(LEASE).await;
    for dog in &all.dogs {
        assert_eq!(process.client.get(&format!("/api/dogs/{dog}")).await.status(), 200, "{dog} is gone");
    }
    for run in &all.runs {
        let path = format!("/integration-tasks/{task}/runs/{run}");
        let found = process.client.request(Method::GET, &path).bearer_auth(CONSUMER).send().await.unwrap();
        assert_eq!(found.status(), 200, "run {run} is gone");
    }
}
