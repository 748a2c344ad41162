//! Exactly once, both ways.

use std::time::Duration;

use sealwire::broker::Limits;

use crate::{
    peer::{broker, own_broker},
    wire::{Got, PUBACK, PUBCOMP, PUBREC, PUBREL, ack, ack_because, id, message, property},
};

#[tokio::test]
async fn a_message_is_delivered_once_however_often_it_is_sent_before_pubrel() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 2).await;
        let mut writer = broker.client(v, "writer").await;
        let publish = message(broker.t("x"), "once", 2).id(11);
        for publish in [publish.clone(), publish.clone().dup(), publish.dup()] {
            writer.send(&publish.bytes(v)).await;
            assert!(writer.acked(PUBREC, 11).await < 0x80);
        }
        writer.send(&ack(PUBREL, 11)).await;
        assert_eq!(writer.acked(PUBCOMP, 11).await, 0);
        reader.expect("once").await;
        reader.silent().await;
    }
}

#[tokio::test]
async fn after_pubcomp_the_id_is_free_for_a_new_message() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 2).await;
        let mut writer = broker.client(v, "writer").await;
        let publish = message(broker.t("x"), "new", 2).id(11);
        for publish in [publish.clone(), publish.clone(), publish.dup()] {
            writer.publish_as(&publish).await;
            reader.expect("new").await;
        }
        reader.silent().await;
    }
}

#[tokio::test]
async fn the_exchange_of_a_publisher_goes_on_after_a_reconnect() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 2).await;
        let stays = broker.plain(v, "writer").staying();
        let mut writer = broker.connect(&stays).await;
        let publish = message(broker.t("x"), "once", 2).id(11);
        writer.send(&publish.bytes(v)).await;
        assert!(writer.acked(PUBREC, 11).await < 0x80);
        writer.vanish().await;
        let mut writer = broker.connect(&stays).await;
        writer.send(&publish.clone().dup().bytes(v)).await;
        assert!(writer.acked(PUBREC, 11).await < 0x80);
        writer.vanish().await;
        let mut writer = broker.connect(&stays).await;
        writer.send(&ack(PUBREL, 11)).await;
        assert_eq!(writer.acked(PUBCOMP, 11).await, 0);
        reader.expect("once").await;
        reader.silent().await;
        // Where the session is new, so is the exchange. What it had not released may have gone out or not.
        writer.send(&publish.bytes(v)).await;
        assert!(writer.acked(PUBREC, 11).await < 0x80);
        writer.vanish().await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish_as(&message(broker.t("x"), "new", 2).id(11)).await;
        let got = reader.take().await.text();
        if got != "new" {
            assert_eq!(got, "once");
            reader.expect("new").await;
        }
        reader.silent().await;
    }
}

#[tokio::test]
async fn every_pubrel_is_answered_with_pubcomp() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut writer = broker.client(v, "writer").await;
        for packet_id in [1, 7, 65_535] {
            writer.send(&ack(PUBREL, packet_id)).await;
            assert!([0, 0x92].contains(&writer.acked(PUBCOMP, packet_id).await));
        }
        writer.publish_as(&message(broker.t("x"), "x", 2).id(7)).await;
        writer.send(&ack(PUBREL, 7)).await;
        assert!([0, 0x92].contains(&writer.acked(PUBCOMP, 7).await));
    }
}

#[tokio::test]
async fn our_broker_says_that_it_does_not_know_an_id() {
    let broker = own_broker(Limits::default()).await;
    let mut peer = broker.client(5, "me").await;
    peer.send(&ack(PUBREL, 5)).await;
    assert_eq!(peer.acked(PUBCOMP, 5).await, 0x92);
    peer.send(&ack(PUBREC, 6)).await;
    assert_eq!(peer.acked(PUBREL, 6).await, 0x92);
    // These end what is not there.
    peer.send(&ack(PUBACK, 7)).await;
    peer.send(&ack(PUBCOMP, 8)).await;
    peer.send(&ack_because(PUBREC, 9, 0x80)).await;
    peer.silent().await;
}

#[tokio::test]
async fn the_broker_sends_publish_once_and_pubrel_until_it_is_completed() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "reader").staying();
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("x"), 2).await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&broker.t("x"), "once", 2).await;
        let first = reader.message().await;
        assert!(first.qos == 2 && !first.dup);
        // Not answered: the same again.
        reader.vanish().await;
        let mut reader = broker.connect(&stays).await;
        let again = reader.message().await;
        assert_eq!((again.id, again.dup, &again.payload), (first.id, true, &first.payload));
        reader.send(&ack(PUBREC, first.id)).await;
        assert_eq!(reader.acked(PUBREL, first.id).await, 0);
        // Received: from now on PUBREL and never PUBLISH.
        for _ in 0..2 {
            reader.vanish().await;
            reader = broker.connect(&stays).await;
            match reader.next().await {
                Got::Ack { kind: PUBREL, id, code: 0, .. } => assert_eq!(id, first.id),
                other => panic!("{other:?}"),
            }
            reader.silent().await;
        }
        reader.send(&ack(PUBREC, first.id)).await;
        assert_eq!(reader.acked(PUBREL, first.id).await, 0, "PUBREC again is answered again");
        reader.send(&ack(PUBCOMP, first.id)).await;
        reader.silent().await;
        reader.vanish().await;
        broker.connect(&stays).await.silent().await;
    }
}

#[tokio::test]
async fn what_was_not_completed_comes_again_in_order() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "reader").staying();
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("x"), 2).await;
        let mut writer = broker.client(v, "writer").await;
        let mut sent = Vec::new();
        for n in 0..6 {
            writer.publish(&broker.t("x"), &n.to_string(), 2).await;
            sent.push(reader.message().await);
        }
        for at in [0, 1] {
            reader.send(&ack(PUBREC, sent[at].id)).await;
            reader.acked(PUBREL, sent[at].id).await;
        }
        reader.vanish().await;
        let mut reader = broker.connect(&stays).await;
        reader.handled().await;
        let (mut released, mut published) = (Vec::new(), Vec::new());
        while released.len() + published.len() < 6 {
            match reader.next().await {
                Got::Ack { kind: PUBREL, id, .. } => released.push(id),
                Got::Publish(publish) => {
                    assert!(publish.dup);
                    published.push(publish.id);
                }
                other => panic!("{other:?}"),
            }
        }
        let ids = |part: &[crate::wire::Publish]| part.iter().map(|publish| publish.id).collect::<Vec<_>>();
        assert_eq!((released, published), (ids(&sent[..2]), ids(&sent[2..])), "{v}");
    }
}

#[tokio::test]
async fn a_refused_publish_is_over() {
    let broker = broker().await;
    let stays = broker.plain(5, "reader").staying().with(property::two(id::RECEIVE_MAX, 1));
    let mut reader = broker.connect(&stays).await;
    reader.subscribe(broker.t("x"), 2).await;
    let mut writer = broker.client(5, "writer").await;
    writer.publish(&broker.t("x"), "unwanted", 2).await;
    writer.publish(&broker.t("x"), "next", 2).await;
    let unwanted = reader.message().await;
    reader.send(&ack_because(PUBREC, unwanted.id, 0x83)).await;
    // No PUBREL for it, and room for the next one.
    reader.expect("next").await;
    reader.silent().await;
    reader.vanish().await;
    broker.connect(&stays).await.silent().await;
}

#[tokio::test]
async fn expiry_does_not_touch_what_was_sent() {
    let broker = broker().await;
    let stays = broker.plain(5, "reader").staying();
    let mut reader = broker.connect(&stays).await;
    reader.subscribe(broker.t("x"), 2).await;
    let mut writer = broker.client(5, "writer").await;
    let short = message(broker.t("x"), "short", 2).id(3).with(property::four(id::MESSAGE_EXPIRY, 1));
    writer.send(&short.bytes(5)).await;
    assert_eq!(writer.acked(PUBREC, 3).await, 0);
    writer.send(&ack(PUBREL, 3)).await;
    writer.acked(PUBCOMP, 3).await;
    let first = reader.message().await;
    let other = short.id(4);
    writer.send(&other.bytes(5)).await;
    writer.acked(PUBREC, 4).await;
    // The second that is tested.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    reader.vanish().await;
    let mut reader = broker.connect(&stays).await;
    let again = reader.message().await;
    assert_eq!((again.id, again.dup), (first.id, true));
    reader.acknowledge(&again).await;
    // The receiver completes the exchange of a message that has expired meanwhile.
    writer.send(&ack(PUBREL, 4)).await;
    assert_eq!(writer.acked(PUBCOMP, 4).await, 0);
}

#[tokio::test]
async fn messages_for_an_absent_client_keep_their_qos() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "reader").staying();
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("x"), 2).await;
        reader.goodbye().await;
        let mut writer = broker.client(v, "writer").await;
        for (payload, qos) in [("a", 2), ("b", 1), ("c", 2)] {
            writer.publish(&broker.t("x"), payload, qos).await;
        }
        let mut reader = broker.connect(&stays).await;
        for (payload, qos) in [("a", 2), ("b", 1), ("c", 2)] {
            let got = reader.message().await;
            assert_eq!((&got.text()[..], got.qos, got.dup), (payload, qos, false));
            reader.acknowledge(&got).await;
        }
        reader.silent().await;
    }
}

#[tokio::test]
async fn pubrecs_come_in_the_order_of_their_messages() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut writer = broker.client(v, "writer").await;
        let ids = [5u16, 3, 900, 1, 2, 65_535, 4];
        for (kind, bytes) in [
            (PUBREC, ids.iter().flat_map(|id| message(broker.t("x"), "x", 2).id(*id).bytes(v)).collect()),
            (PUBCOMP, ids.iter().flat_map(|id| ack(PUBREL, *id)).collect::<Vec<_>>()),
        ] {
            writer.send(&bytes).await;
            for wanted in ids {
                match writer.next().await {
                    Got::Ack { kind: got, id, .. } => assert_eq!((got, id), (kind, wanted)),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}
