//! Settings of connections: how many, from whom, and how they end.

use std::time::Duration;

use clap::Args;
use malecon::domain::Networks;

use super::{Perhaps, duration};

/// How connections are taken and ended.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Settings")]
pub struct Connections {
    /// Connections open at once, if the system allows that many open files; when there are more, the one
    /// that has been idle longest is closed
    #[arg(long, env = "MALECON_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..), global = true)]
    pub max_connections: u32,

    /// Connections open at once from one address (of IPv6, its /64) that is no trusted proxy; half of
    /// MALECON_MAX_CONNECTIONS by default
    #[arg(long, env = "MALECON_MAX_CONNECTIONS_PER_ADDRESS", default_value = "", value_parser = perhaps, hide_default_value = true, global = true)]
    pub max_connections_per_address: Perhaps<u32>,

    /// Addresses and networks of your own proxies, separated by commas: their X-Forwarded-For names the
    /// client, for limits by address and in logs, e.g. 10.1.0.0/16,127.0.0.1
    #[arg(long, env = "MALECON_TRUSTED_PROXIES", default_value = "", value_parser = networks, hide_default_value = true, global = true)]
    pub trusted_proxies: Networks,

    /// How long /health/ready says no before nothing is accepted any more, when it is told to stop
    #[arg(long, env = "MALECON_DRAIN", default_value = "0s", value_parser = duration, global = true)]
    pub drain: Duration,

    /// How long what is under way may take then
    #[arg(long, env = "MALECON_GRACE", default_value = "10s", value_parser = duration, global = true)]
    pub grace: Duration,
}

fn perhaps(text: &str) -> Result<Option<u32>, String> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err("not a number from 1".to_owned()),
        },
    }
}

fn networks(text: &str) -> Result<Networks, String> {
    Networks::parse(text).map_err(|error| format!("{error}; write for example 10.1.0.0/16,127.0.0.1"))
}
