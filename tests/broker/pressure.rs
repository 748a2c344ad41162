//! Clients that are slower than those who publish to them.

use std::time::Duration;

use sealwire::broker::Limits;
use tokio::io::AsyncWriteExt;

use crate::harness::{Got, PATIENCE, house_with, message, v};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_loses_qos_0_only_and_holds_nobody_up_for_long() {
    let limits = Limits {
        send_buffer_bytes: 64 * 1024,
        reader_patience: Duration::from_millis(20),
        write_timeout: Duration::from_secs(60),
        ..Limits::default()
    };
    let house = house_with(limits).await;
    let mut stalled = house.connect(v(4, "stalled")).await;
    stalled.subscribe("t", 1).await;
    let mut quick = house.connect(v(4, "quick")).await;
    quick.subscribe("t", 1).await;
    let mut writer = house.connect(v(4, "writer")).await;
    writer.publish("t", "first", 1).await;
    quick.expect("first").await;
    // Far more than the socket's buffers and ours hold; the stalled one reads nothing of it.
    let payload = "x".repeat(10_000);
    let mut received = 0;
    for _ in 0..3_000 {
        writer.publish("t", &payload, 0).await;
        quick.message().await;
        received += 1;
    }
    writer.publish("t", "last", 1).await;
    quick.expect("last").await;
    assert_eq!(received, 3_000, "who keeps up loses nothing");
    stalled.expect("first").await;
    let mut lost = 3_000;
    loop {
        let got = stalled.message().await;
        if got.payload.len() == payload.len() {
            lost -= 1;
            continue;
        }
        assert_eq!(&got.payload[..], b"last", "QoS 1 comes through");
        break;
    }
    assert!(lost > 100, "{lost} lost");
    house.log.until(&["Dropped", "stalled"]).await;
    assert_eq!(house.broker.stats().dropped, lost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_waits_for_a_subscriber_that_is_slow_to_acknowledge_and_nothing_is_lost() {
    let limits = Limits { queue_messages: 20, max_inflight: 5, ..Limits::default() };
    let house = house_with(limits).await;
    let mut reader = house.connect(v(5, "reader")).await;
    reader.subscribe("t", 1).await;
    let mut writer = house.connect(v(5, "writer")).await;
    let sending = tokio::spawn(async move {
        let mut batch = Vec::new();
        for number in 1u16..=400 {
            let [high, low] = number.to_be_bytes();
            batch.extend([0x32, 8, 0, 1, b't', high, low, 0, high, low]);
        }
        writer.bytes(&batch).await;
        for number in 1..=400 {
            assert_eq!(writer.next().await, Got::PubAck { id: number, code: 0, reason: None });
        }
    });
    for number in 1u16..=400 {
        let got = reader.message().await;
        assert_eq!(got.payload[..], number.to_be_bytes());
        assert!(!got.dup);
        reader.ack(got.packet_id.unwrap().get()).await;
    }
    tokio::time::timeout(PATIENCE, sending).await.unwrap().unwrap();
    assert_eq!(house.broker.stats().dropped, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_never_acknowledges_is_cut_off_and_its_queue_stays_bounded() {
    let limits = Limits {
        queue_messages: 20,
        max_inflight: 5,
        ack_patience: Duration::from_millis(50),
        ..Limits::default()
    };
    let house = house_with(limits).await;
    let stays = v(5, "reader").staying();
    let mut reader = house.connect(stays.clone()).await;
    reader.subscribe("t", 1).await;
    let mut writer = house.connect(v(5, "writer")).await;
    for _ in 0..40 {
        writer.publish("t", "x", 1).await;
    }
    for _ in 0..5 {
        reader.message().await;
    }
    reader.ended_with(0x97).await;
    let mut reader = house.connect(stays).await;
    for index in 0..25 {
        assert_eq!(reader.expect("x").await.dup, index < 5);
    }
    reader.fence().await;
    assert_eq!(house.broker.stats().dropped, 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_that_flood_each_other_do_not_wait_for_ever() {
    // Half of the queue is less than what comes, and the patience longer than the test's.
    let ack_patience = Duration::from_secs(60);
    let limits = Limits { queue_messages: 1_000, max_inflight: 10, ack_patience, ..Limits::default() };
    let house = house_with(limits).await;
    let mut tasks = Vec::new();
    for (own, other) in [("a", "b"), ("b", "a")] {
        let mut client = house.connect(v(4, own)).await;
        client.subscribe(own, 1).await;
        tasks.push(async move {
            let mut batch = Vec::new();
            for _ in 0..600u16 {
                batch.extend([0x32, 6, 0, 1, other.as_bytes()[0], 0, 9, b'x']);
            }
            client.bytes(&batch).await;
            let (mut acknowledged, mut received) = (0, 0);
            while acknowledged < 600 || received < 600 {
                match client.next().await {
                    Got::PubAck { .. } => acknowledged += 1,
                    Got::Publish(publish) => {
                        received += 1;
                        client.ack(publish.packet_id.unwrap().get()).await;
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    let (second, first) = (tasks.pop().unwrap(), tasks.pop().unwrap());
    tokio::time::timeout(2 * PATIENCE, async { tokio::join!(first, second) }).await.unwrap();
    assert_eq!(house.broker.stats().dropped, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_its_answers_is_not_read_from() {
    let limits = Limits { send_buffer_bytes: 64 * 1024, ..Limits::default() };
    let house = house_with(limits).await;
    let mut client = house.connect(v(4, "pinger")).await;
    let pings = [0xC0, 0].repeat(32 * 1024);
    let mut sent = 0;
    // Until the broker takes no more, which it must at some point: its answers have nowhere to go.
    while tokio::time::timeout(Duration::from_secs(1), client.stream.write_all(&pings)).await.is_ok() {
        sent += pings.len();
        assert!(sent < 32 << 20, "answers to {sent} bytes of pings are kept somewhere");
    }
    let mut bystander = house.connect(v(4, "bystander")).await;
    bystander.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retained_messages_are_not_lost_however_many_and_stay_before_live_ones() {
    let limits =
        Limits { send_buffer_bytes: 16 * 1024, queue_messages: 10, max_inflight: 10, ..Limits::default() };
    let house = house_with(limits).await;
    let mut writer = house.connect(v(4, "writer")).await;
    let payload = "r".repeat(1_000);
    for number in 0..300u16 {
        writer.retain(&format!("r/{number:03}"), &payload, (number % 2) as u8).await;
    }
    let mut reader = house.connect(v(4, "reader")).await;
    reader.subscribe("r/#", 1).await;
    writer.send_publish(message("r/299", "live", 0)).await;
    writer.fence().await;
    for number in 0..300u16 {
        let got = reader.expect(&payload).await;
        assert_eq!(got.topic[..], format!("r/{number:03}"));
    }
    reader.expect("live").await;
    assert_eq!(house.broker.stats().dropped, 0);
}
