//! Leases within the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use malecon_ports::{Lease, Lock, LockError};

/// Leases of one process, on its monotonic clock. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryLock(Arc<Mutex<Leases>>);

/// All leases ever given, by name.
#[derive(Debug, Default)]
pub(crate) struct Leases(HashMap<String, Held>);

#[derive(Debug)]
struct Held {
    token: u64,
    /// `None` once released.
    until: Option<Instant>,
}

impl MemoryLock {
    /// A lock whose names are all free.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps every lease as it is for as long as the guard lives.
    pub(crate) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leases {
    /// Whether the lease is the present one and runs.
    pub(crate) fn is_current(&self, lease: &Lease) -> bool {
        self.0.get(&lease.name).is_some_and(|held| held.token == lease.token && held.runs())
    }
}

/// When a lease ends that begins now. A century is as good as any longer time, and can be added.
fn end(ttl: Duration) -> Instant {
    Instant::now() + ttl.min(Duration::from_secs(100 * 365 * 24 * 60 * 60))
}

impl Held {
    fn runs(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

#[async_trait]
impl Lock for MemoryLock {
    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, LockError> {
        let mut leases = self.leases();
        let held = leases.0.entry(name.to_owned()).or_insert(Held { token: 0, until: None });
        if held.runs() {
            return Ok(None);
        }
        *held = Held { token: held.token + 1, until: Some(end(ttl)) };
        Ok(Some(Lease { name: name.to_owned(), token: held.token }))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, LockError> {
        let mut leases = self.leases();
        let current = leases.is_current(lease);
        if let Some(held) = leases.0.get_mut(&lease.name).filter(|_| current) {
            held.until = Some(end(ttl));
        }
        Ok(current)
    }

    async fn release(&self, lease: &Lease) -> Result<(), LockError> {
        let mut leases = self.leases();
        let current = leases.is_current(lease);
        if let Some(held) = leases.0.get_mut(&lease.name).filter(|_| current) {
            held.until = None;
        }
        Ok(())
    }
}
