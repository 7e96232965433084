//! What stands before every handler, in one layer: request ids, limits, problems, CORS, security
//! headers, HEAD and OPTIONS, logs and metrics.

mod cors;
mod host;
mod ids;
mod meters;
mod routes;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use http_body::Body as _;
use http_body_util::combinators::BoxBody;
use malecon::Answers;
use poem::http::header;
use poem::http::{HeaderValue, Method, StatusCode, Uri, Version, uri};
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use crate::auth::{Metered, authenticate};
use crate::client::ClientAddress;
use crate::file::is_passed_on;
use crate::lane::{Lane, Route};
use crate::problem::{NOWHERE, Problem};
use crate::ready::accepts_gzip;
use crate::services::{HttpSettings, Services};
use cors::Cors;
use ids::{Ids, REQUEST_ID};
use meters::Meters;
pub(crate) use routes::Routes;

const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           img-src data:; connect-src 'self'; frame-ancestors 'none'";

/// The layer.
pub(crate) struct Wall<E> {
    inner: E,
    routes: Routes,
    cors: Cors,
    settings: HttpSettings,
    lane: Lane,
    services: Arc<Services>,
    answers: Answers,
    ids: Ids,
    meters: Meters,
}

impl<E: Endpoint> Wall<E> {
    pub fn new(inner: E, routes: Routes, settings: HttpSettings, services: Arc<Services>) -> Self {
        let lane = Lane::new(services.countries.clone());
        let answers = services.answers.clone();
        let cors = Cors::new(&settings.cors_origins);
        let (ids, meters) = (Ids::new(), Meters::default());
        Self { inner, routes, cors, settings, lane, services, answers, ids, meters }
    }

    /// The answer without what all answers have.
    async fn answer(
        &self,
        mut request: Request,
        head: bool,
        client: Option<ClientAddress>,
        metered: &mut Option<Metered>,
    ) -> Result<Response, Problem> {
        if request.method() == Method::OPTIONS {
            let allow = self.routes.allowed(request.uri().path()).ok_or_else(not_found)?;
            return Ok(Response::builder()
                .status(StatusCode::NO_CONTENT)
                .header(header::ALLOW, allow)
                .finish());
        }
        if head {
            request.set_method(Method::GET);
        }
        if let Some(response) = self.lane.answer(&request, self.answers.now()) {
            return Ok(response);
        }
        *metered = Some(Metered::on(&mut request));
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        if let Some(response) = self.lane.answer_known(&request, self.answers.now())
            && let Some(token) = bearer(&request)
        {
            authenticate(&self.services, &request, &token).await?;
            return Ok(response);
        }
        self.handled(request).await
    }

    /// The answer of the handlers.
    async fn handled(&self, mut request: Request) -> Result<Response, Problem> {
        if has_body(&request) && !is_passed_on(&request) {
            let body = self.read_body(&mut request).await?;
            request.set_body(body);
        }
        let uri = request.uri().clone();
        let method = request.method().clone();
        let gzip = accepts_gzip(request.headers());
        let presented_token = request.headers().contains_key(header::AUTHORIZATION);
        let outcome = AssertUnwindSafe(self.inner.call(request)).catch_unwind().await;
        match outcome {
            Ok(Ok(response)) => {
                let response = response.into_response();
                self.lane.keep(&method, &uri, gzip, &self.routes, &response);
                Ok(response)
            }
            Ok(Err(error)) => Err(Problem::of(&error, presented_token)),
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                tracing::error!(path = uri.path(), %said, "a handler panicked");
                Err(Problem::internal())
            }
        }
    }

    /// The whole body, or 413 when it is too large and 408 when it takes too long.
    async fn read_body(&self, request: &mut Request) -> Result<bytes::Bytes, Problem> {
        let limit = self.settings.max_body;
        let too_large = || {
            let detail = format!("a body has at most {limit} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
        };
        if request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(length)
            .is_some_and(|length| length > limit as u64)
        {
            return Err(too_large());
        }
        let read = request.take_body().into_bytes_limit(limit);
        match tokio::time::timeout(self.settings.body_timeout, read).await {
            Err(_) => {
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body took too long"))
            }
            Ok(Ok(body)) => Ok(body),
            Ok(Err(poem::error::ReadBodyError::PayloadTooLarge)) => Err(too_large()),
            Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "malformed_body", "the body broke off")),
        }
    }
}

impl<E: Endpoint> Endpoint for Wall<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let begun = Instant::now();
        let id = self.ids.of(&request);
        let client = ClientAddress::of(&request, &self.settings.trusted_proxies);
        let meant = host::check(&request);
        let is_http1 = request.version() < Version::HTTP_2;
        trim_slash(&mut request);
        let method = request.method().clone();
        let uri = request.uri().clone();
        let head = method == Method::HEAD;
        let share = self.cors.share(&request);

        let mut metered = None;
        let is_misdirected = meant.is_err();
        let outcome = match meant {
            Err(problem) => Err(problem),
            Ok(()) if share.is_preflight => Ok(share.preflight()),
            Ok(()) => self.answer(request, head, client, &mut metered).await,
        };
        let mut failure = None;
        let mut response = outcome.unwrap_or_else(|problem| {
            failure = problem.failure();
            let mut response = problem.respond(&id, uri.path().starts_with("/v3.1"));
            let allow =
                (problem.status == StatusCode::METHOD_NOT_ALLOWED).then(|| self.routes.allowed(uri.path()));
            response.headers_mut().extend(allow.flatten().map(|allow| (header::ALLOW, allow)));
            response
        });

        let elapsed = begun.elapsed();
        let status = response.status();
        let route = match response.data::<Route>() {
            Some(route) => &route.0,
            None => self.routes.name(uri.path()),
        };
        self.meters.record(&method, route, status.as_u16(), elapsed);
        let from = client.map(|client| tracing::field::display(client.0));
        tracing::debug!(%method, path = uri.path(), status = status.as_u16(), ?elapsed, client = from, request_id = %id, "answered");
        if let Some(reason) = failure {
            tracing::warn!(%method, path = uri.path(), status = status.as_u16(), ?elapsed, client = from, request_id = %id, reason, "failed");
        }
        if is_misdirected && is_http1 {
            // What follows on this connection may be read differently by whom it came through.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        share.mark(response.headers_mut());
        if let Some(metered) = metered {
            metered.mark(response.headers_mut());
        }
        finish(&mut response, &id, uri.path());
        if head {
            response = without_body(response);
        }
        Ok(response)
    }
}

/// The token that the request presents; how it may be written else, the handlers know.
fn bearer(request: &Request) -> Option<String> {
    let presented = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    presented.strip_prefix("Bearer ").map(str::to_owned)
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", NOWHERE)
}

/// `/path/` is `/path`, and under `/v3.1` `//` is `/`, as it was.
fn trim_slash(request: &mut Request) {
    let path = request.uri().path();
    let is_old = path.contains("//") && path.trim_start_matches('/').starts_with("v3.1");
    if !is_old && (path.len() < 2 || !path.ends_with('/')) {
        return;
    }
    let single: String;
    let path = if is_old {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        single = format!("/{}", segments.join("/"));
        &single
    } else {
        path
    };
    let trimmed = path.trim_end_matches('/');
    let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = uri::Parts::default();
    parts.path_and_query = target.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

fn has_body(request: &Request) -> bool {
    let headers = request.headers();
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).and_then(length).is_some_and(|length| length > 0)
}

fn length(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// The headers that every answer has.
fn finish(response: &mut Response, id: &str, path: &str) {
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(id).map(|id| (REQUEST_ID, id)));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = if path == "/api/docs" { PAGE_POLICY } else { "default-src 'none'; frame-ancestors 'none'" };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// The answer to HEAD: all but the body, whose length it tells.
fn without_body(mut response: Response) -> Response {
    let body: BoxBody<bytes::Bytes, std::io::Error> = response.take_body().into();
    if let Some(length) = body.size_hint().exact().filter(|_| response.status() == StatusCode::OK) {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
