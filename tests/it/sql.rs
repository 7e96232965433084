//! Statements of a stranger in a server's database.

use sqlx::{AnyConnection, AssertSqlSafe, Connection};

/// A connection of one's own to a database of either kind.
pub async fn open(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.unwrap()
}

/// What a statement changes, again while the file is locked.
pub async fn execute(url: &str, statement: &str) -> u64 {
    let mut connection = open(url).await;
    loop {
        match sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await {
            Err(error) if error.to_string().contains("locked") => {}
            done => return done.unwrap().rows_affected(),
        }
    }
}

/// The number that a query selects.
pub async fn number(url: &str, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut open(url).await).await.unwrap()
}

/// The texts that a query selects.
pub async fn texts(url: &str, query: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut open(url).await).await.unwrap()
}
