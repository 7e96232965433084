//! Attempts under way, and whom they keep busy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::future::{AbortHandle, FutureExt, abortable};
use futures_util::task::AtomicWaker;
use malecon_ports::RunLease;

use super::WorkerSettings;

/// Attempts under way, each driven by somebody else. To drop it cancels them.
#[derive(Default)]
pub(super) struct UnderWay {
    attempts: HashMap<RunLease, Begun>,
    ended: Arc<Ended>,
}

struct Begun {
    lane: String,
    abort: AbortHandle,
}

/// Attempts that have ended and that nobody has noted yet.
#[derive(Default)]
struct Ended {
    leases: Mutex<Vec<RunLease>>,
    waker: AtomicWaker,
}

/// Says that an attempt has ended, however it did.
struct Says {
    ended: Arc<Ended>,
    lease: Option<RunLease>,
}

impl Drop for Says {
    fn drop(&mut self) {
        let mut leases = self.ended.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.extend(self.lease.take());
        drop(leases);
        self.ended.waker.wake();
    }
}

impl UnderWay {
    pub fn len(&self) -> usize {
        self.attempts.len()
    }

    /// The same work, to be driven; it is under way from now on.
    pub fn begin(
        &mut self,
        lease: RunLease,
        lane: String,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let says = Says { ended: Arc::clone(&self.ended), lease: Some(lease.clone()) };
        let (work, abort) = abortable(async move {
            let _says = says;
            work.await;
        });
        self.attempts.insert(lease, Begun { lane, abort });
        work.map(drop)
    }

    /// Lanes with as many attempts as they may have.
    pub fn full(&self, settings: &WorkerSettings) -> Vec<String> {
        let mut lanes: HashMap<&str, usize> = HashMap::new();
        for begun in self.attempts.values() {
            *lanes.entry(&begun.lane).or_default() += 1;
        }
        let most = |lane: &str| if settings.narrow.contains(&lane) { 1 } else { settings.per_lane };
        let full = lanes.into_iter().filter(|(lane, count)| *count >= most(lane));
        full.map(|(lane, _)| lane.to_owned()).collect()
    }

    /// Notes which have ended; whether any has.
    pub fn note_ended(&mut self) -> bool {
        let ended = std::mem::take(&mut *self.ended.leases.lock().unwrap_or_else(PoisonError::into_inner));
        for lease in &ended {
            self.attempts.remove(lease);
        }
        !ended.is_empty()
    }

    /// Goes on until one has ended; for ever when there is none.
    pub async fn one_ended(&mut self) {
        std::future::poll_fn(|context| {
            self.ended.waker.register(context.waker());
            if self.note_ended() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Goes on until none is under way.
    pub async fn all_ended(&mut self) {
        self.note_ended();
        while !self.attempts.is_empty() {
            self.one_ended().await;
        }
    }

    /// Cancels all, which end as soon as they are driven; the ones that were under way.
    pub fn interrupt(&mut self) -> Vec<RunLease> {
        self.note_ended();
        self.attempts.values().for_each(|begun| begun.abort.abort());
        self.attempts.keys().cloned().collect()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.interrupt();
    }
}
