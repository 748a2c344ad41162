//! Fixed headers and lengths, before any packet is understood.

use sealwire::broker::Limits;

use crate::{
    peer::{Faults, broker, own_broker},
    wire::{Got, PINGREQ, id, message, packet, subscribe, text},
};

#[tokio::test]
async fn reserved_flags_must_be_what_the_table_says() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [4, 5] {
        let none: &[u8] = if v == 5 { &[0] } else { &[] };
        let filter = [&[0, 1][..], none, &text("a")].concat();
        let subscribing = [&filter[..], &[0]].concat();
        let rows: &[(&str, u8, &[u8], &[u8])] = &[
            ("SUBSCRIBE", 0x80, &subscribing, &[0, 1, 3, 6, 10, 15]),
            ("UNSUBSCRIBE", 0xA0, &filter, &[0, 1, 3, 6, 10, 15]),
            ("PUBACK", 0x40, &[0, 1], &[1, 2, 8, 15]),
            ("PUBREC", 0x50, &[0, 1], &[1, 2, 8, 15]),
            ("PUBREL", 0x60, &[0, 1], &[0, 1, 3, 6, 10, 15]),
            ("PUBCOMP", 0x70, &[0, 1], &[1, 2, 8, 15]),
            ("PINGREQ", 0xC0, &[], &[1, 2, 8, 15]),
            ("DISCONNECT", 0xE0, &[], &[1, 2, 8, 15]),
        ];
        for (what, kind, body, flags) in rows {
            for flags in *flags {
                let mut peer = broker.client(v, "me").await;
                peer.send(&packet(kind | flags, body)).await;
                let outcome = peer.ending(&[0x81, 0x82]).await;
                faults.note(&format!("{v}: {what} with flags {flags:04b}"), outcome);
            }
        }
        for flags in [1, 2, 8, 15] {
            let mut connect = broker.plain(v, "me").bytes();
            connect[0] |= flags;
            let codes: &[u8] = if v == 5 { &[0x81, 0x82] } else { &[] };
            let outcome = broker.refusal(v, &connect, codes).await;
            faults.note(&format!("{v}: CONNECT with flags {flags:04b}"), outcome.map(drop));
        }
    }
    for flags in [1, 2, 8, 15] {
        let mut peer = broker.client(5, "me").await;
        peer.send(&[0xF0 | flags, 0]).await;
        faults.note(&format!("AUTH with flags {flags:04b}"), peer.ending(&[0x81, 0x82]).await);
    }
    faults.none();
}

#[tokio::test]
async fn packets_that_clients_do_not_send_end_the_connection() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [3, 4, 5] {
        let rows: &[(&str, &[u8])] = &[
            ("type 0", &[0, 0]),
            ("CONNACK", if v == 5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] }),
            ("SUBACK", if v == 5 { &[0x90, 4, 0, 1, 0, 0] } else { &[0x90, 3, 0, 1, 0] }),
            ("UNSUBACK", if v == 5 { &[0xB0, 4, 0, 1, 0, 0] } else { &[0xB0, 2, 0, 1] }),
            ("PINGRESP", &[0xD0, 0]),
        ];
        for (what, bytes) in rows {
            let mut peer = broker.client(v, "me").await;
            peer.send(bytes).await;
            faults.note(&format!("{v}: {what}"), peer.ending(&[0x81, 0x82]).await);
        }
    }
    faults.none();
}

#[tokio::test]
async fn packets_of_a_wrong_length_end_the_connection() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [3, 4, 5] {
        let none: &[u8] = if v == 5 { &[0] } else { &[] };
        let mut rows = vec![
            ("a remaining length of five bytes", vec![0xC0, 0x80, 0x80, 0x80, 0x80, 0x01]),
            ("a remaining length of five bytes of ones", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
            ("PINGREQ with a body", vec![0xC0, 1, 0]),
            ("PUBACK of one byte", vec![0x40, 1, 0]),
            ("PUBACK of nothing", vec![0x40, 0]),
            ("PUBREL of one byte", vec![0x62, 1, 0]),
            ("SUBSCRIBE without a packet id", vec![0x82, 0]),
            ("SUBSCRIBE without options", packet(0x82, &[&[0, 1][..], none, &text("a")].concat())),
            ("a filter that is cut short", packet(0x82, &[&[0, 1][..], none, &[0, 9, b'a', 0]].concat())),
            ("UNSUBSCRIBE without a packet id", vec![0xA2, 0]),
            ("a filter with half a length", packet(0xA2, &[&[0, 1][..], none, &[0]].concat())),
        ];
        if v == 5 {
            rows.extend([
                ("a property length of five bytes", packet(0x30, b"\0\x01a\x80\x80\x80\x80\x01")),
                ("a property length over the packet", packet(0x82, &[0, 1, 9, 0, 1, b'a', 0])),
                ("DISCONNECT with half a list", vec![0xE0, 2, 0, 5]),
                ("PUBACK with half a list", vec![0x40, 4, 0, 1, 0, 5]),
            ]);
        } else {
            rows.push(("PUBACK of three bytes", vec![0x40, 3, 0, 1, 0]));
        }
        for (what, bytes) in rows {
            let mut peer = broker.client(v, "me").await;
            peer.send(&bytes).await;
            faults.note(&format!("{v}: {what}"), peer.ending(&[0x81, 0x82]).await);
        }
    }
    faults.none();
}

#[tokio::test]
async fn a_variable_byte_integer_takes_no_more_bytes_than_it_needs() {
    let broker = broker().await;
    let mut faults = Faults::default();
    let rows: &[(&str, &[u8])] = &[
        ("the remaining length", &[0xC0, 0x80, 0]),
        ("a property length", b"\x30\x06\0\x01a\x80\x00x"),
        ("a subscription identifier", &[0x82, 10, 0, 1, 3, id::SUBSCRIPTION_ID, 0x81, 0, 0, 1, b'a', 0]),
    ];
    for (what, bytes) in rows {
        let mut peer = broker.client(5, "me").await;
        peer.send(bytes).await;
        faults.note(what, peer.ending(&[0x81, 0x82]).await);
    }
    faults.none();
}

#[tokio::test]
async fn packets_are_packets_however_the_bytes_come() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut peer = broker.raw(v).await;
        let bytes = [
            broker.plain(v, "slow").bytes(),
            subscribe(v, 1, &[], &[(broker.t("x").as_bytes(), 0)]),
            message(broker.t("x"), "y".repeat(200), 0).bytes(v),
            PINGREQ.to_vec(),
        ]
        .concat();
        for byte in &bytes {
            peer.send(&[*byte]).await;
        }
        assert!(matches!(peer.next().await, Got::ConnAck { code: 0, .. }));
        peer.wait(|got| *got == Got::Pong).await;
        peer.wait(|got| matches!(got, Got::SubAck { .. })).await;
        peer.expect(&"y".repeat(200)).await;
    }
}

#[tokio::test]
async fn the_servers_maximum_packet_size_is_what_it_takes() {
    let broker = own_broker(Limits { max_packet_bytes: 1_000, ..Limits::default() }).await;
    let mut peer = broker.client(5, "me").await;
    let maximum = peer.connack.number(id::MAX_PACKET).expect("a maximum packet size") as usize;
    let around = message("t", "", 1).bytes(5).len() + 1;
    let of = |size: usize| message("t", "x".repeat(size - around), 1);
    assert_eq!(of(maximum).bytes(5).len(), maximum);
    assert!(peer.publish_as(&of(maximum)).await < 0x80);
    peer.send(&of(maximum + 1).bytes(5)).await;
    peer.cut_off(&[0x95]).await;
    let mut peer = broker.client(4, "me").await;
    peer.send(&message("t", "x".repeat(5_000), 0).bytes(4)).await;
    peer.cut_off(&[]).await;
}
