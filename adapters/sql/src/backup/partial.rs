//! A file that is not whole yet: under another name, and gone unless it is finished.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Nobody but its owner reads it.
const MODE: u32 = 0o600;

/// A file in the folder of the one that it is to become. As long as it is held, no other process touches
/// it; what one that was killed has left is used again.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    is_finished: bool,
}

impl Partial {
    /// An empty one for this file.
    pub fn create(file: &Path) -> io::Result<Self> {
        let name = file.file_name().ok_or_else(|| io::Error::other("it has no name"))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".partial");
        let path = file.with_file_name(hidden);
        loop {
            let file = match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    match OpenOptions::new().write(true).open(&path) {
                        // It has just become what it was to be, or is gone.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        other => other?,
                    }
                }
                other => other?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another backup is being written there"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it may have finished it between the two, and a link may lead anywhere.
            let (own, found) = (file.metadata()?, std::fs::symlink_metadata(&path));
            match found {
                Ok(found) if is_same(&own, &found) => {}
                Ok(found) if found.is_symlink() => {
                    return Err(io::Error::other(format!("{} is a link", path.display())));
                }
                _ => continue,
            }
            file.set_len(0)?;
            file.set_permissions(std::fs::Permissions::from_mode(MODE))?;
            return Ok(Self { path, file, is_finished: false });
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, when all of it is on disk; its bytes.
    pub fn finish(mut self, file: &Path) -> io::Result<u64> {
        self.file.sync_all()?;
        let bytes = self.file.metadata()?.len();
        std::fs::rename(&self.path, file)?;
        self.is_finished = true;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
