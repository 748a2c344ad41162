//! Key files: round trips, what hostile and broken ones give, and files of other programs.

use proptest::prelude::*;

use super::*;
use crate::{
    keys::{Consent, Imported, Keyring, key_line},
    seal::{Signatures, Suite, legacy::Profile},
    topic::TopicFilter,
};

/// Quick, for tests: real files take [`WORK_FACTOR`].
const QUICK: u8 = 10;

fn passphrase(text: &str) -> Password {
    Password::new(text)
}

fn keys() -> Vec<TopicKey> {
    let filters = |texts: &[&str]| texts.iter().map(|text| TopicFilter::new(text).unwrap()).collect();
    let mut ring = Keyring::new();
    let press = TopicKey::generate("Press", filters(&["press/#", "oven"]), Suite::CoseChaCha20, 5).unwrap();
    ring.add(press.with_signatures(Signatures::Require)).unwrap();
    ring.rotate("Press", 9).unwrap();
    let old = TopicKey::generate("Old", filters(&["old"]), Suite::Fernet, 6).unwrap();
    ring.add(old.with_profile(Some(Profile::DisasterResponse))).unwrap();
    ring.set_retired("Old", Some(11)).unwrap();
    ring.keys().iter().map(TopicKey::duplicate).collect()
}

fn told(keys: &[TopicKey]) -> Vec<String> {
    let tell = |key: &TopicKey| {
        let kids: Vec<_> =
            key.epochs().iter().map(|e| (e.number(), e.kid(), e.created_ms(), e.retired_ms())).collect();
        let (suite, signatures, profile) = (key.suite(), key.signatures(), key.profile());
        format!(
            "{} {:?} {suite} {signatures:?} {profile:?} {:?} {kids:?}",
            key.label(),
            key.filters(),
            key.retired_ms()
        )
    };
    keys.iter().map(tell).collect()
}

fn raw(plaintext: &[u8], text: &str, work_factor: u8) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(text));
    recipient.set_work_factor(work_factor);
    encrypt(&recipient, plaintext).unwrap()
}

#[test]
fn keys_come_back_whole_with_all_their_epochs_and_the_passphrase_alone_opens_them() {
    let file = write_with(&keys(), &passphrase("lantern gravel otter"), QUICK).unwrap();
    assert!(file.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"));
    assert_eq!(told(&read(&file, &passphrase("lantern gravel otter")).unwrap()), told(&keys_of(&file)));
    assert_eq!(told(&keys_of(&file)).len(), 2);
    assert_eq!(read(&file, &passphrase("lantern gravel other")).unwrap_err(), KeyFileError::WrongPassphrase);
}

fn keys_of(file: &[u8]) -> Vec<TopicKey> {
    read(file, &passphrase("lantern gravel otter")).unwrap()
}

#[test]
fn what_is_written_is_what_is_read() {
    let keys = keys();
    let file = write_with(&keys, &passphrase("p"), QUICK).unwrap();
    assert_eq!(told(&read(&file, &passphrase("p")).unwrap()), told(&keys));
    let one = write_with(&keys[..1], &passphrase("p"), QUICK).unwrap();
    assert_eq!(one.len(), file.len(), "the size does not tell one key from two");
}

#[test]
fn a_file_made_by_hand_with_a_key_line_a_line_is_read_and_a_wrong_line_is_named() {
    let keys = keys();
    let (first, second) = (key_line::write(&keys[0]), key_line::write(&keys[1]));
    let file = raw(format!("{}\r\n\n{}\n", *first, *second).as_bytes(), "p", QUICK);
    let read_back = read(&file, &passphrase("p")).unwrap();
    assert_eq!(read_back.iter().map(TopicKey::kid).collect::<Vec<_>>(), [keys[0].kid(), keys[1].kid()]);
    let file = raw(format!("{}\nhello\n", *first).as_bytes(), "p", QUICK);
    let wrong = KeyFileError::Line { line: 2, error: KeyLineError::NotAKeyLine };
    assert_eq!(read(&file, &passphrase("p")).unwrap_err(), wrong);
}

#[test]
fn a_hostile_file_cannot_stall_the_computer() {
    // The header is all that is looked at: a work factor of 2^21 would take 2 GiB.
    let file = raw(b"{}", "p", QUICK);
    let mut binary = Vec::new();
    ArmoredReader::new(&file[..]).read_to_end(&mut binary).unwrap();
    let at = binary.windows(4).position(|bytes| bytes == b" 10\n").unwrap();
    binary[at + 1..at + 3].copy_from_slice(b"21");
    assert_eq!(read(&binary, &passphrase("p")).unwrap_err(), KeyFileError::TooMuchWork);
    assert_eq!(read(&vec![b' '; MAX_FILE_BYTES + 1], &passphrase("p")).unwrap_err(), KeyFileError::TooLarge);
}

#[test]
fn what_is_wrong_with_a_file_is_named() {
    let p = passphrase("p");
    for not_one in [&b""[..], b"hello", b"age-encryption.org/v9\n"] {
        let error = read(not_one, &p).unwrap_err();
        assert!(matches!(error, KeyFileError::NotAKeyFile | KeyFileError::Damaged), "{error:?}");
    }
    assert_eq!(read(b"\nsealwire-key:abc", &p).unwrap_err(), KeyFileError::KeyLine);
    assert_eq!(read(&raw(br#"{"sealwire-keys":2,"x":1}"#, "p", QUICK), &p).unwrap_err(), KeyFileError::Newer);
    for malformed in [&b"{}"[..], br#"{"sealwire-keys":1,"keys":[{"label":"a"}]}"#, b"{", b"\xff"] {
        assert_eq!(read(&raw(malformed, "p", QUICK), &p).unwrap_err(), KeyFileError::Malformed);
    }
    for empty in [&b""[..], br#"{"sealwire-keys":1,"keys":[]}"#] {
        assert_eq!(read(&raw(empty, "p", QUICK), &p).unwrap_err(), KeyFileError::NoKeys);
    }
    assert_eq!(write(&[], &p).unwrap_err(), KeyFileError::NoKeys);
}

#[test]
fn a_file_cut_short_or_altered_anywhere_gives_no_keys() {
    let file = raw(br#"{"sealwire-keys":1,"keys":[]}"#, "p", 2);
    let mut binary = Vec::new();
    ArmoredReader::new(&file[..]).read_to_end(&mut binary).unwrap();
    for at in 0..binary.len() {
        let cut = read(&binary[..at], &passphrase("p")).unwrap_err();
        assert_ne!(cut, KeyFileError::NoKeys, "cut at {at}");
        let mut altered = binary.clone();
        altered[at] ^= 1;
        assert_ne!(read(&altered, &passphrase("p")).unwrap_err(), KeyFileError::NoKeys, "altered at {at}");
    }
}

#[test]
fn keys_of_one_file_do_not_stand_in_each_others_way_and_newer_epochs_need_consent() {
    let filters = |text: &str| vec![TopicFilter::new(text).unwrap()];
    let mut mine = Keyring::new();
    mine.add(TopicKey::generate("All", filters("a/#"), Suite::default(), 1).unwrap()).unwrap();
    mine.add(TopicKey::generate("One", filters("a/b"), Suite::default(), 1).unwrap()).unwrap();
    let before: Vec<TopicKey> = mine.keys().iter().map(TopicKey::duplicate).collect();
    mine.rotate("One", 7).unwrap();
    let after = || mine.keys().iter().map(TopicKey::duplicate).collect::<Vec<_>>();

    let outcomes = |ring: &mut Keyring, keys, consent| -> Vec<Result<Imported, _>> {
        ring.import_all(keys, consent)
            .into_iter()
            .map(|(_, report)| report.map(|done| done.outcome))
            .collect()
    };
    let mut empty = Keyring::new();
    assert_eq!(outcomes(&mut empty, after(), Consent::OpenOnly), [Ok(Imported::Seals), Ok(Imported::Seals)]);
    assert_eq!(outcomes(&mut empty, after(), Consent::OpenOnly), [const { Ok(Imported::AlreadyThere) }; 2]);

    let mut old = Keyring::new();
    outcomes(&mut old, before, Consent::OpenOnly);
    let refused = crate::keys::KeyringError::NewerEpochs("One".into());
    assert_eq!(outcomes(&mut old, after(), Consent::OpenOnly), [Ok(Imported::AlreadyThere), Err(refused)]);
    let completed = [Ok(Imported::AlreadyThere), Ok(Imported::Completed(1))];
    assert_eq!(outcomes(&mut old, after(), Consent::TakeOver), completed);
    assert_eq!(told(old.keys()), told(mine.keys()));
}

/// Made by `age -p -a` of Debian's age 1.1.1 from the JSON of docs/keys.md; the passphrase is `lantern gravel otter mosaic`.
const BY_AGE: &str = "\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCA1alNuaUlvZ3Ava1IrTE1i
aGNsd2l3IDE4Cmd6V3pCc1lWS2ExcHYyNVNvUm1SeURWREtLVVFsa0NlTktVSmZT
Z3IwMlUKLS0tIC9EaDF1RXYrODFMU00vakVmWnZGQVdJK3doOHBzYStaS3dTWWx3
c2syRFkKl2U36rug9UshPuPFXLVmT5dCYRGuBaAlD4QY8lc00xLzaY9k9rhmyt6V
AW1SwX0heIs0aH0A0i739pefuXTlfrkLWMR0K4ir3+nj5TjRDHXTU3XL3jU+wPOz
NzEcZKAwdyUboczQSaEezS3gDfMCSM2Bn0lYYq4Eg5L8Kf5I4fSumJWTj3Ufb4+P
m5RTP8yP90uR3gQ5XpCGtV/Pzp1YDofO7SU9Ha0h0aVcxH1aT0SECZT33xte1Pjo
kGqlboKpK1/qgFYEKPYrzHsHUZqbJaPv+LZ1gr0ACq4OjdUztQSH88u5edCq5Onv
y/aRSu/zW9lhXyVRNoRWdaO1KFqNi2XkZNvKqMPDFeFic6Q9GOUsXvSdTCFfaDXs
PbPZeNDtQDv3mIU=
-----END AGE ENCRYPTED FILE-----
";

#[test]
fn a_file_of_the_age_command_opens() {
    let keys = read(BY_AGE.as_bytes(), &passphrase("lantern gravel otter mosaic")).unwrap();
    let [key] = &keys[..] else { panic!("{} keys", keys.len()) };
    assert_eq!(
        (key.label(), key.suite(), key.signatures()),
        ("Press hall", Suite::CoseChaCha20, Signatures::Require)
    );
    assert_eq!(key.filters().iter().map(TopicFilter::as_str).collect::<Vec<_>>(), ["plant/press/#", "°C"]);
    assert_eq!(key.current().secret().expose(), &std::array::from_fn(|at| at as u8));
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(
        file in prop::collection::vec(any::<u8>(), 0..300),
        text in r#"(\{"sealwire-keys":1,"keys":\[)?[ -~]{0,80}"#,
    ) {
        let _ = decrypt(&file, &passphrase("p"));
        let begun = [&b"age-encryption.org/v1\n-> scrypt "[..], &file].concat();
        let _ = decrypt(&begun, &passphrase("p"));
        let _ = read_json(text.as_bytes());
        let _ = read_json(&file);
        let _ = read_lines(text.as_bytes());
    }

    #[test]
    fn whatever_is_changed_in_the_json_of_a_key_it_is_refused_or_a_possible_key(
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let mut json = BY_HAND.as_bytes().to_vec();
        let at = at.index(json.len());
        json[at] = with;
        if let Ok(keys) = read_json(&json) {
            prop_assert!(keys.iter().all(|key| !key.epochs().is_empty() && !key.filters().is_empty()));
        }
    }
}

const BY_HAND: &str = r#"{"sealwire-keys":1,"keys":[{"label":"Press hall","filters":["plant/press/#"],"suite":"cose-chacha20","sealing_allowed":true,"retired_ms":9,"epochs":[{"number":1,"secret":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","created_ms":1700000000000}]}]}"#;
