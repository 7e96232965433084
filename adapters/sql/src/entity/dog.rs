//! A dog's row.

use malecon_domain::{Dog, DogName, PictureUrl};
use malecon_ports::{NewDog, RepositoryError};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;

use super::country::instant;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dogs")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub name_key: String,
    pub name_folded: String,
    pub picture: Option<String>,
    pub created_at: i64,
    pub is_adopted: bool,
    pub owner: Option<i64>,
    pub revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a new dog.
pub fn row(dog: &NewDog) -> ActiveModel {
    ActiveModel {
        id: NotSet,
        name: Set(dog.name.as_str().to_owned()),
        name_key: Set(dog.name.key()),
        name_folded: Set(dog.name.folded()),
        picture: Set(None),
        created_at: Set(dog.at.timestamp_micros()),
        is_adopted: Set(dog.is_adopted),
        owner: Set(dog.owner),
        revision: Set(1),
    }
}

impl TryFrom<Model> for Dog {
    type Error = RepositoryError;

    fn try_from(row: Model) -> Result<Self, RepositoryError> {
        let impossible =
            |what: &str| RepositoryError::Corrupt(format!("dog {} has an impossible {what}", row.id).into());
        let name = DogName::new(&row.name).ok_or_else(|| impossible("name"))?;
        let picture =
            row.picture.as_ref().map(|url| PictureUrl::new(url).ok_or_else(|| impossible("picture")));
        Ok(Self {
            id: row.id,
            name,
            picture: picture.transpose()?,
            created_at: instant(row.created_at)?,
            is_adopted: row.is_adopted,
            owner: row.owner,
            revision: row.revision,
        })
    }
}
