//! Which adapter stands behind which port.

mod memory;
mod report;
mod retry;
mod spawn;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use malecon::domain::{Job, JobKind, Rhythm};
use malecon::ports::{
    Cache, Clock, CountryGateway, Limit, PasswordHasher, RateLimiter, RepositoryError, SigningKey, TaskQueue,
    UserRepository,
};
use malecon::{
    ActivityPorts, ActivityService, ActivitySettings, Answers, CountryPorts, CountryService, DogPorts,
    DogService, JobHandlers, JobPorts, JobService, Meter, MoviePorts, MovieService, Plan, ReportPorts,
    ReportService, SyncSettings, TaskLimits, TaskPorts, TaskService, TieredCache, TieredLimiter, TokenPorts,
    TokenService, UserService, Worker, WorkerPorts, WorkerSettings,
};
use malecon_crypto::{Argon2Hasher, Hs256, XChaChaSealer};
use malecon_http::{HttpSettings, Services};
use malecon_memory::{MemoryCache, MemoryRateLimiter, SystemClock};
use malecon_queue::TicketQueue;
use malecon_redis::RedisStore;
use malecon_sheet::Sheets;
use malecon_snapshot::Snapshot;
use malecon_sql::{SqlOptions, SqlStore};
use malecon_upstream::{DogCeo, TargetOptions};

pub use self::memory::in_memory;
pub(crate) use self::retry::{Retry, START_TIMEOUT};
pub use self::spawn::{background, offload};
use self::upstream::{activity_source, chores, client, files, movie_source, options, source, targets};
use crate::health::DependencyHealth;
use crate::monitor;
use crate::{Config, Failure};

/// How long a version's answers stay in this process after they were found in Redis.
const NEAR: Duration = Duration::from_secs(60);

/// The program's parts, put together.
pub struct Wired {
    /// The use cases.
    pub services: Services,
    /// How they are served.
    pub http: HttpSettings,
    /// The database.
    pub store: SqlStore,
    /// The source of countries.
    pub source: Arc<dyn CountryGateway>,
    /// Where runs are taken from.
    pub queue: Arc<dyn TaskQueue>,
    /// What hands out tickets of due runs, where there is such a thing.
    pub tickets: Option<TicketQueue>,
    /// Who takes up runs.
    pub worker: Worker,
    /// How what we depend on fares.
    pub health: DependencyHealth,
}

impl Wired {
    /// Brings the database up to date.
    ///
    /// # Errors
    /// It does not let itself.
    pub async fn migrate(&self) -> Result<(), Failure> {
        let retry = Retry::new("migrating the database", START_TIMEOUT);
        loop {
            match self.try_to_migrate().await {
                Err(error @ RepositoryError::Unavailable(_)) if retry.again(&error).await => {}
                migrated => {
                    return migrated.map_err(|error| Failure::of("the database can't be migrated", error));
                }
            }
        }
    }

    async fn try_to_migrate(&self) -> Result<(), RepositoryError> {
        self.store.migrate().await?;
        match &self.tickets {
            Some(tickets) => tickets.install().await,
            None => Ok(()),
        }
    }
}

/// Opens the database and everything else that the settings name.
///
/// # Errors
/// A setting that makes no sense, or a database that can't be opened.
pub async fn wire(config: &Config) -> Result<Wired, Failure> {
    let (store, queue, tickets) = queue(open(config).await?);
    let redis = config
        .redis_url
        .as_deref()
        .map(|url| RedisStore::connect(url, "malecon"))
        .transpose()
        .map_err(|error| Failure::of("REDIS_URL makes no sense", error))?;
    let near: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let cache: Arc<dyn Cache> = match &redis {
        Some(redis) => Arc::new(TieredCache::new(Arc::clone(&near), Arc::new(redis.cache()), NEAR)),
        None => Arc::clone(&near),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let own: Arc<dyn RateLimiter> = Arc::new(MemoryRateLimiter::default());
    let limiter: Arc<dyn RateLimiter> = match &redis {
        Some(redis) => Arc::new(TieredLimiter::new(Arc::new(redis.limiter()), own)),
        None => own,
    };
    let hasher: Arc<dyn PasswordHasher> = Arc::new(Argon2Hasher::new());
    let users: Arc<dyn UserRepository> = Arc::new(store.users());
    let tokens = TokenPorts {
        users: Arc::clone(&users),
        tokens: Arc::new(store.tokens()),
        sessions: Arc::new(store.sessions()),
        keys: Arc::new(store.keys()),
        hasher: Arc::clone(&hasher),
        signer: Arc::new(Hs256::new()),
        limiter: Arc::clone(&limiter),
        clock: Arc::clone(&clock),
    };
    let movies = MoviePorts {
        source: movie_source(config, redis.as_ref(), &clock)?,
        movies: Arc::new(store.movies()),
        favorites: Arc::new(store.favorites()),
        ratings: Arc::new(store.ratings()),
        users: Arc::clone(&users),
        clock: Arc::clone(&clock),
    };
    let given_key = config.jwt_secret.as_ref().map(|secret| SigningKey(secret.clone().into_bytes()));
    let limit = Limit { quota: config.rate_limit, window: Duration::from_secs(60) };
    let meter = (config.rate_limit > 0)
        .then(|| Arc::new(Meter::new(Arc::clone(&limiter), Arc::clone(&clock), limit)));
    let source = source(config)?;
    let ports = CountryPorts {
        repository: Arc::new(store.countries()),
        source: Arc::clone(&source),
        snapshot: Arc::new(Snapshot::new()),
        lock: Arc::new(store.lock()),
        sheet: Arc::new(Sheets::new()),
        clock: Arc::clone(&clock),
    };
    let tasks = TaskPorts {
        tasks: Arc::new(store.tasks()),
        runs: Arc::new(store.runs()),
        schedules: Arc::new(store.schedules()),
        targets: targets(TargetOptions {
            allow: config.allow_targets.clone(),
            own: vec![config.listen],
            ..TargetOptions::default()
        })?,
        sealer: Arc::new(XChaChaSealer),
        keys: Arc::new(store.seal_keys()),
        clock: Arc::clone(&clock),
        offload: offload(),
    };
    let tasks = TaskService::new(tasks, given_key.clone()).with_limits(TaskLimits {
        tasks: at_most(config.max_tasks),
        open_runs: at_most(config.max_open_runs),
        kept_bytes: (config.max_kept > 0).then_some(config.max_kept),
    });
    let jobs = JobPorts {
        runs: Arc::new(store.runs()),
        schedules: Arc::new(store.schedules()),
        clock: Arc::clone(&clock),
    };
    let (countries, jobs) = (CountryService::new(ports, SyncSettings::default()), JobService::new(jobs));
    let activities = ActivityPorts {
        activities: Arc::new(store.activities()),
        source: activity_source(
            config.wikidata_url.clone(),
            options(config),
            config.wikidata_contact.as_deref(),
        )?,
        countries: Arc::new(store.countries()),
        runs: Arc::new(store.runs()),
        clock: Arc::clone(&clock),
    };
    let dogs = DogPorts {
        dogs: Arc::new(store.dogs()),
        users: Arc::clone(&users),
        pictures: Arc::new(DogCeo::new(client(options(config))?, config.dog_ceo_url.clone())),
        chores: chores(config)?,
        clock: Arc::clone(&clock),
    };
    let reports = ReportPorts {
        countries: countries.clone(),
        jobs: jobs.clone(),
        schedules: Arc::new(store.schedules()),
        sheet: Arc::new(Sheets::new()),
        clock: Arc::clone(&clock),
    };
    let worker =
        WorkerPorts { queue: Arc::clone(&queue), clock: Arc::clone(&clock), background: background() };
    let health = DependencyHealth::new(store.clone(), redis);
    let services = Services {
        countries,
        activities: ActivityService::new(activities, jobs.clone(), ActivitySettings::default()),
        tasks,
        dogs: DogService::new(dogs, jobs.clone()),
        jobs,
        reports: ReportService::new(reports, report::post(config)?, report::settings(config)?),
        time_zone: config.time_zone,
        answers: Answers::new(cache, Arc::clone(&clock)),
        local: Answers::new(near, Arc::clone(&clock)),
        movies: MovieService::new(movies),
        movie_ttl: config.cache_ttl,
        files: files(config, &clock)?,
        users: UserService::new(users, hasher, limiter, clock),
        tokens: TokenService::new(tokens, given_key).with_max_tokens(config.max_tokens),
        meter,
        health: Arc::new(health.clone()),
        metrics: Arc::new(monitor::render),
    };
    let settings = WorkerSettings {
        workers: config.workers.into(),
        per_lane: config.per_host.into(),
        grace: config.connections.grace,
        ..WorkerSettings::default()
    };
    let worker = Worker::new(worker, settings, handlers(&services));
    let http = HttpSettings {
        cors_origins: config.cors_origins.clone(),
        open_metrics: config.demo,
        metrics_token: config.metrics_token.clone(),
        trusted_proxies: config.connections.trusted_proxies.clone(),
        ..HttpSettings::default()
    };
    Ok(Wired { services, http, store, source, queue, tickets, worker, health })
}

/// The queue of a database: on PostgreSQL, tickets tell each process at once what is due.
fn queue(store: SqlStore) -> (SqlStore, Arc<dyn TaskQueue>, Option<TicketQueue>) {
    let Some(pool) = store.postgres_pool() else {
        let queue = Arc::new(store.queue());
        return (store, queue, None);
    };
    let store = store.with_tickets(malecon_queue::TICKET);
    let tickets = TicketQueue::new(pool, Arc::new(store.queue()));
    (store, Arc::new(tickets.clone()), Some(tickets))
}

/// Who does which kind of job.
pub fn handlers(services: &Services) -> JobHandlers {
    let handlers = [
        (JobKind::Call, services.tasks.handler()),
        (JobKind::Sync, services.countries.handler()),
        (JobKind::Activities, services.activities.handler()),
        (JobKind::Picture, services.dogs.handler()),
        (JobKind::Report, services.reports.handler()),
    ];
    handlers.into_iter().map(|(kind, handler)| (kind, monitor::metered(kind, handler))).collect()
}

/// What the program does by itself, again and again.
pub fn plans(config: &Config) -> Vec<Plan> {
    let sync = Plan::new(Job::Sync, Rhythm::Every(config.sync_every));
    // The snapshot has nothing new to tell a store that was filled from it.
    let has_source = config.restcountries_url.is_some() || config.restcountries_api_key.is_some();
    vec![if has_source { sync } else { sync.from_the_next_tick() }]
}

/// Opens the database, and waits for it as long as the settings say.
pub(crate) async fn open(config: &Config) -> Result<SqlStore, Failure> {
    let options = SqlOptions { max_connections: config.db_pool.get(), ..SqlOptions::default() };
    let retry = Retry::new("opening the database", config.wait_for);
    loop {
        match SqlStore::connect(&config.database_url, options.clone()).await {
            Err(error @ RepositoryError::Unavailable(_)) if retry.again(&error).await => {}
            opened => return opened.map_err(|error| Failure::of("the database can't be opened", error)),
        }
    }
}

/// A limit of the settings, where 0 is none.
fn at_most(most: u32) -> Option<u32> {
    (most > 0).then_some(most)
}
