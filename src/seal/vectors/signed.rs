//! Signatures inside the seal. Who forges one here is a member: it holds the topic key, so every AEAD tag holds.

use serde_json::{Value, json};

use super::{
    forge::{self, Forge, TOPIC, anna, ben, contents, padded, plain, reading},
    vector,
};
use crate::seal::{Kind, Plain, Suite, cbor};

type Vectors = Vec<(Value, Option<&'static str>)>;

const GCM: Suite = Suite::CoseA256Gcm;
/// The order of the group, L = 2^252 + 27742317777372353535851937790883648493 (RFC 8032 §5.1), little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub(super) fn vectors() -> Vectors {
    [opening(), wanting(), borrowed(), forged(), malformed()].concat()
}

fn opening() -> Vectors {
    let kind = |retained, will| Kind { retained, will };
    let retained = Plain { kind: kind(true, false), content_type: Some("text/plain"), ..plain(b"21.5") };
    let will = Plain { kind: kind(false, true), ..plain(b"press gone") };
    let mut out = Vectors::new();
    for suite in [GCM, Suite::CoseChaCha20] {
        let at = Forge::new(suite);
        let later = Forge { sequence: 4660, ..Forge::new(suite) };
        let mut ok = |name: &str, at: &Forge, contents: &[u8]| {
            let wire = at.envelope(&padded(at.signed(contents, &anna())));
            out.push((vector(&format!("{name}, {suite}"), suite, TOPIC, &wire), None));
        };
        ok("a signed reading", &at, &reading());
        ok("signed, retained, with a content type", &later, &contents(&retained));
        ok("a signed will", &at, &contents(&will));
        ok("a signed body of 1,024 bytes", &at, &contents(&plain(&[7; 1024])));
    }
    out
}

/// What the topic's key asks of signatures.
fn wanting() -> Vectors {
    let at = Forge::new(GCM);
    let signed = at.envelope(&padded(at.signed(&reading(), &anna())));
    let with = |name: &str, wire: &[u8], fails| {
        let mut vector = vector(name, GCM, TOPIC, wire);
        vector["required_signers"] = json!([anna().sender().to_string()]);
        (vector, fails)
    };
    vec![
        with("required, and signed by somebody known", &signed, None),
        with("required, and not signed", &at.envelope(&padded(reading())), Some("not-signed")),
        with(
            "required, and signed by a stranger",
            &at.envelope(&padded(at.signed(&reading(), &ben()))),
            Some("unknown-signer"),
        ),
    ]
}

/// A signature that was genuine somewhere else, sealed again here.
fn borrowed() -> Vectors {
    let here = || Forge::new(GCM);
    let places = [
        ("session", Forge { session: [0x77; 16], ..here() }),
        ("place in the session", Forge { sequence: 2, ..here() }),
        ("topic", Forge { topic: "plant/oven/celsius", ..here() }),
        ("suite", Forge::new(Suite::CoseChaCha20)),
        ("key", Forge::under(forge::other_secret(), GCM)),
    ];
    let mut out: Vectors = places
        .into_iter()
        .map(|(what, there)| {
            let wire = here().envelope(&padded(there.signed(&reading(), &anna())));
            (vector(&format!("a signature from another {what}"), GCM, TOPIC, &wire), Some("bad-signature"))
        })
        .collect();
    let other_contents = here().signed(&contents(&plain(b"99.9")), &anna());
    let wire = here().envelope(&padded(with_signature(
        &here().signed(&reading(), &anna()),
        &other_contents[other_contents.len() - 64..],
    )));
    out.push((vector("a signature over other contents", GCM, TOPIC, &wire), Some("bad-signature")));
    out
}

/// The same with another signature at its end.
fn with_signature(signed: &[u8], signature: &[u8]) -> Vec<u8> {
    [&signed[..signed.len() - 64], signature].concat()
}

fn forged() -> Vectors {
    let at = Forge::new(GCM);
    let signed = at.signed(&reading(), &anna());
    let signature = &signed[signed.len() - 64..];
    let protected = |key: &[u8]| [&[0xa2, 0x01, 0x27, 0x04, 0x58, 0x20], key].concat();
    let by = |key: &[u8], signature: &[u8]| sign1(&protected(key), &[0xa0], &reading(), signature);
    let annas = *anna().sender().as_bytes();
    let flipped = |byte: usize| {
        let mut signature = signature.to_vec();
        signature[byte] ^= 1;
        signature
    };
    // S + L is the same number modulo L: a reader that does not refuse it takes two signatures for one message (RFC 8032 §8.4).
    let mut malleable = signature.to_vec();
    let mut carry = 0_u16;
    for (byte, addend) in malleable[32..].iter_mut().zip(L) {
        carry += u16::from(*byte) + u16::from(addend);
        *byte = carry as u8;
        carry >>= 8;
    }
    // The neutral point as key and as R, and S = 0: holds for every message where small orders are let in.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    // y = p + 1, the neutral point again, in the encoding that RFC 8032 §5.1.3 forbids.
    let mut noncanonical = [0xff; 32];
    (noncanonical[0], noncanonical[31]) = (0xee, 0x7f);
    let bens = ben().sign(&at.to_be_signed(&protected(&annas), &reading()));
    // ["Signature1", protected, h'', payload]: as COSE libraries sign where nobody gives them an external AAD.
    let mut unbound = vec![0x84];
    cbor::text(&mut unbound, "Signature1");
    cbor::bytes(&mut unbound, &protected(&annas));
    cbor::bytes(&mut unbound, b"");
    cbor::bytes(&mut unbound, &reading());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a flipped bit in R", by(&annas, &flipped(3))),
        ("a flipped bit in S", by(&annas, &flipped(40))),
        ("S + L", by(&annas, &malleable)),
        ("Anna's name, Ben's signature", by(&annas, &bens)),
        ("Ben's name, Anna's signature", by(ben().sender().as_bytes(), signature)),
        ("a key of small order", by(&neutral, &[&neutral[..], &[0; 32]].concat())),
        ("a key that is not canonical", by(&noncanonical, &[&neutral[..], &[0; 32]].concat())),
        ("all zeros", by(&annas, &[0; 64])),
        ("over the contents without their place", by(&annas, &anna().sign(&unbound))),
        ("over the contents alone", by(&annas, &anna().sign(&reading()))),
    ];
    cases
        .into_iter()
        .map(|(name, inside)| {
            let wire = at.envelope(&padded(inside));
            (vector(&format!("forged: {name}"), GCM, TOPIC, &wire), Some("bad-signature"))
        })
        .collect()
}

fn sign1(protected: &[u8], unprotected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut out = vec![0xd2, 0x84];
    cbor::bytes(&mut out, protected);
    out.extend_from_slice(unprotected);
    cbor::bytes(&mut out, payload);
    cbor::bytes(&mut out, signature);
    out
}

fn malformed() -> Vectors {
    let at = Forge::new(GCM);
    let key = anna();
    let good = [&[0xa2, 0x01, 0x27, 0x04, 0x58, 0x20][..], key.sender().as_bytes()].concat();
    // Signed well, whatever it looks like.
    let with = |protected: &[u8], unprotected: &[u8], payload: &[u8]| {
        sign1(protected, unprotected, payload, &key.sign(&at.to_be_signed(protected, payload)))
    };
    let kid = &good[3..];
    let mut detached = vec![0xd2, 0x84];
    cbor::bytes(&mut detached, &good);
    detached.extend([0xa0, 0xf6]);
    cbor::bytes(&mut detached, &key.sign(&at.to_be_signed(&good, &reading())));
    let mut stain = padded(at.signed(&reading(), &key));
    *stain.last_mut().unwrap() = 1;
    let mut unknown_kind = reading();
    unknown_kind[1] = 8;
    let sign1_of = with(&good, &[0xa0], &at.signed(&reading(), &key));
    let cases: Vec<(&str, Vec<u8>, &'static str)> = vec![
        (
            "algorithm ES256 (-7)",
            with(&[&[0xa2, 0x01, 0x26], kid].concat(), &[0xa0], &reading()),
            "bad-contents",
        ),
        ("no kid", with(&[0xa1, 0x01, 0x27], &[0xa0], &reading()), "bad-contents"),
        (
            "a kid of 31 bytes",
            with(&[&good[..5], &[0x1f], &good[6..37]].concat(), &[0xa0], &reading()),
            "bad-contents",
        ),
        (
            "labels in another order",
            with(&[&[0xa2], kid, &[0x01, 0x27]].concat(), &[0xa0], &reading()),
            "bad-contents",
        ),
        ("an unprotected label", with(&good, &[0xa1, 0x18, 42, 0], &reading()), "bad-contents"),
        ("a detached payload", detached, "bad-contents"),
        ("a signature of 63 bytes", sign1(&good, &[0xa0], &reading(), &[1; 63]), "bad-contents"),
        ("padding within the signed contents", with(&good, &[0xa0], &padded(reading())), "bad-contents"),
        ("a signature within a signature", sign1_of, "bad-contents"),
        ("signed contents of unknown kind", with(&good, &[0xa0], &unknown_kind), "bad-contents"),
        ("a stain in the padding", stain, "bad-padding"),
    ];
    cases
        .into_iter()
        .map(|(name, inside, fails)| {
            (vector(&format!("signed: {name}"), GCM, TOPIC, &at.envelope(&padded(inside))), Some(fails))
        })
        .collect()
}
