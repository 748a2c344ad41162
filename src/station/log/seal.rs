//! What a segment looks like to those without the key: a header, then frames.
//!
//! ```text
//! header  magic "SWSESLOG" ‖ version 1 ‖ kind ‖ 6 zeros ‖ number (8, LE) ‖ id (16, random) ‖ proof (16)
//! frame   length of what follows the head (4, LE) ‖ sequence (8, LE) ‖ AES-256-GCM ciphertext ‖ tag (16)
//! ```
//!
//! `proof` = `HMAC(station key, "segment header" ‖ 0 ‖ header up to it ‖ 0)[..16]`: it tells a segment of ours from
//! any other file. The segment's AEAD key is `HMAC(station key, "segment records" ‖ 0 ‖ id ‖ 0)`, so each segment has
//! one of its own; the nonce is the sequence (NIST SP 800-38D §8.2.1, deterministic construction), which is never
//! used again within a segment, also not after a write that failed; the AAD is the whole header. A process writes to
//! segments that it began itself only.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::station::{StationError, key::StationKey, token};

const MAGIC: &[u8; 8] = b"SWSESLOG";
/// Of the layout of frames and of what is in them.
pub(super) const VERSION: u8 = 1;
const PROOF_BYTES: usize = 16;
const PROVEN_BYTES: usize = 40;
/// A whole header.
pub(super) const HEADER_BYTES: usize = PROVEN_BYTES + PROOF_BYTES;
/// Length and sequence.
pub(super) const HEAD_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changes as they came.
    Changes,
    /// All that was live before it: older segments are not needed any more.
    Snapshot,
}

/// Why a header is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// Not ours, altered, or of another station's key.
    Foreign,
    /// A newer program's.
    Newer(u8),
}

/// It is longer than a frame can be, or its sequence was used.
#[derive(Debug)]
pub(super) struct TooMuch;

/// Seals and opens the frames of one segment.
pub(super) struct Seal {
    key: LessSafeKey,
    header: [u8; HEADER_BYTES],
    pub(super) kind: Kind,
    pub(super) number: u64,
}

impl Seal {
    /// For a new segment.
    pub(super) fn new(key: &StationKey, kind: Kind, number: u64) -> Result<Self, StationError> {
        let id: [u8; 16] = token::random()?;
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8] = VERSION;
        header[9] = u8::from(kind == Kind::Snapshot);
        header[16..24].copy_from_slice(&number.to_le_bytes());
        header[24..PROVEN_BYTES].copy_from_slice(&id);
        let proof = key.sessions("segment header", &header[..PROVEN_BYTES]);
        header[PROVEN_BYTES..].copy_from_slice(&proof[..PROOF_BYTES]);
        Self::of(key, header, kind, number).ok_or_else(|| StationError::Randomness("no AES-256-GCM".into()))
    }

    /// For a segment that is there.
    pub(super) fn read(key: &StationKey, header: [u8; HEADER_BYTES]) -> Result<Self, NoHeader> {
        let proof = key.sessions("segment header", &header[..PROVEN_BYTES]);
        let proven = subtle::ConstantTimeEq::ct_eq(&proof[..PROOF_BYTES], &header[PROVEN_BYTES..]);
        if &header[..8] != MAGIC || !bool::from(proven) {
            return Err(NoHeader::Foreign);
        }
        if header[8] != VERSION {
            return Err(NoHeader::Newer(header[8]));
        }
        let kind = if header[9] == 0 { Kind::Changes } else { Kind::Snapshot };
        let mut number = [0; 8];
        number.copy_from_slice(&header[16..24]);
        Self::of(key, header, kind, u64::from_le_bytes(number)).ok_or(NoHeader::Foreign)
    }

    fn of(key: &StationKey, header: [u8; HEADER_BYTES], kind: Kind, number: u64) -> Option<Self> {
        let records = key.sessions("segment records", &header[24..PROVEN_BYTES]);
        let key = UnboundKey::new(&AES_256_GCM, records.as_slice()).ok()?;
        Some(Self { key: LessSafeKey::new(key), header, kind, number })
    }

    /// What stands at the beginning of the file.
    pub(super) fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// Makes a frame of [`HEAD_BYTES`] of room and the plain bytes after it. The sequence must be a new one.
    pub(super) fn seal(&self, sequence: u64, frame: &mut Vec<u8>) -> Result<(), TooMuch> {
        let plain = frame.get_mut(HEAD_BYTES..).ok_or(TooMuch)?;
        let length = u32::try_from(plain.len() + TAG_BYTES).map_err(|_| TooMuch)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(sequence), Aad::from(&self.header), plain)
            .map_err(|_| TooMuch)?;
        frame.extend_from_slice(tag.as_ref());
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame[4..HEAD_BYTES].copy_from_slice(&sequence.to_le_bytes());
        Ok(())
    }

    /// What is in a frame, without its head; none where it was altered or has another sequence.
    pub(super) fn open<'a>(&self, sequence: u64, sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let opened = self.key.open_in_place(nonce(sequence), Aad::from(&self.header), sealed);
        opened.ok().map(|plain| &*plain)
    }
}

/// What a frame's head says: the length of what follows, and the sequence.
pub(super) fn head(bytes: &[u8; HEAD_BYTES]) -> (u64, u64) {
    let [a, b, c, d, sequence @ ..] = *bytes;
    (u64::from(u32::from_le_bytes([a, b, c, d])), u64::from_le_bytes(sequence))
}

fn nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&sequence.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(seal: &Seal, sequence: u64, plain: &[u8]) -> Vec<u8> {
        let mut frame = [&[0; HEAD_BYTES], plain].concat();
        seal.seal(sequence, &mut frame).unwrap();
        frame
    }

    #[test]
    fn a_frame_opens_in_its_own_segment_at_its_own_place_and_unaltered_only() {
        let key = StationKey::from_bytes(&[7; 32]);
        let seal = Seal::new(&key, Kind::Snapshot, 5).unwrap();
        let frame = sealed(&seal, 9, b"secret");
        assert!(!frame.windows(6).any(|bytes| bytes == b"secret"));
        let mut head_bytes = [0; HEAD_BYTES];
        head_bytes.copy_from_slice(&frame[..HEAD_BYTES]);
        assert_eq!(head(&head_bytes), (6 + TAG_BYTES as u64, 9));
        let open = |seal: &Seal, sequence, frame: &[u8]| {
            seal.open(sequence, &mut frame[HEAD_BYTES..].to_vec()).map(<[u8]>::to_vec)
        };
        let again = Seal::read(&key, *seal.header()).ok().unwrap();
        assert_eq!((again.kind, again.number), (Kind::Snapshot, 5));
        assert_eq!(open(&again, 9, &frame).unwrap(), b"secret");
        assert!(open(&again, 8, &frame).is_none());
        let other = Seal::new(&key, Kind::Snapshot, 5).unwrap();
        assert!(open(&other, 9, &frame).is_none(), "each segment has its own key");
        for at in HEAD_BYTES..frame.len() {
            let mut altered = frame.clone();
            altered[at] ^= 1;
            assert!(open(&again, 9, &altered).is_none());
        }
    }

    #[test]
    fn a_header_that_was_altered_or_made_with_another_key_is_no_header() {
        let key = StationKey::from_bytes(&[7; 32]);
        let header = *Seal::new(&key, Kind::Changes, 5).unwrap().header();
        for at in 0..HEADER_BYTES {
            let mut altered = header;
            altered[at] ^= 1;
            assert_eq!(Seal::read(&key, altered).err(), Some(NoHeader::Foreign), "{at}");
        }
        let other = StationKey::from_bytes(&[8; 32]);
        assert_eq!(Seal::read(&other, header).err(), Some(NoHeader::Foreign));
        let mut newer = header;
        newer[8] = VERSION + 1;
        let proof = key.sessions("segment header", &newer[..PROVEN_BYTES]);
        newer[PROVEN_BYTES..].copy_from_slice(&proof[..PROOF_BYTES]);
        assert_eq!(Seal::read(&key, newer).err(), Some(NoHeader::Newer(VERSION + 1)));
    }
}
