//! PUBLISH from clients, and what goes out for it.

use sealwire::broker::Limits;

use crate::{
    peer::{Faults, NO_PUBLISH, broker, own_broker},
    wire::{Got, PUBACK, PUBREC, id, message, packet, property, text},
};

#[tokio::test]
async fn every_version_hears_every_version_at_the_lower_qos() {
    for from in [3, 4, 5] {
        for to in [3, 4, 5] {
            let broker = broker().await;
            let mut writer = broker.client(from, "writer").await;
            for subscribed in 0..=2 {
                let mut reader = broker.client(to, "reader").await;
                reader.subscribe(broker.t("x"), subscribed).await;
                for published in 0..=2 {
                    let payload = format!("{from} {to} {subscribed} {published}");
                    writer.publish(&broker.t("x"), &payload, published).await;
                    let got = reader.expect(&payload).await;
                    assert_eq!(got.qos, subscribed.min(published), "{payload}");
                    assert_eq!(got.name(), broker.t("x"));
                    assert!(!got.dup && !got.retain && got.props.0.is_empty(), "{got:?}");
                    reader.silent().await;
                }
            }
        }
    }
}

#[tokio::test]
async fn each_qos_has_its_answer() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut peer = broker.client(v, "me").await;
        peer.send(&message(broker.t("x"), "x", 0).bytes(v)).await;
        peer.silent().await;
        for (qos, kind) in [(1, PUBACK), (2, PUBREC)] {
            for packet_id in [1, 2, 65_535] {
                peer.send(&message(broker.t("x"), "x", qos).id(packet_id).bytes(v)).await;
                match peer.next().await {
                    Got::Ack { kind: got, id, code, .. } => {
                        assert_eq!((got, id), (kind, packet_id));
                        assert!(code < 0x80);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn our_broker_tells_mqtt_5_when_nobody_listens() {
    let broker = own_broker(Limits::default()).await;
    let mut peer = broker.client(5, "me").await;
    for qos in [1, 2] {
        assert_eq!(peer.publish_as(&message(broker.t("x"), "x", qos)).await, 0x10, "QoS {qos}");
    }
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("x"), 0).await;
    for qos in [1, 2] {
        assert_eq!(peer.publish_as(&message(broker.t("x"), "x", qos)).await, 0, "QoS {qos}");
    }
}

#[tokio::test]
async fn a_broken_publish_ends_the_connection() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [3, 4, 5] {
        let topic = text("a");
        let none: &[u8] = if v == 5 { &[0] } else { &[] };
        let with = |first: u8, rest: &[&[u8]]| packet(first, &[topic.clone(), rest.concat()].concat());
        let to = |topic: &str| packet(0x30, &[text(topic), none.to_vec()].concat());
        let rows = [
            ("both QoS bits", with(0x36, &[&[0, 1], none])),
            ("both QoS bits and retain", with(0x37, &[&[0, 1], none])),
            ("DUP at QoS 0", with(0x38, &[none])),
            ("packet id 0 at QoS 1", with(0x32, &[&[0, 0], none])),
            ("packet id 0 at QoS 2", with(0x34, &[&[0, 0], none])),
            ("no packet id", packet(0x32, &topic)),
            ("half a packet id", with(0x32, &[&[1]])),
            ("no topic at all", packet(0x30, &[])),
            ("a topic that is cut short", packet(0x30, &[0, 9, b'a'])),
            ("an empty topic", to("")),
            ("a hash", to("#")),
            ("a plus", to("+")),
            ("a hash in a level", to("a/b#")),
            ("a plus in a level", to("a/+b/c")),
        ];
        for (what, bytes) in rows {
            // 3.1 does not forbid DUP at QoS 0.
            if v == 3 && what.starts_with("DUP") {
                continue;
            }
            let mut peer = broker.client(v, "me").await;
            peer.send(&bytes).await;
            faults.note(&format!("{v}: {what}"), peer.ending(&[0x81, 0x82, 0x90]).await);
        }
    }
    faults.none();
}

#[tokio::test]
async fn dup_is_not_handed_on() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 2).await;
        let mut writer = broker.client(v, "writer").await;
        for qos in [1, 2] {
            writer.publish_as(&message(broker.t("x"), "again", qos).dup()).await;
            assert!(!reader.expect("again").await.dup);
        }
    }
}

#[tokio::test]
async fn payloads_of_any_size_and_content_pass() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 1).await;
        let mut writer = broker.client(v, "writer").await;
        // Around each step of the remaining length.
        for size in [0, 1, 100, 127, 128, 129, 16_370, 16_383, 16_384, 16_390, 300_000] {
            let payload: Vec<u8> = (0..size).map(|n| n as u8).collect();
            writer.publish_as(&message(broker.t("x"), &payload, 1)).await;
            assert!(reader.take().await.payload == payload, "{v}: {size}");
        }
    }
}

#[tokio::test]
async fn a_publish_that_is_not_permitted_is_told_to_mqtt_5_and_goes_nowhere() {
    let broker = own_broker(Limits::default()).await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe("test/#", 2).await;
    for v in [3, 4, 5] {
        let mut writer = broker.client(v, "writer").await;
        for qos in [0, 1, 2] {
            let code = writer.publish_as(&message(NO_PUBLISH, "x", qos)).await;
            assert_eq!(code, if v == 5 && qos > 0 { 0x87 } else { 0 }, "{v}, QoS {qos}");
        }
        reader.silent().await;
        writer.silent().await;
    }
}

#[tokio::test]
async fn a_reason_string_is_left_out_where_it_does_not_fit_or_is_not_wanted() {
    let broker = own_broker(Limits::default()).await;
    let plain = broker.plain(5, "me");
    let rows = [
        (plain.clone().with(property::four(id::MAX_PACKET, 10)), false),
        (plain.clone().with(property::byte(id::REQUEST_PROBLEM_INFO, 0)), false),
        (plain, true),
    ];
    for (connect, told) in rows {
        let mut peer = broker.connect(&connect).await;
        for (qos, kind) in [(1, PUBACK), (2, PUBREC)] {
            peer.send(&message(NO_PUBLISH, "x", qos).bytes(5)).await;
            match peer.next().await {
                Got::Ack { kind: got, code, props, .. } => {
                    assert_eq!((got, code), (kind, 0x87));
                    assert_eq!(props.has(id::REASON_STRING), told, "QoS {qos}");
                }
                other => panic!("QoS {qos}: {other:?}"),
            }
        }
    }
}
