//! Where data rests: folders, locks, owner-only files that appear whole or not at all.
//!
//! Knows no format. Start at [`DataFolders`].

mod folders;
mod lock;
mod write;

pub use folders::DataFolders;
pub use lock::FileLock;
pub use write::{create_private_dir, read_bounded, real_path, write_atomic, write_secret};

/// A file or folder that could not be used: which, for what, and why.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The system said no.
    #[error("cannot {action} {path}: {source}{hint}")]
    Io {
        /// What was tried: "write", "open".
        action: &'static str,
        /// On what.
        path: String,
        /// The system's reason.
        source: std::io::Error,
        /// The next step, with a leading " — ", or empty.
        hint: &'static str,
    },
    /// Larger than what it can be.
    #[error("{path} has {size} bytes, more than the {limit} that such a file can have: it is another file")]
    TooLarge {
        /// Which file.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// No home folder is known.
    #[error("this system names no folder for programs' data: give one with --data DIR")]
    NoHome,
}

impl FilesError {
    /// With the next step that the kind of error asks for.
    pub(crate) fn io(action: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let hint = match source.kind() {
            ErrorKind::PermissionDenied => {
                " — give yourself the right to it, or choose another folder with --data DIR"
            }
            ErrorKind::StorageFull => " — the disk is full: free some space and try again",
            ErrorKind::ReadOnlyFilesystem => {
                " — the disk is read-only: choose another folder with --data DIR"
            }
            _ => "",
        };
        Self::Io { action, path: path.display().to_string(), source, hint }
    }
}
