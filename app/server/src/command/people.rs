//! `malecon user` and `malecon token`.

use std::io::Read;
use std::time::Duration;

use clap::Subcommand;
use malecon::UserInput;
use malecon::domain::{Credential, Page, Principal, Role, User, UserQuery};
use malecon_http::Services;

use super::print;
use crate::wiring::wire;
use crate::{Config, Failure};

/// What can be done with users.
#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// List users
    List,
    /// Add a user
    Add {
        /// First name, or the name of a program
        #[arg(long)]
        name: String,
        /// Last name
        #[arg(long, default_value = "")]
        last_name: String,
        /// E-mail address
        #[arg(long)]
        email: String,
        /// ADMIN or USER
        #[arg(long, default_value = "USER", value_parser = role)]
        role: Role,
        /// Read a password from standard input; without one nobody logs in as this user
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set a user's password to what standard input says; its access tokens end
    Password {
        /// The user's number
        id: i64,
    },
    /// Make a user's tokens worth nothing
    Disable {
        /// The user's number
        id: i64,
    },
    /// Take that back
    Enable {
        /// The user's number
        id: i64,
    },
    /// Remove a user and all that is its own
    Remove {
        /// The user's number
        id: i64,
    },
}

/// What can be done with tokens.
#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// List a user's API tokens
    List {
        /// The user's number
        #[arg(long)]
        user: i64,
    },
    /// Make an API token and print it, this once
    Add {
        /// The user's number
        #[arg(long)]
        user: i64,
        /// What it is for
        #[arg(long)]
        name: String,
        /// When it ends, from now, e.g. 90d; never when absent
        #[arg(long, value_parser = humantime::parse_duration)]
        expires_in: Option<Duration>,
    },
    /// Remove an API token
    Remove {
        /// The token's number
        id: i64,
    },
    /// Sign access tokens with a new key; those that the last key signed stay valid
    RotateKey,
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(&text.to_uppercase()).ok_or_else(|| format!("there are {}", Role::NAMES.join(" and ")))
}

/// Who sits at the command line may do everything.
pub(super) fn operator() -> Principal {
    Principal { user_id: 0, name: "operator".to_owned(), role: Role::Admin, credential: Credential::External }
}

pub(super) async fn services(config: &Config) -> Result<Services, Failure> {
    let wired = wire(config).await?;
    wired.migrate().await?;
    Ok(wired.services)
}

pub(super) async fn user(config: &Config, command: UserCommand) -> Result<(), Failure> {
    let users = services(config).await?.users;
    match command {
        UserCommand::List => {
            for number in 1.. {
                let page = Page::new(number, Page::MAX_SIZE).unwrap_or_default();
                let found = users.list_unattended(&UserQuery { sort: vec![], page }).await?;
                found.items.iter().try_for_each(|user| print(&line(user)))?;
                if u64::from(number) * u64::from(Page::MAX_SIZE) >= found.total {
                    break;
                }
            }
            Ok(())
        }
        UserCommand::Add { name, last_name, email, role, password_stdin } => {
            let password = if password_stdin { Some(from_stdin()?) } else { None };
            let input = UserInput {
                name: Some(name),
                last_name: Some(last_name),
                email: Some(email),
                role: Some(role),
                password,
                current_password: None,
            };
            print(&line(&users.add_unattended(input).await?))
        }
        UserCommand::Password { id } => {
            print(&line(&users.set_password_unattended(id, from_stdin()?).await?))
        }
        UserCommand::Disable { id } => print(&line(&users.disable_unattended(id, true).await?)),
        UserCommand::Enable { id } => print(&line(&users.disable_unattended(id, false).await?)),
        UserCommand::Remove { id } => Ok(users.remove(&operator(), id).await?),
    }
}

pub(super) async fn token(config: &Config, command: TokenCommand) -> Result<(), Failure> {
    let services = services(config).await?;
    let tokens = &services.tokens;
    match command {
        TokenCommand::List { user } => {
            for number in 1.. {
                let page = Page::new(number, Page::MAX_SIZE).unwrap_or_default();
                let found = tokens.list(&operator(), user, page).await?;
                for token in &found.items {
                    let until =
                        token.expires_at.map_or_else(|| "for ever".to_owned(), |end| end.to_rfc3339());
                    let shown =
                        if token.prefix.is_empty() { "-".to_owned() } else { format!("{}…", token.prefix) };
                    print(&format!("{}\t{shown}\t{}\t{until}\n", token.id, token.name))?;
                }
                if u64::from(number) * u64::from(Page::MAX_SIZE) >= found.total {
                    break;
                }
            }
            Ok(())
        }
        TokenCommand::Add { user, name, expires_in } => {
            let expires_at = expires_in.map(|duration| services.answers.now() + duration);
            let (secret, _) = tokens.add_unattended(user, &name, expires_at).await?;
            print(&format!("{secret}\n"))
        }
        TokenCommand::Remove { id } => Ok(tokens.remove(&operator(), id).await?),
        TokenCommand::RotateKey => Ok(tokens.rotate_key().await?),
    }
}

fn line(user: &User) -> String {
    let profile = &user.profile;
    let state = if user.disabled { "disabled" } else { "enabled" };
    let (role, email) = (profile.role.name(), profile.email.as_str());
    format!("{}\t{} {}\t{email}\t{role}\t{state}\n", user.id, profile.name, profile.last_name)
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(4096)
        .read_to_string(&mut text)
        .map_err(|error| Failure::of("standard input can't be read", error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
