//! A country's row: the record as JSON, and beside it what filters and sorts look at.

use malecon_domain::{Country, Instant, SearchKeys, SortKeys, StoredCountry};
use malecon_ports::RepositoryError;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::record::RecordJson;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "countries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub cca3: String,
    pub cca2: String,
    pub ccn3: Option<String>,
    pub sort_name: String,
    pub sort_capital: Option<String>,
    pub sort_currency: Option<String>,
    pub sort_continent: Option<String>,
    pub sort_language: Option<String>,
    pub sort_flag: Option<String>,
    pub population: i64,
    pub area: Option<f64>,
    pub search_name: String,
    pub search_capital: String,
    pub search_continent: String,
    pub search_currency: String,
    pub search_language: String,
    pub search_region: String,
    pub search_all: String,
    pub record: String,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is read of a row: the rest is there to be looked at by the database.
#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Stored {
    pub record: String,
    pub updated_at: i64,
}

/// The row of a country that changed at an instant.
pub fn row(country: &Country, at: Instant) -> Result<ActiveModel, RepositoryError> {
    let (sort, search) = (SortKeys::of(country), SearchKeys::of(country));
    let record = serde_json::to_string(&RecordJson::from(country))
        .map_err(|error| RepositoryError::Corrupt(error.into()))?;
    Ok(ActiveModel {
        cca3: Set(country.cca3.clone()),
        cca2: Set(country.cca2.clone()),
        ccn3: Set(country.ccn3.clone()),
        sort_name: Set(sort.name),
        sort_capital: Set(sort.capital),
        sort_currency: Set(sort.currency),
        sort_continent: Set(sort.continent),
        sort_language: Set(sort.language),
        sort_flag: Set(sort.flag),
        population: Set(i64::try_from(country.population).unwrap_or(i64::MAX)),
        area: Set(country.area),
        search_name: Set(search.name),
        search_capital: Set(search.capital),
        search_continent: Set(search.continent),
        search_currency: Set(search.currency),
        search_language: Set(search.language),
        search_region: Set(search.region),
        search_all: Set(search.all),
        record: Set(record),
        updated_at: Set(at.timestamp_micros()),
    })
}

impl TryFrom<Stored> for StoredCountry {
    type Error = RepositoryError;

    fn try_from(row: Stored) -> Result<Self, RepositoryError> {
        let record: RecordJson =
            serde_json::from_str(&row.record).map_err(|error| RepositoryError::Corrupt(error.into()))?;
        let country = Country::new(record.into()).map_err(|error| RepositoryError::Corrupt(error.into()))?;
        Ok(Self { country, updated_at: instant(row.updated_at)? })
    }
}

/// The instant of so many microseconds since 1970.
pub fn instant(micros: i64) -> Result<Instant, RepositoryError> {
    Instant::from_timestamp_micros(micros)
        .ok_or_else(|| RepositoryError::Corrupt("an impossible instant".into()))
}
