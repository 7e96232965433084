//! Repositories and leases in SQLite and PostgreSQL, through SeaORM.

mod activity;
mod backup;
mod bell;
mod breaker;
mod check;
mod connect;
mod copy;
mod country;
mod db;
mod dog;
mod entity;
mod error;
mod favorite;
mod file;
mod kept;
mod key;
mod lock;
mod migration;
mod movie;
mod permissions;
mod queue;
mod quota;
mod rating;
mod run;
mod schedule;
mod session;
mod store;
mod task;
#[cfg(feature = "testing")]
#[allow(clippy::expect_used, missing_docs, reason = "only tests turn it on")]
pub mod testing;
#[cfg(test)]
mod tests;
mod token;
mod user;

pub use activity::SqlActivityRepository;
pub use backup::{BackupError, backup, postgres_commands};
pub use check::PoolStats;
pub use copy::{Copied, CopyError, CopySource, copy, empty_target};
pub use country::SqlCountryRepository;
pub use dog::SqlDogs;
pub use favorite::SqlFavoriteRepository;
pub use key::SqlKeyRepository;
pub use lock::SqlLock;
pub use movie::SqlMovieRepository;
pub use queue::SqlQueue;
pub use rating::SqlRatingRepository;
pub use run::SqlRuns;
pub use schedule::SqlSchedules;
pub use session::SqlSessionRepository;
pub use store::{SqlOptions, SqlStore};
pub use task::SqlTasks;
pub use token::SqlTokenRepository;
pub use user::SqlUserRepository;
