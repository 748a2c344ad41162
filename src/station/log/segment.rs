//! One file: appending records to it, and reading them back past whatever happened to it.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    disk::{Disk, DiskFile},
    seal::{HEAD_BYTES, HEADER_BYTES, Kind, NoHeader, Seal, TAG_BYTES, head},
};
use crate::station::key::StationKey;

/// How far a sequence may be ahead of the one before it: each commit that failed took one.
const MAX_STEP: u64 = 1 << 32;
/// What is searched at a time for the next good record.
const WINDOW: usize = 1 << 20;

/// Where segment `number` lies.
pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.log"))
}

/// A segment that this process writes.
pub(super) struct Writer {
    file: Box<dyn DiskFile>,
    seal: Seal,
    pub(super) path: PathBuf,
    /// Up to where all is good.
    pub(super) length: u64,
    /// The last sequence that was used, and the last one that is in the file.
    used: u64,
    last: u64,
    broken: bool,
}

impl Writer {
    /// A new segment with its header, under a name that may be another one than its own for now. Not synced.
    pub(super) fn create(
        disk: &dyn Disk,
        key: &StationKey,
        path: PathBuf,
        kind: Kind,
        number: u64,
    ) -> io::Result<Self> {
        let seal = Seal::new(key, kind, number).map_err(io::Error::other)?;
        let mut file = disk.create(&path)?;
        if let Err(error) = file.append(seal.header()) {
            drop(file);
            let _ = disk.remove(&path);
            return Err(error);
        }
        let length = HEADER_BYTES as u64;
        Ok(Self { file, seal, path, length, used: 0, last: 0, broken: false })
    }

    /// What the next record has to begin with.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Whether it must not be written to any more.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Writes a frame whose plain bytes come after [`HEAD_BYTES`] of room. After an error nothing of it counts.
    pub(super) fn append(&mut self, frame: &mut Vec<u8>) -> io::Result<()> {
        self.used += 1;
        self.seal
            .seal(self.used, frame)
            .map_err(|_| io::Error::other("one batch is larger than a record can be"))?;
        match self.file.append(frame) {
            Ok(()) => {
                self.length += frame.len() as u64;
                self.last = self.used;
                Ok(())
            }
            Err(error) => {
                self.broken |= self.file.cut(self.length).is_err();
                Err(error)
            }
        }
    }

    /// Makes durable what was appended. After an error nobody can say what is on disk, also not by asking again:
    /// <https://wiki.postgresql.org/wiki/Fsync_Errors>.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync().inspect_err(|_| self.broken = true)
    }

    /// [`Self::append`] and [`Self::sync`].
    pub(super) fn commit(&mut self, frame: &mut Vec<u8>) -> io::Result<()> {
        let good = self.length;
        self.append(frame)?;
        self.sync().inspect_err(|_| {
            // So that the next start does not find what was refused, should it come before the next segment.
            let _ = self.file.cut(good);
        })
    }
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Next<'a> {
    Record(&'a [u8]),
    End,
    /// From here on there is no good record, or not yet.
    Damaged,
}

/// Reads a segment from its beginning to its end.
pub(super) struct Reader {
    file: BufReader<File>,
    seal: Seal,
    /// Where the next record begins.
    at: u64,
    end: u64,
    sequence: u64,
    buffer: Vec<u8>,
}

impl Reader {
    /// Opens it and reads its header.
    pub(super) fn open(key: &StationKey, path: &Path) -> io::Result<Result<Self, NoHeader>> {
        let file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut file = BufReader::with_capacity(256 << 10, file);
        let mut header = [0; HEADER_BYTES];
        match file.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(_) => return Ok(Err(NoHeader::Foreign)),
        }
        let at = HEADER_BYTES as u64;
        Ok(Seal::read(key, header).map(|seal| Self { file, seal, at, end, sequence: 0, buffer: Vec::new() }))
    }

    pub(super) fn kind(&self) -> Kind {
        self.seal.kind
    }

    pub(super) fn number(&self) -> u64 {
        self.seal.number
    }

    /// Where the next record begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// How long the file is.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The sequence of the record that was read last.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The next record. What the disk does not give back is damaged like what it gives back altered.
    pub(super) fn next(&mut self) -> Next<'_> {
        if self.at == self.end {
            return Next::End;
        }
        let mut bytes = [0; HEAD_BYTES];
        if self.end - self.at < HEAD_BYTES as u64 || self.file.read_exact(&mut bytes).is_err() {
            return Next::Damaged;
        }
        let Some((length, sequence)) = self.plausible(&bytes, self.at) else { return Next::Damaged };
        match self.try_open(length, sequence) {
            Some(plain) => {
                self.at += HEAD_BYTES as u64 + length;
                self.sequence = sequence;
                Next::Record(&self.buffer[..plain])
            }
            None => Next::Damaged,
        }
    }

    /// After [`Next::Damaged`]: goes to the next good record, if there is one, and says where that is.
    pub(super) fn skip(&mut self) -> Option<u64> {
        let mut window = vec![0; WINDOW];
        let mut from = self.at + 1;
        while from + (HEAD_BYTES as u64) < self.end {
            let length = usize::try_from(self.end - from).map_or(WINDOW, |left| left.min(WINDOW));
            let window = &mut window[..length];
            if self.seek(from).is_err() || self.file.read_exact(window).is_err() {
                // Unreadable: past it, sector by sector.
                from += 4096;
                continue;
            }
            for (offset, bytes) in (0_u64..).zip(window.windows(HEAD_BYTES)) {
                let Ok(bytes) = bytes.try_into() else { break };
                let at = from + offset;
                let Some((length, sequence)) = self.plausible(bytes, at) else { continue };
                let opens =
                    self.seek(at + HEAD_BYTES as u64).is_ok() && self.try_open(length, sequence).is_some();
                if opens && self.seek(at).is_ok() {
                    self.at = at;
                    return Some(at);
                }
            }
            from += (length - HEAD_BYTES + 1) as u64;
        }
        None
    }

    fn seek(&mut self, to: u64) -> io::Result<u64> {
        self.file.seek(SeekFrom::Start(to))
    }

    /// A frame's head at this place, if a frame can have it there.
    fn plausible(&self, bytes: &[u8; HEAD_BYTES], at: u64) -> Option<(u64, u64)> {
        let (length, sequence) = head(bytes);
        let fits = length > TAG_BYTES as u64 && length <= self.end - at - HEAD_BYTES as u64;
        let follows = sequence > self.sequence && sequence - self.sequence <= MAX_STEP;
        (fits && follows).then_some((length, sequence))
    }

    /// Opens what comes next in the file into the buffer; returns the plain bytes' length.
    fn try_open(&mut self, length: u64, sequence: u64) -> Option<usize> {
        let length = usize::try_from(length).ok()?;
        self.buffer.clear();
        self.buffer.try_reserve(length).ok()?;
        self.buffer.resize(length, 0);
        self.file.read_exact(&mut self.buffer).ok()?;
        self.seal.open(sequence, &mut self.buffer).map(<[u8]>::len)
    }
}
