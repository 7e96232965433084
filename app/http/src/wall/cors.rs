//! Which browsers may read what: everybody the open answers, exact origins the rest.

use poem::http::header::{self, HeaderMap};
use poem::http::{HeaderValue, Method, StatusCode};
use poem::{Request, Response};

const EXPOSED: &str =
    "ETag, Link, Location, Age, Cache-Status, Retry-After, X-Request-Id, Content-Disposition";
const ASKED: &str = "Authorization, Content-Type, If-None-Match, If-Match, Idempotency-Key, X-Request-Id";

/// The star does not stand for `Authorization`, and older browsers know no star.
const ANY: &str = "*, Authorization, Content-Type";

pub(super) struct Cors {
    origins: Vec<HeaderValue>,
}

/// What one request's origin may do.
pub(super) struct Share {
    /// Whether the request only asks what it may do.
    pub is_preflight: bool,
    open: bool,
    origin: Option<HeaderValue>,
}

impl Cors {
    /// Those of the origins that can stand in a header; others can't be sent by a browser.
    pub fn new(origins: &[String]) -> Self {
        Self { origins: origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect() }
    }

    pub fn share(&self, request: &Request) -> Share {
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN);
        let asked = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
        let is_preflight = request.method() == Method::OPTIONS && origin.is_some() && asked.is_some();
        let method = if is_preflight {
            asked.map_or(&b""[..], HeaderValue::as_bytes)
        } else {
            request.method().as_str().as_bytes()
        };
        let open = matches!(method, b"GET" | b"HEAD" | b"OPTIONS") && is_open(request.uri().path());
        let origin = origin.filter(|origin| self.origins.contains(origin)).cloned();
        Share { is_preflight, open, origin }
    }
}

/// Whether anybody may read the path without a token.
fn is_open(path: &str) -> bool {
    let under =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    under("/v3.1") || under("/api/dogs") || (under("/api/countries") && path != "/api/countries/sync")
}

impl Share {
    /// The answer to a preflight request; without permission it is as empty as any.
    pub fn preflight(&self) -> Response {
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        let headers = response.headers_mut();
        if self.open {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ANY));
        } else if self.origin.is_some() {
            let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ASKED));
        }
        if self.open || self.origin.is_some() {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        }
        response
    }

    /// Says on an answer who may read it.
    pub fn mark(&self, headers: &mut HeaderMap) {
        let origin = if self.open { Some(HeaderValue::from_static("*")) } else { self.origin.clone() };
        if !self.open {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}
