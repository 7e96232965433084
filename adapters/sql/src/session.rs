//! Sessions and their refresh tokens in tables. Whoever writes a session's refresh tokens locks its
//! row first; whoever writes several of a user's sessions locks the user's before.

use async_trait::async_trait;
use malecon_domain::{Instant, User};
use malecon_ports::{
    AddressHash, KNOWN_ADDRESSES, NewRefresh, RepositoryError, Rotation, SessionRepository, TokenHash,
};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, ExecResult, QueryResult, QuerySelect, Statement, Value};

use crate::db::Db;
use crate::entity::user;
use crate::error::classify;
use crate::store::one;

/// The sessions of one database.
#[derive(Clone, Debug)]
pub struct SqlSessionRepository {
    db: Db,
}

impl SqlSessionRepository {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl SessionRepository for SqlSessionRepository {
    async fn begin<'a>(
        &self,
        user: &User,
        refresh: &NewRefresh,
        from: Option<&'a AddressHash>,
    ) -> Result<i64, RepositoryError> {
        let transaction = self.db.begin().await?;
        let begin = async {
            let session = start(&transaction, user, refresh).await?;
            if let Some(address) = from {
                know(&transaction, user, address, refresh.at).await?;
            }
            Ok(session)
        };
        let session = begin.await.map_err(classify)?;
        transaction.commit().await.map_err(classify)?;
        Ok(session)
    }

    async fn knows(
        &self,
        user_id: i64,
        addresses: &[AddressHash],
        since: Instant,
    ) -> Result<bool, RepositoryError> {
        let is_one_of = (3..).take(addresses.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT 1 AS found FROM login_addresses \
             WHERE user_id = $1 AND last_at >= $2 AND address IN ({is_one_of}) LIMIT 1"
        );
        let mut values: Vec<Value> = vec![user_id.into(), since.timestamp_micros().into()];
        values.extend(addresses.iter().map(|address| address.0.to_vec().into()));
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, values);
        Ok(self.db.query_one_raw(statement).await.map_err(classify)?.is_some())
    }

    async fn rotate(&self, presented: &TokenHash, next: &NewRefresh) -> Result<Rotation, RepositoryError> {
        let transaction = self.db.begin().await?;
        let rotation = exchange(&transaction, presented, next).await?;
        transaction.commit().await.map_err(classify)?;
        Ok(rotation)
    }

    async fn end(&self, presented: &TokenHash) -> Result<bool, RepositoryError> {
        let sql = "UPDATE sessions SET ended = TRUE WHERE NOT ended \
                   AND id = (SELECT session_id FROM refresh_tokens WHERE hash = $1)";
        let done = execute(&self.db, sql, [blob(presented)]).await.map_err(classify)?;
        Ok(done.rows_affected() == 1)
    }

    async fn find(&self, session: i64) -> Result<Option<User>, RepositoryError> {
        user_of(&self.db, session).await
    }
}

async fn start(db: &impl ConnectionTrait, user: &User, refresh: &NewRefresh) -> Result<i64, DbErr> {
    user::Entity::find_by_id(user.id).lock_exclusive().one(db).await?;
    let at = refresh.at.timestamp_micros();
    // Nobody can go on with these. Logins are the only thing that makes sessions, so they tidy up.
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND NOT EXISTS \
               (SELECT 1 FROM refresh_tokens WHERE session_id = sessions.id AND expires_at > $2)";
    execute(db, sql, [user.id.into(), at.into()]).await?;
    let sql = "INSERT INTO sessions (user_id, token_version, ended, created_at) \
               VALUES ($1, $2, FALSE, $3) RETURNING id";
    let row = query(db, sql, [user.id.into(), user.token_version.into(), at.into()]).await.and_then(one)?;
    let session = row.try_get("", "id")?;
    add_refresh(db, session, refresh).await?;
    Ok(session)
}

/// Makes an address known, and forgets those that the user has used least lately.
async fn know(
    db: &impl ConnectionTrait,
    user: &User,
    address: &AddressHash,
    at: Instant,
) -> Result<(), DbErr> {
    let address: Value = address.0.to_vec().into();
    let at = at.timestamp_micros();
    // A clock that went back makes nothing older.
    let sql = "INSERT INTO login_addresses (user_id, address, last_at) VALUES ($1, $2, $3) \
               ON CONFLICT (user_id, address) DO UPDATE SET last_at = excluded.last_at \
               WHERE login_addresses.last_at < excluded.last_at";
    execute(db, sql, [user.id.into(), address, at.into()]).await?;
    let most = i64::try_from(KNOWN_ADDRESSES).unwrap_or(i64::MAX);
    let sql = "DELETE FROM login_addresses WHERE user_id = $1 AND address NOT IN \
               (SELECT address FROM login_addresses WHERE user_id = $1 ORDER BY last_at DESC, address LIMIT $2)";
    execute(db, sql, [user.id.into(), most.into()]).await.map(|_| ())
}

async fn exchange(
    db: &impl ConnectionTrait,
    presented: &TokenHash,
    next: &NewRefresh,
) -> Result<Rotation, RepositoryError> {
    // A write, not a read: it locks the row on PostgreSQL, and what it changes is nothing.
    let sql = "UPDATE sessions SET ended = ended WHERE NOT ended \
               AND id = (SELECT session_id FROM refresh_tokens WHERE hash = $1) RETURNING id";
    let locked = query(db, sql, [blob(presented)]).await.map_err(classify)?;
    let Some(session) = locked.map(|row| row.try_get("", "id")).transpose().map_err(classify)? else {
        return Ok(Rotation::Refused);
    };
    let Some(user) = user_of(db, session).await? else { return Ok(Rotation::Refused) };
    let sql = "SELECT used, expires_at FROM refresh_tokens WHERE hash = $1";
    let row = query(db, sql, [blob(presented)]).await.and_then(one).map_err(classify)?;
    let expires_at: i64 = row.try_get("", "expires_at").map_err(classify)?;
    if expires_at <= next.at.timestamp_micros() {
        return Ok(Rotation::Refused);
    }
    if row.try_get("", "used").map_err(classify)? {
        let sql = "UPDATE sessions SET ended = TRUE WHERE id = $1";
        execute(db, sql, [session.into()]).await.map_err(classify)?;
        return Ok(Rotation::Reused);
    }
    let sql = "UPDATE refresh_tokens SET used = TRUE WHERE hash = $1";
    execute(db, sql, [blob(presented)]).await.map_err(classify)?;
    add_refresh(db, session, next).await.map_err(classify)?;
    Ok(Rotation::Rotated { session, user })
}

/// The user of a session that is not over.
async fn user_of(db: &impl ConnectionTrait, session: i64) -> Result<Option<User>, RepositoryError> {
    let sql = "SELECT users.* FROM users JOIN sessions ON sessions.user_id = users.id \
               WHERE sessions.id = $1 AND NOT sessions.ended AND NOT users.disabled \
               AND sessions.token_version = users.token_version";
    let select = user::Entity::find().from_raw_sql(statement(db, sql, [session.into()]));
    select.one(db).await.map_err(classify)?.map(User::try_from).transpose()
}

async fn add_refresh(db: &impl ConnectionTrait, session: i64, refresh: &NewRefresh) -> Result<(), DbErr> {
    let sql = "INSERT INTO refresh_tokens (hash, session_id, used, expires_at) VALUES ($1, $2, FALSE, $3)";
    let values = [blob(&refresh.hash), session.into(), refresh.expires_at.timestamp_micros().into()];
    execute(db, sql, values).await.map(|_| ())
}

fn statement<const N: usize>(db: &impl ConnectionTrait, sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

async fn query<const N: usize>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: [Value; N],
) -> Result<Option<QueryResult>, DbErr> {
    db.query_one_raw(statement(db, sql, values)).await
}

async fn execute<const N: usize>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: [Value; N],
) -> Result<ExecResult, DbErr> {
    db.execute_raw(statement(db, sql, values)).await
}

fn blob(hash: &TokenHash) -> Value {
    hash.0.to_vec().into()
}
