//! Who signs with which key: an account tells the station its public key, and members of signed topics ask.

use serde::{Deserialize, Serialize};

use super::Blob;

/// How many bytes an identity key has: an Ed25519 public key (RFC 8032 §5.1.5).
pub const IDENTITY_LEN: usize = 32;

/// Tells the key that an account signs with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PutIdentity {
    /// The public key, 32 bytes.
    pub key: Blob,
    /// The Ed25519 signature of [`identity_claim`] under that key: nobody can claim the key of another.
    pub proof: Blob,
}

/// Whose key it is, as the station says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The account's name.
    pub username: String,
    /// Since when it signs with this key, in milliseconds since 1970.
    pub since_ms: u64,
}

/// What the claim to an identity key signs: `"sealwire/1 identity claim" ‖ 0 ‖ username`. No message of a topic begins so.
#[must_use]
pub fn identity_claim(username: &str) -> Vec<u8> {
    [b"sealwire/1 identity claim\0", username.as_bytes()].concat()
}
