//! Files that are passed on to a service of somebody else.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use malecon_domain::FileName;

use crate::{Cause, GatewayError};

/// The bytes of a file as they come. An error is its end: what came before it is no whole file.
pub type FileContent = BoxStream<'static, Result<Bytes, Cause>>;

/// A file on its way.
pub struct File {
    /// What it is called.
    pub name: FileName,
    /// Its media type, if anybody knows.
    pub media_type: Option<String>,
    /// What is in it.
    pub content: FileContent,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("name", &self.name).field("media_type", &self.media_type).finish()
    }
}

/// What the service says of a file that it has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAnswer {
    /// The media type of its words, if it says.
    pub media_type: Option<String>,
    /// Its words.
    pub body: Bytes,
}

/// A service that takes files.
///
/// # Contract
/// - A file is sent on as it comes: no more than a few chunks of it are held.
/// - When its content ends with an error, the service is not left to believe that it was whole.
/// - It is sent again only as long as nothing of its content has been asked for.
/// - To drop a call ends it. Whoever calls sees to it that it does not last for ever.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait FileGateway: Send + Sync {
    /// Sends a file.
    ///
    /// # Errors
    /// [`GatewayError`]; also when the content ends with an error.
    async fn send(&self, file: File) -> Result<FileAnswer, GatewayError>;
}
