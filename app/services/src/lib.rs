//! Use cases of Malecón: the embedder's entry, over any adapters.
//!
//! [`CountryService`] mirrors and answers countries, [`ActivityService`] what there is to do there; [`Answers`] keeps ready answers; [`TokenService`]
//! knows callers. Each takes the ports it needs by constructor and nothing else: no globals, no
//! environment, no spawned tasks, no particular async runtime. [`domain`] and [`ports`] are
//! re-exported, so that a program needs this crate and the adapters it chose.

mod activity;
mod answer;
mod cache;
mod country;
mod deadline;
mod dog;
mod error;
mod file;
mod flight;
mod job;
mod meter;
mod movie;
mod offload;
mod proof;
mod report;
mod shield;
mod task;
mod token;
mod user;
mod worker;

pub use malecon_domain as domain;
pub use malecon_ports as ports;

pub use activity::{ActivityPorts, ActivityService, ActivitySettings};
pub use answer::{Answer, Answers, Draft, Source};
pub use cache::TieredCache;
pub use country::{CountryPorts, CountryService, CountrySet, SyncSettings};
pub use dog::{DogPorts, DogService};
pub use error::{Fault, Lack, ServiceError};
pub use file::{FileError, FilePorts, FileService, FileSettings};
pub use job::{JobPorts, JobService, Plan, backoff};
pub use meter::{Meter, TieredLimiter};
pub use movie::{MoviePorts, MovieService, MovieUpkeep, ShieldedMovies};
pub use offload::{BlockingWork, Offload};
pub use report::{Post, ReportPorts, ReportService, ReportSettings};
pub use shield::{Background, Breaker, Codec, Effort, Shield, ShieldError, ShieldPorts, ShieldSettings};
pub use task::{RunEvent, RunEventKind, TaskCheck, TaskLimits, TaskPorts, TaskService};
pub use token::{Caller, TokenInput, TokenPair, TokenPorts, TokenService, hash_token};
pub use user::{UserInput, UserService};
pub use worker::{JobHandler, JobHandlers, Worker, WorkerPorts, WorkerSettings};
