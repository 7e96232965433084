//! Which adapter stands behind which port.

mod report;

use std::sync::Arc;
use std::time::Duration;

use malecon::domain::{Job, JobKind, Rhythm, Zone};
use malecon::ports::{
    ActivityGateway, Cache, ChoreGateway, Clock, CountryGateway, FileGateway, Limit, Lock, MovieGateway,
    PasswordHasher, RateLimiter, SigningKey, TargetGateway, TaskQueue, UserRepository,
};
use malecon::{
    ActivityPorts, ActivityService, ActivitySettings, Answers, Background, Breaker, CountryPorts,
    CountryService, DogPorts, DogService, FilePorts, FileService, FileSettings, JobHandlers, JobPorts,
    JobService, Meter, MoviePorts, MovieService, Plan, ReportPorts, ReportService, ShieldPorts,
    ShieldSettings, ShieldedMovies, SyncSettings, TaskPorts, TaskService, TieredCache, TieredLimiter,
    TokenPorts, TokenService, UserService, Worker, WorkerPorts, WorkerSettings,
};
use malecon_crypto::{Argon2Hasher, Hs256, XChaChaSealer};
use malecon_http::{HttpSettings, Services};
use malecon_memory::{
    MemoryActivities, MemoryCache, MemoryCountries, MemoryDogs, MemoryLock, MemoryMovies, MemoryRateLimiter,
    MemoryTasks, MemoryUsers, SystemClock,
};
use malecon_queue::TicketQueue;
use malecon_redis::RedisStore;
use malecon_sheet::Sheets;
use malecon_snapshot::Snapshot;
use malecon_sql::{SqlOptions, SqlStore};
use malecon_upstream::{
    ClientOptions, DogCeo, Files, RestCountriesV5, RestCountriesV31, TargetOptions, Targets, Tmdb,
    UpstreamClient, Wikidata, Workers,
};
use url::Url;

use crate::monitor::{self, Parts};
use crate::{Config, Failure};

/// How long a version's answers stay in this process after they were found in Redis.
const NEAR: Duration = Duration::from_secs(60);

/// The longest `Retry-After` of TMDB that is waited for: a caller of movies waits no longer than 1.8 s.
const MOVIE_WAIT: Duration = Duration::from_secs(1);

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
}

impl Wired {
    /// Brings the database up to date.
    ///
    /// # Errors
    /// It does not let itself.
    pub async fn migrate(&self) -> Result<(), Failure> {
        let failed = "the database can't be migrated";
        self.store.migrate().await.map_err(|error| Failure::of(failed, error))?;
        match &self.tickets {
            Some(tickets) => tickets.install().await.map_err(|error| Failure::of(failed, error)),
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
    };
    let tasks = TaskService::new(tasks, given_key.clone());
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
    let worker = WorkerPorts { queue: Arc::clone(&queue), clock: Arc::clone(&clock) };
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
        tokens: TokenService::new(tokens, given_key),
        meter,
        health: Arc::new(Parts { store: store.clone(), redis }),
        metrics: Arc::new(|| monitor::metrics().render()),
    };
    let settings = WorkerSettings {
        workers: config.workers.into(),
        per_lane: config.per_host.into(),
        ..WorkerSettings::default()
    };
    let worker = Worker::new(worker, settings, handlers(&services));
    let http = HttpSettings {
        cors_origins: config.cors_origins.clone(),
        open_metrics: config.demo,
        metrics_token: config.metrics_token.clone(),
        ..HttpSettings::default()
    };
    Ok(Wired { services, http, store, source, queue, tickets, worker })
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

/// Opens the database.
pub(crate) async fn open(config: &Config) -> Result<SqlStore, Failure> {
    SqlStore::connect(&config.database_url, SqlOptions::default())
        .await
        .map_err(|error| Failure::of("the database can't be opened", error))
}

/// The source of countries: v5 with a key, else a v3.1-compatible URL, else the snapshot.
fn source(config: &Config) -> Result<Arc<dyn CountryGateway>, Failure> {
    let client = || client(options(config));
    Ok(match (&config.restcountries_api_key, &config.restcountries_url) {
        (Some(key), _) => {
            Arc::new(RestCountriesV5::new(client()?, config.restcountries_v5_url.clone(), key.clone()))
        }
        (None, Some(url)) => Arc::new(RestCountriesV31::new(client()?, url.clone())),
        (None, None) => Arc::new(Snapshot::new()),
    })
}

/// Who does a chore for each new dog, when there is somebody.
fn chores(config: &Config) -> Result<Option<Arc<dyn ChoreGateway>>, Failure> {
    let Some(url) = &config.workers_url else { return Ok(None) };
    Ok(Some(Arc::new(Workers::new(client(options(config))?, url.clone()))))
}

/// Whom integration tasks may call.
fn targets(options: TargetOptions) -> Result<Arc<dyn TargetGateway>, Failure> {
    let targets = Targets::new(options);
    Ok(Arc::new(targets.map_err(|error| Failure::of("no HTTP client can be made", error))?))
}

/// TMDB behind its shield, when there is a token for it.
fn movie_source(
    config: &Config,
    redis: Option<&RedisStore>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<ShieldedMovies>, Failure> {
    let Some(token) = &config.tmdb_token else { return Ok(None) };
    let tmdb = |retries| -> Result<Arc<dyn MovieGateway>, Failure> {
        let client = client(ClientOptions { retries, longest_wait: MOVIE_WAIT, ..options(config) })?;
        Ok(Arc::new(Tmdb::new(client, config.tmdb_url.clone(), token.clone(), Arc::clone(clock))))
    };
    let ports = ShieldPorts {
        far: redis.map(|redis| Arc::new(redis.cache()) as Arc<dyn Cache>),
        lock: redis.map(|redis| Arc::new(redis.lock()) as Arc<dyn Lock>),
        clock: Arc::clone(clock),
        background: Background::new(|work| {
            tokio::spawn(work);
        }),
    };
    let settings = ShieldSettings {
        ttl: config.cache_ttl,
        revalidate_for: config.revalidate_for,
        stale_for: config.stale_for,
        ..ShieldSettings::default()
    };
    let source = ShieldedMovies::new(tmdb(config.retries)?, tmdb(0)?, ports, Breaker::new(), settings);
    Ok(Some(source))
}

/// Wikidata, which has a patience of its own: the bound on other upstreams is too short for it.
fn activity_source(
    url: Url,
    options: ClientOptions,
    contact: Option<&str>,
) -> Result<Arc<dyn ActivityGateway>, Failure> {
    Ok(Arc::new(Wikidata::new(client(Wikidata::options(options, contact))?, url)))
}

/// Who takes files, where anybody does. Nothing may move for six times as long as an upstream may take
/// over one attempt, and all of it may take twenty times that.
fn files(config: &Config, clock: &Arc<dyn Clock>) -> Result<FileService, Failure> {
    let gateway = config.files_url.clone().map(|url| Files::new(url, &options(config)));
    let gateway = gateway.transpose().map_err(|error| Failure::of("no HTTP client can be made", error))?;
    let ports = FilePorts {
        gateway: gateway.map(|files| Arc::new(files) as Arc<dyn FileGateway>),
        clock: Arc::clone(clock),
    };
    let idle = config.upstream_timeout.saturating_mul(6);
    let settings = FileSettings { most_bytes: config.max_upload, idle, total: idle.saturating_mul(20) };
    Ok(FileService::new(ports, settings))
}

fn options(config: &Config) -> ClientOptions {
    ClientOptions {
        timeout: config.upstream_timeout,
        retries: config.retries,
        retry_base: config.retry_base,
        ..ClientOptions::default()
    }
}

fn client(options: ClientOptions) -> Result<UpstreamClient, Failure> {
    UpstreamClient::new(options).map_err(|error| Failure::of("no HTTP client can be made", error))
}

/// Services over RAM alone, for what needs no data: the OpenAPI document.
///
/// # Errors
/// No HTTP client can be made.
pub fn in_memory() -> Result<Services, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let lock = MemoryLock::new();
    let users = MemoryUsers::default();
    let answers = Answers::new(Arc::new(MemoryCache::default()), Arc::clone(&clock));
    let movies = MemoryMovies::new(users.clone());
    let tasks = MemoryTasks::new(users.clone());
    let hasher: Arc<dyn PasswordHasher> = Arc::new(Argon2Hasher::new());
    let limiter: Arc<dyn RateLimiter> = Arc::new(MemoryRateLimiter::default());
    let countries = Arc::new(MemoryCountries::new(lock.clone()));
    let ports = CountryPorts {
        repository: countries.clone(),
        source: Arc::new(Snapshot::new()),
        snapshot: Arc::new(Snapshot::new()),
        lock: Arc::new(lock),
        sheet: Arc::new(Sheets::new()),
        clock: Arc::clone(&clock),
    };
    let jobs = JobService::new(JobPorts {
        runs: Arc::new(tasks.clone()),
        schedules: Arc::new(tasks.clone()),
        clock: Arc::clone(&clock),
    });
    let nowhere = Url::parse("http://localhost/");
    let nowhere = nowhere.map_err(|error| Failure::of("a URL can't be read", error))?;
    let activities = ActivityPorts {
        activities: Arc::new(MemoryActivities::new()),
        source: activity_source(nowhere.clone(), ClientOptions::default(), None)?,
        countries,
        runs: Arc::new(tasks.clone()),
        clock: Arc::clone(&clock),
    };
    let dogs = DogPorts {
        dogs: Arc::new(MemoryDogs::new(users.clone(), tasks.clone())),
        users: Arc::new(users.clone()),
        pictures: Arc::new(DogCeo::new(client(ClientOptions::default())?, nowhere)),
        chores: None,
        clock: Arc::clone(&clock),
    };
    let countries = CountryService::new(ports, SyncSettings::default());
    let reports = ReportPorts {
        countries: countries.clone(),
        jobs: jobs.clone(),
        schedules: Arc::new(tasks.clone()),
        sheet: Arc::new(Sheets::new()),
        clock: Arc::clone(&clock),
    };
    Ok(Services {
        countries,
        reports: ReportService::new(reports, None, report::unasked()?),
        time_zone: Zone::UTC,
        answers: answers.clone(),
        local: answers,
        movies: MovieService::new(MoviePorts {
            source: None,
            movies: Arc::new(movies.clone()),
            favorites: Arc::new(movies.clone()),
            ratings: Arc::new(movies),
            users: Arc::new(users.clone()),
            clock: Arc::clone(&clock),
        }),
        movie_ttl: Duration::from_secs(30),
        activities: ActivityService::new(activities, jobs.clone(), ActivitySettings::default()),
        dogs: DogService::new(dogs, jobs.clone()),
        jobs,
        files: FileService::new(
            FilePorts { gateway: None, clock: Arc::clone(&clock) },
            FileSettings::default(),
        ),
        tasks: TaskService::new(
            TaskPorts {
                tasks: Arc::new(tasks.clone()),
                runs: Arc::new(tasks.clone()),
                schedules: Arc::new(tasks),
                targets: targets(TargetOptions::default())?,
                sealer: Arc::new(XChaChaSealer),
                keys: Arc::new(users.clone()),
                clock: Arc::clone(&clock),
            },
            None,
        ),
        users: UserService::new(
            Arc::new(users.clone()),
            Arc::clone(&hasher),
            Arc::clone(&limiter),
            Arc::clone(&clock),
        ),
        tokens: TokenService::new(
            TokenPorts {
                users: Arc::new(users.clone()),
                tokens: Arc::new(users.clone()),
                sessions: Arc::new(users.clone()),
                keys: Arc::new(users),
                hasher,
                signer: Arc::new(Hs256::new()),
                limiter,
                clock,
            },
            None,
        ),
        meter: None,
        health: Arc::new(NoParts),
        metrics: Arc::new(String::new),
    })
}

struct NoParts;

#[async_trait::async_trait]
impl malecon_http::Health for NoParts {
    async fn checks(&self) -> Vec<malecon_http::Check> {
        vec![]
    }
}
