//! The file of a SQLite database, which must not go while it is used.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::permissions::is_open_to_others;

/// A file and what it was when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    /// Device and number.
    identity: (u64, u64),
}

impl DatabaseFile {
    /// The file that is there now; `None` when there is none, as for a database in memory.
    pub fn at(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), identity: identity(path).ok()? })
    }

    /// Where it is, if others than its owner may read it.
    pub fn exposed(&self) -> Option<PathBuf> {
        is_open_to_others(&self.path).then(|| self.path.clone())
    }

    /// Whether it is still the one that was opened.
    ///
    /// # Errors
    /// A sentence that says what became of it.
    pub fn check(&self) -> Result<(), String> {
        match identity(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            Ok(_) => Err("the database file was replaced; restart to use the new one".to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err("the database file was deleted".to_owned())
            }
            Err(error) => Err(format!("the database file can't be looked at: {error}")),
        }
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}
