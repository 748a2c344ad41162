//! What the judge says, seen from outside; and that a memory that forgets never says “fresh” twice.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::seal::{Body, Kind, Suite};

/// Far ahead of every stamp here.
const NOW: u64 = u64::MAX;

fn message(session: u8, sequence: u64, stamp: u64) -> Opened {
    Opened {
        suite: Suite::CoseA256Gcm,
        kid: Kid::from_bytes([1; 16]),
        session: [session; 16],
        signer: None,
        sequence,
        sealed_at_ms: Some(stamp),
        kind: Kind::default(),
        content_type: None,
        body: Body::default(),
        sealed_len: 100,
    }
}

fn retained(session: u8, sequence: u64, stamp: u64) -> Opened {
    Opened { kind: Kind { retained: true, will: false }, ..message(session, sequence, stamp) }
}

/// A message of the suite that has no stamp.
fn unstamped(id: u8) -> Opened {
    Opened { suite: Suite::AesCbcHmac, sealed_at_ms: None, ..message(id, 0, 0) }
}

fn topic() -> TopicName {
    TopicName::new("plant/press").unwrap()
}

fn reload(guard: &mut ReplayGuard, disk: &mut HashMap<Vec<u8>, Vec<u8>>) {
    for row in guard.take_changes() {
        match row.value {
            Some(value) => disk.insert(row.key, value),
            None => disk.remove(&row.key),
        };
    }
    let limits = guard.limits;
    *guard = ReplayGuard::load(disk.iter()).unwrap();
    guard.limits = limits;
}

#[test]
fn a_repeat_is_told_after_a_restart_too() {
    let (mut guard, mut disk) = (ReplayGuard::new(), HashMap::new());
    assert_eq!(guard.judge(&message(1, 1, 10), &topic(), false, NOW), Replay::Fresh);
    reload(&mut guard, &mut disk);
    assert_eq!(guard.judge(&message(1, 1, 10), &topic(), false, NOW), Replay::Repeated);
    assert_eq!(guard.judge(&message(1, 2, 10), &topic(), false, NOW), Replay::Fresh);
    assert_eq!(guard.take_changes().len(), 1);
    assert_eq!(guard.take_changes(), []);
}

#[test]
fn without_a_stamp_the_exact_set_alone_judges_and_the_first_that_came_is_the_first_forgotten() {
    let (mut guard, mut disk) = (ReplayGuard::new(), HashMap::new());
    guard.limits.exact = 3;
    for id in [9, 5, 7] {
        assert_eq!(guard.judge(&unstamped(id), &topic(), false, NOW), Replay::Fresh);
        reload(&mut guard, &mut disk);
        assert_eq!(guard.judge(&unstamped(id), &topic(), false, NOW), Replay::Repeated);
    }
    assert_eq!(guard.judge(&unstamped(1), &topic(), false, NOW), Replay::Fresh);
    reload(&mut guard, &mut disk);
    for id in [5, 7, 1] {
        assert_eq!(guard.judge(&unstamped(id), &topic(), false, NOW), Replay::Repeated, "{id}");
    }
    assert_eq!(
        guard.judge(&unstamped(9), &topic(), false, NOW),
        Replay::Fresh,
        "forgotten, and nothing tells"
    );
    assert_eq!(
        guard.judge(&unstamped(1), &topic(), true, NOW),
        Replay::Fresh,
        "retained: it comes with each subscription"
    );
}

#[test]
fn a_live_message_cannot_be_delivered_again_as_retained() {
    let mut guard = ReplayGuard::new();
    assert_eq!(guard.judge(&message(1, 1, 10), &topic(), true, NOW), Replay::ReplayedAsRetained);
}

#[test]
fn a_retained_message_comes_with_every_subscription_until_a_newer_one_was_here() {
    let mut guard = ReplayGuard::new();
    assert_eq!(guard.judge(&retained(1, 1, 10), &topic(), true, NOW), Replay::Fresh);
    assert_eq!(guard.judge(&retained(1, 1, 10), &topic(), true, NOW), Replay::Fresh);
    assert_eq!(
        guard.judge(&retained(1, 1, 10), &topic(), false, NOW),
        Replay::Repeated,
        "not live once more"
    );
    assert_eq!(guard.judge(&retained(1, 2, 20), &topic(), false, NOW), Replay::Fresh);
    assert_eq!(guard.judge(&retained(1, 1, 10), &topic(), true, NOW), Replay::RolledBack);
    let elsewhere = TopicName::new("plant/oven").unwrap();
    assert_eq!(guard.judge(&retained(1, 3, 5), &elsewhere, true, NOW), Replay::Fresh);
}

#[test]
fn a_will_that_comes_after_thousands_of_messages_is_fresh_exactly_once() {
    let mut guard = ReplayGuard::new();
    let will = Opened { kind: Kind { retained: false, will: true }, ..message(1, 1, 10) };
    for sequence in 2..3000 {
        guard.judge(&message(1, sequence, 20), &topic(), false, NOW);
    }
    assert_eq!(guard.judge(&will, &topic(), false, NOW), Replay::Fresh);
    assert_eq!(guard.judge(&will, &topic(), false, NOW), Replay::Repeated);
}

#[test]
fn fernet_tokens_are_told_apart_by_themselves_and_a_retained_one_by_its_stamp() {
    let mut guard = ReplayGuard::new();
    let token = |mark, stamp| Opened { suite: Suite::Fernet, ..message(mark, 0, stamp) };
    assert_eq!(guard.judge(&token(1, 1000), &topic(), false, NOW), Replay::Fresh);
    assert_eq!(guard.judge(&token(2, 1000), &topic(), false, NOW), Replay::Fresh);
    assert_eq!(guard.judge(&token(1, 1000), &topic(), false, NOW), Replay::Repeated);
    assert_eq!(guard.judge(&token(3, 2000), &topic(), true, NOW), Replay::Fresh);
    assert_eq!(guard.judge(&token(1, 1000), &topic(), true, NOW), Replay::RolledBack);
}

#[test]
fn a_session_that_was_pushed_out_is_too_old_to_judge_and_a_newer_one_is_fresh() {
    let mut guard = ReplayGuard::new();
    for session in 0..=u8::MAX {
        guard.judge(&message(session, 1, 1000 + u64::from(session)), &topic(), false, NOW);
    }
    let newcomer =
        Opened { session: [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8], ..message(0, 1, 5000) };
    assert_eq!(guard.judge(&newcomer, &topic(), false, NOW), Replay::Fresh);
    assert_eq!(guard.session_count, MAX_SESSIONS_PER_KEY);
    assert_eq!(guard.judge(&message(0, 1, 1000), &topic(), false, NOW), Replay::TooOldToJudge);
    assert_eq!(guard.judge(&message(1, 1, 1001), &topic(), false, NOW), Replay::Repeated);
    let of_another_key = Opened { kid: Kid::from_bytes([2; 16]), ..message(0, 1, 1000) };
    assert_eq!(guard.judge(&of_another_key, &topic(), false, NOW), Replay::Fresh);
}

#[test]
fn rows_that_are_damaged_are_refused_by_name() {
    for (key, value) in
        [(&[][..], &[][..]), (&[9], &[]), (&[2, 1], &[]), (&[5; 17], &[1]), (&[1; 33], &[0; 151])]
    {
        assert_eq!(ReplayGuard::load([(key, value)]).unwrap_err(), BadReplayRow);
    }
}

#[test]
fn all_rows_together_are_the_whole_memory() {
    let mut guard = ReplayGuard::new();
    guard.judge(&retained(1, 1, 10), &topic(), false, NOW);
    guard.judge(&Opened { suite: Suite::Fernet, ..message(4, 0, 3) }, &topic(), false, NOW);
    let rows = guard.all_rows();
    let again = ReplayGuard::load(rows.iter().map(|row| (&row.key, row.value.as_deref().unwrap()))).unwrap();
    assert_eq!(again.all_rows(), rows);
    assert_eq!((again.session_count, again.exact_count), (1, 1));
}

proptest! {
    #[test]
    fn no_message_is_ever_fresh_twice_however_much_is_forgotten(
        steps in prop::collection::vec((0u8..6, 0u64..3, any::<bool>(), any::<bool>()), 1..300),
    ) {
        let limits = Limits { sessions: 4, sessions_per_key: 2, exact: 3, retained_topics: 2 };
        let (mut guard, mut disk) = (ReplayGuard::with_limits(limits), HashMap::new());
        let mut fresh = HashSet::new();
        for (session, sequence, will, second_key) in steps {
            // The stamp must follow from the identity, as it does for what is sealed.
            let stamp = u64::from(session) * 7 % 5 + sequence;
            let kid = Kid::from_bytes([u8::from(second_key); 16]);
            let message = Opened { kid, kind: Kind { retained: false, will }, ..message(session, sequence + 1, stamp) };
            if guard.judge(&message, &topic(), false, NOW) == Replay::Fresh {
                prop_assert!(fresh.insert((kid, session, sequence, will)), "{session} {sequence} {stamp}");
            }
            prop_assert!(guard.session_count <= 4 && guard.exact_count <= 3);
            reload(&mut guard, &mut disk);
        }
    }
}

#[test]
fn a_message_of_a_far_day_does_not_make_all_that_comes_later_look_old() {
    let now = 1_000_000_000;
    let mut guard = ReplayGuard::new();
    assert_eq!(guard.judge(&retained(1, 1, u64::MAX), &topic(), false, now), Replay::Fresh);
    assert_eq!(guard.judge(&retained(1, 2, now), &topic(), true, now), Replay::RolledBack);
    let later = now + MAX_AHEAD_MS + 1;
    assert_eq!(guard.judge(&retained(1, 3, later), &topic(), true, later), Replay::Fresh);
    for session in 0..=u16::try_from(MAX_SESSIONS_PER_KEY).unwrap() {
        let mut flood = message(0, 1, u64::MAX);
        flood.session[..2].copy_from_slice(&session.to_be_bytes());
        flood.session[2] = 7;
        guard.judge(&flood, &topic(), false, now);
    }
    assert_eq!(guard.judge(&message(9, 1, later), &topic(), false, later), Replay::Fresh);
}

#[test]
fn another_signer_does_not_use_up_the_numbers_of_a_signers_session() {
    let signed = |signer: u8, sequence| Opened {
        signer: Some(crate::seal::SenderKey::from_bytes([signer; 32])),
        ..message(1, sequence, 10)
    };
    let mut guard = ReplayGuard::new();
    assert_eq!(guard.judge(&signed(2, 1 << 24), &topic(), false, NOW), Replay::Fresh);
    assert_eq!(guard.judge(&signed(1, 5), &topic(), false, NOW), Replay::Fresh);
    assert_eq!(guard.judge(&signed(1, 5), &topic(), false, NOW), Replay::Repeated);
    assert_eq!(guard.judge(&message(1, 5, 10), &topic(), false, NOW), Replay::Fresh, "unsigned, so apart");
}
