//! The outbox under every order of events: pushes, acknowledgements, writers and connections that come and go.

use std::{collections::BTreeSet, net::SocketAddr};

use bytes::Bytes;
use proptest::prelude::*;
use rmqtt_codec::{types::Publish, v3};
use tokio_util::codec::Decoder;

use super::*;
use crate::{
    broker::{Identity, Protocol, Transport},
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

fn push(outbox: &mut Outbox, number: u32, qos: u8) -> Outcome {
    outbox.push(&message(number), qos, false, &Arc::from([]), &mut Fanout::default())
}

fn written(outbox: &mut Outbox, connection: u64) -> Vec<Publish> {
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
    while let Some((v3::Packet::Publish(publish), _)) = codec.decode(&mut all).unwrap() {
        found.push(*publish);
    }
    found
}

fn number(publish: &Publish) -> u32 {
    u32::from_be_bytes(publish.payload[..].try_into().unwrap())
}

fn packet_id_of(publish: &Publish) -> u16 {
    publish.packet_id.unwrap().get()
}

fn small() -> Outbox {
    Outbox::new(&Limits { queue_messages: 4, send_buffer_bytes: 64, ..Limits::default() })
}

#[derive(Debug, Clone)]
enum Act {
    Push(u8),
    /// The writer takes, and the client acknowledges those of what it holds whose place in order is in the mask.
    Acknowledge(u8),
    Drop,
    Connect(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u8..2).prop_map(Act::Push),
        4 => any::<u8>().prop_map(Act::Acknowledge),
        1 => Just(Act::Drop),
        2 => (1usize..6).prop_map(Act::Connect),
    ]
}

proptest! {
    #[test]
    fn what_was_taken_arrives_in_order_within_the_window(acts in prop::collection::vec(act(), 1..200)) {
        let mut outbox = Outbox::new(&Limits { send_buffer_bytes: 64, queue_messages: 1_000, ..Limits::default() });
        outbox.base = 65_500; // so that packet ids wrap
        outbox.cursor = outbox.base;
        let (mut connection, mut window) = (0, 0);
        let mut promised = Vec::new();
        let (mut arrived, mut seen) = (Vec::new(), BTreeSet::new());
        let mut held: Vec<Publish> = Vec::new(); // by the client, in the order received, not acknowledged
        let mut receive = |outbox: &mut Outbox, connection, window, held: &mut Vec<Publish>| {
            for publish in written(outbox, connection) {
                if publish.packet_id.is_none() {
                    continue;
                }
                seen.insert(number(&publish));
                if !publish.dup {
                    arrived.push(number(&publish));
                }
                held.push(publish);
            }
            let ids: BTreeSet<_> = held.iter().map(packet_id_of).collect();
            assert_eq!(ids.len(), held.len(), "packet ids in use are unique");
            assert!(held.len() <= window, "{} in a window of {window}", held.len());
        };
        let mut count = 0;
        for act in acts.into_iter().chain([Act::Connect(5)]).chain((0..60).map(|_| Act::Acknowledge(255))) {
            match act {
                Act::Push(qos) => {
                    count += 1;
                    let outcome = push(&mut outbox, count, qos);
                    if qos == 1 {
                        prop_assert!(matches!(outcome, Outcome::Taken | Outcome::Congested));
                        promised.push(count);
                    }
                }
                Act::Acknowledge(mask) => {
                    receive(&mut outbox, connection, window, &mut held);
                    let chosen = |place: usize| mask >> (place % 8) & 1 == 1;
                    let ids: Vec<_> =
                        held.iter().enumerate().filter(|(i, _)| chosen(*i)).map(|(_, p)| packet_id_of(p)).collect();
                    outbox.acknowledge(connection, &ids);
                    held.retain(|publish| !ids.contains(&packet_id_of(publish)));
                }
                Act::Drop => {
                    outbox.detach(connection);
                    held.clear();
                }
                Act::Connect(size) => {
                    connection += 1;
                    window = size;
                    held.clear();
                    outbox.attach(link(connection, window));
                    outbox.release(connection);
                }
            }
        }
        // What was in a buffer that a dropped connection never wrote comes with DUP only: first arrivals are a
        // subsequence in order, and nothing is left behind.
        prop_assert!(arrived.is_sorted(), "{arrived:?}");
        prop_assert!(arrived.iter().all(|number| promised.contains(number)));
        if promised.len() <= 250 {
            prop_assert!(promised.iter().all(|number| seen.contains(number)), "all arrived");
            prop_assert!(outbox.inflight.is_empty() && outbox.waiting.is_empty(), "all was acknowledged");
            prop_assert_eq!((outbox.outstanding, outbox.waiting.bytes()), (0, 0));
        }
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
    outbox.acknowledge(1, &[1]);
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
    outbox.acknowledge(2, &[2, 2, 99]);
    assert_eq!(written(&mut outbox, 2).len(), 1, "the window is one");
    outbox.acknowledge(2, &[1]);
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
        replay: true,
        number: 0,
        again: false,
    };
    outbox.replay(vec![parcel(1), parcel(2)], &mut Tickets::default());
    assert_eq!(push(&mut outbox, 3, 0), Outcome::Taken);
    outbox.detach(1);
    outbox.attach(link(2, 10));
    outbox.release(2);
    let numbers: Vec<_> = written(&mut outbox, 2).iter().map(number).collect();
    assert_eq!(numbers, [1, 2]);
}
