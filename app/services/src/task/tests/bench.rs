//! Tasks over RAM, and a target that answers what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{
    Call, CallFault, Email, Header, HeaderText, HttpMethod, JobKind, Payload, Principal, Profile, Received,
    RetryRule, Role, SuccessRule, TaskConfig, TaskDraft,
};
use malecon_memory::{ManualClock, MemoryTasks, MemoryUsers};
use malecon_ports::{
    CallError, Clock, NewUser, Sealer, SecretError, SigningKey, TargetGateway, UserRepository, UserWrite,
};

use crate::{Background, Offload, TaskPorts, TaskService, Worker, WorkerPorts, WorkerSettings};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What a target does when it is called.
#[derive(Clone)]
pub(crate) enum Reply {
    Answer(Received),
    Fault(CallFault),
    /// Nothing, for ever.
    Hang,
}

pub(crate) fn status(status: u16) -> Reply {
    answer(status, &[], b"")
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Reply::Answer(Received { status, headers, body: body.to_vec(), truncated: false, redirected_to: None })
}

/// All targets. Hosts that begin with `slow` hang, `blocked` is blocked, `unknown` has no address.
#[derive(Default)]
pub(crate) struct Target {
    /// One a call; the last one for ever.
    pub replies: Mutex<VecDeque<Reply>>,
    pub calls: Mutex<Vec<Call>>,
}

impl Target {
    pub fn will(&self, replies: impl IntoIterator<Item = Reply>) {
        *self.replies.lock().unwrap() = replies.into_iter().collect();
    }

    pub fn asked(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

fn error(fault: CallFault) -> CallError {
    CallError { fault, reason: format!("it is {}", fault.name()) }
}

fn host(url: &str) -> &str {
    url.split_once("://").unwrap().1.split('/').next().unwrap()
}

#[async_trait]
impl TargetGateway for Target {
    async fn judge(&self, url: &str) -> Result<(), CallError> {
        match host(url) {
            "blocked" => Err(error(CallFault::Blocked)),
            "unknown" => Err(error(CallFault::Dns)),
            _ => Ok(()),
        }
    }

    fn lane(&self, url: &str) -> Result<String, CallError> {
        Ok(host(url).to_owned())
    }

    fn origin(&self, url: &str) -> Result<String, CallError> {
        Ok(url.split_inclusive('/').take(3).collect())
    }

    async fn call(&self, call: &Call) -> Result<Received, CallError> {
        self.judge(&call.url).await?;
        self.calls.lock().unwrap().push(call.clone());
        let reply = {
            let mut replies = self.replies.lock().unwrap();
            if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
        };
        match reply {
            _ if host(&call.url).starts_with("slow") => std::future::pending().await,
            Some(Reply::Answer(received)) => Ok(received),
            Some(Reply::Fault(fault)) => Err(error(fault)),
            Some(Reply::Hang) => std::future::pending().await,
            None => panic!("nobody said what the target answers"),
        }
    }
}

/// Seals nothing, and tells by which key.
struct Glass;

impl Sealer for Glass {
    fn seal(&self, text: &str, keys: &[SigningKey]) -> Result<Vec<u8>, SecretError> {
        Ok([&[keys[0].0[0]][..], text.as_bytes()].concat())
    }

    fn open(&self, sealed: &[u8], keys: &[SigningKey]) -> Option<String> {
        let (first, text) = sealed.split_first()?;
        keys.iter().any(|key| key.0[0] == *first).then(|| String::from_utf8(text.to_vec()).unwrap())
    }
}

pub(crate) struct Bench {
    pub clock: Arc<ManualClock>,
    pub target: Arc<Target>,
    pub store: MemoryTasks,
    pub users: MemoryUsers,
    pub ana: Principal,
    pub admin: Principal,
    pub tasks: TaskService,
}

impl Bench {
    pub async fn new() -> Self {
        let start = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let (clock, users) = (Arc::new(ManualClock::new(start)), MemoryUsers::new());
        let [ana, admin] = [("ana", Role::User), ("admin", Role::Admin)];
        let (ana, admin) = (user(&users, ana, &clock).await, user(&users, admin, &clock).await);
        malecon_ports::KeyRepository::first(&users, &SigningKey(vec![9; 32]), clock.now()).await.unwrap();
        let store = MemoryTasks::with_clock(users.clone(), clock.clone());
        let target = Arc::new(Target::default());
        let bench = Self {
            tasks: service(&store, &users, clock.clone(), &target, None),
            clock,
            target,
            store,
            users,
            ana,
            admin,
        };
        bench.target.will([status(200)]);
        bench
    }

    /// The same, with another key.
    pub fn with_key(&self, key: u8) -> TaskService {
        let key = Some(SigningKey(vec![key; 32]));
        service(&self.store, &self.users, self.clock.clone(), &self.target, key)
    }

    /// The same, where regular expressions are matched like this.
    pub fn with_offload(&self, offload: Offload) -> TaskService {
        let ports =
            TaskPorts { offload, ..ports(&self.store, &self.users, self.clock.clone(), &self.target) };
        TaskService::new(ports, None)
    }

    /// The same, by another clock; the store keeps its own.
    pub fn with_clock(&self, clock: Arc<dyn Clock>) -> TaskService {
        service(&self.store, &self.users, clock, &self.target, None)
    }

    pub fn worker(&self, settings: WorkerSettings) -> Worker {
        let ports = WorkerPorts {
            queue: Arc::new(self.store.clone()),
            clock: self.clock.clone(),
            background: background(),
        };
        Worker::new(ports, settings, vec![(JobKind::Call, self.tasks.handler())])
    }
}

fn service(
    store: &MemoryTasks,
    users: &MemoryUsers,
    clock: Arc<dyn Clock>,
    target: &Arc<Target>,
    key: Option<SigningKey>,
) -> TaskService {
    TaskService::new(ports(store, users, clock, target), key)
}

fn ports(store: &MemoryTasks, users: &MemoryUsers, clock: Arc<dyn Clock>, target: &Arc<Target>) -> TaskPorts {
    TaskPorts {
        tasks: Arc::new(store.clone()),
        runs: Arc::new(store.clone()),
        schedules: Arc::new(store.clone()),
        targets: target.clone(),
        sealer: Arc::new(Glass),
        keys: Arc::new(users.clone()),
        clock,
        offload: Offload::new(|work| {
            work();
            Box::pin(async {})
        }),
    }
}

/// Each as a task of its own.
pub(crate) fn background() -> Background {
    Background::new(|work| {
        tokio::spawn(work);
    })
}

async fn user(users: &MemoryUsers, (name, role): (&str, Role), clock: &ManualClock) -> Principal {
    let email = Email::new(&format!("{name}@example.com")).unwrap();
    let profile = Profile { name: name.to_owned(), last_name: String::new(), email, role };
    match users.add(&NewUser { profile, password_hash: None, at: clock.now() }).await.unwrap() {
        UserWrite::Done(user) => Principal::from(&user),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: HeaderText::Plain(value.to_owned()) }
}

pub(crate) fn draft(url: &str) -> TaskDraft {
    let config = TaskConfig {
        base_url: url.to_owned(),
        method: HttpMethod::Put,
        payload: Some(Payload::Json("{\"a\":1}".to_owned())),
        headers: vec![],
        timeout: SECOND * 30,
        redirects: 0,
        retry: RetryRule::default(),
        success: SuccessRule::default(),
        schedule: None,
    };
    TaskDraft { name: "hook".to_owned(), config }
}
