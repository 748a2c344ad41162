//! Which key seals, which opens, and what a received key may change.

use super::*;
use crate::seal::{EpochSecret, Kind, Plain};

fn topic(text: &str) -> TopicName {
    TopicName::new(text).unwrap()
}

fn key(label: &str, filters: &[&str], suite: Suite) -> TopicKey {
    let filters = filters.iter().map(|text| TopicFilter::new(text).unwrap()).collect();
    TopicKey::generate(label, filters, suite, 1).unwrap()
}

fn native(label: &str, filters: &[&str]) -> TopicKey {
    key(label, filters, Suite::CoseA256Gcm)
}

fn ring(keys: impl IntoIterator<Item = TopicKey>) -> Keyring {
    let mut ring = Keyring::new();
    for key in keys {
        ring.add(key).unwrap();
    }
    ring
}

fn seal(key: &TopicKey, on: &str) -> Vec<u8> {
    let plain = Plain { kind: Kind::default(), content_type: None, body: b"21.5" };
    key.sealer([1; 16]).seal(&topic(on), &plain, 1000).unwrap().into_bytes()
}

fn sealing<'a>(ring: &'a Keyring, on: &str) -> Option<&'a str> {
    ring.key_for_sealing(&topic(on)).map(TopicKey::label)
}

#[test]
fn base64_is_tried_under_the_aes_cbc_hmac_keys_of_its_topic_and_elsewhere_is_words() {
    let suite = Suite::AesCbcHmac;
    let (wide, narrow) = (key("wide", &["#"], suite), key("narrow", &["iot/sensor"], suite));
    let (by_wide, by_narrow) = (seal(&wide, "iot/sensor"), seal(&narrow, "iot/sensor"));
    let tried = vec![narrow.kid(), wide.kid()];
    let mut ring = Keyring::new();
    assert_eq!(ring.open(&topic("iot/sensor"), &by_wide).unwrap_err(), OpenError::NotAnEnvelope);
    ring.add(wide).unwrap();
    ring.add(narrow).unwrap();
    for (wire, label) in [(&by_wide, "wide"), (&by_narrow, "narrow")] {
        assert_eq!(ring.open(&topic("iot/sensor"), wire).unwrap().key.label(), label);
    }
    let stranger = seal(&key("other", &["#"], suite), "iot/sensor");
    let refusal = ring.open(&topic("iot/sensor"), &stranger).unwrap_err();
    assert_eq!(refusal, OpenError::CbcHmacRefused { tried });
    let error = ring.open(&topic("iot/sensor"), b"21.5").unwrap_err();
    assert_eq!(error, OpenError::NotSealedAsRequired { required: suite, found: Found::Plaintext });
    ring.add(key("strong", &["iot/control"], Suite::CoseA256Gcm)).unwrap();
    let error = ring.open(&topic("iot/control"), &by_wide).unwrap_err();
    let required = Suite::CoseA256Gcm;
    assert_eq!(error, OpenError::NotSealedAsRequired { required, found: Found::Plaintext });
}

#[test]
fn the_most_specific_covering_filter_decides_which_key_seals() {
    let ring = ring([
        native("all", &["#"]),
        native("press", &["plant/press/#", "x"]),
        native("any", &["plant/+/celsius"]),
    ]);
    assert_eq!(sealing(&ring, "plant/press/celsius"), Some("press"));
    assert_eq!(sealing(&ring, "plant/oven/celsius"), Some("any"));
    assert_eq!(sealing(&ring, "home"), Some("all"));
    assert_eq!(sealing(&ring, "$SYS/x"), None);
}

#[test]
fn a_received_key_does_not_take_over_sealing_without_consent() {
    let mut mine = ring([native("mine", &["plant/#"])]);
    let report = mine.import(native("theirs", &["plant/press"]), Consent::OpenOnly).unwrap();
    assert_eq!(report.outcome, Imported::OpensOnly(vec!["mine".into()]));
    assert_eq!(sealing(&mine, "plant/press"), Some("mine"));
    let wire = seal(mine.get("theirs").unwrap(), "plant/press");
    assert_eq!(mine.open(&topic("plant/press"), &wire).unwrap().key.label(), "theirs");
    mine.set_sealing("theirs", true).unwrap();
    assert_eq!(sealing(&mine, "plant/press"), Some("theirs"));
}

#[test]
fn with_consent_it_takes_over_even_an_equal_filter_and_where_nothing_sealed_none_is_needed() {
    let mut mine = ring([native("mine", &["plant/#"])]);
    let report = mine.import(native("mine", &["plant/#"]), Consent::TakeOver).unwrap();
    assert_eq!(
        report,
        ImportReport { label: "mine (2)".into(), outcome: Imported::TookOver(vec!["mine".into()]) }
    );
    assert_eq!(sealing(&mine, "plant/x"), Some("mine (2)"));
    let report = mine.import(native("wide", &["#"]), Consent::OpenOnly).unwrap();
    assert_eq!(report.outcome, Imported::Seals, "less specific, so it takes nothing from anyone");
    assert_eq!(sealing(&mine, "home"), Some("wide"));
}

#[test]
fn the_same_secret_is_there_once_and_has_one_suite() {
    let original = native("mine", &["a"]);
    let copy = |suite| {
        let secret = original.current().secret().duplicate();
        TopicKey::from_secret("copy", vec![TopicFilter::new("b").unwrap()], suite, secret, 5).unwrap()
    };
    let (same, other) = (copy(Suite::CoseA256Gcm), copy(Suite::Fernet));
    let mut mine = ring([original]);
    assert_eq!(mine.import(same, Consent::TakeOver).unwrap().outcome, Imported::AlreadyThere);
    assert_eq!(mine.import(other, Consent::TakeOver), Err(KeyringError::SecretTaken("mine".into())));
    assert_eq!(mine.len(), 1);
}

#[test]
fn labels_stay_unique_through_adding_and_renaming() {
    let mut ring = ring([native("a", &["a"]), native("b", &["b"])]);
    assert!(matches!(ring.add(native("a", &["c"])), Err(KeyringError::LabelTaken(_))));
    assert!(matches!(ring.rename("a", " b "), Err(KeyringError::LabelTaken(_))));
    ring.rename("a", "a ").unwrap();
    ring.rename("a", "c").unwrap();
    assert!(matches!(ring.remove("a"), Err(KeyringError::NoSuchKey(_))));
    assert_eq!(ring.remove("c").unwrap().label(), "c");
}

#[test]
fn a_rotated_key_opens_both_what_is_old_and_what_is_new() {
    let mut ring = ring([native("press", &["press"])]);
    let old = seal(ring.get("press").unwrap(), "press");
    ring.rotate("press", 2000).unwrap();
    let new = seal(ring.get("press").unwrap(), "press");
    assert_eq!(ring.open(&topic("press"), &old).unwrap().epoch.number(), 1);
    assert_eq!(ring.open(&topic("press"), &new).unwrap().epoch.number(), 2);
}

#[test]
fn every_reason_for_not_opening_has_its_own_name() {
    let (press, oven) = (native("press", &["press"]), native("oven", &["oven"]));
    let (from_oven, stranger) = (seal(&oven, "oven"), seal(&native("x", &["press"]), "press"));
    let moved = seal(&oven, "press");
    let ring = ring([press, oven]);
    let open = |on: &str, wire: &[u8]| ring.open(&topic(on), wire).unwrap_err();
    assert!(matches!(open("press", &stranger), OpenError::UnknownKey { .. }));
    assert_eq!(open("press", &from_oven), OpenError::KeyNotForTopic { topic: "press".into() });
    assert_eq!(open("oven", &moved), OpenError::MovedTopic { topic: "oven".into() });
    let required = Suite::CoseA256Gcm;
    assert_eq!(open("press", b"21.5"), OpenError::NotSealedAsRequired { required, found: Found::Plaintext });
    assert_eq!(open("garden", b"21.5"), OpenError::NotAnEnvelope);
    assert_eq!(open("press", b""), OpenError::Empty);
    let token = seal(&key("f", &["press"], Suite::Fernet), "press");
    let found = Found::Suite(Suite::Fernet);
    assert_eq!(open("press", &token), OpenError::NotSealedAsRequired { required, found });
    assert_eq!(open("garden", &token), OpenError::NoKeyForTopic { topic: "garden".into() });
}

#[test]
fn fernet_keys_are_tried_in_turn_and_never_where_a_native_key_is_more_specific() {
    let (wide, narrow) = (key("wide", &["#"], Suite::Fernet), key("narrow", &["chat/room"], Suite::Fernet));
    let (by_wide, by_narrow) = (seal(&wide, "chat/room"), seal(&narrow, "chat/room"));
    let unknown = seal(&key("other", &["#"], Suite::Fernet), "chat/room");
    let mut ring = ring([wide, narrow]);
    assert_eq!(ring.open(&topic("chat/room"), &by_wide).unwrap().key.label(), "wide");
    assert_eq!(ring.open(&topic("chat/room"), &by_narrow).unwrap().key.label(), "narrow");
    assert_eq!(ring.open(&topic("chat/room"), &unknown).unwrap_err(), OpenError::FernetRefused);
    ring.add(native("strong", &["chat/+"])).unwrap();
    assert!(ring.open(&topic("chat/room"), &by_narrow).is_ok());
    assert_eq!(ring.open(&topic("chat/room"), &by_wide).unwrap_err(), OpenError::FernetRefused);
    let found = Found::Suite(Suite::Fernet);
    let required = Suite::CoseA256Gcm;
    assert_eq!(
        ring.open(&topic("chat/hall"), &by_wide).unwrap_err(),
        OpenError::NotSealedAsRequired { required, found }
    );
}

/// The vectors of `docs/vectors/` have one key each; the keyring must come to the same end as an opener alone.
#[test]
fn a_keyring_of_a_vectors_one_key_opens_and_refuses_as_the_vector_says() {
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let mut opened = 0;
    for name in ["cose-a256gcm", "cose-chacha20", "signed", "fernet", "aes-cbc-hmac"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/vectors/{name}.json"));
        let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let text = |name: &str| vector[name].as_str().unwrap();
            // Two keys apart are no topic key's, and whose signature will do is not asked here.
            let Some(secret) = vector["key"]["secret"].as_str() else { continue };
            let asks = vector["required_signers"].is_array();
            let filters = vector["filters"].as_array().unwrap().iter();
            let filters = filters.map(|filter| TopicFilter::new(filter.as_str().unwrap()).unwrap()).collect();
            let secret = EpochSecret::from_bytes(unhex(secret).try_into().unwrap());
            let key = TopicKey::from_secret("k", filters, text("suite").parse().unwrap(), secret, 1).unwrap();
            let mut ring = Keyring::new();
            ring.add(key).unwrap();
            match ring.open(&topic(text("topic")), &unhex(text("wire"))) {
                Ok(got) => {
                    assert!(asks || vector["opens"]["body"].is_string(), "{}", vector["name"]);
                    assert!(asks || got.opened.body[..] == unhex(vector["opens"]["body"].as_str().unwrap()));
                    opened += 1;
                }
                // A native envelope names a key that a keyring of legacy keys does not have.
                Err(OpenError::UnknownKey { .. }) if text("name") == "a native envelope" => {}
                Err(error) => assert_eq!(vector["fails"], error.name(), "{name}: {}", vector["name"]),
            }
        }
    }
    assert!(opened > 30, "only {opened} vectors opened");
}

#[test]
fn a_key_that_is_there_follows_an_older_program_and_takes_over_only_with_consent() {
    use crate::seal::legacy::Profile;
    let filter = |text: &str| TopicFilter::new(text).unwrap();
    let mut keyring = Keyring::new();
    keyring.add(TopicKey::generate("Old", vec![filter("old/#")], Suite::Fernet, 1).unwrap()).unwrap();
    keyring.add(TopicKey::generate("Chat", vec![filter("chat/#")], Suite::default(), 1).unwrap()).unwrap();
    let wanted = [filter("old/#"), filter("emergency/assist"), filter("chat/channel")];
    let mut follow =
        |consent| keyring.follow_profile("Old", Profile::DisasterResponse, &wanted, consent).unwrap();
    assert_eq!(follow(Consent::OpenOnly), [(filter("chat/channel"), "Chat".to_owned())]);
    assert_eq!(follow(Consent::TakeOver), []);
    let key = keyring.get("Old").unwrap();
    assert_eq!(key.profile(), Some(Profile::DisasterResponse));
    assert_eq!(key.filters().len(), 3);
    assert_eq!(keyring.key_for_sealing(&TopicName::new("chat/channel").unwrap()).unwrap().label(), "Old");
}

/// A key with these epochs, each of one byte's secret.
fn with_epochs(label: &str, filter: &str, epochs: &[(u32, u8)]) -> TopicKey {
    let filters = vec![TopicFilter::new(filter).unwrap()];
    let last = epochs.len() - 1;
    let epoch = |(at, &(number, secret)): (usize, &(u32, u8))| {
        let retired = (at < last).then_some(1);
        Epoch::new(number, EpochSecret::from_bytes([secret; 32]), Suite::default(), 1, retired)
    };
    let epochs = epochs.iter().enumerate().map(epoch).collect();
    TopicKey::from_parts(label, filters, Suite::default(), epochs, true).unwrap()
}

#[test]
fn a_file_cannot_put_one_secret_into_two_keys() {
    let mut keyring = Keyring::new();
    let keys = vec![
        with_epochs("K1", "a", &[(5, 1)]),
        with_epochs("K2", "b", &[(5, 2)]),
        with_epochs("K3", "c", &[(1, 2), (5, 1)]),
    ];
    let reports = keyring.import_all(keys, Consent::TakeOver);
    let refused: Vec<&str> =
        reports.iter().filter(|(_, report)| report.is_err()).map(|(label, _)| label.as_str()).collect();
    assert_eq!(refused, ["K3"]);
    let mut vault = crate::keys::Vault::create("anna").unwrap();
    vault.keyring = keyring;
    let sealed = vault.seal(1).unwrap();
    assert!(crate::keys::Vault::open("anna", &sealed, vault.secret().duplicate()).is_ok());
}

#[test]
fn who_holds_a_wide_key_cannot_speak_unsigned_where_a_narrower_one_requires_signatures() {
    let (wide, narrow) =
        (with_epochs("Wide", "plant/#", &[(1, 1)]), with_epochs("Safety", "plant/safety/#", &[(1, 2)]));
    let token = TopicKey::from_secret(
        "Old",
        vec![TopicFilter::new("plant/safety/#").unwrap()],
        Suite::Fernet,
        EpochSecret::from_bytes([3; 32]),
        1,
    );
    let plain = Plain { kind: Kind::default(), content_type: None, body: b"stop" };
    let stop = topic("plant/safety/stop");
    let wires = [
        wide.sealer([1; 16]).seal(&stop, &plain, 1).unwrap(),
        token.as_ref().unwrap().sealer([1; 16]).seal(&stop, &plain, 1).unwrap(),
    ];
    let elsewhere = wide.sealer([2; 16]).seal(&topic("plant/press"), &plain, 1).unwrap();
    let mut keyring = Keyring::new();
    keyring.add(wide).unwrap();
    keyring.add(token.unwrap()).unwrap();
    keyring.add(narrow.with_signatures(Signatures::Require)).unwrap();
    for wire in wires {
        assert_eq!(keyring.open(&stop, wire.as_bytes()).unwrap_err(), OpenError::NotSigned);
    }
    assert!(keyring.open(&topic("plant/press"), elsewhere.as_bytes()).is_ok());
    assert!(keyring.is_wider(&stop, keyring.get("Wide").unwrap()));
}

#[test]
fn an_import_does_not_change_what_a_key_is_for_nor_stop_its_rotation() {
    use crate::seal::legacy::Profile;
    let key = with_epochs("Press", "press/#", &[(1, 1)]);
    assert_eq!(
        key.duplicate().with_profile(Some(Profile::IndustrialIot)).profile(),
        None,
        "of another suite"
    );
    let from_2099 = with_epochs("Press", "press/#", &[(1, 1), (2, 2)]).not_after(7);
    assert!(from_2099.epochs().iter().all(|epoch| epoch.created_ms() <= 7));
    let filters = vec![TopicFilter::new("a").unwrap()];
    let high = Epoch::new(u32::MAX, EpochSecret::from_bytes([9; 32]), Suite::default(), 1, None);
    let none = Epoch::new(0, EpochSecret::from_bytes([9; 32]), Suite::default(), 1, None);
    for epoch in [high, none] {
        let made = TopicKey::from_parts("k", filters.clone(), Suite::default(), vec![epoch], true);
        assert_eq!(made.unwrap_err(), KeyError::BadEpochs);
    }
}
