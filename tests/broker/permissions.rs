//! What the authority says is done, at once and by every route.

use rmqtt_codec::types::Publish;

use crate::harness::{As, Got, filter, house, message, v};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_publish_is_told_to_mqtt_5_and_dropped_by_all() {
    let house = house().await;
    house.rules.publish.lock().insert("ann".to_owned(), filter("secret/#"));
    let mut reader = house.connect(v(5, "reader").account("bob")).await;
    reader.subscribe("#", 1).await;
    let mut five = house.connect(v(5, "five")).await;
    five.send_publish(message("secret/x", "x", 1)).await;
    let reason = Some("the role may not publish here".to_owned());
    assert_eq!(five.next().await, Got::PubAck { id: 9, code: 0x87, reason });
    five.publish("secret/x", "x", 0).await;
    five.send_publish(Publish { retain: true, ..message("secret/x", "x", 1) }).await;
    five.next().await;
    let mut terse = house.connect(As { problem_info: false, ..v(5, "terse") }).await;
    terse.send_publish(message("secret/x", "x", 1)).await;
    assert_eq!(terse.next().await, Got::PubAck { id: 9, code: 0x87, reason: None });
    let mut four = house.connect(v(4, "four")).await;
    assert_eq!(four.publish("secret/x", "x", 1).await, 0);
    reader.fence().await;
    assert_eq!(house.broker.stats().retained, 0);
    assert!(house.log.has(&["PublishDenied", "five", "secret/x", "may not publish"]));
    assert!(house.log.has(&["PublishDenied", "four"]));
    assert!(!house.log.has(&["Published"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_subscribe_says_why() {
    let house = house().await;
    house.rules.subscribe.lock().insert("ann".to_owned(), filter("secret/#"));
    let mut five = house.connect(v(5, "five")).await;
    five.ask_subscribe("secret/+", Default::default(), None).await;
    let reason = Some("the role may not subscribe here".to_owned());
    assert_eq!(five.next().await, Got::SubAck { codes: vec![0x87], reason });
    let mut four = house.connect(v(4, "four")).await;
    assert_eq!(four.subscribe("secret/+", 1).await, 0x80);
    let mut three = house.connect(v(3, "three")).await;
    assert_eq!(three.subscribe("secret/+", 1).await, 0, "MQTT 3.1 has no refusal");
    house.connect(v(4, "writer")).await.publish("secret/x", "x", 1).await;
    for client in [&mut five, &mut four, &mut three] {
        client.fence().await;
    }
    assert!(house.log.has(&["SubscribeDenied", "three", "may not subscribe"]));
    assert_eq!(house.broker.stats().subscriptions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_is_checked_whatever_the_subscription_was() {
    let house = house().await;
    let mut writer = house.connect(v(4, "writer").account("writer")).await;
    writer.retain("secret/kept", "kept", 1).await;
    house.rules.deliver.lock().insert("ann".to_owned(), filter("secret/#"));
    let mut ann = house.connect(v(5, "a")).await;
    let mut bob = house.connect(v(5, "b").account("bob")).await;
    for client in [&mut ann, &mut bob] {
        client.subscribe("#", 1).await;
    }
    bob.expect("kept").await;
    writer.publish("secret/live", "live", 1).await;
    bob.expect("live").await;
    ann.fence().await;
    assert!(house.log.has(&["DeliveryDenied", "ann", "secret/kept"]));
    assert!(house.log.has(&["DeliveryDenied", "ann", "secret/live"]));
    writer.publish("open", "open", 1).await;
    ann.expect("open").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_is_checked_again_when_its_client_comes_back() {
    let house = house().await;
    let stays = v(5, "reader").staying();
    let mut reader = house.connect(stays.clone()).await;
    reader.subscribe("#", 1).await;
    let mut writer = house.connect(v(4, "writer").account("writer")).await;
    writer.publish("secret/sent", "sent, not acknowledged", 1).await;
    reader.message().await;
    drop(reader);
    house.log.until(&["Disconnected", "reader"]).await;
    writer.publish("secret/waits", "waits", 1).await;
    writer.publish("open", "open", 1).await;
    // Even if nobody announced the change.
    house.rules.deliver.lock().insert("ann".to_owned(), filter("secret/#"));
    let mut reader = house.connect(stays).await;
    reader.expect("open").await;
    reader.fence().await;
    assert!(house.log.has(&["DeliveryDenied", "secret/sent"]));
    assert!(house.log.has(&["DeliveryDenied", "secret/waits"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_permissions_reaches_live_sessions_at_once() {
    let house = house().await;
    let mut reader = house.connect(As { receive_max: Some(1), ..v(5, "reader") }).await;
    reader.subscribe("t/#", 1).await;
    let mut writer = house.connect(v(5, "writer").account("writer")).await;
    writer.publish("t/x", "sent", 1).await;
    writer.publish("t/x", "waits for the window", 1).await;
    let sent = reader.message().await;

    house.rules.subscribe.lock().insert("ann".to_owned(), filter("t/#"));
    house.rules.deliver.lock().insert("ann".to_owned(), filter("t/#"));
    house.broker.permissions_changed();
    writer.publish("t/x", "too late", 1).await;
    reader.ack(sent.packet_id.unwrap().get()).await;
    reader.fence().await;

    house.rules.deliver.lock().clear();
    house.broker.permissions_changed();
    writer.publish("t/x", "the subscription is not permitted", 1).await;
    reader.fence().await;

    house.rules.subscribe.lock().clear();
    house.broker.permissions_changed();
    writer.publish("t/x", "again", 1).await;
    reader.expect("again").await;

    house.rules.publish.lock().insert("writer".to_owned(), filter("t/#"));
    house.broker.permissions_changed();
    assert_eq!(writer.publish("t/x", "no more", 1).await, 0x87);
    reader.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_is_told_so() {
    let house = house().await;
    for (version, code) in [(3, 4), (4, 4), (5, 0x86)] {
        let how = As { password: Some("wrong"), ..v(version, "x") };
        let (mut client, got) = house.try_connect(how).await;
        assert_eq!(got, Got::ConnAck { code, present: false });
        assert_eq!(client.next().await, Got::Closed);
    }
    assert!(house.log.has(&["Refused", "ann", "BadCredentials"]));
    assert!(!house.log.has(&["wrong\""]), "no password in an event");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_can_be_ended_from_outside() {
    let house = house().await;
    let mut ann = house.connect(v(5, "a")).await;
    let mut old = house.connect(v(4, "o")).await;
    let mut bob = house.connect(v(5, "b").account("bob")).await;
    assert_eq!(house.broker.disconnect(|identity| &*identity.account == "ann", "the token was revoked"), 2);
    match ann.next().await {
        Got::Disconnect { code: 0x98, reason } => assert_eq!(reason.unwrap(), "the token was revoked"),
        other => panic!("{other:?}"),
    }
    assert_eq!(old.next().await, Got::Closed);
    bob.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_let_in_before_an_eviction_and_arrives_after_it_is_sent_away() {
    let house = house().await;
    let mut client = house.raw(5).await;
    client.connect(v(5, "x").account("late")).await;
    house.rules.asked.notified().await;
    assert_eq!(house.broker.disconnect(|identity| &*identity.account == "late", "revoked"), 0);
    house.rules.admit.notify_one();
    assert_eq!(client.next().await, Got::ConnAck { code: 0x89, present: false });
    assert_eq!(house.broker.stats().connections, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_account_leaves_no_session() {
    let house = house().await;
    let stays = v(5, "away").staying();
    let mut away = house.connect(stays.clone()).await;
    away.subscribe("t", 1).await;
    away.goodbye().await;
    let mut live = house.connect(v(5, "live").staying()).await;
    live.subscribe("t", 1).await;
    house.broker.forget("ann");
    live.ended_with(0x98).await;
    let stats = house.broker.stats();
    assert_eq!((stats.sessions, stats.subscriptions), (0, 0));
    let (_, present) = house.connect_again(stays).await;
    assert!(!present);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_says_goodbye_to_all() {
    let house = house().await;
    let mut five = house.connect(v(5, "five")).await;
    let mut four = house.connect(v(4, "four")).await;
    house.broker.shutdown().await;
    five.ended_with(0x8B).await;
    assert_eq!(four.next().await, Got::Closed);
    assert_eq!(house.broker.stats().connections, 0);
    assert!(tokio::net::TcpStream::connect(house.address).await.is_err(), "the port is free again");
}
