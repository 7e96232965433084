//! The whole of Malecón, as its users meet it.
#![expect(clippy::print_stdout, reason = "some tests tell figures to whoever runs them with --nocapture")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is not there fails its test")]

mod activities;
mod architecture;
mod backup;
mod cache;
mod contract;
mod conventions;
mod copy;
mod countries;
mod dam;
mod dogs;
mod engine;
mod events;
mod files;
mod listen;
mod logins;
mod loss;
mod mail;
mod movies;
mod openapi;
mod outage;
mod permissions;
mod quotas;
mod readme;
mod report;
mod sick;
mod smtp;
mod sql;
mod support;
mod sync;
mod tasks;
mod tmdb;
mod tokens;
mod users;
mod v31;
