//! Rows.

pub(crate) mod activity;
pub(crate) mod attempt;
pub(crate) mod call;
pub(crate) mod country;
pub(crate) mod dog;
pub(crate) mod movie;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod task;
pub(crate) mod token;
pub(crate) mod user;
