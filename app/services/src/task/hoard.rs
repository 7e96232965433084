//! What runs leave behind, and how much of it is kept: over a limit, the oldest bodies go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::TaskService;
use crate::ServiceError;

/// Bodies that are dropped in one go.
const AT_ONCE: u32 = 50;

/// Of what may be kept, the part that an owner writes between two looks at what is kept: as much may be
/// kept beyond the limit by each process.
const PART: u64 = 16;

/// How much each owner has had written since somebody last looked. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Hoard(Arc<Mutex<BTreeMap<i64, u64>>>);

impl Hoard {
    /// So many bytes of bodies are about to be kept.
    pub fn wrote(&self, owner: i64, bytes: usize) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = written.entry(owner).or_default();
        *sum = sum.saturating_add(bytes as u64);
    }

    /// Those who have written as much as this, who begin anew.
    fn take(&self, bytes: u64) -> BTreeSet<i64> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let many = written.iter().filter(|(_, sum)| **sum >= bytes).map(|(owner, _)| *owner).collect();
        written.retain(|_, sum| *sum < bytes);
        many
    }
}

impl TaskService {
    /// Drops the oldest bodies of those who keep more than they may; how many. It looks at those who have
    /// written a lot since it last did, and at everybody if it is told to: what other processes wrote, and
    /// what was written before this one began. For a schedule.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn drop_bodies_unattended(&self, everybody: bool) -> Result<u64, ServiceError> {
        let Some(most) = self.limits.kept_bytes else { return Ok(0) };
        let mut owners = self.hoard.take(most / PART);
        if everybody {
            owners.extend(self.ports.runs.hoarders(most).await?);
        }
        let mut dropped = 0;
        for owner in owners {
            dropped += self.drop_bodies_of(owner, most).await.inspect_err(|_| {
                // Looked at again the next time.
                self.hoard.wrote(owner, usize::try_from(most).unwrap_or(usize::MAX));
            })?;
        }
        Ok(dropped)
    }

    async fn drop_bodies_of(&self, owner: i64, most: u64) -> Result<u64, ServiceError> {
        let mut dropped = 0;
        loop {
            let some = self.ports.runs.drop_bodies(owner, most, AT_ONCE).await?;
            dropped += some;
            if some < u64::from(AT_ONCE) {
                return Ok(dropped);
            }
        }
    }
}
