//! Message expiry.

use std::time::Duration;

use crate::{
    peer::broker,
    wire::{Publish, Will, id, message, property},
};

fn expiring(topic: &str, payload: &str, seconds: u32) -> Publish {
    message(topic, payload, 1).with(property::four(id::MESSAGE_EXPIRY, seconds))
}

#[tokio::test]
async fn what_expires_while_it_waits_is_not_delivered_and_the_rest_has_less_time_left() {
    let broker = broker().await;
    let stays = broker.plain(5, "reader").staying();
    let mut reader = broker.connect(&stays).await;
    reader.subscribe(broker.t("x"), 1).await;
    reader.goodbye().await;
    let mut writer = broker.client(5, "writer").await;
    for publish in [
        expiring(&broker.t("x"), "short", 1),
        expiring(&broker.t("x"), "long", 100),
        message(broker.t("x"), "for ever", 1),
    ] {
        writer.publish_as(&publish).await;
    }
    // What is tested takes time.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let mut reader = broker.connect(&stays).await;
    let left = reader.expect("long").await.props.number(id::MESSAGE_EXPIRY).expect("an expiry");
    assert!((90..=98).contains(&left), "{left} s of 100 after 2.1");
    assert!(!reader.expect("for ever").await.props.has(id::MESSAGE_EXPIRY));
    reader.silent().await;
}

#[tokio::test]
async fn a_retained_message_expires() {
    let broker = broker().await;
    let mut writer = broker.client(5, "writer").await;
    writer.publish_as(&expiring(&broker.t("short"), "short", 1).retained()).await;
    writer.publish_as(&expiring(&broker.t("long"), "long", 100).retained()).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    for v in [4, 5] {
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("+"), 1).await;
        let got = reader.expect("long").await;
        if v == 5 {
            let left = got.props.number(id::MESSAGE_EXPIRY).expect("an expiry");
            assert!((90..=98).contains(&left), "{left} s of 100 after 2.1");
        }
        reader.silent().await;
    }
    writer.retain(&broker.t("long"), "", 0).await;
}

#[tokio::test]
async fn a_message_that_does_not_wait_has_all_its_time() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("x"), 1).await;
    let mut writer = broker.client(5, "writer").await;
    for seconds in [10, 100, u32::MAX] {
        writer.publish_as(&expiring(&broker.t("x"), "x", seconds)).await;
        let left = reader.expect("x").await.props.number(id::MESSAGE_EXPIRY).expect("an expiry");
        assert!((seconds - 8..=seconds).contains(&left), "{left} of {seconds}");
    }
}

#[tokio::test]
async fn what_waits_for_room_in_the_receive_maximum_expires_too() {
    let broker = broker().await;
    let mut reader = broker.connect(&broker.plain(5, "reader").with(property::two(id::RECEIVE_MAX, 1))).await;
    reader.subscribe(broker.t("x"), 1).await;
    let mut writer = broker.client(5, "writer").await;
    writer.publish(&broker.t("x"), "first", 1).await;
    writer.publish_as(&expiring(&broker.t("x"), "short", 1)).await;
    writer.publish(&broker.t("x"), "last", 1).await;
    let first = reader.message().await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    reader.acknowledge(&first).await;
    reader.expect("last").await;
    reader.silent().await;
}

#[tokio::test]
async fn an_expiry_of_0_is_over_at_once_and_no_error() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("x"), 2).await;
    let mut writer = broker.client(5, "writer").await;
    for qos in 0..3 {
        let at_once = message(broker.t("x"), "at once", qos).with(property::four(id::MESSAGE_EXPIRY, 0));
        assert!(writer.publish_as(&at_once).await < 0x80);
        writer.publish(&broker.t("x"), "for ever", qos).await;
        reader.expect("for ever").await;
    }
    let will = Will {
        topic: broker.t("x"),
        payload: b"at once".to_vec(),
        qos: 1,
        retain: false,
        properties: property::four(id::MESSAGE_EXPIRY, 0),
    };
    let mut connect = broker.plain(5, "dies");
    connect.will = Some(will);
    broker.connect(&connect).await.vanish().await;
    reader.silent().await;
}
