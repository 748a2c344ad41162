//! The signature inside the seal: `18([protected, {}, payload, signature])`, a COSE_Sign1 (RFC 9052 §4.2) by EdDSA (RFC 9053
//! §2.2) over the contents.
//!
//! What is signed holds more than the contents (`external_aad`, RFC 9052 §4.3): key, algorithm, topic, session and sequence.
//! So a member who opens a message cannot seal its signature again under another key, on another topic or at another
//! place. The key is there by a commitment of 256 bits, because AES-GCM and ChaCha20-Poly1305 do not commit to theirs: one
//! ciphertext can be made to open under two keys, and a signature must hold under one.

use super::{SenderKey, SigningKey, cbor, signer::SIGNATURE_LEN};

/// Tag 18 (COSE_Sign1), an array of four.
pub(super) const START: [u8; 2] = [0xd2, 0x84];
const EMPTY_MAP: u8 = 0xa0;
/// `{1: -8, 4: h'…'}` up to the 32 bytes: alg EdDSA, kid the sender's public key.
const PROTECTED_START: [u8; 6] = [0xa2, 0x01, 0x27, 0x04, 0x58, 0x20];
const PROTECTED_LEN: usize = PROTECTED_START.len() + 32;
/// What the first item of the external AAD says.
const PURPOSE: &str = "sealwire/1 sign";

/// Where a signature stands, so that it holds nowhere else.
pub(super) struct Place<'a> {
    /// `Expand("sealwire/1 commit", 32)` of the epoch secret.
    pub(super) commitment: &'a [u8; 32],
    /// The COSE number of the AEAD around it.
    pub(super) algorithm: u8,
    pub(super) topic: &'a str,
    pub(super) session: &'a [u8; 16],
    pub(super) sequence: u64,
}

/// A signature as it was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed<'a> {
    pub(super) signer: SenderKey,
    pub(super) payload: &'a [u8],
    protected: &'a [u8],
    signature: [u8; SIGNATURE_LEN],
}

/// How many bytes [`write`] appends for contents of this length.
pub(super) const fn len_of(contents_len: u64) -> u64 {
    // The lengths of protected header and signature, 38 and 64, take a head of two bytes each.
    let fixed = START.len() + 2 + PROTECTED_LEN + 1 + 2 + SIGNATURE_LEN;
    (fixed + cbor::head_len(contents_len)) as u64 + contents_len
}

/// Signs `contents` and appends the COSE_Sign1.
pub(super) fn write(out: &mut Vec<u8>, contents: &[u8], key: &SigningKey, place: &Place<'_>) {
    let mut protected = [0; PROTECTED_LEN];
    protected[..PROTECTED_START.len()].copy_from_slice(&PROTECTED_START);
    protected[PROTECTED_START.len()..].copy_from_slice(key.sender().as_bytes());
    let signature = key.sign(&place.to_be_signed(&protected, contents));
    out.extend(START);
    cbor::bytes(out, &protected);
    out.push(EMPTY_MAP);
    cbor::bytes(out, contents);
    cbor::bytes(out, &signature);
}

/// Reads a COSE_Sign1 in its one encoding.
pub(super) fn read<'a>(reader: &mut cbor::Reader<'a>) -> Result<Signed<'a>, cbor::Flaw> {
    reader.literal(&START)?;
    let protected = reader.bytes()?;
    let mut header = cbor::Reader::new(protected);
    header.literal(&PROTECTED_START)?;
    let signer = header.take(32)?.try_into().map_err(|_| cbor::Flaw::Unexpected)?;
    if !header.rest().is_empty() || !reader.skip(EMPTY_MAP) {
        return Err(cbor::Flaw::Unexpected);
    }
    let payload = reader.bytes()?;
    let signature = reader.bytes_of()?;
    Ok(Signed { signer: SenderKey::from_bytes(signer), payload, protected, signature })
}

impl Signed<'_> {
    /// Whether it holds here.
    pub(super) fn holds(&self, place: &Place<'_>) -> bool {
        self.signer.verifies(&place.to_be_signed(self.protected, self.payload), &self.signature)
    }
}

impl Place<'_> {
    /// `Sig_structure = ["Signature1", protected, external_aad, payload]` (RFC 9052 §4.4), with external_aad =
    /// `["sealwire/1 sign", commitment, alg, topic, session, sequence]`.
    pub(super) fn to_be_signed(&self, protected: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut external = Vec::with_capacity(96 + self.topic.len());
        cbor::head(&mut external, cbor::ARRAY, 6);
        cbor::text(&mut external, PURPOSE);
        cbor::bytes(&mut external, self.commitment);
        cbor::head(&mut external, cbor::UINT, u64::from(self.algorithm));
        cbor::text(&mut external, self.topic);
        cbor::bytes(&mut external, self.session);
        cbor::head(&mut external, cbor::UINT, self.sequence);
        let mut out = Vec::with_capacity(80 + external.len() + payload.len());
        cbor::head(&mut out, cbor::ARRAY, 4);
        cbor::text(&mut out, "Signature1");
        cbor::bytes(&mut out, protected);
        cbor::bytes(&mut out, &external);
        cbor::bytes(&mut out, payload);
        out
    }
}
