//! Topic aliases, both ways.

use std::collections::HashMap;

use crate::{
    peer::{broker, own_broker},
    wire::{PUBACK, Publish, ack, id, message, property},
};

fn aliased(topic: &str, alias: u16) -> Publish {
    message(topic, "x", 0).with(property::two(id::TOPIC_ALIAS, alias))
}

#[tokio::test]
async fn every_alias_up_to_the_servers_maximum_works() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("#"), 0).await;
    let mut writer = broker.client(5, "writer").await;
    let maximum = writer.connack.number(id::TOPIC_ALIAS_MAX).unwrap_or(0) as u16;
    for alias in 1..=maximum {
        writer.send(&aliased(&broker.t(&alias.to_string()), alias).bytes(5)).await;
    }
    for alias in 1..=maximum {
        writer.send(&aliased("", alias).bytes(5)).await;
    }
    for _ in 0..2 {
        for alias in 1..=maximum {
            let got = reader.message().await;
            assert_eq!(got.name(), broker.t(&alias.to_string()));
            assert!(!got.props.has(id::TOPIC_ALIAS), "the writer's alias is not handed on");
        }
    }
}

#[tokio::test]
async fn an_alias_stands_for_the_topic_it_was_last_given() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("#"), 0).await;
    let mut writer = broker.client(5, "writer").await;
    for (topic, wanted) in [("a", "a"), ("", "a"), ("b", "b"), ("", "b"), ("a", "a"), ("", "a")] {
        let topic = if topic.is_empty() { String::new() } else { broker.t(topic) };
        writer.send(&aliased(&topic, 1).bytes(5)).await;
        assert_eq!(reader.message().await.name(), broker.t(wanted));
    }
    // Each end has its own: another connection may give it another meaning.
    let mut other = broker.client(5, "other").await;
    other.send(&aliased(&broker.t("c"), 1).bytes(5)).await;
    assert_eq!(reader.message().await.name(), broker.t("c"));
    writer.send(&aliased("", 1).bytes(5)).await;
    assert_eq!(reader.message().await.name(), broker.t("a"));
}

#[tokio::test]
async fn an_alias_that_is_not_allowed_or_not_known_ends_the_connection() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    let maximum = peer.connack.number(id::TOPIC_ALIAS_MAX).unwrap_or(0) as u16;
    peer.send(&aliased("a", maximum + 1).bytes(5)).await;
    peer.cut_off(&[0x94, 0x82]).await;
    let mut peer = broker.client(5, "me").await;
    peer.send(&aliased("a", 0).bytes(5)).await;
    peer.cut_off(&[0x94, 0x82, 0x81]).await;
    let mut peer = broker.client(5, "me").await;
    peer.send(&aliased("", 1).bytes(5)).await;
    peer.cut_off(&[0x94, 0x82]).await;
}

#[tokio::test]
async fn aliases_end_with_their_connection() {
    let broker = broker().await;
    let stays = broker.plain(5, "me").staying();
    let mut peer = broker.connect(&stays).await;
    peer.publish_as(&aliased(&broker.t("a"), 1)).await;
    peer.vanish().await;
    let mut peer = broker.connect(&stays).await;
    assert!(peer.present);
    peer.send(&aliased("", 1).bytes(5)).await;
    peer.cut_off(&[0x94, 0x82]).await;
}

#[tokio::test]
async fn a_client_that_takes_no_aliases_is_sent_none() {
    let broker = broker().await;
    for list in [Vec::new(), property::two(id::TOPIC_ALIAS_MAX, 0)] {
        let mut reader = broker.connect(&broker.plain(5, "reader").with(list)).await;
        reader.subscribe(broker.t("#"), 1).await;
        let mut writer = broker.client(5, "writer").await;
        for _ in 0..20 {
            writer.publish(&broker.t("a"), "x", 1).await;
            let got = reader.take().await;
            assert_eq!((got.name(), got.props.has(id::TOPIC_ALIAS)), (&broker.t("a")[..], false));
        }
    }
}

#[tokio::test]
async fn a_client_that_takes_aliases_is_sent_no_higher_ones_and_can_resolve_them() {
    let broker = broker().await;
    for maximum in [1, 2, 65_535] {
        let list = property::two(id::TOPIC_ALIAS_MAX, maximum);
        let stays = broker.plain(5, "reader").staying().with(list);
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("#"), 1).await;
        let mut writer = broker.client(5, "writer").await;
        let mut known = HashMap::new();
        let mut shortened = 0;
        for n in 0..30 {
            let topic = broker.t(&(n % 3).to_string());
            writer.publish(&topic, "x", (n % 2) as u8).await;
            let got = reader.take().await;
            match got.props.number(id::TOPIC_ALIAS) {
                None => assert_eq!(got.name(), topic),
                Some(alias) => {
                    assert!(alias <= maximum.into(), "alias {alias} of {maximum}");
                    if got.topic.is_empty() {
                        shortened += 1;
                    } else {
                        known.insert(alias, got.name().to_owned());
                    }
                    assert_eq!(known.get(&alias), Some(&topic));
                }
            }
        }
        assert!(shortened > 0 || !broker.ours, "our broker makes use of aliases");
        // What comes again on another connection names its topic anew.
        writer.publish(&broker.t("0"), "again", 1).await;
        reader.message().await;
        reader.vanish().await;
        let mut reader = broker.connect(&stays).await;
        let again = reader.message().await;
        assert_eq!(again.name(), broker.t("0"));
        reader.send(&ack(PUBACK, again.id)).await;
        reader.goodbye().await;
        broker.client(5, "reader").await.goodbye().await;
    }
}

#[tokio::test]
async fn an_alias_is_set_by_a_message_that_is_not_permitted_too() {
    let broker = own_broker(Default::default()).await;
    let mut peer = broker.client(5, "me").await;
    let denied = message(crate::peer::NO_PUBLISH, "x", 1).with(property::two(id::TOPIC_ALIAS, 1));
    assert_eq!(peer.publish_as(&denied).await, 0x87);
    let by_alias = message("", "x", 1).with(property::two(id::TOPIC_ALIAS, 1));
    assert_eq!(peer.publish_as(&by_alias).await, 0x87);
    let other = message(broker.t("a"), "x", 1).with(property::two(id::TOPIC_ALIAS, 1));
    assert!(peer.publish_as(&other).await < 0x80);
    assert!(peer.publish_as(&by_alias).await < 0x80);
}

#[tokio::test]
async fn our_broker_calls_alias_0_an_invalid_alias() {
    let broker = own_broker(Default::default()).await;
    let mut peer = broker.client(5, "me").await;
    peer.send(&message("a", "x", 1).with(property::two(id::TOPIC_ALIAS, 0)).bytes(5)).await;
    peer.cut_off(&[0x94]).await;
}
