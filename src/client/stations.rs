//! The stations that this computer knows: by address the pinned identity, by identity who logged in.
//!
//! Kept in `clients/stations.json`. Holds no secret, but whoever can write it can unpin: owner only.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::files::{FilesError, read_bounded, write_atomic};

use super::{address::Address, tls::Fingerprint};

/// A list of some thousand stations.
const MAX_BYTES: u64 = 1 << 20;
/// Names that are offered at login.
const MAX_ACCOUNTS: usize = 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    stations: Vec<Station>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Station {
    address: String,
    fingerprint: String,
    /// The newest first.
    #[serde(default)]
    accounts: Vec<String>,
}

/// The known stations, on disk.
pub(super) struct Stations {
    path: PathBuf,
}

impl Stations {
    /// Those in the clients' folder.
    pub(super) fn in_folder(clients: &Path) -> Self {
        Self { path: clients.join("stations.json") }
    }

    /// Read at every use: another window may have written it.
    ///
    /// A file that cannot be read is an error and not an empty list: whoever damages it must not thereby unpin.
    fn read(&self) -> Result<Known, FilesError> {
        let bytes = match read_bounded(&self.path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(FilesError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Known::default());
            }
            Err(error) => return Err(error),
        };
        serde_json::from_slice(&bytes).map_err(|error| self.damaged(error.into()))
    }

    fn damaged(&self, source: io::Error) -> FilesError {
        FilesError::Io {
            action: "understand",
            path: self.path.display().to_string(),
            source,
            hint: " — it holds the pinned identities of your stations: restore it, or delete it and compare fingerprints anew",
        }
    }

    fn write(&self, known: &Known) -> Result<(), FilesError> {
        let text = serde_json::to_vec_pretty(known).unwrap_or_default();
        write_atomic(&self.path, &text)
    }

    /// The identity pinned for `address`.
    pub(super) fn pin(&self, address: &Address) -> Result<Option<Fingerprint>, FilesError> {
        let known = self.read()?;
        let address = address.to_string();
        let station = known.stations.iter().find(|station| station.address == address);
        let Some(station) = station else { return Ok(None) };
        match Fingerprint::parse(&station.fingerprint) {
            Some(fingerprint) => Ok(Some(fingerprint)),
            None => Err(self.damaged(io::Error::other("a fingerprint in it has not 64 hexadecimal digits"))),
        }
    }

    /// Pins `fingerprint` for `address`.
    pub(super) fn set_pin(&self, address: &Address, fingerprint: &Fingerprint) -> Result<(), FilesError> {
        let mut known = self.read()?;
        let address = address.to_string();
        match known.stations.iter_mut().find(|station| station.address == address) {
            Some(station) if station.fingerprint == fingerprint.as_str() => return Ok(()),
            Some(station) => {
                station.fingerprint = fingerprint.as_str().to_owned();
                station.accounts.clear();
            }
            None => known.stations.push(Station {
                address,
                fingerprint: fingerprint.as_str().to_owned(),
                accounts: Vec::new(),
            }),
        }
        self.write(&known)
    }

    /// Who logged in at the station with this identity, the newest first.
    pub(super) fn accounts(&self, fingerprint: &Fingerprint) -> Vec<String> {
        let known = self.read().unwrap_or_default();
        let mut accounts: Vec<String> = Vec::new();
        for station in known.stations.iter().filter(|station| station.fingerprint == fingerprint.as_str()) {
            for name in &station.accounts {
                if !accounts.contains(name) {
                    accounts.push(name.clone());
                }
            }
        }
        accounts
    }

    /// Remembers that `username` logged in.
    pub(super) fn remember_account(&self, address: &Address, username: &str) -> Result<(), FilesError> {
        let mut known = self.read()?;
        let address = address.to_string();
        let Some(station) = known.stations.iter_mut().find(|station| station.address == address) else {
            return Ok(());
        };
        station.accounts.retain(|name| name != username);
        station.accounts.insert(0, username.to_owned());
        station.accounts.truncate(MAX_ACCOUNTS);
        self.write(&known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_kept_and_a_damaged_file_never_unpins() {
        let dir = tempfile::tempdir().unwrap();
        let stations = Stations::in_folder(dir.path());
        let address = Address::parse("h:1").unwrap().0;
        let pin = Fingerprint::parse(&"1".repeat(64)).unwrap();
        assert_eq!(stations.pin(&address).unwrap(), None);
        stations.set_pin(&address, &pin).unwrap();
        stations.remember_account(&address, "anna").unwrap();
        stations.remember_account(&address, "ben").unwrap();
        stations.remember_account(&address, "anna").unwrap();
        assert_eq!(stations.pin(&address).unwrap(), Some(pin.clone()));
        assert_eq!(stations.accounts(&pin), ["anna", "ben"]);
        let file = dir.path().join("stations.json");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("1111", "111")).unwrap();
        assert!(stations.pin(&address).is_err(), "a damaged fingerprint is not “never met”");
        std::fs::write(&file, "{").unwrap();
        assert!(stations.pin(&address).is_err());
    }
}
