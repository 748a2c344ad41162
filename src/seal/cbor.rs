//! The little of CBOR (RFC 8949) that is needed, in its deterministic form (§4.2.1): shortest heads, definite lengths.
//!
//! Reading is as strict as writing, so that every value has exactly one encoding.

pub(crate) const UINT: u8 = 0;
pub(crate) const BYTES: u8 = 2;
pub(crate) const TEXT: u8 = 3;
pub(crate) const ARRAY: u8 = 4;
/// The simple value `null` (CDDL `nil`).
pub(crate) const NIL: u8 = 0xf6;

/// Writes the head of an item: its major type, and its value or length.
#[inline]
pub(crate) fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..24 => out.push(major | bytes[7]),
        24..0x100 => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..0x1_0000 => out.extend_from_slice(&[major | 25, bytes[6], bytes[7]]),
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

/// How many bytes [`head`] writes.
pub(crate) const fn head_len(value: u64) -> usize {
    match value {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}

/// Writes a byte string.
pub(crate) fn bytes(out: &mut Vec<u8>, content: &[u8]) {
    head(out, BYTES, content.len() as u64);
    out.extend_from_slice(content);
}

/// Writes a text string.
pub(crate) fn text(out: &mut Vec<u8>, content: &str) {
    head(out, TEXT, content.len() as u64);
    out.extend_from_slice(content.as_bytes());
}

/// Why bytes are not what was expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The bytes end too early; at least so many are missing.
    CutShort(u64),
    /// Something else stands here, or the same in a longer form.
    Unexpected,
}

/// Reads items from the front of a slice. Never allocates.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is not yet read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], Flaw> {
        let available = self.rest.len() as u64;
        match usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count)) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Flaw::CutShort(count.saturating_sub(available))),
        }
    }

    /// Exactly these bytes.
    pub(crate) fn literal(&mut self, wanted: &[u8]) -> Result<(), Flaw> {
        let available = self.rest.len().min(wanted.len());
        if self.rest[..available] != wanted[..available] {
            return Err(Flaw::Unexpected);
        }
        self.take(wanted.len() as u64).map(|_| ())
    }

    /// A head of the given major type, in its shortest form: its value or length.
    pub(crate) fn head(&mut self, major: u8) -> Result<u64, Flaw> {
        let &first = self.take(1)?.first().ok_or(Flaw::CutShort(1))?;
        if first >> 5 != major {
            return Err(Flaw::Unexpected);
        }
        let width = match first & 0x1f {
            value @ 0..24 => return Ok(u64::from(value)),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(Flaw::Unexpected),
        };
        let value = self.take(width)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        if head_len(value) as u64 != width + 1 {
            return Err(Flaw::Unexpected);
        }
        Ok(value)
    }

    /// A byte string.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Flaw> {
        let length = self.head(BYTES)?;
        self.take(length)
    }

    /// A byte string of exactly `N` bytes.
    pub(crate) fn bytes_of<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        if self.head(BYTES)? != N as u64 {
            return Err(Flaw::Unexpected);
        }
        self.take(N as u64)?.try_into().map_err(|_| Flaw::Unexpected)
    }

    /// A text string.
    pub(crate) fn text(&mut self) -> Result<&'a str, Flaw> {
        let length = self.head(TEXT)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Flaw::Unexpected)
    }

    /// Reads `byte` if it is next, and says whether it was.
    pub(crate) fn skip(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_are_written_as_rfc_8949_appendix_a_shows() {
        let cases: [(u64, &[u8]); 9] = [
            (0, &[0]),
            (23, &[0x17]),
            (24, &[0x18, 0x18]),
            (255, &[0x18, 0xff]),
            (1000, &[0x19, 3, 0xe8]),
            (1_000_000, &[0x1a, 0, 0x0f, 0x42, 0x40]),
            (4_294_967_295, &[0x1a, 0xff, 0xff, 0xff, 0xff]),
            (1_000_000_000_000, &[0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0]),
            (u64::MAX, &[0x1b, 255, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (value, wanted) in cases {
            let mut out = Vec::new();
            head(&mut out, UINT, value);
            assert_eq!(out, wanted, "{value}");
            assert_eq!(out.len(), head_len(value));
        }
    }

    #[test]
    fn a_longer_form_than_needed_is_refused() {
        for long in [
            &[0x18, 23][..],
            &[0x19, 0, 255],
            &[0x1a, 0, 0, 255, 255],
            &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
        ] {
            assert_eq!(Reader::new(long).head(UINT), Err(Flaw::Unexpected), "{long:?}");
        }
        assert_eq!(Reader::new(&[0x5f]).bytes(), Err(Flaw::Unexpected), "indefinite length");
    }

    #[test]
    fn an_announced_length_beyond_the_end_is_cut_short_whatever_its_size() {
        assert_eq!(
            Reader::new(&[0x5b, 255, 255, 255, 255, 255, 255, 255, 255]).bytes(),
            Err(Flaw::CutShort(u64::MAX))
        );
        assert_eq!(Reader::new(&[0x42, 1]).bytes(), Err(Flaw::CutShort(1)));
    }

    proptest! {
        #[test]
        fn heads_read_back(value in any::<u64>(), shift in 0u32..64) {
            let value = value >> shift;
            let mut out = Vec::new();
            head(&mut out, BYTES, value);
            prop_assert_eq!(Reader::new(&out).head(BYTES), Ok(value));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(&bytes);
            let _ = (reader.bytes(), reader.text(), reader.head(UINT), reader.bytes_of::<16>());
        }
    }
}
