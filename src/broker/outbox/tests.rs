//! The outbox under every order of events: pushes, acknowledgements, writers and connections that come and go.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use bytes::Bytes;
use parking_lot::Mutex;
use proptest::prelude::*;
use rmqtt_codec::{types::Publish, v3};
use tokio_util::codec::Decoder;

use super::{super::journal::Journal, *};
use crate::{
    broker::{
        BoxFuture, Change, Forgetful, Identity, KeepError, Keeper, Kept, Protocol, Transport,
        session::{Session, SessionKey},
        signals::Signal,
    },
    topic::TopicName,
};

fn message(number: u32) -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::new("t").unwrap(),
        payload: Bytes::copy_from_slice(&number.to_be_bytes()),
        qos: 1,
        retain: false,
        properties: bytes::Bytes::new(),
        received: Instant::now(),
        expiry: None,
        kept: std::sync::OnceLock::new(),
    })
}

fn link(id: u64, window: usize) -> Link {
    let (account, client_id, role): (Arc<str>, Arc<str>, Arc<str>) = ("a".into(), "c".into(), "r".into());
    let identity = Arc::new(Identity { account, client_id, role, credential: 0 });
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let control = Control::new(id, identity, peer, Protocol::V311, Transport::Tcp);
    Link::new(Arc::new(control), false, window, usize::MAX, BytesMut::new())
}

fn plainly(qos: u8, subscription_ids: &Arc<[u32]>) -> Delivery<'_> {
    Delivery { qos, retain: false, subscription_ids, share: None }
}

fn push(outbox: &mut Outbox, number: u32, qos: u8) -> Outcome {
    outbox.push(&message(number), plainly(qos, &Arc::from([])), &mut Fanout::default())
}

/// What comes to the client.
#[derive(Debug)]
enum Got {
    Publish(Box<Publish>),
    PubRel(u16),
}

fn read(outbox: &mut Outbox, connection: u64) -> Vec<Got> {
    let mut all = BytesMut::new();
    loop {
        let mut chunk = BytesMut::new();
        outbox.take(connection, &mut chunk);
        if chunk.is_empty() {
            break;
        }
        all.extend_from_slice(&chunk);
    }
    let mut codec = v3::Codec::new(0);
    let mut found = Vec::new();
    while let Some((packet, _)) = codec.decode(&mut all).unwrap() {
        found.push(match packet {
            v3::Packet::Publish(publish) => Got::Publish(publish),
            v3::Packet::PublishRelease { packet_id } => Got::PubRel(packet_id.get()),
            other => panic!("{other:?}"),
        });
    }
    found
}

fn written(outbox: &mut Outbox, connection: u64) -> Vec<Publish> {
    let publish = |got| match got {
        Got::Publish(publish) => *publish,
        Got::PubRel(_) => panic!("no PUBREL is due"),
    };
    read(outbox, connection).into_iter().map(publish).collect()
}

fn number(publish: &Publish) -> u32 {
    u32::from_be_bytes(publish.payload[..].try_into().unwrap())
}

fn packet_id_of(publish: &Publish) -> u16 {
    publish.packet_id.unwrap().get()
}

struct Nobody;

impl Watcher for Nobody {
    fn settled(&self, _: bool) {}
}

fn nobody() -> Weak<dyn Watcher> {
    Weak::<Nobody>::new()
}

fn small() -> Outbox {
    Outbox::new(&Limits { queue_messages: 4, send_buffer_bytes: 64, ..Limits::default() }, nobody())
}

#[derive(Debug, Clone)]
enum Act {
    Push(u8),
    /// The writer takes, and the client answers those of what it owes an answer for whose place in order is in the mask.
    Answer(u8),
    Drop,
    Connect(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u8..3).prop_map(Act::Push),
        5 => any::<u8>().prop_map(Act::Answer),
        1 => Just(Act::Drop),
        2 => (1usize..6).prop_map(Act::Connect),
    ]
}

/// A client, as far as the standard makes it: what it owes is forgotten with its connection, what it has of QoS 2 is
/// not.
#[derive(Default)]
struct Client {
    connection: u64,
    window: usize,
    /// Packet id and QoS of what is to be answered; QoS 3 stands for PUBREL.
    owes: Vec<(u16, u8)>,
    /// Sent by the broker over this connection and not settled.
    open: BTreeSet<u16>,
    /// Received with QoS 2, and not released.
    has: BTreeMap<u16, u32>,
    arrived: Vec<(u32, u8)>,
}

impl Client {
    fn receive(&mut self, outbox: &mut Outbox) {
        for got in read(outbox, self.connection) {
            match got {
                Got::Publish(publish) if publish.packet_id.is_none() => {}
                Got::Publish(publish) => {
                    let (id, qos, number) = (packet_id_of(&publish), publish.qos.value(), number(&publish));
                    assert!(self.open.insert(id), "packet ids in use are unique");
                    self.owes.push((id, qos));
                    let known = qos == 2
                        && self
                            .has
                            .insert(id, number)
                            .is_some_and(|old| old == number || panic!("{old} is lost"));
                    if !(known || qos == 1 && publish.dup) {
                        self.arrived.push((number, qos));
                    }
                }
                Got::PubRel(id) => {
                    self.has.remove(&id);
                    self.open.insert(id);
                    self.owes.push((id, 3));
                }
            }
        }
        assert!(self.open.len() <= self.window, "{} in a window of {}", self.open.len(), self.window);
    }

    fn answer(&mut self, outbox: &mut Outbox, mask: u8) {
        self.receive(outbox);
        for (place, (id, qos)) in std::mem::take(&mut self.owes).into_iter().enumerate() {
            if mask >> (place % 8) & 1 == 0 {
                self.owes.push((id, qos));
                continue;
            }
            match qos {
                1 => outbox.acknowledge(self.connection, &[id]),
                2 => assert!(outbox.answer(self.connection, &[Answer::Received(id)]).is_empty()),
                _ => assert!(outbox.answer(self.connection, &[Answer::Completed(id)]).is_empty()),
            }
            if qos != 2 {
                self.open.remove(&id);
            }
        }
    }

    fn connect(&mut self, outbox: &mut Outbox, window: usize) {
        self.connection += 1;
        self.window = window;
        self.forget();
        outbox.attach(link(self.connection, window));
        outbox.release(self.connection);
    }

    fn forget(&mut self) {
        self.owes.clear();
        self.open.clear();
    }
}

proptest! {
    #[test]
    fn what_was_taken_arrives_in_order_within_the_window(acts in prop::collection::vec(act(), 1..200)) {
        let limits = Limits { send_buffer_bytes: 64, queue_messages: 1_000, ..Limits::default() };
        let mut outbox = Outbox::new(&limits, nobody());
        outbox.next = 65_500; // so that packet ids wrap
        let (mut client, mut promised, mut count) = (Client::default(), Vec::new(), 0);
        for act in acts.into_iter().chain([Act::Connect(5)]).chain((0..240).map(|_| Act::Answer(255))) {
            match act {
                Act::Push(qos) => {
                    count += 1;
                    let outcome = push(&mut outbox, count, qos);
                    if qos > 0 {
                        prop_assert!(matches!(outcome, Outcome::Taken | Outcome::Congested));
                        promised.push((count, qos));
                    }
                }
                Act::Answer(mask) => client.answer(&mut outbox, mask),
                Act::Drop => {
                    outbox.detach(client.connection);
                    client.forget();
                }
                Act::Connect(window) => client.connect(&mut outbox, window),
            }
        }
        // What was in a buffer that a dropped connection never wrote comes with DUP only: first arrivals of QoS 1 are
        // a subsequence in order; of QoS 2 each is there, and once.
        let arrived = |qos| client.arrived.iter().filter(move |(_, with)| *with == qos).map(|(number, _)| *number);
        prop_assert!(arrived(1).is_sorted());
        let wanted: Vec<_> = promised.iter().filter(|(_, qos)| *qos == 2).map(|(number, _)| *number).collect();
        prop_assert_eq!(arrived(2).collect::<Vec<_>>(), wanted);
        prop_assert!(outbox.inflight.is_empty() && outbox.waiting.is_empty(), "all was settled");
        prop_assert_eq!((outbox.inflight.outstanding(), outbox.waiting.bytes(), client.has.len()), (0, 0, 0));
    }
}

#[test]
fn a_publisher_is_told_to_wait_from_half_of_the_queue_and_may_go_on_after_an_acknowledgement() {
    let mut outbox = small();
    outbox.attach(link(1, 1));
    outbox.release(1);
    assert_eq!(push(&mut outbox, 1, 1), Outcome::Taken);
    assert_eq!(push(&mut outbox, 2, 1), Outcome::Taken);
    assert_eq!(push(&mut outbox, 3, 1), Outcome::Congested);
    assert!(outbox.congestion(Instant::now()).is_some());
    assert!(!outbox.has_room_for_waiters());
    outbox.acknowledge(1, &[2]);
    assert!(outbox.has_room_for_waiters());
    assert!(outbox.congestion(Instant::now()).is_none());
}

#[test]
fn a_full_queue_is_an_overflow_while_connected_and_a_loss_while_away() {
    let mut outbox = small();
    outbox.attach(link(1, 1));
    outbox.release(1);
    for number in 1..=5 {
        assert_ne!(push(&mut outbox, number, 1), Outcome::Overflow);
    }
    assert_eq!(push(&mut outbox, 6, 1), Outcome::Overflow);
    outbox.detach(1);
    assert_eq!(push(&mut outbox, 7, 1), Outcome::Lost);
    assert_eq!(push(&mut outbox, 8, 0), Outcome::Absent);
    outbox.attach(link(2, 10));
    outbox.release(2);
    let taken = outbox.take(2, &mut BytesMut::new());
    assert_eq!((taken.lost, taken.dropped), (2, 0), "both are told when the client is back");
}

#[test]
fn qos_0_is_congested_at_the_high_water_mark_and_dropped_at_twice_that() {
    let mut outbox = small();
    outbox.attach(link(1, 1));
    outbox.release(1);
    let outcomes: Vec<_> = (0..20).map(|number| push(&mut outbox, number, 0)).collect();
    // A packet is nine bytes: 64 are passed by the eighth, 128 by the fifteenth.
    assert!(outcomes[..7].iter().all(|outcome| *outcome == Outcome::Taken));
    assert!(outcomes[7..15].iter().all(|outcome| *outcome == Outcome::Congested));
    assert!(outcomes[15..].iter().all(|outcome| *outcome == Outcome::Dropped));
    outbox.give_up(Instant::now());
    assert!(outbox.congestion(Instant::now()).is_none(), "nobody waits for one that is known to be slow");
    assert_eq!(outbox.take(1, &mut BytesMut::new()).dropped, 5);
    assert_eq!(push(&mut outbox, 21, 0), Outcome::Taken);
}

#[test]
fn what_is_no_longer_permitted_is_withheld_before_it_is_sent_again() {
    let mut outbox = small();
    outbox.attach(link(1, 1));
    outbox.release(1);
    push(&mut outbox, 1, 1);
    push(&mut outbox, 2, 1);
    assert_eq!(outbox.unsent().len(), 1, "one topic");
    outbox.withhold(|_| false);
    assert_eq!(written(&mut outbox, 1).len(), 1, "what is already in the connection's buffer is gone");
    outbox.attach(link(2, 1));
    outbox.withhold(|_| false);
    outbox.release(2);
    assert!(written(&mut outbox, 2).is_empty());
    assert_eq!(push(&mut outbox, 3, 1), Outcome::Taken);
    assert_eq!(written(&mut outbox, 2).len(), 1, "the window is free again");
}

#[test]
fn an_acknowledgement_of_what_was_not_sent_again_yet_is_ignored() {
    let mut outbox = small();
    outbox.attach(link(1, 2));
    outbox.release(1);
    push(&mut outbox, 1, 1);
    push(&mut outbox, 2, 1);
    outbox.attach(link(2, 1));
    outbox.release(2);
    outbox.acknowledge(2, &[3, 3, 99]);
    assert_eq!(written(&mut outbox, 2).len(), 1, "the window is one");
    outbox.acknowledge(2, &[2]);
    let again = written(&mut outbox, 2);
    assert_eq!((again.len(), number(&again[0]), again[0].dup), (1, 2, true));
}

#[test]
fn qos_0_that_waited_behind_retained_messages_does_not_wait_for_the_next_connection() {
    let mut outbox = small();
    outbox.attach(link(1, 1));
    outbox.release(1);
    let parcel = |n| Parcel {
        message: message(n),
        qos: 1,
        retain: true,
        subscription_ids: Arc::from([]),
        share: None,
        replay: true,
        number: 0,
        again: false,
        after: None,
        void: false,
    };
    outbox.replay(vec![parcel(1), parcel(2)], &mut Tickets::default());
    assert_eq!(push(&mut outbox, 3, 0), Outcome::Taken);
    outbox.detach(1);
    outbox.attach(link(2, 10));
    outbox.release(2);
    let numbers: Vec<_> = written(&mut outbox, 2).iter().map(number).collect();
    assert_eq!(numbers, [1, 2]);
}

/// A session that is kept, over connection 1, and what is to be on disk of it.
fn kept_session(journal: &Arc<Journal>) -> (Arc<Session>, Arc<Control>, Tickets) {
    let link = link(1, 10);
    let (control, mut tickets) = (Arc::clone(&link.control), Tickets::default());
    let key = SessionKey { account: "a".into(), client_id: "c".into() };
    let session = Session::new(1, key, Arc::clone(&control.identity), &Limits::default());
    session.attach(link, Some(journal), 60, &mut tickets);
    session.release(1);
    (session, control, tickets)
}

/// The writer has its turn between a batch's outcome and the session's being told of it.
struct Early(Arc<Session>, Mutex<BytesMut>);

impl Watcher for Early {
    fn settled(&self, _: bool) {
        self.0.take(1, &mut self.1.lock());
    }
}

#[tokio::test]
async fn the_writer_is_woken_for_what_came_on_disk_while_it_looked() {
    let journal = Arc::new(Journal::new(Arc::new(Forgetful), 0));
    let (session, control, tickets) = kept_session(&journal);
    let early = Arc::new(Early(Arc::clone(&session), Mutex::default()));
    let told_first: Weak<Early> = Arc::downgrade(&early);
    assert!(tickets.last().unwrap().watch(told_first));
    session.push(&message(1), plainly(2, &Arc::from([])), &mut Fanout::default());
    control.signals.lower(Signal::Output);
    tokio::spawn(Arc::clone(&journal).run());
    journal.close();
    journal.finished().await;
    let taken = early.1.lock().clone();
    assert!(!taken.is_empty() || control.signals.is_raised(Signal::Output), "nobody would write it");
}

/// Fails so often once it has kept the first.
struct Failing(u64, AtomicU64);

impl Keeper for Failing {
    fn restore(&self) -> BoxFuture<'_, Kept> {
        Box::pin(std::future::ready(Kept::default()))
    }

    fn commit<'a>(&'a self, _: &'a [Change]) -> BoxFuture<'a, Result<(), KeepError>> {
        let count = self.1.fetch_add(1, SeqCst);
        let fails = (1..=self.0).contains(&count);
        Box::pin(std::future::ready(if fails { Err(KeepError("full".into())) } else { Ok(()) }))
    }
}

#[tokio::test]
async fn a_pubrec_that_cannot_be_kept_is_not_tried_again_at_once() {
    let keeper = Arc::new(Failing(1_000, AtomicU64::new(0)));
    let journal = Arc::new(Journal::new(Arc::clone(&keeper) as _, 0));
    let (session, _, mut tickets) = kept_session(&journal);
    tokio::spawn(Arc::clone(&journal).run());
    let mut fanout = Fanout::default();
    session.push(&message(1), plainly(2, &Arc::from([])), &mut fanout);
    tickets.extend(fanout.kept);
    assert!(journal.settled(&tickets).await);
    session.take(1, &mut BytesMut::new());
    session.answer(1, &[Answer::Received(packet_id(1))]);
    // The journal has a turn at each.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(journal.is_failing());
    assert_eq!(keeper.1.load(SeqCst), 2);
}
