//! When a request is worth repeating, and how long that waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_retry::{Jitter, RetryDecision, RetryPolicy, Retryable, RetryableStrategy};

use crate::client::{ClientOptions, TooLarge};

/// What the last answer of one request asked for: the strategy sees answers, the policy decides.
#[derive(Clone, Default)]
pub(crate) struct Hint(Arc<Mutex<Option<Duration>>>);

impl Hint {
    fn set(&self, wait: Option<Duration>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wait;
    }

    fn get(&self) -> Option<Duration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which failures may pass.
pub(crate) struct Worth(pub Hint);

impl RetryableStrategy for Worth {
    fn handle(&self, result: &Result<Response, reqwest_middleware::Error>) -> Option<Retryable> {
        self.0.set(None);
        let passing = match result {
            Ok(response) => {
                self.0.set(retry_after(response.headers()));
                let status = response.status().as_u16();
                matches!(status, 408 | 425 | 429) || (500..600).contains(&status) && status != 501
            }
            Err(reqwest_middleware::Error::Reqwest(error)) => !error.is_builder() && !error.is_redirect(),
            Err(reqwest_middleware::Error::Middleware(error)) => {
                !error.chain().any(|cause| cause.is::<TooLarge>())
            }
        };
        passing.then_some(Retryable::Transient)
    }
}

/// Exponential backoff with jitter, and at least as long as the upstream asked for.
pub(crate) struct Patience {
    backoff: ExponentialBackoff,
    longest_wait: Duration,
    hint: Hint,
}

impl Patience {
    pub fn new(options: &ClientOptions, hint: Hint) -> Self {
        let backoff = ExponentialBackoff::builder()
            .retry_bounds(options.retry_base, options.longest_wait.max(options.retry_base))
            .jitter(Jitter::Bounded)
            .build_with_max_retries(options.retries);
        Self { backoff, longest_wait: options.longest_wait, hint }
    }
}

impl RetryPolicy for Patience {
    fn should_retry(&self, start: SystemTime, past: u32) -> RetryDecision {
        let asked = self.hint.get().unwrap_or_default();
        match self.backoff.should_retry(start, past) {
            RetryDecision::Retry { execute_after } if asked <= self.longest_wait => {
                #[expect(clippy::disallowed_methods, reason = "the policy's answer is a system time")]
                let asked = SystemTime::now() + asked;
                RetryDecision::Retry { execute_after: execute_after.max(asked) }
            }
            _ => RetryDecision::DoNotRetry,
        }
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    #[expect(clippy::disallowed_methods, reason = "a date can only be compared with the present")]
    let now = SystemTime::now();
    Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default())
}
