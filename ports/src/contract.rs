//! Suites that every implementation of a port must pass.
//!
//! Each suite is a macro that takes an expression making a fresh, empty adapter, and expands to one
//! `#[tokio::test]` a promise; the calling crate needs `tokio` with `macros` and `rt`:
//!
//! ```ignore
//! mod my_cache {
//!     malecon_ports::cache_contract!(MyCache::new());
//! }
//! ```
//!
//! The expression may `.await`. What it makes lives as long as its test. Attributes for the tests may
//! follow it, e.g. `cache_contract!(MyCache::new(), #[ignore = "needs a server"])`.

pub mod activity;
pub mod cache;
pub mod country;
pub mod dog;
pub mod key;
pub mod limit;
pub mod lock;
pub mod movie;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod session;
pub mod task;
pub mod token;
pub mod user;

/// Expands to one test a promise. Not called directly: see the `…_contract!` macros.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($attributes:tt $make:expr, $suite:path, [$($name:ident),+ $(,)?]) => {
        $( $crate::contract_test!($attributes $make, $suite, $name); )+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! contract_test {
    ([$(#[$attribute:meta])*] $make:expr, $suite:path, $name:ident) => {
        $(#[$attribute])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            use $suite as suite;
            let adapter = $make;
            suite::$name(&adapter).await;
        }
    };
}

/// Asks again and again until the answer is yes, for stores whose time is not ours to turn.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if holds().await {
            return;
        }
        futures_timer::Delay::new(std::time::Duration::from_millis(5)).await;
    }
    panic!("10 s went by before {what}");
}
