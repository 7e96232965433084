//! What the system tells a program that runs until it is told to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::Failure;

/// Hears SIGINT and SIGTERM: the first one stops the program, the second one ends it at once. SIGHUP is
/// nothing to it.
pub(super) struct Signals {
    told: watch::Receiver<bool>,
}

impl Signals {
    /// From now on.
    ///
    /// # Errors
    /// The system lets nobody hear.
    pub fn hear() -> Result<Self, Failure> {
        let hear = |kind| signal(kind).map_err(|error| Failure::of("signals can't be heard", error));
        let (mut interrupt, mut terminate) = (hear(SignalKind::interrupt())?, hear(SignalKind::terminate())?);
        let mut hang_up = hear(SignalKind::hangup())?;
        let (tell, told) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => SignalKind::interrupt(),
                    _ = terminate.recv() => SignalKind::terminate(),
                    _ = hang_up.recv() => {
                        tracing::info!("SIGHUP is ignored: settings are read at the start");
                        continue;
                    }
                };
                if tell.send_replace(true) {
                    tracing::warn!("told to stop for the second time: what is under way is cut off");
                    std::process::exit(128 + signal.as_raw_value());
                }
            }
        });
        Ok(Self { told })
    }

    /// What it comes to, unless the program is told to stop before.
    ///
    /// # Errors
    /// Those of the work, and that it was told to stop.
    pub async fn unless_told<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.told() => Err(Failure::new("it was told to stop before it had started")),
        }
    }

    /// When the program is told to stop.
    pub async fn told(&self) {
        let _ = self.told.clone().wait_for(|told| *told).await;
    }
}
