//! The one HTTP client: timeouts, retries, few redirects, small bodies, honest errors.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::Extensions;
use malecon_ports::GatewayError;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Request, Response, StatusCode};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use reqwest_retry::{RetryError, RetryTransientMiddleware};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::json::beginning;
use crate::retry::{Hint, Patience, Worth, retry_after};

/// Redirects that are followed at most.
const REDIRECTS: usize = 3;

/// How upstreams are called.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// How long one attempt may take, from the connection to the end of the body.
    pub timeout: Duration,
    /// How long its connection may take.
    pub connect_timeout: Duration,
    /// How often a failed request is repeated.
    pub retries: u32,
    /// The wait before the first repetition; it doubles from one to the next and is jittered.
    pub retry_base: Duration,
    /// The longest wait before a repetition, which a longer `retry_base` makes longer. A `Retry-After`
    /// beyond it ends the repetitions.
    pub longest_wait: Duration,
    /// Bytes of a decoded body at most.
    pub body_limit: usize,
    /// What the client calls itself.
    pub user_agent: String,
    /// The media type that answers should have.
    pub accept: &'static str,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            retries: 3,
            retry_base: Duration::from_millis(200),
            longest_wait: Duration::from_secs(30),
            body_limit: 32 * 1024 * 1024,
            user_agent: concat!("malecon/", env!("CARGO_PKG_VERSION")).to_owned(),
            accept: "*/*",
        }
    }
}

/// No client can be made.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made")]
pub struct ClientError(#[source] pub(crate) reqwest::Error);

/// Calls upstreams.
///
/// A GET, whose repetition changes nothing, is repeated on failures of the connection, timeouts, bodies that break off, 408, 425,
/// 429 and 5xx but 501; a `Retry-After` is waited for when it is no more than the longest wait, and
/// ends the repetitions when it is more. All of it takes at most the attempts' time and one longest
/// wait.
#[derive(Clone, Debug)]
pub struct UpstreamClient {
    http: reqwest::Client,
    options: ClientOptions,
}

/// What an upstream is asked.
struct Question<'a> {
    url: Url,
    token: Option<&'a SecretString>,
    /// JSON to be sent with a POST; without it is a GET.
    body: Option<&'a Value>,
    /// How long an attempt may take beyond the usual time.
    more_time: Duration,
}

impl<'a> Question<'a> {
    fn get(url: Url, token: Option<&'a SecretString>) -> Self {
        Self { url, token, body: None, more_time: Duration::ZERO }
    }
}

/// An answer of whatever status.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl UpstreamClient {
    /// A client with these options. It ignores proxy variables of the environment.
    ///
    /// # Errors
    /// [`ClientError`] when the system has no TLS to offer.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        // An embedder may have chosen a provider already: then it is theirs.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "this is where clients are made")]
        let builder = reqwest::Client::builder();
        let http = builder
            .timeout(options.timeout)
            .connect_timeout(options.connect_timeout.min(options.timeout))
            .redirect(Policy::custom(|attempt| {
                let from_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
                if attempt.previous().len() > REDIRECTS {
                    attempt.error("too many redirects")
                } else if from_https && attempt.url().scheme() != "https" {
                    attempt.error("a redirect from https to http")
                } else {
                    attempt.follow()
                }
            }))
            .no_proxy()
            .user_agent(&options.user_agent)
            .default_headers([(ACCEPT, HeaderValue::from_static(options.accept))].into_iter().collect())
            .build()
            .map_err(ClientError)?;
        Ok(Self { http, options })
    }

    /// What `read` makes of the body at a URL, which is asked for with a bearer token when there is one.
    /// A final failure is one line in the log, and a body that can't be read is one.
    pub(crate) async fn get<T>(
        &self,
        url: Url,
        token: Option<&SecretString>,
        read: impl FnOnce(&[u8]) -> Result<T, GatewayError>,
    ) -> Result<T, GatewayError> {
        self.logged(Question::get(url, token), |answer| read(&answer.success()?)).await
    }

    /// What `read` makes of the answer to JSON that is posted, once, to an upstream that may take so much
    /// longer than others. A failure is one line in the log.
    pub(crate) async fn post<T>(
        &self,
        url: Url,
        body: &Value,
        more_time: Duration,
        read: impl FnOnce(&[u8]) -> Result<T, GatewayError>,
    ) -> Result<T, GatewayError> {
        let question = Question { url, token: None, body: Some(body), more_time };
        self.logged(question, |answer| read(&answer.success()?)).await
    }

    /// As [`Self::get`], where the API's own 404 is an answer like another: `None`, and no word in the
    /// log. By `is_missing` its body is known; any other 404 is a proxy's, and tells nothing.
    pub(crate) async fn find<T>(
        &self,
        url: Url,
        token: Option<&SecretString>,
        is_missing: impl FnOnce(&[u8]) -> bool,
        read: impl FnOnce(&[u8]) -> Result<T, GatewayError>,
    ) -> Result<Option<T>, GatewayError> {
        self.logged(Question::get(url, token), |answer| {
            if answer.status != StatusCode::NOT_FOUND {
                return read(&answer.success()?).map(Some);
            }
            if is_missing(&answer.body) {
                return Ok(None);
            }
            let start = beginning(&answer.body);
            Err(GatewayError::Malformed(format!("a 404 that is not the API's, begins with {start}").into()))
        })
        .await
    }

    async fn logged<T>(
        &self,
        question: Question<'_>,
        read: impl FnOnce(Answer) -> Result<T, GatewayError>,
    ) -> Result<T, GatewayError> {
        let attempts = Arc::new(AtomicU32::new(0));
        // Query strings may hold keys.
        let url = &question.url;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let place = format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path());
        let answer = self.attempt(question, &attempts).await;
        let status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
        let read = answer.and_then(read);
        if let Err(error) = &read {
            let reason = chain(error);
            let attempts = attempts.load(Ordering::Relaxed);
            tracing::error!(target: "malecon::upstream", upstream = place, attempts, status, reason, "an upstream failed");
        }
        read
    }

    async fn attempt(
        &self,
        question: Question<'_>,
        attempts: &Arc<AtomicU32>,
    ) -> Result<Answer, GatewayError> {
        let ClientOptions { timeout, retries, longest_wait, body_limit, .. } = self.options;
        let once = ClientBuilder::new(self.http.clone());
        let whole = Whole { limit: body_limit, attempts: Arc::clone(attempts) };
        let time = timeout + question.more_time;
        let (request, limit) = match question.body {
            Some(body) => (once.with(whole).build().post(question.url).json(body), time),
            None => {
                let hint = Hint::default();
                let patience = Patience::new(&self.options, hint.clone());
                let patience = RetryTransientMiddleware::new_with_policy_and_strategy(patience, Worth(hint));
                let client = once.with(patience).with(whole).build();
                (client.get(question.url), time * (retries + 1) + longest_wait)
            }
        };
        let request = match question.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let request = request.timeout(time);
        match tokio::time::timeout(limit, request.send()).await {
            Err(_) => Err(GatewayError::Unavailable(format!("no answer within {limit:?}").into())),
            Ok(Err(error)) => Err(classify(error)),
            Ok(Ok(response)) => {
                let (status, headers) = (response.status(), response.headers().clone());
                let body = response.bytes().await;
                let body = body.map_err(|error| GatewayError::Unavailable(error.without_url().into()))?;
                Ok(Answer { status, headers, body })
            }
        }
    }
}

/// Reads the whole body within the attempt, so that one that breaks off is an attempt that failed.
struct Whole {
    limit: usize,
    attempts: Arc<AtomicU32>,
}

/// The body is larger than we take.
#[derive(Debug, thiserror::Error)]
#[error("the body has more than {0} bytes")]
pub(crate) struct TooLarge(pub usize);

#[async_trait]
impl Middleware for Whole {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let response = next.run(request, extensions).await?;
        let mut whole = http::Response::builder().status(response.status());
        if let Some(headers) = whole.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if body.len() + chunk.len() > self.limit {
                return Err(reqwest_middleware::Error::middleware(TooLarge(self.limit)));
            }
            body.extend_from_slice(&chunk);
        }
        let whole = whole.body(body.freeze()).map_err(reqwest_middleware::Error::middleware)?;
        Ok(Response::from(whole))
    }
}

impl Answer {
    /// The body of a 2xx.
    pub fn success(self) -> Result<Bytes, GatewayError> {
        let Self { status, headers, body } = self;
        if status.is_success() {
            return Ok(body);
        }
        let said = said(status, &headers, &body);
        Err(match (status.as_u16(), retry_after(&headers)) {
            (429, retry_after) | (503, retry_after @ Some(_)) => GatewayError::RateLimited { retry_after },
            (408 | 425 | 500..=599, _) => GatewayError::Unavailable(said.into()),
            _ => GatewayError::Refused(said.into()),
        })
    }
}

/// What an error answer says, in a few words.
fn said(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !text(http::header::CONTENT_TYPE).contains("json") {
        return format!("status {}", status.as_u16());
    }
    let words: String =
        String::from_utf8_lossy(body).chars().filter(|letter| !letter.is_control()).take(200).collect();
    format!("status {}: {words}", status.as_u16())
}

fn classify(error: reqwest_middleware::Error) -> GatewayError {
    match bare(error) {
        reqwest_middleware::Error::Reqwest(error) => {
            // Its own text repeats the URL, whose query may hold a key.
            GatewayError::Unavailable(chain(&error.without_url()).into())
        }
        reqwest_middleware::Error::Middleware(error) => match error.downcast::<TooLarge>() {
            Ok(error) => GatewayError::Malformed(error.into()),
            Err(error) => GatewayError::Unavailable(chain(&*error).into()),
        },
    }
}

/// The error of the last attempt, out of the retries' wrapping.
fn bare(error: reqwest_middleware::Error) -> reqwest_middleware::Error {
    match error {
        reqwest_middleware::Error::Middleware(error) => match error.downcast::<RetryError>() {
            Ok(RetryError::WithRetries { err, .. } | RetryError::Error(err)) => bare(err),
            Err(error) => reqwest_middleware::Error::Middleware(error),
        },
        error => error,
    }
}

/// An error and what lies behind it, each said once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = vec![];
    for error in std::iter::successors(Some(error), |error| (*error).source()) {
        let text = match error.downcast_ref::<reqwest::Error>() {
            Some(error) if error.is_timeout() => "the attempt timed out".to_owned(),
            Some(error) if error.is_connect() => "no connection".to_owned(),
            Some(error) if error.is_redirect() => "a redirect was not followed".to_owned(),
            Some(_) => continue,
            None => error.to_string(),
        };
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    if texts.is_empty() { "the answer broke off".to_owned() } else { texts.join(": ") }
}
