//! What an envelope holds once opened: `[kind, iat_ms, content type or nil, body]`, or a `COSE_Sign1` around it, then zeros.

use super::{
    OpenError, SealError, cbor,
    sign1::{self, Signed},
};

const RETAINED: u64 = 1;
const WILL: u64 = 2;

/// What a message was sealed to be. Authenticated, so a broker cannot pass one off as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Kind {
    /// Meant to be kept by the broker and delivered to later subscribers.
    pub retained: bool,
    /// A will: sealed at connect, published by the broker when the connection breaks.
    pub will: bool,
}

/// What is sealed.
#[derive(Clone, Copy)]
pub struct Plain<'a> {
    /// What the message is meant to be.
    pub kind: Kind,
    /// The MIME type of `body`, if it has one.
    pub content_type: Option<&'a str>,
    /// The payload.
    pub body: &'a [u8],
}

impl std::fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plain({:?}, {} bytes)", self.kind, self.body.len())
    }
}

/// The contents, borrowed from the opened bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents<'a> {
    pub(super) kind: Kind,
    pub(super) sealed_at_ms: u64,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: &'a [u8],
    /// The signature around them, not yet verified.
    pub(super) signed: Option<Signed<'a>>,
}

/// The length that `length` bytes are padded to: a multiple of `max(32, 2^(E−S))`, with `E = ⌊log2 length⌋` and
/// `S = ⌊log2 E⌋ + 1` (Padmé, PURBs paper §4.4), so that at most O(log log n) bits of the size leak and it grows by less than 12 %
/// once past the floor.
pub(super) const fn padded_len(length: u64) -> u64 {
    let exponent = match length.checked_ilog2() {
        Some(exponent) if exponent > 0 => exponent,
        _ => return 32,
    };
    let step = 1_u64 << (exponent - (exponent.ilog2() + 1));
    let step = if step > 32 { step } else { 32 };
    // Near the end of u64 there is no such multiple; nothing that long exists.
    match length.checked_next_multiple_of(step) {
        Some(padded) => padded,
        None => u64::MAX,
    }
}

/// How many bytes [`write`] appends.
pub(super) fn len_of(plain: &Plain<'_>, now_ms: u64) -> Result<u64, SealError> {
    len_for(plain.content_type, plain.body.len() as u64, now_ms)
}

/// As [`len_of`], for a body of which only the length is known.
pub(super) fn len_for(content_type: Option<&str>, body_len: u64, now_ms: u64) -> Result<u64, SealError> {
    let content_type = match content_type {
        Some(text) if text.len() > usize::from(u16::MAX) => {
            return Err(SealError::ContentTypeTooLong(text.len()));
        }
        Some(text) => cbor::head_len(text.len() as u64) + text.len(),
        None => 1,
    };
    let heads = 2 + cbor::head_len(now_ms) + content_type + cbor::head_len(body_len);
    Ok(heads as u64 + body_len)
}

/// Appends the contents, without padding.
pub(super) fn write(out: &mut Vec<u8>, plain: &Plain<'_>, now_ms: u64) {
    cbor::head(out, cbor::ARRAY, 4);
    cbor::head(out, cbor::UINT, plain.kind.to_bits());
    cbor::head(out, cbor::UINT, now_ms);
    match plain.content_type {
        Some(text) => cbor::text(out, text),
        None => out.push(cbor::NIL),
    }
    cbor::bytes(out, plain.body);
}

/// Reads what an envelope held. Padding may be longer than the rule says (a sender may make all messages alike), never non-zero.
pub(super) fn read(opened: &[u8]) -> Result<Contents<'_>, OpenError> {
    let mut reader = cbor::Reader::new(opened);
    let mut signed = None;
    let items = if opened.first() == Some(&sign1::START[0]) {
        let found = sign1::read(&mut reader)
            .map_err(|_| OpenError::BadContents("not a COSE_Sign1 by EdDSA over a byte string"))?;
        let mut payload = cbor::Reader::new(found.payload);
        let items = read_items(&mut payload);
        if !payload.rest().is_empty() {
            return Err(OpenError::BadContents("something follows the signed contents"));
        }
        signed = Some(found);
        items
    } else {
        read_items(&mut reader)
    };
    let items = items.map_err(|_| OpenError::BadContents("not kind, time, type and body"))?;
    let kind =
        Kind::from_bits(items.0).ok_or(OpenError::BadContents("a kind that this version does not know"))?;
    if reader.rest().iter().any(|&byte| byte != 0) {
        return Err(OpenError::Padding);
    }
    Ok(Contents { kind, sealed_at_ms: items.1, content_type: items.2, body: items.3, signed })
}

type Items<'a> = (u64, u64, Option<&'a str>, &'a [u8]);

fn read_items<'a>(reader: &mut cbor::Reader<'a>) -> Result<Items<'a>, cbor::Flaw> {
    if reader.head(cbor::ARRAY)? != 4 {
        return Err(cbor::Flaw::Unexpected);
    }
    let kind = reader.head(cbor::UINT)?;
    let sealed_at_ms = reader.head(cbor::UINT)?;
    let content_type = if reader.skip(cbor::NIL) { None } else { Some(reader.text()?) };
    Ok((kind, sealed_at_ms, content_type, reader.bytes()?))
}

impl Kind {
    const fn to_bits(self) -> u64 {
        (if self.retained { RETAINED } else { 0 }) | (if self.will { WILL } else { 0 })
    }

    const fn from_bits(bits: u64) -> Option<Self> {
        if bits & !(RETAINED | WILL) != 0 {
            return None;
        }
        Some(Self { retained: bits & RETAINED != 0, will: bits & WILL != 0 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn padding_follows_the_rule_at_its_edges() {
        // Computed by hand: E = 8 gives S = 4, so 16, under the floor of 32; E = 10 gives S = 4, so 64.
        for (length, wanted) in
            [(0, 32), (1, 32), (5, 32), (32, 32), (33, 64), (257, 288), (1024, 1024), (1025, 1088)]
        {
            assert_eq!(padded_len(length), wanted, "{length}");
        }
        assert_eq!(padded_len(1_000_000), 1_015_808);
        assert_eq!(padded_len(u64::MAX), u64::MAX);
    }

    #[test]
    fn an_unknown_kind_and_a_stain_in_the_padding_are_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Plain { kind: Kind::default(), content_type: None, body: b"x" }, 5);
        bytes.resize(32, 0);
        bytes[31] = 1;
        assert_eq!(read(&bytes), Err(OpenError::Padding));
        bytes[31] = 0;
        bytes[1] = 4;
        assert!(matches!(read(&bytes), Err(OpenError::BadContents(_))));
    }

    proptest! {
        #[test]
        fn contents_read_back_and_have_the_announced_length(
            retained in any::<bool>(), will in any::<bool>(), now in any::<u64>(),
            content_type in prop::option::of(".{0,40}"), body in prop::collection::vec(any::<u8>(), 0..3000),
        ) {
            let plain = Plain { kind: Kind { retained, will }, content_type: content_type.as_deref(), body: &body };
            let mut bytes = Vec::new();
            write(&mut bytes, &plain, now);
            prop_assert_eq!(bytes.len() as u64, len_of(&plain, now).unwrap());
            bytes.resize(padded_len(bytes.len() as u64) as usize, 0);
            let contents = read(&bytes).unwrap();
            let wanted =
                Contents { kind: plain.kind, sealed_at_ms: now, content_type: plain.content_type, body: &body, signed: None };
            prop_assert_eq!(contents, wanted);
        }

        #[test]
        fn padding_never_shrinks_and_stays_under_an_eighth_past_the_floor(length in 1u64..1 << 40) {
            let padded = padded_len(length);
            prop_assert!(padded >= length);
            prop_assert!(padded - length < (length / 8).max(32));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes);
        }
    }
}
