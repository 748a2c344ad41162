//! CONNACK: session present, and what the server says it offers.

use sealwire::broker::Limits;

use crate::{
    peer::{broker, own_broker},
    wire::{Connect, Got, PUBCOMP, PUBREL, ack, id, message, property},
};

#[tokio::test]
async fn session_present_says_whether_there_was_a_session() {
    for v in [4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "me").staying();
        let first = broker.connect(&stays).await;
        assert!(!first.present, "{v}: there was none");
        first.goodbye().await;
        let again = broker.connect(&stays).await;
        assert!(again.present, "{v}: there was one");
        again.goodbye().await;
        let clean = broker.connect(&Connect { clean: true, ..stays.clone() }).await;
        assert!(!clean.present, "{v}: it was to be discarded");
        clean.goodbye().await;
    }
}

#[tokio::test]
async fn a_refusal_has_no_session_present_and_ends_the_connection() {
    let broker = own_broker(Limits::default()).await;
    for (v, code) in [(4, 4), (5, 0x86)] {
        let stays = broker.plain(v, "me").staying();
        broker.connect(&stays).await.goodbye().await;
        let wrong = Connect { username: Some("me".to_owned()), password: Some(b"wrong".to_vec()), ..stays };
        // That session present is 0 is checked wherever a CONNACK is read.
        assert_eq!(broker.refusal(v, &wrong.bytes(), &[code]).await, Ok(Some(code)));
    }
}

#[tokio::test]
async fn connack_comes_first_and_once() {
    for v in [4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "reader").staying();
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("x"), 1).await;
        reader.goodbye().await;
        broker.client(v, "writer").await.publish(&broker.t("x"), "waits", 1).await;
        // That CONNACK is first is what `connect` asks for.
        let mut reader = broker.connect(&stays).await;
        reader.expect("waits").await;
        reader.silent().await;
    }
}

#[tokio::test]
async fn what_connack_does_not_deny_is_there() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    let offers = |id| peer.connack.number(id) != Some(0);
    let [retain, wildcards, ids, shared] =
        [id::RETAIN_AVAILABLE, id::WILDCARD_AVAILABLE, id::SUBSCRIPTION_ID_AVAILABLE, id::SHARED_AVAILABLE]
            .map(offers);
    let max_qos = peer.connack.number(id::MAX_QOS).unwrap_or(2) as u8;
    for qos in 0..=max_qos {
        assert!(peer.publish_as(&message(broker.t("q"), "x", qos)).await < 0x80);
    }
    if retain {
        peer.retain(&broker.t("r"), "kept", 0).await;
        peer.subscribe(broker.t("r"), 0).await;
        peer.expect("kept").await;
        peer.retain(&broker.t("r"), "", 0).await;
        peer.expect("").await;
    }
    if wildcards {
        peer.subscribe(broker.t("w/+/#"), 0).await;
    }
    if ids {
        peer.subscribe_known_as(&broker.t("i"), 0, 7).await;
    }
    if shared {
        peer.subscribe(format!("$share/g/{}", broker.t("s")), 0).await;
    }
}

#[tokio::test]
async fn subscribing_with_qos_2_is_accepted_whatever_the_maximum() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    let max_qos = peer.connack.number(id::MAX_QOS).unwrap_or(2) as u8;
    for qos in 0..=2 {
        assert_eq!(peer.try_subscribe(broker.t("x"), qos, &[]).await, qos.min(max_qos));
    }
}

#[tokio::test]
async fn our_broker_offers_all_of_mqtt_5() {
    let broker = own_broker(Limits::default()).await;
    let peer = broker.client(5, "me").await;
    let denied: Vec<_> = [
        ("QoS 2", id::MAX_QOS),
        ("retained messages", id::RETAIN_AVAILABLE),
        ("wildcards", id::WILDCARD_AVAILABLE),
        ("subscription identifiers", id::SUBSCRIPTION_ID_AVAILABLE),
        ("shared subscriptions", id::SHARED_AVAILABLE),
    ]
    .into_iter()
    .filter(|(_, id)| peer.connack.number(*id).is_some_and(|value| *id == id::MAX_QOS || value == 0))
    .collect();
    assert!(denied.is_empty(), "not offered: {denied:?}");
    assert!(peer.connack.number(id::TOPIC_ALIAS_MAX).unwrap_or(0) > 0, "no topic aliases");
}

#[tokio::test]
async fn a_session_expiry_that_is_not_granted_is_told() {
    let broker = own_broker(Limits { max_session_expiry_secs: 60, ..Limits::default() }).await;
    for (asked, told) in [(u32::MAX, Some(60)), (61, Some(60)), (60, None), (0, None)] {
        let connect = broker.plain(5, "me").with(property::four(id::SESSION_EXPIRY, asked));
        assert_eq!(broker.connect(&connect).await.connack.number(id::SESSION_EXPIRY), told, "{asked}");
    }
}

#[tokio::test]
async fn response_information_and_an_authentication_method_come_only_when_asked_for() {
    let broker = broker().await;
    for connect in
        [broker.plain(5, "me"), broker.plain(5, "me").with(property::byte(id::REQUEST_RESPONSE_INFO, 0))]
    {
        let peer = broker.connect(&connect).await;
        assert!(!peer.connack.has(id::RESPONSE_INFO));
        assert!(!peer.connack.has(id::AUTH_METHOD) && !peer.connack.has(id::AUTH_DATA));
    }
    // To ask for it is no demand.
    let asking = broker.plain(5, "me").with(property::byte(id::REQUEST_RESPONSE_INFO, 1));
    broker.connect(&asking).await.silent().await;
}

#[tokio::test]
async fn a_refusal_fits_the_clients_maximum_packet_size() {
    let broker = own_broker(Limits::default()).await;
    let wrong = Connect {
        username: Some("me".to_owned()),
        password: Some(b"wrong".to_vec()),
        ..broker.plain(5, "a")
    };
    let (peer, got) = broker.try_connect(&wrong.with(property::four(id::MAX_PACKET, 20))).await;
    assert!(matches!(got, Got::ConnAck { code: 0x86, .. }), "{got:?}");
    assert!(peer.largest <= 20, "{} bytes", peer.largest);
}

#[tokio::test]
async fn a_welcome_fits_the_clients_maximum_packet_size_or_the_connection_ends() {
    let broker = broker().await;
    for maximum in [1, 4, 5, 8, 11, 16, 19, 40] {
        let connect = broker.plain(5, "me").with(property::four(id::MAX_PACKET, maximum));
        let (mut peer, got) = broker.try_connect(&connect).await;
        assert!(peer.largest <= maximum as usize, "{} bytes of {maximum}", peer.largest);
        match got {
            Got::Closed => assert!(maximum < 5 || !broker.ours, "no CONNACK within {maximum} bytes"),
            Got::ConnAck { code: 0, .. } => {
                peer.silent().await;
                peer.send(&ack(PUBREL, 9)).await;
                peer.acked(PUBCOMP, 9).await;
            }
            other => assert!(!broker.ours, "{other:?}"),
        }
        assert!(peer.largest <= maximum as usize, "{} bytes of {maximum}", peer.largest);
    }
    // Where the client must be told its id, there is no shorter answer.
    let unnamed = Connect { id: String::new(), ..broker.plain(5, "") };
    let (peer, got) = broker.try_connect(&unnamed.with(property::four(id::MAX_PACKET, 20))).await;
    assert!(!matches!(got, Got::ConnAck { code: 0, .. }) || !broker.ours, "{got:?}");
    assert!(peer.largest <= 20, "{} bytes", peer.largest);
}

#[tokio::test]
async fn the_keep_alive_of_the_client_holds_unless_the_server_says_otherwise() {
    let broker = broker().await;
    let mut peer = broker.connect(&broker.plain(5, "me").keep_alive(1)).await;
    if peer.connack.number(id::SERVER_KEEP_ALIVE).is_none() {
        peer.cut_off(&[0x8D]).await;
    }
}
