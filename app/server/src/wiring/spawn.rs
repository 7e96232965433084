//! Where work is done that is not waited for.

use malecon::Background;

/// Each as a task of its own.
pub fn background() -> Background {
    Background::new(|work| {
        tokio::spawn(work);
    })
}
