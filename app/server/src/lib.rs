//! The binary `malecon`: settings, wiring, schedule, commands.

pub mod command;
pub mod config;
pub mod health;
pub mod listen;
pub mod schedule;
pub mod wiring;

mod failure;
mod first;
mod logging;
mod monitor;

pub use config::Config;
pub use failure::Failure;
pub use wiring::Wired;
