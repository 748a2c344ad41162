//! The suite `fernet`: tokens as Python's `cryptography` makes them, so that programs already out there can take part.
//!
//! `base64url(0x80 ‖ seconds ‖ IV ‖ AES-128-CBC(body) ‖ HMAC-SHA-256)`. A token names no key, binds no topic, and carries
//! neither kind nor content type nor sequence: those of a [`Plain`](super::Plain) are not sent. The `fernet` crate
//! does the cryptography; it takes no IV, but draws it from the operating system itself (and panics should that have none).

use base64::{Engine, engine::general_purpose::URL_SAFE};
use fernet::Fernet;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{EpochSecret, OpenError};

/// How every token begins whose time is under 2^36 seconds: the version byte 0x80, then zero bits.
const PREFIX: &[u8] = b"gAAAAA";
/// Version, time, IV, and HMAC: what surrounds the cipher blocks.
const FRAME: usize = 1 + 8 + 16 + 32;

/// A token that is whole; its seal is not yet verified.
#[derive(Debug)]
pub(super) struct Token {
    canonical: String,
    pub(super) seconds: u64,
    /// 16 bytes that stand for this token, the same however its base64 is written.
    pub(super) mark: [u8; 16],
}

/// Whether the bytes begin like a token, possibly with space before it.
pub(super) fn begins_like_one(wire: &[u8]) -> bool {
    wire.trim_ascii_start().starts_with(PREFIX)
}

/// Whether the bytes are base64 text that begins like a token, possibly with space around it.
pub(super) fn looks_like_one(wire: &[u8]) -> bool {
    let text = wire.trim_ascii();
    text.starts_with(PREFIX)
        && text.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-_+/=".contains(&byte))
}

/// How long a token for this body is.
pub(super) const fn length_for(body_len: u64) -> u64 {
    (FRAME as u64 + 16 * (body_len / 16 + 1)).div_ceil(3) * 4
}

/// The cipher of one secret: the first 16 bytes sign, the last 16 encrypt.
#[expect(
    clippy::expect_used,
    reason = "32 bytes in base64url are what the crate takes; no input can reach it"
)]
pub(super) fn cipher(secret: &EpochSecret) -> Fernet {
    let text = Zeroizing::new(URL_SAFE.encode(secret.expose()));
    Fernet::new(&text).expect("32 bytes in base64url")
}

impl Token {
    /// Reads a token as Python does: space around it and the standard alphabet are fine, a lack of padding is not.
    pub(super) fn parse(wire: &[u8]) -> Result<Self, OpenError> {
        let cut = |missing| OpenError::CutShort { missing };
        let text = wire.trim_ascii();
        let missing = (4 - text.len() % 4) % 4;
        if missing != 0 {
            return Err(cut(missing as u64));
        }
        let urlsafe: Vec<u8> = text
            .iter()
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                &other => other,
            })
            .collect();
        let bytes =
            URL_SAFE.decode(&urlsafe).map_err(|_| OpenError::BadHeader("the token is not base64url"))?;
        if bytes.len() < FRAME + 16 {
            return Err(cut((FRAME + 16 - bytes.len()) as u64));
        }
        if !(bytes.len() - FRAME).is_multiple_of(16) {
            return Err(cut((16 - (bytes.len() - FRAME) % 16) as u64));
        }
        let seconds = bytes[1..9].iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let mut mark = [0; 16];
        mark.copy_from_slice(&Sha256::digest(&bytes)[..16]);
        Ok(Self { canonical: URL_SAFE.encode(&bytes), seconds, mark })
    }

    /// Verifies and decrypts. The time is shown, never judged here.
    pub(super) fn open(&self, cipher: &Fernet) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        // The crate refuses times beyond its "now" and adds a minute to that without a check, so "now" is the token's own.
        if self.seconds > u64::from(u32::MAX) << 8 {
            return Err(OpenError::FernetRefused);
        }
        cipher
            .decrypt_at_time(&self.canonical, None, self.seconds)
            .map(Zeroizing::new)
            .map_err(|_| OpenError::FernetRefused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crate's `generate.json` and `verify.json` come from the Fernet specification.
    const SPEC_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const SPEC_TOKEN: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    fn secret(text: &str) -> EpochSecret {
        EpochSecret::from_bytes(URL_SAFE.decode(text).unwrap().try_into().unwrap())
    }

    fn open(key: &str, token: &str) -> Result<(u64, String), OpenError> {
        let token = Token::parse(token.as_bytes())?;
        let body = token.open(&cipher(&secret(key)))?;
        Ok((token.seconds, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[test]
    fn the_vector_of_the_fernet_specification_opens() {
        assert_eq!(open(SPEC_KEY, SPEC_TOKEN), Ok((499_162_800, "hello".into())));
    }

    #[test]
    fn tokens_of_the_programs_already_out_there_open() {
        let vectors = [
            (
                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "gAAAAABlU_EAAAECAwQFBgcICQoLDA0ODzYT6wYSQPWwSrbLUDrCdq9mt1YrAT8GNkxOcplq2fUj2kPlBIwhOQA62GHqfej9zQ9fATtMP2yoWmrbXJXwhI9DrOWGpfFYQbUokSdNZzE4If-6NKMqYbCuO5t5KOS2RA==",
                "ID:123e4567-e89b-42d3-a456-426614174000 Coordinates:42,7",
            ),
            (
                "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MTI=",
                "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD4wxp9X1hoGw6aOf6eivwnHgpfZVxg2_kvuyZpAq69I9XesNwprRxExDakiKlslzIg==",
                "daniel: hello",
            ),
            (
                "xFUfaq9Wce9x2wD1oB3WjxPfSz23bCWPIAaSfM4ruzo=",
                "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD8s1g61-qjx7iUtC9Y7v8q06YxuGEIXz3zFLq1BAXqrwzhQHWEdqimAMXYvc0adUced4NU61L7rNsqx8PnTFXw_gJLENN9bDloPc6rbYXf9K",
                "{\"username\": \"alice\", \"text\": \"hello\"}",
            ),
        ];
        for (key, token, body) in vectors {
            assert_eq!(open(key, token), Ok((1_700_000_000, body.into())));
        }
    }

    #[test]
    fn space_around_a_token_and_the_standard_alphabet_are_tolerated_and_change_nothing() {
        let plain = Token::parse(SPEC_TOKEN.as_bytes()).unwrap();
        let odd = format!(" {}\n", SPEC_TOKEN.replace('-', "+").replace('_', "/"));
        assert!(looks_like_one(odd.as_bytes()));
        assert_eq!(Token::parse(odd.as_bytes()).unwrap().mark, plain.mark);
        assert!(matches!(
            Token::parse(SPEC_TOKEN.trim_end_matches('=').as_bytes()),
            Err(OpenError::CutShort { .. })
        ));
    }

    #[test]
    fn another_key_an_absurd_time_and_every_cut_are_refused() {
        assert_eq!(
            open("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", SPEC_TOKEN),
            Err(OpenError::FernetRefused)
        );
        for end in PREFIX.len()..SPEC_TOKEN.len() {
            assert!(open(SPEC_KEY, &SPEC_TOKEN[..end]).is_err(), "{end}");
        }
        let mut bytes = URL_SAFE.decode(SPEC_TOKEN).unwrap();
        bytes[1..9].fill(0xff);
        assert_eq!(open(SPEC_KEY, &URL_SAFE.encode(bytes)), Err(OpenError::FernetRefused));
    }

    #[test]
    fn the_length_of_a_token_is_known_beforehand() {
        let cipher = cipher(&secret(SPEC_KEY));
        for length in [0, 15, 16, 17, 57, 1000] {
            let token = cipher.encrypt_at_time(&vec![b'x'; length], 1);
            assert_eq!(token.len() as u64, length_for(length as u64));
        }
    }
}
