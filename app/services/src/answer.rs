//! Ready answers: bytes made once and handed out many times.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use malecon_domain::Instant;
use malecon_ports::{Cache, Clock};
use sha2::{Digest, Sha256};

use crate::ServiceError;
use crate::flight::Flights;

/// Length of what precedes the note and the body in the cache: when it was made, its digest, and how
/// long the note is.
const HEADER: usize = 8 + 16 + 2;

/// An answer in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The body.
    pub body: Bytes,
    /// A word of the maker's own, kept beside the body; 64 KiB at most, or it is dropped.
    pub note: Bytes,
}

impl From<Bytes> for Draft {
    fn from(body: Bytes) -> Self {
        Self { body, note: Bytes::new() }
    }
}

/// An answer that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The body.
    pub body: Bytes,
    /// The maker's word.
    pub note: Bytes,
    /// The first half of the body's SHA-256: equal bodies have equal digests.
    pub digest: [u8; 16],
    /// When the body was made, in milliseconds since 1970.
    made_at: i64,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The cache.
    Hit,
    /// It was made for this caller, or for another that asked at the same time.
    Made,
}

impl Answer {
    /// An answer made at an instant.
    pub fn new(draft: Draft, made_at: Instant) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::digest(&draft.body)[..16]);
        Self { body: draft.body, note: draft.note, digest, made_at: made_at.timestamp_millis() }
    }

    /// How long ago it was made, to the second.
    pub fn age(&self, now: Instant) -> Duration {
        Duration::from_secs(u64::try_from((now.timestamp_millis() - self.made_at) / 1000).unwrap_or(0))
    }

    fn to_bytes(&self) -> Bytes {
        let (length, note) = match u16::try_from(self.note.len()) {
            Ok(length) => (length, &self.note[..]),
            Err(_) => (0, &[][..]),
        };
        let mut bytes = BytesMut::with_capacity(HEADER + note.len() + self.body.len());
        bytes.put_i64(self.made_at);
        bytes.put_slice(&self.digest);
        bytes.put_u16(length);
        bytes.put_slice(note);
        bytes.put_slice(&self.body);
        bytes.freeze()
    }

    /// `None` for bytes that are no answer.
    fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let (made_at, rest) = bytes.split_first_chunk::<8>()?;
        let (digest, rest) = rest.split_first_chunk::<16>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let body = HEADER + length;
        (rest.len() >= length).then(|| Self {
            body: bytes.slice(body..),
            note: bytes.slice(HEADER..body),
            digest: *digest,
            made_at: i64::from_be_bytes(*made_at),
        })
    }
}

/// Keeps ready answers in a [`Cache`]. A cache that fails is no obstacle: answers are made anew.
#[derive(Clone)]
pub struct Answers {
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    flights: Arc<Flights<Result<Answer, ServiceError>>>,
}

impl Answers {
    /// Answers in this cache.
    pub fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>) -> Self {
        Self { cache, clock, flights: Arc::new(Flights::new()) }
    }

    /// The clock that ages are told by.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The answer under the key; made by `make` and kept for `ttl` when it is not there. Of any
    /// number of callers that miss the same key at once, one makes it.
    ///
    /// # Errors
    /// Those of `make`, which are not kept.
    pub async fn get_or_make<F>(
        &self,
        key: &str,
        ttl: Duration,
        make: F,
    ) -> Result<(Answer, Source), ServiceError>
    where
        F: Future<Output = Result<Draft, ServiceError>> + Send + 'static,
    {
        if let Some(answer) = kept(&*self.cache, key).await {
            return Ok((answer, Source::Hit));
        }
        let (cache, clock, owned) = (Arc::clone(&self.cache), Arc::clone(&self.clock), key.to_owned());
        let answer = self.flights.join(key, async move {
            // Another flight may have landed since we looked.
            if let Some(answer) = kept(&*cache, &owned).await {
                return Ok(answer);
            }
            let answer = Answer::new(make.await?, clock.now());
            // What is not kept is made again; the caller has its answer either way.
            let _ = cache.put(&owned, answer.to_bytes(), ttl).await;
            Ok(answer)
        });
        Ok((answer.await?, Source::Made))
    }
}

async fn kept(cache: &dyn Cache, key: &str) -> Option<Answer> {
    Answer::from_bytes(&cache.get(key).await.ok()??)
}
