//! An epoch secret and what is derived from it: `HKDF-SHA-256` (RFC 5869) with the salt `sealwire/1`.
//!
//! Expand infos are fixed ASCII labels; where fixed-length fields follow, a zero byte stands between.

use std::{fmt, str::FromStr};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Suite, suite::Cose};

/// The salt of every extraction; also what the external AAD says.
pub(super) const SALT: &str = "sealwire/1";
const KID_LABEL: &[u8] = b"sealwire/1 kid";
const FERNET_KID_LABEL: &[u8] = b"sealwire/1 kid fernet";
const CBC_HMAC_KID_LABEL: &[u8] = b"sealwire/1 kid aes-cbc-hmac";
const CBC_HMAC_IV_LABEL: &[u8] = b"sealwire/1 iv aes-cbc-hmac";
const COMMIT_LABEL: &[u8] = b"sealwire/1 commit";
const TOPIC_LABEL: &[u8] = b"sealwire/1 topic";
const MESSAGE_LABEL: &[u8] = b"sealwire/1 msg\0";

/// A key id: 16 bytes derived from an epoch secret. Public: it stands on the wire in clear.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kid([u8; 16]);

/// The 32 secret bytes of one epoch of a topic key. Wiped when dropped, and copied only by [`Self::duplicate`].
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct EpochSecret([u8; 32]);

/// `HKDF-SHA-256[salt "sealwire/1", info](input_key_material, N)`.
///
/// The one derivation of the whole program; `info` must begin with `sealwire/1 ` and be used for one purpose only.
#[must_use]
pub fn derive<const N: usize>(input_key_material: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    expand(&Hkdf::new(Some(SALT.as_bytes()), input_key_material), info)
}

/// `HMAC-SHA-256(key, data)`.
#[must_use]
pub fn hmac_sha256(key: &[u8; 32], data: &[u8]) -> [u8; 32] {
    // RFC 2104 §2: a key shorter than the block is padded with zeros, so a whole block is the same key.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    hmac_with(&Hmac::new((&*block).into()), data)
}

/// The same under a key that is ready: half the work for a short text.
fn hmac_with(ready: &Hmac<Sha256>, data: &[u8]) -> [u8; 32] {
    ready.clone().chain_update(data).finalize().into_bytes().into()
}

#[expect(clippy::expect_used, reason = "N is checked when this is compiled; no input can reach it")]
fn expand<const N: usize>(prk: &Hkdf<Sha256>, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "RFC 5869 §2.3: at most 255 blocks") };
    let mut output = Zeroizing::new([0; N]);
    prk.expand_multi_info(info, &mut *output).expect("length checked at compile time");
    output
}

/// What a [`super::Sealer`] or [`super::Opener`] keeps of an epoch secret: the extracted key, ready to expand.
pub(super) struct Schedule {
    prk: Hkdf<Sha256>,
    /// Keyed with the topic key.
    topics: Hmac<Sha256>,
    /// `Expand("sealwire/1 commit", 32)`: stands for the secret in what is signed, and tells nothing of it.
    pub(super) commitment: [u8; 32],
}

/// AEAD key and context IV of one session under one algorithm. Wiped when dropped.
pub(super) struct SessionKey {
    pub(super) key: ring::aead::LessSafeKey,
    context_iv: Zeroizing<[u8; 12]>,
}

impl Schedule {
    pub(super) fn new(secret: &EpochSecret) -> Self {
        let prk = Hkdf::new(Some(SALT.as_bytes()), &secret.0);
        // A whole block is the same key as its first 32 bytes: see `hmac_sha256`.
        let mut topic_key = Zeroizing::new([0; 64]);
        topic_key[..32].copy_from_slice(&*expand::<32>(&prk, &[TOPIC_LABEL]));
        let commitment = *expand(&prk, &[COMMIT_LABEL]);
        Self { prk, topics: Hmac::new((&*topic_key).into()), commitment }
    }

    /// `HMAC-SHA-256(Expand("sealwire/1 topic", 32), topic)`, the first 16 bytes.
    pub(super) fn topic_id(&self, topic: &str) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&hmac_with(&self.topics, topic.as_bytes())[..16]);
        id
    }

    /// `Expand("sealwire/1 msg" ‖ 0 ‖ alg ‖ session, 44)`: AEAD key, then context IV.
    #[expect(clippy::expect_used, reason = "both algorithms take 32 bytes; no input can reach it")]
    pub(super) fn session_key(&self, cose: Cose, session: &[u8; 16]) -> SessionKey {
        let material: Zeroizing<[u8; 44]> = expand(&self.prk, &[MESSAGE_LABEL, &[cose.number], session]);
        let key = ring::aead::UnboundKey::new(cose.aead, &material[..32]).expect("a key of 32 bytes");
        let mut context_iv = Zeroizing::new([0; 12]);
        context_iv.copy_from_slice(&material[32..]);
        SessionKey { key: ring::aead::LessSafeKey::new(key), context_iv }
    }
}

impl SessionKey {
    /// Context IV XOR Partial IV, left-padded with zeros (RFC 9052 §3.1).
    pub(super) fn nonce(&self, sequence: u64) -> ring::aead::Nonce {
        let mut nonce = *self.context_iv;
        for (byte, number) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= number;
        }
        ring::aead::Nonce::assume_unique_for_key(nonce)
    }

    /// `ring` does not wipe its keys, so another key is written over this one where it lies.
    fn wipe(&mut self) {
        if let Ok(blank) = ring::aead::UnboundKey::new(self.key.algorithm(), &[0; 32]) {
            self.key = ring::aead::LessSafeKey::new(blank);
        }
        // Without this a compiler may leave out what nobody reads.
        zeroize::optimization_barrier(&self.key);
    }
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl EpochSecret {
    /// Takes 32 bytes of a secure random source, or a Fernet key's.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for writing them where they rest encrypted.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A second copy, on purpose.
    #[must_use]
    pub const fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// The key id under `suite`: both native suites share one, each of the others has its own.
    #[must_use]
    pub fn kid(&self, suite: Suite) -> Kid {
        let label = match suite {
            Suite::CoseA256Gcm | Suite::CoseChaCha20 => KID_LABEL,
            Suite::Fernet => FERNET_KID_LABEL,
            Suite::AesCbcHmac => CBC_HMAC_KID_LABEL,
        };
        Kid(*derive(&self.0, &[label]))
    }
}

impl fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochSecret(…)")
    }
}

/// The key id and the IV key of two legacy keys that stand one after the other in `keys`; those of an epoch secret are its own.
pub(super) fn cbc_hmac_kid_and_iv_key(keys: &[u8]) -> (Kid, Zeroizing<[u8; 32]>) {
    let prk = Hkdf::new(Some(SALT.as_bytes()), keys);
    (Kid(*expand(&prk, &[CBC_HMAC_KID_LABEL])), expand(&prk, &[CBC_HMAC_IV_LABEL]))
}

impl Kid {
    /// Takes the 16 bytes as they stand on the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The first 64 bits in groups of four, for two people to compare: `xxxx xxxx xxxx xxxx`.
    ///
    /// Enough to tell one's own keys apart; not meant to withstand somebody who grinds for a look-alike.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hex = self.to_string();
        [&hex[..4], &hex[4..8], &hex[8..12], &hex[12..16]].join(" ")
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kid({self})")
    }
}

/// A text that is not a key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 32 hexadecimal digits: copy it whole")]
pub struct BadKid;

impl FromStr for Kid {
    type Err = BadKid;
    fn from_str(text: &str) -> Result<Self, BadKid> {
        if text.len() != 32 {
            return Err(BadKid);
        }
        let mut bytes = [0; 16];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| BadKid)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(BadKid);
            }
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadKid)?;
        }
        Ok(Self(bytes))
    }
}

impl serde::Serialize for Kid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Kid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn hkdf_gives_what_rfc_5869_test_case_1_says() {
        let prk = Hkdf::<Sha256>::new(Some(&hex("000102030405060708090a0b0c")), &[0x0b; 22]);
        let okm: Zeroizing<[u8; 42]> = expand(&prk, &[&hex("f0f1f2f3f4f5f6f7f8f9")]);
        let wanted = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(okm.to_vec(), hex(wanted));
    }

    #[test]
    fn hmac_agrees_with_an_independent_implementation() {
        let key = [0x5a; 32];
        let reference =
            ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key), b"plant/press");
        assert_eq!(hmac_sha256(&key, b"plant/press"), reference.as_ref());
    }

    #[test]
    fn a_kid_reads_back_from_its_text_and_refuses_anything_else() {
        let secret = EpochSecret::from_bytes([3; 32]);
        let kid = secret.kid(Suite::CoseA256Gcm);
        assert_eq!(kid.to_string().parse(), Ok(kid));
        assert_eq!(serde_json::from_str::<Kid>(&serde_json::to_string(&kid).unwrap()).unwrap(), kid);
        assert_eq!(kid, secret.kid(Suite::CoseChaCha20));
        assert_ne!(kid, secret.kid(Suite::Fernet));
        assert_eq!(kid.fingerprint().len(), 19);
        for bad in ["", "00", "+0000000000000000000000000000000", "ä000000000000000000000000000000"] {
            assert_eq!(bad.parse::<Kid>(), Err(BadKid), "{bad}");
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", EpochSecret::from_bytes([0xab; 32])), "EpochSecret(…)");
    }

    #[test]
    fn what_is_left_of_a_session_key_is_the_key_of_zeros() {
        let tag = |key: &ring::aead::LessSafeKey| {
            let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
            key.seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), &mut [0; 4]).unwrap()
        };
        for suite in [Suite::CoseA256Gcm, Suite::CoseChaCha20] {
            let cose = suite.cose().unwrap();
            let zeros =
                ring::aead::LessSafeKey::new(ring::aead::UnboundKey::new(cose.aead, &[0; 32]).unwrap());
            let mut key = Schedule::new(&EpochSecret::from_bytes([1; 32])).session_key(cose, &[2; 16]);
            assert_ne!(tag(&key.key).as_ref(), tag(&zeros).as_ref());
            key.wipe();
            assert_eq!(tag(&key.key).as_ref(), tag(&zeros).as_ref());
        }
    }

    #[test]
    fn the_nonce_is_the_context_iv_with_the_sequence_in_its_low_bytes() {
        let cose = Suite::CoseA256Gcm.cose().unwrap();
        let key = Schedule::new(&EpochSecret::from_bytes([1; 32])).session_key(cose, &[2; 16]);
        let mut wanted = *key.context_iv;
        wanted[11] ^= 0x34;
        wanted[10] ^= 0x12;
        assert_eq!(key.nonce(0x1234).as_ref(), &wanted);
    }
}
