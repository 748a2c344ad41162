//! What outlives a connection, and for how long.

use std::time::Duration;

use crate::{
    peer::broker,
    wire::{Connect, Got, disconnect, id, message, property},
};

#[tokio::test]
async fn a_session_keeps_subscriptions_and_what_was_published_meanwhile() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "reader").staying();
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("a/+"), 1).await;
        reader.subscribe(broker.t("b"), 2).await;
        reader.goodbye().await;
        let mut writer = broker.client(v, "writer").await;
        for n in 0..10 {
            writer.publish(&broker.t("a/x"), &n.to_string(), 1).await;
        }
        writer.publish(&broker.t("b"), "two", 2).await;
        writer.publish(&broker.t("c"), "not meant", 2).await;
        let mut reader = broker.connect(&stays).await;
        for n in 0..10 {
            let got = reader.expect(&n.to_string()).await;
            assert!(!got.dup && !got.retain);
        }
        reader.expect("two").await;
        reader.silent().await;
        // The subscriptions are still in force.
        writer.publish(&broker.t("a/y"), "live", 1).await;
        reader.expect("live").await;
        reader.vanish().await;
        // A connection that is lost keeps the session like one that is closed.
        writer.publish(&broker.t("a/y"), "waits", 1).await;
        broker.connect(&stays).await.expect("waits").await;
    }
}

#[tokio::test]
async fn a_clean_start_discards_what_was_there() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "me").staying();
        let mut peer = broker.connect(&stays).await;
        peer.subscribe(broker.t("x"), 1).await;
        peer.goodbye().await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&broker.t("x"), "old", 1).await;
        let mut peer = broker.connect(&Connect { clean: true, ..stays.clone() }).await;
        peer.silent().await;
        writer.publish(&broker.t("x"), "new", 1).await;
        peer.silent().await;
        peer.goodbye().await;
        let mut peer = broker.connect(&stays).await;
        peer.silent().await;
    }
}

#[tokio::test]
async fn a_clean_session_of_3_1_1_ends_with_its_connection() {
    let broker = broker().await;
    for v in [3, 4] {
        let mut peer = broker.client(v, "me").await;
        peer.subscribe(broker.t("x"), 1).await;
        peer.goodbye().await;
        let mut peer = broker.connect(&broker.plain(v, "me").staying()).await;
        assert!(!peer.present);
        broker.client(v, "writer").await.publish(&broker.t("x"), "x", 1).await;
        peer.silent().await;
        peer.goodbye().await;
        broker.client(v, "me").await.goodbye().await;
    }
}

#[tokio::test]
async fn a_session_without_expiry_ends_with_its_connection() {
    let broker = broker().await;
    for list in [Vec::new(), property::four(id::SESSION_EXPIRY, 0)] {
        for clean in [true, false] {
            let connect = Connect { clean, ..broker.plain(5, "me") }.with(list.clone());
            let mut peer = broker.connect(&connect).await;
            peer.subscribe(broker.t("x"), 1).await;
            peer.goodbye().await;
            let again = broker.connect(&broker.plain(5, "me").resuming()).await;
            assert!(!again.present);
            again.goodbye().await;
        }
    }
}

#[tokio::test]
async fn clean_start_says_nothing_about_the_end_of_a_session() {
    let broker = broker().await;
    for expiry in [60, u32::MAX] {
        let connect = broker.plain(5, "me").with(property::four(id::SESSION_EXPIRY, expiry));
        let mut peer = broker.connect(&connect).await;
        peer.subscribe(broker.t("x"), 1).await;
        peer.vanish().await;
        broker.client(5, "writer").await.publish(&broker.t("x"), "x", 1).await;
        let mut peer = broker.connect(&connect.resuming()).await;
        assert!(peer.present);
        peer.expect("x").await;
    }
}

#[tokio::test]
async fn a_session_expires_when_its_time_has_passed_and_not_before() {
    let broker = broker().await;
    let short = broker.plain(5, "me").resuming().with(property::four(id::SESSION_EXPIRY, 3));
    let mut peer = broker.connect(&short).await;
    peer.subscribe(broker.t("x"), 1).await;
    // While the connection lasts, no time passes for the session.
    tokio::time::sleep(Duration::from_millis(3_300)).await;
    broker.client(5, "writer").await.publish(&broker.t("x"), "x", 1).await;
    peer.expect("x").await;
    peer.goodbye().await;
    let peer = broker.connect(&short).await;
    assert!(peer.present, "back at once");
    peer.vanish().await;
    // Servers may look at their clocks now and then.
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert!(!broker.connect(&short).await.present, "back too late");
}

#[tokio::test]
async fn disconnect_can_change_how_long_a_session_is_kept() {
    let broker = broker().await;
    for (expiry, present) in [(0, false), (60, true)] {
        let stays = broker.plain(5, "me").staying();
        let mut peer = broker.connect(&stays).await;
        peer.send(&disconnect(0, &property::four(id::SESSION_EXPIRY, expiry))).await;
        assert_eq!(peer.next().await, Got::Closed);
        assert_eq!(broker.connect(&stays).await.present, present, "{expiry}");
    }
}

#[tokio::test]
async fn the_client_id_is_what_a_session_is_known_by() {
    for v in [4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "me").staying();
        let mut peer = broker.connect(&stays).await;
        peer.subscribe(broker.t("x"), 1).await;
        peer.goodbye().await;
        broker.client(v, "writer").await.publish(&broker.t("x"), "x", 1).await;
        for other in [broker.id("Me"), broker.id("me2"), broker.id("m")] {
            let mut other = broker.connect(&Connect { id: other, ..stays.clone() }).await;
            assert!(!other.present);
            other.silent().await;
        }
        let mut peer = broker.connect(&stays).await;
        assert!(peer.present);
        peer.expect("x").await;
    }
}

#[tokio::test]
async fn a_takeover_continues_the_session() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "me").staying();
        let mut first = broker.connect(&stays).await;
        first.subscribe(broker.t("x"), 1).await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&broker.t("x"), "unacknowledged", 1).await;
        let sent = first.message().await;
        let mut second = broker.connect(&stays).await;
        first.cut_off(&[0x8E]).await;
        let again = second.message().await;
        assert_eq!((again.id, again.dup), (sent.id, true));
        second.acknowledge(&again).await;
        writer.publish(&broker.t("x"), "next", 1).await;
        second.expect("next").await;
        second.silent().await;
    }
}

#[tokio::test]
async fn a_session_can_be_taken_up_in_another_version() {
    let broker = broker().await;
    let mut peer = broker.connect(&broker.plain(4, "me").staying()).await;
    peer.subscribe(broker.t("x"), 1).await;
    peer.goodbye().await;
    broker.client(5, "writer").await.publish(&broker.t("x"), "x", 1).await;
    let mut peer = broker.connect(&broker.plain(5, "me").staying()).await;
    assert!(peer.present);
    peer.expect("x").await;
}

#[tokio::test]
async fn a_session_keeps_the_options_and_identifiers_of_its_subscriptions() {
    let broker = broker().await;
    let stays = broker.plain(5, "me").staying();
    let mut peer = broker.connect(&stays).await;
    let (no_local, as_published) = (4, 8);
    peer.subscribe_known_as(&broker.t("own"), no_local | 1, 7).await;
    peer.subscribe_known_as(&broker.t("kept"), as_published | 2, 200_000).await;
    peer.goodbye().await;
    let mut writer = broker.client(5, "writer").await;
    writer.retain(&broker.t("kept"), "away", 2).await;
    let mut peer = broker.connect(&stays).await;
    let away = peer.expect("away").await;
    assert_eq!((away.retain, away.qos, away.props.subscription_ids()), (true, 2, vec![200_000]));
    peer.publish(&broker.t("own"), "mine", 1).await;
    peer.silent().await;
    writer.publish(&broker.t("own"), "theirs", 2).await;
    let theirs = peer.expect("theirs").await;
    assert_eq!((theirs.qos, theirs.props.subscription_ids()), (1, vec![7]));
    writer.retain(&broker.t("kept"), "", 2).await;
    assert!(peer.expect("").await.retain);
}

#[tokio::test]
async fn what_waits_keeps_its_properties() {
    let broker = broker().await;
    let stays = broker.plain(5, "me").staying();
    let mut peer = broker.connect(&stays).await;
    peer.subscribe(broker.t("x"), 2).await;
    peer.goodbye().await;
    let mut writer = broker.client(5, "writer").await;
    for qos in [1, 2] {
        let publish = message(broker.t("x"), "x", qos)
            .with(property::user("b", "1"))
            .with(property::user("a", "2"))
            .with(property::text(id::CORRELATION_DATA, [0, 0xFF]))
            .with(property::text(id::RESPONSE_TOPIC, "answers"));
        writer.publish_as(&publish).await;
    }
    let mut peer = broker.connect(&stays).await;
    for qos in [1, 2] {
        let got = peer.expect("x").await;
        assert_eq!((got.qos, got.props.pairs()), (qos, vec![("b", "1"), ("a", "2")]));
        assert_eq!(got.props.data(id::CORRELATION_DATA), Some(&[0, 0xFF][..]));
        assert_eq!(got.props.text(id::RESPONSE_TOPIC), Some("answers"));
    }
}
