//! A Fernet key file as Python's `cryptography` writes it: 44 characters of base64url, the last one `=`.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use crate::seal::EpochSecret;

const CHARS: usize = 44;

/// As tolerant as Python: what the last character has to spare does not matter.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Why a text is not a Fernet key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FernetKeyError {
    /// Not 44 characters.
    #[error("a Fernet key has 44 characters and this has {0}: copy it whole, with the = at its end")]
    Length(usize),
    /// A character that no key has.
    #[error(
        "character {position} cannot stand in a Fernet key, which has letters, digits, - and _ and ends with one =: copy it again"
    )]
    BadCharacter {
        /// Its place, counted from 1.
        position: usize,
    },
}

/// Reads a key, with any space around it. The standard alphabet's `+` and `/` are accepted as Python does.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &[u8]) -> Result<EpochSecret, FernetKeyError> {
    let text = text.trim_ascii();
    if text.len() != CHARS {
        return Err(FernetKeyError::Length(String::from_utf8_lossy(text).chars().count()));
    }
    let mut urlsafe = Zeroizing::new([0; CHARS]);
    for (at, (&byte, into)) in text.iter().zip(urlsafe.iter_mut()).enumerate() {
        *into = match byte {
            b'=' if at == CHARS - 1 => b'=',
            _ if at == CHARS - 1 => return Err(FernetKeyError::BadCharacter { position: CHARS }),
            b'+' => b'-',
            b'/' => b'_',
            b'-' | b'_' => byte,
            _ if byte.is_ascii_alphanumeric() => byte,
            _ => return Err(FernetKeyError::BadCharacter { position: at + 1 }),
        };
    }
    let mut bytes = Zeroizing::new([0; 33]);
    match (BASE64.decode_slice(*urlsafe, &mut *bytes), bytes.first_chunk()) {
        (Ok(32), Some(secret)) => Ok(EpochSecret::from_bytes(*secret)),
        _ => Err(FernetKeyError::BadCharacter { position: CHARS }),
    }
}

/// Writes a key, without a line break.
#[must_use]
pub fn write(secret: &EpochSecret) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(CHARS));
    BASE64.encode_string(secret.expose(), &mut text);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    #[test]
    fn a_key_of_python_reads_and_writes_with_or_without_space_and_in_either_alphabet() {
        let secret = read(KEY.as_bytes()).unwrap();
        assert_eq!(*write(&secret), KEY);
        let odd = format!("\n {}\r\n", KEY.replace('-', "+").replace('_', "/"));
        assert_eq!(read(odd.as_bytes()).unwrap().expose(), secret.expose());
    }

    #[test]
    fn what_is_wrong_with_a_key_is_named() {
        assert_eq!(read(KEY.trim_end_matches('=').as_bytes()).unwrap_err(), FernetKeyError::Length(43));
        assert_eq!(read(b"").unwrap_err(), FernetKeyError::Length(0));
        let bad = KEY.replacen('w', "*", 1);
        assert_eq!(read(bad.as_bytes()).unwrap_err(), FernetKeyError::BadCharacter { position: 2 });
        let no_end = KEY.replace('=', "A");
        assert_eq!(read(no_end.as_bytes()).unwrap_err(), FernetKeyError::BadCharacter { position: 44 });
    }

    proptest! {
        #[test]
        fn every_secret_reads_back(bytes in any::<[u8; 32]>()) {
            let text = write(&EpochSecret::from_bytes(bytes));
            prop_assert_eq!(text.len(), 44);
            let again = read(text.as_bytes()).unwrap();
            prop_assert_eq!(again.expose(), &bytes);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 40..48)) {
            let _ = read(&bytes);
        }
    }
}
