//! Processes that do what `malecon serve` does, with a lease that a test can wait for. Each is this
//! test binary once more, told to run the one test below.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use malecon::{Worker, WorkerPorts, WorkerSettings};
use malecon_memory::SystemClock;
use malecon_server::command::Cli;
use malecon_server::listen::{self, Limits};
use malecon_server::wiring::{Wired, background, handlers, wire};
use malecon_server::{Config, schedule};
use serde_json::{Value, json};

use crate::support::Client;

/// In this variable stands what a process is to do.
const PLAN: &str = "MALECON_TEST_PROCESS";
/// What a process says before its address.
const LISTENS: &str = "it listens on ";

/// A process that is killed with its owner, if not before.
pub struct Process {
    pub client: Client,
    child: Child,
    /// Open as long as the process may write to it.
    _said: BufReader<ChildStdout>,
}

impl Process {
    /// One with these flags of `malecon`. Its database is migrated.
    pub async fn start(flags: &[String], lease: Duration) -> Self {
        let plan = json!({"flags": flags, "lease": lease.as_millis() as u64});
        let itself = format!("{}::a_process", module_path!().split_once("::").unwrap().1);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &itself, "--ignored", "--nocapture"])
            .env(PLAN, plan.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let heard = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            while !line.contains(LISTENS) {
                line.clear();
                assert_ne!(said.read_line(&mut line).unwrap(), 0, "it has ended before it listened");
            }
            (line.trim_end().split_once(LISTENS).unwrap().1.parse().unwrap(), said)
        });
        let (address, said) = heard.await.unwrap();
        Self { client: Client::new(address), child, _said: said }
    }

    /// Ends it as the system does when memory is short.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Bytes that it holds now, and the most that it ever held.
    pub fn memory(&self) -> (usize, usize) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
        };
        (bytes("VmRSS"), bytes("VmHWM"))
    }

    /// Whether nothing has ended it.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// It does nothing until it is told to go on.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The settings that these flags of `malecon` make.
pub fn config(flags: &[String]) -> Config {
    let program = ["malecon".to_owned()];
    Cli::try_parse_from(program.iter().chain(flags)).unwrap().config.resolve().unwrap()
}

/// Takes up the runs of a database, as many at once as the settings say.
pub fn worker(wired: &Wired, config: &Config, lease: Duration) -> Worker {
    let ports = WorkerPorts {
        queue: Arc::clone(&wired.queue),
        clock: Arc::new(SystemClock),
        background: background(),
    };
    let settings = WorkerSettings {
        workers: config.workers.into(),
        per_lane: config.per_host.into(),
        lease,
        ..WorkerSettings::default()
    };
    Worker::new(ports, settings, handlers(&wired.services))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is a process of other tests"]
async fn a_process() {
    #[expect(clippy::disallowed_methods, reason = "a test that is started as a process has no arguments")]
    let Ok(plan) = std::env::var(PLAN) else { return };
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let flags: Vec<String> = serde_json::from_value(plan["flags"].clone()).unwrap();
    let config = config(&flags);
    let wired = wire(&config).await.unwrap();
    let worker = worker(&wired, &config, Duration::from_millis(plan["lease"].as_u64().unwrap()));
    let listener = listen::bind(config.listen).unwrap();
    let address = listener.local_addr().unwrap();
    let Wired { services, http, tickets, .. } = wired;
    tokio::spawn(schedule::fetch_tickets(tickets));
    tokio::spawn(schedule::tick(services.tasks.clone()));
    tokio::spawn(async move { worker.work(std::future::pending()).await });
    let app = malecon_http::app(services, http);
    tokio::spawn(listen::serve(listener, app, Limits::default(), std::future::pending()));
    writeln!(std::io::stdout(), "{LISTENS}{address}").unwrap();
    // Whoever has started it is gone when this ends.
    let gone = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut vec![]));
    let _ = gone.await;
}
