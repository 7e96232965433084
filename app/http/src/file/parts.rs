//! The file in a multipart body, as it comes: nothing is held but the chunk under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use malecon::domain::FileName;
use malecon::ports::{Cause, File, FileContent};
use multer::{Error, Field, Multipart};
use poem::http::{StatusCode, header};
use poem::{Body, Request};

use crate::problem::{FieldError, Problem};

/// The part that is the file.
pub(super) const FILE: &str = "file";

/// Bytes of all that is not the file at most: heads, other parts, what stands around them.
pub(super) const MOST_BESIDE: usize = 64 * 1024;

/// Bytes that the file of a request has at least, by what the request says of its length.
pub(super) fn least(request: &Request) -> Option<u64> {
    let length: u64 = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    Some(length.saturating_sub(MOST_BESIDE as u64))
}

/// The file of a request, as soon as its head has come.
pub(super) async fn file(request: &Request, body: Body) -> Result<File, Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(|error| match error {
        Error::NoBoundary => malformed("the Content-Type names no boundary"),
        _ => {
            let detail = "the body's Content-Type must be multipart/form-data";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        }
    })?;
    let beside = Arc::new(Beside::default());
    let mut parts = Parts { parts: Multipart::new(sips(body, Arc::clone(&beside)), boundary), beside };
    let field = parts.next_file().await?.ok_or_else(|| {
        let detail = format!("the body has no part that is called {FILE}");
        Problem::invalid(vec![FieldError { pointer: format!("/{FILE}"), detail }])
    })?;
    Ok(File {
        name: FileName::clean(field.file_name().unwrap_or_default()),
        media_type: field.content_type().map(ToString::to_string),
        content: content(parts, field),
    })
}

/// What comes of the field, and then an end if there is no other file.
fn content(parts: Parts, field: Field<'static>) -> FileContent {
    parts.beside.let_through();
    let content = stream::try_unfold((parts, Some(field)), |(mut parts, field)| async move {
        if let Some(mut field) = field {
            if let Some(chunk) = field.chunk().await.map_err(problem)? {
                return Ok(Some((chunk, (parts, Some(field)))));
            }
            drop(field);
            parts.beside.restrict();
        }
        match parts.next_file().await? {
            None => Ok(None),
            Some(_) => {
                let detail = format!("there is more than one part that is called {FILE}");
                Err(Problem::invalid(vec![FieldError { pointer: format!("/{FILE}"), detail }]))
            }
        }
    });
    content.map(|chunk: Result<Bytes, Problem>| chunk.map_err(Cause::from)).boxed()
}

/// The parts of a body.
struct Parts {
    parts: Multipart<'static>,
    beside: Arc<Beside>,
}

impl Parts {
    /// The next part that is the file; what stands before it is thrown away.
    async fn next_file(&mut self) -> Result<Option<Field<'static>>, Problem> {
        while let Some(mut field) = self.parts.next_field().await.map_err(problem)? {
            if field.name() == Some(FILE) {
                return Ok(Some(field));
            }
            while field.chunk().await.map_err(problem)?.is_some() {}
        }
        Ok(None)
    }
}

/// How much more may come that is not the file. What reads parts would else hold a head without end.
struct Beside(AtomicUsize);

impl Default for Beside {
    fn default() -> Self {
        Self(AtomicUsize::new(MOST_BESIDE))
    }
}

impl Beside {
    /// What comes now is the file.
    fn let_through(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }

    /// The file is over.
    fn restrict(&self) {
        self.0.store(MOST_BESIDE, Ordering::Relaxed);
    }

    fn is_used_up(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn use_up(&self, bytes: usize) {
        let left = self.0.load(Ordering::Relaxed);
        if left != usize::MAX {
            self.0.store(left.saturating_sub(bytes), Ordering::Relaxed);
        }
    }
}

/// A body, chunk by chunk. After each one it has nothing for a moment: what reads parts takes all that
/// there is before it gives anything.
fn sips(body: Body, beside: Arc<Beside>) -> impl Stream<Item = Result<Bytes, Cause>> + Send + 'static {
    let mut chunks = body.into_bytes_stream();
    let mut has_given = false;
    stream::poll_fn(move |context| {
        if std::mem::take(&mut has_given) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if beside.is_used_up() {
            let detail = format!("beside its file, a body has at most {MOST_BESIDE} bytes");
            let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail);
            return Poll::Ready(Some(Err(Cause::from(problem))));
        }
        let next = chunks.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            beside.use_up(chunk.len());
            has_given = true;
        }
        next.map(|next| next.map(|chunk| chunk.map_err(Cause::from)))
    })
}

fn malformed(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_body", detail)
}

/// What is wrong with a body that is not read to its end.
fn problem(error: Error) -> Problem {
    match error {
        Error::StreamReadFailed(cause) => match cause.downcast::<Problem>() {
            Ok(problem) => *problem,
            Err(_) => malformed("the body broke off"),
        },
        Error::IncompleteStream | Error::IncompleteFieldData { .. } | Error::IncompleteHeaders => {
            malformed("the body ends before its last boundary")
        }
        error => malformed(&format!("the body is no multipart: {error}")),
    }
}
