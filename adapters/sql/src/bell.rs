//! Who is told that a run is due.

use std::sync::Arc;

use malecon_ports::RepositoryError;
use sea_orm::ConnectionTrait;
use tokio::sync::Notify;

use crate::error::classify;
use crate::movie::statement;

/// Wakes those in this process who wait for a run, and writes tickets for others where there is
/// something that hands them out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell {
    added: Arc<Notify>,
    /// Writes the ticket of the run `$1`, for its attempt `$2`, due at `$3`.
    pub(crate) ticket: Option<&'static str>,
}

impl Bell {
    /// In the transaction that makes a run due at `due_at`, for this attempt.
    pub async fn announce(
        &self,
        transaction: &impl ConnectionTrait,
        run: &str,
        attempt: i64,
        due_at: i64,
    ) -> Result<(), RepositoryError> {
        let Some(ticket) = self.ticket else { return Ok(()) };
        let values = [run.into(), attempt.into(), due_at.into()];
        transaction.query_one_raw(statement(transaction, ticket, values)).await.map(|_| ()).map_err(classify)
    }

    /// After the transaction.
    pub fn ring(&self) {
        self.added.notify_one();
    }

    /// Until it rings.
    pub async fn heard(&self) {
        self.added.notified().await;
    }
}
