//! UNSUBSCRIBE and UNSUBACK.

use crate::{
    peer::{Faults, broker},
    wire::{Got, PUBREC, ack, packet, unsubscribe},
};

#[tokio::test]
async fn unsuback_comes_with_the_same_id_whether_or_not_there_was_a_subscription() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut peer = broker.client(v, "me").await;
        let [a, b, c] = ["a", "b/#", "c"].map(|rest| broker.t(rest));
        peer.subscribe(&a, 0).await;
        peer.subscribe(&b, 0).await;
        for (packet_id, wanted) in [(1, [0, 0x11, 0]), (65_535, [0x11, 0x11, 0x11])] {
            peer.send(&unsubscribe(v, packet_id, &[&a, &c, &b])).await;
            match peer.next().await {
                Got::UnsubAck { id, codes, .. } => {
                    assert_eq!(id, packet_id);
                    assert!(v < 5 || codes == wanted, "{codes:02X?}");
                }
                other => panic!("{other:?}"),
            }
            peer.silent().await;
        }
        let mut writer = broker.client(v, "writer").await;
        for topic in ["a", "b", "b/x", "c"] {
            writer.publish(&broker.t(topic), "x", 1).await;
        }
        peer.silent().await;
    }
}

#[tokio::test]
async fn only_the_very_same_filter_is_unsubscribed_from() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut peer = broker.client(v, "me").await;
        peer.subscribe(broker.t("a/+"), 0).await;
        for other in ["a/b", "a/#", "#", "A/+", "a/+/", "/a/+"] {
            let codes = peer.unsubscribe(&[&broker.t(other)]).await;
            assert!(v < 5 || codes == [0x11], "{other}: {codes:02X?}");
        }
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&broker.t("a/b"), "x", 0).await;
        peer.expect("x").await;
        peer.unsubscribe(&[&broker.t("a/+")]).await;
        writer.publish(&broker.t("a/b"), "x", 0).await;
        peer.silent().await;
    }
}

#[tokio::test]
async fn what_was_sent_before_is_completed() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "me").staying();
        let mut peer = broker.connect(&stays).await;
        peer.subscribe(broker.t("x"), 2).await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&broker.t("x"), "one", 1).await;
        writer.publish(&broker.t("x"), "two", 2).await;
        let one = peer.message().await;
        let two = peer.message().await;
        peer.unsubscribe(&[&broker.t("x")]).await;
        peer.send(&ack(PUBREC, two.id)).await;
        assert_eq!(peer.acked(0x62, two.id).await, 0);
        peer.vanish().await;
        let mut peer = broker.connect(&stays).await;
        // QoS 1 was not acknowledged, QoS 2 not completed: both go on.
        let again = peer.message().await;
        assert_eq!((again.text(), again.id, again.dup), ("one".to_owned(), one.id, true));
        assert_eq!(peer.acked(0x62, two.id).await, 0);
        peer.send(&ack(0x40, one.id)).await;
        peer.send(&ack(0x70, two.id)).await;
        peer.silent().await;
        writer.publish(&broker.t("x"), "new", 1).await;
        peer.silent().await;
    }
}

#[tokio::test]
async fn a_broken_unsubscribe_ends_the_connection() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [3, 4, 5] {
        let none: &[u8] = if v == 5 { &[0] } else { &[] };
        let mut rows = vec![("packet id 0", unsubscribe(v, 0, &["a"]))];
        // 3.1 does not speak of an UNSUBSCRIBE without filters.
        if v > 3 {
            rows.push(("no filter", packet(0xA2, &[&[0, 1][..], none].concat())));
        }
        if v == 5 {
            rows.push(("a subscription identifier", packet(0xA2, &[0, 1, 2, 0x0B, 1, 0, 1, b'a'])));
        }
        for (what, bytes) in rows {
            let mut peer = broker.client(v, "me").await;
            peer.send(&bytes).await;
            faults.note(&format!("{v}: {what}"), peer.ending(&[0x81, 0x82]).await);
        }
    }
    faults.none();
}
