//! Random tokens, what the station keeps of them, and the setup code.

use std::path::Path;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    api::Confidential,
    files::{FilesError, read_bounded, write_secret},
};

use super::StationError;

/// What is kept of a token: SHA-256 of its text. A token has 256 random bits, so no slow hash is needed.
pub(crate) type Proof = [u8; 32];

/// Base32 of RFC 4648 §6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `N` bytes of the system's randomness.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StationError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StationError::Randomness(error.to_string()))?;
    Ok(bytes)
}

/// A row id that was never used before and that JavaScript can hold: 1 to 2^53 − 1.
pub(crate) fn random_id() -> Result<i64, StationError> {
    let id = u64::from_be_bytes(random::<8>()?) >> 11;
    Ok(i64::try_from(id).unwrap_or(i64::MAX).max(1))
}

/// A new token, 43 characters of base64url.
pub(crate) fn new_token() -> Result<Confidential, StationError> {
    Ok(Confidential::new(URL_SAFE_NO_PAD.encode(*Zeroizing::new(random::<32>()?))))
}

/// What is kept of `text`.
pub(crate) fn proof_of(text: &str) -> Proof {
    Sha256::digest(text.as_bytes()).into()
}

/// The token in its file; a new one where there is none.
pub(crate) fn kept_token(path: &Path) -> Result<Confidential, StationError> {
    match read_bounded(path, 1024) {
        Ok(text) => {
            let text = Zeroizing::new(String::from_utf8_lossy(&text).trim().to_owned());
            // One that was emptied by hand is no token at all.
            if text.len() >= 32 {
                return Ok(Confidential::new(text.as_str().to_owned()));
            }
        }
        Err(FilesError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let token = new_token()?;
    write_secret(path, token.reveal().as_bytes())?;
    Ok(token)
}

/// Whether two secrets are one, in constant time for those of one length.
pub(crate) fn same_secret(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The setup code in its file; a new one (128 bits, base32 in groups of five) where there is none.
pub(crate) fn setup_code(path: &Path) -> Result<Confidential, StationError> {
    match read_bounded(path, 1024) {
        Ok(text) => {
            let text = String::from_utf8_lossy(&text).trim().to_owned();
            // One that was emptied by hand is no code at all.
            if normal(&text).len() >= 26 {
                return Ok(Confidential::new(text));
            }
        }
        Err(FilesError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let code = grouped_base32(&Zeroizing::new(random::<16>()?));
    write_secret(path, code.reveal().as_bytes())?;
    Ok(code)
}

/// Whether two setup codes are one, however they were typed. In constant time for codes of one length.
pub(crate) fn same_code(one: &Confidential, other: &Confidential) -> bool {
    normal(one.reveal()).as_bytes().ct_eq(normal(other.reveal()).as_bytes()).into()
}

fn normal(code: &str) -> Zeroizing<String> {
    Zeroizing::new(code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect())
}

fn grouped_base32(bytes: &[u8; 16]) -> Confidential {
    let mut bits = u128::from_be_bytes(*bytes);
    let mut text = String::with_capacity(32);
    for at in 0..26 {
        if at > 0 && at % 5 == 0 && at < 25 {
            text.push('-');
        }
        text.push(char::from(BASE32[usize::try_from(bits >> 123).unwrap_or(0)]));
        bits <<= 5;
    }
    Confidential::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_code_holds_128_bits_and_is_known_again_however_it_is_typed() {
        let code = grouped_base32(&[0xff; 16]);
        assert_eq!(code.reveal(), "77777-77777-77777-77777-777774", "26 digits of 5 bits for 128 bits");
        assert!(same_code(&code, &" 77777 77777-77777-7777777777 4 ".into()));
        assert!(!same_code(&code, &"77777-77777-77777-77777-777772".into()));
        assert!(!same_code(&code, &"".into()));
    }

    #[test]
    fn a_setup_code_stays_the_same_until_its_file_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("setup-code");
        let first = setup_code(&path).unwrap();
        assert!(same_code(&first, &setup_code(&path).unwrap()));
        std::fs::write(&path, "").unwrap();
        assert!(!same_code(&first, &setup_code(&path).unwrap()), "an emptied file is no code");
    }
}
