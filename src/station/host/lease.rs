//! Leases: how a station knows that a window is still open, also when a window crashed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::files::{DataFolders, FileLock, FilesError, create_private_dir};

/// How long to wait for whoever is at the gate. It is held for one look into a folder.
const GATE_WITHIN: Duration = Duration::from_secs(5);

fn folder(data: &DataFolders) -> PathBuf {
    data.root().join("leases")
}

/// The gate: whoever holds it may take a lease or count them, so that a station never ends between an app's taking
/// a lease and its looking for the station.
#[derive(Debug)]
pub(crate) struct Gate {
    folder: PathBuf,
    _lock: FileLock,
}

impl Gate {
    /// Waits for the gate, at most five seconds.
    pub(crate) fn enter(data: &DataFolders) -> Result<Self, FilesError> {
        let folder = folder(data);
        create_private_dir(&folder)?;
        let path = folder.join("gate");
        let until = Instant::now() + GATE_WITHIN;
        loop {
            if let Some(lock) = FileLock::try_take(&path)? {
                return Ok(Self { folder, _lock: lock });
            }
            if Instant::now() > until {
                return Err(FilesError::Io {
                    action: "lock",
                    path: path.display().to_string(),
                    source: std::io::ErrorKind::TimedOut.into(),
                    hint: " — another Sealwire program hangs: end it and try again",
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many leases are held. The files of those that ended without a good-bye are removed.
    #[cfg(any(feature = "station", test))]
    pub(crate) fn count(&self) -> usize {
        let Ok(entries) = fs::read_dir(&self.folder) else { return 0 };
        let leases = entries.flatten().map(|entry| entry.path()).filter(|path| is_lease(path));
        leases
            .filter(|path| match FileLock::try_take(path) {
                Ok(None) => true,
                Ok(Some(free)) => {
                    drop(free);
                    let _ = fs::remove_file(path);
                    false
                }
                // What cannot be judged counts: better a station too long than one too short.
                Err(_) => path.exists(),
            })
            .count()
    }
}

#[cfg(any(feature = "station", test))]
fn is_lease(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "lease")
}

/// Keeps the app's station alive while it is held. A crash gives it back too: the system drops the lock.
#[derive(Debug)]
pub struct Lease {
    lock: Option<FileLock>,
    path: PathBuf,
}

impl Lease {
    /// Takes a lease. Take it before [`super::ensure`].
    ///
    /// # Errors
    /// Where the data folder cannot be written.
    pub fn take(data: &DataFolders) -> Result<Self, FilesError> {
        let gate = Gate::enter(data)?;
        for number in 0..10_000_u32 {
            let path = gate.folder.join(format!("{}-{number}.lease", std::process::id()));
            if let Some(lock) = FileLock::try_take(&path)? {
                return Ok(Self { lock: Some(lock), path });
            }
        }
        Err(FilesError::Io {
            action: "lock",
            path: gate.folder.display().to_string(),
            source: std::io::ErrorKind::QuotaExceeded.into(),
            hint: "",
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Unlocked first: the other way round, a station that looks just now would find a locked file without a
        // name on Windows. What stays behind the station removes.
        self.lock.take();
        let _ = fs::remove_file(&self.path);
    }
}

impl AsRef<Path> for Lease {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_count_while_they_are_held_and_a_crashed_ones_file_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolders::find(Some(dir.path())).unwrap();
        let count = || Gate::enter(&data).unwrap().count();
        assert_eq!(count(), 0);
        let first = Lease::take(&data).unwrap();
        let second = Lease::take(&data).unwrap();
        assert_eq!(count(), 2);
        drop(first);
        assert_eq!(count(), 1);
        let crashed = dir.path().join("leases/99-0.lease");
        fs::write(&crashed, b"").unwrap();
        assert_eq!(count(), 1);
        assert!(!crashed.exists());
        drop(second);
        assert_eq!(count(), 0);
    }
}
