//! Wills: what is published when a client vanishes.

use rmqtt_codec::v5;

use crate::harness::{As, Got, House, filter, house, v};

async fn reader(house: &House) -> crate::harness::Client {
    let mut reader = house.connect(v(5, "reader").account("reader")).await;
    reader.subscribe("will/#", 1).await;
    reader
}

fn with_will(version: u8, qos: u8, retain: bool, delay: u32) -> As {
    As { will: Some(("will/x", "gone", qos, retain, delay)), ..v(version, "leaver") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_is_published_when_its_client_vanishes_and_only_then() {
    let house = house().await;
    for version in [4, 5] {
        let mut reader = reader(&house).await;
        house.connect(with_will(version, 1, false, 0)).await.goodbye().await;
        reader.fence().await;
        drop(house.connect(with_will(version, 1, false, 0)).await);
        let will = reader.expect("gone").await;
        assert!(will.qos.value() == 1 && !will.retain);
        // A broken packet is no goodbye either.
        let mut client = house.connect(with_will(version, 0, true, 0)).await;
        client.bytes(&[0, 0]).await;
        reader.expect("gone").await;
        let mut late = house.connect(v(version, "late")).await;
        late.subscribe("will/#", 0).await;
        assert!(late.expect("gone").await.retain);
        late.unsubscribe("will/#").await;
        late.retain("will/x", "", 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_can_ask_for_its_will_at_the_goodbye() {
    let house = house().await;
    let mut reader = reader(&house).await;
    let mut client = house.connect(with_will(5, 1, false, 0)).await;
    let disconnect = v5::Disconnect::new(v5::DisconnectReasonCode::DisconnectWithWillMessage);
    client.send5(v5::Packet::Disconnect(disconnect)).await;
    reader.expect("gone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_publishes_the_will_unless_it_is_delayed_and_the_session_goes_on() {
    let house = house().await;
    let mut reader = reader(&house).await;
    let _first = house.connect(with_will(5, 1, false, 0).staying()).await;
    let _second = house.connect(with_will(5, 1, false, 100).staying()).await;
    reader.expect("gone").await;
    let third = house.connect(v(5, "leaver").staying()).await;
    house.log.until(&["Disconnected", "took the session over"]).await;
    third.goodbye().await;
    reader.fence().await;
    // A clean start ends the session, so its delayed will is due.
    drop(house.connect(with_will(5, 1, false, 100).staying()).await);
    house.log.until(&["Disconnected", "the client closed"]).await;
    reader.fence().await;
    house.connect(v(5, "leaver")).await;
    reader.expect("gone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_will_is_void_once_its_client_is_back() {
    let house = house().await;
    let mut reader = reader(&house).await;
    drop(house.connect(with_will(5, 1, false, 100).staying()).await);
    house.log.until(&["Disconnected", "leaver"]).await;
    let (back, present) = house.connect_again(v(5, "leaver").staying()).await;
    assert!(present);
    back.goodbye().await;
    // The end of the session would make a will due that was still pending.
    house.connect(v(5, "leaver")).await.fence().await;
    reader.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_will_comes_later() {
    let house = house().await;
    let mut reader = reader(&house).await;
    drop(house.connect(with_will(5, 1, false, 1).staying()).await);
    house.log.until(&["Disconnected", "leaver"]).await;
    reader.fence().await;
    reader.expect("gone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_must_be_permitted_at_connect_and_when_it_fires() {
    let house = house().await;
    let mut reader = reader(&house).await;
    let client = house.connect(with_will(5, 1, false, 0)).await;
    house.rules.publish.lock().insert("ann".to_owned(), filter("will/#"));
    house.broker.permissions_changed();
    drop(client);
    house.log.until(&["PublishDenied", "will/x"]).await;
    reader.fence().await;
    for (version, code) in [(4, 5), (5, 0x87)] {
        let (_, got) = house.try_connect(with_will(version, 1, false, 0)).await;
        assert_eq!(got, Got::ConnAck { code, present: false });
    }
    assert!(house.log.has(&["Refused", "will/x"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_can_have_qos_2() {
    let house = house().await;
    for version in [4, 5] {
        let mut reader = house.connect(v(version, "reader").account("reader")).await;
        reader.subscribe("will/#", 2).await;
        drop(house.connect(with_will(version, 2, false, 0)).await);
        assert_eq!(reader.expect("gone").await.qos.value(), 2);
    }
}
