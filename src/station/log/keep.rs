//! The log while the station runs: batches go to the active segment, and when the segments have grown far beyond what
//! is live, a snapshot takes their place while batches go on. All of this happens on one thread, the snapshot's
//! writing on another. Start at [`Log::commit`].
//!
//! What a crash can come between, and what is found then:
//!
//! | step | found after a crash |
//! |---|---|
//! | a new active segment, number n + 2 | all segments |
//! | snapshot n + 1 under another name | all segments; the unfinished one is removed |
//! | it gets its name | the snapshot and what came after it; older ones are removed |
//! | older ones are removed one by one | the same |

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    disk::Disk,
    encode,
    index::Index,
    restore::{Restored, restore},
    seal::{HEAD_BYTES, Kind},
    segment::{Writer, path_of},
    snapshot::{self, Closed, retire},
};
use crate::{
    broker::{Change, Kept},
    files::{FilesError, create_private_dir},
    station::{StationError, key::StationKey},
};

/// Room for batches is given back to the system beyond this.
const FRAME_BYTES: usize = 4 << 20;
/// How long a snapshot rests after one failed, for want of space above all.
const REST: Duration = Duration::from_secs(10);
/// More segments than this, after many short runs, are brought together.
const MAX_SEGMENTS: usize = 16;

/// When a snapshot is worth its writing: beyond `floor` bytes and so many times what is live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thrift {
    pub(super) floor: u64,
    pub(super) times: u64,
}

impl Default for Thrift {
    /// So a busy station writes a snapshot each 32 MiB at most, and each byte that stays live is written again at
    /// most once for two that came.
    fn default() -> Self {
        Self { floor: 32 << 20, times: 2 }
    }
}

/// See the module.
pub(super) struct Log {
    disk: Arc<dyn Disk>,
    key: Arc<StationKey>,
    folder: PathBuf,
    thrift: Thrift,
    pub(super) index: Index,
    active: Writer,
    /// Older segments.
    closed: Vec<Closed>,
    next_number: u64,
    snapshot: Option<Underway>,
    rest_until: Option<Instant>,
    frame: Vec<u8>,
}

/// A snapshot that is being written.
struct Underway {
    thread: JoinHandle<io::Result<Closed>>,
    stop: Arc<AtomicBool>,
    /// How many of the closed segments it takes the place of.
    replaces: usize,
}

impl Log {
    /// Reads the folder, makes it where there is none, and begins a segment.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        key: Arc<StationKey>,
        thrift: Thrift,
    ) -> Result<Self, StationError> {
        create_private_dir(folder)?;
        let Restored { index, closed, mut next_number, damaged } = restore(&*disk, folder, &key)?;
        // The number before it is a snapshot's, should one be needed at once.
        let (before, number) = (next_number, next_number + 1);
        next_number += 2;
        let active = begin(&*disk, &key, folder, number);
        let active = active.map_err(|error| FilesError::io("write", folder, error))?;
        let (snapshot, rest_until, frame, folder) = (None, None, Vec::new(), folder.to_owned());
        let mut log = Self {
            disk,
            key,
            folder,
            thrift,
            index,
            active,
            closed,
            next_number,
            snapshot,
            rest_until,
            frame,
        };
        if damaged && let Err(error) = log.replace_closed(before) {
            tracing::warn!(%error, "the damaged files of the sessions stay in place for now");
        }
        Ok(log)
    }

    /// What the broker gets.
    pub(super) fn kept(&self) -> Kept {
        self.index.kept()
    }

    /// Makes a batch durable, or says that nothing of it was kept.
    pub(super) fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if self.active.is_broken() {
            self.begin_anew()?;
        }
        self.frame.clear();
        self.frame.extend([0; HEAD_BYTES]);
        let bodies = encode::batch(&mut self.frame, self.active.last(), &changes, &self.index);
        let written = self.active.commit(&mut self.frame);
        if self.frame.capacity() > FRAME_BYTES {
            self.frame = Vec::new();
        }
        written?;
        self.index.apply(changes, &bodies);
        Ok(())
    }

    /// Between batches: takes note of a snapshot that is finished, begins one when it is time.
    pub(super) fn tidy(&mut self) {
        if self.snapshot.as_ref().is_some_and(|underway| underway.thread.is_finished()) {
            self.settle_snapshot();
        }
        let bytes = self.active.length + self.closed.iter().map(|segment| segment.bytes).sum::<u64>();
        let due = bytes > self.thrift.floor.saturating_add(self.thrift.times * self.index.live_bytes())
            || self.closed.len() > MAX_SEGMENTS;
        let rests = self.rest_until.is_some_and(|until| Instant::now() < until);
        if due && !rests && self.snapshot.is_none() && !self.active.is_broken() {
            self.rest_until = None;
            if let Err(error) = self.begin_snapshot() {
                self.rest(&error);
            }
        }
    }

    /// Waits for a snapshot that is under way.
    pub(super) fn settle_snapshot(&mut self) {
        let Some(Underway { thread, replaces, .. }) = self.snapshot.take() else { return };
        match thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread ended"))) {
            Ok(snapshot) => drop(self.closed.splice(..replaces, [snapshot])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.rest(&error),
        }
    }

    /// Whether a snapshot is under way.
    #[cfg(test)]
    pub(super) fn is_writing_snapshot(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|underway| !underway.thread.is_finished())
    }

    /// The end: an unfinished snapshot is given up.
    pub(super) fn close(mut self) {
        self.give_up_snapshot();
    }

    fn give_up_snapshot(&mut self) {
        if let Some(underway) = &self.snapshot {
            underway.stop.store(true, Relaxed);
        }
        self.settle_snapshot();
    }

    fn rest(&mut self, error: &io::Error) {
        tracing::warn!(%error, "old files of the sessions cannot be brought together: they stay, and grow, until it works");
        self.rest_until = Some(Instant::now() + REST);
    }

    /// From here on batches go to another segment, and all before is written down as a snapshot meanwhile.
    fn begin_snapshot(&mut self) -> io::Result<()> {
        let number = self.next_number;
        let active = begin(&*self.disk, &self.key, &self.folder, number + 1)?;
        self.next_number += 2;
        self.close_active(active);
        let (disk, key, folder) = (Arc::clone(&self.disk), Arc::clone(&self.key), self.folder.clone());
        let (index, replaced) = (self.index.clone(), self.closed.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("sessions snapshot".to_owned()).spawn(move || {
            let snapshot = snapshot::write(&*disk, &key, &folder, number, &index, &stopped)?;
            retire(&*disk, &replaced);
            Ok(snapshot)
        })?;
        self.snapshot = Some(Underway { thread, stop, replaces: self.closed.len() });
        Ok(())
    }

    /// A snapshot at once and a new segment after it: nothing is expected of the files so far any more.
    fn begin_anew(&mut self) -> io::Result<()> {
        self.give_up_snapshot();
        let number = self.next_number;
        let active = begin(&*self.disk, &self.key, &self.folder, number + 1)?;
        self.next_number += 2;
        let path = active.path.clone();
        let old = std::mem::replace(&mut self.active, active);
        self.closed.push(Closed { path: old.path.clone(), bytes: old.length, damaged: false });
        self.replace_closed(number).inspect_err(|_| {
            // Back to the broken one, so that it is tried again.
            self.active = old;
            self.closed.pop();
            let _ = self.disk.remove(&path);
        })
    }

    /// Puts a snapshot in the place of all closed segments, while nothing else goes on.
    fn replace_closed(&mut self, number: u64) -> io::Result<()> {
        let never = AtomicBool::new(false);
        let snapshot = snapshot::write(&*self.disk, &self.key, &self.folder, number, &self.index, &never)?;
        retire(&*self.disk, &self.closed);
        self.closed = vec![snapshot];
        Ok(())
    }

    fn close_active(&mut self, active: Writer) {
        let old = std::mem::replace(&mut self.active, active);
        self.closed.push(Closed { path: old.path.clone(), bytes: old.length, damaged: false });
    }
}

/// A new segment with its name on disk.
fn begin(disk: &dyn Disk, key: &StationKey, folder: &Path, number: u64) -> io::Result<Writer> {
    let path = path_of(folder, number);
    let mut segment = Writer::create(disk, key, path, Kind::Changes, number)?;
    let durable = segment.sync().and_then(|()| disk.sync_folder(folder));
    if let Err(error) = durable {
        let path = segment.path.clone();
        drop(segment);
        let _ = disk.remove(&path);
        return Err(error);
    }
    Ok(segment)
}
