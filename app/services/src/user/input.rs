//! What is said of a user, and what of it can be true.

use malecon_domain::{Email, Password, Profile, Role};

use crate::Fault;

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
    /// The present password, for a new one and for a new address of one's own.
    pub current_password: Option<String>,
}

/// The input over what was there before.
pub(super) fn profile(input: &UserInput, mut profile: Profile, faults: &mut Vec<Fault>) -> Profile {
    let mut fault = |member: &'static str, detail: &str| faults.push(Fault::new(member, detail));
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

/// The password that the input sets, if it does.
pub(super) fn password(input: &UserInput, faults: &mut Vec<Fault>) -> Option<Password> {
    let text = input.password.as_ref()?;
    let password = Password::new(text.clone());
    if password.is_none() {
        let detail = "a password has 8 to 128 characters".to_owned();
        faults.push(Fault::new("password", detail));
    }
    password
}
