//! Each bound, met once: what happens to whoever meets it, and that it is counted under its name.

use std::time::{Duration, Instant};

use sealwire::broker::{Limit, Limits};

use crate::harness::{As, Got, House, house_with, message, v};

pub(crate) async fn until_hit(house: &House, limit: Limit, times: u64) {
    let hit = async {
        while house.broker.stats().limits_hit.of(limit) < times {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, hit)
        .await
        .unwrap_or_else(|_| panic!("{} not counted: {:?}", limit.name(), house.broker.stats().limits_hit));
    assert_eq!(house.broker.stats().limits_hit.of(limit), times, "{}", limit.name());
}

#[tokio::test]
async fn one_address_has_a_share_of_the_connections() {
    let limits = Limits { max_connections_per_address: 2, spare_loopback: false, ..Limits::default() };
    let house = house_with(limits).await;
    let first = house.connect(v(5, "one")).await;
    let _second = house.connect(v(5, "two")).await;
    let mut third = house.raw(5).await;
    assert_eq!(third.next().await, Got::Closed);
    until_hit(&house, Limit::MaxConnectionsPerAddress, 1).await;
    first.goodbye().await;
    house.log.until(&["Disconnected", "one"]).await;
    while house.broker.stats().connections > 1 {
        tokio::task::yield_now().await;
    }
    // The place is given back when the connection's task has ended, a moment after its socket.
    loop {
        let mut again = house.raw(5).await;
        let _ = tokio::io::AsyncWriteExt::write_all(&mut again.stream, b"\xC0\0").await;
        again.next().await;
        if house.log.has(&["the first packet is not CONNECT"]) {
            break;
        }
    }
}

#[tokio::test]
async fn an_address_that_connects_too_often_is_turned_away_and_this_computer_only_if_told() {
    let limits = Limits { connects_per_second_per_address: 3, ..Limits::default() };
    let house = house_with(limits.clone()).await;
    for _ in 0..10 {
        house.connect(v(4, "again")).await;
    }
    assert_eq!(house.broker.stats().limits_hit.of(Limit::ConnectsPerSecondPerAddress), 0);

    let house = house_with(Limits { spare_loopback: false, ..limits }).await;
    let mut turned_away = 0;
    for _ in 0..10 {
        let mut client = house.raw(4).await;
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, b"\xC0\0").await;
        client.next().await;
        turned_away = house.broker.stats().limits_hit.of(Limit::ConnectsPerSecondPerAddress);
    }
    assert!(turned_away >= 1, "{turned_away}");
    house.log.until(&["connects more often than it may"]).await;
}

#[tokio::test]
async fn all_together_connect_no_faster_than_they_may_and_all_get_in() {
    let house = house_with(Limits { connects_per_second: 20, ..Limits::default() }).await;
    let began = Instant::now();
    for _ in 0..24 {
        house.connect(v(4, "storm")).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(140), "four beyond the first twenty wait 50 ms each");
    assert!(house.broker.stats().limits_hit.of(Limit::ConnectsPerSecond) >= 3);
}

#[tokio::test]
async fn who_publishes_too_fast_is_read_more_slowly_and_loses_nothing() {
    let house = house_with(Limits { publishes_per_second: 100, ..Limits::default() }).await;
    let mut reader = house.connect(v(4, "reader")).await;
    reader.subscribe("t", 0).await;
    let mut writer = house.connect(v(4, "writer")).await;
    let began = Instant::now();
    for number in 0..150 {
        writer.send_publish(message("t", &number.to_string(), 0)).await;
    }
    for number in 0..150 {
        reader.expect(&number.to_string()).await;
    }
    writer.fence().await;
    assert!(
        began.elapsed() >= Duration::from_millis(450),
        "fifty beyond the first hundred take half a second"
    );
    assert!(house.broker.stats().limits_hit.of(Limit::PublishesPerSecond) >= 1);
    assert_eq!(house.broker.stats().dropped, 0);
}

#[tokio::test]
async fn connections_sessions_and_handshakes_are_counted_where_there_is_no_place() {
    let limits =
        Limits { max_connections: 2, max_sessions: 1, max_pending_handshakes: 2, ..Limits::default() };
    let house = house_with(limits).await;
    let _in = house.connect(v(5, "in")).await;
    assert!(matches!(house.try_connect(v(5, "out")).await.1, Got::ConnAck { code: 0x97, .. }));
    until_hit(&house, Limit::MaxSessions, 1).await;

    let house =
        house_with(Limits { max_connections: 1, max_pending_handshakes: 1, ..Limits::default() }).await;
    let _in = house.connect(v(5, "in")).await;
    assert!(matches!(house.try_connect(v(5, "out")).await.1, Got::ConnAck { code: 0x89, .. }));
    until_hit(&house, Limit::MaxConnections, 1).await;
    let _waiting = house.raw(5).await;
    let mut unheard = house.raw(5).await;
    assert_eq!(unheard.next().await, Got::Closed);
    until_hit(&house, Limit::MaxPendingHandshakes, 1).await;
}

#[tokio::test]
async fn packets_topics_and_subscriptions_beyond_the_limits_are_refused_and_counted() {
    let limits = Limits {
        max_connect_bytes: 60,
        max_client_id_bytes: 20,
        max_packet_bytes: 100,
        max_topic_levels: 3,
        max_subscriptions_per_session: 1,
        max_retained_messages: 1,
        ..Limits::default()
    };
    let house = house_with(limits).await;
    let long = "a-client-id-of-more-than-twenty-bytes";
    assert!(matches!(house.try_connect(v(5, long)).await.1, Got::ConnAck { code: 0x85, .. }));
    until_hit(&house, Limit::MaxClientIdBytes, 1).await;
    let password = Some("a password of so many bytes that the CONNECT is too long");
    house.try_connect(As { password, ..v(5, "long") }).await;
    until_hit(&house, Limit::MaxConnectBytes, 1).await;

    let mut client = house.connect(v(5, "c")).await;
    assert_eq!(client.subscribe("a", 0).await, 0);
    assert_eq!(client.subscribe("b", 0).await, 0x97);
    until_hit(&house, Limit::MaxSubscriptionsPerSession, 1).await;
    assert_eq!(client.retain("a/b", "x", 1).await, 0);
    assert_eq!(client.retain("a/c", "x", 1).await, 0x97);
    until_hit(&house, Limit::MaxRetained, 1).await;
    client.send_publish(message("a/b/c/d", "x", 0)).await;
    client.ended_with(0x90).await;
    until_hit(&house, Limit::MaxTopicLevels, 1).await;

    let mut client = house.connect(v(5, "c")).await;
    client.send_publish(message("t", &"x".repeat(200), 0)).await;
    client.ended_with(0x95).await;
    until_hit(&house, Limit::MaxPacketBytes, 1).await;
}

#[tokio::test]
async fn a_queue_and_all_queues_together_are_bounded_and_what_is_lost_is_counted() {
    let limits = Limits { queue_messages: 3, ..Limits::default() };
    let house = house_with(limits).await;
    for id in ["away", "too"] {
        let mut away = house.connect(v(5, id).staying()).await;
        away.subscribe("t", 1).await;
        away.goodbye().await;
    }
    let mut writer = house.connect(v(5, "writer")).await;
    for _ in 0..5 {
        writer.publish("t", "x", 1).await;
    }
    assert_eq!(house.broker.stats().limits_hit.of(Limit::Queue), 4, "two of each");

    let house = house_with(Limits { queue_bytes_total: 45_000, ..Limits::default() }).await;
    for id in ["away", "too"] {
        let mut away = house.connect(v(5, id).staying()).await;
        away.subscribe("t", 1).await;
        away.goodbye().await;
    }
    let mut writer = house.connect(v(5, "writer")).await;
    let payload = "x".repeat(5_000);
    for _ in 0..10 {
        writer.publish("t", &payload, 1).await;
    }
    let lost = house.broker.stats().limits_hit.of(Limit::QueueBytesTotal);
    assert_eq!(lost, 14, "six of twenty copies of 5 kB fit in three quarters of 45 kB");
    assert_eq!(house.broker.stats().dropped, lost);

    // A client that comes back has what was kept for it, and gives its room back.
    let (mut back, present) = house.connect_again(v(5, "away").staying()).await;
    assert!(present);
    let first = back.message().await;
    assert_eq!(first.payload.len(), payload.len());
    back.ack(first.packet_id.unwrap().get()).await;
    for _ in 0..2 {
        let next = back.message().await;
        back.ack(next.packet_id.unwrap().get()).await;
    }
    back.fence().await;
    writer.publish("t", &payload, 1).await;
    assert_eq!(back.message().await.payload.len(), payload.len());
    assert_eq!(house.broker.stats().limits_hit.of(Limit::QueueBytesTotal), lost, "there was room again");
}
