//! Who signs: an account's Ed25519 key (RFC 8032), and what a topic asks of signatures.
//!
//! A topic key is shared by all who may read, so it cannot tell them apart; a signature inside the seal can.

use std::{fmt, str::FromStr};

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use sha2::{Digest, Sha256};

/// How many bytes a signature has (RFC 8032 §5.1.6).
pub(super) const SIGNATURE_LEN: usize = 64;

/// What a topic key asks of signatures, of its own messages and of those that arrive.
///
/// Whatever it asks, a signature that is there is verified and shown, and one that does not hold is refused.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Signatures {
    /// Own messages are not signed; those that arrive need not be.
    #[default]
    Off,
    /// Own messages are signed; those that arrive need not be, and show as “not signed”.
    Accept,
    /// Own messages are signed; what arrives without the signature of somebody known is refused.
    Require,
}

/// The secret half of an account's identity: signs what it sends. Wiped when dropped, never printed.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// The public half: names who signed. 32 bytes, as RFC 8032 §5.1.2 encodes the point.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderKey([u8; 32]);

impl SigningKey {
    /// Takes 32 bytes of a secure random source.
    #[must_use]
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The 32 bytes, for writing them where they rest encrypted.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Its public half.
    #[must_use]
    pub fn sender(&self) -> SenderKey {
        SenderKey(self.0.verifying_key().to_bytes())
    }

    /// Proves to a station that this account has the key: `Ed25519("sealwire/1 identity claim" ‖ 0 ‖ account)`. What a topic's
    /// messages sign begins otherwise (RFC 9052 §4.4), so neither stands for the other.
    #[must_use]
    pub fn claim(&self, account: &str) -> [u8; SIGNATURE_LEN] {
        self.sign(&[b"sealwire/1 identity claim\0", account.as_bytes()].concat())
    }

    /// `Ed25519(message)`, deterministic (RFC 8032 §5.1.6).
    pub(super) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SenderKey {
    /// Takes the 32 bytes as they stand in a message.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Sixty decimal digits in groups of five, for two people to compare, from
    /// `SHA-256("sealwire/1 identity" ‖ 0 ‖ key)` and the same with 1: some 199 bits, so that a look-alike is out of reach.
    #[must_use]
    pub fn digits(&self) -> String {
        let digest = Sha256::new().chain_update(b"sealwire/1 identity\0").chain_update(self.0).finalize();
        // Each group from 40 bits, as Signal's numbers are: 12 groups need 60 bytes, hence a second digest.
        let second = Sha256::new().chain_update(b"sealwire/1 identity\x01").chain_update(self.0).finalize();
        let bytes = [digest.as_slice(), second.as_slice()].concat();
        let groups = bytes.chunks_exact(5).take(12).map(|chunk| {
            let number = chunk.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
            format!("{:05}", number % 100_000)
        });
        groups.collect::<Vec<_>>().join(" ")
    }

    /// Whether the signature over `message` holds, strictly: no small-order keys, one encoding only (RFC 8032 §8.4).
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

impl fmt::Display for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        f.pad(&hex)
    }
}

impl fmt::Debug for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SenderKey({self})")
    }
}

/// A text that is not an identity key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identity key is 64 hexadecimal digits: copy it whole")]
pub struct BadSenderKey;

impl FromStr for SenderKey {
    type Err = BadSenderKey;
    fn from_str(text: &str) -> Result<Self, BadSenderKey> {
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BadSenderKey);
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| BadSenderKey)?;
        }
        Ok(Self(bytes))
    }
}

impl serde::Serialize for SenderKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SenderKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn rfc_8032_test_2_signs_and_verifies() {
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::from_bytes(&seed);
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(key.sender().to_string(), public);
        let signature: [u8; 64] = hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert_eq!(key.sign(&[0x72]), signature);
        assert!(key.sender().verifies(&[0x72], &signature));
        assert!(!key.sender().verifies(&[0x73], &signature));
        for at in 0..signature.len() {
            let mut altered = signature;
            altered[at] ^= 1;
            assert!(!key.sender().verifies(&[0x72], &altered), "{at}");
        }
    }

    #[test]
    fn a_key_of_small_order_verifies_nothing() {
        // The neutral point, under which R = the neutral point and S = 0 would hold for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!SenderKey::from_bytes(neutral).verifies(b"anything", &signature));
    }

    #[test]
    fn an_identity_key_reads_back_from_its_text_and_its_digits_are_sixty() {
        let sender = SigningKey::from_bytes(&[7; 32]).sender();
        assert_eq!(sender.to_string().parse(), Ok(sender));
        assert_eq!("7".parse::<SenderKey>(), Err(BadSenderKey));
        assert_eq!("ä".repeat(32).parse::<SenderKey>(), Err(BadSenderKey));
        let digits = sender.digits();
        assert_eq!(digits.bytes().filter(u8::is_ascii_digit).count(), 60);
        assert_ne!(digits, SigningKey::from_bytes(&[8; 32]).sender().digits());
        assert_eq!(format!("{:?}", SigningKey::from_bytes(&[7; 32])), "SigningKey(…)");
    }
}
