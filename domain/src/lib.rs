//! Pure values and rules of Malecón: no async, no I/O, no serde, no clock.

pub mod activity;
pub mod country;
pub mod dog;
pub mod file;
pub mod mail;
pub mod movie;
pub mod page;
pub mod run;
pub mod schedule;
pub mod sourced;
pub mod target;
pub mod task;
pub mod text;
pub mod user;
pub mod zone;

pub use activity::{
    Activity, ActivityBatch, ActivityDrift, ActivityKind, ActivityPlan, ActivityQuery, ActivityRecord,
    ActivitySortKey, ActivityState, InvalidActivity,
};
pub use country::{
    Batch, Car, CoatOfArms, Country, CountryCode, CountryField, CountryFilter, CountryName, CountryQuery,
    CountryRecord, CountrySortKey, Currency, DataVersion, Demonym, Drift, FieldSet, Flags, Idd,
    InvalidCountry, Language, LatLng, LocalName, Lookup, Maps, PostalCode, Rejection, SearchKeys, SortKeys,
    StoredCountry, SyncOutcome, SyncPlan, SyncReport,
};
pub use dog::{Dog, DogChange, DogName, DogQuery, DogSortKey, PictureUrl};
pub use file::FileName;
pub use mail::{Attachment, InvalidMailbox, Line, Mail, Mailbox};
pub use movie::{
    Favorite, Genre, InvalidMovie, Movie, MoviePage, MovieQuery, MovieSortKey, PopularQuery, Rating, Stars,
};
pub use page::{Direction, Page, Paged, Sort};
pub use run::{
    Attempt, AttemptEnd, Job, JobKind, NewRun, Next, OnceKey, Run, RunId, RunQuery, RunState, RunSummary,
    RunTally, Trace,
};
pub use schedule::{InvalidSchedule, Overlap, Rhythm, Schedule};
pub use sourced::{Freshness, Sourced};
pub use target::{AllowList, InvalidAllowList, InvalidNetwork, Networks, is_public};
pub use task::{
    Call, CallFault, DueTask, Header, HeaderText, HttpMethod, Payload, Received, RetryRule, Sent,
    SuccessRule, Task, TaskConfig, TaskDraft, TaskFault, TaskQuery, TaskSortKey, TaskSummary,
};
pub use user::{
    ApiToken, Credential, Email, Password, Principal, Profile, Role, User, UserChange, UserQuery, UserSortKey,
};
pub use zone::{TimeOfDay, Zone};

/// An instant in UTC. The domain never reads a clock; instants come in as arguments.
pub type Instant = chrono::DateTime<chrono::Utc>;
