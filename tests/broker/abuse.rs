//! Many who behave badly at once, and what those who do not notice of them: nothing.

use std::time::Duration;

use sealwire::broker::{Limit, Limits};
use tokio::time::timeout;

use crate::harness::{As, Client, Got, House, PATIENCE, house_with, v};

/// Client ids live as long as the test.
fn name(text: &str, number: usize) -> &'static str {
    format!("{text}-{number}").leak()
}

/// Goes round once: subscribes, publishes at each QoS, is given it.
async fn go_round(house: &House, id: &'static str) {
    let mut client = house.connect(v(5, id)).await;
    client.subscribe(id, 2).await;
    for qos in [1, 2] {
        client.publish_and_expect(id, qos).await;
    }
    client.leave().await;
}

impl Client {
    async fn publish_and_expect(&mut self, topic: &str, qos: u8) {
        self.send_publish(crate::harness::message(topic, "hello", qos)).await;
        if qos == 2 {
            self.skip_to(|got| matches!(got, Got::PubRec { .. })).await;
            self.pubrel(9).await;
            self.skip_to(|got| matches!(got, Got::PubComp { .. })).await;
        } else {
            self.skip_to(|got| matches!(got, Got::PubAck { .. })).await;
        }
        let Got::Publish(got) = self.skip_to(|got| matches!(got, Got::Publish(_))).await else { return };
        let id = got.packet_id.unwrap().get();
        if qos == 2 { self.settle(id).await } else { self.ack(id).await }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_readers_that_stop_holds_a_publisher_up_no_longer_than_one_does() {
    const CROWD: usize = 60;
    let limits = Limits {
        send_buffer_bytes: 16 * 1024,
        // One after the other they would take a minute, which is longer than anybody here waits.
        reader_patience: Duration::from_secs(1),
        slow_period: Duration::from_secs(60),
        write_timeout: Duration::from_secs(300),
        ..Limits::default()
    };
    let house = house_with(limits).await;
    let mut stalled = Vec::new();
    for number in 0..CROWD {
        let mut client = house.connect(v(4, name("stalled", number))).await;
        client.subscribe("t", 0).await;
        stalled.push(client);
    }
    let mut quick = house.connect(v(4, "quick")).await;
    quick.subscribe("t", 0).await;
    let mut writer = house.connect(v(4, "writer")).await;
    let payload = "x".repeat(60_000);
    const MESSAGES: usize = 200;
    let reading = async {
        for _ in 0..MESSAGES {
            assert_eq!(quick.message().await.payload.len(), payload.len());
        }
    };
    let writing = async {
        for _ in 0..MESSAGES {
            writer.publish("t", &payload, 0).await;
        }
    };
    timeout(3 * PATIENCE, async { tokio::join!(reading, writing) }).await.expect("the crowd holds them up");
    writer.fence().await;
    drop(stalled);
    go_round(&house, "after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_or_stop_in_the_middle_are_cut_off_and_keep_nobody_out() {
    const EACH: usize = 150;
    let limits = Limits {
        handshake_timeout: Duration::from_secs(2),
        max_pending_handshakes: 2 * EACH + 10,
        ..Limits::default()
    };
    let house = house_with(limits).await;
    let mut half_open = Vec::new();
    for _ in 0..EACH {
        half_open.push(house.raw(4).await);
        let mut begun = house.raw(5).await;
        begun.bytes(b"\x10\x2d\0\x04MQ").await;
        half_open.push(begun);
    }
    for number in 0..EACH {
        // In, and then never at the end of a packet; with a keep-alive of one second.
        let how = As { keep_alive: 1, ..v(4, name("half", number)) };
        let mut client = house.connect(how).await;
        client.bytes(b"\x30\xff\x01\0\x01t").await;
        half_open.push(client);
    }
    // While all of them are there.
    go_round(&house, "while").await;
    for client in &mut half_open {
        assert_eq!(client.next().await, Got::Closed);
    }
    go_round(&house, "after").await;
    let stats = house.broker.stats();
    assert_eq!(stats.limits_hit.of(Limit::HandshakeTimeout), 2 * EACH as u64);
    let gone = async {
        while house.broker.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("connections that are left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_beyond_the_limit_are_closed_unheard_and_leave_room_when_they_go() {
    let limits = Limits { max_pending_handshakes: 50, ..Limits::default() };
    let house = house_with(limits).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(house.raw(4).await);
    }
    let mut unheard = house.raw(4).await;
    assert_eq!(unheard.next().await, Got::Closed);
    assert_eq!(house.broker.stats().limits_hit.of(Limit::MaxPendingHandshakes), 1);
    silent.clear();
    // Their tasks give the places back when they notice.
    let let_in = async {
        loop {
            let mut client = house.raw(4).await;
            if tokio::io::AsyncWriteExt::write_all(
                &mut client.stream,
                b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x",
            )
            .await
            .is_ok()
                && client.next().await == (Got::ConnAck { code: 0, present: false })
            {
                return;
            }
        }
    };
    timeout(PATIENCE, let_in).await.expect("nobody is let in any more");
}
