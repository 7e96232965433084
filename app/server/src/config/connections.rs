//! Settings of connections: how they end.

use std::time::Duration;

use clap::Args;

use super::duration;

/// How connections are ended.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Settings")]
pub struct Connections {
    /// How long requests and attempts under way may take when the program is told to stop
    #[arg(long, env = "MALECON_GRACE", default_value = "10s", value_parser = duration, global = true)]
    pub grace: Duration,
}
