//! Countries inside an axum app of one's own: `GET /neighbours/{code}`.
//!
//! `cargo run -p malecon --example axum`, then `curl localhost:3000/neighbours/PE`
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use malecon::{CountryPorts, CountryService, ServiceError, SyncSettings};
use malecon_memory::{MemoryCountries, MemoryLock, SystemClock};
use malecon_sheet::Sheets;
use malecon_snapshot::Snapshot;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lock = MemoryLock::new();
    let countries = CountryService::new(
        CountryPorts {
            repository: Arc::new(MemoryCountries::new(lock.clone())),
            source: Arc::new(Snapshot::new()),
            snapshot: Arc::new(Snapshot::new()),
            lock: Arc::new(lock),
            sheet: Arc::new(Sheets::new()),
            clock: Arc::new(SystemClock),
        },
        SyncSettings::default(),
    );
    countries.fill().await?;
    let app = Router::new().route("/neighbours/{code}", get(neighbours)).with_state(countries);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("curl http://{}/neighbours/PE", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn neighbours(
    State(countries): State<CountryService>,
    Path(code): Path<String>,
) -> Result<Json<Vec<String>>, StatusCode> {
    let country = countries.get(&code).await.map_err(status)?;
    let held = countries.held().await.map_err(status)?;
    let name = |code: &String| {
        held.countries
            .iter()
            .find(|stored| stored.country.cca3 == *code)
            .map(|stored| stored.country.name.common.clone())
    };
    Ok(Json(country.country.borders.iter().filter_map(name).collect()))
}

fn status(error: ServiceError) -> StatusCode {
    match error {
        ServiceError::NotFound => StatusCode::NOT_FOUND,
        ServiceError::Forbidden => StatusCode::FORBIDDEN,
        ServiceError::Conflict { .. } => StatusCode::CONFLICT,
        ServiceError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        ServiceError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        ServiceError::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        ServiceError::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        ServiceError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
