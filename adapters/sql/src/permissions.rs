//! Who may read a SQLite database: its owner alone. It holds hashes of passwords and keys of tokens.

use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Reading and writing, by the owner.
const MODE: u32 = 0o600;

/// Reading, by the group or by all.
const OTHERS: u32 = 0o044;

/// Makes the file of a new database, if there is none: SQLite would open it to all that the umask lets in,
/// and gives `-wal` and `-shm` the mode that the file has. What can't be made is left to SQLite, which says
/// why.
pub(crate) fn create_private(path: &Path) {
    let _ = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
}

/// Whether others than its owner may read the file.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS != 0)
}
