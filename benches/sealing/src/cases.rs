//! What can be measured: `OPERATION/SUITE/SIZE`, the size of a message's body in bytes.

use std::hint::black_box;

use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::{
    Operation,
    seal::{EpochSecret, Kind, Opener, Plain, Sealer, Suite},
    topic::TopicName,
};

const SECRET: [u8; 32] = [0x5a; 32];
const NOW_MS: u64 = 1_700_000_000_000;
/// How many messages or topics take turns, so that nothing is measured that was just seen.
const TURNS: u64 = 64;

/// The operation of that name.
pub fn find(case: &str) -> Result<Operation, String> {
    let parts: Vec<&str> = case.split('/').collect();
    let [operation, suite, size] = parts[..] else {
        return Err(format!("“{case}” is not OPERATION/SUITE/SIZE"));
    };
    let size = size.parse().map_err(|_| format!("“{size}” is not a number of bytes"))?;
    let suite: Suite = suite.parse().map_err(|error| format!("{error}"))?;
    match operation {
        "aead" => aead(suite, size),
        "seal" => Ok(seal(suite, size, 1)),
        "seal-topics" => Ok(seal(suite, size, TURNS)),
        "open" => Ok(open(suite, size, 1, 1)),
        "open-topics" => Ok(open(suite, size, TURNS, 1)),
        "open-sessions" => Ok(open(suite, size, 1, 8)),
        "open-strangers" => Ok(open(suite, size, 1, 1 << 12)),
        _ => Err(format!("there is no operation “{operation}”")),
    }
}

/// The cipher with nothing around it, in place, each time under another nonce.
fn aead(suite: Suite, size: usize) -> Result<Operation, String> {
    let algorithm = match suite {
        Suite::CoseA256Gcm => &AES_256_GCM,
        Suite::CoseChaCha20 => &CHACHA20_POLY1305,
        other => return Err(format!("{other} is no AEAD")),
    };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &SECRET).map_err(|error| error.to_string())?);
    let mut buffer = vec![b'x'; size];
    let mut sequence = 0_u64;
    Ok(Box::new(move || {
        sequence += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&sequence.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), black_box(&mut buffer));
        let _ = black_box(tag);
    }))
}

fn topics(count: u64) -> Vec<TopicName> {
    (0..count).map(|number| TopicName::new(format!("plant/press/{number:04}")).expect("a topic")).collect()
}

fn session(number: u64) -> [u8; 16] {
    let mut session = [0; 16];
    session[8..].copy_from_slice(&number.to_be_bytes());
    session
}

/// One sealer, one topic after the other.
fn seal(suite: Suite, size: usize, topic_count: u64) -> Operation {
    let secret = EpochSecret::from_bytes(SECRET);
    let (topics, body) = (topics(topic_count), vec![b'x'; size]);
    let mut sessions = 0;
    let mut sealer = Sealer::new(&secret, suite, session(0));
    let mut turn = 0;
    Box::new(move || {
        if sealer.is_spent() {
            sessions += 1;
            sealer.start_session(session(sessions)).expect("a new session");
        }
        let plain = Plain { kind: Kind::default(), content_type: None, body: &body };
        turn = (turn + 1) % topics.len();
        let sealed = sealer.seal(black_box(&topics[turn]), black_box(&plain), NOW_MS);
        black_box(sealed.expect("sealed"));
    })
}

/// One opener; messages from that many topics or sessions, one after the other.
fn open(suite: Suite, size: usize, topic_count: u64, session_count: u64) -> Operation {
    let secret = EpochSecret::from_bytes(SECRET);
    let (topics, body) = (topics(topic_count), vec![b'x'; size]);
    let plain = Plain { kind: Kind::default(), content_type: None, body: &body };
    let mut sealers: Vec<_> =
        (0..session_count).map(|number| Sealer::new(&secret, suite, session(number))).collect();
    let mut messages = Vec::new();
    for number in 0..TURNS.max(session_count) {
        let topic = &topics[(number % topic_count) as usize];
        let sealer = &mut sealers[(number % session_count) as usize];
        let sealed = sealer.seal(topic, &plain, NOW_MS).expect("sealed");
        messages.push((topic.clone(), sealed.into_bytes()));
    }
    let opener = Opener::new(&secret, suite);
    let mut turn = 0;
    Box::new(move || {
        turn = (turn + 1) % messages.len();
        let (topic, wire) = &messages[turn];
        black_box(opener.open(black_box(topic), black_box(wire)).expect("opened"));
    })
}
