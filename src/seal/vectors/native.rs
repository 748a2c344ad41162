//! The native envelope, unsigned.

use serde_json::{Value, json};

use super::{
    forge::{self, Forge, STAMP, TOPIC, contents, padded, plain, reading},
    hex, vector,
};
use crate::seal::{Kind, MAX_SESSION_MESSAGES, Plain, Suite, cbor};

type Vectors = Vec<(Value, Option<&'static str>)>;

pub(super) fn vectors(suite: Suite) -> Vectors {
    [opening(suite), transport(suite), moved(suite), headers(suite), insides(suite)].concat()
}

fn opening(suite: Suite) -> Vectors {
    let at = Forge::new(suite);
    let later = Forge { sequence: 4660, ..Forge::new(suite) };
    let last = Forge { sequence: MAX_SESSION_MESSAGES, ..Forge::new(suite) };
    let abroad = Forge { topic: "plant/öfen/°C", ..Forge::new(suite) };
    let kind = |retained, will| Kind { retained, will };
    let json_body = br#"{"celsius":21.5,"ok":true}"#;
    let retained = Plain { kind: kind(true, false), content_type: Some("application/json"), body: json_body };
    let long: Vec<u8> = (0..1024).map(|at| at as u8).collect();
    let mut generous = reading();
    generous.resize(512, 0);
    let ok = |name: &str, wire: Vec<u8>| (vector(name, suite, TOPIC, &wire), None);
    vec![
        ok("a reading", at.envelope(&padded(reading()))),
        ok(
            "retained, with a content type, later in the session",
            later.envelope(&padded(contents(&retained))),
        ),
        ok(
            "a will",
            at.envelope(&padded(contents(&Plain { kind: kind(false, true), ..plain(b"press gone") }))),
        ),
        ok(
            "a will to be retained",
            at.envelope(&padded(contents(&Plain { kind: kind(true, true), ..plain(b"press gone") }))),
        ),
        ok("the last message of a session", last.envelope(&padded(reading()))),
        ok("an empty body", at.envelope(&padded(contents(&plain(b""))))),
        ok("a body of 1,024 bytes", at.envelope(&padded(contents(&plain(&long))))),
        ok("padded further than the rule asks", at.envelope(&generous)),
        ok("not padded at all, which a reader accepts", at.envelope(&reading())),
        (vector("a topic beyond ASCII", suite, abroad.topic, &abroad.envelope(&padded(reading()))), None),
    ]
}

fn transport(suite: Suite) -> Vectors {
    let wire = Forge::new(suite).envelope(&padded(reading()));
    let mut out: Vectors = [
        ("one byte", 1),
        ("in the header", 40),
        ("before the ciphertext", 69),
        ("in the tag", wire.len() - 1),
    ]
    .into_iter()
    .map(|(place, end)| {
        (vector(&format!("cut short: {place}"), suite, TOPIC, &wire[..end]), Some("cut-short"))
    })
    .collect();
    let mut with = |name: &str, wire: &[u8], fails| out.push((vector(name, suite, TOPIC, wire), Some(fails)));
    with("over-long by a zero", &[&wire[..], &[0]].concat(), "over-long");
    with("two envelopes in one payload", &[&wire[..], &wire].concat(), "over-long");
    with("no bytes", b"", "empty");
    with("in the clear", b"21.5", "not-sealed-as-required");
    with("without its tag 16", &wire[1..], "not-sealed-as-required");
    with("another CBOR tag", &[&[0xd1], &wire[1..]].concat(), "not-sealed-as-required");
    // 24 takes a byte more than 3.
    let wide = usize::from(suite == Suite::CoseChaCha20);
    let flips = [
        ("the last bit of the tag", wire.len() - 1, "altered"),
        ("the first bit of the ciphertext", wire.len() - 48, "altered"),
        ("a bit of the kid", 12, "unknown-key"),
        ("a bit of the Partial IV", 27 + wide, "altered"),
        ("a bit of the session", 35 + wide, "altered"),
        ("a bit of the topic id", 60 + wide, "altered"),
    ];
    for (name, at, fails) in flips {
        let mut altered = wire.clone();
        altered[at] ^= 0x10;
        with(&format!("altered: {name}"), &altered, fails);
    }
    out
}

fn moved(suite: Suite) -> Vectors {
    let at = Forge::new(suite);
    let inside = padded(reading());
    let wire = at.envelope(&inside);
    let elsewhere = Forge { session: [0x77; 16], ..Forge::new(suite) };
    let next = Forge { sequence: 2, ..Forge::new(suite) };
    // Two genuine messages: the header of the one, the ciphertext of the other.
    let swapped = |with: &Forge| {
        let mut out = Vec::new();
        crate::seal::header::write_start(&mut out, &with.protected(), (inside.len() + 16) as u64);
        out.extend(at.encrypted(&at.protected(), &inside));
        out
    };
    let other = match suite {
        Suite::CoseA256Gcm => Suite::CoseChaCha20,
        _ => Suite::CoseA256Gcm,
    };
    let mut narrow = vector("delivered on a topic that the key is not for", suite, "garden/celsius", &wire);
    narrow["filters"] = json!(["plant/#", "hall/+"]);
    let mut stranger = vector("the key of somebody else", suite, TOPIC, &wire);
    stranger["key"] = json!({ "secret": hex(forge::other_secret().expose()) });
    vec![
        (vector("moved to another topic", suite, "plant/oven/celsius", &wire), Some("moved-topic")),
        (narrow, Some("key-not-for-topic")),
        (stranger, Some("unknown-key")),
        (vector("the session of another message", suite, TOPIC, &swapped(&elsewhere)), Some("altered")),
        (vector("the sequence number of another message", suite, TOPIC, &swapped(&next)), Some("altered")),
        (
            vector(
                "the right secret under another suite",
                suite,
                TOPIC,
                &Forge::new(other).envelope(&inside),
            ),
            Some("not-sealed-as-required"),
        ),
    ]
}

fn headers(suite: Suite) -> Vectors {
    let at = Forge::new(suite);
    let (inside, good) = (padded(reading()), at.protected());
    let algorithm = good[3..].iter().position(|&byte| byte == 0x04).unwrap() + 3;
    // alg, kid, Partial IV, kid context, topic id, each with its label.
    let (kid, iv) = (algorithm, algorithm + 18);
    let (context, topic_id) = (iv + 3, iv + 3 + 18);
    let parts =
        [&good[1..kid], &good[kid..iv], &good[iv..context], &good[context..topic_id], &good[topic_id..]];
    let map = |parts: &[&[u8]]| {
        let mut out = vec![0xa0 | parts.len() as u8];
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out
    };
    assert_eq!(map(&parts), good);
    let [alg, kid, iv, context, topic_id] = parts;
    let cases: Vec<(&str, Vec<u8>, &'static str)> = vec![
        ("COSE algorithm 1 (A128GCM)", map(&[&[1, 1], kid, iv, context, topic_id]), "unknown-algorithm"),
        ("an algorithm as text", map(&[&[1, 0x61, b'3'], kid, iv, context, topic_id]), "bad-header"),
        (
            "the algorithm in a longer form",
            map(&[&[1, 0x19, 0, alg[alg.len() - 1]], kid, iv, context, topic_id]),
            "bad-header",
        ),
        ("labels in another order", map(&[alg, iv, kid, context, topic_id]), "bad-header"),
        ("no topic id", map(&[alg, kid, iv, context]), "bad-header"),
        ("no Partial IV", map(&[alg, kid, context, topic_id]), "bad-header"),
        ("an unknown label", map(&[alg, kid, iv, context, topic_id, &[0x18, 99, 0]]), "bad-header"),
        ("a label twice", map(&[alg, kid, kid, iv, context, topic_id]), "bad-header"),
        ("a critical label", map(&[alg, &[2, 0x81, 4], kid, iv, context, topic_id]), "bad-header"),
        (
            "a kid of 15 bytes",
            map(&[alg, &[&[4, 0x4f], &kid[2..17]].concat(), iv, context, topic_id]),
            "bad-header",
        ),
        ("sequence number 0", map(&[alg, kid, &[6, 0x41, 0], context, topic_id]), "bad-header"),
        ("an empty Partial IV", map(&[alg, kid, &[6, 0x40], context, topic_id]), "bad-header"),
        (
            "a Partial IV with a leading zero",
            map(&[alg, kid, &[6, 0x42, 0, 1], context, topic_id]),
            "bad-header",
        ),
        (
            "a sequence number beyond 2^24",
            map(&[alg, kid, &[6, 0x44, 1, 0, 0, 1], context, topic_id]),
            "bad-header",
        ),
        ("an empty header", vec![], "bad-header"),
        ("something after the header's map", [&good[..], &[0]].concat(), "bad-header"),
    ];
    let mut out: Vectors = cases
        .into_iter()
        .map(|(name, protected, fails)| {
            (
                vector(&format!("header: {name}"), suite, TOPIC, &at.envelope_with(&protected, &inside)),
                Some(fails),
            )
        })
        .collect();
    let ciphertext = at.encrypted(&good, &inside);
    let mut plainly = |name: &str, start: &[u8], ciphertext_head: &[u8], ciphertext: &[u8]| {
        let wire = [start, ciphertext_head, ciphertext].concat();
        out.push((vector(&format!("framing: {name}"), suite, TOPIC, &wire), Some("bad-header")));
    };
    let mut head = Vec::new();
    cbor::head(&mut head, cbor::BYTES, ciphertext.len() as u64);
    let framed = |protected_head: &[u8], unprotected: &[u8]| {
        [&[0xd0, 0x83], protected_head, &good, unprotected].concat()
    };
    let normal = [0x58, good.len() as u8];
    plainly(
        "a longer form of the header's length",
        &framed(&[0x59, 0, good.len() as u8], &[0xa0]),
        &head,
        &ciphertext,
    );
    plainly("an unprotected label", &framed(&normal, &[0xa1, 0x18, 42, 0]), &head, &ciphertext);
    plainly("an indefinite-length unprotected map", &framed(&normal, &[0xbf, 0xff]), &head, &ciphertext);
    plainly(
        "an indefinite-length ciphertext",
        &framed(&normal, &[0xa0]),
        &[&[0x5f], &head[..]].concat(),
        &[&ciphertext[..], &[0xff]].concat(),
    );
    plainly("no ciphertext but nil", &framed(&normal, &[0xa0]), &[0xf6], &[]);
    plainly("a ciphertext shorter than its tag", &framed(&normal, &[0xa0]), &[0x4f], &ciphertext[..15]);
    let mut four = framed(&normal, &[0xa0]);
    four[1] = 0x84;
    plainly("an array of four", &four, &head, &[&ciphertext[..], &[0x80]].concat());
    out
}

fn insides(suite: Suite) -> Vectors {
    let at = Forge::new(suite);
    let mut stain = padded(reading());
    *stain.last_mut().unwrap() = 1;
    let mut stamp = Vec::new();
    cbor::head(&mut stamp, cbor::UINT, STAMP);
    // kind, time, type, body.
    let items = |array: u8, kind: &[u8], kind_of: &[u8], body: &[u8]| {
        padded([&[array], kind, &stamp[..], kind_of, body].concat())
    };
    let body = b"\x4421.5";
    let cases: Vec<(&str, Vec<u8>, &'static str)> = vec![
        ("a stain in the padding", stain, "bad-padding"),
        ("padding that begins with 0x80", [&reading()[..], &[0x80, 0, 0]].concat(), "bad-padding"),
        ("an unknown bit of kind", items(0x84, &[4], &[0xf6], body), "bad-contents"),
        ("kind in a longer form", items(0x84, &[0x18, 0], &[0xf6], body), "bad-contents"),
        ("an array of five", items(0x85, &[0], &[0xf6], body), "bad-contents"),
        ("a content type that is not UTF-8", items(0x84, &[0], &[0x61, 0xff], body), "bad-contents"),
        ("a content type as bytes", items(0x84, &[0], &[0x41, b'x'], body), "bad-contents"),
        ("a body as text", items(0x84, &[0], &[0xf6], b"\x6421.5"), "bad-contents"),
        ("a body longer than the contents", items(0x84, &[0], &[0xf6], b"\x59\xff\xff21.5"), "bad-contents"),
        ("nothing", vec![], "bad-contents"),
        ("only padding", vec![0; 32], "bad-contents"),
    ];
    cases
        .into_iter()
        .map(|(name, inside, fails)| {
            (vector(&format!("inside: {name}"), suite, TOPIC, &at.envelope(&inside)), Some(fails))
        })
        .collect()
}
