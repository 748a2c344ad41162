//! The test vectors of `docs/envelope.md`: what the page shows is what this code makes.

use super::*;
use crate::topic::TopicName;

const PAGE: &str = include_str!("../../docs/envelope.md");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn secret() -> EpochSecret {
    EpochSecret::from_bytes(std::array::from_fn(|at| at as u8))
}

/// The hexadecimal text that stands after `name` in the page's block of that suite.
fn shown(suite: Suite, name: &str) -> String {
    let block = PAGE.split("```").find(|block| block.starts_with(&format!("vector {suite}\n"))).unwrap();
    let after = block.split(&format!("\n{name}:")).nth(1).unwrap();
    after.lines().skip(1).take_while(|line| line.starts_with(' ')).flat_map(str::split_whitespace).collect()
}

fn check(suite: Suite, sequence: u64, plain: Plain<'_>, iat_ms: u64) {
    let topic = TopicName::new("plant/press/celsius").unwrap();
    let session = std::array::from_fn(|at| 0xa0 + at as u8);
    let mut sealer = Sealer::new(&secret(), suite, session);
    sealer.pretend_sealed(sequence - 1, 0);
    let wire = sealer.seal(&topic, &plain, iat_ms).unwrap();
    let algorithm = suite.cose().unwrap().number;
    let material = derive::<44>(secret().expose(), &[b"sealwire/1 msg\0", &[algorithm], &session]);
    let mut inside = Vec::new();
    inside::write(&mut inside, &plain, iat_ms);
    inside.resize(inside::padded_len(inside.len() as u64) as usize, 0);
    let header = header::parse(wire.as_bytes()).unwrap();
    assert_eq!(hex(&*derive::<32>(secret().expose(), &[b"sealwire/1 topic"])), shown(suite, "topic key"));
    assert_eq!(hex(&material[..32]), shown(suite, "AEAD key"));
    assert_eq!(hex(&material[32..]), shown(suite, "context IV"));
    assert_eq!(hex(&header::associated_data(header.protected)), shown(suite, "AAD"));
    assert_eq!(hex(&inside), shown(suite, "inside"));
    assert_eq!(hex(wire.as_bytes()), shown(suite, "envelope"));
}

#[test]
fn the_page_shows_what_this_code_makes_with_aes() {
    let plain = Plain { kind: Kind::default(), content_type: None, body: b"21.5" };
    check(Suite::CoseA256Gcm, 1, plain, 1_700_000_000_000);
}

#[test]
fn the_page_shows_what_this_code_makes_with_chacha() {
    let kind = Kind { retained: true, will: false };
    let body = br#"{"celsius":21.5,"ok":true}"#;
    let plain = Plain { kind, content_type: Some("application/json"), body };
    check(Suite::CoseChaCha20, 4660, plain, 1_700_000_000_123);
}
