//! Cache, limits and lock in Redis, through fred.

mod breaker;
mod cache;
mod limit;
mod lock;
mod store;
#[cfg(test)]
mod tests;

pub use cache::RedisCache;
pub use limit::RedisRateLimiter;
pub use lock::RedisLock;
pub use store::{ConnectError, RedisStore};
