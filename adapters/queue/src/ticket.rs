//! What a ticket is, and how it is written.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use malecon_domain::RunId;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Writes the ticket of a run, for the transaction that makes it due: its number as text, the attempt
/// as a bigint, and when it is due in microseconds since 1970.
pub const TICKET: &str = "SELECT malecon_queue.add_job('run', json_build_object('run', $1::text), \
     run_at => to_timestamp(ceil($3::bigint / 1000.0) / 1000), max_attempts => 1::smallint, \
     job_key => 'run:' || $1::text || ':' || $2::bigint) IS NULL";

/// A ticket: the run that is due.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Ticket {
    run: String,
}

/// Where tickets go to.
#[derive(Clone, Debug)]
pub(crate) struct Tickets(pub mpsc::Sender<()>);

impl TaskHandler for Ticket {
    const IDENTIFIER: &'static str = "run";

    /// Hands it over as soon as somebody looks for runs.
    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        match (self.run.parse::<RunId>(), context.get_ext::<Tickets>()) {
            (Ok(_), Some(Tickets(tickets))) => {
                // Nobody is there to take it only when the program ends.
                let _ = tickets.send(()).await;
            }
            _ => tracing::warn!(run = self.run, "a ticket that can't be read was dropped"),
        }
        Ok::<(), String>(())
    }
}
