//! Acknowledged means kept: what is on disk before an answer, what waits for nothing, and what is there after a kill.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rmqtt_codec::v5;
use sealwire::broker::{Change, Limits};
use tokio::time::timeout;

use crate::{
    harness::{As, Client, Got, House, filter, house_of, message, v},
    shelf::{Mood, Shelf},
};

async fn house_on(shelf: &Arc<Shelf>) -> House {
    house_of(Limits::default(), Arc::clone(shelf) as _).await
}

/// Nothing may have come. What could have come is on its way already, so that a moment is enough.
async fn silent(client: &mut Client) {
    let came = timeout(Duration::from_millis(60), client.next()).await;
    assert!(came.is_err(), "{came:?} before it was kept");
}

fn payload(got: &Got) -> (String, bool) {
    match got {
        Got::Publish(publish) => (String::from_utf8(publish.payload.to_vec()).unwrap(), publish.dup),
        other => panic!("no message but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_to_a_session_that_stays_is_acknowledged_once_it_is_kept_and_forwarded_before() {
    for version in [4, 5] {
        let shelf = Shelf::new();
        let house = house_on(&shelf).await;
        let mut reader = house.connect(v(version, "reader").staying()).await;
        reader.subscribe("t", 1).await;
        let mut writer = house.connect(v(version, "writer")).await;
        shelf.set(Mood::Waits);
        writer.send_publish(message("t", "x", 1)).await;
        assert_eq!(payload(&reader.next().await), ("x".into(), false));
        silent(&mut writer).await;
        assert!(shelf.queue("reader").is_empty());
        shelf.set(Mood::Keeps);
        assert_eq!(writer.next().await, Got::PubAck { id: 9, code: 0, reason: None });
        assert_eq!(shelf.queue("reader"), ["x"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_need_not_be_kept_waits_for_nothing_and_is_not_told_the_keeper() {
    let shelf = Shelf::new();
    shelf.set(Mood::Waits);
    let house = house_on(&shelf).await;
    for version in [4, 5] {
        let mut reader = house.connect(v(version, "reader")).await;
        reader.subscribe("t", 1).await;
        let mut writer = house.connect(v(version, "writer")).await;
        writer.publish("t", "zero", 0).await;
        assert_eq!(writer.publish("t", "one", 1).await, 0);
        reader.expect("zero").await;
        reader.expect("one").await;
        reader.unsubscribe("t").await;
        reader.goodbye().await;
    }
    // QoS 0 to a session that stays, and QoS 1 to its QoS 0 subscription.
    shelf.set(Mood::Keeps);
    let mut reader = house.connect(v(5, "stays").staying()).await;
    reader.subscribe("t", 0).await;
    shelf.set(Mood::Waits);
    let mut writer = house.connect(v(5, "writer")).await;
    writer.publish("t", "zero", 0).await;
    assert_eq!(writer.publish("t", "one", 1).await, 0);
    let told: Vec<_> = shelf.batches.lock().concat();
    assert!(matches!(told[..], [Change::Opened { .. }, Change::Subscribed { .. }]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_stays_its_subscriptions_and_their_end_are_answered_once_they_are_kept() {
    for version in [4, 5] {
        let shelf = Shelf::new();
        let house = house_on(&shelf).await;
        let stays = v(version, "me").staying();
        shelf.set(Mood::Waits);
        let mut client = house.raw(version).await;
        client.connect(stays.clone()).await;
        silent(&mut client).await;
        shelf.set(Mood::Keeps);
        assert_eq!(client.next().await, Got::ConnAck { code: 0, present: false });
        assert!(shelf.session("me").is_some());

        shelf.set(Mood::Waits);
        let options = v5::SubscriptionOptions { qos: 1.try_into().unwrap(), ..Default::default() };
        client.ask_subscribe("t", options, None).await;
        silent(&mut client).await;
        shelf.set(Mood::Keeps);
        assert!(matches!(client.next().await, Got::SubAck { .. }));
        assert_eq!(shelf.session("me").unwrap().subscriptions[0].0, filter("t"));

        client.unsubscribe("t").await;
        assert_eq!(shelf.session("me").unwrap().subscriptions, []);
        client.goodbye().await;
        shelf.until("away", |shelf| shelf.session("me").unwrap().left_ms.is_some()).await;

        // A clean start for a session that ends: the old one is gone before the client hears so.
        shelf.set(Mood::Waits);
        let mut client = house.raw(version).await;
        client.connect(v(version, "me")).await;
        silent(&mut client).await;
        shelf.set(Mood::Keeps);
        assert_eq!(client.next().await, Got::ConnAck { code: 0, present: false });
        assert!(shelf.session("me").is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retained_message_is_acknowledged_once_it_is_kept_and_so_is_its_end() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let mut writer = house.connect(v(5, "writer")).await;
    for (payload, kept) in [("on", 1), ("off", 1), ("", 0)] {
        shelf.set(Mood::Waits);
        let publish = rmqtt_codec::types::Publish { retain: true, ..message("lamp", payload, 1) };
        writer.send_publish(publish).await;
        silent(&mut writer).await;
        shelf.set(Mood::Keeps);
        assert!(matches!(writer.next().await, Got::PubAck { code: 0, .. }));
        assert_eq!(shelf.kept().retained.len(), kept);
    }
    // At QoS 0 nothing is promised, but it is kept all the same.
    writer.retain("lamp", "dim", 0).await;
    shelf.until("a retained QoS 0 message", |shelf| shelf.kept().retained.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_retained_messages_for_a_new_subscription_are_kept_before_it_is_granted_and_come_after() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let mut writer = house.connect(v(5, "writer")).await;
    writer.retain("t", "retained", 1).await;
    let mut reader = house.connect(v(5, "reader").staying()).await;
    shelf.set(Mood::Waits);
    let options = v5::SubscriptionOptions { qos: 1.try_into().unwrap(), ..Default::default() };
    reader.ask_subscribe("t", options, None).await;
    silent(&mut reader).await;
    writer.publish("t", "zero", 0).await;
    silent(&mut reader).await;
    shelf.set(Mood::Keeps);
    assert!(matches!(reader.next().await, Got::SubAck { .. }));
    assert_eq!(shelf.queue("reader"), ["retained"]);
    assert!(reader.expect("retained").await.retain);
    reader.expect("zero").await;
    shelf.until("an empty queue", |shelf| shelf.queue("reader").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_commit_serves_all_that_was_read_at_once_and_all_that_came_meanwhile() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    house.connect(v(4, "reader").staying()).await.subscribe("t", 1).await;
    let before = shelf.batches.lock().len();
    let mut one = house.connect(v(4, "one")).await;
    let mut two = house.connect(v(4, "two")).await;
    shelf.set(Mood::Waits);
    one.send_publish(message("t", "first", 1)).await;
    shelf.until("the first commit", |shelf| shelf.batches.lock().iter().flatten().any(is_queued)).await;
    let many: Vec<u8> = (1..=100u16)
        .flat_map(|id| [[0x32, 6, 0, 1, b't'].as_slice(), &id.to_be_bytes(), b"x"].concat())
        .collect();
    two.bytes(&many).await;
    house.log.until(&["Connected", "two"]).await;
    silent(&mut two).await;
    shelf.set(Mood::Keeps);
    assert!(matches!(one.next().await, Got::PubAck { .. }));
    for id in 1..=100 {
        assert_eq!(two.next().await, Got::PubAck { id, code: 0, reason: None });
    }
    assert_eq!(shelf.queue("reader").len(), 101);
    let commits = shelf.batches.lock()[before..].iter().filter(|batch| batch.iter().any(is_queued)).count();
    assert!((2..=4).contains(&commits), "{commits} commits for 101 publishes");
}

fn is_queued(change: &Change) -> bool {
    matches!(change, Change::Queued { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_is_refused_and_works_again_when_it_can() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let mut reader = house.connect(v(5, "reader").staying()).await;
    reader.subscribe("t", 1).await;
    let mut new = house.connect(v(5, "new")).await;
    let mut old = house.connect(v(4, "old")).await;
    shelf.set(Mood::Fails);

    assert_eq!(new.publish("t", "first", 1).await, 0x97);
    assert!(house.log.has(&["PublishDenied", "cannot write to its disk"]));
    assert_eq!(payload(&reader.next().await).0, "first", "the live are given what was tried");
    // Then nobody is given what would be refused anyway, and a client that cannot be told is cut off.
    assert_eq!(new.publish("t", "second", 1).await, 0x97);
    assert_eq!(new.retain("r", "second", 1).await, 0x97);
    old.send_publish(message("t", "third", 1)).await;
    assert_eq!(old.next().await, Got::Closed);
    reader.fence().await;
    assert_eq!(house.broker.stats().not_kept, 4);
    // What need not be kept goes on.
    assert_eq!(new.publish("other", "x", 1).await, 0x10);
    new.publish("t", "zero", 0).await;
    assert_eq!(payload(&reader.next().await).0, "zero");
    // Nobody is let in with a session that would not stay, and no subscription is granted that would not.
    let (_, got) = house.try_connect(v(5, "third").staying()).await;
    assert_eq!(got, Got::ConnAck { code: 0x88, present: false });
    let (_, got) = house.try_connect(v(4, "fourth").staying()).await;
    assert_eq!(got, Got::ConnAck { code: 3, present: false });
    assert_eq!(house.broker.stats().sessions, 2, "reader and new");
    let options = v5::SubscriptionOptions { qos: 1.try_into().unwrap(), ..Default::default() };
    reader.ask_subscribe("more", options, None).await;
    reader.ended_with(0x97).await;

    shelf.set(Mood::Keeps);
    let again = async { while new.publish("t", "again", 1).await != 0 {} };
    timeout(crate::harness::PATIENCE, again).await.expect("it recovers");
    assert_eq!(shelf.queue("reader"), ["again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_breaks_down_leaves_nobody_waiting() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let mut reader = house.connect(v(5, "reader").staying()).await;
    reader.subscribe("t", 1).await;
    let mut writer = house.connect(v(5, "writer")).await;
    shelf.set(Mood::Panics);
    assert_eq!(writer.publish("t", "x", 1).await, 0x97);
    let (_, got) = house.try_connect(v(5, "third").staying()).await;
    assert_eq!(got, Got::ConnAck { code: 0x88, present: false });
    assert_eq!(writer.publish("elsewhere", "x", 1).await, 0x10);
    house.broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_sessions_queues_and_retained_messages_are_there() {
    for version in [4, 5] {
        let shelf = Shelf::new();
        let stays = v(version, "reader").staying();
        {
            let house = house_on(&shelf).await;
            let mut reader = house.connect(stays.clone()).await;
            reader.subscribe("t/#", 1).await;
            reader.subscribe("gone", 1).await;
            reader.unsubscribe("gone").await;
            let mut writer = house.connect(v(version, "writer")).await;
            for payload in ["one", "two", "three"] {
                writer.publish("t/x", payload, 1).await;
            }
            let acknowledged = reader.expect("one").await;
            reader.expect("two").await;
            assert_eq!(payload(&reader.next().await).0, "three", "which is not acknowledged");
            assert!(!acknowledged.dup);
            reader.fence().await;
            shelf.until("the acknowledgements", |shelf| shelf.queue("reader") == ["three"]).await;
            drop(reader);
            house.log.until(&["Disconnected", "reader"]).await;
            writer.publish("t/x", "four", 1).await;
            writer.retain("lamp", "on", 1).await;
            writer.retain("gone", "on", 1).await;
            writer.retain("gone", "", 1).await;
        }
        // Nothing of the first broker is asked any more.
        let house = house_on(&shelf).await;
        let stats = house.broker.stats();
        assert_eq!((stats.sessions, stats.subscriptions, stats.retained), (1, 1, 1));
        let mut writer = house.connect(v(version, "writer")).await;
        writer.publish("t/y", "five", 1).await;
        writer.publish("gone", "not for them", 1).await;
        let (mut reader, present) = house.connect_again(stays).await;
        assert!(present);
        for (wanted, dup) in [("three", true), ("four", true), ("five", false)] {
            assert_eq!(reader.expect(wanted).await.dup, dup, "{wanted}: it may have been sent before");
        }
        reader.subscribe("lamp", 1).await;
        assert!(reader.expect("on").await.retain);
        reader.fence().await;
        shelf.until("an empty queue", |shelf| shelf.queue("reader").is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_goes_on_while_the_broker_does_not_run() {
    let shelf = Shelf::new();
    {
        let house = house_on(&shelf).await;
        for (id, expiry) in [("short", 1), ("long", 3600)] {
            let mut client = house.connect(As { expiry, ..v(5, id).staying() }).await;
            client.subscribe("t", 1).await;
            client.goodbye().await;
        }
        let mut writer = house.connect(v(5, "writer")).await;
        for (payload, seconds) in [("brief", Some(1)), ("lasting", Some(1000)), ("for ever", None)] {
            let properties = v5::PublishProperties {
                message_expiry_interval: seconds.and_then(|seconds: u32| seconds.try_into().ok()),
                ..Default::default()
            };
            let publish =
                rmqtt_codec::types::Publish { properties: Some(properties), ..message("t", payload, 1) };
            writer.send_publish(publish).await;
            writer.next().await;
        }
    }
    shelf.until("both are away", |shelf| shelf.kept().sessions.iter().all(|s| s.left_ms.is_some())).await;
    // The only way to let time pass for a broker that does not run.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let house = house_on(&shelf).await;
    let (_, present) = house.connect_again(v(5, "short").staying()).await;
    assert!(!present);
    let (mut long, present) = house.connect_again(v(5, "long").staying()).await;
    assert!(present);
    let lasting = long.expect("lasting").await;
    let left = lasting.properties.unwrap().message_expiry_interval.unwrap().get();
    assert!((990..1000).contains(&left), "{left} s");
    long.expect("for ever").await;
    long.fence().await;
    shelf
        .until("nothing waits", |shelf| shelf.queue("long").is_empty() && shelf.queue("short").is_empty())
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_kill_cut_off_is_kept_for_its_time_from_the_next_start() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let client = house.connect(v(5, "me").staying()).await;
    assert_eq!(shelf.session("me").unwrap().left_ms, None);
    let next = house_on(&shelf).await;
    shelf.until("a time", |shelf| shelf.session("me").unwrap().left_ms.is_some()).await;
    let left = shelf.session("me").unwrap().left_ms.unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    assert!(now - u128::from(left) < 10_000);
    let (_, present) = next.connect_again(v(5, "me").staying()).await;
    assert!(present);
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_session_that_stays_is_on_disk_and_one_that_is_taken_up_for_a_last_connection_no_more() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let mut client = house.connect(v(5, "me")).await;
    client.subscribe("t", 1).await;
    let mut writer = house.connect(v(5, "writer")).await;
    writer.publish("t", "one", 1).await;
    assert_eq!(payload(&client.next().await).0, "one", "which is not acknowledged");
    assert!(shelf.session("me").is_none());
    let (mut client, present) = house.connect_again(v(5, "me").staying()).await;
    assert!(!present, "it ended with its connection");
    assert_eq!((shelf.queue("me"), shelf.session("me").unwrap().subscriptions.len()), (Vec::new(), 0));
    client.subscribe("t", 1).await;
    writer.publish("t", "two", 1).await;
    assert_eq!(shelf.queue("me"), ["two"]);

    // For this connection only.
    let (client, present) = house.connect_again(As { clean: false, ..v(5, "me") }).await;
    assert!(present);
    assert!(shelf.session("me").is_none());
    let (_client, present) = house.connect_again(v(5, "me").staying()).await;
    assert!(!present);
    assert_eq!(shelf.queue("me"), Vec::<String>::new());
    drop(client);
    house.broker.forget("ann");
    shelf.until("nothing", |shelf| shelf.kept().sessions.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_restored_is_permitted_before_it_is_delivered() {
    let shelf = Shelf::new();
    {
        let house = house_on(&shelf).await;
        let mut reader = house.connect(v(5, "reader").staying()).await;
        for topic in ["a", "b", "c"] {
            reader.subscribe(topic, 1).await;
        }
        reader.goodbye().await;
        let mut writer = house.connect(v(5, "writer")).await;
        for topic in ["a", "b", "c"] {
            writer.publish(topic, topic, 1).await;
        }
    }
    let house = house_on(&shelf).await;
    house.rules.deliver.lock().insert("ann".into(), filter("a"));
    house.rules.subscribe.lock().insert("ann".into(), filter("b"));
    let mut writer = house.connect(v(5, "writer").account("bob")).await;
    writer.publish("b", "not subscribed any more", 1).await;
    let mut reader = house.connect(v(5, "reader").staying()).await;
    reader.expect("b").await;
    reader.expect("c").await;
    reader.fence().await;
    shelf.until("nothing waits", |shelf| shelf.queue("reader").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_last_is_kept_when_the_broker_shuts_down() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let mut reader = house.connect(v(5, "reader").staying()).await;
    reader.subscribe("t", 1).await;
    let mut writer = house.connect(v(5, "writer")).await;
    writer.publish("t", "x", 1).await;
    reader.expect("x").await;
    reader.fence().await;
    house.broker.shutdown().await;
    let session = shelf.session("reader").unwrap();
    assert!(session.left_ms.is_some());
    assert_eq!(session.queue, []);
}
