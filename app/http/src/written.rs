//! Answers to writes.

use std::marker::PhantomData;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use serde::Serialize;

use crate::problem::Problem;

/// Which statuses a write may answer with, and what they mean.
pub(crate) trait Statuses {
    const ALL: &'static [(u16, &'static str)];
}

/// 201: it was made.
pub(crate) struct Made;
/// 200: it was changed.
pub(crate) struct Changed;
/// 202: it will be done.
pub(crate) struct Accepted;
/// 201 or 200: it was made, or was there.
pub(crate) struct MadeOrThere;

impl Statuses for Made {
    const ALL: &'static [(u16, &'static str)] = &[(201, "It was made")];
}

impl Statuses for Changed {
    const ALL: &'static [(u16, &'static str)] = &[(200, "As it is now")];
}

impl Statuses for Accepted {
    const ALL: &'static [(u16, &'static str)] = &[(202, "It will be done")];
}

impl Statuses for MadeOrThere {
    const ALL: &'static [(u16, &'static str)] = &[(200, "It was there"), (201, "It was made")];
}

/// What was written, in JSON.
pub(crate) struct Written<T, S> {
    response: Response,
    kind: PhantomData<fn() -> (T, S)>,
}

impl<T: Serialize, S> Written<T, S> {
    /// 201; a GET of this address shows it, in a list where it has no address of its own.
    pub fn made(body: &T, location: &str) -> Result<Self, Problem> {
        Self::at(StatusCode::CREATED, body, location)
    }

    /// 202; a GET of this address shows what becomes of it.
    pub fn accepted(body: &T, location: &str) -> Result<Self, Problem> {
        Self::at(StatusCode::ACCEPTED, body, location)
    }

    /// The same, with its validator.
    pub fn tagged(mut self, etag: HeaderValue) -> Self {
        self.response.headers_mut().insert(header::ETAG, etag);
        self
    }

    fn at(status: StatusCode, body: &T, location: &str) -> Result<Self, Problem> {
        let mut written = Self::with(status, body)?;
        let location = HeaderValue::try_from(location).map(|value| (header::LOCATION, value));
        written.response.headers_mut().extend(location);
        Ok(written)
    }

    /// 200.
    pub fn there(body: &T) -> Result<Self, Problem> {
        Self::with(StatusCode::OK, body)
    }

    fn with(status: StatusCode, body: &T) -> Result<Self, Problem> {
        let bytes = serde_json::to_vec(body).map_err(|_| Problem::internal())?;
        let response = Response::builder().status(status).content_type("application/json").body(bytes);
        Ok(Self { response, kind: PhantomData })
    }
}

impl<T, S> IntoResponse for Written<T, S> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T: Type, S: Statuses> ApiResponse for Written<T, S> {
    fn meta() -> MetaResponses {
        let response = |(status, description): &(u16, &'static str)| MetaResponse {
            description,
            status: Some(*status),
            status_range: None,
            content: vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }],
            headers: if matches!(status, 201 | 202) { vec![location()] } else { vec![] },
        };
        MetaResponses { responses: S::ALL.iter().map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

fn location() -> MetaHeader {
    MetaHeader {
        name: "Location".to_owned(),
        description: Some("Where it can be seen, in a list if it has no address of its own".to_owned()),
        required: false,
        deprecated: false,
        schema: String::schema_ref(),
    }
}

/// 204: it is gone, and there is nothing to say.
pub(crate) struct Gone;

impl IntoResponse for Gone {
    fn into_response(self) -> Response {
        Response::builder().status(StatusCode::NO_CONTENT).finish()
    }
}

impl ApiResponse for Gone {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: "Done",
            status: Some(204),
            status_range: None,
            content: vec![],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}
