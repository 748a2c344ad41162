//! One hash chain: append, read, verify. A changed, removed or reordered line shows; with an anchor kept elsewhere
//! so does a cut-off end.
//!
//! A log is JSON lines. Each line ends with its hash: SHA-256 over the hash before it (32 bytes) and the line's own
//! bytes up to `,"hash":"`. The first line carries the log's random id and the time it was begun; its "hash before"
//! is 32 zero bytes. Payloads, passwords and keys never go in: [`Record`] has no field for them.
//!
//! Start at [`AuditFile`] to write and [`verify`] to check.

mod chain;
mod file;
mod record;
mod verify;

pub use chain::Hash;
pub use file::{AuditFile, tail};
pub use record::{Line, MAX_TOPIC_BYTES, Record};
pub use verify::{Anchor, Broken, Report, read_anchor_beside, verify, write_anchor_beside};

use crate::files::FilesError;

/// Why a log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file or its folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The system said no.
    #[error("cannot {action} the audit log {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another process appends to it.
    #[error("the audit log {0} is in use by another window or station: close that one first")]
    InUse(String),
    /// The file on disk is no log of ours.
    #[error("{path} is not an audit log, or its line {line} is damaged: move it away, and a new log begins")]
    NotALog {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: u64,
    },
}
