//! No caller waits for ever for the store.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use malecon_ports::Clock;

use crate::ServiceError;

/// The work's answer, or `Unavailable` when it takes longer than `limit`.
pub(crate) async fn within<T, E: Into<ServiceError>>(
    clock: &dyn Clock,
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, ServiceError> {
    match select(pin!(work), clock.sleep(limit)).await {
        Either::Left((answer, _)) => answer.map_err(Into::into),
        Either::Right(_) => Err(ServiceError::store_unavailable(format!("no answer within {limit:?}"))),
    }
}
