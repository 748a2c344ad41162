//! A lock that ends with its process, however that ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use super::FilesError;

/// An exclusive lock on a file, held until it is dropped or the process is gone.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, or `None` where another process (or another holder in this one) has it.
    ///
    /// # Errors
    /// Where the file cannot be made or the system cannot lock it.
    pub fn try_take(path: &Path) -> Result<Option<Self>, FilesError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // Whoever may open it may lock it, and so keep its owner out.
            options.mode(0o600);
        }
        let file = options.open(path).map_err(|e| FilesError::io("open the lock file", path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(FilesError::io("lock", path, e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_given_back_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = FileLock::try_take(&path).unwrap();
        assert!(first.is_some());
        assert!(FileLock::try_take(&path).unwrap().is_none());
        drop(first);
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }
}
