//! Passwords with argon2id.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use malecon_domain::Password;
use malecon_ports::{PasswordHasher, SecretError};
use tokio::sync::Semaphore;

/// OWASP's floor for argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
const FLOOR: Cost = Cost { memory: 19 * 1024, passes: 2, lanes: 1 };
/// What a hash of the store may cost at most: one that asks for more is strange, and could take all
/// memory.
const CEILING: Cost = Cost { memory: 256 * 1024, passes: 16, lanes: 16 };

/// Hashes that wait for their turn at most. Each waits for all before it: more would only be late.
const MOST_WAITING: usize = 64;

/// Salt and output of a hash that nobody's password is known for.
const NOBODY: &str = "bm9ib2R5IGhhcyB0aGlzIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What one hash costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// Hashes with argon2id, on the threads that may block; no more at once than there are processors,
/// so that many logins take neither all memory nor all threads, and 64 more wait.
#[derive(Clone, Debug)]
pub struct Argon2Hasher {
    cost: Cost,
    nobody: Arc<str>,
    turns: Arc<Semaphore>,
    /// For those at work and those that wait.
    places: Arc<Semaphore>,
}

impl Argon2Hasher {
    /// At OWASP's floor: 19 MiB, two passes, one lane.
    pub fn new() -> Self {
        Self::with(FLOOR)
    }

    /// For tests alone: hashes that cost next to nothing, and protect nothing.
    pub fn cheap() -> Self {
        Self::with(Cost { memory: 8, passes: 1, lanes: 1 })
    }

    fn with(cost: Cost) -> Self {
        let Cost { memory, passes, lanes } = cost;
        let nobody = format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${NOBODY}");
        let turns = std::thread::available_parallelism().map_or(1, usize::from);
        let [turns, places] = [turns, turns + MOST_WAITING].map(|many| Arc::new(Semaphore::new(many)));
        Self { cost, nobody: nobody.into(), turns, places }
    }

    /// Runs work when its turn has come. The turn is over with the work, not with who waits for it:
    /// work that has begun goes on when its caller is gone.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, SecretError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| SecretError::Busy)?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|error| SecretError::Failed(error.into()))?;
        let work = move || {
            let _both = (turn, place);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| SecretError::Failed(error.into()))?
    }
}

impl Default for Argon2Hasher {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl PasswordHasher for Argon2Hasher {
    async fn hash(&self, password: &Password) -> Result<String, SecretError> {
        let (cost, password) = (self.cost, password.clone());
        self.run(move || {
            let params = Params::new(cost.memory, cost.passes, cost.lanes, None)
                .map_err(|error| SecretError::Failed(error.into()))?;
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password(password.expose().as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error: Error| SecretError::Failed(error.into()))
        })
        .await
    }

    async fn fits(&self, text: &str, hash: Option<String>) -> Result<bool, SecretError> {
        let (text, nobody) = (text.to_owned(), Arc::clone(&self.nobody));
        self.run(move || {
            let fits = fits(&text, hash.as_deref().unwrap_or(&nobody));
            Ok(fits && hash.is_some())
        })
        .await
    }
}

/// Whether the hash is one of ours, and the text its password.
fn fits(text: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let Ok(params) = Params::try_from(&hash) else { return false };
    let bearable = params.m_cost() <= CEILING.memory
        && params.t_cost() <= CEILING.passes
        && params.p_cost() <= CEILING.lanes;
    bearable
        && hash.algorithm == Algorithm::Argon2id.ident()
        && Argon2::default().verify_password(text.as_bytes(), &hash).is_ok()
}
