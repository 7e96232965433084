//! Users: who may see and change whom.

use std::sync::Arc;

use malecon_domain::{Email, Paged, Password, Principal, Profile, Role, User, UserChange, UserQuery};
use malecon_ports::{Clock, NewUser, PasswordHasher, UserRepository, UserWrite};

use crate::{Fault, ServiceError};

/// What is said of a user, unchecked. On a change, what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UserInput {
    /// First name; needed for a new user.
    pub name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Its address; needed for a new user.
    pub email: Option<String>,
    /// What it may do; `USER` for a new user. For administrators to say.
    pub role: Option<Role>,
    /// A new password.
    pub password: Option<String>,
    /// The present password, which users show to set another. Administrators need not.
    pub current_password: Option<String>,
}

/// Keeps users.
#[derive(Clone)]
pub struct UserService {
    users: Arc<dyn UserRepository>,
    hasher: Arc<dyn PasswordHasher>,
    clock: Arc<dyn Clock>,
}

impl UserService {
    /// Users of this repository.
    pub fn new(
        users: Arc<dyn UserRepository>,
        hasher: Arc<dyn PasswordHasher>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { users, hasher, clock }
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
                faults.push(Fault { member, detail: format!("{member} is missing") });
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
    /// revision is still this one, if one is given.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Forbidden` for a role; `Invalid`; `Conflict`
    /// (`email_taken`, `last_admin`, [`ServiceError::OUTDATED`]); `Unavailable`.
    pub async fn change(
        &self,
        caller: &Principal,
        id: i64,
        input: UserInput,
        revision: Option<i64>,
    ) -> Result<User, ServiceError> {
        own(caller, id)?;
        let before = self.users.find(id).await?.ok_or(ServiceError::NotFound)?;
        if !caller.is_admin() && input.role.is_some_and(|role| role != before.profile.role) {
            return Err(ServiceError::Forbidden);
        }
        let mut faults = vec![];
        let profile = profile(&input, before.profile.clone(), &mut faults);
        let password = password(&input, &mut faults);
        if !faults.is_empty() {
            return Err(ServiceError::Invalid(faults));
        }
        if password.is_some() && !caller.is_admin() {
            self.prove(&before, input.current_password.as_deref().unwrap_or_default()).await?;
        }
        let profile = (profile != before.profile).then_some(profile);
        // The caller's revision, or the one that the rest of the profile was taken from.
        let expected = revision.or(profile.as_ref().map(|_| before.revision));
        let change = UserChange { profile, password_hash: self.hashed(password).await?, disabled: None };
        if change == UserChange::default() && revision.is_none_or(|revision| revision == before.revision) {
            return Ok(before);
        }
        written(self.users.change(id, &change, expected).await?)
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

    async fn prove(&self, user: &User, current: &str) -> Result<(), ServiceError> {
        let known = self.users.find_by_email(&user.profile.email).await?;
        let hash = known.and_then(|(_, hash)| hash);
        if self.hasher.fits(current, hash).await? {
            return Ok(());
        }
        Err(ServiceError::invalid("current_password", "this is not the present password"))
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

/// The input over what was there before.
fn profile(input: &UserInput, mut profile: Profile, faults: &mut Vec<Fault>) -> Profile {
    let mut fault = |member, detail: &str| faults.push(Fault { member, detail: detail.to_owned() });
    if let Some(name) = &input.name {
        if name.trim().is_empty() || !Profile::is_name(name) {
            fault("name", "a name has 1 to 100 characters, none of them a control character");
        }
        profile.name = name.trim().to_owned();
    }
    if let Some(last_name) = &input.last_name {
        if !Profile::is_name(last_name) {
            fault("last_name", "a last name has at most 100 characters, none of them a control character");
        }
        profile.last_name = last_name.trim().to_owned();
    }
    match input.email.as_deref().map(Email::new) {
        Some(Some(email)) => profile.email = email,
        Some(None) => fault("email", "this is no e-mail address"),
        None => {}
    }
    profile.role = input.role.unwrap_or(profile.role);
    profile
}

fn password(input: &UserInput, faults: &mut Vec<Fault>) -> Option<Password> {
    let text = input.password.as_ref()?;
    let password = Password::new(text.clone());
    if password.is_none() {
        let detail = "a password has 8 to 128 characters".to_owned();
        faults.push(Fault { member: "password", detail });
    }
    password
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
