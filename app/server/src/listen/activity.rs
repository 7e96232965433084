//! What one connection is doing, as its task, its requests and whoever needs its place see it.

mod answer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use hyper::Version;

use super::Limits;
pub(super) use answer::{Answer, RequestUnderWay};

/// What a connection is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    None,
    /// End what is under way, and take nothing new.
    Stop,
    /// Somebody else needs the place.
    Evict,
    /// End at once.
    Cut,
}

/// What one connection is doing. Times are microseconds since a moment that all connections share.
#[derive(Debug)]
pub(super) struct Activity {
    epoch: Instant,
    /// Requests whose answer is not whole yet.
    requests: AtomicU32,
    /// When the connection was accepted, or the last request ended.
    since: AtomicU64,
    /// When the first byte after that came, of HTTP/1; 0 while none came.
    head: AtomicU64,
    /// Whether there has been no request.
    is_fresh: AtomicBool,
    is_http2: AtomicBool,
    /// Whether the client does not take what we have to say.
    is_blocked: AtomicBool,
    /// When that was first so since the last request that began when nothing was left to be taken; 0 if it
    /// was not.
    blocked_at: AtomicU64,
    /// Since when each answer of HTTP/2 has been waiting for the client to want more of it, by its number:
    /// that is said by stream, so that the connection itself is never blocked.
    waits: Mutex<HashMap<u64, u64>>,
    next_answer: AtomicU64,
    order: AtomicU8,
    waker: AtomicWaker,
}

impl Activity {
    /// That of a connection that has just been accepted.
    pub fn new(epoch: Instant) -> Self {
        let activity = Self {
            epoch,
            requests: AtomicU32::new(0),
            since: AtomicU64::new(0),
            head: AtomicU64::new(0),
            is_fresh: AtomicBool::new(true),
            is_http2: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            blocked_at: AtomicU64::new(0),
            waits: Mutex::default(),
            next_answer: AtomicU64::new(0),
            order: AtomicU8::new(Order::None as u8),
            waker: AtomicWaker::new(),
        };
        activity.since.store(activity.now(), Ordering::Relaxed);
        activity
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn instant(&self, micros: u64) -> Instant {
        self.epoch + Duration::from_micros(micros)
    }

    /// The whole head of a request has come.
    pub fn begin(self: &Arc<Self>, version: Version) -> RequestUnderWay {
        if self.requests.fetch_add(1, Ordering::AcqRel) == 0 && !self.is_blocked.load(Ordering::Relaxed) {
            self.blocked_at.store(0, Ordering::Relaxed);
        }
        self.head.store(0, Ordering::Relaxed);
        self.is_fresh.store(false, Ordering::Relaxed);
        if version == Version::HTTP_2 && !self.is_http2.load(Ordering::Relaxed) {
            self.is_http2.store(true, Ordering::Relaxed);
        }
        RequestUnderWay(Arc::clone(self))
    }

    /// Bytes have come.
    pub fn has_read(&self, bytes: &[u8]) {
        if self.is_http2.load(Ordering::Relaxed) || self.head.load(Ordering::Relaxed) != 0 || self.is_busy() {
            return;
        }
        if self.is_fresh.load(Ordering::Relaxed) && bytes.starts_with(b"PRI ") {
            self.is_http2.store(true, Ordering::Relaxed);
        } else {
            self.head.store(self.now().max(1), Ordering::Relaxed);
        }
    }

    /// The client has taken bytes, or does not take them.
    pub fn has_written(&self, is_blocked: bool) {
        if self.is_blocked.load(Ordering::Relaxed) == is_blocked {
            return;
        }
        // The end of an answer may be on its way long after we have let go of it. In HTTP/2 anything may
        // be written, also answers to pings: that is no sign of life.
        if !is_blocked && !self.is_http2.load(Ordering::Relaxed) {
            self.since.store(self.now(), Ordering::Relaxed);
        }
        if is_blocked && self.blocked_at.load(Ordering::Relaxed) == 0 {
            self.blocked_at.store(self.now().max(1), Ordering::Relaxed);
        }
        self.is_blocked.store(is_blocked, Ordering::Release);
    }

    /// Whether a request is under way, or the end of its answer.
    pub fn is_busy(&self) -> bool {
        self.requests.load(Ordering::Acquire) > 0 || self.is_blocked.load(Ordering::Acquire)
    }

    /// Since when it has been idle, in an order that all connections share; `None` while it is not.
    pub fn idle_since(&self) -> Option<u64> {
        let is_idle = !self.is_busy() && self.order() == Order::None;
        is_idle.then(|| self.since.load(Ordering::Relaxed))
    }

    /// Since when the client has been taking an answer more slowly than we could give it, if that is so and
    /// has been for `patience`; in the same order.
    pub fn stalled_since(&self, patience: Duration) -> Option<u64> {
        let blocked_at = self.blocked_at.load(Ordering::Relaxed);
        let is_blocked = blocked_at != 0 && self.is_blocked.load(Ordering::Acquire);
        let since = is_blocked.then_some(blocked_at).into_iter().chain(self.longest_wait()).min()?;
        let is_stalled = self.order() == Order::None && self.instant(since).elapsed() >= patience;
        is_stalled.then_some(since)
    }

    /// Whether an answer of HTTP/2 has been waiting for its client for so long.
    pub fn is_stuck(&self, patience: Duration) -> bool {
        self.longest_wait().is_some_and(|since| self.instant(since).elapsed() >= patience)
    }

    fn longest_wait(&self) -> Option<u64> {
        if !self.is_http2.load(Ordering::Relaxed) {
            return None;
        }
        self.waits().values().min().copied()
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the client has had its time, and what it was for; `None` while a request is under way.
    pub fn deadline(&self, limits: &Limits) -> Option<(Instant, End)> {
        if self.is_busy() {
            return None;
        }
        let since = self.instant(self.since.load(Ordering::Relaxed));
        if self.is_fresh.load(Ordering::Relaxed) {
            return Some((since + limits.header_timeout, End::HeaderTimeout));
        }
        match self.head.load(Ordering::Relaxed) {
            0 => Some((since + limits.idle_timeout, End::Idle)),
            head => Some((self.instant(head) + limits.header_timeout, End::HeaderTimeout)),
        }
    }

    /// The same for a connection that was told to end, at this moment.
    pub fn last_deadline(&self, limits: &Limits, told: Instant) -> Option<Instant> {
        if self.is_busy() {
            return None;
        }
        match self.head.load(Ordering::Relaxed) {
            0 => Some(self.instant(self.since.load(Ordering::Relaxed)).max(told) + super::LAST_WORDS),
            head => Some(self.instant(head).max(told) + limits.header_timeout),
        }
    }

    pub fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::None,
            1 => Order::Stop,
            2 => Order::Evict,
            _ => Order::Cut,
        }
    }

    /// Tells the connection; what it was told before stands if that is stronger.
    pub fn tell(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.waker.wake();
    }

    /// Whom to wake when the connection is told something.
    pub fn listen(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As client and server agreed.
    Ended,
    /// It broke, or the client did not speak HTTP, or took no byte of an answer for too long.
    Broken,
    /// The head of a request did not come in time.
    HeaderTimeout,
    /// The client did not take an answer.
    WriteTimeout,
    /// No request came for long.
    Idle,
    /// Its place was needed.
    Evicted,
    /// The server was told to stop.
    Stopped,
}

impl End {
    /// Its name in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Broken => "broken",
            Self::HeaderTimeout => "header_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::Idle => "idle",
            Self::Evicted => "evicted",
            Self::Stopped => "stopped",
        }
    }
}
