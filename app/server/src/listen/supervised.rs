//! A connection under a deadline whenever none of its requests is under way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper_util::server::graceful::GracefulConnection;
use tokio::time::{Sleep, sleep_until};

use super::Limits;
use super::activity::{Activity, End, Order};

/// So many times as long as over HTTP/1 a client of HTTP/2 may take over each part of an answer: it says
/// how much it wants, not how fast it takes that.
const STUCK: u32 = 10;

/// Drives a connection until it ends, has had its time, or is told to end.
///
/// Neither the choice of the protocol nor HTTP/2 has a timer of its own, and that of HTTP/1 does not tell
/// a slow head from a connection that is kept for later. The timer here is looked at only when it is due:
/// requests cost it nothing.
pub(super) struct Supervised<C> {
    connection: Pin<Box<C>>,
    activity: Arc<Activity>,
    limits: Arc<Limits>,
    timer: Pin<Box<Sleep>>,
    /// Since when it is to end, and why.
    ending: Option<(Instant, End)>,
}

impl<C: GracefulConnection> Supervised<C> {
    pub fn new(connection: C, activity: Arc<Activity>, limits: Arc<Limits>) -> Self {
        let begin = Instant::now() + limits.header_timeout;
        let timer = Box::pin(sleep_until(begin.into()));
        Self { connection: Box::pin(connection), activity, limits, timer, ending: None }
    }

    /// Takes no more requests: HTTP/1 ends after the present one, HTTP/2 says GOAWAY.
    fn end(&mut self, why: End) {
        if self.ending.is_none() {
            self.ending = Some((Instant::now(), why));
            self.connection.as_mut().graceful_shutdown();
        }
    }

    /// Says what there is to say, if the client takes it right now.
    fn last_poll(&mut self, cx: &mut Context<'_>, why: End) -> Poll<End> {
        self.end(why);
        let _ = self.connection.as_mut().poll(cx);
        Poll::Ready(self.why().unwrap_or(why))
    }

    fn why(&self) -> Option<End> {
        self.ending.map(|(_, why)| why)
    }

    /// When its time is up; `None` while a request is under way.
    fn deadline(&self) -> Option<(Instant, End)> {
        match self.ending {
            Some((told, why)) => Some((self.activity.last_deadline(&self.limits, told)?, why)),
            None => self.activity.deadline(&self.limits),
        }
    }
}

impl<C: GracefulConnection> Future for Supervised<C> {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = &mut *self;
        this.activity.listen(cx.waker());
        match this.activity.order() {
            Order::None => {}
            Order::Stop => this.end(End::Stopped),
            // A request that came meanwhile is answered.
            Order::Evict if this.activity.is_busy() => this.end(End::Evicted),
            Order::Evict => return this.last_poll(cx, End::Evicted),
            Order::Cut => return Poll::Ready(this.why().unwrap_or(End::Evicted)),
        }
        loop {
            if let Poll::Ready(ended) = this.connection.as_mut().poll(cx) {
                let end = if ended.is_ok() { End::Ended } else { End::Broken };
                return Poll::Ready(this.why().unwrap_or(end));
            }
            let deadline = this.deadline();
            // The timer may be due too early, which does no harm, and must not be due too late.
            if let Some((deadline, _)) = deadline
                && this.timer.deadline() > deadline.into()
            {
                this.timer.as_mut().reset(deadline.into());
            }
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            match deadline {
                None if this.activity.is_stuck(STUCK * this.limits.write_timeout) => {
                    return this.last_poll(cx, End::WriteTimeout);
                }
                None => {
                    let pause = this.limits.header_timeout.min(this.limits.idle_timeout);
                    this.timer.as_mut().reset((now + pause).into());
                }
                Some((deadline, _)) if now < deadline => this.timer.as_mut().reset(deadline.into()),
                Some((_, why)) if this.ending.is_some() => return Poll::Ready(why),
                Some((_, End::Idle)) => this.end(End::Idle),
                Some((_, why)) => return this.last_poll(cx, why),
            }
        }
    }
}
