//! Who is asking: users, what they may do, and their tokens.

#[cfg(test)]
mod tests;

use crate::{Instant, Sort};

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads, and changes of its own things.
    User,
}

impl Role {
    /// The names of all roles.
    pub const NAMES: [&str; 2] = ["ADMIN", "USER"];

    /// The name that the API shows: `ADMIN` or `USER`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::User => "USER",
        }
    }

    /// The role of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Admin, Self::User].into_iter().find(|role| role.name() == name)
    }
}

/// What a caller showed for us to know who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An API token.
    ApiToken {
        /// When it ends.
        expires_at: Option<Instant>,
    },
    /// The access token of a login.
    Session,
    /// Nothing of ours: the command line, or a program that embeds the core, vouches for the caller.
    External,
}

/// A caller whose token was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user's number.
    pub user_id: i64,
    /// The user's name, for logs.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What it showed.
    pub credential: Credential,
}

impl Principal {
    /// The same, who has shown this.
    #[must_use]
    pub fn with(self, credential: Credential) -> Self {
        Self { credential, ..self }
    }

    /// Whether the caller is an administrator.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Whether things of this user are the caller's to see and change.
    pub fn may_act_for(&self, user_id: i64) -> bool {
        self.is_admin() || self.user_id == user_id
    }
}

impl From<&User> for Principal {
    fn from(user: &User) -> Self {
        let (user_id, name, role) = (user.id, user.profile.name.clone(), user.profile.role);
        Self { user_id, name, role, credential: Credential::External }
    }
}

/// An e-mail address, in lower case: one `@` between a name and a host with a dot or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(String);

impl Email {
    /// Characters at most (RFC 5321, 4.5.3.1.3).
    pub const LONGEST: usize = 254;

    /// The address, trimmed and in lower case; `None` for what is none.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let (name, host) = text.rsplit_once('@')?;
        let is_plain =
            |text: &str| !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        let fits = text.len() <= Self::LONGEST && is_plain(name) && !name.contains('@');
        let labels = host.split('.').all(|label| {
            is_plain(label)
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
        (fits && labels).then_some(Self(text))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password that somebody chose: 8 to 128 characters, nothing else demanded. Its `Debug` shows
/// nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Characters at least.
    pub const SHORTEST: usize = 8;
    /// Characters at most.
    pub const LONGEST: usize = 128;

    /// The password, if it has the right length.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (Self::SHORTEST..=Self::LONGEST).contains(&text.chars().count()).then_some(Self(text))
    }

    /// The password itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is said of a user, and may be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// First name, or the name of a program.
    pub name: String,
    /// Last name; may be empty.
    pub last_name: String,
    /// Its address, nobody else's.
    pub email: Email,
    /// What it may do.
    pub role: Role,
}

impl Profile {
    /// Characters of a name at most.
    pub const LONGEST_NAME: usize = 100;

    /// Whether a text can be a name: not too long, no control characters.
    pub fn is_name(text: &str) -> bool {
        text.chars().count() <= Self::LONGEST_NAME && !text.chars().any(char::is_control)
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number, from 1.
    pub id: i64,
    /// What is said of it.
    pub profile: Profile,
    /// A disabled user's tokens are nobody's.
    pub disabled: bool,
    /// Grows when all access tokens of the user end: with a new password, and when it is disabled.
    pub token_version: i64,
    /// Grows with every change.
    pub revision: i64,
    /// When it came.
    pub created_at: Instant,
}

/// What is to be changed of a user; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// What is said of it.
    pub profile: Option<Profile>,
    /// The hash of a new password, in PHC format.
    pub password_hash: Option<String>,
    /// Whether its tokens are nobody's.
    pub disabled: Option<bool>,
}

impl UserChange {
    /// Whether access tokens given before the change are worth nothing after it.
    pub fn ends_tokens(&self) -> bool {
        self.password_hash.is_some() || self.disabled == Some(true)
    }
}

/// What users are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserSortKey {
    /// Number.
    Id,
    /// First name.
    Name,
    /// Last name.
    LastName,
    /// E-mail address.
    Email,
    /// When it came.
    CreatedAt,
}

impl UserSortKey {
    /// All keys.
    pub const ALL: [Self; 5] = [Self::Id, Self::Name, Self::LastName, Self::Email, Self::CreatedAt];

    /// The name that the API shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::LastName => "last_name",
            Self::Email => "email",
            Self::CreatedAt => "created_at",
        }
    }
}

/// Which users are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// Order; the number decides between equals.
    pub sort: Vec<Sort<UserSortKey>>,
    /// Which part of the list.
    pub page: crate::Page,
}

/// An API token, without the token itself, which only its hash is kept of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// What its owner calls it.
    pub name: String,
    /// The token's first characters, to know it by.
    pub prefix: String,
    /// When it was made.
    pub created_at: Instant,
    /// When it ends; never, for `None`.
    pub expires_at: Option<Instant>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Instant>,
}
