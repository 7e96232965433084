//! Dogs in a table.

use async_trait::async_trait;
use malecon_domain::{
    Direction, Dog, DogChange, DogName, DogQuery, DogSortKey, Job, NewRun, Paged, PictureUrl, Sort,
};
use malecon_ports::{DogAdded, DogRepository, DogWrite, NewDog, RepositoryError};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel,
    ModelTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::bell::Bell;
use crate::db::Db;
use crate::entity::dog::{Column, Entity, Model, row};
use crate::entity::user;
use crate::error::classify;
use crate::movie::execute;
use crate::run::{hold, insert};
use crate::store::clock;

/// The dogs of one database.
#[derive(Clone, Debug)]
pub struct SqlDogs {
    db: Db,
    bell: Bell,
}

impl SqlDogs {
    pub(crate) fn new(db: Db, bell: Bell) -> Self {
        Self { db, bell }
    }
}

#[async_trait]
impl DogRepository for SqlDogs {
    async fn add(&self, dog: &NewDog, run: &NewRun) -> Result<DogAdded, RepositoryError> {
        let transaction = self.db.begin().await?;
        hold_both(&transaction, run.owner, dog.owner).await?;
        let dog: Dog = match row(dog).insert(&transaction).await.map_err(classify) {
            Ok(row) => row.try_into()?,
            // Nothing but the name can clash, and it has ended the transaction.
            Err(RepositoryError::Conflict(_)) => return Ok(DogAdded::NameTaken),
            Err(error) => return Err(error),
        };
        let run = NewRun { job: Job::Picture { dog: dog.id }, ..run.clone() };
        let now = clock(&transaction).await?;
        let kept = insert(&transaction, &run, now, &self.bell).await?;
        if kept.id != run.id {
            return Err(RepositoryError::Conflict(format!("there is a run {} for it", kept.id)));
        }
        transaction.commit().await.map_err(classify)?;
        self.bell.ring();
        Ok(DogAdded::Done(dog, kept))
    }

    async fn find(&self, name: &DogName) -> Result<Option<Dog>, RepositoryError> {
        let row = Entity::find().filter(Column::NameKey.eq(name.key())).one(&self.db);
        row.await.map_err(classify)?.map(Dog::try_from).transpose()
    }

    async fn get(&self, id: i64) -> Result<Option<Dog>, RepositoryError> {
        let row = Entity::find_by_id(id).one(&self.db).await.map_err(classify)?;
        row.map(Dog::try_from).transpose()
    }

    async fn list(&self, query: &DogQuery) -> Result<Paged<Dog>, RepositoryError> {
        let condition = Condition::all()
            .add_option(query.is_adopted.map(|is_adopted| Column::IsAdopted.eq(is_adopted)))
            .add_option(query.owner.map(|owner| Column::Owner.eq(owner)));
        let matching = Entity::find().filter(condition);
        let total = matching.clone().count(&self.db).await.map_err(classify)?;
        let page =
            sorted(matching, &query.sort).limit(u64::from(query.page.size())).offset(query.page.offset());
        let rows = page.all(&self.db).await.map_err(classify)?;
        Ok(Paged { items: rows.into_iter().map(Dog::try_from).collect::<Result<_, _>>()?, total })
    }

    async fn change(&self, id: i64, change: &DogChange, revision: i64) -> Result<DogWrite, RepositoryError> {
        let transaction = self.db.begin().await?;
        // Before the dog: whoever removes a user goes from there to its dogs.
        hold(&transaction, change.owner.flatten(), LockType::KeyShare).await?;
        let row = match expected(&transaction, id, revision).await? {
            Ok(row) => row,
            Err(write) => return Ok(write),
        };
        let mut next = row.into_active_model();
        if let Some(is_adopted) = change.is_adopted {
            next.is_adopted = Set(is_adopted);
        }
        if let Some(owner) = change.owner {
            next.owner = Set(owner);
        }
        next.revision = Set(revision + 1);
        let row = next.update(&transaction).await.map_err(classify)?;
        transaction.commit().await.map_err(classify)?;
        row.try_into().map(DogWrite::Done)
    }

    async fn set_picture(&self, id: i64, picture: &PictureUrl) -> Result<bool, RepositoryError> {
        let db = self.db.in_background();
        let sql = "UPDATE dogs SET picture = $1 WHERE id = $2";
        Ok(execute(&db, sql, [picture.as_str().into(), id.into()]).await? == 1)
    }

    async fn remove(&self, id: i64, revision: i64) -> Result<DogWrite, RepositoryError> {
        let transaction = self.db.begin().await?;
        let row = match expected(&transaction, id, revision).await? {
            Ok(row) => row,
            Err(write) => return Ok(write),
        };
        row.clone().delete(&transaction).await.map_err(classify)?;
        transaction.commit().await.map_err(classify)?;
        row.try_into().map(DogWrite::Done)
    }
}

/// The row of a dog that has this revision, held; else what a write comes to.
async fn expected(
    transaction: &impl ConnectionTrait,
    id: i64,
    revision: i64,
) -> Result<Result<Model, DogWrite>, RepositoryError> {
    let row = Entity::find_by_id(id).lock_exclusive().one(transaction).await.map_err(classify)?;
    Ok(match row {
        None => Err(DogWrite::NotFound),
        Some(row) if row.revision != revision => Err(DogWrite::Outdated),
        Some(row) => Ok(row),
    })
}

/// On PostgreSQL, holds the rows of two users in the order of whoever removes one: administrators first,
/// by number.
async fn hold_both(
    transaction: &impl ConnectionTrait,
    one: Option<i64>,
    other: Option<i64>,
) -> Result<(), RepositoryError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let both = user::Entity::find()
            .filter(user::Column::Id.is_in(one.into_iter().chain(other)))
            .order_by_asc(user::Column::Role)
            .order_by_asc(user::Column::Id);
        both.lock(LockType::KeyShare).all(transaction).await.map_err(classify)?;
    }
    Ok(())
}

fn sorted(select: Select<Entity>, sort: &[Sort<DogSortKey>]) -> Select<Entity> {
    let select = sort.iter().fold(select, |select, Sort { key, direction }| {
        let column = match key {
            DogSortKey::Id => Column::Id,
            DogSortKey::Name => Column::NameFolded,
            DogSortKey::CreateDate => Column::CreatedAt,
            DogSortKey::IsAdopted => Column::IsAdopted,
        };
        let order = if *direction == Direction::Descending { Order::Desc } else { Order::Asc };
        select.order_by(column, order)
    });
    select.order_by_asc(Column::Id)
}
