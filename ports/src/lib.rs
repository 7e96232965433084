//! What the core needs from outside: traits, their errors, their contract suites.
//!
//! Feature `mock` exports a [`mockall`](https://docs.rs/mockall) mock of every port; feature
//! `contract` exports [`contract`], the suites that every implementation must pass.

pub mod activity;
pub mod cache;
pub mod clock;
#[cfg(feature = "contract")]
#[allow(clippy::expect_used, clippy::panic, reason = "a failed promise fails its test")]
pub mod contract;
pub mod country;
pub mod dog;
mod error;
pub mod file;
pub mod limit;
pub mod lock;
pub mod mail;
pub mod movie;
pub mod run;
pub mod secret;
pub mod sheet;
pub mod task;
pub mod user;

pub use activity::{ActivityGateway, ActivityRepository};
pub use cache::{Cache, CacheError};
pub use clock::Clock;
pub use country::{CountryGateway, CountryRepository, CountryRestore, SyncWrite};
pub use dog::{ChoreGateway, DogAdded, DogRepository, DogWrite, NewDog, PictureGateway};
pub use error::{Cause, GatewayError, RepositoryError};
pub use file::{File, FileAnswer, FileContent, FileGateway};
pub use limit::{Limit, RateLimiter, Taken};
pub use lock::{Lease, Lock, LockError};
pub use mail::{MailError, MailFault, Mailer, Refusal};
pub use movie::{FavoriteRepository, MovieGateway, MovieRepository, RatingRepository};
pub use run::{Hold, RunLease, RunRepository, RunWrite, TaskQueue};
pub use secret::{Claims, PasswordHasher, Sealer, SecretError, TokenSigner};
pub use sheet::{Sheet, SheetError, SheetFormat};
pub use task::{CallError, ScheduleRepository, TargetGateway, TaskRepository, TaskWrite, TickWrite};
pub use user::{
    AddressHash, KNOWN_ADDRESSES, KeyRepository, NewApiToken, NewRefresh, NewUser, Rotation,
    SessionRepository, SigningKey, TokenHash, TokenRepository, TokenWrite, UserRepository, UserWrite,
};

#[cfg(feature = "mock")]
pub use self::{
    activity::{MockActivityGateway, MockActivityRepository},
    cache::MockCache,
    clock::MockClock,
    country::{MockCountryGateway, MockCountryRepository},
    dog::{MockChoreGateway, MockDogRepository, MockPictureGateway},
    file::MockFileGateway,
    limit::MockRateLimiter,
    lock::MockLock,
    mail::MockMailer,
    movie::{MockFavoriteRepository, MockMovieGateway, MockMovieRepository, MockRatingRepository},
    run::{MockRunRepository, MockTaskQueue},
    secret::{MockPasswordHasher, MockSealer, MockTokenSigner},
    sheet::MockSheet,
    task::{MockScheduleRepository, MockTargetGateway, MockTaskRepository},
    user::{MockKeyRepository, MockSessionRepository, MockTokenRepository, MockUserRepository},
};
