//! The envelope as it stands on the wire, written and read without a key.
//!
//! `16([protected, {}, ciphertext])` (RFC 9052 §5.2), in exactly one encoding; see `docs/envelope.md`.

use super::{Kid, OpenError, Suite, cbor, token};

/// Tag 16 (COSE_Encrypt0), an array of three.
const START: [u8; 2] = [0xd0, 0x83];
const EMPTY_MAP: [u8; 1] = [0xa0];
/// A map of five pairs, then label 1 (alg).
const MAP_AND_ALG: [u8; 2] = [0xa5, 0x01];
const KID: [u8; 1] = [0x04];
const PARTIAL_IV: [u8; 1] = [0x06];
const KID_CONTEXT: [u8; 1] = [0x0a];
/// Label -65537, the first for private use beyond the range that RFC 9052 §11.1 reserves.
const TOPIC_ID: [u8; 5] = [0x3a, 0x00, 0x01, 0x00, 0x00];
/// An array of three, the text `Encrypt0`.
const AAD_START: &[u8] = b"\x83\x68Encrypt0";
/// A byte string that holds an array of one, the text `sealwire/1`.
const AAD_END: &[u8] = b"\x4c\x81\x6asealwire/1";
/// The tag at the end of the ciphertext, under either algorithm.
pub(super) const TAG_LEN: usize = 16;

/// A sealed payload, ready for the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub(super) Vec<u8>);

impl Sealed {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Gives the bytes away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// What can be told of a payload without any key. None of it is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peek {
    /// A native envelope with a well-formed header.
    Native {
        /// The suite that it names.
        suite: Suite,
        /// The key that it names.
        kid: Kid,
        /// The sender's session.
        session: [u8; 16],
        /// The sequence number in that session.
        sequence: u64,
    },
    /// It looks like a Fernet token.
    FernetToken,
    /// Neither, and why: empty, in the clear, or a damaged envelope.
    NotAnEnvelope(OpenError),
}

/// Whether it begins as a native envelope does.
pub(super) fn looks_like_one(wire: &[u8]) -> bool {
    wire.first() == Some(&START[0])
}

/// Tells what a payload is, without a key.
#[must_use]
pub fn peek(wire: &[u8]) -> Peek {
    if looks_like_one(wire) {
        return match parse(wire) {
            Ok(Parsed { header, .. }) => Peek::Native {
                suite: header.suite,
                kid: header.kid,
                session: header.session,
                sequence: header.sequence,
            },
            Err(flaw) => Peek::NotAnEnvelope(flaw),
        };
    }
    if token::looks_like_one(wire) {
        return match token::Token::parse(wire) {
            Ok(_) => Peek::FernetToken,
            Err(flaw) => Peek::NotAnEnvelope(flaw),
        };
    }
    Peek::NotAnEnvelope(if wire.is_empty() { OpenError::Empty } else { OpenError::NotAnEnvelope })
}

/// The protected header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) suite: Suite,
    pub(super) kid: Kid,
    /// 1 to 2^24.
    pub(super) sequence: u64,
    pub(super) session: [u8; 16],
    pub(super) topic_id: [u8; 16],
}

/// An envelope taken apart.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    pub(super) header: Header,
    /// The encoded header, as it enters the AAD.
    pub(super) protected: &'a [u8],
    /// Ciphertext and tag.
    pub(super) ciphertext: &'a [u8],
}

impl Header {
    /// The header's map, encoded. `algorithm` is the suite's number.
    pub(super) fn encode(&self, algorithm: u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(80);
        out.extend(MAP_AND_ALG);
        cbor::head(&mut out, cbor::UINT, u64::from(algorithm));
        out.extend(KID);
        cbor::bytes(&mut out, self.kid.as_bytes());
        out.extend(PARTIAL_IV);
        let sequence = self.sequence.to_be_bytes();
        cbor::bytes(&mut out, &sequence[self.sequence.leading_zeros() as usize / 8..]);
        out.extend(KID_CONTEXT);
        cbor::bytes(&mut out, &self.session);
        out.extend(TOPIC_ID);
        cbor::bytes(&mut out, &self.topic_id);
        out
    }
}

/// How many bytes [`write_start`] writes for a ciphertext of this length.
pub(super) const fn start_len(protected: &[u8], ciphertext_len: u64) -> usize {
    START.len()
        + cbor::head_len(protected.len() as u64)
        + protected.len()
        + EMPTY_MAP.len()
        + cbor::head_len(ciphertext_len)
}

/// Writes everything that stands before the ciphertext.
pub(super) fn write_start(out: &mut Vec<u8>, protected: &[u8], ciphertext_len: u64) {
    out.extend(START);
    cbor::bytes(out, protected);
    out.extend(EMPTY_MAP);
    cbor::head(out, cbor::BYTES, ciphertext_len);
}

/// `Enc_structure = ["Encrypt0", protected, external_aad]` (RFC 9052 §5.3), external_aad = `["sealwire/1"]` encoded.
pub(super) fn associated_data(protected: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(AAD_START.len() + 9 + protected.len() + AAD_END.len());
    out.extend_from_slice(AAD_START);
    cbor::bytes(&mut out, protected);
    out.extend_from_slice(AAD_END);
    out
}

/// Takes an envelope apart. Accepts exactly the one encoding and nothing after it.
pub(super) fn parse(wire: &[u8]) -> Result<Parsed<'_>, OpenError> {
    let at = |part: &'static str| {
        move |flaw| match flaw {
            cbor::Flaw::CutShort(missing) => OpenError::CutShort { missing },
            cbor::Flaw::Unexpected => OpenError::BadHeader(part),
        }
    };
    let mut reader = cbor::Reader::new(wire);
    reader.literal(&START).map_err(at("it does not begin as a COSE_Encrypt0"))?;
    let protected = reader.bytes().map_err(at("no protected header"))?;
    let header = parse_protected(protected)?;
    reader.literal(&EMPTY_MAP).map_err(at("the unprotected header is not empty"))?;
    let ciphertext = reader.bytes().map_err(at("no ciphertext"))?;
    if ciphertext.len() < TAG_LEN {
        return Err(OpenError::BadHeader("the ciphertext is shorter than its tag"));
    }
    match reader.rest().len() as u64 {
        0 => Ok(Parsed { header, protected, ciphertext }),
        extra => Err(OpenError::TrailingBytes { extra }),
    }
}

fn parse_protected(protected: &[u8]) -> Result<Header, OpenError> {
    // Inside a byte string whose length held, a lack of bytes is a wrong header and not a cut message.
    let at = |part: &'static str| move |_flaw| OpenError::BadHeader(part);
    let mut reader = cbor::Reader::new(protected);
    reader.literal(&MAP_AND_ALG).map_err(at("not five labels that begin with alg"))?;
    let algorithm = reader.head(cbor::UINT).map_err(at("alg"))?;
    let suite = Suite::from_cose_algorithm(algorithm).ok_or(OpenError::UnknownAlgorithm(algorithm))?;
    reader.literal(&KID).map_err(at("no kid"))?;
    let kid = Kid::from_bytes(reader.bytes_of().map_err(at("kid"))?);
    reader.literal(&PARTIAL_IV).map_err(at("no Partial IV"))?;
    let sequence = sequence(reader.bytes().map_err(at("Partial IV"))?)?;
    reader.literal(&KID_CONTEXT).map_err(at("no kid context"))?;
    let session = reader.bytes_of().map_err(at("kid context"))?;
    reader.literal(&TOPIC_ID).map_err(at("no topic id"))?;
    let topic_id = reader.bytes_of().map_err(at("topic id"))?;
    if !reader.rest().is_empty() {
        return Err(OpenError::BadHeader("something follows the topic id"));
    }
    Ok(Header { suite, kid, sequence, session, topic_id })
}

/// Reads a Partial IV: 1 to 2^24, big-endian, without leading zeros.
fn sequence(bytes: &[u8]) -> Result<u64, OpenError> {
    let in_shortest_form = bytes.first().is_some_and(|&first| first != 0);
    if !in_shortest_form || bytes.len() > 4 {
        return Err(OpenError::BadHeader("Partial IV"));
    }
    let sequence = bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    if sequence > super::MAX_SESSION_MESSAGES {
        return Err(OpenError::BadHeader("a sequence number beyond the end of a session"));
    }
    Ok(sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u64) -> Header {
        Header {
            suite: Suite::CoseA256Gcm,
            kid: Kid::from_bytes([1; 16]),
            sequence,
            session: [2; 16],
            topic_id: [3; 16],
        }
    }

    fn envelope(protected: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_start(&mut out, protected, 48);
        out.extend([9; 48]);
        out
    }

    #[test]
    fn a_header_reads_back_at_every_width_of_the_sequence() {
        for sequence in [1, 255, 256, 65_535, 65_536, 16_777_215, 16_777_216] {
            let wire = envelope(&header(sequence).encode(3));
            assert_eq!(parse(&wire).unwrap().header, header(sequence));
            assert_eq!(wire.len(), start_len(&header(sequence).encode(3), 48) + 48);
        }
    }

    #[test]
    fn a_sequence_that_is_zero_long_or_beyond_the_session_is_a_bad_header() {
        assert!(matches!(parse(&envelope(&header(0).encode(3))), Err(OpenError::BadHeader(_))));
        assert!(matches!(parse(&envelope(&header(16_777_217).encode(3))), Err(OpenError::BadHeader(_))));
        assert_eq!(sequence(&[0, 1]), Err(OpenError::BadHeader("Partial IV")));
    }

    #[test]
    fn another_algorithm_and_an_unprotected_label_are_named() {
        assert_eq!(parse(&envelope(&header(1).encode(1))).unwrap_err(), OpenError::UnknownAlgorithm(1));
        let protected = header(1).encode(3);
        let mut wire = envelope(&protected);
        wire[start_len(&protected, 48) - 3] = 0xa1;
        assert_eq!(parse(&wire).unwrap_err(), OpenError::BadHeader("the unprotected header is not empty"));
    }

    #[test]
    fn what_follows_the_envelope_is_counted() {
        let mut wire = envelope(&header(1).encode(24));
        wire.extend([0, 0]);
        assert_eq!(peek(&wire), Peek::NotAnEnvelope(OpenError::TrailingBytes { extra: 2 }));
    }

    #[test]
    fn a_peek_tells_plaintext_tokens_and_envelopes_apart() {
        assert_eq!(peek(b""), Peek::NotAnEnvelope(OpenError::Empty));
        assert_eq!(peek(b"21.5"), Peek::NotAnEnvelope(OpenError::NotAnEnvelope));
        assert_eq!(peek(b"gA is how this sentence begins"), Peek::NotAnEnvelope(OpenError::NotAnEnvelope));
        let wire = envelope(&header(7).encode(3));
        let wanted = Peek::Native {
            suite: Suite::CoseA256Gcm,
            kid: Kid::from_bytes([1; 16]),
            session: [2; 16],
            sequence: 7,
        };
        assert_eq!(peek(&wire), wanted);
    }
}
