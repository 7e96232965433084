//! Callers, by their bearer tokens, and how often they may call.

use std::sync::{Arc, OnceLock};

use malecon::domain::{Principal, RunId};
use malecon::ports::{Limit, Taken};
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{Request, Response};
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;

use crate::problem::{Problem, seconds};
use crate::ready::names_strongly;
use crate::services::Services;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// An API token, or an access token, in `Authorization: Bearer …`.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "token", checker = "check")]
pub(crate) struct Caller(pub Principal);

async fn check(request: &Request, bearer: Bearer) -> poem::Result<Principal> {
    let services = request.data::<Arc<Services>>().ok_or_else(Problem::internal)?;
    Ok(authenticate(services, request, &bearer.token).await?)
}

/// Who presents the token, if it may go on.
pub(crate) async fn authenticate(
    services: &Services,
    request: &Request,
    token: &str,
) -> Result<Principal, Problem> {
    let caller = services.tokens.authenticate(token).await?;
    let caller = caller.ok_or_else(|| Problem::unauthorized().with_code("invalid_token"))?;
    let Some(meter) = &services.meter else { return Ok(caller.principal) };
    // Who can't be counted is let through: the limit protects us, not the callers.
    let Ok(taken) = meter.count(&caller.meter_key).await else { return Ok(caller.principal) };
    if let Some(slot) = request.extensions().get::<Metered>() {
        let _ = slot.0.set((meter.limit(), taken));
    }
    if taken.granted {
        return Ok(caller.principal);
    }
    let detail = "this user has used up its requests for now";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
    Err(Problem { retry_after: Some(taken.reset), ..problem })
}

/// Where the check of a token leaves word for the wall.
#[derive(Clone, Default)]
pub(crate) struct Metered(Arc<OnceLock<(Limit, Taken)>>);

impl Metered {
    /// A place for the word on this request.
    pub fn on(request: &mut Request) -> Self {
        let metered = Self::default();
        request.extensions_mut().insert(metered.clone());
        metered
    }

    /// Tells the client what it has left, as draft-ietf-httpapi-ratelimit-headers says.
    pub fn mark(&self, headers: &mut HeaderMap) {
        let Some((limit, taken)) = self.0.get() else { return };
        let policy = format!("\"user\";q={};w={}", limit.quota, limit.window.as_secs());
        let left = format!("\"user\";r={};t={}", taken.remaining, seconds(taken.reset));
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
            headers.extend(HeaderValue::try_from(value).map(|value| (name, value)));
        }
    }
}

/// The number that a path names a user by; `me` is the caller.
pub(crate) fn user_id(caller: &Principal, id: &str) -> Result<i64, Problem> {
    match id {
        "me" => Ok(caller.user_id),
        id => number(id),
    }
}

/// The number in a path; what is none is not there.
pub(crate) fn number(id: &str) -> Result<i64, Problem> {
    id.parse().ok().filter(|number| *number > 0).ok_or_else(|| malecon::ServiceError::NotFound.into())
}

/// The run's number in a path; what is none is not there.
pub(crate) fn run_id(id: &str) -> Result<RunId, Problem> {
    id.parse().map_err(|_| malecon::ServiceError::NotFound.into())
}

/// What the client believes is there must be what is there, if it says so (`If-Match`).
pub(crate) fn precondition(request: &Request, now: &Response) -> Result<bool, Problem> {
    let etag = now.headers().get(header::ETAG);
    if_match(request, |value| etag.is_some_and(|etag| names_strongly(value, etag)))
}

/// Whether there is an `If-Match`; one of its values must name what is there.
pub(crate) fn if_match(request: &Request, names: impl Fn(&HeaderValue) -> bool) -> Result<bool, Problem> {
    let mut wanted = request.headers().get_all(header::IF_MATCH).iter().peekable();
    if wanted.peek().is_none() {
        return Ok(false);
    }
    if wanted.any(names) {
        return Ok(true);
    }
    let detail = "it is not what If-Match says";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, malecon::ServiceError::OUTDATED, detail))
}
