//! MQTT 3.1, where it is not 3.1.1. What both share is tested with both, in the other modules.

use sealwire::broker::Limits;

use crate::{
    peer::{NO_SUBSCRIBE, broker, own_broker},
    wire::{Connect, Got, PUBCOMP, PUBREC, ack, message, packet, subscribe, text, unsubscribe},
};

#[tokio::test]
async fn it_is_called_mqisdp_and_has_level_3() {
    let broker = broker().await;
    let connect = broker.plain(3, "me");
    let bytes = connect.bytes();
    assert_eq!(&bytes[2..11], b"\0\x06MQIsdp\x03");
    let (mut peer, got) = broker.try_connect(&connect).await;
    assert!(matches!(got, Got::ConnAck { flags: 0, code: 0, .. }), "{got:?}");
    peer.silent().await;
}

#[tokio::test]
async fn names_and_levels_go_together() {
    let broker = broker().await;
    for (name, level) in [("MQIsdp", 4), ("MQIsdp", 2), ("MQTT", 3)] {
        let body = [text(name), vec![level, 2, 0, 0], text("x")].concat();
        let outcome = broker.refusal(3, &packet(0x10, &body), &[1]).await;
        assert!(outcome.is_ok(), "{name} {level}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_client_id_of_1_to_23_characters_is_taken_and_none_is_told_so() {
    let broker = broker().await;
    for (length, code) in [(1, 0), (23, 0), (0, 2)] {
        let (_, got) = broker.try_connect(&Connect { id: "a".repeat(length), ..broker.plain(3, "") }).await;
        assert!(matches!(got, Got::ConnAck { code: got, .. } if got == code), "{length}: {got:?}");
    }
}

#[tokio::test]
async fn a_longer_client_id_is_taken_up_to_our_own_limit() {
    let broker = own_broker(Limits { max_client_id_bytes: 100, ..Limits::default() }).await;
    for (length, code) in [(24, 0), (100, 0), (101, 2)] {
        let (_, got) = broker.try_connect(&Connect { id: "a".repeat(length), ..broker.plain(3, "") }).await;
        assert!(matches!(got, Got::ConnAck { code: got, .. } if got == code), "{length}: {got:?}");
    }
}

#[tokio::test]
async fn connack_has_no_session_present() {
    let broker = broker().await;
    let stays = broker.plain(3, "me").staying();
    let mut peer = broker.connect(&stays).await;
    peer.subscribe(broker.t("x"), 1).await;
    peer.goodbye().await;
    broker.client(3, "writer").await.publish(&broker.t("x"), "waits", 1).await;
    let mut peer = broker.connect(&stays).await;
    assert!(!peer.present, "the byte is reserved");
    peer.expect("waits").await;
}

#[tokio::test]
async fn suback_cannot_refuse() {
    let broker = own_broker(Default::default()).await;
    let mut peer = broker.client(3, "me").await;
    let code = peer.try_subscribe(NO_SUBSCRIBE, 1, &[]).await;
    assert!(code <= 2, "0x{code:02X}");
    broker.client(4, "writer").await.publish(NO_SUBSCRIBE, "x", 1).await;
    peer.silent().await;
}

#[tokio::test]
async fn a_username_may_be_missing_although_its_flag_is_set() {
    let broker = broker().await;
    let username = text("ann");
    for (flags, given) in [(0x82, &[][..]), (0xC2, &[]), (0xC2, &username)] {
        let id = text(broker.id("me"));
        let body = [&text("MQIsdp")[..], &[3, flags, 0, 0], &id, given].concat();
        let mut peer = broker.raw(3).await;
        peer.send(&packet(0x10, &body)).await;
        let got = peer.next().await;
        assert!(matches!(got, Got::ConnAck { code: 0, .. }), "flags 0x{flags:02X}: {got:?}");
    }
}

#[tokio::test]
async fn subscribe_unsubscribe_and_pubrel_may_be_marked_as_sent_again() {
    let broker = broker().await;
    let mut peer = broker.client(3, "me").await;
    let dup = |mut bytes: Vec<u8>| {
        bytes[0] |= 8;
        bytes
    };
    peer.send(&dup(subscribe(3, 5, &[], &[(broker.t("x").as_bytes(), 1)]))).await;
    assert!(matches!(peer.next().await, Got::SubAck { id: 5, .. }));
    peer.send(&message(broker.t("y"), "x", 2).id(6).bytes(3)).await;
    peer.acked(PUBREC, 6).await;
    peer.send(&dup(ack(0x62, 6))).await;
    peer.acked(PUBCOMP, 6).await;
    peer.send(&dup(unsubscribe(3, 7, &[&broker.t("x")]))).await;
    assert!(matches!(peer.next().await, Got::UnsubAck { id: 7, .. }));
}

#[tokio::test]
async fn wrong_credentials_have_their_return_code() {
    let broker = own_broker(Default::default()).await;
    let connect = broker.plain(3, "me");
    let (username, password) = (Some("ann".to_owned()), Some(b"wrong".to_vec()));
    let bytes = Connect { username, password, ..connect }.bytes();
    assert_eq!(broker.refusal(3, &bytes, &[4]).await, Ok(Some(4)));
}
