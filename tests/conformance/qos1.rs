//! At least once, both ways.

use std::collections::BTreeSet;

use crate::{
    peer::{Faults, broker},
    wire::{Got, PUBACK, ack, ack_because, id, message, packet, property},
};

#[tokio::test]
async fn an_acknowledged_id_is_free_for_a_new_message_whatever_dup_says() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 1).await;
        let mut writer = broker.client(v, "writer").await;
        let publish = message(broker.t("x"), "one", 1).id(7);
        for publish in [publish.clone(), publish.clone(), publish.dup()] {
            writer.publish_as(&publish).await;
            reader.expect("one").await;
        }
        reader.silent().await;
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_in_order_with_dup_and_its_id() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "reader").staying();
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("+"), 1).await;
        let mut writer = broker.client(v, "writer").await;
        let mut sent = Vec::new();
        for n in 0..6 {
            writer.publish(&broker.t(&format!("{}", n % 2)), &n.to_string(), 1).await;
            let got = reader.message().await;
            assert!(!got.dup);
            sent.push(got);
        }
        reader.send(&ack(PUBACK, sent[1].id)).await;
        reader.send(&ack(PUBACK, sent[4].id)).await;
        // Nothing comes again while the connection lasts.
        reader.silent().await;
        sent.remove(4);
        sent.remove(1);
        for _ in 0..2 {
            reader.vanish().await;
            reader = broker.connect(&stays).await;
            assert!(v == 3 || reader.present);
            for wanted in &sent {
                let got = reader.message().await;
                assert!(got.dup, "{got:?}");
                assert_eq!((got.id, &got.payload, &got.topic), (wanted.id, &wanted.payload, &wanted.topic));
            }
            reader.silent().await;
        }
        for publish in &sent {
            reader.send(&ack(PUBACK, publish.id)).await;
        }
        reader.silent().await;
        reader.vanish().await;
        broker.connect(&stays).await.silent().await;
    }
}

#[tokio::test]
async fn ids_in_flight_are_never_0_and_never_the_same() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 2).await;
        let mut writer = broker.client(v, "writer").await;
        let mut ids = BTreeSet::new();
        // mosquitto keeps 20 in flight by default.
        for n in 0..20 {
            writer.publish(&broker.t("x"), &n.to_string(), 1 + n % 2).await;
            let got = reader.message().await;
            assert!(ids.insert(got.id), "{} again", got.id);
            if n % 5 == 0 {
                reader.acknowledge(&got).await;
                ids.remove(&got.id);
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_by_the_receiver_is_an_acknowledgement() {
    let broker = broker().await;
    let stays = broker.plain(5, "reader").staying().with(property::two(id::RECEIVE_MAX, 1));
    let mut reader = broker.connect(&stays).await;
    reader.subscribe(broker.t("x"), 1).await;
    let mut writer = broker.client(5, "writer").await;
    writer.publish(&broker.t("x"), "unwanted", 1).await;
    writer.publish(&broker.t("x"), "next", 1).await;
    let unwanted = reader.message().await;
    reader.send(&ack_because(PUBACK, unwanted.id, 0x83)).await;
    reader.expect("next").await;
    reader.handled().await;
    reader.vanish().await;
    broker.connect(&stays).await.silent().await;
}

#[tokio::test]
async fn puback_may_have_a_code_and_properties() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("x"), 1).await;
    let mut writer = broker.client(5, "writer").await;
    let list = [property::text(id::REASON_STRING, "fine"), property::user("a", "b")].concat();
    for tail in [vec![], vec![0], vec![0x10], vec![0, 0], [vec![0, list.len() as u8], list].concat()] {
        writer.publish(&broker.t("x"), "x", 1).await;
        let got = reader.message().await;
        reader.send(&packet(PUBACK, &[&got.id.to_be_bytes()[..], &tail].concat())).await;
        reader.silent().await;
    }
}

#[tokio::test]
async fn a_broken_acknowledgement_ends_the_connection() {
    let broker = broker().await;
    let mut faults = Faults::default();
    let twice = property::text(id::REASON_STRING, "x").repeat(2);
    let long = |kind: u8, list: &[u8]| packet(kind, &[&[0, 1, 0, list.len() as u8], list].concat());
    for (name, kind) in [("PUBACK", 0x40), ("PUBREC", 0x50), ("PUBREL", 0x62), ("PUBCOMP", 0x70)] {
        let rows = [
            ("packet id 0", packet(kind, &[0, 0])),
            ("an unknown code", packet(kind, &[0, 1, 0x05])),
            ("two reason strings", long(kind, &twice)),
            ("a property of PUBLISH", long(kind, &property::two(id::TOPIC_ALIAS, 1))),
        ];
        for (what, bytes) in rows {
            let mut peer = broker.client(5, "me").await;
            peer.send(&bytes).await;
            faults.note(&format!("{name} with {what}"), peer.ending(&[0x81, 0x82]).await);
        }
    }
    faults.none();
}

#[tokio::test]
async fn pubacks_come_in_the_order_of_their_messages() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut writer = broker.client(v, "writer").await;
        let ids = [5u16, 3, 900, 1, 2, 65_535, 4];
        let all: Vec<_> = ids.iter().flat_map(|id| message(broker.t("x"), "x", 1).id(*id).bytes(v)).collect();
        writer.send(&all).await;
        for wanted in ids {
            match writer.next().await {
                Got::Ack { kind: PUBACK, id, .. } => assert_eq!(id, wanted),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_ids_begin_anew_without_0_and_without_the_one_in_flight() {
    let broker = broker().await;
    let mut reader = broker.client(4, "reader").await;
    reader.subscribe(broker.t("x"), 1).await;
    let mut writer = broker.client(4, "writer").await;
    let ten: Vec<_> = (1..=10).flat_map(|n| message(broker.t("x"), "x", 1).id(n).bytes(4)).collect();
    let (mut held, mut last, mut anew) = (None, 0, false);
    // More messages than there are ids, a few at a time; one of the last is not acknowledged. That 0 does not come is
    // checked wherever a PUBLISH is read.
    for round in 0..6_600 {
        writer.send(&ten).await;
        let mut acks = Vec::new();
        for _ in 0..10 {
            let got = reader.message().await.id;
            assert_ne!(Some(got), held, "an id is in flight twice");
            anew |= got < last;
            last = got;
            if round == 6_500 && held.is_none() {
                held = Some(got);
            } else {
                acks.extend(ack(PUBACK, got));
            }
        }
        reader.send(&acks).await;
        for n in 1..=10 {
            writer.acked(PUBACK, n).await;
        }
    }
    assert!(anew, "the ids did not begin anew");
}
