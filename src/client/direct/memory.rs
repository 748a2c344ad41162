//! What commands have seen, in a file: so a message that came once is a repeat also for the next command with that file,
//! and a retained one that is older than what was there shows as rolled back.
//!
//! One command at a time has it. It is written at most once a second, and when the command ends; a crash forgets what came
//! since. Holds digests, key ids and numbers: nothing that opens anything, and no topic in words.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    files::{FileLock, FilesError, read_bounded, real_path, write_atomic},
    seal::replay::{BadReplayRow, ReplayGuard},
};

use super::DirectError;

/// A full memory has some 30 MiB.
const MAX_BYTES: u64 = 64 << 20;
const FORMAT: u32 = 1;
/// Between two writes, at the least.
const EVERY: Duration = Duration::from_secs(1);
/// Writing takes this part of the time at most: a large memory is written less often.
const SHARE: u32 = 20;

#[derive(Serialize, Deserialize)]
struct Stored {
    sealwire_replay_memory: u32,
    /// Key and value, base64.
    rows: Vec<(String, String)>,
}

/// See the module.
pub(super) struct Memory {
    path: PathBuf,
    _lock: FileLock,
    next_write: Instant,
    changed: bool,
}

impl Memory {
    /// Takes the file for itself, and gives what stands in it: nothing where there is none yet.
    pub(super) fn open(path: &Path) -> Result<(Self, ReplayGuard), DirectError> {
        let path = real_path(path)?;
        let lock = FileLock::try_take(&path.with_added_extension("lock"))?
            .ok_or_else(|| DirectError::MemoryInUse(path.display().to_string()))?;
        let guard = match read_bounded(&path, MAX_BYTES) {
            Ok(bytes) => guard_of(&bytes).map_err(|why| unreadable(&path, why))?,
            Err(FilesError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                ReplayGuard::new()
            }
            Err(error) => return Err(error.into()),
        };
        Ok((Self { path, _lock: lock, next_write: Instant::now() + EVERY, changed: false }, guard))
    }

    /// Writes down what changed, if it is time for that.
    pub(super) fn keep(&mut self, guard: &mut ReplayGuard) -> Result<(), DirectError> {
        self.changed |= guard.has_changed();
        if self.changed && Instant::now() >= self.next_write { self.write(guard) } else { Ok(()) }
    }

    /// Writes down what changed.
    pub(super) fn write(&mut self, guard: &mut ReplayGuard) -> Result<(), DirectError> {
        if !self.changed && !guard.has_changed() {
            return Ok(());
        }
        let begun = Instant::now();
        let row = |key: &[u8], value: &[u8]| (STANDARD.encode(key), STANDARD.encode(value));
        let rows = guard.all_rows();
        let rows = rows.iter().filter_map(|kept| Some(row(&kept.key, kept.value.as_deref()?))).collect();
        let stored = Stored { sealwire_replay_memory: FORMAT, rows };
        let text = serde_json::to_vec(&stored).map_err(|error| DirectError::Other(error.to_string()))?;
        write_atomic(&self.path, &text)?;
        guard.take_changes();
        self.changed = false;
        self.next_write = Instant::now() + (begun.elapsed() * SHARE).max(EVERY);
        Ok(())
    }
}

fn guard_of(bytes: &[u8]) -> Result<ReplayGuard, String> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if stored.sealwire_replay_memory != FORMAT {
        return Err(BadReplayRow.to_string());
    }
    let decoded = |(key, value): (String, String)| Ok((STANDARD.decode(key)?, STANDARD.decode(value)?));
    let rows: Result<Vec<_>, base64::DecodeError> = stored.rows.into_iter().map(decoded).collect();
    ReplayGuard::load(rows.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

fn unreadable(path: &Path, why: String) -> DirectError {
    DirectError::Files(FilesError::Io {
        action: "understand",
        path: path.display().to_string(),
        source: io::Error::new(io::ErrorKind::InvalidData, why),
        hint: " — it remembers what was seen: restore it, or delete it to remember anew",
    })
}
