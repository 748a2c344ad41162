//! The station's own key: what it seals columns with, and what it derives salts from.
//!
//! It protects a copied database (a backup, a stolen disk image without `keys/`), not a station that is taken over.
//! Each use has a subkey: `HMAC-SHA-256(key, label)`.

use std::path::Path;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::files::{FilesError, read_bounded, write_secret};

use super::{StationError, token};

/// Bytes of an XChaCha20 nonce: random ones never meet (draft-irtf-cfrg-xchacha-03 §2.3.1).
const NONCE_BYTES: usize = 24;

/// Which column of which row: bound into the seal, so that no value can be moved to another place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// `table.column`.
    pub column: &'static str,
    /// The row's id.
    pub row: i64,
}

/// A sealed column that does not open: altered, moved, or sealed by another key.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the column {0} holds what the station's key does not open: the database was altered by other hands")]
pub(crate) struct SealBroken(pub &'static str);

/// The key in `keys/station.key`, as its subkeys.
pub(crate) struct StationKey {
    columns: XChaCha20Poly1305,
    salts: Zeroizing<[u8; 32]>,
    counters: Zeroizing<[u8; 32]>,
    sessions: Zeroizing<[u8; 32]>,
}

impl StationKey {
    /// Reads the key, or makes one where `may_make` and there is none.
    pub(crate) fn open(path: &Path, may_make: bool) -> Result<Self, StationError> {
        let unusable = |reason: &str| StationError::KeyFile {
            path: path.to_owned(),
            reason: reason.to_owned(),
            next: "Put it back from a backup; without it the accounts in the database cannot be read",
        };
        let key = match read_bounded(path, 1024) {
            Ok(text) => {
                let text = std::str::from_utf8(&text).map_err(|_| unusable("it is not text"))?;
                let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map(Zeroizing::new);
                let bytes = bytes.map_err(|_| unusable("it is not a key"))?;
                Zeroizing::new(
                    <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| unusable("it is cut short"))?,
                )
            }
            Err(FilesError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                if !may_make {
                    return Err(unusable("it is not there, but there is a database that it sealed"));
                }
                let key = Zeroizing::new(token::random::<32>()?);
                write_secret(path, Zeroizing::new(URL_SAFE_NO_PAD.encode(*key)).as_bytes())?;
                key
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self::from_bytes(&key))
    }

    /// From the 32 bytes themselves.
    pub(crate) fn from_bytes(key: &[u8; 32]) -> Self {
        let columns = subkey(key, "sealwire/1 station columns");
        Self {
            columns: XChaCha20Poly1305::new((&*columns).into()),
            salts: subkey(key, "sealwire/1 station salts"),
            counters: subkey(key, "sealwire/1 station counters"),
            sessions: subkey(key, "sealwire/1 station sessions"),
        }
    }

    /// The salt of a name's password: the same whether or not somebody has the name.
    pub(crate) fn salt(&self, username: &str) -> [u8; 16] {
        truncated(&self.salts, &[username.as_bytes()])
    }

    /// Under which name failures are counted, so that what was typed into the wrong field does not rest in clear.
    pub(crate) fn counter(&self, parts: &[&[u8]]) -> [u8; 16] {
        truncated(&self.counters, parts)
    }

    /// For the log of the broker's sessions: a key, or the proof that this key was there, for each purpose and segment.
    pub(crate) fn sessions(&self, purpose: &str, of: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(mac(&self.sessions, &[purpose.as_bytes(), of]))
    }

    /// Seals a column: nonce ‖ ciphertext and tag; AAD is the place.
    pub(crate) fn seal(&self, place: Place, plain: &[u8]) -> Result<Vec<u8>, SealBroken> {
        let broken = SealBroken(place.column);
        let nonce = token::random::<NONCE_BYTES>().map_err(|_| broken)?;
        let payload = Payload { msg: plain, aad: &aad(place) };
        let sealed = self.columns.encrypt(&XNonce::from(nonce), payload).map_err(|_| broken)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Self::seal`] sealed at the same place.
    pub(crate) fn open_column(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        let broken = SealBroken(place.column);
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(broken)?;
        let payload = Payload { msg: sealed, aad: &aad(place) };
        self.columns.decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| broken)
    }
}

fn aad(place: Place) -> Vec<u8> {
    [place.column.as_bytes(), &[0], &place.row.to_be_bytes()].concat()
}

fn subkey(key: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(mac(key, &[label.as_bytes()]))
}

fn truncated(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&mac(key, parts)[..16]);
    short
}

/// `HMAC-SHA-256(key, part ‖ 0 ‖ part ‖ 0 …)`.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC pads a key with zeros to the hash's block (RFC 2104 §2).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    for part in parts {
        mac.update(part);
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_column_opens_only_in_its_own_place_and_unaltered() {
        let key = StationKey::from_bytes(&[7; 32]);
        let here = Place { column: "account.otp", row: 5 };
        let sealed = key.seal(here, b"secret").unwrap();
        assert_eq!(&**key.open_column(here, &sealed).unwrap(), b"secret");
        assert!(key.open_column(Place { row: 6, ..here }, &sealed).is_err());
        assert!(key.open_column(Place { column: "account.password", ..here }, &sealed).is_err());
        assert!(StationKey::from_bytes(&[8; 32]).open_column(here, &sealed).is_err());
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(key.open_column(here, &altered).is_err());
        assert!(key.open_column(here, &sealed[..20]).is_err());
        assert_ne!(sealed, key.seal(here, b"secret").unwrap(), "each seal has its own nonce");
    }

    #[test]
    fn a_key_is_made_once_and_never_in_the_place_of_one_that_is_missed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("station.key");
        assert!(matches!(StationKey::open(&path, false), Err(StationError::KeyFile { .. })));
        let salt = StationKey::open(&path, true).unwrap().salt("anna");
        assert_eq!(StationKey::open(&path, false).unwrap().salt("anna"), salt);
        assert_ne!(StationKey::open(&path, false).unwrap().salt("bert"), salt);
    }
}
