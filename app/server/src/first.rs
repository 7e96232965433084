//! Who is there at a first start: an administrator, or the two users of a demo.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::time::Duration;

use malecon::UserInput;
use malecon::domain::{Email, Page, Role, User, UserQuery};
use malecon::ports::{Lease, Lock};
use malecon_http::Services;

use crate::Failure;

/// The users of a demo, in the order of their numbers, and their tokens, which everybody knows.
const DEMO: [(&str, &str, Role); 2] =
    [("admin", "abcdef1234567890", Role::Admin), ("consumer", "1234567890", Role::User)];
/// Where the users of a demo have their addresses, and where a first administrator has one: so the
/// users of a demo are known for what they are.
const DEMO_HOST: &str = "demo.example";
const OWN_HOST: &str = "localhost";

/// The lease of whoever makes the first users, how long a process that died over it keeps others out,
/// and how often they ask.
const LEASE_NAME: &str = "first-users";
const LEASE: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Makes the users of a first start: those of a demo, or an administrator. Without a demo the tokens
/// that everybody knows are worth nothing, and the first API token is made and told. Of processes that
/// start at once, one does it after the other.
///
/// # Errors
/// The store fails, or holds other users where a demo wants its own.
pub async fn introduce(services: &Services, lock: &dyn Lock, demo: bool) -> Result<Option<String>, Failure> {
    let lease = turn(lock).await?;
    let token = if demo { act(services).await.map(|()| None) } else { begin(services).await };
    if let Err(error) = lock.release(&lease).await {
        tracing::warn!(error = &error as &dyn Error, "the lease of the first users lapses by itself");
    }
    token
}

/// Waits for the lease: whoever has it needs it for no longer than it lasts.
async fn turn(lock: &dyn Lock) -> Result<Lease, Failure> {
    let tries = 3 * LEASE.as_millis() / ASK_EVERY.as_millis();
    for _ in 0..tries {
        let lease = lock.acquire(LEASE_NAME, LEASE).await;
        if let Some(lease) = lease.map_err(|error| Failure::of("the database failed", error))? {
            return Ok(lease);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    Err(Failure::new("other processes have been making the first users for 30 s"))
}

/// The users of a demo. Whoever holds a user's token is that user, whatever it is called by now; one
/// that was removed comes back, under the next number.
async fn act(services: &Services) -> Result<(), Failure> {
    for (name, token, role) in DEMO {
        if services.tokens.holder_unattended(token).await?.is_some() {
            continue;
        }
        let is_admin = role == Role::Admin;
        let user = match find(services, name).await? {
            // Anybody may take an address, but nobody else becomes the first user.
            Some(user) if !is_admin || user.id == 1 => user,
            None if !is_admin || is_empty(services).await? => add(services, name, DEMO_HOST, role).await?,
            Some(_) | None => {
                return Err(Failure::new(
                    "the database has users of its own: a demo wants a database for itself",
                ));
            }
        };
        services.tokens.plant(user.id, token).await?;
    }
    Ok(())
}

/// The first administrator and its token, if there is none yet.
async fn begin(services: &Services) -> Result<Option<String>, Failure> {
    for (_, token, _) in DEMO {
        services.tokens.uproot(token).await?;
    }
    let admin = match services.users.first_admin_unattended().await? {
        Some(admin) => admin,
        None if is_empty(services).await? => add(services, "admin", OWN_HOST, Role::Admin).await?,
        None => return Ok(None),
    };
    Ok(services.tokens.introduce(admin.id).await?)
}

async fn is_empty(services: &Services) -> Result<bool, Failure> {
    let query = UserQuery { sort: vec![], page: Page::default() };
    Ok(services.users.list_unattended(&query).await?.total == 0)
}

fn address(name: &str, host: &str) -> String {
    format!("{name}@{host}")
}

/// The user that has the address of a demo's user.
async fn find(services: &Services, name: &str) -> Result<Option<User>, Failure> {
    let Some(email) = Email::new(&address(name, DEMO_HOST)) else { return Ok(None) };
    Ok(services.users.find_unattended(&email).await?)
}

async fn add(services: &Services, name: &str, host: &str, role: Role) -> Result<User, Failure> {
    let input = UserInput {
        name: Some(name.to_owned()),
        email: Some(address(name, host)),
        role: Some(role),
        ..UserInput::default()
    };
    Ok(services.users.add_unattended(input).await?)
}
