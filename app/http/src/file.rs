//! `/api/files`.

mod parts;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use malecon::FileError;
use malecon::ports::FileAnswer;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::{ApiResponse, OpenApi, Tags};
use serde_json::{Value, json};

use crate::auth::Caller;
use crate::problem::Problem;
use crate::services::Services;

/// Where files come in.
const PATH: &str = "/api/files";

#[derive(Tags)]
enum Tag {
    /// Files, passed on as they come to the service that keeps them.
    Files,
}

pub(crate) struct FileApi {
    pub services: Arc<Services>,
    /// How long a client may take over what comes before its file.
    pub patience: Duration,
}

#[OpenApi(tag = "Tag::Files")]
impl FileApi {
    /// Pass a file on
    ///
    /// The part `file` of a multipart body goes to the file service while it comes; what that answers is
    /// the answer. Its name is cleaned: no path, no control characters, at most 255 bytes, `file` if
    /// nothing is left. Other parts are left out. A file that is too large is a 413, at once if its
    /// length is known. When the file service fails: 502, 503 or 504, and it has no whole file, unless it
    /// is its answer alone that came too late; 503 (`files_not_configured`) when there is none.
    #[oai(path = "/api/files", method = "post", operation_id = "sendFile")]
    async fn send(&self, request: &Request, body: Body, caller: Caller) -> Result<Passed, Problem> {
        self.services.files.admit(&caller.0, parts::least(request))?;
        let file = tokio::time::timeout(self.patience, parts::file(request, body));
        let file = file.await.map_err(|_| FileError::Stalled)??;
        Ok(Passed(self.services.files.send(&caller.0, file).await?))
    }
}

/// Whether a request's body is passed on while it comes: then it has bounds of its own.
pub(crate) fn is_passed_on(request: &Request) -> bool {
    *request.method() == Method::POST && request.uri().path() == PATH
}

/// 201, in the words of the file service.
pub(crate) struct Passed(FileAnswer);

impl IntoResponse for Passed {
    fn into_response(self) -> Response {
        let FileAnswer { media_type, body } = self.0;
        let mut response = Response::builder().status(StatusCode::CREATED).body(body);
        let media_type = media_type.and_then(|text| HeaderValue::try_from(text).ok());
        response.headers_mut().extend(media_type.map(|value| (header::CONTENT_TYPE, value)));
        response
    }
}

impl ApiResponse for Passed {
    fn meta() -> MetaResponses {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::ANY));
        let response = MetaResponse {
            description: "What the file service says, JSON as a rule",
            status: Some(201),
            status_range: None,
            content: vec![MetaMediaType { content_type: "application/json", schema }],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        match error {
            FileError::TooLarge(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", error.to_string())
            }
            FileError::Stalled => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body took too long")
            }
            // What is wrong with a body was told by who reads it.
            FileError::Broken(cause) => match cause.downcast::<Self>() {
                Ok(problem) => *problem,
                Err(_) => Self::new(StatusCode::BAD_REQUEST, "malformed_body", "the body broke off"),
            },
            FileError::Service(error) => error.into(),
        }
    }
}

/// The body of the request, for the document.
pub(crate) fn body_document() -> Value {
    let file = json!({"type": "string", "format": "binary", "description": "The file"});
    let schema = json!({"type": "object", "required": [parts::FILE], "properties": {parts::FILE: file}});
    let example = json!({parts::FILE: "the bytes of map.png"});
    json!({"required": true, "content": {"multipart/form-data": {"schema": schema, "example": example}}})
}

/// An answer, for the document.
pub(crate) fn answer_example() -> Value {
    json!({"filename": "map.png"})
}
