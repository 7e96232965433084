//! Users: who may see and change whom.

mod input;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use malecon_domain::{
    Credential, Email, Paged, Password, Principal, Profile, Role, User, UserChange, UserQuery,
};
use malecon_ports::{
    Clock, NewUser, PasswordHasher, RateLimiter, RepositoryError, UserRepository, UserWrite,
};

pub use self::input::UserInput;
use self::input::{password, profile};
use crate::proof::Proof;
use crate::{Fault, ServiceError};

/// How often a change is begun anew because others change the same user: more than write one user at
/// once.
const TRIES: usize = 32;

/// What is slow, and done once however often a change is begun anew.
#[derive(Default)]
struct Once {
    /// The present password was shown.
    proved: bool,
    /// The new one's hash.
    password_hash: Option<String>,
}

/// Keeps users.
#[derive(Clone)]
pub struct UserService {
    users: Arc<dyn UserRepository>,
    hasher: Arc<dyn PasswordHasher>,
    limiter: Arc<dyn RateLimiter>,
    clock: Arc<dyn Clock>,
}

impl UserService {
    /// Users of this repository. The limiter counts guesses at their passwords.
    pub fn new(
        users: Arc<dyn UserRepository>,
        hasher: Arc<dyn PasswordHasher>,
        limiter: Arc<dyn RateLimiter>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { users, hasher, limiter, clock }
    }

    /// One page of all users, for administrators.
    ///
    /// # Errors
    /// `Forbidden`, `Unavailable`.
    pub async fn list(&self, caller: &Principal, query: &UserQuery) -> Result<Paged<User>, ServiceError> {
        administrator(caller)?;
        Ok(self.users.list(query).await?)
    }

    /// One user: itself, or anybody for administrators.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Unavailable`.
    pub async fn get(&self, caller: &Principal, id: i64) -> Result<User, ServiceError> {
        own(caller, id)?;
        self.users.find(id).await?.ok_or(ServiceError::NotFound)
    }

    /// Adds a user, for administrators.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`, `Conflict` (`email_taken`), `Unavailable`.
    pub async fn add(&self, caller: &Principal, input: UserInput) -> Result<User, ServiceError> {
        administrator(caller)?;
        self.add_unattended(input).await
    }

    /// Adds a user, for a command line.
    ///
    /// # Errors
    /// As [`UserService::add`], without `Forbidden`.
    pub async fn add_unattended(&self, input: UserInput) -> Result<User, ServiceError> {
        let mut faults = vec![];
        for (member, value) in [("name", &input.name), ("email", &input.email)] {
            if value.is_none() {
                faults.push(Fault::new(member, format!("{member} is missing")));
            }
        }
        let blank = Email::new("nobody@localhost").ok_or(ServiceError::NotFound)?;
        let blank = Profile { name: String::new(), last_name: String::new(), email: blank, role: Role::User };
        let profile = profile(&input, blank, &mut faults);
        let password = password(&input, &mut faults);
        if !faults.is_empty() {
            return Err(ServiceError::Invalid(faults));
        }
        let password_hash = self.hashed(password).await?;
        let user = NewUser { profile, password_hash, at: self.clock.now() };
        written(self.users.add(&user).await?)
    }

    /// Changes a user: itself, but not its role, or anybody for administrators; only while its
    /// revision is still this one, if one is given. A new password of its own, and in a session a new
    /// address too, needs its present password; administrators need it for themselves alone, and with an
    /// API token not at all. Who guesses at it too often has to wait.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Forbidden` for a role; `Invalid`; `Limited`; `Conflict`
    /// (`email_taken`, `last_admin`, `wrong_password`; with a revision [`ServiceError::OUTDATED`]); `Unavailable`.
    pub async fn change(
        &self,
        caller: &Principal,
        id: i64,
        input: UserInput,
        revision: Option<i64>,
    ) -> Result<User, ServiceError> {
        own(caller, id)?;
        let mut once = Once::default();
        for _ in 0..TRIES {
            let before = self.users.find(id).await?.ok_or(ServiceError::NotFound)?;
            let expected = revision.unwrap_or(before.revision);
            let change = self.planned(caller, &before, &input, &mut once).await?;
            if change == UserChange::default() && expected == before.revision {
                return Ok(before);
            }
            match self.users.change(id, &change, Some(expected)).await? {
                UserWrite::Outdated if revision.is_none() => {}
                write => return written(write),
            }
        }
        Err(ServiceError::store_unavailable("others change the same user all the time"))
    }

    /// What the input means for a user that is so.
    async fn planned(
        &self,
        caller: &Principal,
        before: &User,
        input: &UserInput,
        once: &mut Once,
    ) -> Result<UserChange, ServiceError> {
        if !caller.is_admin() && input.role.is_some_and(|role| role != before.profile.role) {
            return Err(ServiceError::Forbidden);
        }
        let mut faults = vec![];
        let profile = profile(input, before.profile.clone(), &mut faults);
        let password = password(input, &mut faults);
        if !faults.is_empty() {
            return Err(ServiceError::Invalid(faults));
        }
        // Whoever found an open session must not be able to make it its own.
        let in_own_session = caller.credential == Credential::Session && caller.user_id == before.id;
        let has_new_email = profile.email != before.profile.email;
        let proves = (password.is_some() && (!caller.is_admin() || in_own_session))
            || (has_new_email && in_own_session);
        if proves && !once.proved {
            let (users, hasher, limiter) = (&*self.users, &*self.hasher, &*self.limiter);
            Proof { users, hasher, limiter }.ask(before, input.current_password.as_deref()).await?;
            once.proved = true;
        }
        if once.password_hash.is_none() {
            once.password_hash = self.hashed(password).await?;
        }
        let profile = (profile != before.profile).then_some(profile);
        Ok(UserChange { profile, password_hash: once.password_hash.clone(), disabled: None })
    }

    /// Disables or enables a user, for a command line.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`last_admin`), `Unavailable`.
    pub async fn disable_unattended(&self, id: i64, disabled: bool) -> Result<User, ServiceError> {
        let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
        written(self.users.change(id, &change, None).await?)
    }

    /// Sets a user's password, for a command line.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Unavailable`.
    pub async fn set_password_unattended(&self, id: i64, text: String) -> Result<User, ServiceError> {
        let mut faults = vec![];
        let password = password(&UserInput { password: Some(text), ..UserInput::default() }, &mut faults);
        if !faults.is_empty() {
            return Err(ServiceError::Invalid(faults));
        }
        let change = UserChange { password_hash: self.hashed(password).await?, ..UserChange::default() };
        written(self.users.change(id, &change, None).await?)
    }

    /// Removes a user and all that is its own, for administrators.
    ///
    /// # Errors
    /// `Forbidden` for oneself, `NotFound`, also for somebody else's; `Conflict` (`last_admin`);
    /// `Unavailable`.
    pub async fn remove(&self, caller: &Principal, id: i64) -> Result<(), ServiceError> {
        own(caller, id)?;
        administrator(caller)?;
        written(self.users.remove(id).await?).map(|_| ())
    }

    /// All users, for a command line.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_unattended(&self, query: &UserQuery) -> Result<Paged<User>, ServiceError> {
        Ok(self.users.list(query).await?)
    }

    /// The first administrator that is not disabled, for a command line.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn first_admin_unattended(&self) -> Result<Option<User>, ServiceError> {
        Ok(self.users.first_admin().await?)
    }

    /// The user with this address, for a command line.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_unattended(&self, email: &Email) -> Result<Option<User>, ServiceError> {
        Ok(self.users.find_by_email(email).await?.map(|(user, _)| user))
    }

    async fn hashed(&self, password: Option<Password>) -> Result<Option<String>, ServiceError> {
        Ok(match password {
            Some(password) => Some(self.hasher.hash(&password).await?),
            None => None,
        })
    }
}

/// The caller is an administrator.
pub(crate) fn administrator(caller: &Principal) -> Result<(), ServiceError> {
    if caller.is_admin() { Ok(()) } else { Err(ServiceError::Forbidden) }
}

/// What belongs to the user is the caller's to see and change.
pub(crate) fn own(caller: &Principal, user_id: i64) -> Result<(), ServiceError> {
    if caller.may_act_for(user_id) { Ok(()) } else { Err(ServiceError::NotFound) }
}

/// The user that was referred to has gone in the meantime.
pub(crate) fn missing(error: RepositoryError) -> ServiceError {
    match error {
        RepositoryError::MissingReference(_) => ServiceError::NotFound,
        error => error.into(),
    }
}

fn written(write: UserWrite) -> Result<User, ServiceError> {
    match write {
        UserWrite::Done(user) => Ok(user),
        UserWrite::NotFound => Err(ServiceError::NotFound),
        UserWrite::EmailTaken => {
            Err(ServiceError::conflict("email_taken", "another user has this e-mail address"))
        }
        UserWrite::LastAdmin => {
            Err(ServiceError::conflict("last_admin", "no other administrator would be left"))
        }
        UserWrite::Outdated => {
            Err(ServiceError::conflict(ServiceError::OUTDATED, "the user has changed in the meantime"))
        }
    }
}
