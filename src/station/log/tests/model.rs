//! A naive keeper to compare with, and random changes to compare by.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::Index as Pick};

use super::*;
use crate::broker::KeptSession;

/// What is kept, by scanning lists.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Model {
    sessions: BTreeMap<u64, KeptSession>,
    retained: BTreeMap<TopicName, Arc<KeptMessage>>,
    wills: BTreeMap<u64, Arc<KeptWill>>,
}

impl Model {
    pub(super) fn kept(&self) -> Kept {
        Kept {
            sessions: self.sessions.values().cloned().collect(),
            retained: self.retained.values().cloned().collect(),
            wills: self.wills.iter().map(|(session, will)| (*session, will.clone())).collect(),
        }
    }

    pub(super) fn apply(&mut self, changes: &[Change]) {
        changes.iter().for_each(|change| self.apply_one(change));
    }

    fn apply_one(&mut self, change: &Change) {
        match change {
            Change::Opened { session, account, client_id, expiry_secs } => {
                let there = self.sessions.entry(*session).or_insert_with(|| KeptSession {
                    session: *session,
                    account: "".into(),
                    client_id: "".into(),
                    expiry_secs: 0,
                    left_ms: None,
                    subscriptions: Vec::new(),
                    queue: Vec::new(),
                    released: Vec::new(),
                    accepted: Vec::new(),
                });
                (there.account, there.client_id) = (account.clone(), client_id.clone());
                (there.expiry_secs, there.left_ms) = (*expiry_secs, None);
            }
            Change::WillLeft { session, will } => drop(self.wills.insert(*session, will.clone())),
            Change::WillGone { session } => drop(self.wills.remove(session)),
            Change::Retained { message } => {
                self.retained.insert(message.topic.clone(), message.clone());
            }
            Change::Cleared { topic } => drop(self.retained.remove(topic)),
            Change::Ended { session, .. } => drop(self.sessions.remove(session)),
            Change::Resumed { session, .. }
            | Change::Left { session, .. }
            | Change::Subscribed { session, .. }
            | Change::Unsubscribed { session, .. }
            | Change::Queued { session, .. }
            | Change::Released { session, .. }
            | Change::Delivered { session, .. }
            | Change::Accepted { session, .. }
            | Change::Completed { session, .. } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    in_session(session, change);
                }
            }
        }
    }
}

fn in_session(there: &mut KeptSession, change: &Change) {
    match change {
        Change::Resumed { expiry_secs, .. } => (there.expiry_secs, there.left_ms) = (*expiry_secs, None),
        Change::Left { expiry_secs, at_ms, .. } => {
            (there.expiry_secs, there.left_ms) = (*expiry_secs, Some(*at_ms));
        }
        Change::Subscribed { filter, options, .. } => {
            there.subscriptions.retain(|(other, _)| other != filter);
            there.subscriptions.push((filter.clone(), *options));
            there.subscriptions.sort_by(|one, other| one.0.cmp(&other.0));
        }
        Change::Unsubscribed { filter, .. } => there.subscriptions.retain(|(other, _)| other != filter),
        Change::Queued { parcel, .. } => {
            there.queue.retain(|other| other.number != parcel.number);
            there.queue.push(parcel.clone());
            there.queue.sort_by_key(|parcel| parcel.number);
        }
        Change::Released { numbers, .. } => {
            there.queue.retain(|parcel| !numbers.contains(&parcel.number));
            there.released.extend(numbers);
            there.released.sort_unstable();
            there.released.dedup();
        }
        Change::Delivered { numbers, .. } => {
            there.queue.retain(|parcel| !numbers.contains(&parcel.number));
            there.released.retain(|number| !numbers.contains(number));
        }
        Change::Accepted { packet_id, .. } => {
            there.accepted.push(*packet_id);
            there.accepted.sort_unstable();
            there.accepted.dedup();
        }
        Change::Completed { packet_ids, .. } => there.accepted.retain(|id| !packet_ids.contains(id)),
        other => panic!("not of a session: {other:?}"),
    }
}

/// A change among few sessions, messages and topics, so that they meet.
pub(super) fn change() -> impl Strategy<Value = Change> {
    let session = || 1..5_u64;
    let filter = || prop_oneof![Just("a/#"), Just("+/b"), Just("c")];
    let numbers = || vec(1..30_u64, 0..5);
    prop_oneof![
        2 => session().prop_map(opened),
        1 => (session(), 0..9_u32).prop_map(|(session, expiry_secs)| Change::Resumed { session, expiry_secs }),
        1 => (session(), any::<u32>(), any::<u64>())
            .prop_map(|(session, expiry_secs, at_ms)| Change::Left { session, expiry_secs, at_ms }),
        1 => session().prop_map(|session| Change::Ended { session, handed_on: false }),
        2 => (session(), filter(), any::<Option<u32>>()).prop_map(|(s, filter, id)| subscribed(s, filter, id)),
        1 => (session(), filter()).prop_map(|(session, filter)| Change::Unsubscribed {
            session,
            filter: TopicFilter::new(filter).unwrap()
        }),
        9 => (session(), 1..30_u64, 1..20_u64).prop_map(|(s, number, m)| queued(s, number, &message(m))),
        2 => (session(), numbers()).prop_map(|(session, numbers)| Change::Released { session, numbers }),
        4 => (session(), numbers()).prop_map(|(session, numbers)| Change::Delivered { session, numbers }),
        1 => (session(), 1..9_u16).prop_map(|(session, packet_id)| Change::Accepted { session, packet_id }),
        1 => (session(), vec(1..9_u16, 0..4))
            .prop_map(|(session, packet_ids)| Change::Completed { session, packet_ids }),
        1 => (1..9_u64, any::<Option<u32>>()).prop_map(|(session, expiry)| will(session, expiry)),
        1 => (1..9_u64).prop_map(|session| Change::WillGone { session }),
        3 => (1..20_u64).prop_map(|number| Change::Retained { message: message(number) }),
        1 => (0..4_u64).prop_map(|name| Change::Cleared { topic: topic(&format!("t/{name}")) }),
    ]
}

pub(super) fn batches() -> impl Strategy<Value = Vec<Vec<Change>>> {
    vec(vec(change(), 1..8), 1..25)
}

/// The states after each batch, the empty one first.
pub(super) fn states(batches: &[Vec<Change>]) -> Vec<Kept> {
    let mut model = Model::default();
    let mut states = vec![model.kept()];
    for batch in batches {
        model.apply(batch);
        states.push(model.kept());
    }
    states
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_changes_and_any_snapshots_and_starts_in_between_all_is_as_in_the_model(
        batches in batches(),
        starts in vec(any::<bool>(), 25),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), SMALL);
        for ((batch, state), start) in batches.iter().zip(&states(&batches)[1..]).zip(starts) {
            // A snapshot may be under way while the next ones are committed, and when the station ends.
            log.commit(batch.clone()).unwrap();
            log.tidy();
            prop_assert_eq!(&log.kept(), state);
            if start {
                log.close();
                log = open(dir.path(), SMALL);
                prop_assert_eq!(&log.kept(), state);
            }
        }
        prop_assert!(!names(dir.path()).iter().any(|name| name.contains("damaged")));
    }

    #[test]
    fn cut_off_anywhere_the_newest_file_has_the_batches_before_the_cut(batches in batches(), at in any::<Pick>()) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), Thrift::default());
        let file = segments(dir.path()).pop().unwrap();
        let mut ends = vec![fs::metadata(&file).unwrap().len()];
        for batch in &batches {
            log.commit(batch.clone()).unwrap();
            ends.push(fs::metadata(&file).unwrap().len());
        }
        log.close();
        let length = at.index(*ends.last().unwrap() as usize + 1) as u64;
        fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
        let state = &states(&batches)[whole];
        prop_assert_eq!(&reopened(dir.path()), state);
        prop_assert_eq!(&reopened(dir.path()), state, "and again");
        prop_assert!(!names(dir.path()).iter().any(|name| name.contains("damaged")));
    }

    #[test]
    fn a_byte_that_flips_anywhere_alters_no_message_and_what_is_read_then_stays(
        batches in batches(),
        snapshots in any::<bool>(),
        at in any::<Pick>(),
        bit in 0..8_u32,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), if snapshots { SMALL } else { Thrift::default() });
        for batch in &batches {
            commit(&mut log, batch);
        }
        log.close();
        let files: Vec<_> = segments(dir.path()).into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
        let mut at = at.index(files.iter().map(|(bytes, _)| bytes.len()).sum());
        for (mut bytes, file) in files {
            if at < bytes.len() {
                bytes[at] ^= 1 << bit;
                fs::write(file, bytes).unwrap();
                break;
            }
            at -= bytes.len();
        }
        let kept = reopened(dir.path());
        let waiting = kept.sessions.iter().flat_map(|session| &session.queue).map(|parcel| &parcel.message);
        for there in waiting.chain(&kept.retained) {
            prop_assert_eq!(there, &message(there.number));
        }
        for (session, there) in &kept.wills {
            let expected = will(*session, there.expiry_secs);
            prop_assert_eq!(&Change::WillLeft { session: *session, will: there.clone() }, &expected);
        }
        prop_assert_eq!(&reopened(dir.path()), &kept);
    }
}
