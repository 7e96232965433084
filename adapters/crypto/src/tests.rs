//! The contract suites, and what attackers send.

mod password;
mod token;
