//! Request ids.

use std::sync::atomic::{AtomicU64, Ordering};

use poem::Request;
use poem::http::HeaderName;
use uuid::Uuid;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives ids: a random half of its own, and a number.
pub(super) struct Ids {
    half: u64,
    next: AtomicU64,
}

impl Ids {
    pub fn new() -> Self {
        Self { half: Uuid::new_v4().as_u64_pair().0, next: AtomicU64::new(1) }
    }

    /// The client's id when it has one that is fit for logs, else a new one.
    pub fn of(&self, request: &Request) -> String {
        let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let fit = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        match given.filter(fit) {
            Some(id) => id.to_owned(),
            None => {
                let pair =
                    (u128::from(self.half) << 64) | u128::from(self.next.fetch_add(1, Ordering::Relaxed));
                Uuid::from_u128(pair).simple().to_string()
            }
        }
    }
}
