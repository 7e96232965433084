//! Why a shield has nothing to give.

use std::sync::Arc;
use std::time::Duration;

use malecon_ports::GatewayError;

use crate::ServiceError;
use crate::error::Lack;

/// Why a shield has nothing to give.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ShieldError {
    /// The gateway failed, and nothing is kept that could stand in.
    #[error("the fetch failed")]
    Gateway {
        /// How long the upstream rests now.
        retry_after: Duration,
        /// What the gateway said.
        #[source]
        source: Arc<GatewayError>,
    },
    /// The upstream failed before and is not asked now.
    #[error("the upstream rests after a failure")]
    Resting {
        /// When it may be asked again.
        retry_after: Duration,
    },
    /// The caller's patience is over. The fetch goes on, and is kept when it lands.
    #[error("the upstream takes too long")]
    Late,
}

impl ShieldError {
    /// What it is to a caller of a use case; `what` names the source.
    pub fn into_service(self, what: &'static str) -> ServiceError {
        let (lack, retry_after) = match &self {
            Self::Gateway { retry_after, source } => (Lack::from(&**source), *retry_after),
            Self::Resting { retry_after } => (Lack::Upstream, *retry_after),
            Self::Late => (Lack::UpstreamLate, Duration::ZERO),
        };
        let retry_after = retry_after.max(Duration::from_secs(1));
        ServiceError::Unavailable { what, lack, retry_after, source: Arc::new(self) }
    }
}
