//! Messages from publishers to subscribers: versions, QoS, retained messages, subscription options.

use std::num::{NonZeroU16, NonZeroU32};

use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{self, PublishProperties, RetainHandling, SubscriptionOptions},
};

use crate::harness::{As, Got, house, house_with, id, message, v};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_hears_every_version_at_the_lower_qos() {
    let house = house().await;
    for from in [3, 4, 5] {
        for to in [3, 4, 5] {
            for (subscribed, published) in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
                let mut reader = house.connect(v(to, "reader")).await;
                assert_eq!(reader.subscribe("plant/+/state", subscribed).await, subscribed);
                let mut writer = house.connect(v(from, "writer")).await;
                assert_eq!(writer.publish("plant/press/state", "on", published).await, 0);
                writer.publish("plant/press", "not meant", 1).await;
                let got = reader.expect("on").await;
                assert_eq!(&got.topic[..], "plant/press/state");
                assert_eq!(got.qos.value(), subscribed.min(published), "from {from} to {to}");
                assert!(!got.dup && !got.retain);
                reader.fence().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_acknowledged_in_order_and_delivered_in_order() {
    let house = house().await;
    let mut reader = house.connect(v(5, "reader")).await;
    reader.subscribe("#", 1).await;
    let mut writer = house.connect(v(4, "writer")).await;
    let mut batch = Vec::new();
    for number in 1u16..=500 {
        let [high, low] = number.to_be_bytes();
        batch.extend([0x32, 7, 0, 1, b't', high, low, high, low]);
    }
    writer.bytes(&batch).await;
    for number in 1..=500 {
        assert_eq!(writer.next().await, Got::PubAck { id: number, code: 0, reason: None });
    }
    for number in 1u16..=500 {
        let got = reader.message().await;
        assert_eq!(got.payload[..], number.to_be_bytes());
        reader.ack(got.packet_id.unwrap().get()).await;
    }
    reader.fence().await;
    let lines = house.log.0.lock().iter().filter(|line| line.starts_with("Published")).count();
    assert!(lines < 50, "one event for a batch and topic, not {lines}");
    let stats = house.broker.stats();
    assert_eq!((stats.messages_in, stats.messages_out, stats.dropped), (500, 500, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn properties_are_forwarded_unaltered() {
    let house = house().await;
    let mut reader = house.connect(v(5, "reader")).await;
    reader.subscribe("t", 1).await;
    let mut writer = house.connect(v(5, "writer")).await;
    let properties = PublishProperties {
        correlation_data: Some(b"42"[..].into()),
        message_expiry_interval: NonZeroU32::new(1000),
        content_type: Some("application/cose".into()),
        user_properties: vec![("k".into(), "1".into()), ("k".into(), "2".into())],
        is_utf8_payload: true,
        response_topic: Some("answers".into()),
        ..PublishProperties::default()
    };
    writer.send_publish(Publish { properties: Some(properties.clone()), ..message("t", "x", 1) }).await;
    let mut got = reader.expect("x").await.properties.unwrap();
    assert!((990..=1000).contains(&got.message_expiry_interval.take().unwrap().get()));
    assert_eq!(got, PublishProperties { message_expiry_interval: None, ..properties });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_alias_stands_for_its_topic() {
    let house = house().await;
    let mut reader = house.connect(v(5, "reader")).await;
    reader.subscribe("#", 0).await;
    let mut writer = house.connect(v(5, "writer")).await;
    let aliased = |topic: &str, alias| Publish {
        properties: Some(PublishProperties { topic_alias: NonZeroU16::new(alias), ..Default::default() }),
        ..message(topic, topic, 0)
    };
    for topic in ["first", "", "second", ""] {
        writer.send_publish(aliased(topic, 3)).await;
    }
    for topic in ["first", "first", "second", "second"] {
        assert_eq!(&reader.message().await.topic[..], topic);
    }
    writer.send_publish(aliased("", 4)).await;
    writer.ended_with(0x94).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_retained_message_waits_for_each_subscriber() {
    let house = house().await;
    for version in [4, 5] {
        let mut writer = house.connect(v(version, "writer")).await;
        writer.retain("r/one", "old", 1).await;
        writer.retain("r/one", "new", 1).await;
        writer.retain("r/two", "zero", 0).await;
        assert_eq!(house.broker.stats().retained, 2);
        let mut reader = house.connect(v(version, "reader")).await;
        reader.subscribe("r/#", 1).await;
        let one = reader.expect("new").await;
        assert!(one.retain && one.qos == QoS::AtLeastOnce);
        let two = reader.expect("zero").await;
        assert!(two.retain && two.qos == QoS::AtMostOnce);
        writer.retain("r/one", "live", 1).await;
        assert!(!reader.expect("live").await.retain, "a live message is not marked");
        writer.retain("r/one", "", 1).await;
        writer.retain("r/two", "", 0).await;
        reader.expect("").await;
        reader.expect("").await;
        let mut late = house.connect(v(version, "late")).await;
        late.subscribe("r/#", 1).await;
        late.fence().await;
        assert_eq!(house.broker.stats().retained, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retain_handling_and_retain_as_published_are_kept() {
    let house = house().await;
    let mut writer = house.connect(v(5, "writer")).await;
    writer.retain("r", "kept", 0).await;
    let mut reader = house.connect(v(5, "reader")).await;
    let with = |retain_handling| SubscriptionOptions { retain_handling, ..Default::default() };
    reader.subscribe_with("r", with(RetainHandling::NoAtSubscribe), None).await;
    reader.fence().await;
    reader.subscribe_with("r", with(RetainHandling::AtSubscribeNew), None).await;
    reader.fence().await;
    reader.unsubscribe("r").await;
    reader.subscribe_with("r", with(RetainHandling::AtSubscribeNew), None).await;
    reader.expect("kept").await;
    reader.subscribe_with("r", with(RetainHandling::AtSubscribe), None).await;
    reader.expect("kept").await;
    let as_published =
        SubscriptionOptions { retain_as_published: true, ..with(RetainHandling::NoAtSubscribe) };
    reader.subscribe_with("r", as_published, None).await;
    writer.retain("r", "again", 0).await;
    assert!(reader.expect("again").await.retain);
    writer.publish("r", "plain", 0).await;
    assert!(!reader.expect("plain").await.retain);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_retained_messages_than_the_table_holds_are_refused() {
    let limits = sealwire::broker::Limits { max_retained_messages: 1, ..Default::default() };
    let house = house_with(limits).await;
    let mut writer = house.connect(v(5, "writer")).await;
    assert_eq!(writer.retain("a", "x", 1).await, 0);
    assert_eq!(writer.retain("b", "x", 1).await, 0x97);
    assert_eq!(writer.retain("a", "y", 1).await, 0);
    assert!(house.log.has(&["PublishDenied", "\"b\"", "no more retained"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_subscriptions_bring_a_message_once_with_all_their_ids() {
    let house = house().await;
    let mut reader = house.connect(v(5, "reader")).await;
    let at = |qos| SubscriptionOptions { qos, ..Default::default() };
    reader.subscribe_with("a/#", at(QoS::AtMostOnce), Some(11)).await;
    reader.subscribe_with("a/+", at(QoS::AtLeastOnce), Some(200_000)).await;
    let mut writer = house.connect(v(4, "writer")).await;
    writer.publish("a/b", "x", 1).await;
    let got = reader.expect("x").await;
    assert_eq!(got.qos, QoS::AtLeastOnce);
    let mut ids: Vec<_> = got.properties.unwrap().subscription_ids.iter().map(|id| id.get()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [11, 200_000]);
    reader.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_local_keeps_a_clients_own_messages_away() {
    let house = house().await;
    let mut both = house.connect(v(5, "both")).await;
    let no_local = SubscriptionOptions { no_local: true, ..Default::default() };
    both.subscribe_with("t", no_local, None).await;
    both.publish("t", "mine", 1).await;
    both.fence().await;
    house.connect(v(5, "other")).await.publish("t", "theirs", 1).await;
    both.expect("theirs").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_unsubscribe_nothing_comes() {
    let house = house().await;
    for version in [4, 5] {
        let mut reader = house.connect(v(version, "reader")).await;
        reader.subscribe("t", 1).await;
        let known = reader.unsubscribe("t").await;
        let unknown = reader.unsubscribe("t").await;
        if version == 5 {
            assert_eq!(known, Got::UnsubAck { codes: vec![0] });
            assert_eq!(unknown, Got::UnsubAck { codes: vec![0x11] });
        }
        house.connect(v(4, "writer")).await.publish("t", "x", 1).await;
        reader.fence().await;
        assert_eq!(house.broker.stats().subscriptions, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_over_the_subscribers_maximum_is_left_out() {
    let house = house().await;
    let mut reader = house.connect(As { max_packet: Some(60), ..v(5, "reader") }).await;
    reader.subscribe("t", 1).await;
    let mut writer = house.connect(v(4, "writer")).await;
    writer.publish("t", &"x".repeat(100), 1).await;
    writer.publish("t", "short", 1).await;
    reader.expect("short").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_offered_is_said_and_what_is_not_is_refused() {
    let house = house().await;
    let mut five = house.connect(v(5, "five")).await;
    let connack = five.connack.take().unwrap();
    assert_eq!(connack.max_qos, QoS::ExactlyOnce);
    assert!(connack.shared_subscription_available && connack.retain_available);
    assert!(connack.wildcard_subscription_available && connack.subscription_identifiers_available);

    let (_, got) = house.try_connect(As { auth_method: Some("SCRAM-SHA-256"), ..v(5, "x") }).await;
    assert_eq!(got, Got::ConnAck { code: 0x8C, present: false });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_an_id_is_given_one() {
    let house = house().await;
    let first = house.connect(v(5, "")).await.connack.unwrap().assigned_client_id.unwrap();
    let second = house.connect(v(5, "")).await.connack.unwrap().assigned_client_id.unwrap();
    assert!(first.len() > 30 && first != second);
    house.connect(v(4, "")).await.fence().await;
    let (_, got) = house.try_connect(As { clean: false, ..v(4, "") }).await;
    assert_eq!(got, Got::ConnAck { code: 2, present: false });
    let (_, got) = house.try_connect(As { clean: false, ..v(5, "") }).await;
    assert_eq!(got, Got::ConnAck { code: 0, present: false });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_expired_while_it_waited_is_not_delivered() {
    let house = house().await;
    let mut reader = house.connect(As { receive_max: Some(1), ..v(5, "reader") }).await;
    reader.subscribe("t", 1).await;
    let mut writer = house.connect(v(5, "writer")).await;
    writer.publish("t", "holds the window", 1).await;
    let properties = PublishProperties { message_expiry_interval: NonZeroU32::new(1), ..Default::default() };
    writer.send_publish(Publish { properties: Some(properties), ..message("t", "short-lived", 1) }).await;
    writer.next().await;
    writer.publish("t", "after", 1).await;
    let held = reader.message().await;
    // Its second is what is tested.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    reader.ack(held.packet_id.unwrap().get()).await;
    reader.expect("after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_subscribe_packet_can_hold_many_filters() {
    let house = house().await;
    let mut reader = house.connect(v(5, "reader")).await;
    let options = SubscriptionOptions::default();
    let topic_filters = vec![("a".into(), options), ("$share/g".into(), options), ("c".into(), options)];
    let packet = v5::Subscribe { packet_id: id(1), id: None, user_properties: Vec::new(), topic_filters };
    reader.send5(v5::Packet::Subscribe(packet)).await;
    match reader.next().await {
        Got::SubAck { codes, reason } => {
            assert_eq!(codes, [0, 0x8F, 0]);
            assert!(reason.unwrap().contains("shared"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_sent_by_alias_to_a_client_that_takes_some_and_its_aliases_end_with_the_connection() {
    let house = house().await;
    let mut writer = house.connect(v(5, "writer")).await;
    let how = As { topic_aliases: 2, ..v(5, "reader").staying() };
    for _ in 0..2 {
        let mut reader = house.connect(how.clone()).await;
        reader.subscribe("#", 1).await;
        for (topic, name, alias) in [
            ("a", "a", Some(1)),
            ("a", "", Some(1)),
            ("b", "b", Some(2)),
            ("c", "c", None),
            ("a", "", Some(1)),
            ("b", "", Some(2)),
        ] {
            for qos in [0, 1] {
                writer.publish(topic, "x", qos).await;
                let got = reader.expect("x").await;
                let name = if qos == 0 {
                    name
                } else if alias.is_some() {
                    ""
                } else {
                    topic
                };
                assert_eq!(&got.topic[..], name);
                assert_eq!(got.properties.unwrap().topic_alias.map(NonZeroU16::get), alias);
            }
        }
        reader.goodbye().await;
    }
    // Nothing of it for one that takes none.
    let mut plain = house.connect(v(5, "plain")).await;
    plain.subscribe("#", 0).await;
    for _ in 0..2 {
        writer.publish("a", "x", 0).await;
        let got = plain.expect("x").await;
        assert_eq!((&got.topic[..], got.properties.unwrap().topic_alias), ("a", None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_alive_over_the_limit_is_answered_with_what_holds() {
    let limits = sealwire::broker::Limits { max_keep_alive_secs: 60, ..Default::default() };
    let house = house_with(limits).await;
    for (wanted, told) in [(0, Some(60)), (61, Some(60)), (60, None), (1, None)] {
        let client = house.connect(As { keep_alive: wanted, ..v(5, "x") }).await;
        assert_eq!(client.connack.unwrap().server_keepalive_sec, told, "{wanted}");
    }
}
