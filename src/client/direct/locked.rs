//! A lock that another command may have for a moment.

use std::{path::Path, time::Duration};

use tokio::time::Instant;

use crate::files::{FileLock, FilesError};

/// Between two tries.
const WAIT: Duration = Duration::from_millis(20);

/// Takes a lock, and waits for it so long at most.
pub(super) async fn lock_within(path: &Path, patience: Duration) -> Result<Option<FileLock>, FilesError> {
    let until = Instant::now() + patience;
    loop {
        let lock = FileLock::try_take(path)?;
        if lock.is_some() || Instant::now() >= until {
            return Ok(lock);
        }
        tokio::time::sleep(WAIT).await;
    }
}
