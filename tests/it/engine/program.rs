//! The program itself, as a process that is sent signals. It is this test binary once more, told to run the
//! one test below.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use clap::Parser;
use malecon_server::command::{Cli, execute};

use super::ground::until;
use crate::support::Client;

/// In this variable stand the arguments of a program.
const ARGUMENTS: &str = "MALECON_TEST_PROGRAM";

/// A program that is killed with its owner, if not before.
pub struct Program {
    child: Child,
    /// Lines of its log, as JSON.
    log: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// `malecon serve` or `malecon worker`, at work, with these flags.
    pub async fn start(command: &str, flags: &[String]) -> Self {
        let log = ["--log-format", "json", "--log", "info"].map(str::to_owned);
        let arguments: Vec<_> =
            [command.to_owned()].into_iter().chain(log).chain(flags.iter().cloned()).collect();
        let itself = format!("{}::a_program", module_path!().split_once("::").unwrap().1);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &itself, "--ignored", "--nocapture"])
            .env(ARGUMENTS, serde_json::to_string(&arguments).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, log) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::default());
        let shared: Arc<Mutex<Vec<String>>> = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| shared.lock().unwrap().push(line));
        });
        let mut program = Self { child, log };
        program.says(if command == "serve" { "listening" } else { "working" }).await;
        program
    }

    /// Waits for a line of its log with this message.
    pub async fn says(&mut self, message: &str) -> serde_json::Value {
        until(&format!("a program that says \"{message}\""), async || {
            let has_ended = self.child.try_wait().unwrap();
            let log = self.log.lock().unwrap();
            let lines = log.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let found = lines
                .into_iter()
                .find(|line| line["message"].as_str().is_some_and(|text| text.starts_with(message)));
            assert!(found.is_some() || has_ended.is_none(), "it has ended: {log:?}");
            found
        })
        .await
    }

    /// A client of one that serves.
    pub async fn client(&mut self) -> Client {
        Client::new(self.says("listening").await["address"].as_str().unwrap().parse().unwrap())
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the end of a program", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "is a process of other tests"]
fn a_program() {
    #[expect(clippy::disallowed_methods, reason = "a test that is started as a process has no arguments")]
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let arguments: Vec<String> = serde_json::from_str(&arguments).unwrap();
    let cli = Cli::try_parse_from(["malecon".to_owned()].into_iter().chain(arguments)).unwrap();
    execute(cli.command.unwrap(), &cli.config.resolve().unwrap()).unwrap();
}
