//! Countries in tables.

use std::collections::BTreeMap;

use async_trait::async_trait;
use malecon_domain::{
    Country, CountryCode, CountryFilter, CountryQuery, CountrySortKey, DataVersion, Direction, Paged, Sort,
    StoredCountry, SyncOutcome, SyncReport,
};
use malecon_ports::{CountryRepository, CountryRestore, Lease, RepositoryError, SyncWrite};
use sea_orm::ActiveModelTrait;
use sea_orm::sea_query::{Expr, Func, NullOrdering, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, IntoActiveModel, Iterable,
    Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};

use crate::db::Db;
use crate::entity::country::{ActiveModel, Column, Entity, Stored, instant, row};
use crate::entity::report::ReportJson;
use crate::entity::state;
use crate::error::classify;
use crate::lock::is_current;

/// Rows of one upsert: 20 parameters each, under SQLite's 32,766.
const CHUNK: usize = 1_000;

/// The countries of one database.
#[derive(Clone, Debug)]
pub struct SqlCountryRepository {
    db: Db,
}

impl SqlCountryRepository {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl CountryRepository for SqlCountryRepository {
    async fn list(&self, query: &CountryQuery) -> Result<Paged<StoredCountry>, RepositoryError> {
        let filter = query.filter.folded();
        // PostgreSQL has no such letter, so no text of ours holds it; and to it every number is less
        // than NaN, which no number is.
        let no_number = [filter.area_gte, filter.area_lte].into_iter().flatten().any(f64::is_nan);
        if no_number || texts(&filter).any(|(_, text)| text.contains('\0')) {
            return Ok(Paged { items: vec![], total: 0 });
        }
        let matching = Entity::find().filter(condition(&filter, self.db.get_database_backend()));
        let total = matching.clone().count(&self.db).await.map_err(classify)?;
        let page =
            sorted(matching, &query.sort).limit(u64::from(query.page.size())).offset(query.page.offset());
        let rows = page.into_partial_model::<Stored>().all(&self.db).await.map_err(classify)?;
        Ok(Paged { items: stored(rows)?, total })
    }

    async fn find(&self, code: &CountryCode) -> Result<Option<StoredCountry>, RepositoryError> {
        let is_it = match code {
            CountryCode::Alpha2(code) => Column::Cca2.eq(code),
            CountryCode::Alpha3(code) => Column::Cca3.eq(code),
            CountryCode::Numeric(code) => Column::Ccn3.eq(code),
        };
        let row = Entity::find()
            .filter(is_it)
            .into_partial_model::<Stored>()
            .one(&self.db)
            .await
            .map_err(classify)?;
        row.map(StoredCountry::try_from).transpose()
    }

    async fn all(&self) -> Result<Vec<StoredCountry>, RepositoryError> {
        let db = self.db.in_background();
        let all = Entity::find().order_by_asc(Column::Cca3).into_partial_model::<Stored>();
        stored(all.all(&db).await.map_err(classify)?)
    }

    async fn version(&self) -> Result<DataVersion, RepositoryError> {
        // A store without countries is an empty one, whatever it counted before it lost them.
        let countries = Entity::find().select_only().column(Column::Cca3).into_query();
        let state = state::Entity::find_by_id(1).filter(Expr::exists(countries)).one(&self.db).await;
        version(&state.map_err(classify)?.unwrap_or(EMPTY))
    }

    async fn apply(&self, write: &SyncWrite) -> Result<DataVersion, RepositoryError> {
        // One statement can't write one row twice: the last of a country's records is the one.
        let upserts: BTreeMap<&str, &Country> = write.upserts.iter().map(|c| (c.cca3.as_str(), c)).collect();
        let rows = upserts.values().map(|country| row(country, write.at)).collect::<Result<Vec<_>, _>>()?;
        let report = report(&write.report)?;
        let transaction = self.db.in_background().begin().await?;
        fence(&transaction, &write.lease).await?;
        upsert(&transaction, &rows).await?;
        let at = write.at.timestamp_micros();
        let mut next = state(&transaction).await?;
        if !rows.is_empty() {
            next.version += 1;
            next.since = at;
        }
        if write.report.outcome == SyncOutcome::Succeeded {
            next.checked_at = at;
        }
        next.report = Some(report);
        keep(&transaction, next.clone()).await?;
        transaction.commit().await.map_err(classify)?;
        version(&next)
    }

    async fn restore(&self, restore: &CountryRestore) -> Result<bool, RepositoryError> {
        let rows = restore.countries.iter().map(|stored| row(&stored.country, stored.updated_at));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let version = restore.version;
        let state = state::Model {
            id: 1,
            version: i64::try_from(version.number).unwrap_or(i64::MAX),
            since: version.since.timestamp_micros(),
            checked_at: version.checked_at.timestamp_micros(),
            report: Some(report(&restore.report)?),
        };
        let transaction = self.db.in_background().begin().await?;
        fence(&transaction, &restore.lease).await?;
        if Entity::find().into_partial_model::<Stored>().one(&transaction).await.map_err(classify)?.is_some()
        {
            return Ok(false);
        }
        upsert(&transaction, &rows).await?;
        keep(&transaction, state).await?;
        transaction.commit().await.map_err(classify)?;
        Ok(true)
    }

    async fn last_report(&self) -> Result<Option<SyncReport>, RepositoryError> {
        let Some(text) = state(&self.db).await?.report else { return Ok(None) };
        let json: ReportJson =
            serde_json::from_str(&text).map_err(|error| RepositoryError::Corrupt(error.into()))?;
        json.try_into().map(Some)
    }
}

/// The state of a store that holds nothing yet.
const EMPTY: state::Model = state::Model { id: 1, version: 0, since: 0, checked_at: 0, report: None };

async fn state(db: &impl ConnectionTrait) -> Result<state::Model, RepositoryError> {
    Ok(state::Entity::find_by_id(1).one(db).await.map_err(classify)?.unwrap_or(EMPTY))
}

/// Writes the state, whether or not its row is still there.
async fn keep(db: &impl ConnectionTrait, state: state::Model) -> Result<(), RepositoryError> {
    let others = state::Column::iter().filter(|column| !matches!(column, state::Column::Id));
    let replace = OnConflict::column(state::Column::Id).update_columns(others).to_owned();
    let insert = state::Entity::insert(state.into_active_model().reset_all()).on_conflict(replace);
    insert.exec_without_returning(db).await.map(|_| ()).map_err(classify)
}

/// Who has lost its lease writes nothing.
async fn fence(db: &impl ConnectionTrait, lease: &Lease) -> Result<(), RepositoryError> {
    if is_current(db, lease).await.map_err(classify)? {
        return Ok(());
    }
    Err(RepositoryError::Conflict(format!("the lease {} was lost", lease.name)))
}

async fn upsert(db: &impl ConnectionTrait, rows: &[ActiveModel]) -> Result<(), RepositoryError> {
    let others = Column::iter().filter(|column| !matches!(column, Column::Cca3));
    let replace = OnConflict::column(Column::Cca3).update_columns(others).to_owned();
    for chunk in rows.chunks(CHUNK) {
        let insert = Entity::insert_many(chunk.to_vec()).on_conflict(replace.clone());
        insert.exec_without_returning(db).await.map_err(classify)?;
    }
    Ok(())
}

fn report(report: &SyncReport) -> Result<String, RepositoryError> {
    serde_json::to_string(&ReportJson::from(report)).map_err(|error| RepositoryError::Corrupt(error.into()))
}

fn version(state: &state::Model) -> Result<DataVersion, RepositoryError> {
    Ok(DataVersion {
        number: state.version.unsigned_abs(),
        since: instant(state.since)?,
        checked_at: instant(state.checked_at)?,
    })
}

fn stored(rows: Vec<Stored>) -> Result<Vec<StoredCountry>, RepositoryError> {
    rows.into_iter().map(StoredCountry::try_from).collect()
}

fn texts(filter: &CountryFilter) -> impl Iterator<Item = (Column, &String)> {
    [
        (Column::SearchName, &filter.name),
        (Column::SearchCapital, &filter.capital),
        (Column::SearchContinent, &filter.continent),
        (Column::SearchCurrency, &filter.currency),
        (Column::SearchLanguage, &filter.language),
        (Column::SearchRegion, &filter.region),
        (Column::SearchAll, &filter.q),
    ]
    .into_iter()
    .filter_map(|(column, text)| Some((column, text.as_ref()?)))
}

/// A folded filter in SQL. Positions of substrings, not LIKE: so no letter is a wildcard.
fn condition(filter: &CountryFilter, backend: DbBackend) -> Condition {
    let position = if backend == DbBackend::Sqlite { "instr" } else { "strpos" };
    let whole = |bound: u64| i64::try_from(bound).unwrap_or(i64::MAX);
    texts(filter)
        .fold(Condition::all(), |all, (column, text)| {
            let column = Expr::col(column);
            all.add(Func::cust(position).arg(column).arg(text.as_str()).gt(0))
        })
        .add_option(filter.population_gte.map(|least| Column::Population.gte(whole(least))))
        .add_option(filter.population_lte.map(|most| Column::Population.lte(whole(most))))
        .add_option(filter.area_gte.map(|least| Column::Area.gte(least)))
        .add_option(filter.area_lte.map(|most| Column::Area.lte(most)))
}

fn sorted(select: Select<Entity>, sort: &[Sort<CountrySortKey>]) -> Select<Entity> {
    let by_name = [Sort { key: CountrySortKey::Name, direction: Direction::Ascending }];
    let sort = if sort.is_empty() { &by_name[..] } else { sort };
    let select = sort.iter().fold(select, |select, Sort { key, direction }| {
        let column = match key {
            CountrySortKey::Name => Column::SortName,
            CountrySortKey::Capital => Column::SortCapital,
            CountrySortKey::Currency => Column::SortCurrency,
            CountrySortKey::Continent => Column::SortContinent,
            CountrySortKey::Language => Column::SortLanguage,
            CountrySortKey::Flag => Column::SortFlag,
            CountrySortKey::Code => Column::Cca3,
            CountrySortKey::Population => Column::Population,
            CountrySortKey::Area => Column::Area,
        };
        let order = if *direction == Direction::Descending { Order::Desc } else { Order::Asc };
        select.order_by_with_nulls(column, order, NullOrdering::Last)
    });
    select.order_by_asc(Column::Cca3)
}
