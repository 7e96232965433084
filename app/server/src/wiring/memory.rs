//! Everything over RAM.

use std::sync::Arc;
use std::time::Duration;

use malecon::domain::Zone;
use malecon::ports::{Clock, PasswordHasher, RateLimiter};
use malecon::{
    ActivityPorts, ActivityService, ActivitySettings, Answers, CountryPorts, CountryService, DogPorts,
    DogService, FilePorts, FileService, FileSettings, JobPorts, JobService, MoviePorts, MovieService,
    ReportPorts, ReportService, SyncSettings, TaskPorts, TaskService, TokenPorts, TokenService, UserService,
};
use malecon_crypto::{Argon2Hasher, Hs256, XChaChaSealer};
use malecon_http::Services;
use malecon_memory::{
    MemoryActivities, MemoryCache, MemoryCountries, MemoryDogs, MemoryLock, MemoryMovies, MemoryRateLimiter,
    MemoryTasks, MemoryUsers, SystemClock,
};
use malecon_sheet::Sheets;
use malecon_snapshot::Snapshot;
use malecon_upstream::{ClientOptions, DogCeo, TargetOptions};
use url::Url;

use super::report;
use super::upstream::{activity_source, client, targets};
use crate::Failure;

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
                offload: super::offload(),
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
