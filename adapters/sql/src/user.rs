//! Users in a table.

use async_trait::async_trait;
use malecon_domain::{Direction, Email, Paged, Role, Sort, User, UserChange, UserQuery, UserSortKey};
use malecon_ports::{NewUser, RepositoryError, UserRepository, UserWrite};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, ModelTrait, Order,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::db::Db;
use crate::entity::user::{ActiveModel, Column, Entity, Model};
use crate::error::classify;

/// The users of one database.
#[derive(Clone, Debug)]
pub struct SqlUserRepository {
    db: Db,
}

impl SqlUserRepository {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl UserRepository for SqlUserRepository {
    async fn add(&self, user: &NewUser) -> Result<UserWrite, RepositoryError> {
        let row = ActiveModel {
            id: NotSet,
            name: Set(user.profile.name.clone()),
            last_name: Set(user.profile.last_name.clone()),
            email: Set(user.profile.email.as_str().to_owned()),
            role: Set(user.profile.role.name().to_owned()),
            password_hash: Set(user.password_hash.clone()),
            disabled: Set(false),
            token_version: Set(1),
            revision: Set(1),
            created_at: Set(user.at.timestamp_micros()),
        };
        written(row.insert(&self.db).await)
    }

    async fn find(&self, id: i64) -> Result<Option<User>, RepositoryError> {
        let row = Entity::find_by_id(id).one(&self.db).await.map_err(classify)?;
        row.map(User::try_from).transpose()
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<(User, Option<String>)>, RepositoryError> {
        let row = Entity::find().filter(Column::Email.eq(email.as_str())).one(&self.db);
        let Some(mut row) = row.await.map_err(classify)? else { return Ok(None) };
        let password_hash = row.password_hash.take();
        Ok(Some((row.try_into()?, password_hash)))
    }

    async fn first_admin(&self) -> Result<Option<User>, RepositoryError> {
        admins().one(&self.db).await.map_err(classify)?.map(User::try_from).transpose()
    }

    async fn list(&self, query: &UserQuery) -> Result<Paged<User>, RepositoryError> {
        let total = Entity::find().count(&self.db).await.map_err(classify)?;
        let page = sorted(&query.sort).limit(u64::from(query.page.size())).offset(query.page.offset());
        let rows = page.all(&self.db).await.map_err(classify)?;
        Ok(Paged { items: rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?, total })
    }

    async fn change(
        &self,
        id: i64,
        change: &UserChange,
        revision: Option<i64>,
    ) -> Result<UserWrite, RepositoryError> {
        let transaction = self.db.begin().await?;
        let may_cost_an_admin = change.disabled == Some(true)
            || change.profile.as_ref().is_some_and(|profile| profile.role != Role::Admin);
        let has_other = !may_cost_an_admin || has_other_admin(&transaction, id).await.map_err(classify)?;
        let row = Entity::find_by_id(id).lock_exclusive().one(&transaction).await.map_err(classify)?;
        let Some(row) = row else { return Ok(UserWrite::NotFound) };
        if revision.is_some_and(|revision| revision != row.revision) {
            return Ok(UserWrite::Outdated);
        }
        if is_admin(&row) && !has_other {
            return Ok(UserWrite::LastAdmin);
        }
        let write = written(changed(row, change).update(&transaction).await)?;
        // An address that is taken has ended the transaction.
        if matches!(write, UserWrite::Done(_)) {
            transaction.commit().await.map_err(classify)?;
        }
        Ok(write)
    }

    async fn remove(&self, id: i64) -> Result<UserWrite, RepositoryError> {
        let transaction = self.db.begin().await?;
        let has_other = has_other_admin(&transaction, id).await.map_err(classify)?;
        let row = Entity::find_by_id(id).lock_exclusive().one(&transaction).await.map_err(classify)?;
        let Some(row) = row else { return Ok(UserWrite::NotFound) };
        if is_admin(&row) && !has_other {
            return Ok(UserWrite::LastAdmin);
        }
        // The database removes what is theirs: see the schema.
        row.clone().delete(&transaction).await.map_err(classify)?;
        transaction.commit().await.map_err(classify)?;
        row.try_into().map(UserWrite::Done)
    }
}

/// Administrators that are not disabled, by number.
fn admins() -> Select<Entity> {
    Entity::find()
        .filter(Column::Role.eq(Role::Admin.name()))
        .filter(Column::Disabled.eq(false))
        .order_by_asc(Column::Id)
}

/// Whether there is an administrator besides this user. On PostgreSQL it locks all of them until the
/// transaction ends, or two that remove one another would each count on the other. It comes before
/// other locks, and in one order for all, so that nobody waits in a circle.
async fn has_other_admin(transaction: &impl ConnectionTrait, id: i64) -> Result<bool, DbErr> {
    let admins = admins().lock_exclusive().all(transaction).await?;
    Ok(admins.iter().any(|admin| admin.id != id))
}

fn is_admin(row: &Model) -> bool {
    row.role == Role::Admin.name() && !row.disabled
}

fn changed(row: Model, change: &UserChange) -> ActiveModel {
    let (revision, token_version) = (row.revision, row.token_version);
    let mut next = row.into_active_model();
    if let Some(profile) = &change.profile {
        next.name = Set(profile.name.clone());
        next.last_name = Set(profile.last_name.clone());
        next.email = Set(profile.email.as_str().to_owned());
        next.role = Set(profile.role.name().to_owned());
    }
    if let Some(hash) = &change.password_hash {
        next.password_hash = Set(Some(hash.clone()));
    }
    if let Some(disabled) = change.disabled {
        next.disabled = Set(disabled);
    }
    next.revision = Set(revision + 1);
    next.token_version = Set(token_version + i64::from(change.ends_tokens()));
    next
}

/// What a write of a row came to. Nothing but the address can clash.
fn written(result: Result<Model, DbErr>) -> Result<UserWrite, RepositoryError> {
    match result.map_err(classify) {
        Ok(row) => row.try_into().map(UserWrite::Done),
        Err(RepositoryError::Conflict(_)) => Ok(UserWrite::EmailTaken),
        Err(error) => Err(error),
    }
}

fn sorted(sort: &[Sort<UserSortKey>]) -> Select<Entity> {
    let select = sort.iter().fold(Entity::find(), |select, Sort { key, direction }| {
        let column = match key {
            UserSortKey::Id => Column::Id,
            UserSortKey::Name => Column::Name,
            UserSortKey::LastName => Column::LastName,
            UserSortKey::Email => Column::Email,
            UserSortKey::CreatedAt => Column::CreatedAt,
        };
        let order = if *direction == Direction::Descending { Order::Desc } else { Order::Asc };
        select.order_by(column, order)
    });
    select.order_by_asc(Column::Id)
}
