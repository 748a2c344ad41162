//! Batches: what cancels out in them, what is tried again, how much waits at most.

use std::{collections::VecDeque, sync::atomic::AtomicBool};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    broker::{BoxFuture, Kept, KeptMessage, KeptParcel},
    topic::TopicName,
};

fn queued(session: u64, number: u64, bytes: usize) -> Change {
    let message = Arc::new(KeptMessage {
        number: session * 1_000_000 + number,
        topic: TopicName::new("t").unwrap(),
        payload: Bytes::from(vec![0; bytes]),
        properties: Box::default(),
        qos: 1,
        retain: false,
        expires_ms: None,
    });
    let parcel = KeptParcel {
        number,
        message,
        qos: 1,
        retain: false,
        replay: false,
        shared: false,
        subscription_ids: Arc::from([]),
    };
    Change::Queued { session, parcel }
}

fn delivered(session: u64, numbers: &[u64]) -> Change {
    Change::Delivered { session, numbers: numbers.to_vec() }
}

fn released(session: u64, numbers: &[u64]) -> Change {
    Change::Released { session, numbers: numbers.to_vec() }
}

fn opened(session: u64) -> Change {
    Change::Opened { session, account: "a".into(), client_id: "c".into(), expiry_secs: 1 }
}

/// Answers as it is told, and notes what it was asked; waits while it is locked.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Result<(), KeepError>>>,
    asked: Mutex<Vec<Vec<Change>>>,
    locked: AtomicBool,
    unlocked: Notify,
}

impl Keeper for Scripted {
    fn restore(&self) -> BoxFuture<'_, Kept> {
        Box::pin(std::future::ready(Kept::default()))
    }

    fn commit<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), KeepError>> {
        self.asked.lock().push(changes.to_vec());
        Box::pin(async {
            if self.locked.load(SeqCst) {
                self.unlocked.notified().await;
            }
            self.answers.lock().pop_front().unwrap_or(Ok(()))
        })
    }
}

fn running(keeper: &Arc<Scripted>) -> Arc<Journal> {
    let journal = Arc::new(Journal::new(Arc::clone(keeper) as _, 0));
    tokio::spawn(Arc::clone(&journal).run());
    journal
}

fn tickets(all: impl IntoIterator<Item = Ticket>) -> Tickets {
    let mut tickets = Tickets::default();
    all.into_iter().for_each(|ticket| tickets.note(ticket));
    tickets
}

#[test]
fn what_is_delivered_in_the_batch_that_queued_it_is_in_neither() {
    let mut changes = vec![
        queued(1, 1, 0),
        queued(2, 1, 0),
        delivered(1, &[1]),
        queued(1, 2, 0),
        delivered(1, &[7, 2]),
        delivered(3, &[1]),
    ];
    prune(&mut changes);
    assert_eq!(changes, [queued(2, 1, 0), delivered(1, &[7]), delivered(3, &[1])]);
}

#[test]
fn what_was_queued_before_a_session_ended_is_not_kept_and_what_comes_after_it_began_again_is() {
    let again = [Change::Ended { session: 1, handed_on: false }, opened(1), queued(1, 2, 0)];
    let mut changes = vec![queued(1, 1, 0)];
    changes.extend(again.clone());
    prune(&mut changes);
    assert_eq!(changes, again);
}

#[test]
fn of_wills_and_exchanges_what_came_last_counts() {
    let released = |numbers: &[u64]| released(1, numbers);
    let gone = Change::WillGone { session: 1 };
    let message = match queued(1, 9, 0) {
        Change::Queued { parcel, .. } => parcel.message,
        _ => unreachable!(),
    };
    let (account, client_id) = (Arc::from("a"), Arc::from("c"));
    let will =
        Arc::new(crate::broker::KeptWill { account, client_id, message, expiry_secs: None, delay_secs: 0 });
    let left = Change::WillLeft { session: 1, will };
    let mut changes = vec![left.clone(), gone.clone(), left.clone(), released(&[1, 2]), delivered(1, &[2])];
    prune(&mut changes);
    assert_eq!(changes, [left, released(&[1]), delivered(1, &[2])]);
    let accepted = Change::Accepted { session: 1, packet_id: 1 };
    let mut changes = vec![
        accepted.clone(),
        released(&[1]),
        Change::Ended { session: 1, handed_on: false },
        opened(1),
        accepted.clone(),
    ];
    prune(&mut changes);
    assert_eq!(changes, [Change::Ended { session: 1, handed_on: false }, opened(1), accepted]);
}

#[test]
fn of_what_is_delivered_nothing_is_left_released() {
    let mut changes = vec![
        queued(1, 1, 0),
        delivered(1, &[1, 7]),
        released(1, &[1, 7]),
        released(2, &[1]),
        released(1, &[2, 7]),
        queued(1, 3, 0),
        released(1, &[3]),
        delivered(1, &[3]),
    ];
    prune(&mut changes);
    assert_eq!(changes, [delivered(1, &[7]), released(2, &[1]), released(1, &[2])]);
}

proptest! {
    #[test]
    fn pruning_changes_nothing_of_what_waits_in_the_end(steps in prop::collection::vec((1u64..3, 0u8..10), 0..60)) {
        let (mut changes, mut next) = (Vec::new(), 1);
        for (session, step) in steps {
            changes.push(match step {
                0 => Change::Ended { session, handed_on: false },
                1 => opened(session),
                // Delivered are only numbers that were queued before.
                2..=3 => delivered(session, &[next / 2, next.saturating_sub(1)]),
                4 => released(session, &[next / 2, next.saturating_sub(1)]),
                _ => {
                    next += 1;
                    queued(session, next - 1, 0)
                }
            });
        }
        // What a client is yet to be sent: messages, and PUBREL for those that it said PUBREC to.
        let waits = |changes: &[Change]| {
            let (mut waits, mut releases, mut gone) = (Vec::new(), HashSet::new(), HashSet::new());
            for change in changes {
                match change {
                    Change::Queued { session, parcel } => waits.push((*session, parcel.number)),
                    Change::Released { session, numbers } => {
                        waits.retain(|(s, n)| s != session || !numbers.contains(n));
                        releases.extend(numbers.iter().map(|number| (*session, *number)));
                    }
                    Change::Delivered { session, numbers } => {
                        waits.retain(|(s, n)| s != session || !numbers.contains(n));
                        let numbers = numbers.iter().map(|number| (*session, *number));
                        numbers.for_each(|place| {
                            releases.remove(&place);
                            gone.insert(place);
                        });
                    }
                    Change::Ended { session, .. } => {
                        waits.retain(|(s, _)| s != session);
                        releases.retain(|(s, _)| s != session);
                    }
                    _ => {}
                }
            }
            (waits, releases, gone)
        };
        let (messages, mut releases, gone) = waits(&changes);
        // Also what is released after it was delivered, as the keeper would not see it.
        releases.retain(|release| !gone.contains(release));
        prune(&mut changes);
        let left = waits(&changes);
        prop_assert_eq!((left.0, left.1), (messages, releases));
    }
}

#[tokio::test]
async fn nobody_needs_to_wait_for_a_change_to_be_kept() {
    let keeper = Arc::<Scripted>::default();
    let journal = running(&keeper);
    let ticket = journal.record(opened(1));
    assert!(ticket.settled().await, "which does not hurry it");
    assert_eq!(*keeper.asked.lock(), [[opened(1)]]);
}

#[tokio::test]
async fn what_cancels_out_does_not_reach_the_keeper() {
    let keeper = Arc::<Scripted>::default();
    let journal = running(&keeper);
    let promised = tickets([journal.record(queued(1, 1, 10)), journal.record(delivered(1, &[1]))]);
    assert!(journal.settled(&promised).await);
    assert!(keeper.asked.lock().is_empty());
}

#[tokio::test]
async fn after_a_failure_removals_come_again_first_and_promises_do_not() {
    let keeper = Arc::<Scripted>::default();
    keeper.answers.lock().push_back(Err(KeepError("full".into())));
    let journal = running(&keeper);
    let promised = tickets([journal.record(delivered(1, &[4])), journal.record(queued(1, 5, 10))]);
    assert!(!journal.settled(&promised).await);
    assert!(journal.is_failing() && journal.refuses());
    let promised = tickets([journal.record(queued(1, 6, 10))]);
    assert!(journal.settled(&promised).await);
    assert!(!journal.is_failing() && !journal.refuses());
    assert_eq!(keeper.asked.lock()[1], [delivered(1, &[4]), queued(1, 6, 10)]);
}

#[tokio::test]
async fn after_a_failure_the_steps_of_exchanges_come_again_that_a_client_has_said() {
    let keeper = Arc::<Scripted>::default();
    keeper.answers.lock().push_back(Err(KeepError("full".into())));
    let journal = running(&keeper);
    let completed = Change::Completed { session: 1, packet_ids: vec![3] };
    let accepted = Change::Accepted { session: 1, packet_id: 9 };
    let said = [released(1, &[4]), completed.clone(), accepted.clone()].map(|change| journal.record(change));
    assert!(!journal.settled(&tickets(said)).await);
    let promised = tickets([journal.record(accepted.clone())]);
    assert!(journal.settled(&promised).await);
    assert_eq!(keeper.asked.lock()[1], [released(1, &[4]), completed, accepted]);
}

#[tokio::test]
async fn what_waits_is_bounded_and_there_is_room_once_it_is_taken() {
    let keeper = Arc::<Scripted>::default();
    keeper.locked.store(true, SeqCst);
    let journal = running(&keeper);
    let first = tickets([journal.record(opened(1))]);
    let waiting = tokio::spawn({
        let journal = Arc::clone(&journal);
        async move { journal.settled(&first).await }
    });
    while keeper.asked.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut count = 0;
    while !journal.is_full() {
        count += 1;
        journal.record(queued(1, count, 1 << 20));
    }
    assert!((30..=32).contains(&count), "{count} MiB");
    // A message for many sessions counts once.
    let (many, one) = (Journal::new(Arc::clone(&keeper) as _, 0), queued(1, 1, 1 << 20));
    (0..1_000).for_each(|_| drop(many.record(one.clone())));
    assert!(!many.is_full());
    keeper.locked.store(false, SeqCst);
    keeper.unlocked.notify_one();
    journal.room().await;
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn what_is_there_when_it_closes_is_kept_and_what_comes_later_is_refused() {
    let keeper = Arc::<Scripted>::default();
    let journal = running(&keeper);
    let last = tickets([journal.record(opened(1))]);
    journal.close();
    journal.finished().await;
    assert!(journal.settled(&last).await);
    assert_eq!(keeper.asked.lock().len(), 1);
    let late = tickets([journal.record(opened(2))]);
    assert!(!journal.settled(&late).await);
}

#[test]
fn what_is_recorded_again_while_nothing_is_kept_is_carried_once() {
    let mut changes = vec![
        released(1, &[1, 2]),
        released(2, &[1]),
        delivered(1, &[9]),
        released(1, &[2]),
        released(1, &[3]),
    ];
    once_each(&mut changes);
    assert_eq!(changes, [released(1, &[1, 2]), released(2, &[1]), delivered(1, &[9]), released(1, &[3])]);
}
