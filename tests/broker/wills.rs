//! Wills: what is published when a client vanishes.

use std::{sync::Arc, time::Duration};

use rmqtt_codec::v5;
use sealwire::broker::Limits;

use crate::{
    harness::{As, Got, House, filter, house, house_of, v},
    shelf::Shelf,
};

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

/// A broker that gives clients as long as they want to come back.
async fn house_on(shelf: &Arc<Shelf>, will_grace: Duration) -> House {
    house_of(Limits { will_grace, ..Limits::default() }, Arc::clone(shelf) as _).await
}

const NO_GRACE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_is_kept_while_it_may_be_needed_and_no_longer() {
    let shelf = Shelf::new();
    let house = house_on(&shelf, LONG).await;
    for version in [4, 5] {
        let client = house.connect(with_will(version, 1, false, 0)).await;
        shelf.until("the will", |shelf| shelf.kept().wills.len() == 1).await;
        client.goodbye().await;
        shelf.until("no will after a goodbye", |shelf| shelf.kept().wills.is_empty()).await;
        let client = house.connect(with_will(version, 1, true, 0)).await;
        shelf.until("the will", |shelf| shelf.kept().wills.len() == 1).await;
        drop(client);
        shelf.until("it was published", |shelf| shelf.kept().retained.len() == 1).await;
        shelf.until("no will once it was published", |shelf| shelf.kept().wills.is_empty()).await;
    }
    // Delayed, and void as the client comes back, without a will and with another.
    let first = house.connect(with_will(5, 1, false, 100).staying()).await;
    drop(first);
    shelf.until("the will", |shelf| shelf.kept().wills.len() == 1).await;
    house.log.until(&["Disconnected", "leaver"]).await;
    let back = house.connect(v(5, "leaver").staying()).await;
    shelf.until("none", |shelf| shelf.kept().wills.is_empty()).await;
    drop(back);
    let second = As { will: Some(("will/y", "other", 0, false, 100)), ..v(5, "leaver").staying() };
    let _one = house.connect(second.clone()).await;
    let _taken_over = house.connect(second).await;
    shelf.until("one", |shelf| shelf.kept().wills.len() == 1).await;
    assert_eq!(shelf.kept().wills[0].1.message.topic.as_str(), "will/y");
    house.broker.forget("ann");
    shelf.until("none", |shelf| shelf.kept().wills.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_wills_are_published_unless_their_clients_are_back_or_may_not() {
    for stays in [false, true] {
        let shelf = Shelf::new();
        {
            let house = house_on(&shelf, LONG).await;
            house.connect(v(5, "reader").account("reader").staying()).await.subscribe("#", 2).await;
            for (id, topic) in [("gone", "will/gone"), ("back", "will/back"), ("denied", "secret/x")] {
                let with_will = As { will: Some((topic, id, 2, true, 0)), ..v(5, id) };
                let how = if stays { with_will.staying() } else { with_will };
                // The process ends before the connection does.
                std::mem::forget(house.connect(how).await);
            }
            shelf.until("all wills", |shelf| shelf.kept().wills.len() == 3).await;
            std::mem::forget(house);
        }
        let shelf = shelf.copied();
        // One start in which nothing is due yet, and one client comes back.
        let house = house_on(&shelf, LONG).await;
        let back = if stays { v(5, "back").staying() } else { v(5, "back") };
        house.connect(back).await.goodbye().await;
        shelf.until("two wills", |shelf| shelf.kept().wills.len() == 2).await;
        let shelf = shelf.copied();
        let rules = crate::harness::Rules::default();
        rules.publish.lock().insert("ann".to_owned(), filter("secret/#"));
        let limits = Limits { will_grace: NO_GRACE, ..Limits::default() };
        let house = crate::harness::house_under(limits, Arc::clone(&shelf) as _, rules).await;
        shelf.until("no will", |shelf| shelf.kept().wills.is_empty()).await;
        house.log.until(&["PublishDenied", "secret/x"]).await;
        let mut reader = house.connect(v(5, "reader").account("reader").staying()).await;
        reader.expect("gone").await;
        reader.fence().await;
        assert_eq!(shelf.kept().retained.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_defers_wills_to_the_next_start() {
    let shelf = Shelf::new();
    let house = house_on(&shelf, LONG).await;
    let mut reader = house.connect(v(5, "reader").account("reader").staying()).await;
    reader.subscribe("will/#", 1).await;
    let _client = house.connect(with_will(5, 1, false, 0)).await;
    drop(house.connect(As { id: "delayed", ..with_will(5, 1, false, 100).staying() }).await);
    house.log.until(&["Disconnected", "delayed"]).await;
    house.broker.shutdown().await;
    assert_eq!((shelf.kept().wills.len(), shelf.queue("reader").len()), (2, 0));
    let house = house_on(&shelf, NO_GRACE).await;
    shelf.until("the one that is due", |shelf| shelf.queue("reader") == ["gone"]).await;
    shelf.until("one is left", |shelf| shelf.kept().wills.len() == 1).await;
    drop(house);
}
