//! The replay state as rows for a table of two columns: a key and a value, both opaque bytes.

use super::{super::Kid, window::ReplayWindow};

/// One changed row: store it under `key`, or delete `key` where there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRow {
    /// The primary key.
    pub key: Vec<u8>,
    /// The content, or `None` where the row is gone.
    pub value: Option<Vec<u8>>,
}

/// A stored row that this version cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the replay memory on disk is damaged or newer than this program: update Sealwire, or remove that memory and accept that old messages may pass as new once"
)]
pub struct BadReplayRow;

/// Which piece of state a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Session(Kid, [u8; 16]),
    SessionsKnownFrom(Kid),
    Mark(Kid, Mark),
    MarksKnownFrom(Kid),
    Retained([u8; 16]),
}

/// One message in the exact set: stamp first, so that the oldest is the first to go.
pub(super) type Mark = (u64, [u8; 16], u64);

/// The state of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) window: ReplayWindow,
    /// The newest stamp that came in it.
    pub(super) newest_ms: u64,
    /// Stamps before this may belong to a window that was forgotten.
    pub(super) known_from_ms: u64,
}

impl Subject {
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Session(kid, session) => [&[1], &kid.as_bytes()[..], &session].concat(),
            Self::SessionsKnownFrom(kid) => [&[2], &kid.as_bytes()[..]].concat(),
            Self::Mark(kid, (stamp, session, sequence)) => {
                [&[3], &kid.as_bytes()[..], &stamp.to_be_bytes(), &session, &sequence.to_be_bytes()].concat()
            }
            Self::MarksKnownFrom(kid) => [&[4], &kid.as_bytes()[..]].concat(),
            Self::Retained(topic) => [&[5], &topic[..]].concat(),
        }
    }

    pub(super) fn decode(key: &[u8]) -> Result<Self, BadReplayRow> {
        let mut fields = Fields(key);
        let subject = match fields.take::<1>()? {
            [1] => Self::Session(fields.kid()?, fields.take()?),
            [2] => Self::SessionsKnownFrom(fields.kid()?),
            [3] => Self::Mark(fields.kid()?, (fields.number()?, fields.take()?, fields.number()?)),
            [4] => Self::MarksKnownFrom(fields.kid()?),
            [5] => Self::Retained(fields.take()?),
            _ => return Err(BadReplayRow),
        };
        fields.end()?;
        Ok(subject)
    }
}

impl Session {
    pub(super) fn encode(&self) -> Vec<u8> {
        let numbers = [self.window.highest(), self.newest_ms, self.known_from_ms].map(u64::to_be_bytes);
        [numbers.as_flattened(), &self.window.bitmap()].concat()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, BadReplayRow> {
        let mut fields = Fields(value);
        let (highest, newest_ms, known_from_ms) = (fields.number()?, fields.number()?, fields.number()?);
        let window = ReplayWindow::from_parts(highest, fields.0).ok_or(BadReplayRow)?;
        Ok(Self { window, newest_ms, known_from_ms })
    }
}

/// Reads a value that is one stamp.
pub(super) fn decode_stamp(value: &[u8]) -> Result<u64, BadReplayRow> {
    value.try_into().map(u64::from_be_bytes).map_err(|_| BadReplayRow)
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadReplayRow> {
        let (&field, rest) = self.0.split_first_chunk().ok_or(BadReplayRow)?;
        self.0 = rest;
        Ok(field)
    }

    fn number(&mut self) -> Result<u64, BadReplayRow> {
        self.take().map(u64::from_be_bytes)
    }

    fn kid(&mut self) -> Result<Kid, BadReplayRow> {
        self.take().map(Kid::from_bytes)
    }

    const fn end(&self) -> Result<(), BadReplayRow> {
        if self.0.is_empty() { Ok(()) } else { Err(BadReplayRow) }
    }
}
