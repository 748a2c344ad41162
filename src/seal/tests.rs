//! The envelope as a whole: what goes in comes out, and everything else is refused by its own name.

use coset::{CborSerializable, TaggedCborSerializable, iana};
use proptest::prelude::*;
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey};

use super::*;
use crate::topic::TopicName;

const NOW: u64 = 1_700_000_000_000;
const NATIVE: [Suite; 2] = [Suite::CoseA256Gcm, Suite::CoseChaCha20];

fn secret() -> EpochSecret {
    EpochSecret::from_bytes(std::array::from_fn(|at| at as u8))
}

fn topic() -> TopicName {
    TopicName::new("plant/press/celsius").unwrap()
}

fn plain(body: &[u8]) -> Plain<'_> {
    Plain { kind: Kind::default(), content_type: None, body }
}

fn sealed(suite: Suite, body: &[u8]) -> Vec<u8> {
    Sealer::new(&secret(), suite, [0x5e; 16]).seal(&topic(), &plain(body), NOW).unwrap().into_bytes()
}

fn open(suite: Suite, wire: &[u8]) -> Result<Opened, OpenError> {
    Opener::new(&secret(), suite).open(&topic(), wire)
}

#[test]
fn every_suite_refuses_what_was_sealed_under_another_and_what_was_not_sealed() {
    for required in Suite::ALL {
        for other in Suite::ALL.into_iter().filter(|other| *other != required) {
            let error = open(required, &sealed(other, b"21.5")).unwrap_err();
            // Base64 under aes-cbc-hmac may as well be words.
            let found = if other == Suite::AesCbcHmac { Found::Plaintext } else { Found::Suite(other) };
            assert_eq!(error, OpenError::NotSealedAsRequired { required, found });
        }
        let error = open(required, b"21.5").unwrap_err();
        assert_eq!(error, OpenError::NotSealedAsRequired { required, found: Found::Plaintext });
        assert_eq!(open(required, b"").unwrap_err(), OpenError::Empty);
    }
}

#[test]
fn a_message_moved_to_another_topic_is_named_and_so_is_another_key() {
    for suite in NATIVE {
        let wire = sealed(suite, b"21.5");
        let elsewhere = TopicName::new("plant/oven/celsius").unwrap();
        let error = Opener::new(&secret(), suite).open(&elsewhere, &wire).unwrap_err();
        assert_eq!(error, OpenError::MovedTopic { topic: "plant/oven/celsius".into() });
        let error = Opener::new(&EpochSecret::from_bytes([9; 32]), suite).open(&topic(), &wire).unwrap_err();
        assert_eq!(error, OpenError::UnknownKey { kid: secret().kid(suite) });
    }
}

#[test]
fn a_cut_at_every_length_is_told_as_cut_short() {
    for suite in NATIVE {
        let wire = sealed(suite, b"21.5");
        for end in 1..wire.len() {
            assert!(matches!(open(suite, &wire[..end]), Err(OpenError::CutShort { .. })), "{end}");
        }
    }
}

#[test]
fn bytes_added_at_the_end_are_told_as_over_long() {
    let mut wire = sealed(Suite::CoseA256Gcm, b"21.5");
    wire.push(0);
    assert_eq!(open(Suite::CoseA256Gcm, &wire).unwrap_err(), OpenError::TrailingBytes { extra: 1 });
}

#[test]
fn any_single_flipped_bit_is_refused_under_every_suite() {
    for suite in Suite::ALL {
        let wire = sealed(suite, b"21.5");
        for bit in 0..wire.len() * 8 {
            let mut altered = wire.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(open(suite, &altered).is_err(), "{suite}, bit {bit}");
        }
    }
}

#[test]
fn equal_messages_never_look_alike_and_sizes_fall_into_few_classes() {
    let mut sealer = Sealer::new(&secret(), Suite::CoseA256Gcm, [1; 16]);
    let mut seal = |body: &[u8]| sealer.seal(&topic(), &plain(body), NOW).unwrap().into_bytes();
    let (first, second) = (seal(b"yes"), seal(b"yes"));
    assert_ne!(first[first.len() - 40..], second[second.len() - 40..]);
    assert_eq!(seal(b"no").len(), first.len());
    assert_ne!(sealed(Suite::CoseA256Gcm, b"yes"), first, "another session");
}

#[test]
fn equal_messages_under_the_older_suites_have_an_iv_each_and_so_has_each_session() {
    let mut seen = std::collections::HashSet::new();
    for suite in [Suite::Fernet, Suite::AesCbcHmac] {
        for session in [[1; 16], [2; 16]] {
            let mut sealer = Sealer::new(&secret(), suite, session);
            for _ in 0..3 {
                assert!(
                    seen.insert(sealer.seal(&topic(), &plain(b"yes"), NOW).unwrap().into_bytes()),
                    "{suite}"
                );
            }
            sealer.start_session([3; 16]).unwrap();
            let first = sealer.seal(&topic(), &plain(b"yes"), NOW).unwrap().into_bytes();
            // The session is all that tells the IVs of a suite apart whose randomness comes in.
            assert_eq!(seen.insert(first), suite == Suite::Fernet || session == [1; 16]);
        }
    }
    let mut sealer = Sealer::new(&secret(), Suite::AesCbcHmac, [1; 16]);
    assert_eq!(sealer.start_session([1; 16]), Err(SealError::SessionReused));
    sealer.pretend_sealed(MAX_SESSION_MESSAGES, 0);
    assert!(sealer.is_spent());
    assert_eq!(sealer.seal(&topic(), &plain(b"over"), NOW).unwrap_err(), SealError::Spent);
}

#[test]
fn a_session_ends_after_its_last_message_and_goes_on_only_under_a_fresh_id() {
    let mut sealer = Sealer::new(&secret(), Suite::CoseA256Gcm, [1; 16]);
    sealer.pretend_sealed(MAX_SESSION_MESSAGES - 1, 0);
    assert!(!sealer.is_spent());
    let last = sealer.seal(&topic(), &plain(b"last"), NOW).unwrap();
    assert_eq!(open(Suite::CoseA256Gcm, last.as_bytes()).unwrap().sequence, MAX_SESSION_MESSAGES);
    assert!(sealer.is_spent());
    assert_eq!(sealer.seal(&topic(), &plain(b"over"), NOW).unwrap_err(), SealError::Spent);
    assert_eq!(sealer.start_session([1; 16]), Err(SealError::SessionReused));
    sealer.start_session([2; 16]).unwrap();
    let first = sealer.seal(&topic(), &plain(b"anew"), NOW).unwrap();
    let opened = open(Suite::CoseA256Gcm, first.as_bytes()).unwrap();
    assert_eq!((opened.session, opened.sequence), ([2; 16], 1));
}

#[test]
fn a_session_ends_before_it_has_sealed_more_bytes_than_one_key_may() {
    let mut sealer = Sealer::new(&secret(), Suite::CoseChaCha20, [1; 16]);
    sealer.pretend_sealed(5, MAX_SESSION_BYTES - 32);
    assert_eq!(sealer.seal(&topic(), &plain(&[0; 40]), NOW).unwrap_err(), SealError::Spent);
    assert!(sealer.seal(&topic(), &plain(b"fits"), NOW).is_ok(), "32 bytes with its padding");
    assert!(sealer.is_spent());
}

#[test]
fn what_does_not_fit_an_mqtt_packet_is_refused_and_uses_no_sequence_number() {
    let mut sealer = Sealer::new(&secret(), Suite::CoseA256Gcm, [1; 16]);
    let content_type = "x".repeat(65_536);
    let long = Plain { content_type: Some(&content_type), ..plain(b"") };
    assert_eq!(sealer.seal(&topic(), &long, NOW).unwrap_err(), SealError::ContentTypeTooLong(65_536));
    let body = vec![0; 268_435_455];
    assert!(matches!(sealer.seal(&topic(), &plain(&body), NOW), Err(SealError::TooLong(_))));
    let wire = sealer.seal(&topic(), &plain(b"x"), NOW).unwrap();
    assert_eq!(open(Suite::CoseA256Gcm, wire.as_bytes()).unwrap().sequence, 1);
}

#[test]
fn a_fernet_token_carries_body_and_seconds_and_opens_on_any_topic() {
    let mut sealer = Sealer::new(&secret(), Suite::Fernet, [0; 16]);
    let kind = Kind { retained: true, will: false };
    let wire = sealer.seal(&topic(), &Plain { kind, ..plain(b"daniel: hello") }, NOW + 7).unwrap();
    assert_eq!(peek(wire.as_bytes()), Peek::FernetToken);
    let opened = open(Suite::Fernet, wire.as_bytes()).unwrap();
    assert_eq!(
        (&opened.body[..], opened.sealed_at_ms, opened.kind),
        (&b"daniel: hello"[..], Some(NOW), Kind::default())
    );
    assert!(!sealer.is_spent());
    assert!(format!("{opened:?} {sealer:?}").find("hello").is_none());
}

#[test]
fn a_signed_message_tells_who_signed_it_and_an_unsigned_one_that_nobody_did() {
    let key = SigningKey::from_bytes(&[8; 32]);
    for suite in NATIVE {
        let mut sealer = Sealer::new(&secret(), suite, [1; 16]);
        let signed = sealer.seal_signed(&topic(), &plain(b"21.5"), NOW, &key).unwrap();
        let opened = open(suite, signed.as_bytes()).unwrap();
        assert_eq!((opened.signer, &opened.body[..]), (Some(key.sender()), &b"21.5"[..]));
        let unsigned = sealer.seal(&topic(), &plain(b"21.5"), NOW).unwrap();
        assert_eq!(open(suite, unsigned.as_bytes()).unwrap().signer, None);
    }
    for suite in [Suite::Fernet, Suite::AesCbcHmac] {
        let mut sealer = Sealer::new(&secret(), suite, [1; 16]);
        let error = sealer.seal_signed(&topic(), &plain(b"21.5"), NOW, &key).unwrap_err();
        assert_eq!(error, SealError::NoRoomForSignature(suite));
    }
}

/// Parses with `coset`, rebuilds the same bytes, and decrypts with keys derived from the specification's words alone.
#[test]
fn the_reference_cose_library_reads_and_rebuilds_our_envelope() {
    for (suite, algorithm, aead) in [
        (Suite::CoseA256Gcm, iana::Algorithm::A256GCM, &ring::aead::AES_256_GCM),
        (Suite::CoseChaCha20, iana::Algorithm::ChaCha20Poly1305, &ring::aead::CHACHA20_POLY1305),
    ] {
        let mut sealer = Sealer::new(&secret(), suite, [0x5e; 16]);
        sealer.pretend_sealed(0x1233, 0);
        let plain = Plain {
            kind: Kind { retained: true, will: true },
            content_type: Some("text/plain"),
            body: b"21.5",
        };
        let wire = sealer.seal(&topic(), &plain, NOW).unwrap().into_bytes();

        let mut cose = coset::CoseEncrypt0::from_tagged_slice(&wire).unwrap();
        let header = cose.protected.header.clone();
        assert_eq!(header.alg, Some(coset::RegisteredLabelWithPrivate::Assigned(algorithm)));
        assert_eq!(header.key_id, secret().kid(suite).as_bytes());
        assert_eq!(header.partial_iv, [0x12, 0x34]);
        assert!(cose.unprotected.is_empty());

        let session = [0x5e; 16];
        let info = [&b"sealwire/1 msg\0"[..], &[algorithm as u8], &session].concat();
        let material = derive::<44>(secret().expose(), &[&info]);
        let mut nonce: [u8; 12] = material[32..].try_into().unwrap();
        nonce[10] ^= 0x12;
        nonce[11] ^= 0x34;
        let key = LessSafeKey::new(UnboundKey::new(aead, &material[..32]).unwrap());
        let external = coset::cbor::Value::Array(vec!["sealwire/1".into()]).to_vec().unwrap();
        let plaintext = cose
            .decrypt_ciphertext(
                &external,
                || ring::error::Unspecified,
                |ciphertext, aad| {
                    let mut buffer = ciphertext.to_vec();
                    let length = key
                        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut buffer)?
                        .len();
                    buffer.truncate(length);
                    Ok(buffer)
                },
            )
            .unwrap();
        let topic_key = derive::<32>(secret().expose(), &[b"sealwire/1 topic"]);
        let topic_id = hmac_sha256(&topic_key, b"plant/press/celsius")[..16].to_vec();
        assert_eq!(
            header.rest,
            [
                (coset::Label::Int(10), coset::cbor::Value::Bytes(session.to_vec())),
                (coset::Label::Int(-65537), coset::cbor::Value::Bytes(topic_id)),
            ]
        );

        let wanted =
            coset::cbor::Value::Array(vec![3.into(), NOW.into(), "text/plain".into(), b"21.5"[..].into()]);
        let wanted = wanted.to_vec().unwrap();
        assert_eq!(plaintext[..wanted.len()], wanted);
        assert!(plaintext[wanted.len()..].iter().all(|&byte| byte == 0));

        cose.protected.original_data = None;
        assert_eq!(cose.to_tagged_vec().unwrap(), wire, "the one deterministic encoding");
        assert_eq!(&open(suite, &wire).unwrap().body[..], b"21.5");
    }
}

proptest! {
    #[test]
    fn what_is_sealed_is_what_is_opened(
        native in 0usize..2, retained in any::<bool>(), will in any::<bool>(), now in any::<u64>(), skip in 0u64..1 << 24,
        content_type in prop::option::of(".{0,20}"), body in prop::collection::vec(any::<u8>(), 0..2000),
        topic in "[a-z/°]{1,30}",
    ) {
        let (suite, topic) = (NATIVE[native], TopicName::new(&topic).unwrap());
        let plain = Plain { kind: Kind { retained, will }, content_type: content_type.as_deref(), body: &body };
        let mut sealer = Sealer::new(&secret(), suite, [3; 16]);
        sealer.pretend_sealed(skip, 0);
        let wire = sealer.seal(&topic, &plain, now).unwrap();
        let opened = Opener::new(&secret(), suite).open(&topic, wire.as_bytes()).unwrap();
        prop_assert_eq!(&opened.body[..], &body[..]);
        prop_assert_eq!((opened.suite, opened.kid, opened.session), (suite, secret().kid(suite), [3; 16]));
        prop_assert_eq!((opened.sequence, opened.sealed_at_ms, opened.kind), (skip + 1, Some(now), plain.kind));
        prop_assert_eq!((opened.content_type, opened.sealed_len), (content_type, wire.as_bytes().len()));
        prop_assert_eq!(
            peek(wire.as_bytes()),
            Peek::Native { suite, kid: secret().kid(suite), session: [3; 16], sequence: skip + 1 }
        );
    }

    #[test]
    fn a_fernet_body_survives(body in prop::collection::vec(any::<u8>(), 0..200), seconds in 0u64..1 << 33) {
        let wire = Sealer::new(&secret(), Suite::Fernet, [0; 16]).seal(&topic(), &plain(&body), seconds * 1000).unwrap();
        let opened = open(Suite::Fernet, wire.as_bytes()).unwrap();
        prop_assert_eq!((&opened.body[..], opened.sealed_at_ms), (&body[..], Some(seconds * 1000)));
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_longer_message_is_refused(
        body in prop::collection::vec(any::<u8>(), 100..700), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let mut wire = sealed(Suite::CoseA256Gcm, &body);
        let at = at.index(wire.len());
        wire[at] ^= 1 << bit;
        prop_assert!(open(Suite::CoseA256Gcm, &wire).is_err());
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200), start in prop::sample::select(vec!["", "\u{1}", "gAAAAA"]),
        splice in any::<bool>(),
    ) {
        if start == "\u{1}" {
            let whole = sealed(Suite::CoseA256Gcm, b"x");
            let keep = bytes.len().min(whole.len());
            bytes = if splice { [&whole[..keep], &bytes].concat() } else { [&[0xd0, 0x83], &bytes[..]].concat() };
        } else {
            bytes = [start.as_bytes(), &bytes].concat();
        }
        for suite in Suite::ALL {
            prop_assert!(open(suite, &bytes).is_err());
        }
    }
}

/// Sealed under any suite, signed where there is room and it is asked for.
fn sealed_with(suite: Suite, signed: bool, skip: u64, body: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(&secret(), suite, [3; 16]);
    sealer.pretend_sealed(skip, 0);
    let sealed = if signed && suite.is_native() {
        sealer.seal_signed(&topic(), &plain(body), NOW, &SigningKey::from_bytes(&[8; 32]))
    } else {
        sealer.seal(&topic(), &plain(body), NOW)
    };
    sealed.unwrap().into_bytes()
}

/// Where the header's fields stand: of kid, session and topic id the first byte, and the end of the header.
fn fields(wire: &[u8]) -> (usize, usize, usize, usize) {
    let protected = header::parse(wire).unwrap().protected;
    let end = protected.as_ptr() as usize - wire.as_ptr() as usize + protected.len();
    let topic_id = end - 16;
    let session = topic_id - 6 - 16;
    let kid = if wire[6] == 3 { 9 } else { 10 };
    (kid, session, topic_id, end)
}

proptest! {
    #[test]
    fn whatever_is_sealed_under_any_suite_signed_or_not_is_what_opens(
        at in 0usize..4, signed in any::<bool>(), skip in 0u64..1 << 24, body in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let suite = Suite::ALL[at];
        let wire = sealed_with(suite, signed, skip, &body);
        let opened = open(suite, &wire).unwrap();
        prop_assert_eq!(&opened.body[..], &body[..]);
        prop_assert_eq!(opened.signer.is_some(), signed && suite.is_native());
        prop_assert_eq!((opened.suite, opened.kid), (suite, secret().kid(suite)));
    }

    #[test]
    fn a_single_changed_bit_is_refused_by_the_name_of_what_it_changed(
        native in 0usize..2, signed in any::<bool>(), skip in 0u64..1 << 24, body in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let suite = NATIVE[native];
        let wire = sealed_with(suite, signed, skip, &body);
        let (kid, session, topic_id, end) = fields(&wire);
        let mut altered = wire.clone();
        let at = at.index(wire.len());
        altered[at] ^= 1 << bit;
        let error = open(suite, &altered).unwrap_err();
        let ciphertext = wire.len() - header::parse(&wire).unwrap().ciphertext.len();
        if (kid..kid + 16).contains(&at) {
            prop_assert_eq!(error.name(), "unknown-key");
        } else if (session..session + 16).contains(&at) || (topic_id..end).contains(&at) || at >= ciphertext {
            prop_assert_eq!(error, OpenError::Altered);
        } else {
            let told = ["bad-header", "unknown-algorithm", "not-sealed-as-required", "altered", "cut-short", "over-long"];
            prop_assert!(told.contains(&error.name()), "{}", error);
        }
    }

    #[test]
    fn a_swapped_session_or_sequence_of_two_genuine_messages_is_told_as_altered(
        native in 0usize..2, signed in any::<bool>(), first in 0u64..1 << 24, second in 0u64..1 << 24,
    ) {
        let suite = NATIVE[native];
        let here = sealed_with(suite, signed, first, b"21.5");
        let there = sealed_with(suite, signed, second, b"21.5");
        let (one, other) = (header::parse(&here).unwrap(), header::parse(&there).unwrap());
        if first != second {
            let mut swapped = Vec::new();
            header::write_start(&mut swapped, other.protected, one.ciphertext.len() as u64);
            swapped.extend_from_slice(one.ciphertext);
            prop_assert_eq!(open(suite, &swapped).unwrap_err(), OpenError::Altered);
        }
        let (_, session, ..) = fields(&here);
        let mut swapped = here.clone();
        swapped[session..session + 16].fill(4);
        prop_assert_eq!(open(suite, &swapped).unwrap_err(), OpenError::Altered);
    }

    #[test]
    fn a_moved_cut_or_repeated_message_is_refused_by_its_own_name(
        at in 0usize..4, signed in any::<bool>(), body in prop::collection::vec(any::<u8>(), 0..300),
        elsewhere in "[a-z]{1,8}/[a-z]{1,8}", end in any::<prop::sample::Index>(),
    ) {
        let suite = Suite::ALL[at];
        let wire = sealed_with(suite, signed, 7, &body);
        let mut guard = replay::ReplayGuard::new();
        let opened = open(suite, &wire).unwrap();
        prop_assert_eq!(guard.judge(&opened, &topic(), false, u64::MAX), replay::Replay::Fresh);
        prop_assert_eq!(guard.judge(&open(suite, &wire).unwrap(), &topic(), false, u64::MAX), replay::Replay::Repeated);

        let cut = &wire[..end.index(wire.len())];
        let error = open(suite, cut).unwrap_err();
        let told: &[&str] = match suite {
            _ if cut.is_empty() => &["empty"],
            Suite::CoseA256Gcm | Suite::CoseChaCha20 => &["cut-short"],
            // What is left may be too short to be told from words, or have a length that shows nothing.
            Suite::Fernet | Suite::AesCbcHmac => &["cut-short", "not-sealed-as-required", "altered-or-other-key"],
        };
        prop_assert!(told.contains(&error.name()), "{}: {}", suite, error);

        let moved = Opener::new(&secret(), suite).open(&TopicName::new(&elsewhere).unwrap(), &wire);
        if suite.is_native() {
            prop_assert_eq!(moved.unwrap_err(), OpenError::MovedTopic { topic: elsewhere });
        } else {
            prop_assert!(moved.is_ok(), "{} binds no topic, and says so", suite);
        }
    }

    #[test]
    fn a_signature_that_was_altered_within_the_seal_is_told_as_such_and_never_opens(
        body in prop::collection::vec(any::<u8>(), 0..100), byte in 0usize..64, bit in 0u8..8,
    ) {
        let at = vectors::forge::Forge::new(Suite::CoseA256Gcm);
        let mut signed = at.signed(&vectors::forge::contents(&plain(&body)), &vectors::forge::anna());
        let start = signed.len() - 64;
        signed[start + byte] ^= 1 << bit;
        let wire = at.envelope(&vectors::forge::padded(signed));
        let signer = vectors::forge::anna().sender();
        prop_assert_eq!(open(Suite::CoseA256Gcm, &wire).unwrap_err(), OpenError::BadSignature { signer });
    }
}

/// Verified by `coset` and `ed25519-dalek`, with what the specification says is signed.
#[test]
fn a_signed_envelope_is_what_a_cose_library_reads_and_verifies() {
    let at = vectors::forge::Forge::new(Suite::CoseChaCha20);
    let key = SigningKey::from_bytes(&[8; 32]);
    let signed = at.signed(&vectors::forge::reading(), &key);
    let cose = coset::CoseSign1::from_tagged_slice(&signed).unwrap();
    assert_eq!(
        cose.protected.header.alg,
        Some(coset::RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA))
    );
    assert_eq!(cose.protected.header.key_id, key.sender().as_bytes());
    let commitment = derive::<32>(secret().expose(), &[b"sealwire/1 commit"]);
    let external = coset::cbor::Value::Array(vec![
        "sealwire/1 sign".into(),
        commitment[..].into(),
        24.into(),
        "plant/press/celsius".into(),
        at.session[..].into(),
        1.into(),
    ]);
    let verifying = ed25519_dalek::VerifyingKey::from_bytes(key.sender().as_bytes()).unwrap();
    let verified = cose.verify_signature(&external.to_vec().unwrap(), |signature, message| {
        verifying.verify_strict(message, &ed25519_dalek::Signature::from_slice(signature).unwrap())
    });
    assert!(verified.is_ok());
    assert_eq!(cose.to_tagged_vec().unwrap(), signed, "the one deterministic encoding");
}
