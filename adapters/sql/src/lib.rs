//! Repositories and leases in SQLite and PostgreSQL, through SeaORM.

mod country;
mod entity;
mod error;
mod favorite;
mod key;
mod lock;
mod migration;
mod movie;
mod rating;
mod session;
mod store;
#[cfg(feature = "testing")]
#[allow(clippy::expect_used, missing_docs, reason = "only tests turn it on")]
pub mod testing;
#[cfg(test)]
mod tests;
mod token;
mod user;

pub use country::SqlCountryRepository;
pub use favorite::SqlFavoriteRepository;
pub use key::SqlKeyRepository;
pub use lock::SqlLock;
pub use movie::SqlMovieRepository;
pub use rating::SqlRatingRepository;
pub use session::SqlSessionRepository;
pub use store::{SqlOptions, SqlStore};
pub use token::SqlTokenRepository;
pub use user::SqlUserRepository;
