//! Every port in RAM: tests, demos, embedders.

mod activity;
mod cache;
mod clock;
mod country;
mod dog;
mod key;
mod limit;
mod lock;
mod movie;
mod run;
mod schedule;
mod session;
mod task;
#[cfg(test)]
mod tests;
mod token;
mod user;

pub use activity::MemoryActivities;
pub use cache::MemoryCache;
pub use clock::{ManualClock, SystemClock};
pub use country::MemoryCountries;
pub use dog::MemoryDogs;
pub use limit::MemoryRateLimiter;
pub use lock::MemoryLock;
pub use movie::MemoryMovies;
pub use task::MemoryTasks;
pub use user::MemoryUsers;
