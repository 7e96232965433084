//! Single flight: however many ask, one computes.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// By key: a number that no other computation has, and the computation.
type UnderWay<T> = Arc<Mutex<HashMap<String, (u64, WeakShared<Boxed<T>>)>>>;

/// A computation that any number of callers wait for.
pub(crate) type Flight<T> = Shared<Boxed<T>>;

/// Computations under way, by key. Whoever asks for a key that is being computed waits for that
/// computation; a caller that goes away does not stop it for the others.
pub(crate) struct Flights<T: Clone> {
    under_way: UnderWay<T>,
    next: AtomicU64,
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    pub(crate) fn new() -> Self {
        Self { under_way: Arc::default(), next: AtomicU64::new(0) }
    }

    /// The value under the key, computed by `make` unless somebody is computing it already.
    pub(crate) async fn join(&self, key: &str, make: impl Future<Output = T> + Send + 'static) -> T {
        self.board(key, make).0.await
    }

    /// The computation under the key, and whether it is a new one. Nothing drives it but those who
    /// wait for it.
    pub(crate) fn board(
        &self,
        key: &str,
        make: impl Future<Output = T> + Send + 'static,
    ) -> (Flight<T>, bool) {
        let mut flights = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(key).and_then(|(_, flight)| flight.upgrade()) {
            return (flight, false);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let landing = Landing { under_way: Arc::clone(&self.under_way), key: key.to_owned(), number };
        let flight = async move {
            let value = make.await;
            drop(landing);
            value
        };
        let flight = (Box::pin(flight) as Boxed<T>).shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key.to_owned(), (number, weak));
        }
        (flight, true)
    }
}

/// Clears the key when its computation ends: done, panicked or abandoned.
struct Landing<T: Clone> {
    under_way: UnderWay<T>,
    key: String,
    number: u64,
}

impl<T: Clone> Drop for Landing<T> {
    fn drop(&mut self) {
        let mut flights = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        // An abandoned flight may have been followed by one that still runs.
        if flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            flights.remove(&self.key);
        }
    }
}
