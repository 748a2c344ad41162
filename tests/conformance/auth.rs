//! AUTH: enhanced authentication is not offered, and is refused as the standard says.

use crate::{
    peer::{broker, own_broker},
    wire::{Got, id, packet, property},
};

#[tokio::test]
async fn an_authentication_method_that_is_not_known_is_refused() {
    let broker = broker().await;
    for method in ["SCRAM-SHA-256", "", "PLAIN"] {
        let connect = broker.plain(5, "me").with(property::text(id::AUTH_METHOD, method));
        let with_data = connect.clone().with(property::text(id::AUTH_DATA, "x"));
        for connect in [connect, with_data] {
            let outcome = broker.refusal(5, &connect.bytes(), &[0x8C, 0x87]).await;
            assert!(outcome.is_ok(), "{method:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn our_broker_names_the_bad_method_as_the_reason() {
    let broker = own_broker(Default::default()).await;
    let connect = broker.plain(5, "me").with(property::text(id::AUTH_METHOD, "SCRAM-SHA-256"));
    assert_eq!(broker.refusal(5, &connect.bytes(), &[0x8C]).await, Ok(Some(0x8C)));
}

#[tokio::test]
async fn auth_without_a_method_in_connect_ends_the_connection() {
    let broker = broker().await;
    let method = property::text(id::AUTH_METHOD, "X");
    let packets = [
        vec![0xF0, 0],
        packet(0xF0, &[0x18, 0]),
        packet(0xF0, &[&[0x19, method.len() as u8][..], &method].concat()),
    ];
    for bytes in packets {
        let mut peer = broker.client(5, "me").await;
        peer.send(&bytes).await;
        peer.cut_off(&[0x82, 0x81]).await;
    }
}

#[tokio::test]
async fn before_mqtt_5_auth_is_no_packet() {
    let broker = broker().await;
    for v in [3, 4] {
        let mut peer = broker.client(v, "me").await;
        peer.send(&[0xF0, 0]).await;
        assert_eq!(peer.next().await, Got::Closed);
    }
}
