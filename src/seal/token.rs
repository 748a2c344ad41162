//! The suite `fernet`: tokens as Python's `cryptography` makes them, so that programs already out there can take part.
//!
//! `base64url(0x80 ‖ seconds ‖ IV ‖ AES-128-CBC(body) ‖ HMAC-SHA-256)`, the HMAC over all before it
//! (<https://github.com/fernet/spec/blob/master/Spec.md>). A token names no key, binds no topic, and carries neither kind nor
//! content type nor sequence: those of a [`Plain`](super::Plain) are not sent.

use aes::{
    Aes128, Aes128Enc, Block,
    cipher::{
        BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit, block_padding::Pkcs7,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Body, EpochSecret, OpenError, secret::derive};

/// The first byte of every token.
const VERSION: u8 = 0x80;
/// How every token begins whose time is under 2^36 seconds: the version byte 0x80, then zero bits.
const PREFIX: &[u8] = b"gAAAAA";
/// Version, time and IV: what stands before the cipher blocks.
const HEAD: usize = 1 + 8 + 16;
const MAC: usize = 32;
/// What surrounds the cipher blocks.
const FRAME: usize = HEAD + MAC;
const IV_LABEL: &[u8] = b"sealwire/1 fernet iv\0";

/// What one secret seals and opens with: its first 16 bytes sign, the last 16 encrypt.
pub(super) struct Cipher {
    aes: Aes128,
    mac: Hmac<Sha256>,
}

/// Seals tokens, each under an IV of its own.
pub(super) struct Writer {
    cipher: Cipher,
    ivs: Aes128Enc,
    sealed: u128,
}

/// A token that is whole; its seal is not yet verified.
#[derive(Debug)]
pub(super) struct Token {
    bytes: Vec<u8>,
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

impl Cipher {
    pub(super) fn new(secret: &EpochSecret) -> Self {
        let (signing, encrypting) = secret.expose().split_at(16);
        let mut key = Zeroizing::new([0; 16]);
        key.copy_from_slice(encrypting);
        // RFC 2104 §2: a key shorter than the block is padded with zeros.
        let mut block = Zeroizing::new([0; 64]);
        block[..16].copy_from_slice(signing);
        Self { aes: Aes128::new((&*key).into()), mac: Hmac::new((&*block).into()) }
    }

    fn seal(&self, body: &[u8], seconds: u64, iv: &Block) -> Vec<u8> {
        // PKCS #7 (RFC 5652 §6.3): as many bytes as are missing, each of that value; a whole block where none are.
        let padding = 16 - body.len() % 16;
        let mut token = Vec::with_capacity(FRAME + body.len() + padding);
        token.push(VERSION);
        token.extend_from_slice(&seconds.to_be_bytes());
        token.extend_from_slice(iv);
        token.extend_from_slice(body);
        token.resize(HEAD + body.len() + padding, padding as u8);
        let (blocks, _) = Block::slice_as_chunks_mut(&mut token[HEAD..]);
        cbc::Encryptor::inner_iv_init(&self.aes, iv).encrypt_blocks(blocks);
        let mac = self.mac.clone().chain_update(&token).finalize().into_bytes();
        token.extend_from_slice(&mac);
        URL_SAFE.encode(&token).into_bytes()
    }
}

impl Writer {
    /// `session` must be fresh randomness.
    pub(super) fn new(secret: &EpochSecret, session: &[u8; 16]) -> Self {
        let key = derive::<16>(secret.expose(), &[IV_LABEL, session]);
        Self { cipher: Cipher::new(secret), ivs: Aes128Enc::new((&*key).into()), sealed: 0 }
    }

    /// The token for one body.
    pub(super) fn seal(&mut self, body: &[u8], seconds: u64) -> Vec<u8> {
        // NIST SP 800-38A, Appendix C: a counter run through a block cipher is an IV that nobody can foresee.
        self.sealed = self.sealed.wrapping_add(1);
        let mut iv = Block::from(self.sealed.to_be_bytes());
        self.ivs.encrypt_block(&mut iv);
        self.cipher.seal(body, seconds, &iv)
    }
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
        let bytes = URL_SAFE
            .decode(text)
            .or_else(|_| URL_SAFE.decode(in_url_alphabet(text)))
            .map_err(|_| OpenError::BadHeader("the token is not base64url"))?;
        if bytes.len() < FRAME + 16 {
            return Err(cut((FRAME + 16 - bytes.len()) as u64));
        }
        if !(bytes.len() - FRAME).is_multiple_of(16) {
            return Err(cut((16 - (bytes.len() - FRAME) % 16) as u64));
        }
        Ok(Self { bytes })
    }

    /// When it was sealed, in seconds since 1970, as it says itself.
    pub(super) fn seconds(&self) -> u64 {
        self.bytes[1..9].iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
    }

    /// 16 bytes that stand for this token, the same however its base64 is written.
    pub(super) fn mark(&self) -> [u8; 16] {
        let mut mark = [0; 16];
        mark.copy_from_slice(&Sha256::digest(&self.bytes)[..16]);
        mark
    }

    /// Verifies and decrypts. The time is shown, never judged here.
    pub(super) fn open(self, cipher: &Cipher) -> Result<Body, OpenError> {
        let mut bytes = Body::from(self.bytes);
        let end = bytes.len() - MAC;
        let (signed, mac) = bytes.split_at(end);
        if signed[0] != VERSION {
            return Err(OpenError::FernetRefused);
        }
        cipher.mac.clone().chain_update(signed).verify_slice(mac).map_err(|_| OpenError::FernetRefused)?;
        let mut iv = Block::default();
        iv.copy_from_slice(&signed[HEAD - 16..HEAD]);
        let body = cbc::Decryptor::inner_iv_init(&cipher.aes, &iv)
            .decrypt_padded::<Pkcs7>(&mut bytes[HEAD..end])
            .map_err(|_| OpenError::FernetRefused)?
            .len();
        Ok(bytes.keep_only(HEAD..HEAD + body))
    }
}

/// Python's decoder takes the standard alphabet too.
fn in_url_alphabet(text: &[u8]) -> Vec<u8> {
    let url = |&byte| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    };
    text.iter().map(url).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `generate.json` and `verify.json` of the Fernet specification.
    const SPEC_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const SPEC_TOKEN: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    fn secret(text: &str) -> EpochSecret {
        EpochSecret::from_bytes(URL_SAFE.decode(text).unwrap().try_into().unwrap())
    }

    fn open(key: &str, token: &str) -> Result<(u64, String), OpenError> {
        let token = Token::parse(token.as_bytes())?;
        let seconds = token.seconds();
        let body = token.open(&Cipher::new(&secret(key)))?;
        Ok((seconds, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[test]
    fn the_vector_of_the_fernet_specification_opens() {
        assert_eq!(open(SPEC_KEY, SPEC_TOKEN), Ok((499_162_800, "hello".into())));
        let iv = Block::from(std::array::from_fn(|at| at as u8));
        let sealed = Cipher::new(&secret(SPEC_KEY)).seal(b"hello", 499_162_800, &iv);
        assert_eq!(sealed, SPEC_TOKEN.as_bytes());
    }

    #[test]
    fn the_reference_crate_opens_ours_and_we_open_its() {
        let reference = fernet::Fernet::new(SPEC_KEY).unwrap();
        let mut writer = Writer::new(&secret(SPEC_KEY), &[9; 16]);
        for length in [0, 1, 15, 16, 17, 64, 1000] {
            let body = "x".repeat(length);
            let ours = String::from_utf8(writer.seal(body.as_bytes(), 1_700_000_000)).unwrap();
            assert_eq!(ours.len() as u64, length_for(length as u64));
            assert_eq!(reference.decrypt_at_time(&ours, None, 1_700_000_000).unwrap(), body.as_bytes());
            let its = reference.encrypt_at_time(body.as_bytes(), 1_700_000_000);
            assert_eq!(open(SPEC_KEY, &its), Ok((1_700_000_000, body)));
        }
    }

    #[test]
    fn no_two_tokens_of_a_key_share_an_iv_within_a_session_or_across() {
        let mut seen = std::collections::HashSet::new();
        for session in [[1; 16], [2; 16]] {
            let mut writer = Writer::new(&secret(SPEC_KEY), &session);
            for _ in 0..100 {
                let token = Token::parse(&writer.seal(b"hello", 5)).unwrap();
                assert!(seen.insert(token.bytes[HEAD - 16..HEAD].to_vec()));
            }
        }
    }

    #[test]
    fn padding_that_is_none_is_refused_though_its_seal_holds() {
        // Sealed by hand: a last block that decrypts to zeros.
        let cipher = Cipher::new(&secret(SPEC_KEY));
        let mut bytes = [&[VERSION][..], &5_u64.to_be_bytes(), &[0; 16]].concat();
        let mut block = Block::default();
        cipher.aes.encrypt_block(&mut block);
        bytes.extend_from_slice(&block);
        let mac = cipher.mac.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        assert_eq!(open(SPEC_KEY, &URL_SAFE.encode(bytes)), Err(OpenError::FernetRefused));
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
        assert_eq!(Token::parse(odd.as_bytes()).unwrap().mark(), plain.mark());
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
}
