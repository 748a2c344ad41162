//! Payload protection: what neither the network nor the broker can read.
//!
//! | to | use |
//! |---|---|
//! | seal what is published | [`Sealer::seal`], [`Sealer::seal_signed`] |
//! | open what arrives | [`Opener::open`]; [`peek`] tells which key it wants |
//! | learn whether it was here before | [`replay::ReplayGuard::judge`] |
//! | tell a person why not | [`OpenError`], [`SealError`]: what, why, and the next step |
//!
//! The standards behind it: COSE (RFC 9052, RFC 9053) in deterministic CBOR (RFC 8949 §4.2.1), HKDF (RFC 5869), AES-GCM (NIST
//! SP 800-38D), ChaCha20-Poly1305 (RFC 8439), Ed25519 (RFC 8032), and Padmé for the padding. No input makes it panic.
//!
//! Pure: bytes, keys, time and randomness come in as arguments; no I/O, no clock. It may know [`crate::topic`] and
//! the crypto crates, and nothing of keyrings, accounts or MQTT packets.
//!
//! Read in this order; `docs/envelope.md` is the specification that it follows:
//! 1. `secret`: an epoch secret and all that is derived from it;
//! 2. `cbor` and `header`: the bytes on the wire, read without a key;
//! 3. `inside`: the plaintext and its padding; `signer` and `sign1`: the signature in it;
//! 4. [`Sealer`] and [`Opener`]: the two operations (`recent`: what an opener need not derive again;
//!    `body`: what it gives out);
//! 5. [`replay`]: whether an opened message was here before;
//! 6. `token` and [`cbc_hmac`]: Fernet and `aes-cbc-hmac`, for programs already out there; [`legacy`]: which those are.
//!
//! ```
//! use sealwire::{seal::{EpochSecret, Kind, Opener, Plain, Sealer, Suite}, topic::TopicName};
//! let secret = EpochSecret::from_bytes([7; 32]);
//! let topic = TopicName::new("plant/press/celsius")?;
//! let mut sealer = Sealer::new(&secret, Suite::CoseA256Gcm, [1; 16]);
//! let plain = Plain { kind: Kind::default(), content_type: None, body: b"21.5" };
//! let sealed = sealer.seal(&topic, &plain, 1_700_000_000_000)?;
//! let opened = Opener::new(&secret, Suite::CoseA256Gcm).open(&topic, sealed.as_bytes())?;
//! assert_eq!(&opened.body[..], b"21.5");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Signed, and refused where it does not belong:
//!
//! ```
//! use sealwire::{seal::{EpochSecret, Kind, OpenError, Opener, Plain, Sealer, SigningKey, Suite}, topic::TopicName};
//! let (secret, anna) = (EpochSecret::from_bytes([7; 32]), SigningKey::from_bytes(&[8; 32]));
//! let topic = TopicName::new("plant/press/celsius")?;
//! let mut sealer = Sealer::new(&secret, Suite::CoseChaCha20, [1; 16]);
//! let plain = Plain { kind: Kind::default(), content_type: Some("text/plain"), body: b"21.5" };
//! let sealed = sealer.seal_signed(&topic, &plain, 1_700_000_000_000, &anna)?;
//! let opener = Opener::new(&secret, Suite::CoseChaCha20);
//! assert_eq!(opener.open(&topic, sealed.as_bytes())?.signer, Some(anna.sender()));
//! let elsewhere = TopicName::new("plant/oven/celsius")?;
//! assert!(matches!(opener.open(&elsewhere, sealed.as_bytes()), Err(OpenError::MovedTopic { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
pub mod cbc_hmac;
pub(crate) mod cbor;
mod error;
mod header;
mod inside;
pub mod legacy;
mod opener;
mod recent;
pub mod replay;
mod sealer;
mod secret;
mod sign1;
mod signer;
mod size;
mod suite;
mod token;

pub use body::Body;
pub use error::{Found, OpenError, SealError};
pub use header::{Peek, Sealed, peek};
pub use inside::{Kind, Plain};
pub use opener::{Opened, Opener};
pub use sealer::{MAX_SESSION_BYTES, MAX_SESSION_MESSAGES, MAX_WIRE_BYTES, Sealer};
pub use secret::{EpochSecret, Kid, derive, hmac_sha256};
pub use signer::{BadSenderKey, SenderKey, Signatures, SigningKey};
pub use size::wire_len;
pub use suite::{Suite, UnknownSuite};

/// The MQTT 5 content type of a native envelope (RFC 9052 §11.3.1).
pub const MEDIA_TYPE: &str = "application/cose; cose-type=\"cose-encrypt0\"";

#[cfg(test)]
mod primitives;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod vectors;
