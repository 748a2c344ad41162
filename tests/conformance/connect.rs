//! CONNECT: who is let in, and how the others are refused.

use std::time::{Duration, Instant};

use crate::{
    peer::{Faults, broker, own_broker},
    wire::{Connect, Got, PINGREQ, id, message, packet, property, subscribe, text, unsubscribe},
};

/// The flags stand after the protocol name and level.
fn with_flags(connect: &Connect, flags: u8) -> Vec<u8> {
    let mut bytes = connect.bytes();
    let name = bytes[3] as usize;
    bytes[2 + 2 + name + 1] = flags;
    bytes
}

/// A CONNECT of 3.1.1 or 5 of which everything after the keep alive is given.
fn with_payload(v: u8, flags: u8, payload: &[Vec<u8>]) -> Vec<u8> {
    let properties = if v == 5 { vec![0] } else { Vec::new() };
    packet(0x10, &[text("MQTT"), vec![v, flags, 0, 0], properties, payload.concat()].concat())
}

#[tokio::test]
async fn the_first_packet_must_be_connect() {
    let broker = broker().await;
    let packets = [
        PINGREQ.to_vec(),
        message("t", "x", 0).bytes(4),
        subscribe(5, 1, &[], &[(b"t", 0)]),
        unsubscribe(4, 1, &["t"]),
        vec![0xE0, 0],
        vec![0xF0, 0],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for bytes in packets {
        let mut peer = broker.raw(5).await;
        peer.send(&bytes).await;
        assert_eq!(peer.next().await, Got::Closed, "{bytes:02X?}");
    }
}

#[tokio::test]
async fn a_second_connect_ends_the_connection() {
    let broker = broker().await;
    for v in [3, 4, 5] {
        let connect = broker.plain(v, "twice");
        let mut peer = broker.connect(&connect).await;
        peer.send(&connect.bytes()).await;
        peer.cut_off(&[0x82]).await;
    }
}

#[tokio::test]
async fn an_unknown_protocol_name_is_not_let_in() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for name in ["MQTTX", "mqtt", "", "MQTt", "MQIsd", "HTTP", "AMQP"] {
        for level in [3, 4, 5] {
            let properties = if level == 5 { vec![0] } else { Vec::new() };
            let body = [text(name), vec![level, 2, 0, 0], properties, text("x")].concat();
            let outcome = broker.refusal(5, &packet(0x10, &body), &[1, 0x84]).await;
            faults.note(&format!("{name:?} {level}"), outcome.map(drop));
        }
    }
    faults.none();
}

#[tokio::test]
async fn an_unknown_protocol_level_is_told_so() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for (name, level) in [("MQTT", 0), ("MQTT", 2), ("MQTT", 6), ("MQTT", 127), ("MQTT", 255)] {
        let body = [text(name), vec![level, 2, 0, 0], text("x")].concat();
        let outcome = broker.refusal(5, &packet(0x10, &body), &[1, 0x84]).await;
        let outcome = outcome.and_then(|told| told.map(drop).ok_or("closed without a word".to_owned()));
        faults.note(&format!("{name} {level}"), outcome);
    }
    faults.none();
}

#[tokio::test]
async fn the_reserved_flag_must_be_0() {
    let broker = broker().await;
    let old = broker.refusal(4, &with_flags(&broker.plain(4, "a"), 3), &[]).await;
    assert_eq!(old, Ok(None));
    let new = broker.refusal(5, &with_flags(&broker.plain(5, "a"), 3), &[0x81, 0x82]).await;
    assert!(new.is_ok(), "{new:?}");
}

#[tokio::test]
async fn flags_and_payload_must_agree() {
    let broker = broker().await;
    let (id, topic, payload) = (text(broker.id("a")), text("will"), text("gone"));
    let (name, word) = (text("ann"), text("secret"));
    let mut faults = Faults::default();
    for v in [4, 5] {
        let will = if v == 5 { [vec![0], topic.clone()].concat() } else { topic.clone() };
        let rows: &[(&str, u8, Vec<Vec<u8>>)] = &[
            ("will QoS 1 without a will", 0x0A, vec![id.clone()]),
            ("will QoS 2 without a will", 0x12, vec![id.clone()]),
            ("will retain without a will", 0x22, vec![id.clone()]),
            ("will QoS 3", 0x1E, vec![id.clone(), will.clone(), payload.clone()]),
            ("a will flag and no will", 0x06, vec![id.clone()]),
            ("a will topic and no will message", 0x06, vec![id.clone(), will.clone()]),
            ("a will and no will flag", 0x02, vec![id.clone(), will.clone(), payload.clone()]),
            ("a username and no flag", 0x02, vec![id.clone(), name.clone()]),
            ("a username flag and no username", 0x82, vec![id.clone()]),
            ("a password and no flag", 0x82, vec![id.clone(), name.clone(), word.clone()]),
            ("a password flag and no password", 0xC2, vec![id.clone(), name.clone()]),
            ("no client id", 0x02, vec![]),
            ("a client id that is cut short", 0x02, vec![vec![0, 9, b'x']]),
        ];
        for (what, flags, payload) in rows {
            // 3.1.1 closes without CONNACK (MQTT-3.1.4-1); 5.0 may say what is wrong.
            let codes: &[u8] = if v == 5 { &[0x81, 0x82] } else { &[] };
            let outcome = broker.refusal(v, &with_payload(v, *flags, payload), codes).await;
            faults.note(&format!("{v}: {what}"), outcome.map(drop));
        }
    }
    faults.none();
}

#[tokio::test]
async fn fields_come_in_their_order() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("will"), 0).await;
        let connect = broker.plain(v, "all").will(&broker.t("will"), "gone", 0, false, Vec::new());
        let (username, password) = (Some("ann".to_owned()), Some(b"secret\0\xFF".to_vec()));
        broker.connect(&Connect { username, password, ..connect }).await.vanish().await;
        reader.expect("gone").await;
    }
}

#[tokio::test]
async fn a_password_without_a_username_is_for_mqtt_5_only() {
    let broker = broker().await;
    let password = Some(b"secret".to_vec());
    let old = Connect { password, ..broker.plain(4, "a") };
    assert_eq!(broker.refusal(4, &old.bytes(), &[]).await, Ok(None));
    broker.connect(&Connect { v: 5, ..old }).await.silent().await;
}

#[tokio::test]
async fn client_ids_of_up_to_23_letters_and_digits_are_allowed() {
    let broker = broker().await;
    let ids = [
        "0",
        "Z",
        "0123456789abcdefghijklm",
        "nopqrstuvwxyzABCDEFGHIJ",
        "KLMNOPQRSTUVWXYZ0123456",
        "zzzzzzzzzzzzzzzzzzzzzzz",
    ];
    for v in [3, 4, 5] {
        for id in ids {
            let connect = Connect { id: id.to_owned(), ..broker.plain(v, "") };
            broker.connect(&connect).await.silent().await;
        }
    }
}

#[tokio::test]
async fn an_empty_client_id_needs_a_clean_session_in_3_1_1() {
    let broker = broker().await;
    let empty = Connect { id: String::new(), ..broker.plain(4, "") };
    broker.connect(&empty).await.silent().await;
    assert_eq!(broker.refusal(4, &empty.resuming().bytes(), &[2]).await, Ok(Some(2)));
}

#[tokio::test]
async fn two_clients_without_an_id_are_two_clients() {
    let broker = broker().await;
    for v in [4, 5] {
        let empty = Connect { id: String::new(), ..broker.plain(v, "") };
        let mut first = broker.connect(&empty).await;
        let mut second = broker.connect(&empty).await;
        first.silent().await;
        second.silent().await;
        let ids = [&first, &second].map(|peer| peer.connack.text(id::ASSIGNED_CLIENT_ID).map(str::to_owned));
        assert!(v == 4 || (ids[0].is_some() && ids[0] != ids[1]), "{ids:?}");
    }
}

#[tokio::test]
async fn an_assigned_client_id_is_the_clients_own_from_then_on() {
    let broker = broker().await;
    let empty = Connect { id: String::new(), ..broker.plain(5, "") };
    let peer = broker.connect(&empty.with(property::four(id::SESSION_EXPIRY, 60))).await;
    let id = peer.connack.text(id::ASSIGNED_CLIENT_ID).expect("an assigned client id").to_owned();
    peer.goodbye().await;
    let again = broker.connect(&Connect { id, ..broker.plain(5, "") }.staying()).await;
    assert!(again.present);
}

#[tokio::test]
async fn in_mqtt_5_an_empty_client_id_is_assigned_whatever_clean_start_says() {
    let broker = broker().await;
    let empty = Connect { id: String::new(), ..broker.plain(5, "") }.resuming();
    let peer = broker.connect(&empty).await;
    assert!(!peer.present && peer.connack.has(id::ASSIGNED_CLIENT_ID));
}

#[tokio::test]
async fn broken_properties_are_refused() {
    let broker = broker().await;
    let plain = broker.plain(5, "a");
    let twice = |one: Vec<u8>| [one.clone(), one].concat();
    let rows: &[(&str, Vec<u8>, u8)] = &[
        ("session expiry twice", twice(property::four(id::SESSION_EXPIRY, 1)), 0x82),
        ("receive maximum twice", twice(property::two(id::RECEIVE_MAX, 1)), 0x82),
        ("receive maximum 0", property::two(id::RECEIVE_MAX, 0), 0x82),
        ("maximum packet size twice", twice(property::four(id::MAX_PACKET, 100)), 0x82),
        ("maximum packet size 0", property::four(id::MAX_PACKET, 0), 0x82),
        ("topic alias maximum twice", twice(property::two(id::TOPIC_ALIAS_MAX, 1)), 0x82),
        ("request response information 2", property::byte(id::REQUEST_RESPONSE_INFO, 2), 0x82),
        ("request response information twice", twice(property::byte(id::REQUEST_RESPONSE_INFO, 0)), 0x82),
        ("request problem information 2", property::byte(id::REQUEST_PROBLEM_INFO, 2), 0x82),
        ("request problem information twice", twice(property::byte(id::REQUEST_PROBLEM_INFO, 1)), 0x82),
        ("authentication data without a method", property::text(id::AUTH_DATA, "x"), 0x82),
        ("a property of PUBLISH", property::two(id::TOPIC_ALIAS, 1), 0x81),
        ("a property of CONNACK", property::byte(id::MAX_QOS, 1), 0x81),
        ("an unknown property", vec![0x7F, 0], 0x81),
        ("a property that is cut short", vec![id::SESSION_EXPIRY, 0, 0], 0x81),
    ];
    let mut faults = Faults::default();
    for (what, list, _) in rows {
        let connect = plain.clone().with(list.clone());
        faults.note(what, broker.refusal(5, &connect.bytes(), &[0x81, 0x82]).await.map(drop));
    }
    let will_rows: &[(&str, Vec<u8>)] = &[
        ("will delay twice", twice(property::four(id::WILL_DELAY, 1))),
        ("will payload format 2", property::byte(id::PAYLOAD_FORMAT, 2)),
        ("will payload format twice", twice(property::byte(id::PAYLOAD_FORMAT, 0))),
        ("will expiry twice", twice(property::four(id::MESSAGE_EXPIRY, 1))),
        ("will content type twice", twice(property::text(id::CONTENT_TYPE, "x"))),
        ("will response topic twice", twice(property::text(id::RESPONSE_TOPIC, "x"))),
        ("wildcards in the will's response topic", property::text(id::RESPONSE_TOPIC, "a/#")),
        ("will correlation data twice", twice(property::text(id::CORRELATION_DATA, "x"))),
        ("a topic alias in a will", property::two(id::TOPIC_ALIAS, 1)),
        ("session expiry in a will", property::four(id::SESSION_EXPIRY, 1)),
    ];
    for (what, list) in will_rows {
        let connect = plain.clone().will("w", "x", 0, false, list.clone());
        faults.note(what, broker.refusal(5, &connect.bytes(), &[0x81, 0x82, 0x90]).await.map(drop));
    }
    faults.none();
}

#[tokio::test]
async fn our_broker_says_whether_a_connect_was_malformed_or_a_protocol_error() {
    let broker = own_broker(Default::default()).await;
    let plain = broker.plain(5, "a");
    let rows: &[(&str, Vec<u8>, u8)] = &[
        ("a reserved flag", with_flags(&plain, 3), 0x81),
        ("receive maximum 0", plain.clone().with(property::two(id::RECEIVE_MAX, 0)).bytes(), 0x82),
        ("maximum packet size 0", plain.clone().with(property::four(id::MAX_PACKET, 0)).bytes(), 0x82),
        ("authentication data alone", plain.clone().with(property::text(id::AUTH_DATA, "x")).bytes(), 0x82),
        ("an unknown property", plain.clone().with(vec![0x7F, 0]).bytes(), 0x81),
    ];
    let mut faults = Faults::default();
    for (what, bytes, code) in rows {
        let outcome = broker.refusal(5, bytes, &[*code]).await;
        faults.note(what, outcome.and_then(|told| told.map(drop).ok_or("not told".to_owned())));
    }
    faults.none();
}

#[tokio::test]
async fn a_will_to_wildcards_is_refused() {
    let broker = broker().await;
    for v in [4, 5] {
        for topic in ["a/#", "+", "a/+/b", ""] {
            let connect = broker.plain(v, "a").will(topic, "x", 0, false, Vec::new());
            let codes: &[u8] = if v == 5 { &[0x81, 0x82, 0x90] } else { &[] };
            let outcome = broker.refusal(v, &connect.bytes(), codes).await;
            assert!(outcome.is_ok(), "{v}: {topic:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn what_follows_a_refused_connect_is_not_processed() {
    let broker = own_broker(Default::default()).await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("#"), 0).await;
    for (v, code) in [(3, 4), (4, 4), (5, 0x86)] {
        let (username, password) = (Some("ann".to_owned()), Some(b"wrong".to_vec()));
        let connect = Connect { username, password, ..broker.plain(v, "ann") };
        let publish = message(broker.t("x"), "smuggled", 0).retained().bytes(v);
        let bytes = [connect.bytes(), publish].concat();
        assert_eq!(broker.refusal(v, &bytes, &[code]).await, Ok(Some(code)));
        reader.silent().await;
    }
}

#[tokio::test]
async fn a_client_need_not_wait_for_connack() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut peer = broker.raw(v).await;
        let all = [
            broker.plain(v, "eager").bytes(),
            subscribe(v, 5, &[], &[(broker.t("x").as_bytes(), 0)]),
            message(broker.t("x"), "hello", 0).bytes(v),
            PINGREQ.to_vec(),
        ];
        peer.send(&all.concat()).await;
        assert!(matches!(peer.next().await, Got::ConnAck { code: 0, .. }));
        peer.wait(|got| *got == Got::Pong).await;
        peer.wait(|got| matches!(got, Got::SubAck { id: 5, .. })).await;
        peer.expect("hello").await;
    }
}

#[tokio::test]
async fn the_older_connection_of_a_client_id_is_closed() {
    for (older, newer) in [(3, 4), (4, 4), (4, 5), (5, 4), (5, 5)] {
        let broker = broker().await;
        let mut first = broker.client(older, "same").await;
        let mut second = broker.client(newer, "same").await;
        first.cut_off(&[0x8E]).await;
        second.silent().await;
        let mut other = broker.client(newer, "another").await;
        second.silent().await;
        other.silent().await;
    }
}

#[tokio::test]
async fn a_silent_client_is_closed_after_one_and_a_half_keep_alives_as_if_it_had_vanished() {
    let broker = broker().await;
    let mut reader = broker.client(4, "reader").await;
    reader.subscribe(broker.t("will/+"), 0).await;
    let mut silent = Vec::new();
    for v in [3, 4, 5] {
        let connect = broker.plain(v, &format!("silent{v}")).keep_alive(1);
        let topic = broker.t(&format!("will/{v}"));
        silent.push(broker.connect(&connect.will(&topic, "gone", 0, false, Vec::new())).await);
    }
    let mut without = broker.client(4, "without").await;
    let mut lively = broker.connect(&broker.plain(5, "lively").keep_alive(2)).await;
    let started = Instant::now();
    // What is tested takes time: a client that sends a packet now and then stays, one that does not goes.
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        lively.silent().await;
        if started.elapsed() < Duration::from_millis(1_000) {
            reader.silent().await;
        }
    }
    for peer in &mut silent {
        peer.cut_off(&[0x8D]).await;
        reader.expect("gone").await;
    }
    without.silent().await;
    lively.silent().await;
}

#[tokio::test]
async fn any_packet_counts_for_the_keep_alive() {
    let broker = broker().await;
    let mut peer = broker.connect(&broker.plain(4, "writer").keep_alive(2)).await;
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(3_500) {
        tokio::time::sleep(Duration::from_millis(600)).await;
        peer.send(&message(broker.t("x"), "x", 0).bytes(4)).await;
    }
    peer.silent().await;
}
