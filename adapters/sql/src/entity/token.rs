//! An API token's row.

use malecon_domain::ApiToken;
use malecon_ports::{NewApiToken, RepositoryError};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;

use super::country::instant;
use super::user;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_tokens")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub hash: Vec<u8>,
    pub user_id: i64,
    pub name: String,
    pub prefix: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a new token.
pub fn row(token: &NewApiToken) -> ActiveModel {
    ActiveModel {
        id: NotSet,
        hash: Set(token.hash.0.to_vec()),
        user_id: Set(token.user_id),
        name: Set(token.name.clone()),
        prefix: Set(token.prefix.clone()),
        created_at: Set(token.at.timestamp_micros()),
        expires_at: Set(token.expires_at.map(|at| at.timestamp_micros())),
        last_used_at: Set(None),
    }
}

impl TryFrom<Model> for ApiToken {
    type Error = RepositoryError;

    fn try_from(row: Model) -> Result<Self, RepositoryError> {
        Ok(Self {
            id: row.id,
            user_id: row.user_id,
            name: row.name,
            prefix: row.prefix,
            created_at: instant(row.created_at)?,
            expires_at: row.expires_at.map(instant).transpose()?,
            last_used_at: row.last_used_at.map(instant).transpose()?,
        })
    }
}
