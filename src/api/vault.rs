//! The vault as the station keeps it: sealed, with its secret wrapped for those who may open it.

use serde::{Deserialize, Serialize};

use super::{Blob, Confidential};

/// The vault as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// Counts up by one with each change; bound into the seal.
    pub version: u64,
    /// The sealed keyring.
    pub sealed: Blob,
    /// The vault secret under the password's vault key.
    pub password_wrap: Blob,
}

/// Stores a vault, if the version before it is still the one there (compare and swap).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PutVault {
    /// The new version: one more than the one it was made from; 1 for a new vault.
    pub version: u64,
    /// The sealed keyring.
    pub sealed: Blob,
    /// The vault secret under the password, for a new vault; `None` afterwards: it changes only with the password.
    pub password_wrap: Option<Blob>,
}

/// The version that is stored now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultVersion {
    /// The version.
    pub version: u64,
}

/// One recovery code, as the station knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoveryEntry {
    /// `recovery auth`: what proves the code. Stored hashed.
    pub auth_key: Confidential,
    /// The vault secret under the code's wrapping key.
    pub wrap: Blob,
}

/// Replaces all recovery codes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PutRecoveryCodes {
    /// The password's authentication key, asked for again.
    pub auth_key: Confidential,
    /// The new ones, eight.
    pub entries: Vec<RecoveryEntry>,
}
