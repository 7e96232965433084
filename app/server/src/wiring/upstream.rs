//! Those who ask others.

use std::sync::Arc;
use std::time::Duration;

use malecon::ports::{
    ActivityGateway, Cache, ChoreGateway, Clock, CountryGateway, FileGateway, Lock, MovieGateway,
    TargetGateway,
};
use malecon::{Breaker, FilePorts, FileService, FileSettings, ShieldPorts, ShieldSettings, ShieldedMovies};
use malecon_redis::RedisStore;
use malecon_snapshot::Snapshot;
use malecon_upstream::{
    ClientOptions, Files, RestCountriesV5, RestCountriesV31, TargetOptions, Targets, Tmdb, UpstreamClient,
    Wikidata, Workers,
};
use url::Url;

use crate::{Config, Failure};

/// The longest `Retry-After` of TMDB that is waited for: a caller of movies waits no longer than 1.8 s.
const MOVIE_WAIT: Duration = Duration::from_secs(1);

/// The source of countries: v5 with a key, else a v3.1-compatible URL, else the snapshot.
pub(super) fn source(config: &Config) -> Result<Arc<dyn CountryGateway>, Failure> {
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
pub(super) fn chores(config: &Config) -> Result<Option<Arc<dyn ChoreGateway>>, Failure> {
    let Some(url) = &config.workers_url else { return Ok(None) };
    Ok(Some(Arc::new(Workers::new(client(options(config))?, url.clone()))))
}

/// Whom integration tasks may call.
pub(super) fn targets(options: TargetOptions) -> Result<Arc<dyn TargetGateway>, Failure> {
    let targets = Targets::new(options);
    Ok(Arc::new(targets.map_err(|error| Failure::of("no HTTP client can be made", error))?))
}

/// TMDB behind its shield, when there is a token for it.
pub(super) fn movie_source(
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
        background: super::background(),
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
pub(super) fn activity_source(
    url: Url,
    options: ClientOptions,
    contact: Option<&str>,
) -> Result<Arc<dyn ActivityGateway>, Failure> {
    Ok(Arc::new(Wikidata::new(client(Wikidata::options(options, contact))?, url)))
}

/// Who takes files, where anybody does. Nothing may move for six times as long as an upstream may take
/// over one attempt, and all of it may take twenty times that.
pub(super) fn files(config: &Config, clock: &Arc<dyn Clock>) -> Result<FileService, Failure> {
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

pub(super) fn options(config: &Config) -> ClientOptions {
    ClientOptions {
        timeout: config.upstream_timeout,
        retries: config.retries,
        retry_base: config.retry_base,
        ..ClientOptions::default()
    }
}

pub(super) fn client(options: ClientOptions) -> Result<UpstreamClient, Failure> {
    UpstreamClient::new(options).map_err(|error| Failure::of("no HTTP client can be made", error))
}
