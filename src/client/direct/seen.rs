//! The vaults that commands were given on this computer, so that an older one is noticed: a station that was restored from
//! a backup, or is run by somebody who wants an old key used again, would otherwise get it.
//!
//! Kept in `clients/vaults.json`, apart from what the app remembers in each account's folder, which it locks while it is
//! open. Holds hashes and numbers, nothing that opens anything.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    api::Username,
    files::{FileLock, FilesError, read_bounded, write_atomic},
};

use super::{
    super::{login, tls::Fingerprint},
    locked::lock_within,
};

/// Some thousand accounts.
const MAX_BYTES: u64 = 1 << 20;
/// How long another command may be writing it: that takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    /// The vault in use, by [`crate::keys::VaultSecret::id`].
    id: String,
    version: u64,
    /// Those that a reset replaced.
    #[serde(default)]
    past: Vec<String>,
}

/// What was seen of one account.
pub(super) struct SeenVaults {
    path: PathBuf,
    account: String,
}

impl SeenVaults {
    pub(super) fn of(clients: &Path, station: &Fingerprint, username: &Username) -> Self {
        Self { path: clients.join("vaults.json"), account: login::folder_name(station, username) }
    }

    /// A file that cannot be read is an error, not an empty one: whoever damages it must not thereby make us forget.
    fn read(&self) -> Result<BTreeMap<String, Seen>, FilesError> {
        let bytes = match read_bounded(&self.path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(FilesError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(BTreeMap::new());
            }
            Err(error) => return Err(error),
        };
        serde_json::from_slice(&bytes).map_err(|error| FilesError::Io {
            action: "understand",
            path: self.path.display().to_string(),
            source: error.into(),
            hint: " — it remembers which vaults your stations gave: restore it, or delete it to remember anew",
        })
    }

    /// The version that was seen, where this vault is older than that, or one that a reset replaced.
    pub(super) fn newer_than(&self, id: &[u8; 16], version: u64) -> Result<Option<u64>, FilesError> {
        let seen = self.read()?.remove(&self.account).unwrap_or_default();
        let id = hex(id);
        let older = seen.past.contains(&id) || (seen.id == id && version < seen.version);
        Ok(older.then_some(seen.version))
    }

    /// The account has this vault now.
    pub(super) async fn remember(&self, id: &[u8; 16], version: u64) -> Result<(), FilesError> {
        let id = hex(id);
        let is_known = |all: &BTreeMap<String, Seen>| {
            all.get(&self.account).is_some_and(|seen| seen.id == id && seen.version >= version)
        };
        if is_known(&self.read()?) {
            return Ok(());
        }
        let _lock = self.lock().await?;
        let mut all = self.read()?;
        if is_known(&all) {
            return Ok(());
        }
        let seen = all.entry(self.account.clone()).or_default();
        if seen.id != id && !seen.id.is_empty() {
            seen.past.push(std::mem::take(&mut seen.id));
        }
        (seen.id, seen.version) = (id, version);
        write_atomic(&self.path, &serde_json::to_vec_pretty(&all).unwrap_or_default())
    }

    /// Another command may be writing what it saw of another account.
    async fn lock(&self) -> Result<FileLock, FilesError> {
        if let Some(folder) = self.path.parent() {
            crate::files::create_private_dir(folder)?;
        }
        let path = self.path.with_added_extension("lock");
        lock_within(&path, PATIENCE).await?.ok_or_else(|| FilesError::Io {
            action: "lock",
            path: path.display().to_string(),
            source: io::ErrorKind::WouldBlock.into(),
            hint: "",
        })
    }
}

fn hex(id: &[u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_older_vault_is_noticed_and_one_that_a_reset_replaced_too() {
        let dir = tempfile::tempdir().unwrap();
        let station = Fingerprint::parse(&"1".repeat(64)).unwrap();
        let of = |name| SeenVaults::of(&dir.path().join("clients"), &station, &Username::new(name).unwrap());
        let (anna, ben) = (of("anna"), of("ben"));
        assert_eq!(anna.newer_than(&[1; 16], 5).unwrap(), None, "the first is taken as it is");
        anna.remember(&[1; 16], 5).await.unwrap();
        anna.remember(&[1; 16], 4).await.unwrap();
        ben.remember(&[9; 16], 1).await.unwrap();
        assert_eq!(anna.newer_than(&[1; 16], 4).unwrap(), Some(5));
        assert_eq!(anna.newer_than(&[1; 16], 5).unwrap(), None);
        // A reset made another vault, which begins at 1.
        assert_eq!(anna.newer_than(&[2; 16], 1).unwrap(), None);
        anna.remember(&[2; 16], 1).await.unwrap();
        assert_eq!(anna.newer_than(&[1; 16], 6).unwrap(), Some(1));
        assert_eq!(ben.newer_than(&[9; 16], 1).unwrap(), None);
        std::fs::write(&anna.path, "{").unwrap();
        assert!(anna.newer_than(&[2; 16], 1).is_err(), "a damaged file is not “never seen”");
    }
}
