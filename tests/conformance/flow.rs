//! How much may be on its way, and how large a packet may be.

use sealwire::broker::Limits;

use crate::{
    peer::{broker, own_broker},
    wire::{Got, PUBACK, PUBCOMP, PUBREC, PUBREL, ack, ack_because, id, message, property, subscribe},
};

#[tokio::test]
async fn no_more_than_the_clients_receive_maximum_is_on_its_way() {
    let broker = broker().await;
    let mut reader = broker.connect(&broker.plain(5, "reader").with(property::two(id::RECEIVE_MAX, 2))).await;
    reader.subscribe(broker.t("x"), 2).await;
    let mut writer = broker.client(5, "writer").await;
    for (payload, qos) in [("a", 1), ("b", 2), ("c", 1), ("d", 2), ("e", 1)] {
        writer.publish(&broker.t("x"), payload, qos).await;
    }
    let a = reader.message().await;
    let b = reader.message().await;
    // Everything else goes on: answers, and QoS 0.
    reader.silent().await;
    writer.publish(&broker.t("x"), "zero", 0).await;
    reader.expect("zero").await;
    reader.subscribe(broker.t("y"), 0).await;
    reader.silent().await;
    // PUBREC below 0x80 frees nothing, PUBCOMP does.
    reader.send(&ack(PUBREC, b.id)).await;
    assert_eq!(reader.acked(PUBREL, b.id).await, 0);
    reader.silent().await;
    reader.send(&ack(PUBCOMP, b.id)).await;
    let c = reader.message().await;
    assert_eq!(c.text(), "c");
    reader.silent().await;
    reader.send(&ack(PUBACK, a.id)).await;
    let d = reader.message().await;
    assert_eq!((&d.text()[..], d.qos), ("d", 2));
    reader.silent().await;
    reader.send(&ack_because(PUBREC, d.id, 0x80)).await;
    let e = reader.message().await;
    assert_eq!(e.text(), "e");
    reader.send(&ack_because(PUBACK, c.id, 0x97)).await;
    reader.send(&ack(PUBACK, e.id)).await;
    reader.silent().await;
}

#[tokio::test]
async fn the_receive_maximum_holds_for_what_is_sent_again() {
    let broker = broker().await;
    let with = |max| broker.plain(5, "reader").staying().with(property::two(id::RECEIVE_MAX, max));
    let mut reader = broker.connect(&with(10)).await;
    reader.subscribe(broker.t("x"), 2).await;
    let mut writer = broker.client(5, "writer").await;
    for n in 0..4 {
        writer.publish(&broker.t("x"), &n.to_string(), 1 + n % 2).await;
        reader.message().await;
    }
    reader.vanish().await;
    let mut reader = broker.connect(&with(1)).await;
    for n in 0..4 {
        let got = reader.message().await;
        assert_eq!((got.text(), got.dup), (n.to_string(), true));
        reader.silent().await;
        reader.acknowledge(&got).await;
    }
    reader.silent().await;
}

#[tokio::test]
async fn a_client_that_exceeds_the_servers_receive_maximum_is_cut_off() {
    let broker = own_broker(Limits { max_inflight: 5, ..Limits::default() }).await;
    let mut writer = broker.client(5, "writer").await;
    assert_eq!(writer.connack.number(id::RECEIVE_MAX), Some(5));
    for packet_id in 1..=5 {
        writer.send(&message("x", "x", 2).id(packet_id).bytes(5)).await;
        assert!(writer.acked(PUBREC, packet_id).await < 0x80);
    }
    // The same again is no new one, and one that is completed makes room for another.
    writer.send(&message("x", "x", 2).id(3).dup().bytes(5)).await;
    assert!(writer.acked(PUBREC, 3).await < 0x80);
    writer.send(&ack(PUBREL, 3)).await;
    writer.acked(PUBCOMP, 3).await;
    writer.send(&message("x", "x", 2).id(6).bytes(5)).await;
    assert!(writer.acked(PUBREC, 6).await < 0x80);
    writer.send(&message("x", "x", 2).id(7).bytes(5)).await;
    writer.cut_off(&[0x93]).await;
}

#[tokio::test]
async fn a_message_over_the_clients_maximum_packet_size_is_as_good_as_delivered() {
    let broker = broker().await;
    let list = [property::four(id::MAX_PACKET, 60), property::two(id::RECEIVE_MAX, 1)].concat();
    let mut reader = broker.connect(&broker.plain(5, "reader").with(list)).await;
    reader.subscribe(broker.t("x"), 2).await;
    let mut writer = broker.client(5, "writer").await;
    for qos in [0, 1, 2] {
        writer.publish(&broker.t("x"), &"x".repeat(100), qos).await;
        writer.publish_as(&message(broker.t("x"), "x", qos).with(property::user("k", "v".repeat(60)))).await;
        writer.publish(&broker.t("x"), "short", qos).await;
        reader.expect("short").await;
        reader.silent().await;
    }
    writer.retain(&broker.t("x"), &"x".repeat(100), 1).await;
    reader.subscribe(broker.t("x"), 2).await;
    reader.silent().await;
    assert!(reader.largest <= 60, "{} bytes", reader.largest);
    writer.retain(&broker.t("x"), "", 1).await;
}

#[tokio::test]
async fn a_message_of_exactly_the_maximum_packet_size_arrives() {
    let broker = broker().await;
    let mut writer = broker.client(5, "writer").await;
    let topic = broker.t("x");
    let size = message(&topic, "12345", 1).bytes(5).len() as u32;
    for (maximum, arrives) in [(size, true), (size - 1, false)] {
        let mut reader =
            broker.connect(&broker.plain(5, "reader").with(property::four(id::MAX_PACKET, maximum))).await;
        reader.subscribe(&topic, 1).await;
        writer.publish(&topic, "12345", 1).await;
        if arrives {
            reader.expect("12345").await;
        }
        reader.silent().await;
    }
}

#[tokio::test]
async fn the_end_is_told_in_no_more_than_the_clients_maximum_packet_size() {
    let broker = broker().await;
    let tiny = broker.plain(5, "me").with(property::four(id::MAX_PACKET, 8));
    // Its CONNACK would not fit either, so one that fits is all that may come.
    let mut peer = broker.raw(5).await;
    peer.send(&broker.plain(5, "me").with(property::four(id::MAX_PACKET, 100)).bytes()).await;
    peer.next().await;
    peer.send(&subscribe(5, 1, &[], &[(b"a/#/b", 0)])).await;
    while peer.next().await != Got::Closed {}
    assert!(peer.largest <= 100, "{} bytes", peer.largest);
    let mut peer = broker.raw(5).await;
    peer.send(&tiny.bytes()).await;
    peer.send(&[0xC0, 0, 0, 0]).await;
    while peer.next().await != Got::Closed {}
    assert!(peer.largest <= 8, "{} bytes", peer.largest);
}
