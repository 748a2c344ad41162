//! A sealed box: XChaCha20-Poly1305 under a random nonce. `0x01 ‖ nonce (24) ‖ ciphertext and tag`.
//!
//! With 192 bits a random nonce never repeats, so one key may seal any number of boxes.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use super::random::{NoRandomness, random};
use crate::seal::cbor;

const VERSION: u8 = 1;
const NONCE_LEN: usize = 24;

/// Why a box did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BoxError {
    /// Its first byte is another version's.
    Version(u8),
    /// Another key, other associated data, or altered.
    Refused,
}

/// What a box is bound to: a purpose and a name, as deterministic CBOR `[purpose, name, number or text…]`.
pub(super) struct Binding(Vec<u8>);

impl Binding {
    pub(super) fn new(purpose: &str, account: &str) -> Self {
        let mut out = Vec::new();
        cbor::head(&mut out, cbor::ARRAY, 3);
        cbor::text(&mut out, purpose);
        cbor::text(&mut out, account);
        Self(out)
    }

    pub(super) fn and_number(mut self, number: u64) -> Self {
        cbor::head(&mut self.0, cbor::UINT, number);
        self
    }

    pub(super) fn and_text(mut self, text: &str) -> Self {
        cbor::text(&mut self.0, text);
        self
    }
}

#[expect(clippy::expect_used, reason = "the cipher refuses only what is over 256 GiB, which no memory holds")]
pub(super) fn seal_box(key: &[u8; 32], binding: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, NoRandomness> {
    let nonce = random::<NONCE_LEN>()?;
    let payload = Payload { msg: plaintext, aad: &binding.0 };
    let mut out = [&[VERSION], &nonce[..]].concat();
    out.extend(
        XChaCha20Poly1305::new(key.into()).encrypt((&*nonce).into(), payload).expect("it fits in memory"),
    );
    Ok(out)
}

pub(super) fn open_box(
    key: &[u8; 32],
    binding: &Binding,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    match sealed.split_first() {
        Some((&VERSION, rest)) => {
            let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(BoxError::Refused)?;
            let payload = Payload { msg: ciphertext, aad: &binding.0 };
            let opened = XChaCha20Poly1305::new(key.into()).decrypt(nonce.into(), payload);
            opened.map(Zeroizing::new).map_err(|_| BoxError::Refused)
        }
        Some((&other, _)) => Err(BoxError::Version(other)),
        None => Err(BoxError::Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(version: u64) -> Binding {
        Binding::new("sealwire/1 test", "anna").and_number(version)
    }

    #[test]
    fn a_box_opens_only_with_its_key_and_binding_and_unaltered() {
        let sealed = seal_box(&[1; 32], &binding(7), b"secret").unwrap();
        assert_eq!(&open_box(&[1; 32], &binding(7), &sealed).unwrap()[..], b"secret");
        assert_eq!(open_box(&[2; 32], &binding(7), &sealed), Err(BoxError::Refused));
        assert_eq!(open_box(&[1; 32], &binding(8), &sealed), Err(BoxError::Refused));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 0x10;
            assert!(open_box(&[1; 32], &binding(7), &altered).is_err(), "{at}");
            assert!(open_box(&[1; 32], &binding(7), &sealed[..at]).is_err(), "{at}");
        }
        assert_eq!(open_box(&[1; 32], &binding(7), &[9]), Err(BoxError::Version(9)));
    }
}
