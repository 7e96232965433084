//! `/api/events`: what happens to runs, while it happens, as server-sent events.

mod stream;

use std::sync::Arc;

use futures_util::FutureExt;
use poem::http::{HeaderName, StatusCode, header};
use poem::web::headers::HeaderMapExt;
use poem::web::headers::authorization::{Authorization, Bearer};
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};
use tokio::sync::watch;

use self::stream::{BEAT, Live, Streams};
use super::Tag;
use super::trace::EventBody;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::services::Services;

/// Asks nginx to hand events on as they come.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(crate) struct EventApi {
    services: Arc<Services>,
    stopping: Option<watch::Receiver<bool>>,
    streams: Streams,
}

impl EventApi {
    pub fn new(services: Arc<Services>, stopping: Option<watch::Receiver<bool>>) -> Self {
        Self { services, stopping, streams: Streams::default() }
    }
}

#[OpenApi(tag = "Tag::Tasks")]
impl EventApi {
    /// Watch runs
    ///
    /// Server-sent events: what happens to the caller's runs from now on, within a second. An event is
    /// `queued`, `started` (once for each attempt) or `finished`; its data is the JSON below, in one line.
    /// The same `id` is the same event: of more than 100 runs that are not over, some may be told late,
    /// twice or not at all. A comment comes every 15 seconds. What happens between two connections is not
    /// told: list the runs then. The stream ends with its token and with the server. A user has 10 streams
    /// at most; one more is a 429 (`too_many_streams`).
    #[oai(path = "/api/events", method = "get", operation_id = "watchTaskRuns")]
    async fn watch(&self, request: &Request, caller: Caller) -> Result<EventStream, Problem> {
        Query::read(request, &[])?;
        let bearer: Authorization<Bearer> =
            request.headers().typed_get().ok_or_else(Problem::unauthorized)?;
        let slot = self.streams.enter(caller.0.user_id).ok_or_else(|| {
            let detail = "there are too many streams of events already; close one, or try again later";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
        })?;
        let events = self.services.tasks.watch(&caller.0).await?;
        let (tokens, token) = (self.services.tokens.clone(), bearer.token().to_owned());
        let may_go_on = move || {
            let (tokens, token) = (tokens.clone(), token.clone());
            // While nobody can tell, it goes on: then there is nothing new either.
            async move { !matches!(tokens.authenticate(&token).await, Ok(None)) }.boxed()
        };
        let live = Live::new(events, (BEAT, Box::new(may_go_on)), self.stopping.clone(), slot);
        Ok(EventStream(Body::from_bytes_stream(live.lines())))
    }
}

/// Server-sent events.
pub(crate) struct EventStream(Body);

impl EventStream {
    const MEDIA_TYPE: &'static str = "text/event-stream";
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type(Self::MEDIA_TYPE)
            .header(header::CACHE_CONTROL, "no-store")
            .header(X_ACCEL_BUFFERING, "no")
            .body(self.0)
    }
}

impl ApiResponse for EventStream {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: "The events; the schema is that of their data",
            status: Some(200),
            status_range: None,
            content: vec![MetaMediaType { content_type: Self::MEDIA_TYPE, schema: EventBody::schema_ref() }],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        EventBody::register(registry);
    }
}
