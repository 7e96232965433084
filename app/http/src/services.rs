//! What the handlers need.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use malecon::domain::{Networks, Zone};
use malecon::{
    ActivityService, Answers, CountryService, DogService, FileService, JobService, Meter, MovieService,
    ReportService, TaskService, TokenService, UserService,
};
use tokio::sync::watch;

/// The use cases behind the API.
#[derive(Clone)]
pub struct Services {
    /// Countries.
    pub countries: CountryService,
    /// What there is to do there.
    pub activities: ActivityService,
    /// Ready answers.
    pub answers: Answers,
    /// Ready answers that are made of what is held in the process: they are kept there alone.
    pub local: Answers,
    /// Movies, favorites and ratings.
    pub movies: MovieService,
    /// How long movies are given again without asking their source.
    pub movie_ttl: Duration,
    /// Dogs.
    pub dogs: DogService,
    /// Users.
    pub users: UserService,
    /// Callers.
    pub tokens: TokenService,
    /// Integration tasks.
    pub tasks: TaskService,
    /// What is done in the background.
    pub jobs: JobService,
    /// Reports by mail.
    pub reports: ReportService,
    /// The time zone of schedules that name none.
    pub time_zone: Zone,
    /// Files that are passed on.
    pub files: FileService,
    /// How often a user may call, by all of its tokens together; `None` for as often as one likes.
    pub meter: Option<Arc<Meter>>,
    /// The state of what we depend on.
    pub health: Arc<dyn Health>,
    /// Renders the metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// Looks at what we depend on.
#[async_trait]
pub trait Health: Send + Sync {
    /// Name and state of each part: `Ok`, or why not. Answers within a second.
    async fn checks(&self) -> Vec<Check>;
}

/// The state of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which part, e.g. `database`.
    pub name: &'static str,
    /// Whether it answers.
    pub up: bool,
    /// Whether we can't serve without it.
    pub vital: bool,
}

/// How the API is served.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Exact origins that browsers may call the closed parts from.
    pub cors_origins: Vec<String>,
    /// Whether metrics are open to all.
    pub open_metrics: bool,
    /// A token that opens the metrics alone.
    pub metrics_token: Option<String>,
    /// Bytes of a request's body at most, but of one that is passed on.
    pub max_body: usize,
    /// How long a client may take over a request's body.
    pub body_timeout: Duration,
    /// Becomes true when the server is told to stop, which ends answers that have no end of their own.
    pub stopping: Option<watch::Receiver<bool>>,
    /// Becomes true before that, when the server is not to be sent any more requests: it answers those
    /// that come, and says that it is not ready.
    pub draining: Option<watch::Receiver<bool>>,
    /// Proxies whose `X-Forwarded-For` names the client.
    pub trusted_proxies: Networks,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            cors_origins: vec![],
            open_metrics: false,
            metrics_token: None,
            max_body: 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            stopping: None,
            draining: None,
            trusted_proxies: Networks::default(),
        }
    }
}
