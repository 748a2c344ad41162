//! Writing down what is live, so that older segments can go.
//!
//! It is written under another name, synced, and then given its own: it is there whole or not at all. Until then all
//! older segments are. Start at [`write`].

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

use ahash::AHashSet;

use super::{
    disk::Disk,
    encode::Encoder,
    index::{Index, Session},
    seal::{HEAD_BYTES, Kind},
    segment::{Writer, path_of},
};
use crate::{
    broker::{Change, KeptMessage},
    station::key::StationKey,
};

/// Plain bytes of one record, about.
const RECORD_BYTES: usize = 512 << 10;
/// Synced in between, so that the batches that are committed meanwhile do not wait for all of it at once.
const SYNC_BYTES: u64 = 4 << 20;

/// A segment that is not written to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Not all of it could be read: it is never removed, only put aside.
    pub(super) damaged: bool,
}

/// The name of an unfinished snapshot.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("log.new")
}

/// Writes segment `number` with all that `index` has; an error, and no file, where `stop` came first.
pub(super) fn write(
    disk: &dyn Disk,
    key: &StationKey,
    folder: &Path,
    number: u64,
    index: &Index,
    stop: &AtomicBool,
) -> io::Result<Closed> {
    let path = path_of(folder, number);
    let new = unfinished(&path);
    let segment = Writer::create(disk, key, new.clone(), Kind::Snapshot, number)?;
    let written = Scribe::new(segment, stop).all(index).and_then(|bytes| {
        disk.rename(&new, &path)?;
        disk.sync_folder(folder)?;
        Ok(bytes)
    });
    match written {
        Ok(bytes) => Ok(Closed { path, bytes, damaged: false }),
        Err(error) => {
            let _ = disk.remove(&new);
            Err(error)
        }
    }
}

/// Removes segments that a snapshot has taken the place of; puts those aside that were damaged.
pub(super) fn retire(disk: &dyn Disk, closed: &[Closed]) {
    for segment in closed {
        let done = if segment.damaged {
            put_aside(disk, &segment.path).map(|_| ())
        } else {
            disk.remove(&segment.path)
        };
        if let Err(error) = done {
            tracing::warn!(file = %segment.path.display(), %error, "an old file of the sessions stays for now");
        }
    }
}

/// Gives a damaged file another name: what is in it may still be of use by hand.
pub(super) fn put_aside(disk: &dyn Disk, path: &Path) -> io::Result<PathBuf> {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let named = |ms: u128| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{ms}"));
        PathBuf::from(name)
    };
    let aside = (ms..).map(named).find(|aside| !aside.exists()).unwrap_or_else(|| named(ms));
    disk.rename(path, &aside)?;
    Ok(aside)
}

struct Scribe<'a> {
    segment: Writer,
    frame: Vec<u8>,
    last_body: u64,
    /// Bodies that stand in it already.
    written: AHashSet<u64>,
    unsynced: u64,
    stop: &'a AtomicBool,
}

impl<'a> Scribe<'a> {
    fn new(segment: Writer, stop: &'a AtomicBool) -> Self {
        let frame = Vec::with_capacity(RECORD_BYTES + RECORD_BYTES / 4);
        Self { segment, frame, last_body: 0, written: AHashSet::new(), unsynced: 0, stop }
    }

    /// Returns how long the segment is.
    fn all(mut self, index: &Index) -> io::Result<u64> {
        for (number, session) in &index.sessions {
            self.session(*number, session)?;
        }
        for slot in index.retained.values() {
            let change = Change::Retained { message: slot.what.clone() };
            self.entry(|encoder| encoder.change(&change, slot.body), Some((slot.body, &slot.what)))?;
        }
        for (session, will) in &index.wills {
            self.change(&Change::WillLeft { session: *session, will: will.clone() })?;
        }
        self.flush()?;
        self.segment.sync()?;
        Ok(self.segment.length)
    }

    fn session(&mut self, number: u64, session: &Session) -> io::Result<()> {
        let expiry_secs = session.expiry_secs;
        self.change(&Change::Opened {
            session: number,
            account: session.account.clone(),
            client_id: session.client_id.clone(),
            expiry_secs,
        })?;
        if let Some(at_ms) = session.left_ms {
            self.change(&Change::Left { session: number, expiry_secs, at_ms })?;
        }
        for (filter, options) in &session.subscriptions {
            let filter = filter.clone();
            self.change(&Change::Subscribed { session: number, filter, options: *options })?;
        }
        // Before what is queued, because it takes its numbers out of the queue.
        if !session.released.is_empty() {
            let numbers = session.released.iter().copied().collect();
            self.change(&Change::Released { session: number, numbers })?;
        }
        for slot in session.queue.values() {
            let body = (slot.body, &*slot.what.message);
            self.entry(|encoder| encoder.queued(number, &slot.what, slot.body), Some(body))?;
        }
        for packet_id in &session.accepted {
            self.change(&Change::Accepted { session: number, packet_id: *packet_id })?;
        }
        Ok(())
    }

    /// One that refers to no body.
    fn change(&mut self, change: &Change) -> io::Result<()> {
        self.entry(|encoder| encoder.change(change, 0), None)
    }

    fn entry(
        &mut self,
        write: impl FnOnce(&mut Encoder<'_>),
        body: Option<(u64, &KeptMessage)>,
    ) -> io::Result<()> {
        let mut encoder = if self.frame.is_empty() {
            self.frame.extend([0; HEAD_BYTES]);
            Encoder::new(&mut self.frame, self.segment.last())
        } else {
            Encoder::resume(&mut self.frame, self.last_body)
        };
        if let Some((id, message)) = body
            && self.written.insert(id)
        {
            encoder.body(id, message);
        }
        write(&mut encoder);
        self.last_body = encoder.last_body();
        if self.frame.len() >= RECORD_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.stop.load(Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.frame.is_empty() {
            return Ok(());
        }
        self.segment.append(&mut self.frame)?;
        self.unsynced += self.frame.len() as u64;
        self.frame.clear();
        if self.unsynced >= SYNC_BYTES {
            self.segment.sync()?;
            self.unsynced = 0;
        }
        Ok(())
    }
}
