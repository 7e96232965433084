//! What came from somebody else, and when.

use crate::Instant;

/// A value that somebody else's API gave us.
#[derive(Clone, Debug, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// When it was fetched.
    pub at: Instant,
    /// How it came.
    pub freshness: Freshness,
}

/// How a value came to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Just fetched, for this caller or another that asked at the same time.
    Fetched,
    /// Kept, and within its time to live.
    Kept,
    /// Kept and past its time to live, while it is fetched anew behind the caller's back.
    Revalidating,
    /// Kept and past its time to live: the source fails, and this stands in for it.
    StandingIn,
}

impl<T> Sourced<T> {
    /// A value fetched at an instant.
    pub fn fetched(value: T, at: Instant) -> Self {
        Self { value, at, freshness: Freshness::Fetched }
    }

    /// The same, of another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: change(self.value), at: self.at, freshness: self.freshness }
    }
}
