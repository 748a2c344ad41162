//! What a running station writes down for the apps on its computer.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    api::Confidential,
    files::{DataFolders, FilesError, read_bounded},
};

/// More than such a record ever has.
const MAX_BYTES: u64 = 16 * 1024;

/// `station.json`: where the station of this data folder is. Owner only; true only while the lock is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationFile {
    /// Where its HTTPS API listens.
    pub api: SocketAddr,
    /// Where it speaks MQTT over TLS.
    pub mqtt_tls_port: u16,
    /// SHA-256 of its CA's public key, 64 hex digits.
    pub fingerprint: String,
    /// Its process.
    pub pid: u32,
    /// Its program's version.
    pub version: String,
    /// The file with the setup code, while there is no account.
    pub setup_code: Option<PathBuf>,
}

impl StationFile {
    fn path(data: &DataFolders) -> PathBuf {
        data.root().join("station.json")
    }

    /// The record there is, or `None` where there is none or it is of another make.
    pub(super) fn read(data: &DataFolders) -> Result<Option<Self>, FilesError> {
        match read_bounded(&Self::path(data), MAX_BYTES) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(FilesError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it, whole.
    #[cfg(any(feature = "station", test))]
    pub(crate) fn write(&self, data: &DataFolders) -> Result<(), FilesError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        crate::files::write_secret(&Self::path(data), &text)
    }

    /// Takes it away.
    #[cfg(feature = "station")]
    pub(crate) fn remove(data: &DataFolders) {
        // Not there, or stale: the lock says which records count.
        let _ = std::fs::remove_file(Self::path(data));
    }
}

/// The setup code, while its file is there.
pub(super) fn read_setup_code(path: Option<&Path>) -> Option<Confidential> {
    let bytes = read_bounded(path?, MAX_BYTES).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    Some(Confidential::from(text.trim()))
}
