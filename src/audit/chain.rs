//! The chain itself: how one line's hash follows from the one before.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// What separates a line's content from its hash.
const MARK: &str = ",\"hash\":\"";

/// The hash of a line: SHA-256, 64 hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first line.
    pub const START: Self = Self([0; 32]);

    /// The hash of a line whose bytes up to the mark are `content`.
    #[must_use]
    pub fn next(&self, content: &str) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(content.as_bytes()).finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 64 || !text.is_ascii() {
            return Err(());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ())?;
            if digits.bytes().any(|c| !matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(());
            }
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ())?;
        }
        Ok(Self(bytes))
    }
}

/// A whole line without its line break: the content of a JSON object, its hash put last.
///
/// `object` is JSON text that begins with `{` and ends with `}`.
pub(super) fn close(object: &str, before: &Hash) -> (String, Hash) {
    let content = object.strip_suffix('}').unwrap_or(object);
    let hash = before.next(content);
    (format!("{content}{MARK}{hash}\"}}"), hash)
}

/// A line's content and the hash that it claims.
pub(super) fn split(line: &str) -> Option<(&str, Hash)> {
    let at = line.rfind(MARK)?;
    let hash = line[at + MARK.len()..].strip_suffix("\"}")?.parse().ok()?;
    Some((&line[..at], hash))
}
