//! Reading the segments at the start, whatever happened to them: a station that lost some of its queues is better
//! than none. Nothing that cannot be read is removed, except the torn end of the newest file, which is what a power
//! cut leaves of a batch that nobody was told was kept.
//!
//! After a damaged place the rest of a file is read too. That is sound, because a body's id is never given twice: a
//! change either finds the very message it meant or is passed over, as is one of a session that was lost.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ahash::AHashMap;

use super::{
    decode,
    disk::Disk,
    index::Index,
    seal::{HEADER_BYTES, Kind, NoHeader, VERSION},
    segment::{Next, Reader},
    snapshot::{Closed, put_aside},
};
use crate::{
    files::FilesError,
    station::{StationError, key::StationKey},
};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Restored {
    pub(super) index: Index,
    /// The segments that it came from, oldest first.
    pub(super) closed: Vec<Closed>,
    /// Higher than that of any segment.
    pub(super) next_number: u64,
    /// Something could not be read: a snapshot should take the place of these segments.
    pub(super) damaged: bool,
}

/// Reads what is in the folder.
pub(super) fn restore(disk: &dyn Disk, folder: &Path, key: &StationKey) -> Result<Restored, StationError> {
    let mut restored = Restored { next_number: 1, ..Restored::default() };
    let mut readers = Vec::new();
    let paths = list(disk, folder)?;
    let newest = paths.last().map(|(number, _)| *number);
    for (number, path) in paths {
        restored.next_number = number.saturating_add(1);
        let newest = Some(number) == newest;
        readers.extend(open(disk, key, number, path, newest, &mut restored.damaged)?);
    }
    // What came before the newest snapshot is in it. A crash left it there.
    let snapshot = readers.iter().rposition(|(_, reader)| reader.kind() == Kind::Snapshot).unwrap_or(0);
    let newest = readers.len().saturating_sub(1);
    let mut replay = Replay::default();
    for (place, (path, reader)) in readers.into_iter().enumerate() {
        if place < snapshot {
            Superseded { disk, path: &path }.go(reader);
            continue;
        }
        let kind = reader.kind();
        let segment = replay.read(disk, path, reader, place == newest)?;
        restored.damaged |= segment.damaged;
        let is_empty = segment.bytes == HEADER_BYTES as u64 && !segment.damaged;
        if is_empty && kind == Kind::Changes && disk.remove(&segment.path).is_ok() {
            continue; // A station that ran and kept nothing.
        }
        restored.closed.push(segment);
    }
    if replay.orphans > 0 {
        tracing::warn!(
            messages = replay.orphans,
            "messages that waited were in the part of the sessions that was lost"
        );
    }
    restored.index = replay.index;
    Ok(restored)
}

/// The segments by rising number. Unfinished snapshots are removed.
fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<(u64, PathBuf)>, StationError> {
    let failed = |error| FilesError::io("read the folder", folder, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if let Some(number) = name.strip_suffix(".log").and_then(|number| number.parse().ok()) {
            found.push((number, path));
        } else if name.ends_with(".log.new") {
            let _ = disk.remove(&path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Begins to read a segment; none where there is nothing to be read.
fn open(
    disk: &dyn Disk,
    key: &StationKey,
    number: u64,
    path: PathBuf,
    newest: bool,
    damaged: &mut bool,
) -> Result<Option<(PathBuf, Reader)>, StationError> {
    let failed = |action, error| FilesError::io(action, &path, error);
    let reason = match Reader::open(key, &path).map_err(|error| failed("open", error))? {
        Ok(reader) if reader.number() == number => return Ok(Some((path, reader))),
        Ok(_) => "it bears another one's name",
        Err(NoHeader::Newer(found)) => {
            let (found, known) = (i64::from(found), i64::from(VERSION));
            return Err(StationError::NewerDatabase { path, found, known });
        }
        Err(NoHeader::Foreign) => {
            let bytes = fs::metadata(&path).map_err(|error| failed("open", error))?.len();
            if newest && bytes < HEADER_BYTES as u64 {
                disk.remove(&path).map_err(|error| failed("remove", error))?;
                return Ok(None); // Cut off as it was made.
            }
            "it was altered, or sealed under another station's key"
        }
    };
    let aside = put_aside(disk, &path).map_err(|error| failed("put aside", error))?;
    tracing::warn!(
        file = %path.display(), aside = %aside.display(), reason,
        "a file of the sessions cannot be read: it was put aside, and what was in it alone is missing"
    );
    *damaged = true;
    Ok(None)
}

/// A segment that is not needed any more.
struct Superseded<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
}

impl Superseded<'_> {
    /// Removes it, or puts it aside if it is damaged: perhaps its snapshot is not all that could be had.
    fn go(self, mut reader: Reader) {
        let mut last = 0;
        let damaged = loop {
            match reader.next() {
                Next::Record(plain) => match decode::record(plain, |_| None) {
                    Ok(record) if record.previous == last => last = reader.sequence(),
                    _ => break true,
                },
                Next::End => break false,
                Next::Damaged => break true,
            }
        };
        drop(reader);
        let gone =
            if damaged { put_aside(self.disk, self.path).map(|_| ()) } else { self.disk.remove(self.path) };
        if let Err(error) = gone {
            tracing::warn!(file = %self.path.display(), %error, "an old file of the sessions stays for now");
        }
    }
}

#[derive(Default)]
struct Replay {
    index: Index,
    /// The numbers of the bodies' messages.
    numbers: AHashMap<u64, u64>,
    orphans: usize,
}

impl Replay {
    /// Reads a segment to its end.
    fn read(
        &mut self,
        disk: &dyn Disk,
        path: PathBuf,
        mut reader: Reader,
        newest: bool,
    ) -> Result<Closed, StationError> {
        let (mut damaged, mut last) = (false, 0);
        loop {
            let at = reader.at();
            match reader.next() {
                Next::End => break,
                Next::Record(plain) => match self.apply(plain) {
                    Ok(previous) => {
                        if previous != last && !damaged {
                            damaged = true;
                            warn_of(&path, at, 0, "records are missing here: the rest was read");
                        }
                        last = reader.sequence();
                    }
                    Err(error) => {
                        damaged = true;
                        warn_of(&path, at, reader.at() - at, &error.to_string());
                    }
                },
                Next::Damaged => match reader.skip() {
                    Some(good) => {
                        damaged = true;
                        warn_of(&path, at, good - at, "it was altered here: the rest was read");
                    }
                    None if newest => {
                        let end = reader.end();
                        drop(reader);
                        warn_of(
                            &path,
                            at,
                            end - at,
                            "its end was torn off, as a power cut does: it was cut there",
                        );
                        cut(disk, &path, at)?;
                        return Ok(Closed { path, bytes: at, damaged });
                    }
                    None => {
                        damaged = true;
                        warn_of(&path, at, reader.end() - at, "from here on it cannot be read");
                        break;
                    }
                },
            }
        }
        Ok(Closed { bytes: reader.end(), path, damaged })
    }

    /// Applies a record; returns the sequence of the one before it.
    fn apply(&mut self, plain: &[u8]) -> Result<u64, decode::Malformed> {
        let known = |id: u64| {
            let number = self.numbers.get(&id)?;
            self.index.message(*number, id).cloned()
        };
        let record = decode::record(plain, known)?;
        self.orphans += record.orphans;
        for (id, message) in record.fresh {
            self.index.gave(id);
            self.numbers.insert(id, message.number);
        }
        self.index.apply(record.changes, &record.bodies);
        if self.numbers.len() > 2 * self.index.bodies() + 100_000 {
            let index = &self.index;
            self.numbers.retain(|id, number| index.message(*number, *id).is_some());
        }
        Ok(record.previous)
    }
}

fn warn_of(path: &Path, offset: u64, bytes_lost: u64, what: &str) {
    tracing::warn!(file = %path.display(), offset, bytes_lost, "a file of the sessions is damaged: {what}");
}

fn cut(disk: &dyn Disk, path: &Path, length: u64) -> Result<(), StationError> {
    let done = || -> io::Result<()> {
        let mut file = disk.open(path)?;
        file.cut(length)?;
        file.sync()
    };
    Ok(done().map_err(|error| FilesError::io("cut", path, error))?)
}
