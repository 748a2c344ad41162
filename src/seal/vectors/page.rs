//! What the page `docs/envelope.md` shows is what this code makes: the worked examples, and the table of sizes.

use super::{
    super::*,
    forge::{self, secret},
    hex,
};
use crate::topic::TopicName;

const PAGE: &str = include_str!("../../../docs/envelope.md");

/// The hexadecimal text that stands after `name` in the page's block of that title.
fn shown(title: impl std::fmt::Display, name: &str) -> String {
    let block = PAGE.split("```").find(|block| block.starts_with(&format!("vector {title}\n"))).unwrap();
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

#[test]
fn the_page_shows_what_this_code_signs() {
    let at = forge::Forge::new(Suite::CoseA256Gcm);
    let signed = at.signed(&forge::reading(), &forge::anna());
    let inside = forge::padded(signed.clone());
    let mut reader = cbor::Reader::new(&signed);
    let found = sign1::read(&mut reader).unwrap();
    let protected = &signed[4..42];
    assert_eq!(forge::anna().sender().to_string(), shown("signed", "sender"));
    assert_eq!(hex(&at.schedule.commitment), shown("signed", "commitment"));
    assert_eq!(hex(&at.to_be_signed(protected, found.payload)), shown("signed", "Sig_structure"));
    assert_eq!(hex(&signed[signed.len() - 64..]), shown("signed", "signature"));
    assert_eq!(hex(&inside), shown("signed", "inside"));
    let mut sealer = Sealer::new(&secret(), Suite::CoseA256Gcm, at.session);
    let topic = TopicName::new(forge::TOPIC).unwrap();
    let sealed = sealer.seal_signed(&topic, &forge::plain(b"21.5"), forge::STAMP, &forge::anna()).unwrap();
    assert_eq!(hex(sealed.as_bytes()), shown("signed", "envelope"));
}

/// The row of the page's table of sizes for a suite.
fn row(name: &str) -> Vec<u64> {
    let table = PAGE.split("### Bytes on the wire").nth(1).unwrap();
    let start = format!("| {name} |");
    let line = table.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row {name}"));
    let cells = line.split('|').skip(2).map(|cell| cell.trim().replace(',', ""));
    cells.filter(|cell| !cell.is_empty()).map(|cell| cell.parse().unwrap()).collect()
}

#[test]
fn the_pages_table_of_sizes_is_what_readings_take_on_the_wire() {
    let topic = TopicName::new(forge::TOPIC).unwrap();
    let mut rows = Vec::new();
    for suite in Suite::ALL {
        for signed in [false, true] {
            let size = |length: usize| {
                let body = vec![b'7'; length];
                let mut sealer = Sealer::new(&secret(), suite, [1; 16]);
                // Past 255, as most messages of a session are.
                sealer.pretend_sealed(999, 0);
                let plain = forge::plain(&body);
                let sealed = if signed {
                    sealer.seal_signed(&topic, &plain, forge::STAMP, &forge::anna())
                } else {
                    sealer.seal(&topic, &plain, forge::STAMP)
                };
                sealed.ok().map(|sealed| sealed.as_bytes().len() as u64)
            };
            if let Some(sizes) = [16, 64, 256, 1024].into_iter().map(size).collect::<Option<Vec<_>>>() {
                let name = format!("`{suite}`{}", if signed { ", signed" } else { "" });
                eprintln!(
                    "| {name} | {} |",
                    sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(" | ")
                );
                rows.push((name, sizes));
            }
        }
    }
    assert_eq!(rows.len(), 6, "no suite is left out, and two cannot sign");
    for (name, sizes) in rows {
        assert_eq!(row(&name), sizes, "{name}");
    }
}
