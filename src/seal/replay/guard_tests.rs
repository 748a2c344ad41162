//! What the judge says, seen from outside; and that a memory that forgets never says “fresh” twice.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::seal::{Body, Kind, Suite};

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
    assert_eq!(guard.judge(&message(1, 1, 10), &topic(), false), Replay::Fresh);
    reload(&mut guard, &mut disk);
    assert_eq!(guard.judge(&message(1, 1, 10), &topic(), false), Replay::Repeated);
    assert_eq!(guard.judge(&message(1, 2, 10), &topic(), false), Replay::Fresh);
    assert_eq!(guard.take_changes().len(), 1);
    assert_eq!(guard.take_changes(), []);
}

#[test]
fn without_a_stamp_the_exact_set_alone_judges_and_the_first_that_came_is_the_first_forgotten() {
    let (mut guard, mut disk) = (ReplayGuard::new(), HashMap::new());
    guard.limits.exact = 3;
    for id in [9, 5, 7] {
        assert_eq!(guard.judge(&unstamped(id), &topic(), false), Replay::Fresh);
        reload(&mut guard, &mut disk);
        assert_eq!(guard.judge(&unstamped(id), &topic(), false), Replay::Repeated);
    }
    assert_eq!(guard.judge(&unstamped(1), &topic(), false), Replay::Fresh);
    reload(&mut guard, &mut disk);
    for id in [5, 7, 1] {
        assert_eq!(guard.judge(&unstamped(id), &topic(), false), Replay::Repeated, "{id}");
    }
    assert_eq!(guard.judge(&unstamped(9), &topic(), false), Replay::Fresh, "forgotten, and nothing tells");
    assert_eq!(
        guard.judge(&unstamped(1), &topic(), true),
        Replay::Fresh,
        "retained: it comes with each subscription"
    );
}

#[test]
fn a_live_message_cannot_be_delivered_again_as_retained() {
    let mut guard = ReplayGuard::new();
    assert_eq!(guard.judge(&message(1, 1, 10), &topic(), true), Replay::ReplayedAsRetained);
}

#[test]
fn a_retained_message_comes_with_every_subscription_until_a_newer_one_was_here() {
    let mut guard = ReplayGuard::new();
    assert_eq!(guard.judge(&retained(1, 1, 10), &topic(), true), Replay::Fresh);
    assert_eq!(guard.judge(&retained(1, 1, 10), &topic(), true), Replay::Fresh);
    assert_eq!(guard.judge(&retained(1, 1, 10), &topic(), false), Replay::Repeated, "not live once more");
    assert_eq!(guard.judge(&retained(1, 2, 20), &topic(), false), Replay::Fresh);
    assert_eq!(guard.judge(&retained(1, 1, 10), &topic(), true), Replay::RolledBack);
    let elsewhere = TopicName::new("plant/oven").unwrap();
    assert_eq!(guard.judge(&retained(1, 3, 5), &elsewhere, true), Replay::Fresh);
}

#[test]
fn a_will_that_comes_after_thousands_of_messages_is_fresh_exactly_once() {
    let mut guard = ReplayGuard::new();
    let will = Opened { kind: Kind { retained: false, will: true }, ..message(1, 1, 10) };
    for sequence in 2..3000 {
        guard.judge(&message(1, sequence, 20), &topic(), false);
    }
    assert_eq!(guard.judge(&will, &topic(), false), Replay::Fresh);
    assert_eq!(guard.judge(&will, &topic(), false), Replay::Repeated);
}

#[test]
fn fernet_tokens_are_told_apart_by_themselves_and_a_retained_one_by_its_stamp() {
    let mut guard = ReplayGuard::new();
    let token = |mark, stamp| Opened { suite: Suite::Fernet, ..message(mark, 0, stamp) };
    assert_eq!(guard.judge(&token(1, 1000), &topic(), false), Replay::Fresh);
    assert_eq!(guard.judge(&token(2, 1000), &topic(), false), Replay::Fresh);
    assert_eq!(guard.judge(&token(1, 1000), &topic(), false), Replay::Repeated);
    assert_eq!(guard.judge(&token(3, 2000), &topic(), true), Replay::Fresh);
    assert_eq!(guard.judge(&token(1, 1000), &topic(), true), Replay::RolledBack);
}

#[test]
fn a_session_that_was_pushed_out_is_too_old_to_judge_and_a_newer_one_is_fresh() {
    let mut guard = ReplayGuard::new();
    for session in 0..=u8::MAX {
        guard.judge(&message(session, 1, 1000 + u64::from(session)), &topic(), false);
    }
    let newcomer =
        Opened { session: [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8], ..message(0, 1, 5000) };
    assert_eq!(guard.judge(&newcomer, &topic(), false), Replay::Fresh);
    assert_eq!(guard.session_count, MAX_SESSIONS_PER_KEY);
    assert_eq!(guard.judge(&message(0, 1, 1000), &topic(), false), Replay::TooOldToJudge);
    assert_eq!(guard.judge(&message(1, 1, 1001), &topic(), false), Replay::Repeated);
    let of_another_key = Opened { kid: Kid::from_bytes([2; 16]), ..message(0, 1, 1000) };
    assert_eq!(guard.judge(&of_another_key, &topic(), false), Replay::Fresh);
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
    guard.judge(&retained(1, 1, 10), &topic(), false);
    guard.judge(&Opened { suite: Suite::Fernet, ..message(4, 0, 3) }, &topic(), false);
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
            if guard.judge(&message, &topic(), false) == Replay::Fresh {
                prop_assert!(fresh.insert((kid, session, sequence, will)), "{session} {sequence} {stamp}");
            }
            prop_assert!(guard.session_count <= 4 && guard.exact_count <= 3);
            reload(&mut guard, &mut disk);
        }
    }
}
