//! The engine of runs under kills, stops, races and outages: processes that work on one database,
//! and a target that counts what reaches it.

mod clocks;
mod disk;
mod dogs;
pub mod ground;
mod hostile;
mod kills;
mod outages;
mod process;
mod program;
mod races;
mod regexes;
mod schedules;
mod stops;
mod target;

pub use ground::until;
