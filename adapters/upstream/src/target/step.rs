//! One request of a call, and the one that a redirect makes of it.

use bytes::Bytes;
use malecon_domain::{Call, CallFault, Header, HttpMethod, Payload};
use malecon_ports::CallError;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    LOCATION,
};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::fault::fault;
use super::guard;

/// Headers that tell of the body, and are nothing without it.
const OF_BODY: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION];

/// What is sent.
#[derive(Clone)]
pub(crate) struct Step {
    pub url: Url,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Step {
    /// What the call itself asks for.
    pub fn first(call: &Call) -> Result<Self, CallError> {
        let mut headers = HeaderMap::new();
        for (name, text) in &call.headers {
            let wrong = || fault(CallFault::Invalid, format!("the header `{name}` can't be sent"));
            let mut value = HeaderValue::from_str(text).map_err(|_| wrong())?;
            value.set_sensitive(Header::is_secret(name));
            headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
        }
        if let Some(payload) = &call.payload {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(match payload {
                Payload::Json(_) => "application/json",
                Payload::Text(_) => "text/plain; charset=utf-8",
            }));
        }
        Ok(Self {
            url: guard::read(&call.url)?,
            method: match call.method {
                HttpMethod::Get => Method::GET,
                HttpMethod::Head => Method::HEAD,
                HttpMethod::Post => Method::POST,
                HttpMethod::Put => Method::PUT,
                HttpMethod::Patch => Method::PATCH,
                HttpMethod::Delete => Method::DELETE,
            },
            headers,
            body: call.payload.as_ref().map(|payload| payload.text().to_owned().into()).unwrap_or_default(),
        })
    }

    /// What follows if the answer redirects, as browsers do it (Fetch, 4.4), but that none of the
    /// task's headers leave the origin that they were given to.
    pub fn next(&self, response: &Response) -> Result<Option<Self>, CallError> {
        let status = response.status();
        let location = response.headers().get(LOCATION).filter(|_| is_redirect(status));
        location.map(|location| self.redirected(status, location)).transpose()
    }

    pub fn redirected(&self, status: StatusCode, location: &HeaderValue) -> Result<Self, CallError> {
        let nowhere = |why: &str| fault(CallFault::Redirect, format!("it redirects to where {why}"));
        let url = std::str::from_utf8(location.as_bytes()).ok().and_then(|text| self.url.join(text).ok());
        let url = guard::read(url.ok_or_else(|| nowhere("no URL leads"))?.as_str())
            .map_err(|error| nowhere(&format!("no task goes: {}", error.reason)))?;
        if self.url.scheme() == "https" && url.scheme() != "https" {
            return Err(nowhere("nothing is encrypted"));
        }
        let mut next = Self { url, ..self.clone() };
        if becomes_get(status, &self.method) {
            next.method = Method::GET;
            next.body = Bytes::new();
            for name in OF_BODY {
                next.headers.remove(name);
            }
        }
        if next.url.origin() != self.url.origin() {
            // Whatever the task says is for the origin that it was said to: a secret may have any name.
            next.headers.clear();
            for name in OF_BODY.iter().filter(|_| !next.body.is_empty()) {
                next.headers.extend(self.headers.get(name).map(|value| (name.clone(), value.clone())));
            }
        }
        Ok(next)
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        303 => method != Method::GET && method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    }
}
