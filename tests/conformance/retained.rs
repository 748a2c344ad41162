//! Retained messages, and what a subscription says about them.

use crate::{
    peer::broker,
    wire::{message, subscribe},
};

const AS_PUBLISHED: u8 = 0x08;
const IF_NEW: u8 = 0x10;
const NEVER: u8 = 0x20;

#[tokio::test]
async fn the_last_retained_message_waits_for_each_new_subscriber_with_its_qos() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut writer = broker.client(v, "writer").await;
        for published in 0..=2 {
            // Each replaces the one before, also at QoS 0.
            writer.retain(&broker.t("x"), &format!("kept {published}"), published).await;
            for subscribed in 0..=2 {
                let mut reader = broker.client(v, "reader").await;
                reader.subscribe(broker.t("x"), subscribed).await;
                let got = reader.expect(&format!("kept {published}")).await;
                assert_eq!((got.retain, got.dup, got.qos), (true, false, subscribed.min(published)));
                reader.silent().await;
            }
        }
        writer.retain(&broker.t("x"), "", 0).await;
    }
}

#[tokio::test]
async fn an_empty_payload_is_delivered_and_removes_what_was_retained() {
    for v in [3, 4, 5] {
        for qos in 0..=2 {
            let broker = broker().await;
            let mut reader = broker.client(v, "reader").await;
            reader.subscribe(broker.t("x"), 2).await;
            let mut writer = broker.client(v, "writer").await;
            writer.retain(&broker.t("x"), "kept", 1).await;
            assert!(!reader.expect("kept").await.retain);
            for _ in 0..2 {
                writer.retain(&broker.t("x"), "", qos).await;
                let got = reader.expect("").await;
                assert!(!got.retain && got.qos == qos);
            }
            let mut late = broker.client(v, "late").await;
            late.subscribe(broker.t("x"), 2).await;
            late.silent().await;
        }
    }
}

#[tokio::test]
async fn a_message_without_retain_leaves_what_is_retained_alone() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&broker.t("x"), "live", 1).await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 1).await;
        reader.silent().await;
        writer.retain(&broker.t("x"), "kept", 1).await;
        reader.expect("kept").await;
        writer.publish(&broker.t("x"), "live", 1).await;
        writer.publish(&broker.t("x"), "", 1).await;
        reader.expect("live").await;
        reader.expect("").await;
        let mut late = broker.client(v, "late").await;
        late.subscribe(broker.t("x"), 1).await;
        late.expect("kept").await;
        late.silent().await;
        writer.retain(&broker.t("x"), "", 0).await;
    }
}

#[tokio::test]
async fn a_wildcard_subscription_gets_all_that_match() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut writer = broker.client(v, "writer").await;
        let topics = ["a", "a/b", "a/b/c", "a/c", "b"];
        for topic in topics {
            writer.retain(&broker.t(topic), topic, 1).await;
        }
        for (filter, wanted) in [
            ("#", &topics[..]),
            ("a/#", &["a", "a/b", "a/b/c", "a/c"]),
            ("a/+", &["a/b", "a/c"]),
            ("+/+/c", &["a/b/c"]),
            ("c", &[]),
        ] {
            let mut reader = broker.client(v, "reader").await;
            reader.subscribe(broker.t(filter), 1).await;
            let mut got = Vec::new();
            for _ in wanted {
                got.push(reader.take().await.text());
            }
            got.sort_unstable();
            assert_eq!(got, wanted, "{filter}");
            reader.silent().await;
        }
        for topic in topics {
            writer.retain(&broker.t(topic), "", 0).await;
        }
    }
}

#[tokio::test]
async fn subscribing_again_brings_the_retained_messages_again() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.retain(&broker.t("x"), "kept", 1).await;
        for qos in [1, 1, 0, 2] {
            reader.subscribe(broker.t("x"), qos).await;
            assert!(reader.expect("kept").await.retain);
            reader.silent().await;
        }
        reader.retain(&broker.t("x"), "", 0).await;
    }
}

#[tokio::test]
async fn retain_handling_decides_when_retained_messages_come() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.retain(&broker.t("x"), "kept", 1).await;
    // The options of each SUBSCRIBE in turn, and whether the message comes.
    for (options, comes) in
        [(NEVER, false), (IF_NEW, false), (0, true), (IF_NEW, false), (NEVER, false), (0, true)]
    {
        reader.subscribe(broker.t("x"), 1 | options).await;
        if comes {
            reader.expect("kept").await;
        }
        reader.silent().await;
    }
    assert_eq!(reader.unsubscribe(&[&broker.t("x")]).await, [0]);
    reader.subscribe(broker.t("x"), 1 | IF_NEW).await;
    reader.expect("kept").await;
    reader.silent().await;
    reader.retain(&broker.t("x"), "", 0).await;
}

#[tokio::test]
async fn a_resumed_session_has_its_subscriptions_and_they_are_not_new() {
    let broker = broker().await;
    let stays = broker.plain(5, "reader").staying();
    let mut reader = broker.connect(&stays).await;
    reader.subscribe(broker.t("x"), 1).await;
    reader.goodbye().await;
    let mut writer = broker.client(5, "writer").await;
    writer.retain(&broker.t("x"), "kept", 1).await;
    let mut reader = broker.connect(&stays).await;
    assert!(!reader.expect("kept").await.retain, "it waited as a message of the subscription");
    reader.silent().await;
    reader.subscribe(broker.t("x"), 1 | IF_NEW).await;
    reader.silent().await;
    writer.retain(&broker.t("x"), "", 0).await;
}

#[tokio::test]
async fn retain_as_published_keeps_the_flag() {
    let broker = broker().await;
    let mut kept = broker.client(5, "kept").await;
    kept.subscribe(broker.t("x"), 2 | AS_PUBLISHED).await;
    let mut cleared = broker.client(5, "cleared").await;
    cleared.subscribe(broker.t("x"), 2).await;
    let mut writer = broker.client(5, "writer").await;
    for qos in 0..=2 {
        for retain in [false, true] {
            let publish = message(broker.t("x"), "x", qos);
            writer.publish_as(&if retain { publish.retained() } else { publish }).await;
            assert_eq!(kept.expect("x").await.retain, retain);
            assert!(!cleared.expect("x").await.retain);
        }
    }
    // What a new subscription brings has the flag in either case.
    for options in [1, 1 | AS_PUBLISHED] {
        let mut late = broker.client(5, "late").await;
        late.subscribe(broker.t("x"), options).await;
        assert!(late.expect("x").await.retain);
    }
    writer.retain(&broker.t("x"), "", 0).await;
}

#[tokio::test]
async fn retained_messages_outlive_the_session_that_published_them() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut writer = broker.client(v, "writer").await;
        writer.retain(&broker.t("x"), "kept", 1).await;
        writer.goodbye().await;
        broker.client(v, "writer").await.goodbye().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 1).await;
        reader.expect("kept").await;
        reader.retain(&broker.t("x"), "", 0).await;
    }
}

#[tokio::test]
async fn several_filters_of_one_packet_bring_their_retained_messages() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    for topic in ["a", "b", "c"] {
        reader.retain(&broker.t(topic), topic, 0).await;
    }
    let [a, b, c] = ["a", "b", "c"].map(|topic| broker.t(topic));
    let filters = [(a.as_bytes(), 0), (b.as_bytes(), NEVER), (c.as_bytes(), IF_NEW)];
    reader.send(&subscribe(5, 9, &[], &filters)).await;
    reader.handled().await;
    let mut got = [reader.next().await, reader.next().await, reader.next().await]
        .map(|got| format!("{got:?}"))
        .to_vec();
    got.retain(|text| text.starts_with("Publish"));
    assert_eq!(got.len(), 2, "{got:?}");
    reader.silent().await;
    for topic in [a, b, c] {
        reader.retain(&topic, "", 0).await;
    }
}
