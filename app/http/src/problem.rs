//! Every failure as RFC 9457 `application/problem+json`, the framework's own included.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::time::Duration;

use malecon::ports::SecretError;
use malecon::{Fault, Lack, ServiceError};
use poem::error::{MethodNotAllowedError, NotFoundError, ResponseError};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::error::{AuthorizationError, ContentTypeError, ParseParamError, ParseRequestPayloadError};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

/// A failure, as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
    pub errors: Vec<FieldError>,
    pub retry_after: Option<Duration>,
    /// How much there may be of what is too much.
    pub limit: Option<u64>,
    /// What lies behind it, for the log alone.
    pub cause: Option<Box<str>>,
}

/// What is said of a path that is not there.
pub(crate) const NOWHERE: &str = "there is nothing under this path; /api/docs shows what there is";

/// So many wrong things of one request are told, the first ones.
pub(crate) const MOST_ERRORS: usize = 20;

/// One thing that is wrong with a request.
#[derive(Debug, Clone, Serialize, Object)]
pub(crate) struct FieldError {
    /// Where: a JSON pointer into the body, or `query/NAME`, `header/NAME` or `path/NAME`.
    #[oai(validator(min_length = 1))]
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// RFC 9457 problem details.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Problem")]
pub(crate) struct ProblemBody {
    /// A URI reference that names the kind of problem.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// This case in words.
    detail: String,
    /// Stable name of the kind, in snake_case.
    code: String,
    /// The request's id, as in the `X-Request-Id` header and the log.
    request_id: String,
    /// What is wrong with which part of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
    /// Of a quota that is exceeded (`quota_exceeded`): how much there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
}

/// The error body of restcountries v3.1.
#[derive(Serialize)]
struct V31Error<'a> {
    message: &'a str,
    status: u16,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, detail, errors: vec![], retry_after: None, limit: None, cause: None }
    }

    /// A 400 for query parameters.
    pub fn query(code: &'static str, errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, code, detail) }
    }

    /// What lies behind it, when it is a fault of ours or of what we depend on, and so is to be logged.
    pub fn failure(&self) -> Option<Box<str>> {
        let is_fault = self.cause.is_some() || self.status == StatusCode::INTERNAL_SERVER_ERROR;
        is_fault.then(|| self.cause.clone().unwrap_or_default())
    }

    pub fn with_code(self, code: &'static str) -> Self {
        Self { code, ..self }
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "a valid bearer token is needed")
    }

    /// The response for a request of this id. Under `/v3.1` what a client asked wrongly has the
    /// body that restcountries gave it.
    pub fn respond(&self, request_id: &str, v31: bool) -> Response {
        let old = v31 && matches!(self.status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST);
        let (content_type, body) = if old {
            let message = if self.status == StatusCode::NOT_FOUND { "Not Found" } else { "Bad Request" };
            ("application/json", serde_json::to_vec(&V31Error { message, status: self.status.as_u16() }))
        } else {
            let body = ProblemBody {
                kind: format!("urn:malecon:problem:{}", self.code),
                title: self.status.canonical_reason().unwrap_or("Problem").to_owned(),
                status: self.status.as_u16(),
                detail: self.detail.clone(),
                code: self.code.to_owned(),
                request_id: request_id.to_owned(),
                errors: (!self.errors.is_empty()).then(|| self.errors.clone()),
                limit: self.limit,
            };
            ("application/problem+json", serde_json::to_vec(&body))
        };
        let mut response = Response::builder()
            .status(self.status)
            .content_type(content_type)
            .header(header::CACHE_CONTROL, "no-store")
            .body(body.unwrap_or_default());
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let invalid = self.code == "invalid_token";
            let challenge = if invalid {
                "Bearer realm=\"malecon\", error=\"invalid_token\""
            } else {
                "Bearer realm=\"malecon\""
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let needs_wait =
            matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        if let Some(wait) = self.retry_after.or(needs_wait.then_some(Duration::from_secs(1))) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait).max(1)));
        }
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn as_response(&self) -> Response {
        self.respond("", false)
    }
}

/// What every operation may answer when it fails.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "What went wrong, as RFC 9457 problem details",
                status: None,
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/problem+json",
                    schema: ProblemBody::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match &error {
            ServiceError::NotFound => Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing"),
            ServiceError::Forbidden => Self::new(StatusCode::FORBIDDEN, "forbidden", error.to_string()),
            ServiceError::Conflict { code, detail, limit } => {
                let status = match *code {
                    ServiceError::OUTDATED => StatusCode::PRECONDITION_FAILED,
                    ServiceError::WRONG_PASSWORD => StatusCode::FORBIDDEN,
                    _ => StatusCode::CONFLICT,
                };
                Self { limit: *limit, ..Self::new(status, code, detail) }
            }
            ServiceError::Invalid(faults) => {
                let error = |fault: &Fault| FieldError {
                    pointer: format!("/{}", fault.member),
                    detail: fault.detail.clone(),
                };
                Self::invalid(faults.iter().map(error).collect())
            }
            ServiceError::Unauthenticated(detail) => {
                Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", *detail)
            }
            ServiceError::Limited { retry_after } => {
                let detail = "too many attempts; try again later";
                let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
                Self { retry_after: Some(*retry_after), ..problem }
            }
            ServiceError::Unavailable { what, lack, retry_after, source } => {
                let (status, code, words) = lacking(*lack);
                let problem = Self::new(status, code, format!("{what} {words}"));
                // What is not there yet, and too many at once, are no faults to be logged.
                let is_usual = matches!(lack, Lack::NotReady(_) | Lack::NotConfigured(_))
                    || matches!(source.downcast_ref(), Some(SecretError::Busy));
                let cause = (!is_usual).then(|| chain(&error));
                Self { retry_after: Some(*retry_after), cause, ..problem }
            }
            ServiceError::Internal(_) => Self { cause: Some(chain(&error)), ..Self::internal() },
        }
    }
}

/// Whole seconds, rounded up: who waits that long has waited long enough.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add((wait.subsec_nanos() > 0).into())
}

/// An error and what lies behind it, in one line.
fn chain(error: &dyn Error) -> Box<str> {
    let all = std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string);
    all.collect::<Vec<_>>().join(": ").into()
}

/// What a client is told of a part that is lacking.
fn lacking(lack: Lack) -> (StatusCode, &'static str, &'static str) {
    let down = StatusCode::SERVICE_UNAVAILABLE;
    match lack {
        Lack::Store => (down, "store_unavailable", "does not answer; try again later"),
        Lack::Ours => (down, "unavailable", "does not answer; try again later"),
        Lack::Upstream => (down, "upstream_unavailable", "does not answer; try again later"),
        Lack::UpstreamWrong => {
            (StatusCode::BAD_GATEWAY, "upstream_malformed", "answers what makes no sense; try again later")
        }
        Lack::UpstreamLate => {
            (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", "takes too long; try again later")
        }
        Lack::NotReady(code) => (down, code, "is not there yet; try again later"),
        Lack::NotConfigured(code) => (down, code, "is not configured"),
    }
}

impl Problem {
    /// A 422 for a body.
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        errors.truncate(MOST_ERRORS);
        let detail = errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail) }
    }

    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the fault is ours and has been logged")
    }

    /// The problem behind an error of a handler or of the framework.
    pub fn of(error: &poem::Error, presented_token: bool) -> Self {
        if let Some(problem) = error.downcast_ref::<Self>() {
            return problem.clone();
        }
        if error.is::<NotFoundError>() {
            return Self::new(StatusCode::NOT_FOUND, "not_found", NOWHERE);
        }
        if error.is::<MethodNotAllowedError>() {
            return Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path does not know the method",
            );
        }
        if error.is::<AuthorizationError>() {
            return if presented_token {
                let detail = "the bearer token is not valid";
                Self::new(StatusCode::UNAUTHORIZED, "invalid_token", detail)
            } else {
                Self::unauthorized()
            };
        }
        if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
            let error = FieldError { pointer: format!("query/{name}"), detail: reason.clone() };
            return Self::query("invalid_parameter", vec![error]);
        }
        if let Some(ParseRequestPayloadError { reason }) = error.downcast_ref() {
            return Self::new(StatusCode::BAD_REQUEST, "malformed_body", reason.clone());
        }
        if let Some(error) = error.downcast_ref::<ContentTypeError>() {
            return Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                error.to_string(),
            );
        }
        let status = error.status();
        if status.is_server_error() {
            tracing::error!(%error, "a request failed in the framework");
            return Self::internal();
        }
        let title = status.canonical_reason().unwrap_or("the request was refused");
        Self::new(status, "refused", title.to_lowercase())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.as_response()
    }
}
