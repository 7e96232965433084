//! Countries in a plain program: no HTTP, no server, no network.
//!
//! `cargo run -p malecon --example embed -- "south america"`
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::sync::Arc;

use malecon::domain::{CountryFilter, CountryQuery, CountrySortKey, Direction, Sort};
use malecon::{CountryPorts, CountryService, SyncSettings};
use malecon_memory::{MemoryCountries, MemoryLock, SystemClock};
use malecon_sheet::Sheets;
use malecon_snapshot::Snapshot;

#[tokio::main(flavor = "current_thread")]
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
    let query = CountryQuery {
        filter: CountryFilter { continent: std::env::args().nth(1), ..CountryFilter::default() },
        sort: vec![Sort { key: CountrySortKey::Population, direction: Direction::Descending }],
        ..CountryQuery::default()
    };
    let page = countries.list(&query).await?;
    println!("{} countries, the largest:", page.total);
    for stored in page.items {
        println!("{:>13}  {}", stored.country.population, stored.country.name.common);
    }
    Ok(())
}
