//! Other people's targets: calls of those that may be called, redirect by redirect.

mod fault;
mod guard;
mod step;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{AllowList, Call, CallFault, Received};
use malecon_ports::{CallError, TargetGateway};
use reqwest::header::{CONTENT_LENGTH, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, Request, Response};

use self::fault::fault;
pub(crate) use self::guard::Lookup;
use self::guard::{Guard, JUDGED, Judged, System};
pub(crate) use self::step::Step;

/// How targets are called.
#[derive(Clone, Debug)]
pub struct TargetOptions {
    /// What may be called beside the public Internet.
    pub allow: AllowList,
    /// Where we listen ourselves: not called unless the list names it, with its port.
    pub own: Vec<SocketAddr>,
    /// The `User-Agent` of calls that bring none.
    pub user_agent: String,
    /// How long the question for a name's addresses may take, and how long a connection.
    pub connect_timeout: Duration,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            allow: AllowList::default(),
            own: vec![],
            user_agent: concat!("malecon/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// Targets can't be called.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client for targets can be made")]
pub struct TargetsError(#[source] reqwest::Error);

/// Calls targets.
///
/// # Invariants
/// - Only addresses that the guard has judged for this very request are dialled: no connection is kept
///   for another one, the client's resolver knows nothing but them, and no proxy is asked.
/// - A request is sent once: nothing below repeats it.
pub struct Targets {
    http: reqwest::Client,
    guard: Guard,
}

impl Targets {
    /// Targets as this system finds them. Proxy variables of the environment change nothing.
    ///
    /// # Errors
    /// [`TargetsError`] when the system has no TLS to offer, or the `User-Agent` is none.
    pub fn new(options: TargetOptions) -> Result<Self, TargetsError> {
        Self::with_lookup(options, Arc::new(System))
    }

    pub(crate) fn with_lookup(options: TargetOptions, lookup: Arc<dyn Lookup>) -> Result<Self, TargetsError> {
        // An embedder may have chosen a provider already: then it is theirs.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "this is where clients are made")]
        let builder = reqwest::Client::builder();
        let http = builder
            .dns_resolver(Judged)
            .pool_max_idle_per_host(0)
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(options.connect_timeout)
            .user_agent(options.user_agent)
            .build()
            .map_err(TargetsError)?;
        let TargetOptions { allow, own, connect_timeout, .. } = options;
        Ok(Self { http, guard: Guard { allow, own, lookup, patience: connect_timeout } })
    }

    async fn follow(&self, call: &Call) -> Result<Received, CallError> {
        let mut step = Step::first(call)?;
        for redirects in 0..=call.redirects {
            let response = self.send(&step).await.map_err(|error| match redirects {
                0 => error,
                _ => CallError { reason: format!("after a redirect: {}", error.reason), ..error },
            })?;
            let next = if call.redirects == 0 { None } else { step.next(&response)? };
            let Some(next) = next else {
                return receive(response, (redirects > 0).then(|| step.url.to_string())).await;
            };
            step = next;
        }
        Err(fault(CallFault::Redirect, format!("it redirects more than {} times", call.redirects)))
    }

    async fn send(&self, step: &Step) -> Result<Response, CallError> {
        let addresses = self.guard.addresses(&step.url).await?;
        let mut request = Request::new(step.method.clone(), step.url.clone());
        request.headers_mut().clone_from(&step.headers);
        if !step.body.is_empty() {
            *request.body_mut() = Some(step.body.clone().into());
        } else if [Method::POST, Method::PUT, Method::PATCH].contains(&step.method) {
            // The client would not say that nothing comes (RFC 9110, 8.6).
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let answer = JUDGED.scope(addresses, async { self.http.execute(request).await }).await;
        answer.map_err(|error| fault::of(&error))
    }
}

/// The answer with as much of its body as is kept; the rest is left to the target, with the connection.
async fn receive(mut response: Response, redirected_to: Option<String>) -> Result<Received, CallError> {
    let headers = response.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let (status, headers) = (response.status().as_u16(), headers.collect());
    // Room that nothing is written to takes no memory; what grows would take twice as much as it needs.
    let (mut body, mut truncated) = (Vec::with_capacity(Received::MOST_BYTES), false);
    while !truncated && let Some(chunk) = response.chunk().await.map_err(|error| fault::of(&error))? {
        let room = Received::MOST_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        truncated = chunk.len() > room;
    }
    Ok(Received { status, headers, body, truncated, redirected_to })
}

#[async_trait]
impl TargetGateway for Targets {
    async fn judge(&self, url: &str) -> Result<(), CallError> {
        self.guard.addresses(&guard::read(url)?).await.map(drop)
    }

    fn lane(&self, url: &str) -> Result<String, CallError> {
        let url = guard::read(url)?;
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        Ok(format!("{host}:{}", url.port_or_known_default().unwrap_or_default()))
    }

    fn origin(&self, url: &str) -> Result<String, CallError> {
        Ok(guard::read(url)?.origin().ascii_serialization())
    }

    async fn call(&self, call: &Call) -> Result<Received, CallError> {
        tokio::time::timeout(call.timeout, self.follow(call)).await.unwrap_or_else(|_| {
            Err(fault(CallFault::Timeout, format!("no whole answer within {:?}", call.timeout)))
        })
    }
}
