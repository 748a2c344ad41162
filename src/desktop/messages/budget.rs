//! How much is kept in memory, and what things have there.
//!
//! The figures are what an allocator is asked for, with what it adds. A test with an allocator that counts
//! (`tests/watch_memory.rs`) holds them to what is really taken.

use crate::client::{Message, Opening};

use super::Row;

/// Rows that are kept unless the person chose otherwise.
pub const DEFAULT_ROWS: usize = 100_000;
/// The most that a person may choose.
pub const MOST_ROWS: usize = 1_000_000;
/// Memory that goes with [`DEFAULT_ROWS`]: about twice what as many readings of 64 bytes need.
pub const DEFAULT_BYTES: usize = 128 * 1024 * 1024;
/// The preference that holds how many rows are kept.
pub const ROWS_PREFERENCE: &str = "messages.rows";

/// What an allocator adds to a piece of memory, rounds it up to, and gives at least: as glibc's, which is no leaner than
/// others.
const HEADER: usize = 8;
const ROUNDED: usize = 16;
const LEAST: usize = 32;

/// How much is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Rows.
    pub rows: usize,
    /// Bytes of all that is kept of messages: payloads opened and sealed, the rows around them, topics and series.
    pub bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { rows: DEFAULT_ROWS, bytes: DEFAULT_BYTES }
    }
}

impl Budget {
    /// A budget by rows, from 1,000 to [`MOST_ROWS`]; the bytes grow with it.
    #[must_use]
    pub fn of_rows(rows: usize) -> Self {
        let rows = rows.clamp(1_000, MOST_ROWS);
        Self { rows, bytes: (DEFAULT_BYTES / 100 * (rows / 1_000)).max(DEFAULT_BYTES) }
    }
}

/// What a piece of memory of this size takes.
pub(super) const fn allocated(bytes: usize) -> usize {
    let taken = (bytes + HEADER).next_multiple_of(ROUNDED);
    if bytes == 0 {
        0
    } else if taken < LEAST {
        LEAST
    } else {
        taken
    }
}

/// What a row of this message takes; `shared` where its topic is the tree's.
pub(super) fn row_bytes(message: &Message, shared: bool) -> usize {
    // The row, and its pointer in a ring that may be half empty.
    let mut bytes = allocated(size_of::<Row>()) + 2 * size_of::<usize>();
    // The history's row had the sealed bytes as well: with a count of who has them.
    bytes += allocated(message.wire.len()) + allocated(3 * size_of::<usize>());
    if !shared {
        // Two counts stand before the text.
        bytes += allocated(2 * size_of::<usize>() + message.topic.as_str().len());
    }
    bytes += match &message.opening {
        Opening::Opened { with, body, content_type, notes, .. } => {
            let notes_bytes: usize = notes.iter().map(|note| allocated(note.capacity())).sum();
            allocated(body.len())
                + allocated(with.label.capacity())
                + allocated(with.kid.capacity())
                + allocated(content_type.as_ref().map_or(0, String::capacity))
                + allocated(notes.capacity() * size_of::<String>())
                + notes_bytes
        }
        // The same bytes as on the wire.
        Opening::InTheClear { .. } => 0,
        Opening::Refused { name, why } => allocated(name.capacity()) + allocated(why.capacity()),
    };
    bytes
}
