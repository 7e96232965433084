//! Work that keeps a thread busy.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;

/// Work that does not give way until it is done.
pub type BlockingWork = Box<dyn FnOnce() + Send>;

/// Does work that keeps a thread busy away from the threads that others need, a few at once, and waits for
/// it no longer than a limit. This crate has no threads of its own.
///
/// ```
/// use malecon::Offload;
///
/// // Good enough where nobody else is served, e.g. in a script.
/// let at_once = Offload::new(|work| {
///     work();
///     Box::pin(async {})
/// });
/// ```
#[derive(Clone)]
pub struct Offload(Arc<dyn Fn(BlockingWork) -> BoxFuture<'static, ()> + Send + Sync>);

impl Offload {
    /// Work that this function does. The future that it returns ends when the work is done, or has taken
    /// longer than it may.
    pub fn new(run: impl Fn(BlockingWork) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    /// What it comes to; `None` when it takes too long.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let outcome = Arc::new(Mutex::new(None));
        let place = Arc::clone(&outcome);
        let work = move || {
            let done = work();
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        };
        (self.0)(Box::new(work)).await;
        outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
