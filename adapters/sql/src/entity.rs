//! Rows.

pub(crate) mod country;
pub(crate) mod movie;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod state;
pub(crate) mod token;
pub(crate) mod user;
