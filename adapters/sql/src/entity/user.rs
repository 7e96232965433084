//! A user's row.

use malecon_domain::{Email, Profile, Role, User};
use malecon_ports::RepositoryError;
use sea_orm::entity::prelude::*;

use super::country::instant;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub last_name: String,
    pub email: String,
    pub role: String,
    pub password_hash: Option<String>,
    pub disabled: bool,
    pub token_version: i64,
    pub revision: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for User {
    type Error = RepositoryError;

    fn try_from(row: Model) -> Result<Self, RepositoryError> {
        let role = Role::from_name(&row.role)
            .ok_or_else(|| RepositoryError::Corrupt(format!("there is no role {}", row.role).into()))?;
        let email = Email::new(&row.email).filter(|email| email.as_str() == row.email).ok_or_else(|| {
            RepositoryError::Corrupt(format!("user {} has an impossible address", row.id).into())
        })?;
        Ok(Self {
            id: row.id,
            profile: Profile { name: row.name, last_name: row.last_name, email, role },
            disabled: row.disabled,
            token_version: row.token_version,
            revision: row.revision,
            created_at: instant(row.created_at)?,
        })
    }
}
