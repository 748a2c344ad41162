//! The suites for programs already out there: Fernet tokens and `aes-cbc-hmac`.

use aes::cipher::{Block, BlockModeEncrypt, KeyIvInit};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    forge::{self, Forge, TOPIC, padded, reading},
    hex, vector,
};
use crate::seal::{Suite, cbc_hmac};

type Vectors = Vec<(Value, Option<&'static str>)>;

const IV: [u8; 16] = [0x1f, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const REFUSED: &str = "altered-or-other-key";

/// AES-128-CBC over whole blocks.
fn encrypted(key: &[u8], blocks: &[u8]) -> Vec<u8> {
    let mut out = blocks.to_vec();
    let (blocks, rest) = Block::<aes::Aes128>::slice_as_chunks_mut(&mut out);
    assert!(rest.is_empty());
    cbc::Encryptor::<aes::Aes128>::new_from_slices(key, &IV).unwrap().encrypt_blocks(blocks);
    out
}

fn pkcs7(body: &[u8]) -> Vec<u8> {
    let padding = 16 - body.len() % 16;
    [body, &vec![padding as u8; padding]].concat()
}

fn with_mac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let tag = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(bytes).finalize().into_bytes();
    [bytes, &tag].concat()
}

/// The bytes of a token around blocks that are padded already.
fn token_bytes(version: u8, seconds: u64, blocks: &[u8]) -> Vec<u8> {
    let secret = forge::secret();
    let (signs, encrypts) = secret.expose().split_at(16);
    with_mac(signs, &[&[version], &seconds.to_be_bytes()[..], &IV, &encrypted(encrypts, blocks)].concat())
}

pub(super) fn fernet() -> Vectors {
    let raw = token_bytes(0x80, 1_700_000_000, &pkcs7(b"21.5"));
    let wire = URL_SAFE.encode(&raw);
    let suite = Suite::Fernet;
    let with = |name: &str, wire: &str, fails| (vector(name, suite, TOPIC, wire.as_bytes()), fails);
    let altered = |at: usize| {
        let mut raw = raw.clone();
        raw[at] ^= 1;
        URL_SAFE.encode(raw)
    };
    // By another hand: the crate `fernet` is the reference.
    let reference = fernet::Fernet::new(&URL_SAFE.encode(forge::secret().expose())).unwrap();
    assert!(reference.decrypt_at_time(&wire, None, 1_700_000_000).is_ok());
    let mut stranger = vector("the key of somebody else", suite, TOPIC, wire.as_bytes());
    stranger["key"] = json!({ "secret": hex(forge::other_secret().expose()) });
    let spec_key = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    let spec = |name: &str, token: &str, fails| {
        let mut vector = vector(&format!("fernet specification: {name}"), suite, TOPIC, token.as_bytes());
        vector["key"] = json!({ "secret": hex(&URL_SAFE.decode(spec_key).unwrap()) });
        (vector, fails)
    };
    let bad_padding = token_bytes(0x80, 1_700_000_000, &[0; 16]);
    vec![
        with("a reading", &wire, None),
        with("a body of a whole block", &URL_SAFE.encode(token_bytes(0x80, 1, &pkcs7(&[b'x'; 16]))), None),
        with("space around it", &format!(" {wire}\n"), None),
        with("in the standard alphabet", &wire.replace('-', "+").replace('_', "/"), None),
        (vector("moved to another topic, which nobody notices", suite, "plant/oven", wire.as_bytes()), None),
        (stranger, Some(REFUSED)),
        with("altered: the time", &altered(8), Some(REFUSED)),
        with("altered: the IV", &altered(9), Some(REFUSED)),
        with("altered: the ciphertext", &altered(30), Some(REFUSED)),
        with("altered: the MAC", &altered(raw.len() - 1), Some(REFUSED)),
        with("a MAC that holds over bad padding", &URL_SAFE.encode(bad_padding), Some(REFUSED)),
        with("cut short by one character", &wire[..wire.len() - 1], Some("cut-short")),
        with("cut short by a block", &URL_SAFE.encode(&raw[..raw.len() - 16]), Some("cut-short")),
        with("without its base64 padding", wire.trim_end_matches('='), Some("cut-short")),
        with("no bytes", "", Some("empty")),
        with("in the clear", "21.5", Some("not-sealed-as-required")),
        (
            vector(
                "a native envelope",
                suite,
                TOPIC,
                &Forge::new(Suite::CoseA256Gcm).envelope(&padded(reading())),
            ),
            Some("not-sealed-as-required"),
        ),
        spec(
            "generate and verify",
            "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==",
            None,
        ),
        spec(
            "incorrect MAC",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
            Some(REFUSED),
        ),
        spec("too short", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==", Some("cut-short")),
        spec(
            "not base64",
            "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            Some("not-sealed-as-required"),
        ),
        spec(
            "not whole blocks",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
            Some("cut-short"),
        ),
        spec(
            "bad padding",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
            Some(REFUSED),
        ),
        spec(
            "another IV under the MAC, so bad padding",
            "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
            Some(REFUSED),
        ),
        spec(
            "a time in the future, which is shown and never refused",
            "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
            None,
        ),
        spec(
            "an old time, which is shown and never refused",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            None,
        ),
    ]
}

pub(super) fn cbc_hmac() -> Vectors {
    let suite = Suite::AesCbcHmac;
    let secret = forge::secret();
    let (encrypts, signs) = secret.expose().split_at(16);
    let bytes = |blocks: &[u8]| with_mac(signs, &[&IV[..], &encrypted(encrypts, blocks)].concat());
    let raw = bytes(&pkcs7(b"21.5"));
    let wire = STANDARD.encode(&raw);
    let machine = cbc_hmac::Machine::new(&(&secret).into());
    assert_eq!(machine.seal(b"21.5", &IV), wire.as_bytes());
    let with = |name: &str, wire: &str, fails| (vector(name, suite, TOPIC, wire.as_bytes()), fails);
    let altered = |at: usize| {
        let mut raw = raw.clone();
        raw[at] ^= 1;
        STANDARD.encode(raw)
    };
    let mut stranger = vector("the key of somebody else", suite, TOPIC, wire.as_bytes());
    stranger["key"] = json!({ "secret": hex(forge::other_secret().expose()) });
    // What one of the older systems published: keys of 16 and 33 bytes.
    let published = |name: &str, wire: &str| {
        let mut vector = vector(&format!("published keys: {name}"), suite, "plant/sensor", wire.as_bytes());
        vector["key"] = json!({
            "cipher": "5001f5d40e4f4e4baa329074de030dce",
            "mac": "8950a3d29e894724925576b545c75e125e15bee002a865f032c036d5e776a8f435",
        });
        (vector, None)
    };
    let long = raw.len() + 32;
    vec![
        with("a reading", &wire, None),
        with("an empty body", &STANDARD.encode(bytes(&pkcs7(b""))), None),
        with("a body of a whole block", &STANDARD.encode(bytes(&pkcs7(&[b'x'; 16]))), None),
        with("space around it", &format!("\n{wire} "), None),
        (vector("moved to another topic, which nobody notices", suite, "plant/oven", wire.as_bytes()), None),
        published(
            "a greeting",
            "AAECAwQFBgcICQoLDA0OD36MI89bdSzVsxg83QpRiGf/nAGXQdGCgCiaTDWbjviS9pbyLRa/9cpbc78ZL+7p6A==",
        ),
        published(
            "a line of an old log",
            "+fyN32B0cpk2kBUdV71M/dCR75ejZJfZgeH0eLmTNTl43apS6vb6ugAWpUCwLn7QfJvHE3IMckzm+adpHZ4haQ==",
        ),
        (stranger, Some(REFUSED)),
        with("altered: the IV", &altered(0), Some(REFUSED)),
        with("altered: the ciphertext", &altered(20), Some(REFUSED)),
        with("altered: the MAC", &altered(raw.len() - 1), Some(REFUSED)),
        with("the MAC cut to 16 bytes", &STANDARD.encode(&raw[..raw.len() - 16]), Some("cut-short")),
        with(
            "a MAC that holds over padding of zeros",
            &STANDARD.encode(bytes(&[0; 16])),
            Some("bad-contents"),
        ),
        with(
            "a MAC that holds over padding beyond a block",
            &STANDARD.encode(bytes(&[17; 16])),
            Some("bad-contents"),
        ),
        with("cut short by one character", &wire[..wire.len() - 1], Some("cut-short")),
        with(
            "cut short by three blocks, which looks whole",
            &STANDARD.encode(&bytes(&[&[b'x'; 48][..], &[16; 16]].concat())[..long - 16]),
            Some(REFUSED),
        ),
        with(
            "in the URL-safe alphabet",
            &wire.replace('/', "_").replace('+', "-"),
            Some("not-sealed-as-required"),
        ),
        with("no bytes", "", Some("empty")),
        with("in the clear", "21.5", Some("not-sealed-as-required")),
        (
            vector(
                "a native envelope",
                suite,
                TOPIC,
                &Forge::new(Suite::CoseA256Gcm).envelope(&padded(reading())),
            ),
            Some("not-sealed-as-required"),
        ),
    ]
}
