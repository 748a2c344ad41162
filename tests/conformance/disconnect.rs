//! PINGREQ and DISCONNECT.

use crate::{
    peer::{Faults, Tested, broker},
    wire::{Connect, DISCONNECT, Got, PINGREQ, disconnect, id, message, packet, property},
};

fn with_will(broker: &Tested, v: u8) -> Connect {
    broker.plain(v, "leaver").will(&broker.t("will"), "gone", 0, false, Vec::new())
}

#[tokio::test]
async fn every_pingreq_is_answered() {
    let broker = broker().await;
    for v in [3, 4, 5] {
        let mut peer = broker.client(v, "me").await;
        peer.send(&PINGREQ.repeat(20)).await;
        for _ in 0..20 {
            assert_eq!(peer.next().await, Got::Pong);
        }
        peer.silent().await;
    }
}

#[tokio::test]
async fn disconnect_closes_the_connection_and_discards_the_will() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("will"), 0).await;
        broker.connect(&with_will(&broker, v)).await.goodbye().await;
        reader.silent().await;
        if v == 5 {
            for bytes in [packet(0xE0, &[0]), disconnect(0, &[])] {
                let mut peer = broker.connect(&with_will(&broker, v)).await;
                peer.send(&bytes).await;
                assert_eq!(peer.next().await, Got::Closed);
                reader.silent().await;
            }
        }
    }
}

#[tokio::test]
async fn disconnect_with_another_code_publishes_the_will() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("will"), 0).await;
    for code in [0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99] {
        let mut peer = broker.connect(&with_will(&broker, 5)).await;
        peer.send(&disconnect(code, &property::text(id::REASON_STRING, "why"))).await;
        assert_eq!(peer.next().await, Got::Closed, "0x{code:02X}");
        reader.expect("gone").await;
    }
}

#[tokio::test]
async fn nothing_after_disconnect_is_processed() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 0).await;
        let mut peer = broker.client(v, "leaver").await;
        let publish = message(broker.t("x"), "late", 0).bytes(v);
        peer.send(&[&DISCONNECT[..], &publish].concat()).await;
        assert_eq!(peer.next().await, Got::Closed);
        reader.silent().await;
    }
}

#[tokio::test]
async fn a_broken_disconnect_is_no_disconnect() {
    let broker = broker().await;
    let expiry = property::four(id::SESSION_EXPIRY, 0);
    let mut faults = Faults::default();
    let rows: &[(&str, u8, Vec<u8>)] = &[
        ("reserved bits", 4, vec![0xE1, 0]),
        ("reserved bits", 5, vec![0xE1, 0]),
        ("reserved bits", 5, vec![0xE8, 2, 0, 0]),
        ("an unknown reason code", 5, vec![0xE0, 1, 0x01]),
        ("session expiry twice", 5, disconnect(0, &[&expiry[..], &expiry].concat())),
        ("a property of another packet", 5, disconnect(0, &property::two(id::TOPIC_ALIAS, 1))),
        ("an unknown property", 5, disconnect(0, &[0x7F, 1])),
        ("a payload", 4, vec![0xE0, 1, 0]),
    ];
    for (what, v, bytes) in rows {
        let mut reader = broker.client(4, "reader").await;
        reader.subscribe(broker.t("will"), 0).await;
        let mut peer = broker.connect(&with_will(&broker, *v)).await;
        peer.send(bytes).await;
        faults.note(&format!("{v}: {what}"), peer.ending(&[0x81, 0x82]).await);
        reader.handled().await;
        reader.send(&PINGREQ).await;
        let published = matches!(reader.next().await, Got::Publish(_));
        faults.note(&format!("{v}: {what}"), if published { Ok(()) } else { Err("no will".to_owned()) });
    }
    faults.none();
}

#[tokio::test]
async fn a_session_that_was_to_end_cannot_be_kept_at_disconnect() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    peer.send(&disconnect(0, &property::four(id::SESSION_EXPIRY, 10))).await;
    peer.cut_off(&[0x82]).await;
}
