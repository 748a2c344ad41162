//! Broken and hostile peers: each ends its own connection and nothing else.

use std::time::Duration;

use sealwire::broker::Limits;

use tokio::time::{Instant, timeout};

use crate::harness::{As, Got, house, house_with, v};

/// What is wrong, the bytes after CONNECT, and what MQTT 5 calls it.
const BROKEN: &[(&str, &[u8], u8)] = &[
    ("a plus in a topic name", &[0x30, 6, 0, 3, b'a', b'/', b'+', 0], 0x90),
    ("a hash in a topic name", &[0x30, 6, 0, 3, b'a', b'/', b'#', 0], 0x90),
    ("U+0000 in a topic name", &[0x30, 6, 0, 3, b'a', 0, b'b', 0], 0x81),
    ("invalid UTF-8 in a topic name", &[0x30, 5, 0, 2, 0xC3, 0x28, 0], 0x81),
    ("a topic longer than its packet", &[0x30, 4, 0, 9, b'a', 0], 0x81),
    ("QoS 3", &[0x36, 6, 0, 1, b'a', 0, 1, 0], 0x81),
    ("DUP at QoS 0", &[0x38, 4, 0, 1, b'a', 0], 0x81),
    ("packet id 0", &[0x32, 6, 0, 1, b'a', 0, 0, 0], 0x81),
    ("no topic and no alias", &[0x30, 3, 0, 0, 0], 0x82),
    ("an alias of 0", &[0x30, 7, 0, 1, b'a', 3, 0x23, 0, 0], 0x94),
    ("an alias over the maximum", &[0x30, 7, 0, 1, b'a', 3, 0x23, 1, 0], 0x94),
    ("a subscription identifier from a client", &[0x30, 6, 0, 1, b'a', 2, 0x0B, 1], 0x82),
    ("wildcards in a response topic", &[0x30, 8, 0, 1, b'a', 4, 0x08, 0, 1, b'#'], 0x82),
    ("an unknown property", &[0x30, 6, 0, 1, b'a', 2, 0x7F, 1], 0x81),
    ("SUBSCRIBE with wrong flags", &[0x80, 7, 0, 1, 0, 0, 1, b'a', 0], 0x81),
    ("SUBSCRIBE without a filter", &[0x82, 3, 0, 1, 0], 0x82),
    ("a misplaced hash in a filter", &[0x82, 9, 0, 1, 0, 0, 3, b'#', b'/', b'a', 0], 0x8F),
    ("reserved bits in subscription options", &[0x82, 7, 0, 1, 0, 0, 1, b'a', 0xC0], 0x81),
    ("UNSUBSCRIBE without a filter", &[0xA2, 3, 0, 1, 0], 0x82),
    ("a second CONNECT", b"\x10\x0d\0\x04MQTT\x05\x02\0\0\0\0\0", 0x82),
    ("a packet that servers send", &[0x90, 4, 0, 1, 0, 0], 0x82),
    ("a PINGREQ with something in it", &[0xC0, 1, 0], 0x81),
    ("PUBREL with wrong flags", &[0x60, 2, 0, 1], 0x81),
    ("a PUBREC for packet id 0", &[0x50, 2, 0, 0], 0x81),
    ("a PUBACK that is too short", &[0x40, 1, 0], 0x81),
    ("SUBSCRIBE with packet id 0", &[0x82, 7, 0, 0, 0, 0, 1, b'a', 0], 0x81),
    ("an empty filter", &[0x82, 6, 0, 1, 0, 0, 0, 0], 0x8F),
    ("a subscription identifier of 0", &[0x82, 9, 0, 1, 2, 0x0B, 0, 0, 1, b'a', 0], 0x82),
    ("QoS 3 in a subscription", &[0x82, 7, 0, 1, 0, 0, 1, b'a', 3], 0x81),
    ("retain handling 3", &[0x82, 7, 0, 1, 0, 0, 1, b'a', 0x30], 0x81),
    ("UNSUBSCRIBE with packet id 0", &[0xA2, 6, 0, 0, 0, 0, 1, b'a'], 0x81),
    ("U+0000 in a user property", &[0x30, 12, 0, 1, b'a', 8, 0x26, 0, 1, 0, 0, 2, b'b', b'c'], 0x81),
    ("DISCONNECT with wrong flags", &[0xE1, 0], 0x81),
    ("AUTH without a method", &[0xF0, 0], 0x82),
    ("packet type 0", &[0, 0], 0x81),
    ("a length of five bytes", &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], 0x81),
    ("a packet over the limit", &[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 0x95),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_packet_ends_its_own_connection_with_its_reason() {
    let house = house().await;
    let mut bystander = house.connect(v(5, "bystander")).await;
    for (what, bytes, code) in BROKEN {
        let mut client = house.connect(v(5, "broken")).await;
        client.bytes(bytes).await;
        match client.next().await {
            Got::Disconnect { code: got, reason } => {
                assert_eq!(got, *code, "{what}: 0x{got:02X} is not 0x{code:02X}");
                assert!(reason.is_some(), "{what}: no reason string");
            }
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(client.next().await, Got::Closed, "{what}");
        bystander.fence().await;
    }
    let errors = house.log.0.lock().iter().filter(|line| line.starts_with("ProtocolError")).count();
    assert_eq!(errors, BROKEN.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_mqtt_5_a_broken_packet_just_closes() {
    let house = house().await;
    let broken: [&[u8]; 12] = [
        &[0xC0, 1, 0],
        &[0xE0, 1, 0],
        &[0x82, 6, 0, 1, 0, 1, b'a', 4],
        &[0x82, 6, 0, 1, 0, 1, b'a', 3],
        &[0x82, 2, 0, 1],
        &[0x30, 5, 0, 3, b'a', b'/', b'+'],
        &[0x30, 4, 0, 2, 0xC3, 0x28],
        &[0x30, 2, 0, 9],
        &[0x80, 6, 0, 1, 0, 1, b'a', 0],
        &[0x82, 8, 0, 1, 0, 3, b'#', b'/', b'a', 0],
        b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0",
        &[0x30, 0xFF, 0xFF, 0xFF, 0x7F],
    ];
    for bytes in broken {
        let mut client = house.connect(v(4, "broken")).await;
        client.bytes(bytes).await;
        assert_eq!(client.next().await, Got::Closed, "{bytes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_a_connect_gets_no_further() {
    let house = house().await;
    for bytes in [&[0xC0, 0][..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &[0x16, 3, 1, 0, 200, 1, 0, 0]] {
        let mut client = house.raw(4).await;
        client.bytes(bytes).await;
        assert_eq!(client.next().await, Got::Closed, "{bytes:?}");
    }
    // An unknown level is told so in the form of 3.1.1.
    let mut client = house.raw(4).await;
    client.bytes(b"\x10\x0c\0\x04MQTT\x07\x02\0\0\0\0").await;
    assert_eq!(client.next().await, Got::ConnAck { code: 1, present: false });
    assert_eq!(client.next().await, Got::Closed);
    // The old name with the new level.
    let mut client = house.raw(4).await;
    client.bytes(b"\x10\x0e\0\x06MQIsdp\x04\x02\0\0\0\0").await;
    assert_eq!(client.next().await, Got::Closed);
    // A CONNECT with a reserved flag.
    let mut client = house.raw(5).await;
    client.bytes(b"\x10\x0d\0\x04MQTT\x05\x03\0\0\0\0\0").await;
    assert_eq!(client.next().await, Got::ConnAck { code: 0x81, present: false });
    // A password without a username.
    let mut client = house.raw(4).await;
    client.bytes(b"\x10\x0f\0\x04MQTT\x04\x42\0\0\0\0\0\x01p").await;
    assert_eq!(client.next().await, Got::Closed);
    assert_eq!(house.broker.stats().sessions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_is_small_and_the_limit_grows_only_after_it() {
    let house = house().await;
    let mut client = house.raw(5).await;
    client.bytes(b"\x10\x80\x80\x40\0\x04MQTT\x05\x02\0\0\0\0\0").await;
    assert_eq!(client.next().await, Got::ConnAck { code: 0x95, present: false });
    let mut reader = house.connect(v(5, "reader")).await;
    reader.subscribe("t", 1).await;
    let mut writer = house.connect(v(5, "writer")).await;
    let large = "x".repeat(1024 * 1024);
    writer.publish("t", &large, 1).await;
    reader.expect(&large).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_in_pieces_is_a_connect_and_what_follows_it_counts() {
    let house = house().await;
    let mut client = house.raw(4).await;
    for byte in b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x" {
        client.bytes(&[*byte]).await;
    }
    assert_eq!(client.next().await, Got::ConnAck { code: 0, present: false });
    let mut eager = house.raw(4).await;
    eager.bytes(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01y\xC0\0\xC0\0").await;
    assert_eq!(eager.next().await, Got::ConnAck { code: 0, present: false });
    assert_eq!(eager.next().await, Got::Pong);
    assert_eq!(eager.next().await, Got::Pong);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_takes_no_longer_than_its_limit() {
    let house =
        house_with(Limits { handshake_timeout: Duration::from_millis(100), ..Limits::default() }).await;
    let mut client = house.raw(4).await;
    client.bytes(b"\x10\x0d\0\x04MQ").await;
    assert_eq!(client.next().await, Got::Closed);
    assert!(house.log.has(&["ProtocolError", "no complete CONNECT in time"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_connections_and_handshakes_is_limited() {
    let limits = Limits { max_connections: 1, max_pending_handshakes: 1, ..Limits::default() };
    let house = house_with(limits).await;
    let mut first = house.connect(v(5, "first")).await;
    let (_, got) = house.try_connect(v(5, "second")).await;
    assert_eq!(got, Got::ConnAck { code: 0x89, present: false });
    let (_, got) = house.try_connect(v(4, "third")).await;
    assert_eq!(got, Got::ConnAck { code: 3, present: false });
    let mut silent = house.raw(4).await;
    silent.bytes(&[0x10]).await;
    // The one place before CONNECT is taken, so the next is closed unheard.
    let mut unheard = house.raw(4).await;
    assert_eq!(unheard.next().await, Got::Closed);
    first.fence().await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_and_levels_are_limited() {
    let limits = Limits { max_subscriptions_per_session: 2, max_topic_levels: 4, ..Limits::default() };
    let house = house_with(limits).await;
    let mut client = house.connect(v(5, "x")).await;
    assert_eq!(client.subscribe("a", 1).await, 1);
    assert_eq!(client.subscribe("b", 1).await, 1);
    assert_eq!(client.subscribe("c", 1).await, 0x97);
    assert_eq!(client.subscribe("a", 0).await, 0, "one that is there can change");
    client.unsubscribe("a").await;
    assert_eq!(client.subscribe("c/c/c/c", 1).await, 1);
    client.publish("1/2/3/4", "x", 1).await;
    client.send_publish(crate::harness::message("1/2/3/4/5", "x", 1)).await;
    client.ended_with(0x90).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_that_never_ends_is_no_sign_of_life() {
    let house = house().await;
    let mut client = house.connect(As { keep_alive: 1, ..v(5, "trickle") }).await;
    client.bytes(&[0x30, 0x7F]).await;
    let started = Instant::now();
    let end = loop {
        match timeout(Duration::from_millis(200), client.next()).await {
            Ok(got) => break got,
            Err(_) => client.bytes(&[0]).await,
        }
        assert!(started.elapsed() < Duration::from_secs(20), "bytes alone keep it alive");
    };
    assert!(matches!(end, Got::Disconnect { code: 0x8D, .. }), "{end:?}");
}

/// What is wrong, an MQTT 5 CONNECT after its length, and what is answered.
const BROKEN_CONNECTS: &[(&str, &[u8], u8)] = &[
    ("something after its end", b"\0\x04MQTT\x05\x02\0\0\0\0\x01xy", 0x81),
    ("will QoS without a will", b"\0\x04MQTT\x05\x0A\0\0\0\0\x01x", 0x81),
    ("a will of QoS 3", b"\0\x04MQTT\x05\x1E\0\0\0\0\x01x\0\0\x01t\0\x01m", 0x81),
    ("a will to a wildcard", b"\0\x04MQTT\x05\x06\0\0\0\0\x01x\0\0\x01#\0\x01m", 0x90),
    (
        "wildcards in a will's response topic",
        b"\0\x04MQTT\x05\x06\0\0\0\0\x01x\x04\x08\0\x01#\0\x01t\0\x01m",
        0x82,
    ),
    ("a Receive Maximum of 0", b"\0\x04MQTT\x05\x02\0\0\x03\x21\0\0\0\x01x", 0x82),
    ("a Maximum Packet Size of 0", b"\0\x04MQTT\x05\x02\0\0\x05\x27\0\0\0\0\0\x01x", 0x82),
    ("a property that comes twice", b"\0\x04MQTT\x05\x02\0\0\x06\x22\0\x01\x22\0\x01\0\x01x", 0x82),
    ("Request Problem Information of 2", b"\0\x04MQTT\x05\x02\0\0\x02\x17\x02\0\x01x", 0x82),
    ("an unknown property", b"\0\x04MQTT\x05\x02\0\0\x02\x7F\x02\0\x01x", 0x81),
    ("authentication data without a method", b"\0\x04MQTT\x05\x02\0\0\x03\x16\0\0\0\x01x", 0x82),
    ("U+0000 in the username", b"\0\x04MQTT\x05\x82\0\0\0\0\x01x\0\x01\0", 0x81),
    ("U+0000 in the client id", b"\0\x04MQTT\x05\x02\0\0\0\0\x01\0", 0x85),
    ("invalid UTF-8 in the client id", b"\0\x04MQTT\x05\x02\0\0\0\0\x01\xFF", 0x81),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connect_is_refused_with_its_reason() {
    let house = house().await;
    for (what, body, code) in BROKEN_CONNECTS {
        let mut client = house.raw(5).await;
        client.bytes(&[&[0x10, u8::try_from(body.len()).unwrap()], *body].concat()).await;
        match client.next().await {
            Got::ConnAck { code: got, .. } => {
                assert_eq!(got, *code, "{what}: 0x{got:02X} is not 0x{code:02X}");
            }
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(client.next().await, Got::Closed, "{what}");
    }
    for body in [&b"\0\x04MQTT\x04\x02\0\0\0\x01xy"[..], b"\0\x04MQTT\x04\x22\0\0\0\x01x"] {
        let mut client = house.raw(4).await;
        client.bytes(&[&[0x10, u8::try_from(body.len()).unwrap()], body].concat()).await;
        assert_eq!(client.next().await, Got::Closed);
    }
    assert_eq!(house.broker.stats().sessions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_in_pieces_are_checked_whole_and_their_bodies_are_not_taken_for_packets() {
    let house = house().await;
    // CONNECT with something after its end, byte by byte.
    let mut client = house.raw(5).await;
    for byte in b"\x10\x0f\0\x04MQTT\x05\x02\0\0\0\0\x01xy" {
        client.bytes(&[*byte]).await;
    }
    assert_eq!(client.next().await, Got::ConnAck { code: 0x81, present: false });
    // Packet ids and payloads that look like the beginning of a PINGREQ with a body.
    for (version, subscribe) in
        [(4, &b"\x82\x06\xC0\x05\0\x01a\0"[..]), (5, &b"\x82\x07\xC0\x05\0\0\x01a\0"[..])]
    {
        let mut client = house.connect(v(version, "x")).await;
        let publish = &[0x32, 14, 0, 1, b'a', 0xC0, 5, 0, 0xC0, 5, 0xC0, 5, 0x82, 9, 0xFF, 0xFF];
        for bytes in [subscribe, publish] {
            for byte in bytes {
                client.bytes(&[*byte]).await;
                tokio::task::yield_now().await;
            }
        }
        assert!(matches!(client.next().await, Got::SubAck { .. }));
        let mut got = [client.next().await, client.next().await];
        got.sort_by_key(|got| matches!(got, Got::Publish(_)));
        assert_eq!(got[0], Got::PubAck { id: 0xC005, code: 0, reason: None });
        client.fence().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_mqtt_3_1_says_that_a_pubrel_comes_again() {
    let house = house().await;
    let mut old = house.connect(v(3, "old")).await;
    old.bytes(&[0x6A, 2, 0, 5]).await;
    assert_eq!(old.next().await, Got::PubComp { id: 5, code: 0 });
    let mut four = house.connect(v(4, "four")).await;
    four.bytes(&[0x6A, 2, 0, 5]).await;
    assert_eq!(four.next().await, Got::Closed);
}
