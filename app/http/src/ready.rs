//! Answers that are ready bytes: validators, ages, and what caches may do with them.

use std::fmt::Write;
use std::io::Write as _;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use malecon::domain::{DataVersion, Freshness, Instant, Sourced};
use malecon::{Answer, Answers, Draft, ServiceError, Source};
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Request, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use serde::Serialize;

use crate::lane::Ticket;
use crate::problem::Problem;

/// How long a public answer is kept, here and in other caches.
const FRESH: Duration = Duration::from_secs(300);
/// Bodies below this are not worth compressing.
const SMALL: usize = 1024;
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// An answer whose body is a `T` in JSON.
pub(crate) struct Ready<T> {
    response: Response,
    body: PhantomData<fn() -> T>,
}

/// What goes on around the body.
pub(crate) struct Frame {
    pub content_type: &'static str,
    /// When the data last changed.
    pub modified: Option<Instant>,
    /// The file's name, for what is to be saved.
    pub file: Option<&'static str>,
    /// The revision that the validator names, for what also changes without one.
    pub revision: Option<i64>,
}

impl Frame {
    /// Nothing but the media type.
    pub fn plain(content_type: &'static str) -> Self {
        Self { content_type, modified: None, file: None, revision: None }
    }

    /// JSON made of data that last changed at an instant.
    pub fn json(modified: Instant) -> Self {
        Self { modified: Some(modified), ..Self::plain("application/json") }
    }
}

/// Whom an answer that is made each time is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everybody: caches may keep it, and ask each time whether it is still so.
    All,
    /// This caller alone.
    Caller,
}

impl Audience {
    fn cache_control(self) -> &'static str {
        match self {
            Self::All => "public, max-age=0, must-revalidate",
            Self::Caller => "private, no-cache",
        }
    }
}

impl<T> Ready<T> {
    /// The public answer under `key`, made of this version of the countries by `make` when it is not
    /// there.
    pub async fn public<F>(
        request: &Request,
        answers: &Answers,
        (version, key): (DataVersion, &str),
        frame: Frame,
        make: F,
    ) -> Result<Self, Problem>
    where
        F: Future<Output = Result<Draft, ServiceError>> + Send + 'static,
    {
        let (answer, source) = if accepts_gzip(request.headers()) {
            let (plain, inner) = (key.to_owned(), answers.clone());
            let zipped = async move {
                let (answer, _) = inner.get_or_make(&plain, FRESH, make).await?;
                Ok(Draft { body: compressed(answer.body), note: answer.note })
            };
            answers.get_or_make(&format!("gz:{key}"), FRESH, zipped).await?
        } else {
            answers.get_or_make(key, FRESH, make).await?
        };
        let public = Public::new(answer, &frame, "public, max-age=300");
        let status = match source {
            Source::Hit => None,
            Source::Made => Some(HeaderValue::from_static("malecon; fwd=miss; stored")),
        };
        let mut response = public.respond(request, answers.now(), status);
        response.set_data(Ticket::new(public, version));
        Ok(Self { response, body: PhantomData })
    }

    /// An answer for this caller alone, kept nowhere.
    pub fn private(request: &Request, body: Vec<u8>, content_type: &'static str, now: Instant) -> Self {
        let answer = Answer::new(Draft::from(Bytes::from(body)), now);
        let response = Public::new(answer, &Frame::plain(content_type), "private, no-cache").bare(request);
        Self { response, body: PhantomData }
    }

    /// What somebody else's API gave, made into an answer by `make` unless that was done before. It
    /// is not asked again for `ttl`.
    pub async fn sourced<V, F>(
        request: &Request,
        answers: &Answers,
        key: &str,
        found: &Sourced<V>,
        ttl: Duration,
        make: F,
    ) -> Result<Self, Problem>
    where
        F: Future<Output = Result<Draft, ServiceError>> + Send + 'static,
    {
        let kept = Kept::make(answers, key, (found.at, ttl), make).await?;
        let mut response = kept.respond(request, answers.now(), found.freshness);
        if matches!(found.freshness, Freshness::Fetched | Freshness::Kept) {
            response.set_data(kept);
        }
        Ok(Self { response, body: PhantomData })
    }

    /// The same for everybody, whom other caches may give it for as long as it is as good as new.
    pub async fn sourced_openly<V, F>(
        request: &Request,
        answers: &Answers,
        key: &str,
        found: &Sourced<V>,
        ttl: Duration,
        make: F,
    ) -> Result<Self, Problem>
    where
        F: Future<Output = Result<Draft, ServiceError>> + Send + 'static,
    {
        let kept = Kept::make(answers, key, (found.at, ttl), make).await?;
        let now = answers.now();
        let mut response = kept.respond(request, now, found.freshness);
        // Its age counts, since it says it.
        let age = kept.age(now);
        let good = (age + ttl.saturating_sub(age).min(FRESH)).as_secs();
        if let Ok(control) = HeaderValue::try_from(format!("public, max-age={good}")) {
            response.headers_mut().insert(header::CACHE_CONTROL, control);
        }
        Ok(Self { response, body: PhantomData })
    }

    /// A value for this caller alone, with the links of a list.
    pub fn own(request: &Request, body: &impl Serialize, link: &str, now: Instant) -> Result<Self, Problem> {
        Self::listed(request, Audience::Caller, body, link, now)
    }

    /// A value with the links of a list.
    pub fn listed(
        request: &Request,
        audience: Audience,
        body: &impl Serialize,
        link: &str,
        now: Instant,
    ) -> Result<Self, Problem> {
        Self::framed(request, audience, body, link, now, Frame::plain("application/json"))
    }

    /// A value for this caller alone, whose validator names its revision.
    pub fn revised(
        request: &Request,
        body: &impl Serialize,
        revision: i64,
        now: Instant,
    ) -> Result<Self, Problem> {
        Self::shown(request, Audience::Caller, body, revision, now)
    }

    /// A value whose validator names its revision.
    pub fn shown(
        request: &Request,
        audience: Audience,
        body: &impl Serialize,
        revision: i64,
        now: Instant,
    ) -> Result<Self, Problem> {
        let frame = Frame { revision: Some(revision), ..Frame::plain("application/json") };
        Self::framed(request, audience, body, "", now, frame)
    }

    fn framed(
        request: &Request,
        audience: Audience,
        body: &impl Serialize,
        link: &str,
        now: Instant,
        frame: Frame,
    ) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(|_| Problem::internal())?;
        let draft = Draft { body: Bytes::from(body), note: Bytes::copy_from_slice(link.as_bytes()) };
        let answer = Answer::new(draft, now);
        let response = Public::new(answer, &frame, audience.cache_control()).bare(request);
        Ok(Self { response, body: PhantomData })
    }

    /// The same answer as a 503, to be asked for again soon.
    pub fn unavailable(mut self) -> Self {
        self.response.set_status(StatusCode::SERVICE_UNAVAILABLE);
        self.response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        self
    }
}

/// What somebody else's API gave, as the same answer for every caller who may have it.
#[derive(Clone)]
pub(crate) struct Kept {
    public: Public,
    /// When it was given.
    at: Instant,
    /// How long it is as good as new.
    ttl: Duration,
}

impl Kept {
    /// The answer under the key, made by `make` when it is not there, of what was given then.
    async fn make<F>(
        answers: &Answers,
        key: &str,
        (at, ttl): (Instant, Duration),
        make: F,
    ) -> Result<Self, ServiceError>
    where
        F: Future<Output = Result<Draft, ServiceError>> + Send + 'static,
    {
        let (answer, _) = answers.get_or_make(key, FRESH, make).await?;
        let public = Public::new(answer, &Frame::plain("application/json"), "private, no-cache");
        Ok(Self { public, at, ttl })
    }

    /// Bytes of the body.
    pub fn size(&self) -> usize {
        self.public.size()
    }

    /// The same again; `None` when it is not as good as new any more.
    pub fn hit(&self, request: &Request, now: Instant) -> Option<Response> {
        (self.age(now) < self.ttl).then(|| self.respond(request, now, Freshness::Kept))
    }

    fn age(&self, now: Instant) -> Duration {
        (now - self.at).to_std().unwrap_or_default()
    }

    fn respond(&self, request: &Request, now: Instant, freshness: Freshness) -> Response {
        let mut response = self.public.bare(request);
        let age = self.age(now);
        let left = self.ttl.as_secs() as i64 - age.as_secs() as i64;
        let status = match freshness {
            Freshness::Fetched => "malecon; fwd=miss; stored".to_owned(),
            Freshness::Kept => format!("malecon; hit; ttl={left}"),
            Freshness::Revalidating => format!("malecon; hit; ttl={left}; detail=revalidating"),
            Freshness::StandingIn => "malecon; hit; fwd=stale; detail=upstream_unavailable".to_owned(),
        };
        let headers = response.headers_mut();
        headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
        headers.extend(HeaderValue::try_from(status).map(|status| (CACHE_STATUS, status)));
        response
    }
}

/// A public answer and the headers that are the same each time it is given.
#[derive(Clone)]
pub(crate) struct Public {
    answer: Answer,
    etag: HeaderValue,
    /// Of the answer with its body.
    whole: Arc<[(HeaderName, HeaderValue)]>,
    /// Of the answer without, and of the one with.
    always: Arc<[(HeaderName, HeaderValue)]>,
}

impl Public {
    /// Bytes of the body.
    pub fn size(&self) -> usize {
        self.answer.body.len()
    }

    /// The answer from the cache; `None` when it is too old.
    pub fn hit(&self, request: &Request, now: Instant) -> Option<Response> {
        (self.answer.age(now) < FRESH).then(|| self.respond(request, now, None))
    }

    fn new(answer: Answer, frame: &Frame, cache_control: &'static str) -> Self {
        let etag = etag(&answer, frame.revision);
        let mut whole = vec![(header::CONTENT_TYPE, HeaderValue::from_static(frame.content_type))];
        if answer.body.starts_with(GZIP) {
            whole.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        if let Some(file) = frame.file {
            let disposition = format!("attachment; filename=\"{file}\"");
            whole
                .extend(HeaderValue::try_from(disposition).map(|value| (header::CONTENT_DISPOSITION, value)));
        }
        let cache_control = (header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        let mut always = vec![(header::ETAG, etag.clone()), cache_control];
        if let Some(modified) = frame.modified {
            let date = httpdate::fmt_http_date(SystemTime::from(modified));
            always.extend(HeaderValue::try_from(date).map(|date| (header::LAST_MODIFIED, date)));
        }
        if !answer.note.is_empty() {
            always.extend(HeaderValue::from_bytes(&answer.note).map(|link| (header::LINK, link)));
        }
        Self { answer, etag, whole: whole.into(), always: always.into() }
    }

    /// The answer, or 304 for a client that has it.
    fn bare(&self, request: &Request) -> Response {
        let tags = request.headers().get_all(header::IF_NONE_MATCH);
        let known = tags.iter().any(|value| names(value, &self.etag));
        let mut response = if known {
            Response::builder().status(StatusCode::NOT_MODIFIED).finish()
        } else {
            Response::builder().body(self.answer.body.clone())
        };
        let headers = response.headers_mut();
        // Room for all that this answer and the wall add: growing step by step costs more.
        headers.reserve(24);
        headers.extend(self.always.iter().cloned());
        if !known {
            headers.extend(self.whole.iter().cloned());
        }
        response
    }

    /// The answer with its age; a hit unless `status` says otherwise.
    fn respond(&self, request: &Request, now: Instant, status: Option<HeaderValue>) -> Response {
        let age = self.answer.age(now);
        let mut response = self.bare(request);
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
        let status = status.unwrap_or_else(|| {
            let mut text = String::with_capacity(32);
            let _ = write!(text, "malecon; hit; ttl={}", FRESH.saturating_sub(age).as_secs());
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("malecon; hit"))
        });
        headers.insert(CACHE_STATUS, status);
        response
    }
}

/// RFC 3339 in UTC, to the microsecond.
pub(crate) fn rfc3339(instant: Instant) -> String {
    instant.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The validator of a value that has this revision, as a GET of it has.
pub(crate) fn revised_etag(
    body: &impl Serialize,
    revision: i64,
    now: Instant,
) -> Result<HeaderValue, Problem> {
    let body = serde_json::to_vec(body).map_err(|_| Problem::internal())?;
    Ok(etag(&Answer::new(Draft::from(Bytes::from(body)), now), Some(revision)))
}

fn etag(answer: &Answer, revision: Option<i64>) -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'"'; 34];
    for (pair, byte) in text[1..33].chunks_exact_mut(2).zip(answer.digest) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    let value = match revision {
        Some(revision) => {
            let digest = String::from_utf8_lossy(&text[1..]);
            HeaderValue::try_from(format!("\"{revision}-{digest}"))
        }
        None => HeaderValue::from_bytes(&text),
    };
    value.unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether an `If-None-Match` names the tag: weak comparison (RFC 9110, 13.1.2).
fn names(value: &HeaderValue, etag: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    text.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag.as_bytes())
}

/// Whether an `If-Match` names the tag: strong comparison (RFC 9110, 13.1.1).
pub(crate) fn names_strongly(value: &HeaderValue, etag: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    text.split(',').map(str::trim).any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}

/// Whether an `If-Match` names a revision, whatever else has changed beside it.
pub(crate) fn names_revision(value: &HeaderValue, revision: i64) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let start = format!("\"{revision}-");
    text.split(',').map(str::trim).any(|tag| tag == "*" || tag.starts_with(&start))
}

const GZIP: &[u8] = &[0x1f, 0x8b, 8];

fn compressed(body: Bytes) -> Bytes {
    if body.len() < SMALL || body.starts_with(b"PK") {
        return body;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(6));
    match encoder.write_all(&body).and_then(|()| encoder.finish()) {
        Ok(bytes) => Bytes::from(bytes),
        Err(_) => body,
    }
}

pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused =
            parts.filter_map(|part| part.strip_prefix("q=")).any(|q| q.parse().is_ok_and(|q: f32| q <= 0.0));
        named && !refused
    })
}

impl<T> IntoResponse for Ready<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T: Type> ApiResponse for Ready<T> {
    fn meta() -> MetaResponses {
        let text = |name: &str, about: &str| MetaHeader {
            name: name.to_owned(),
            description: Some(about.to_owned()),
            required: false,
            deprecated: false,
            schema: String::schema_ref(),
        };
        let headers = || {
            vec![
                text("ETag", "Validator for If-None-Match"),
                text("Age", "Seconds since the answer was made"),
                text("Cache-Status", "Where the answer came from (RFC 9211)"),
                text("Link", "Neighbouring pages of a list"),
            ]
        };
        let response = |status, description, content| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content,
            headers: headers(),
        };
        let schema: MetaSchemaRef = T::schema_ref();
        MetaResponses {
            responses: vec![
                response(200, "The answer", vec![MetaMediaType { content_type: "application/json", schema }]),
                response(304, "The client has it: If-None-Match names its ETag", vec![]),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// The same response, documented as another kind of body.
macro_rules! other_body {
    ($(#[$about:meta])* $name:ident, $content_type:expr, $format:expr) => {
        $(#[$about])*
        pub(crate) struct $name(pub Ready<String>);

        impl IntoResponse for $name {
            fn into_response(self) -> Response {
                self.0.into_response()
            }
        }

        impl ApiResponse for $name {
            fn meta() -> MetaResponses {
                let mut meta = Ready::<String>::meta();
                for content in meta.responses.iter_mut().flat_map(|response| &mut response.content) {
                    let schema = MetaSchema { format: $format, ..MetaSchema::new("string") };
                    *content = MetaMediaType { content_type: $content_type, schema: MetaSchemaRef::Inline(Box::new(schema)) };
                }
                meta
            }

            fn register(_: &mut Registry) {}
        }
    };
}

other_body!(
    /// A file to be saved.
    File, Self::XLSX, Some("binary")
);
other_body!(
    /// A page.
    Html, "text/html; charset=utf-8", None
);
other_body!(
    /// Plain text.
    Text, "text/plain", None
);

impl File {
    /// Media type of an Excel workbook.
    pub const XLSX: &'static str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
}
