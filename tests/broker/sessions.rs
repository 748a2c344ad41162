//! Sessions that outlive connections, and connections that take them over.

use std::time::Instant;

use rmqtt_codec::v5;
use sealwire::broker::Limits;

use crate::harness::{As, Got, house, house_with, v};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn qos_1_messages_wait_for_a_client_that_is_away() {
    let house = house().await;
    for version in [4, 5] {
        let stays = v(version, "reader").staying();
        let (mut reader, present) = house.connect_again(As { clean: true, ..stays.clone() }).await;
        assert!(!present);
        if version == 4 {
            // Clean session 1 is a session that ends with the connection.
            reader.goodbye().await;
            (reader, _) = house.connect_again(stays.clone()).await;
        }
        reader.subscribe("t", 1).await;
        reader.goodbye().await;
        let mut writer = house.connect(v(4, "writer")).await;
        writer.publish("t", "zero", 0).await;
        writer.publish("t", "one", 1).await;
        writer.publish("t", "two", 1).await;
        let (mut reader, present) = house.connect_again(stays.clone()).await;
        assert!(present);
        assert!(!reader.expect("one").await.dup);
        reader.expect("two").await;
        reader.fence().await;
        let (mut reader, present) = house.connect_again(As { clean: true, ..stays }).await;
        assert!(!present);
        writer.publish("t", "nobody", 1).await;
        reader.fence().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_acknowledged_comes_again_with_dup_and_the_same_packet_id() {
    let house = house().await;
    for version in [4, 5] {
        let stays = v(version, "reader").staying();
        let mut reader = house.connect(stays.clone()).await;
        reader.subscribe("t", 1).await;
        let mut writer = house.connect(v(4, "writer")).await;
        for payload in ["one", "two", "three"] {
            writer.publish("t", payload, 1).await;
        }
        let first = reader.message().await;
        let second = reader.message().await;
        let third = reader.message().await;
        reader.ack(second.packet_id.unwrap().get()).await;
        reader.fence().await;
        drop(reader);
        let mut reader = house.connect(stays).await;
        for sent in [first, third] {
            let again = reader.message().await;
            assert!(again.dup && !sent.dup);
            assert_eq!((again.packet_id, &again.payload), (sent.packet_id, &sent.payload));
            reader.ack(again.packet_id.unwrap().get()).await;
        }
        writer.publish("t", "four", 1).await;
        assert!(!reader.expect("four").await.dup);
        reader.goodbye().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connection_takes_the_session_over() {
    let house = house().await;
    let mut first = house.connect(v(5, "me").staying()).await;
    first.subscribe("t", 1).await;
    let (mut second, present) = house.connect_again(v(5, "me").staying()).await;
    assert!(present);
    first.ended_with(0x8E).await;
    let mut writer = house.connect(v(4, "writer")).await;
    writer.publish("t", "x", 1).await;
    second.expect("x").await;
    let mut third = house.connect(v(4, "me")).await;
    second.ended_with(0x8E).await;
    third.fence().await;
    house.log.until(&["Disconnected", "took the session over"]).await;
    assert_eq!(house.broker.stats().sessions, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_account_cannot_take_over_or_inherit_a_session() {
    let house = house().await;
    let mut ann = house.connect(v(5, "same id").staying()).await;
    ann.subscribe("t", 1).await;
    let (mut bob, present) = house.connect_again(v(5, "same id").staying().account("bob")).await;
    assert!(!present);
    ann.fence().await;
    house.connect(v(4, "writer")).await.publish("t", "x", 1).await;
    ann.expect("x").await;
    bob.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_when_its_client_says_so() {
    let house = house().await;
    let stays = v(5, "me").staying();
    let mut client = house.connect(stays.clone()).await;
    client.subscribe("t", 1).await;
    let mut disconnect = v5::Disconnect::new(v5::DisconnectReasonCode::NormalDisconnection);
    disconnect.session_expiry_interval_secs = Some(0);
    client.send5(v5::Packet::Disconnect(disconnect.clone())).await;
    assert_eq!(client.next().await, Got::Closed);
    let (_, present) = house.connect_again(stays).await;
    assert!(!present);
    // The other way round is a protocol error: it was to end.
    let mut client = house.connect(v(5, "me")).await;
    disconnect.session_expiry_interval_secs = Some(10);
    client.send5(v5::Packet::Disconnect(disconnect)).await;
    client.ended_with(0x82).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_of_an_absent_client_is_bounded_and_keeps_the_oldest() {
    let house = house_with(Limits { queue_messages: 3, ..Limits::default() }).await;
    let stays = v(4, "reader").staying();
    let mut reader = house.connect(stays.clone()).await;
    reader.subscribe("t", 1).await;
    reader.goodbye().await;
    let mut writer = house.connect(v(4, "writer")).await;
    for payload in ["1", "2", "3", "4", "5"] {
        writer.publish("t", payload, 1).await;
    }
    assert_eq!(house.broker.stats().dropped, 2);
    let mut reader = house.connect(stays).await;
    for payload in ["1", "2", "3"] {
        reader.expect(payload).await;
    }
    reader.fence().await;
    assert!(house.log.has(&["Dropped", "reader", "messages: 2"]));
    assert_eq!(house.broker.stats().dropped, 2, "counted once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_bounded_in_bytes_too() {
    let house = house_with(Limits { queue_bytes: 2_500, ..Limits::default() }).await;
    let stays = v(4, "reader").staying();
    let mut reader = house.connect(stays.clone()).await;
    reader.subscribe("t", 1).await;
    reader.goodbye().await;
    let mut writer = house.connect(v(4, "writer")).await;
    for _ in 0..5 {
        writer.publish("t", &"x".repeat(1_000), 1).await;
    }
    assert_eq!(house.broker.stats().dropped, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_can_be_kept_no_longer_than_the_limit() {
    let house = house_with(Limits { max_session_expiry_secs: 60, ..Limits::default() }).await;
    let client = house.connect(As { expiry: u32::MAX, ..v(5, "a") }).await;
    assert_eq!(client.connack.unwrap().session_expiry_interval_secs, Some(60));
    let client = house.connect(As { expiry: 5, ..v(5, "b") }).await;
    assert_eq!(client.connack.unwrap().session_expiry_interval_secs, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_falls_silent_is_cut_off_after_one_and_a_half_keep_alives() {
    let house = house().await;
    let mut client = house.connect(As { keep_alive: 1, ..v(5, "silent") }).await;
    let mut patient = house.connect(v(5, "patient")).await;
    let started = Instant::now();
    client.ended_with(0x8D).await;
    let passed = started.elapsed().as_millis();
    assert!((1_300..3_000).contains(&passed), "{passed} ms");
    patient.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_sessions_than_the_limit() {
    let house = house_with(Limits { max_sessions: 1, ..Limits::default() }).await;
    house.connect(v(5, "a").staying()).await.goodbye().await;
    let (_, got) = house.try_connect(v(5, "b")).await;
    assert_eq!(got, Got::ConnAck { code: 0x97, present: false });
    let (_, present) = house.connect_again(v(5, "a").staying()).await;
    assert!(present);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_over_a_session_that_ends_with_its_connection_finds_nothing_of_it() {
    let house = house().await;
    for version in [4, 5] {
        let id = if version == 4 { "four" } else { "five" };
        let mut first = house.connect(v(version, id)).await;
        first.subscribe("t", 1).await;
        let (mut second, present) = house.connect_again(v(version, id).staying()).await;
        assert!(!present, "MQTT {version}");
        let mut writer = house.connect(v(4, "writer")).await;
        writer.publish("t", "for nobody", 1).await;
        second.fence().await;
        drop(second);
        let (_, present) = house.connect_again(v(version, id).staying()).await;
        assert!(present, "this one stays");
    }
}
