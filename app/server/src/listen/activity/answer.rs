//! Requests and their answers, as long as they are under way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

use super::Activity;

/// A request whose answer is not whole yet.
#[derive(Debug)]
pub(in super::super) struct RequestUnderWay(pub(super) Arc<Activity>);

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        // First, so that nobody takes the connection for one that has been idle since before.
        self.0.since.store(self.0.now(), Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer: its request is under way until it is gone.
pub(in super::super) struct Answer<B> {
    body: B,
    request: RequestUnderWay,
    /// Its number, of HTTP/2.
    number: Option<u64>,
}

impl<B> Answer<B> {
    pub fn new(body: B, request: RequestUnderWay) -> Self {
        let activity = &request.0;
        let is_http2 = activity.is_http2.load(Ordering::Relaxed);
        let number = is_http2.then(|| activity.next_answer.fetch_add(1, Ordering::Relaxed));
        let answer = Self { body, request, number };
        answer.waits(true);
        answer
    }

    /// The client is asked whether it wants more before the body is; and who is asked is waited for.
    fn waits(&self, for_client: bool) {
        let (Some(number), activity) = (self.number, &self.request.0) else { return };
        if for_client {
            activity.waits().insert(number, activity.now());
        } else {
            activity.waits().remove(&number);
        }
    }
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.waits(false);
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.waits(frame.is_ready());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
