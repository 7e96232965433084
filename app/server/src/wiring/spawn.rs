//! Where work is done that is not waited for, or that keeps a thread busy.

use std::sync::Arc;
use std::time::Duration;

use malecon::{Background, Offload};
use tokio::sync::Semaphore;

/// Threads that match regular expressions at once.
const MATCHING: usize = 2;
/// How long one may take. Its thread goes on until it is done, and is nobody else's until then.
const LONGEST_MATCH: Duration = Duration::from_secs(5);

/// Each as a task of its own.
pub fn background() -> Background {
    Background::new(|work| {
        tokio::spawn(work);
    })
}

/// On threads of their own, a few at once; the others wait for their turn.
pub fn offload() -> Offload {
    let turns = Arc::new(Semaphore::new(MATCHING));
    Offload::new(move |work| {
        let turns = Arc::clone(&turns);
        Box::pin(async move {
            let turn = turns.acquire_owned().await;
            let work = tokio::task::spawn_blocking(move || {
                work();
                drop(turn);
            });
            if tokio::time::timeout(LONGEST_MATCH, work).await.is_err() {
                tracing::warn!(?LONGEST_MATCH, "a regular expression takes longer than it may");
            }
        })
    })
}
