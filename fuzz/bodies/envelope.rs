//! Arbitrary bytes into a keyring with one key of each suite.
//!
//! The first byte says what the others are: a payload as it came, or what a member of the topic sealed around them, so that
//! the parsers behind the AEAD tag and the MAC are reached too. The second picks the topic.

use std::sync::OnceLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use sealwire::{
    keys::{Keyring, TopicKey},
    seal::{
        EpochSecret, OpenError, Opened, Peek, SigningKey, Suite, derive, hmac_sha256, peek,
        replay::{Replay, ReplayGuard},
    },
    topic::{TopicFilter, TopicName},
};

/// The secrets are 32 times the suite's place in `Suite::ALL`, from 1; that of the first is 00 01 … 1f, as in the vectors.
fn secret(at: usize) -> [u8; 32] {
    if at == 0 { std::array::from_fn(|byte| byte as u8) } else { [at as u8; 32] }
}

const TOPICS: [&str; 6] =
    ["plant/press/celsius", "plant/oven/celsius", "chacha/x", "fernet/x", "cbc/x", "nobody/has/a/key"];

fn keyring() -> &'static Keyring {
    static KEYRING: OnceLock<Keyring> = OnceLock::new();
    KEYRING.get_or_init(|| {
        let mut keyring = Keyring::new();
        for (at, suite) in Suite::ALL.into_iter().enumerate() {
            let filter = ["plant/#", "chacha/#", "fernet/#", "cbc/#"][at];
            let filters = vec![TopicFilter::new(filter).expect("a filter")];
            let secret = EpochSecret::from_bytes(secret(at));
            let key = TopicKey::from_secret(filter, filters, suite, secret, 1).expect("a key");
            keyring.add(key).expect("another key");
        }
        keyring
    })
}

/// One case.
pub fn run(data: &[u8]) {
    let Some(([kind, topic], bytes)) = data.split_first_chunk() else { return };
    let topic = TOPICS[usize::from(*topic) % TOPICS.len()];
    match kind % 5 {
        0 => drop(open(topic, bytes)),
        1 => inside(0, topic, bytes),
        2 => inside(1, "chacha/x", bytes),
        3 => signed(topic, bytes),
        _ => cbc_hmac(bytes),
    }
}

/// Opens, and holds that what opens and what is refused is so for a reason.
fn open(topic: &str, wire: &[u8]) -> Result<Opened, OpenError> {
    let topic = TopicName::new(topic).expect("a topic");
    let opening = keyring().open(&topic, wire);
    match &opening {
        Ok(with) => {
            let opened = &with.opened;
            assert!(with.key.covers(&topic) && with.key.suite() == opened.suite);
            assert!(opened.body.len() < wire.len() && opened.sealed_len == wire.len());
            let mut guard = ReplayGuard::new();
            assert_eq!(guard.judge(opened, &topic, false, u64::MAX), Replay::Fresh);
            assert_eq!(guard.judge(opened, &topic, false, u64::MAX), Replay::Repeated);
            if opened.suite.is_native() {
                assert!(matches!(peek(wire), Peek::Native { kid, .. } if kid == opened.kid));
                let longer = [wire, &[0]].concat();
                assert!(matches!(
                    keyring().open(&topic, &longer),
                    Err(OpenError::TrailingBytes { extra: 1 })
                ));
                let shorter = &wire[..wire.len() - 1];
                assert!(matches!(keyring().open(&topic, shorter), Err(OpenError::CutShort { missing: 1 })));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.name().is_empty()),
    }
    opening.map(|with| with.opened)
}

/// `docs/envelope.md` §2 and §3, by hand: session 5e…, sequence number 1.
fn inside(at: usize, topic: &str, inside: &[u8]) {
    let topic = if at == 0 { TOPICS[0] } else { topic };
    let (alg, aead): (u8, &'static Algorithm) =
        if at == 0 { (3, &AES_256_GCM) } else { (24, &CHACHA20_POLY1305) };
    let (secret, session) = (secret(at), [0x5e; 16]);
    let topic_key = derive::<32>(&secret, &[b"sealwire/1 topic"]);
    let mut protected = vec![0xa5, 1];
    if alg > 23 {
        protected.push(0x18);
    }
    protected.extend([alg, 4, 0x50]);
    protected.extend_from_slice(&*derive::<16>(&secret, &[b"sealwire/1 kid"]));
    protected.extend([6, 0x41, 1, 10, 0x50]);
    protected.extend(session);
    protected.extend([0x3a, 0, 1, 0, 0, 0x50]);
    protected.extend_from_slice(&hmac_sha256(&topic_key, topic.as_bytes())[..16]);
    let aad = [&b"\x83\x68Encrypt0\x58"[..], &[protected.len() as u8], &protected, b"\x4c\x81\x6asealwire/1"]
        .concat();
    let material = derive::<44>(&secret, &[b"sealwire/1 msg\0", &[alg], &session]);
    let mut nonce: [u8; 12] = material[32..].try_into().expect("12 bytes");
    nonce[11] ^= 1;
    let key = LessSafeKey::new(UnboundKey::new(aead, &material[..32]).expect("32 bytes"));
    let mut ciphertext = inside.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut ciphertext).expect("it is short");
    let mut wire = [&[0xd0, 0x83, 0x58, protected.len() as u8], &protected[..], &[0xa0, 0x5a]].concat();
    // The head for four bytes of length, unless a shorter one will do.
    wire.pop();
    match ciphertext.len() {
        length @ 0..24 => wire.push(0x40 | length as u8),
        length @ 24..256 => wire.extend([0x58, length as u8]),
        length @ 256..65_536 => wire.extend([0x59, (length >> 8) as u8, length as u8]),
        _ => return,
    }
    wire.extend(ciphertext);
    match open(topic, &wire) {
        Ok(opened) => assert_eq!((opened.session, opened.sequence), (session, 1)),
        Err(error) => assert!(
            matches!(error, OpenError::BadContents(_) | OpenError::Padding | OpenError::BadSignature { .. }),
            "the seal holds, and it says: {error}"
        ),
    }
}

/// A COSE_Sign1 with these bytes for a payload, and a signature that somebody made for something else.
fn signed(topic: &str, payload: &[u8]) {
    let key = SigningKey::from_bytes(&[0xa1; 32]);
    let mut inside_bytes = b"\xd2\x84\x58\x26\xa2\x01\x27\x04\x58\x20".to_vec();
    inside_bytes.extend(key.sender().as_bytes());
    inside_bytes.push(0xa0);
    match payload.len() {
        length @ 0..24 => inside_bytes.push(0x40 | length as u8),
        length @ 24..256 => inside_bytes.extend([0x58, length as u8]),
        _ => return,
    }
    inside_bytes.extend(payload);
    inside_bytes.extend([0x58, 0x40]);
    inside_bytes.extend(hmac_sha256(&[1; 32], payload));
    inside_bytes.extend([0; 32]);
    inside(0, topic, &inside_bytes);
}

/// `docs/envelope.md` §8 by hand, with a MAC that holds.
fn cbc_hmac(sealed: &[u8]) {
    let mut mac_key = [0; 32];
    // RFC 2104 §2: zeros at the end of a key change nothing.
    mac_key[..16].copy_from_slice(&secret(3)[16..]);
    let wire = STANDARD.encode([sealed, &hmac_sha256(&mac_key, sealed)].concat());
    match open("cbc/x", wire.as_bytes()) {
        Ok(opened) => assert_eq!(opened.body.len() / 16, sealed.len() / 16 - 2),
        // No message of this suite is as long as a Fernet token; what is, and begins like one, is taken for one.
        Err(OpenError::NotSealedAsRequired { .. }) => {
            assert!(sealed.starts_with(&[0x80, 0, 0, 0]) && sealed.len() % 16 == 9, "the MAC holds");
        }
        Err(error) => assert!(
            matches!(error, OpenError::BadContents(_) | OpenError::CutShort { .. }),
            "the MAC holds, and it says: {error}"
        ),
    }
}
