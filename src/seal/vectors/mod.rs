//! The test vectors of `docs/vectors/`: each opens, or fails by the name that the file gives, and each is what
//! [`native`], [`signed`] and [`legacy`] make. `docs/reader/` opens the same files without a line of this code.
//!
//! After a change of the format: `SEALWIRE_WRITE_VECTORS=1 cargo nextest run --features inspection --lib vectors`.

pub(super) mod forge;
mod legacy;
mod native;
mod page;
mod signed;

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::topic::{TopicFilter, TopicName};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// One vector, before its outcome is known.
fn vector(name: &str, suite: Suite, topic: &str, wire: &[u8]) -> Value {
    json!({
        "name": name, "suite": suite.name(), "key": { "secret": hex(forge::secret().expose()) },
        "filters": ["plant/#"], "topic": topic, "wire": hex(wire),
    })
}

/// What opening gives, as the files write it.
fn seen(opened: &Opened) -> Value {
    json!({
        "kid": opened.kid.to_string(),
        "session": hex(&opened.session),
        "sequence": opened.sequence,
        "sealed_at_ms": opened.sealed_at_ms,
        "retained": opened.kind.retained,
        "will": opened.kind.will,
        "content_type": opened.content_type,
        "signer": opened.signer.map(|signer| signer.to_string()),
        "body": hex(&opened.body),
    })
}

/// Opens a vector as a reader with its one key would.
fn open(vector: &Value) -> Result<Value, OpenError> {
    let text = |name: &str| vector[name].as_str().unwrap_or_else(|| panic!("{name} of {vector}"));
    let suite: Suite = text("suite").parse().unwrap();
    let topic = TopicName::new(text("topic")).unwrap();
    let wire = unhex(text("wire"));
    let key = &vector["key"];
    let opener = match key["secret"].as_str() {
        Some(secret) => Opener::new(&EpochSecret::from_bytes(unhex(secret).try_into().unwrap()), suite),
        None => Opener::with_cbc_hmac(&forge::cbc_hmac_keys(
            key["cipher"].as_str().unwrap(),
            key["mac"].as_str().unwrap(),
        )),
    };
    let mut filters = vector["filters"].as_array().unwrap().iter().map(|filter| filter.as_str().unwrap());
    let covers = filters.any(|filter| TopicFilter::new(filter).unwrap().matches(&topic));
    // What `keys` does around an opener: whether the key is for the topic, and whose signature will do.
    if matches!(peek(&wire), Peek::Native { kid, .. } if kid == opener.kid()) && !covers {
        return Err(OpenError::KeyNotForTopic { topic: topic.as_str().to_owned() });
    }
    let opened = opener.open(&topic, &wire)?;
    if let Some(known) = vector["required_signers"].as_array() {
        let signer = opened.signer.ok_or(OpenError::NotSigned)?;
        if !known.contains(&json!(signer.to_string())) {
            return Err(OpenError::UnknownSigner { signer });
        }
    }
    Ok(seen(&opened))
}

/// The file as the makers say it should be.
fn made(about: &str, vectors: Vec<(Value, Option<&'static str>)>) -> Value {
    let vectors: Vec<Value> = vectors
        .into_iter()
        .map(|(mut vector, fails)| {
            match (open(&vector), fails) {
                (Ok(opened), None) => vector["opens"] = opened,
                (Err(error), Some(name)) => {
                    assert_eq!(error.name(), name, "{}: {error}", vector["name"]);
                    vector["fails"] = name.into();
                }
                (outcome, wanted) => panic!("{}: {outcome:?}, not {wanted:?}", vector["name"]),
            }
            vector
        })
        .collect();
    let names: BTreeSet<_> = vectors.iter().map(|vector| vector["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), vectors.len(), "two vectors of one name");
    json!({ "about": about, "vectors": vectors })
}

fn files() -> Vec<(&'static str, Value)> {
    vec![
        ("cose-a256gcm", made("The native envelope under AES-256-GCM.", native::vectors(Suite::CoseA256Gcm))),
        (
            "cose-chacha20",
            made("The native envelope under ChaCha20-Poly1305.", native::vectors(Suite::CoseChaCha20)),
        ),
        ("signed", made("Signatures inside the native envelope.", signed::vectors())),
        ("fernet", made("Fernet tokens.", legacy::fernet())),
        ("aes-cbc-hmac", made("AES-128-CBC and HMAC-SHA-256 in base64.", legacy::cbc_hmac())),
    ]
}

#[test]
fn every_vector_opens_or_fails_by_its_name_and_the_files_are_what_this_code_makes() {
    for (name, file) in files() {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/vectors").join(format!("{name}.json"));
        if std::env::var_os("SEALWIRE_WRITE_VECTORS").is_some() {
            std::fs::write(&path, serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
        }
        let written: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for vector in written["vectors"].as_array().unwrap() {
            let name = &vector["name"];
            match open(vector) {
                Ok(opened) => assert_eq!(opened, vector["opens"], "{name}"),
                Err(error) => assert_eq!(error.name(), vector["fails"], "{name}: {error}"),
            }
        }
        assert!(written == file, "docs/vectors/{name}.json differs from what the code makes");
    }
}

#[test]
fn the_vectors_have_a_case_for_every_error_that_opening_can_give() {
    let files = files();
    let failing = |file: &Value| {
        let vectors = file["vectors"].as_array().unwrap().clone();
        vectors.into_iter().filter_map(|vector| vector["fails"].as_str().map(str::to_owned))
    };
    let named: BTreeSet<String> = files.iter().flat_map(|(_, file)| failing(file)).collect();
    let wanted = [
        "altered",
        "altered-or-other-key",
        "bad-contents",
        "bad-header",
        "bad-padding",
        "bad-signature",
        "cut-short",
        "empty",
        "key-not-for-topic",
        "moved-topic",
        "not-sealed-as-required",
        "not-signed",
        "over-long",
        "unknown-algorithm",
        "unknown-key",
        "unknown-signer",
    ];
    assert_eq!(named, wanted.into_iter().map(str::to_owned).collect());
}
