//! What a caller shows again before it does what would keep a thief of its session in.

use std::time::Duration;

use malecon_domain::User;
use malecon_ports::{Limit, PasswordHasher, RateLimiter, UserRepository};

use crate::ServiceError;
use crate::meter::guess;

/// Wrong guesses at a user's present password.
const GUESSES: Limit = Limit { quota: 10, window: Duration::from_secs(60) };

/// Where a password is looked up, and its guesses are counted.
pub(crate) struct Proof<'a> {
    pub users: &'a dyn UserRepository,
    pub hasher: &'a dyn PasswordHasher,
    pub limiter: &'a dyn RateLimiter,
}

impl Proof<'_> {
    /// The text is the user's present password. All guesses at it are counted together, whatever they
    /// are for.
    ///
    /// # Errors
    /// `Invalid` when there is no text; `Conflict` ([`ServiceError::WRONG_PASSWORD`]); `Limited`;
    /// `Unavailable`.
    pub async fn ask(&self, user: &User, current: Option<&str>) -> Result<(), ServiceError> {
        let needed = "this needs the present password";
        let current = current.ok_or_else(|| ServiceError::invalid("current_password", needed))?;
        let key = format!("password-of-{}", user.id);
        let proof = guess(self.limiter, &key, GUESSES, async {
            let known = self.users.find_by_email(&user.profile.email).await?;
            let fits = self.hasher.fits(current, known.and_then(|(_, hash)| hash)).await?;
            Ok(fits.then_some(()))
        });
        let wrong = "this is not the present password";
        proof.await?.ok_or_else(|| ServiceError::conflict(ServiceError::WRONG_PASSWORD, wrong))
    }
}
