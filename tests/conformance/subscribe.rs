//! SUBSCRIBE and SUBACK.

use sealwire::broker::Limits;

use crate::{
    peer::{Faults, NO_SUBSCRIBE, broker, own_broker},
    wire::{Got, id, message, packet, property, subscribe, text, unsubscribe},
};

const NO_LOCAL: u8 = 4;

#[tokio::test]
async fn suback_answers_each_filter_in_order() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut peer = broker.client(v, "me").await;
        let topics: Vec<_> = (0..9).map(|n| broker.t(&n.to_string())).collect();
        let filters: Vec<_> = topics.iter().zip(0..).map(|(t, n)| (t.as_bytes(), n % 3)).collect();
        for packet_id in [1, 1_000, 65_535] {
            peer.send(&subscribe(v, packet_id, &[], &filters)).await;
            match peer.next().await {
                Got::SubAck { id, codes, .. } => {
                    assert_eq!((id, codes), (packet_id, vec![0, 1, 2, 0, 1, 2, 0, 1, 2]));
                }
                other => panic!("{other:?}"),
            }
            peer.silent().await;
        }
        for (topic, qos) in topics.iter().zip(0..) {
            peer.send(&message(topic, "x", 2).id(40 + qos).bytes(v)).await;
            peer.acked(0x50, 40 + qos).await;
            peer.send(&crate::wire::ack(0x62, 40 + qos)).await;
            peer.acked(0x70, 40 + qos).await;
            assert_eq!(u16::from(peer.take().await.qos), qos % 3);
        }
    }
}

#[tokio::test]
async fn a_filter_that_is_refused_leaves_the_others_alone() {
    let broker = own_broker(Limits::default()).await;
    for (v, code) in [(4, 0x80), (5, 0x87)] {
        let mut peer = broker.client(v, "me").await;
        peer.send(&subscribe(v, 7, &[], &[(b"a", 1), (NO_SUBSCRIBE.as_bytes(), 1), (b"b", 2)])).await;
        match peer.next().await {
            Got::SubAck { id: 7, codes, .. } => assert_eq!(codes, [1, code, 2]),
            other => panic!("{other:?}"),
        }
        broker.client(4, "writer").await.publish(NO_SUBSCRIBE, "x", 1).await;
        peer.silent().await;
        peer.publish("a", "x", 0).await;
        peer.expect("x").await;
    }
}

#[tokio::test]
async fn what_suback_says_fits_the_client_and_its_wishes() {
    let broker = own_broker(Limits::default()).await;
    let plain = broker.plain(5, "me");
    let rows = [
        (plain.clone().with(property::four(id::MAX_PACKET, 12)), false),
        (plain.clone().with(property::byte(id::REQUEST_PROBLEM_INFO, 0)), false),
        (plain, true),
    ];
    for (connect, told) in rows {
        let mut peer = broker.connect(&connect).await;
        peer.send(&subscribe(5, 7, &[], &[(NO_SUBSCRIBE.as_bytes(), 1)])).await;
        match peer.next().await {
            Got::SubAck { codes, props, .. } => {
                assert_eq!(codes, [0x87]);
                assert_eq!(props.has(id::REASON_STRING), told);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_the_client_is_not_sent() {
    let broker = own_broker(Limits::default()).await;
    let filters: Vec<(&[u8], u8)> = vec![(b"a", 0); 200];
    for (what, bytes) in
        [("SUBSCRIBE", subscribe(5, 7, &[], &filters)), ("UNSUBSCRIBE", unsubscribe(5, 7, &["a"; 200]))]
    {
        // Two bytes of length, packet id, no properties, one code for each.
        for (maximum, fits) in [(206, true), (205, false)] {
            let connect = broker.plain(5, "me").with(property::four(id::MAX_PACKET, maximum));
            let mut peer = broker.connect(&connect).await;
            peer.send(&bytes).await;
            if fits {
                let got = peer.next().await;
                assert!(matches!(got, Got::SubAck { .. } | Got::UnsubAck { .. }), "{what}: {got:?}");
                assert_eq!(peer.largest, 206, "{what}");
            } else {
                peer.cut_off(&[0x95]).await;
                assert!(peer.largest <= 205, "{what}: {} bytes", peer.largest);
            }
        }
    }
}

#[tokio::test]
async fn a_broken_subscribe_ends_the_connection() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [3, 4, 5] {
        let none: &[u8] = if v == 5 { &[0] } else { &[] };
        let mut rows = vec![
            ("packet id 0", subscribe(v, 0, &[], &[(b"a", 0)])),
            ("QoS 3", subscribe(v, 1, &[], &[(b"a", 3)])),
        ];
        // 3.1 does not speak of a SUBSCRIBE without filters.
        if v > 3 {
            rows.push(("no filter", packet(0x82, &[&[0, 1][..], none].concat())));
        }
        // 3.1 leaves the upper bits of the requested QoS open.
        let reserved: &[u8] = match v {
            3 => &[],
            4 => &[0x04, 0x08, 0x10, 0x20, 0x40, 0x80],
            _ => &[0x40, 0x80, 0xC0],
        };
        rows.extend(reserved.iter().map(|bit| ("a reserved bit", subscribe(v, 1, &[], &[(b"a", *bit)]))));
        if v == 5 {
            let one = property::var(id::SUBSCRIPTION_ID, 1);
            rows.extend([
                ("retain handling 3", subscribe(5, 1, &[], &[(b"a", 0x30)])),
                ("subscription identifier 0", subscribe(5, 1, &[id::SUBSCRIPTION_ID, 0], &[(b"a", 0)])),
                ("two identifiers", subscribe(5, 1, &[&one[..], &one].concat(), &[(b"a", 0)])),
                ("a property of PUBLISH", subscribe(5, 1, &property::two(id::TOPIC_ALIAS, 1), &[(b"a", 0)])),
                ("an unknown property", subscribe(5, 1, &[0x7F, 1], &[(b"a", 0)])),
            ]);
        }
        for (what, bytes) in rows {
            let mut peer = broker.client(v, "me").await;
            peer.send(&bytes).await;
            faults.note(&format!("{v}: {what}"), peer.ending(&[0x81, 0x82]).await);
        }
    }
    faults.none();
}

#[tokio::test]
async fn the_same_filter_again_replaces_the_subscription() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut peer = broker.client(v, "me").await;
        let mut writer = broker.client(v, "writer").await;
        for qos in [2, 0, 1] {
            peer.subscribe(broker.t("a/+"), qos).await;
            writer.publish(&broker.t("a/b"), "x", 2).await;
            assert_eq!(peer.expect("x").await.qos, qos);
            peer.silent().await;
        }
        peer.unsubscribe(&[&broker.t("a/+")]).await;
        writer.publish(&broker.t("a/b"), "x", 2).await;
        peer.silent().await;
    }
}

#[tokio::test]
async fn a_replaced_subscription_has_only_its_new_options() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    let topic = broker.t("x");
    peer.subscribe_known_as(&topic, NO_LOCAL, 5).await;
    peer.publish(&topic, "own", 0).await;
    peer.silent().await;
    peer.subscribe_known_as(&topic, 0, 6).await;
    peer.publish(&topic, "own", 0).await;
    assert_eq!(peer.expect("own").await.props.subscription_ids(), [6]);
    peer.subscribe(&topic, 0).await;
    peer.publish(&topic, "own", 0).await;
    assert!(peer.expect("own").await.props.subscription_ids().is_empty());
    peer.silent().await;
}

#[tokio::test]
async fn replacing_a_subscription_loses_nothing() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let topic = broker.t("x");
        let mut peer = broker.client(v, "me").await;
        peer.subscribe(&topic, 0).await;
        let mut writer = broker.client(v, "writer").await;
        let all: Vec<_> = (0..200).flat_map(|n| message(&topic, n.to_string(), 0).bytes(v)).collect();
        let again: Vec<_> = (0..20).flat_map(|_| subscribe(v, 5, &[], &[(topic.as_bytes(), 0)])).collect();
        tokio::join!(writer.send(&all), peer.send(&again));
        for n in 0..200 {
            match peer.wait(|got| matches!(got, Got::Publish(_))).await {
                Got::Publish(publish) => assert_eq!(publish.text(), n.to_string()),
                _ => unreachable!(),
            }
        }
    }
}

#[tokio::test]
async fn several_filters_in_one_packet_are_as_good_as_several_packets() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let topic = broker.t("x");
        let mut peer = broker.client(v, "me").await;
        // The last of two equal filters is the one in force.
        let filters = [(topic.as_bytes(), 2), (topic.as_bytes(), 1)];
        peer.send(&subscribe(v, 5, &[], &filters)).await;
        let answer = peer.next().await;
        assert!(matches!(&answer, Got::SubAck { codes, .. } if codes == &[2, 1]), "{answer:?}");
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&topic, "x", 2).await;
        assert_eq!(peer.expect("x").await.qos, 1);
        peer.silent().await;
    }
}

#[tokio::test]
async fn overlapping_subscriptions_deliver_at_the_highest_qos_with_every_identifier() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    peer.subscribe_known_as(&broker.t("a/#"), 0, 11).await;
    peer.subscribe_known_as(&broker.t("a/+"), 2, 200_000).await;
    peer.subscribe(broker.t("a/b"), 1).await;
    peer.subscribe_known_as(&broker.t("b/#"), 2, 13).await;
    broker.client(4, "writer").await.publish(&broker.t("a/b"), "x", 2).await;
    // One copy, or one for each subscription.
    let copies = peer.all().await;
    assert!(copies.iter().all(|publish| publish.text() == "x"));
    let mut ids: Vec<_> = copies.iter().flat_map(|publish| publish.props.subscription_ids()).collect();
    let highest = copies.iter().map(|publish| publish.qos).max().unwrap();
    ids.sort_unstable();
    assert_eq!((ids, highest), (vec![11, 200_000], 2));
}

#[tokio::test]
async fn before_mqtt_5_overlapping_subscriptions_deliver_at_the_highest_qos() {
    for v in [3, 4] {
        let broker = broker().await;
        let mut peer = broker.client(v, "me").await;
        for (filter, qos) in [("a/#", 0), ("a/b", 2), ("a/+", 1)] {
            peer.subscribe(broker.t(filter), qos).await;
        }
        broker.client(v, "writer").await.publish(&broker.t("a/b"), "x", 2).await;
        assert_eq!(peer.all().await.iter().map(|publish| publish.qos).max(), Some(2));
    }
}

#[tokio::test]
async fn no_local_keeps_a_clients_own_messages_away() {
    let broker = broker().await;
    let stays = broker.plain(5, "me").staying();
    let mut me = broker.connect(&stays).await;
    me.subscribe(broker.t("x"), NO_LOCAL | 1).await;
    me.publish(&broker.t("x"), "mine", 1).await;
    me.silent().await;
    let mut other = broker.client(5, "other").await;
    other.publish(&broker.t("x"), "theirs", 1).await;
    me.expect("theirs").await;
    me.goodbye().await;
    // It is the client id that counts, not the connection.
    let mut me = broker.connect(&stays).await;
    me.publish(&broker.t("x"), "mine", 1).await;
    me.silent().await;
}

#[tokio::test]
async fn only_matching_topics_arrive() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut peer = broker.client(v, "me").await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&broker.t("a"), "before", 1).await;
        peer.subscribe(broker.t("a"), 1).await;
        for topic in ["b", "a/b", "A", "aa", "a/"] {
            writer.publish(&broker.t(topic), "no", 1).await;
        }
        writer.publish(&broker.t("a"), "yes", 1).await;
        peer.expect("yes").await;
        peer.silent().await;
    }
}

#[tokio::test]
async fn user_properties_of_subscribe_are_taken() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    let list = [property::user("a", "1"), property::user("a", "1"), property::var(id::SUBSCRIPTION_ID, 3)];
    assert_eq!(peer.try_subscribe(broker.t("x"), 0, &list.concat()).await, 0);
    let filter = broker.t("x");
    let body = [vec![0, 9, 7], property::user("a", "1"), text(&filter)].concat();
    peer.send(&packet(0xA2, &body)).await;
    let answer = peer.next().await;
    assert!(matches!(&answer, Got::UnsubAck { id: 9, codes, .. } if codes == &[0]), "{answer:?}");
}
