//! All connections: how many there are, from whom, and which one goes when there are too many.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use malecon::domain::Networks;

use super::Limits;
use super::activity::{Activity, Order};

/// So many of those that have been idle longest are found at once.
const BATCH: usize = 64;
/// When there was none that may go, nobody looks again before this time for each that was looked at.
const BARREN: Duration = Duration::from_micros(1);

/// All connections.
pub(super) struct Registry {
    epoch: Instant,
    most: usize,
    most_of_one: usize,
    trusted: Networks,
    stalled_after: Duration,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    all: Group,
    by_address: HashMap<IpAddr, Group>,
}

/// Why there is no place for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There are as many as there may be, and each is at work.
    Full,
    /// There are as many of this address as there may be, and each is at work.
    Address,
}

impl Refusal {
    /// Its name in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
        }
    }
}

/// The place of a connection, which is free again when this is gone.
pub(super) struct Place {
    registry: Arc<Registry>,
    id: u64,
    address: Option<IpAddr>,
    pub activity: Arc<Activity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.inner().remove(self.id, self.address);
    }
}

impl Registry {
    pub fn new(limits: &Limits) -> Self {
        Self {
            epoch: Instant::now(),
            most: limits.connections.max(1),
            most_of_one: limits.connections_per_address.max(1),
            trusted: limits.trusted_proxies.clone(),
            stalled_after: limits.header_timeout,
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from this peer. When there is none left, the connection that has been
    /// idle longest makes room: one of the same address, when that has too many.
    ///
    /// # Errors
    /// There is no idle one.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Refusal> {
        let address = (!self.trusted.contains(peer)).then(|| counted_as(peer));
        let inner = &mut *self.inner();
        if let Some(address) = address
            && let Some(group) = inner.by_address.get_mut(&address)
            && group.members.len() >= self.most_of_one
        {
            let victim = group.victim(self.stalled_after).ok_or(Refusal::Address)?;
            inner.evict(victim);
        }
        if inner.all.members.len() >= self.most {
            let victim = inner.all.victim(self.stalled_after).ok_or(Refusal::Full)?;
            inner.evict(victim);
        }
        let (id, activity) = (inner.next, Arc::new(Activity::new(self.epoch)));
        inner.next += 1;
        let member = Member { activity: Arc::clone(&activity), address };
        if let Some(address) = address {
            inner.by_address.entry(address).or_default().members.insert(id, member.clone());
        }
        inner.all.members.insert(id, member);
        Ok(Place { registry: Arc::clone(self), id, address, activity })
    }

    /// Closes the connection that has been idle longest; for when the system has no room for more.
    pub fn make_room(&self) {
        let mut inner = self.inner();
        if let Some(victim) = inner.all.victim(self.stalled_after) {
            inner.evict(victim);
        }
    }

    /// Tells all connections.
    pub fn tell_all(&self, order: Order) {
        self.inner().all.members.values().for_each(|member| member.activity.tell(order));
    }

    /// Connections with a request under way.
    pub fn busy(&self) -> usize {
        self.inner().all.members.values().filter(|member| member.activity.is_busy()).count()
    }
}

impl Inner {
    fn evict(&mut self, (id, order): (u64, Order)) {
        if let Some(member) = self.all.members.get(&id).cloned() {
            self.remove(id, member.address);
            member.activity.tell(order);
        }
    }

    fn remove(&mut self, id: u64, address: Option<IpAddr>) {
        self.all.members.remove(&id);
        if let Some(address) = address
            && let Some(group) = self.by_address.get_mut(&address)
        {
            group.members.remove(&id);
            if group.members.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }
}

#[derive(Clone)]
struct Member {
    activity: Arc<Activity>,
    address: Option<IpAddr>,
}

/// Connections among which one is looked for that may go.
#[derive(Default)]
struct Group {
    members: HashMap<u64, Member>,
    /// Those that had been idle longest when it was looked last, and since when: whatever has become idle
    /// since, came later.
    idle: VecDeque<(u64, u64)>,
    barren_until: Option<Instant>,
}

impl Group {
    /// The one that may go, and what it is told: the one that has been idle longest. When all are at work,
    /// whoever has been taking its answer slowly for longest: a client that reads a byte now and then would
    /// be at work for ever.
    fn victim(&mut self, stalled_after: Duration) -> Option<(u64, Order)> {
        let now = Instant::now();
        if self.barren_until.is_some_and(|until| now < until) {
            return None;
        }
        let idle = self.longest_idle().map(|id| (id, Order::Evict));
        let victim = idle.or_else(|| {
            let stalled = self.members.iter();
            let stalled =
                stalled.filter_map(|(id, member)| Some((member.activity.stalled_since(stalled_after)?, *id)));
            stalled.min().map(|(_, id)| (id, Order::Cut))
        });
        let pause = BARREN * u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.barren_until = victim.is_none().then(|| now + pause);
        victim
    }

    /// The one that has been idle longest. Requests need not say when they begin and end: all connections
    /// are looked at, but for many at once.
    fn longest_idle(&mut self) -> Option<u64> {
        let is_idle = |members: &HashMap<u64, Member>, since: u64, id: u64| {
            members.get(&id).is_some_and(|member| member.activity.idle_since() == Some(since))
        };
        while let Some((since, id)) = self.idle.pop_front() {
            if is_idle(&self.members, since, id) {
                return Some(id);
            }
        }
        let found = self.members.iter();
        let mut found: Vec<(u64, u64)> =
            found.filter_map(|(id, member)| Some((member.activity.idle_since()?, *id))).collect();
        if found.len() > BATCH {
            found.select_nth_unstable(BATCH - 1);
            found.truncate(BATCH);
        }
        found.sort_unstable();
        self.idle = found.into();
        self.idle.pop_front().map(|(_, id)| id)
    }
}

/// Whoever has an IPv6 address has all of its /64; an IPv4 address is one, however it is written.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}
