//! Movies that users keep, in tables.

use async_trait::async_trait;
use malecon_domain::{Direction, Instant, Movie, MovieQuery, MovieSortKey, Paged, Sort};
use malecon_ports::{MovieRepository, RepositoryError};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};

use crate::db::Db;
use crate::entity::movie::{COLUMNS, Listed, values};
use crate::error::classify;
use crate::store::one;

/// `fetched_at` of a movie whose details are forgotten: before every instant.
const NEVER: i64 = i64::MIN;

/// The movies of one database.
#[derive(Clone, Debug)]
pub struct SqlMovieRepository {
    db: Db,
}

impl SqlMovieRepository {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl MovieRepository for SqlMovieRepository {
    async fn refresh(&self, movie: &Movie, at: Instant) -> Result<(), RepositoryError> {
        let db = self.db.in_background();
        let transaction = db.begin().await?;
        write(&transaction, movie, at, &is_kept("$1")).await?;
        transaction.commit().await.map_err(classify)
    }

    async fn due(&self, before: Instant, most: u32) -> Result<Vec<i64>, RepositoryError> {
        let db = self.db.in_background();
        let sql = format!(
            "SELECT id FROM movies WHERE fetched_at < $1 AND ({}) ORDER BY fetched_at, id LIMIT $2",
            is_kept("movies.id")
        );
        let values = [before.timestamp_micros().into(), i64::from(most).into()];
        let rows = db.query_all_raw(statement(&db, sql, values)).await.map_err(classify)?;
        rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>().map_err(classify)
    }

    async fn forget(&self, before: Instant) -> Result<u64, RepositoryError> {
        let db = self.db.in_background();
        let before = before.timestamp_micros();
        let transaction = db.begin().await?;
        // This goes first: who adds one of these movies now waits, and the next statement sees what
        // others have added until now. It may not delete a movie that somebody begins to keep.
        let empty = "UPDATE movies SET title_folded = '', release_date = NULL, record = '', fetched_at = $2 \
                     WHERE fetched_at < $1 AND fetched_at > $2";
        let delete = format!("DELETE FROM movies WHERE fetched_at = $1 AND NOT ({})", is_kept("movies.id"));
        let forgotten = execute(&transaction, empty, [before.into(), NEVER.into()]).await?;
        execute(&transaction, &delete, [NEVER.into()]).await?;
        let theirs = "movie_id IN (SELECT id FROM movies WHERE fetched_at = $1)";
        for table in ["favorites", "ratings"] {
            let sql = format!("UPDATE {table} SET released = -1 WHERE released <> -1 AND {theirs}");
            execute(&transaction, &sql, [NEVER.into()]).await?;
        }
        transaction.commit().await.map_err(classify)?;
        Ok(forgotten)
    }
}

/// Whether somebody keeps a movie, as an SQL condition.
fn is_kept(id: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM favorites WHERE favorites.movie_id = {id}) \
         OR EXISTS (SELECT 1 FROM ratings WHERE ratings.movie_id = {id})"
    )
}

/// Writes details, unless there are later ones. Until the transaction ends the movie's row is held.
pub(crate) async fn keep(
    db: &impl ConnectionTrait,
    movie: &Movie,
    at: Instant,
) -> Result<(), RepositoryError> {
    write(db, movie, at, "TRUE").await
}

async fn write(
    db: &impl ConnectionTrait,
    movie: &Movie,
    at: Instant,
    condition: &str,
) -> Result<(), RepositoryError> {
    let sql = format!(
        "INSERT INTO movies ({COLUMNS}) SELECT $1, $2, $3, $4, $5 WHERE {condition} \
         ON CONFLICT (id) DO UPDATE SET title_folded = excluded.title_folded, \
         release_date = excluded.release_date, record = excluded.record, fetched_at = excluded.fetched_at \
         WHERE movies.fetched_at <= excluded.fetched_at"
    );
    execute(db, &sql, values(movie, at)?).await?;
    // The date stands beside every favorite and rating of the movie too.
    let date = "COALESCE((SELECT release_date FROM movies WHERE id = $1), -1)";
    for table in ["favorites", "ratings"] {
        let sql = format!("UPDATE {table} SET released = {date} WHERE movie_id = $1 AND released <> {date}");
        execute(db, &sql, [movie.id.into()]).await?;
    }
    Ok(())
}

/// Runs a statement; how many rows it changed.
pub(crate) async fn execute(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, RepositoryError> {
    let done = db.execute_raw(statement(db, sql, values)).await.map_err(classify)?;
    Ok(done.rows_affected())
}

pub(crate) fn statement(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// A user's favorites or ratings: `table` has the user's number, and `columns` makes it into [`Listed`],
/// with the movie as `m`.
pub(crate) struct List {
    pub table: &'static str,
    pub columns: &'static str,
}

impl List {
    /// Every row, without a condition.
    fn select(&self) -> String {
        let Self { table, columns } = self;
        format!(
            "SELECT m.id, m.release_date, m.record, {columns} \
             FROM {table} JOIN movies m ON m.id = {table}.movie_id"
        )
    }

    pub async fn find<T>(&self, db: &Db, user_id: i64, movie_id: i64) -> Result<Option<T>, RepositoryError>
    where
        T: TryFrom<Listed, Error = RepositoryError>,
    {
        let (select, table) = (self.select(), self.table);
        let sql = format!("{select} WHERE {table}.user_id = $1 AND {table}.movie_id = $2");
        let query = statement(db, sql, [user_id.into(), movie_id.into()]);
        let row: Option<Listed> = Listed::find_by_statement(query).one(db).await.map_err(classify)?;
        row.map(T::try_from).transpose()
    }

    pub async fn page<T>(
        &self,
        db: &Db,
        user_id: i64,
        query: &MovieQuery,
    ) -> Result<Paged<T>, RepositoryError>
    where
        T: TryFrom<Listed, Error = RepositoryError>,
    {
        let (select, table) = (self.select(), self.table);
        let sql = format!("SELECT COUNT(*) AS total FROM {table} WHERE user_id = $1");
        let count = async {
            let row = db.query_one_raw(statement(db, sql, [user_id.into()])).await?;
            one(row)?.try_get::<i64>("", "total")
        };
        let total = count.await.map_err(classify)?.unsigned_abs();
        let sql = format!(
            "{select} WHERE {table}.user_id = $1 ORDER BY {}, {table}.movie_id LIMIT $2 OFFSET $3",
            order(table, &query.sort)
        );
        let offset = i64::try_from(query.page.offset()).unwrap_or(i64::MAX);
        let values = [user_id.into(), i64::from(query.page.size()).into(), offset.into()];
        let rows: Result<Vec<Listed>, DbErr> =
            Listed::find_by_statement(statement(db, sql, values)).all(db).await;
        let items = rows.map_err(classify)?.into_iter().map(T::try_from).collect::<Result<_, _>>()?;
        Ok(Paged { items, total })
    }
}

fn order(table: &str, sort: &[Sort<MovieSortKey>]) -> String {
    let usual = [MovieSortKey::ReleaseDate, MovieSortKey::Stars]
        .map(|key| Sort { key, direction: Direction::Descending });
    let sort = if sort.is_empty() { &usual[..] } else { sort };
    let keys = sort.iter().map(|Sort { key, direction }| {
        let column = match key {
            MovieSortKey::ReleaseDate => format!("{table}.released"),
            MovieSortKey::Stars => format!("{table}.stars"),
            MovieSortKey::Title => "m.title_folded".to_owned(),
            MovieSortKey::AddedAt => "added_at".to_owned(),
        };
        match (key, direction) {
            // What is missing is -1: last as it is, or to be put there. Nothing else may stand in the
            // usual order, which an index has.
            (MovieSortKey::ReleaseDate | MovieSortKey::Stars, Direction::Ascending) => {
                format!("CASE WHEN {column} < 0 THEN 1 ELSE 0 END, {column} ASC")
            }
            (_, Direction::Ascending) => format!("{column} ASC"),
            (_, Direction::Descending) => format!("{column} DESC"),
        }
    });
    keys.collect::<Vec<_>>().join(", ")
}
