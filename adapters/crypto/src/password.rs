//! Passwords with argon2id.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use async_trait::async_trait;
use malecon_domain::Password;
use malecon_ports::{PasswordHasher, SecretError};
use tokio::sync::Semaphore;

/// OWASP's floor for argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
const FLOOR: Cost = Cost { memory: 19 * 1024, passes: 2, lanes: 1 };
/// What a hash of the store may cost at most: one that asks for more is strange, and could take all
/// memory.
const CEILING: Cost = Cost { memory: 256 * 1024, passes: 16, lanes: 16 };

/// Hashes that are made at once at most, however many processors there are: each keeps its memory.
const MOST_TURNS: usize = 4;
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

/// Memory that hashes were made in, for the next ones: at most as much as all turns need. An allocator
/// may keep what is freed in pieces of this size, one for each thread that ever hashed.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<Vec<Block>>>>);

impl Memory {
    /// Does the work in memory of so many blocks.
    fn with<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if memory.len() < blocks {
            // Not grown: nothing of what is in it is needed.
            memory = Vec::new();
            memory.resize(blocks, Block::new());
        }
        let done = work(&mut memory[..blocks]);
        if blocks <= FLOOR.memory as usize {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        }
        done
    }
}

/// Hashes with argon2id, on the threads that may block; on half of the processors at once and no more
/// than four, so that many logins take neither all time nor all memory, and 64 more wait.
#[derive(Clone, Debug)]
pub struct Argon2Hasher {
    cost: Cost,
    nobody: Arc<str>,
    memory: Memory,
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
        let turns = Self::turns();
        let [turns, places] = [turns, turns + MOST_WAITING].map(|many| Arc::new(Semaphore::new(many)));
        Self { cost, nobody: nobody.into(), memory: Memory::default(), turns, places }
    }

    /// Hashes that are made at once; each keeps 19 MiB for the next one.
    pub fn turns() -> usize {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        (processors / 2).clamp(1, MOST_TURNS)
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
        let (cost, password, memory) = (self.cost, password.clone(), self.memory.clone());
        self.run(move || hash(cost, &password, &memory).map_err(|error| SecretError::Failed(error.into())))
            .await
    }

    async fn fits(&self, text: &str, hash: Option<String>) -> Result<bool, SecretError> {
        let (text, nobody, memory) = (text.to_owned(), Arc::clone(&self.nobody), self.memory.clone());
        self.run(move || {
            let fits = fits(&text, hash.as_deref().unwrap_or(&nobody), &memory);
            Ok(fits && hash.is_some())
        })
        .await
    }
}

/// The hash of a password in PHC format, with a new salt.
fn hash(cost: Cost, password: &Password, memory: &Memory) -> Result<String, argon2::password_hash::Error> {
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(Params::DEFAULT_OUTPUT_LEN))?;
    let (algorithm, version, salt) = (Algorithm::Argon2id, Version::V0x13, Salt::generate());
    let named = ParamsString::try_from(&params)?;
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    memory.with(params.block_count(), |blocks| {
        let argon2 = Argon2::new(algorithm, version, params.clone());
        argon2.hash_password_into_with_memory(password.expose().as_bytes(), &salt, &mut out, blocks)
    })?;
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: named,
        salt: Some(salt),
        hash: Some(Output::new(&out)?),
    };
    Ok(hash.to_string())
}

/// Whether the hash is one of ours, and the text its password.
fn fits(text: &str, hash: &str, memory: &Memory) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let Ok(params) = Params::try_from(&hash) else { return false };
    let bearable = params.m_cost() <= CEILING.memory
        && params.t_cost() <= CEILING.passes
        && params.p_cost() <= CEILING.lanes;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from);
    let (true, true, Ok(version), Some(salt), Some(wanted)) =
        (bearable, hash.algorithm == Algorithm::Argon2id.ident(), version, hash.salt, hash.hash)
    else {
        return false;
    };
    let mut out = [0; Output::MAX_LENGTH];
    let out = &mut out[..wanted.len()];
    let made = memory.with(params.block_count(), |blocks| {
        let argon2 = Argon2::new(Algorithm::Argon2id, version, params.clone());
        argon2.hash_password_into_with_memory(text.as_bytes(), &salt, out, blocks)
    });
    // Outputs are compared in constant time.
    made.is_ok() && Output::new(out).is_ok_and(|made| made == wanted)
}
