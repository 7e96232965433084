//! Files that are passed on: bounded in size and time, never held.

#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};
use malecon_domain::Principal;
use malecon_ports::{Cause, Clock, File, FileAnswer, FileContent, FileGateway, GatewayError};

use crate::{Lack, ServiceError};

/// How people call the service that takes files.
const SERVICE: &str = "the file service";

/// How often one looks within the time that nothing may move.
const LOOKS: u32 = 8;

/// What a [`FileService`] needs.
#[derive(Clone)]
pub struct FilePorts {
    /// Who takes files; `None` when nobody does.
    pub gateway: Option<Arc<dyn FileGateway>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// How large a file may be, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// Bytes of a file at most.
    pub most_bytes: u64,
    /// How long nothing may move.
    pub idle: Duration,
    /// How long all of it may take.
    pub total: Duration,
}

impl Default for FileSettings {
    fn default() -> Self {
        let (idle, total) = (Duration::from_secs(30), Duration::from_secs(600));
        Self { most_bytes: 25 * 1024 * 1024, idle, total }
    }
}

/// Why a file was not passed on.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is too large.
    #[error("a file has at most {0} bytes")]
    TooLarge(u64),
    /// Whoever sends it does not go on.
    #[error("the file took too long")]
    Stalled,
    /// Its content ended with this error.
    #[error("the file broke off")]
    Broken(#[source] Cause),
    /// It is not the file.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Passes files on.
#[derive(Clone)]
pub struct FileService {
    ports: FilePorts,
    settings: FileSettings,
}

impl FileService {
    /// Over these ports.
    pub fn new(ports: FilePorts, settings: FileSettings) -> Self {
        Self { ports, settings }
    }

    /// Whether a file of this length may come, as far as can be told before it does. For everybody.
    ///
    /// # Errors
    /// `TooLarge`; `Unavailable` when nobody takes files.
    pub fn admit(&self, _caller: &Principal, length: Option<u64>) -> Result<(), FileError> {
        self.gateway()?;
        self.bounded(length.unwrap_or_default())
    }

    /// Passes a file on as it comes. For everybody.
    ///
    /// # Errors
    /// [`FileError`]; then the service that takes files knows that it has no whole one, unless it is
    /// that service that took too long to say so.
    pub async fn send(&self, _caller: &Principal, file: File) -> Result<FileAnswer, FileError> {
        let gateway = self.gateway()?;
        let flow = Arc::new(Mutex::default());
        let content = watched(file.content, Arc::clone(&flow), self.settings.most_bytes);
        let sending = gateway.send(File { content, ..file });
        let outcome = match select(pin!(sending), pin!(self.patience(&flow))).await {
            Either::Left((answer, _)) => answer.map_err(|error| unavailable(error).into()),
            Either::Right((fault, _)) => Err(fault),
        };
        // What is wrong with the file comes first: the service only sees that it broke off.
        match lock(&flow).fault.take() {
            Some(fault) => Err(fault),
            None => outcome,
        }
    }

    fn gateway(&self) -> Result<&Arc<dyn FileGateway>, ServiceError> {
        self.ports.gateway.as_ref().ok_or_else(|| ServiceError::Unavailable {
            what: SERVICE,
            lack: Lack::NotConfigured("files_not_configured"),
            retry_after: Duration::from_secs(60 * 60),
            source: Arc::from(Cause::from("no URL of it is configured")),
        })
    }

    fn bounded(&self, length: u64) -> Result<(), FileError> {
        let most = self.settings.most_bytes;
        if length > most { Err(FileError::TooLarge(most)) } else { Ok(()) }
    }

    /// Ends when nothing has moved for too long, or all of it takes too long; whose fault that is.
    async fn patience(&self, flow: &Mutex<Flow>) -> FileError {
        let FileSettings { idle, total, .. } = self.settings;
        let (mut seen, mut quiet, mut left) = (0, 0, total);
        loop {
            let wait = (idle / LOOKS).min(left);
            self.ports.clock.sleep(wait).await;
            left -= wait;
            let (steps, is_asked_for) = {
                let flow = lock(flow);
                (flow.steps, flow.is_asked_for)
            };
            quiet = if steps == seen { quiet + 1 } else { 0 };
            seen = steps;
            if quiet >= LOOKS || left.is_zero() {
                return if is_asked_for { FileError::Stalled } else { late(idle, total).into() };
            }
        }
    }
}

/// How far a file is.
#[derive(Default)]
struct Flow {
    /// Chunks that have come, and its end.
    steps: u64,
    /// Whether the next one has been asked for, and has not come.
    is_asked_for: bool,
    /// What is wrong with it.
    fault: Option<FileError>,
}

fn lock(flow: &Mutex<Flow>) -> MutexGuard<'_, Flow> {
    flow.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The content, up to so many bytes, leaving word of how far it is.
fn watched(mut content: FileContent, flow: Arc<Mutex<Flow>>, most_bytes: u64) -> FileContent {
    let (mut bytes, mut is_over) = (0, false);
    let watched = stream::poll_fn(move |context| {
        if is_over {
            return None.into();
        }
        let next = content.poll_next_unpin(context);
        let mut flow = lock(&flow);
        flow.is_asked_for = next.is_pending();
        flow.steps += u64::from(next.is_ready());
        next.map(|next| {
            let chunk = next.map(|chunk| {
                let chunk = chunk.map_err(FileError::Broken)?;
                bytes += chunk.len() as u64;
                if bytes > most_bytes { Err(FileError::TooLarge(most_bytes)) } else { Ok(chunk) }
            });
            is_over = !matches!(chunk, Some(Ok(_)));
            chunk.map(|chunk| {
                chunk.map_err(|fault| {
                    let said = Cause::from(fault.to_string());
                    flow.fault = Some(fault);
                    said
                })
            })
        })
    });
    watched.boxed()
}

fn unavailable(error: GatewayError) -> ServiceError {
    let wanted = match &error {
        GatewayError::RateLimited { retry_after } => retry_after.unwrap_or_default(),
        GatewayError::Unavailable(_) | GatewayError::Refused(_) | GatewayError::Malformed(_) => {
            Duration::ZERO
        }
    };
    let retry_after = wanted.max(Duration::from_secs(1));
    ServiceError::Unavailable {
        what: SERVICE,
        lack: Lack::from(&error),
        retry_after,
        source: Arc::new(error),
    }
}

fn late(idle: Duration, total: Duration) -> ServiceError {
    let said = format!("nothing moved for {idle:?}, or not all within {total:?}");
    ServiceError::Unavailable {
        what: SERVICE,
        lack: Lack::UpstreamLate,
        retry_after: Duration::from_secs(1),
        source: Arc::from(Cause::from(said)),
    }
}
