//! Shared subscriptions: the members of a group take turns.

use std::sync::Arc;

use rmqtt_codec::v5::SubscriptionOptions;
use sealwire::broker::Limits;

use crate::{
    harness::{As, Client, Got, filter, house, house_of, id, message, v},
    shelf::Shelf,
};

/// The payloads that have come up to now, acknowledged.
async fn drain(client: &mut Client) -> Vec<String> {
    client.bytes(&[0xC0, 0]).await;
    let mut payloads = Vec::new();
    loop {
        match client.next().await {
            Got::Publish(publish) => {
                payloads.push(String::from_utf8(publish.payload.to_vec()).unwrap());
                if let Some(packet_id) = publish.packet_id {
                    client.ack(packet_id.get()).await;
                }
            }
            Got::Pong => return payloads,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_goes_to_one_member_of_each_group_in_turn_and_to_everybody_else() {
    let house = house().await;
    let mut members = Vec::new();
    for (version, name) in [(3, "a"), (4, "b"), (5, "c")] {
        let mut member = house.connect(v(version, name)).await;
        assert_eq!(member.subscribe("$share/team/t/+", 1).await, 1);
        members.push(member);
    }
    let mut other_group = house.connect(v(5, "d")).await;
    other_group.subscribe("$share/others/t/+", 1).await;
    // Another filter is another group, whatever the name.
    let mut other_filter = house.connect(v(5, "e")).await;
    other_filter.subscribe("$share/team/t/#", 1).await;
    let mut plain = house.connect(v(5, "f")).await;
    plain.subscribe("t/+", 1).await;
    assert_eq!(house.broker.stats().subscriptions, 6);
    let mut writer = house.connect(v(5, "writer")).await;
    for number in 0..9 {
        assert_eq!(writer.publish("t/x", &number.to_string(), 1).await, 0);
    }
    let mut all = Vec::new();
    for member in &mut members {
        let got = drain(member).await;
        assert_eq!(got.len(), 3, "{got:?}");
        all.extend(got);
    }
    all.sort();
    let every: Vec<_> = (0..9).map(|number| number.to_string()).collect();
    assert_eq!(all, every);
    for client in [&mut other_group, &mut other_filter, &mut plain] {
        assert_eq!(drain(client).await, every);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_go_on_when_a_member_leaves_or_vanishes() {
    let house = house().await;
    let (mut a, mut b, mut c) =
        (house.connect(v(5, "a")).await, house.connect(v(4, "b")).await, house.connect(v(5, "c")).await);
    for member in [&mut a, &mut b, &mut c] {
        member.subscribe("$share/g/t", 1).await;
    }
    let mut writer = house.connect(v(5, "writer")).await;
    assert_eq!(a.unsubscribe("$share/g/t").await, Got::UnsubAck { codes: vec![0] });
    b.goodbye().await;
    for payload in ["1", "2", "3"] {
        writer.publish("t", payload, 1).await;
    }
    assert_eq!(drain(&mut c).await, ["1", "2", "3"]);
    assert!(drain(&mut a).await.is_empty());
    c.goodbye().await;
    assert_eq!(writer.publish("t", "x", 1).await, 0x10, "nobody is left");
    assert_eq!(house.broker.stats().subscriptions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_is_connected_and_has_room_is_preferred_and_one_who_will_be_back_is_better_than_nobody() {
    let house = house().await;
    let stays = v(5, "away").staying();
    let mut away = house.connect(stays.clone()).await;
    away.subscribe("$share/g/t", 1).await;
    away.goodbye().await;
    let mut writer = house.connect(v(5, "writer")).await;
    writer.publish("t", "for the absent", 1).await;
    let mut slow = house.connect(As { receive_max: Some(1), ..v(5, "slow") }).await;
    slow.subscribe("$share/g/t", 1).await;
    writer.publish("t", "one at a time", 1).await;
    let mut quick = house.connect(v(5, "quick")).await;
    quick.subscribe("$share/g/t", 1).await;
    for payload in ["1", "2", "3", "4"] {
        writer.publish("t", payload, 1).await;
    }
    assert_eq!(drain(&mut quick).await, ["1", "2", "3", "4"]);
    assert_eq!(drain(&mut slow).await, ["one at a time"]);
    let mut away = house.connect(stays).await;
    away.expect("for the absent").await;
    away.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_member_does_not_cost_the_group_a_message() {
    let limits = Limits { queue_messages: 2, max_inflight: 1, ..Limits::default() };
    let house = crate::harness::house_with(limits).await;
    let stays = v(5, "full").staying();
    let mut full = house.connect(stays.clone()).await;
    full.subscribe("$share/g/t", 1).await;
    full.goodbye().await;
    let other = v(5, "other").staying();
    let mut away = house.connect(other.clone()).await;
    away.subscribe("$share/g/t", 1).await;
    away.goodbye().await;
    let mut writer = house.connect(v(5, "writer")).await;
    for payload in ["1", "2", "3", "4"] {
        writer.publish("t", payload, 1).await;
    }
    assert_eq!(house.broker.stats().dropped, 0);
    writer.publish("t", "5", 1).await;
    assert_eq!(house.broker.stats().dropped, 1, "once for the group");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_a_shared_subscription_is_refused() {
    let house = house().await;
    for bad in ["$share/g", "$share//t", "$share/+/t", "$share/#", "$share/g/"] {
        let mut five = house.connect(v(5, "five")).await;
        assert_eq!(five.subscribe(bad, 1).await, 0x8F, "{bad}");
        let mut four = house.connect(v(4, "four")).await;
        assert_eq!(four.subscribe(bad, 1).await, 0x80, "{bad}");
    }
    let mut five = house.connect(v(5, "five")).await;
    let no_local = SubscriptionOptions { no_local: true, ..Default::default() };
    five.ask_subscribe("$share/g/t", no_local, None).await;
    five.ended_with(0x82).await;
    assert_eq!(house.broker.stats().subscriptions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permission_is_asked_for_the_filter_itself_and_for_each_member_at_delivery() {
    let house = house().await;
    house.rules.subscribe.lock().insert("ann".to_owned(), filter("secret/#"));
    house.rules.deliver.lock().insert("bob".to_owned(), filter("secret/#"));
    let mut ann = house.connect(v(5, "ann")).await;
    assert_eq!(ann.subscribe("$share/g/secret/+", 1).await, 0x87);
    assert_eq!(ann.subscribe("$share/g/#", 1).await, 1);
    let mut bob = house.connect(v(5, "bob").account("bob")).await;
    assert_eq!(bob.subscribe("$share/g/#", 1).await, 1);
    let mut writer = house.connect(v(5, "writer").account("writer")).await;
    for payload in ["1", "2", "3"] {
        writer.publish("secret/x", payload, 1).await;
    }
    assert_eq!(drain(&mut ann).await, ["1", "2", "3"]);
    assert!(drain(&mut bob).await.is_empty());
    house.rules.subscribe.lock().insert("ann".to_owned(), filter("#"));
    house.broker.permissions_changed();
    writer.publish("open", "for bob alone", 1).await;
    writer.publish("open", "again", 1).await;
    assert_eq!(drain(&mut bob).await, ["for bob alone", "again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retained_messages_are_not_sent_to_a_new_member_and_identifiers_and_qos_2_work_as_ever() {
    let house = house().await;
    let mut writer = house.connect(v(5, "writer")).await;
    writer.retain("t", "retained", 1).await;
    let mut member = house.connect(v(5, "member")).await;
    let exactly = SubscriptionOptions { qos: 2.try_into().unwrap(), ..Default::default() };
    assert_eq!(member.subscribe_with("$share/g/t", exactly, Some(7)).await, 2);
    member.fence().await;
    assert_eq!(writer.publish("t", "live", 2).await, 0);
    let got = member.expect("live").await;
    assert_eq!(got.qos.value(), 2);
    assert_eq!(got.properties.unwrap().subscription_ids, [7.try_into().unwrap()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_there_after_a_kill() {
    let shelf = Shelf::new();
    let stays = v(5, "member").staying();
    {
        let house = house_of(Limits::default(), Arc::clone(&shelf) as _).await;
        house.connect(stays.clone()).await.subscribe("$share/g/t", 1).await;
    }
    let house = house_of(Limits::default(), Arc::clone(&shelf) as _).await;
    let mut writer = house.connect(v(5, "writer")).await;
    assert_eq!(writer.publish("t", "x", 1).await, 0);
    let mut member = house.connect(stays).await;
    member.expect("x").await;
    assert_eq!(member.unsubscribe("$share/g/t").await, Got::UnsubAck { codes: vec![0] });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_hears_that_nobody_has_subscribed_if_its_version_has_words_for_it() {
    let house = house().await;
    let mut five = house.connect(v(5, "five")).await;
    for (qos, code) in [(1, 0x10), (2, 0x10)] {
        assert_eq!(five.publish("t", "x", qos).await, code);
    }
    // Retaining it is something that it does.
    assert_eq!(five.retain("t", "x", 1).await, 0);
    five.subscribe("t", 0).await;
    assert!(five.message().await.retain);
    five.send_publish(message("t", "x", 1)).await;
    let mut got = [five.next().await, five.next().await];
    got.sort_by_key(|got| matches!(got, Got::Publish(_)));
    assert_eq!(got[0], Got::PubAck { id: id(9).get(), code: 0, reason: None });
    let mut four = house.connect(v(4, "four")).await;
    assert_eq!(four.publish("other", "x", 1).await, 0);
}
