//! Who is there at a first start: an administrator, or the two users of a demo.

use malecon::domain::{Page, Principal, Role, User, UserQuery};
use malecon::{ServiceError, UserInput};
use malecon_http::Services;

use crate::Failure;

/// The users of a demo, in the order of their numbers, and their tokens, which everybody knows.
const DEMO: [(&str, &str, Role); 2] =
    [("admin", "abcdef1234567890", Role::Admin), ("consumer", "1234567890", Role::User)];
/// Where the users of a demo have their addresses, and where a first administrator has one: so the
/// users of a demo are known for what they are.
const DEMO_HOST: &str = "demo.example";
const OWN_HOST: &str = "localhost";

/// Makes the users of a first start: those of a demo, or an administrator. Without a demo the tokens
/// that everybody knows are worth nothing, and the first API token is made and told.
///
/// # Errors
/// The store fails, or holds other users where a demo wants its own.
pub async fn introduce(services: &Services, demo: bool) -> Result<Option<String>, Failure> {
    if demo {
        for (id, (name, token, role)) in (1..).zip(DEMO) {
            let user = match find(services, id).await? {
                Some(user) => user,
                None => add(services, name, DEMO_HOST, role).await?,
            };
            if user.id != id || user.profile.email.as_str() != address(name, DEMO_HOST) {
                return Err(Failure::new(
                    "the database has users of its own: a demo wants a database for itself",
                ));
            }
            services.tokens.plant(id, token).await?;
        }
        return Ok(None);
    }
    for (_, token, _) in DEMO {
        services.tokens.uproot(token).await?;
    }
    let query = UserQuery { sort: vec![], page: Page::default() };
    let users = services.users.list_unattended(&query).await?;
    let admin = users.items.into_iter().find(|user| user.profile.role == Role::Admin);
    let admin = match admin {
        Some(admin) => admin,
        None if users.total == 0 => add(services, "admin", OWN_HOST, Role::Admin).await?,
        None => return Ok(None),
    };
    Ok(services.tokens.introduce(admin.id).await?)
}

fn address(name: &str, host: &str) -> String {
    format!("{name}@{host}")
}

async fn find(services: &Services, id: i64) -> Result<Option<User>, Failure> {
    let anybody = Principal { user_id: 0, name: String::new(), role: Role::Admin };
    match services.users.get(&anybody, id).await {
        Ok(user) => Ok(Some(user)),
        Err(ServiceError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Adds a user; when another process was faster, it is that one's.
async fn add(services: &Services, name: &str, host: &str, role: Role) -> Result<User, Failure> {
    let input = UserInput {
        name: Some(name.to_owned()),
        email: Some(address(name, host)),
        role: Some(role),
        ..UserInput::default()
    };
    match services.users.add_unattended(input).await {
        Ok(user) => Ok(user),
        Err(ServiceError::Conflict { .. }) => {
            let query = UserQuery { sort: vec![], page: Page::default() };
            let users = services.users.list_unattended(&query).await?;
            let other =
                users.items.into_iter().find(|user| user.profile.email.as_str() == address(name, host));
            other.ok_or_else(|| Failure::new(format!("another user has {}", address(name, host))))
        }
        Err(error) => Err(error.into()),
    }
}
