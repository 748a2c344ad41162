//! Shared subscriptions: the members of a group take turns.

use std::sync::Arc;

use rmqtt_codec::v5::SubscriptionOptions;
use sealwire::broker::{Change, Limit, Limits};

use crate::{
    bounds::until_hit,
    harness::{As, Client, Got, House, filter, house, house_of, id, message, v},
    shelf::{Mood, Shelf},
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

/// A member who takes one message at a time, begun with the first of these, while the others wait for it.
async fn begun(house: &House, qos: u8, payloads: &[&str]) -> Client {
    let mut member = house.connect(As { receive_max: Some(1), ..v(5, "begun") }).await;
    assert_eq!(member.subscribe("$share/g/t", qos).await, qos);
    let mut writer = house.connect(v(5, "writer")).await;
    for payload in payloads {
        writer.publish("t", payload, qos).await;
    }
    let first = member.message().await;
    assert_eq!(first.payload, payloads[0].as_bytes());
    member
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_left_when_its_session_ended_goes_to_another_but_nothing_begun_at_qos_2() {
    for (qos, goes_on) in [(1, &["1", "2", "3"][..]), (2, &["2", "3"])] {
        let house = house().await;
        let member = begun(&house, qos, &["1", "2", "3"]).await;
        let mut alone = house.connect(v(5, "alone")).await;
        alone.subscribe("t", 1).await;
        let mut heir = house.connect(v(5, "heir")).await;
        heir.subscribe("$share/g/t", qos).await;
        heir.fence().await;
        member.leave().await;
        for payload in goes_on {
            let got = heir.expect(payload).await;
            assert_eq!((got.qos.value(), got.dup), (qos, false));
        }
        heir.fence().await;
        alone.fence().await;
        assert_eq!(house.broker.stats().dropped, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_member_who_is_away_waits_until_its_session_ends_and_outlives_a_kill() {
    let shelf = Shelf::new();
    let (stays, heirs) = (v(5, "member").staying(), v(5, "heir").staying());
    {
        let house = house_of(Limits::default(), Arc::clone(&shelf) as _).await;
        let mut member = house.connect(stays.clone()).await;
        member.subscribe("$share/g/t/+", 1).await;
        member.subscribe("t/own", 1).await;
        member.goodbye().await;
        let mut writer = house.connect(v(5, "writer")).await;
        for (topic, payload) in [("t/1", "1"), ("t/own", "for the group and for me"), ("t/2", "2")] {
            writer.publish(topic, payload, 1).await;
        }
    }
    {
        let house = house_of(Limits::default(), Arc::clone(&shelf) as _).await;
        let mut heir = house.connect(heirs.clone()).await;
        heir.subscribe("$share/g/t/+", 1).await;
        heir.fence().await;
        heir.goodbye().await;
        // A clean start ends the session of before.
        house.connect(v(5, "member")).await.goodbye().await;
    }
    let house = house_of(Limits::default(), Arc::clone(&shelf) as _).await;
    let mut heir = house.connect(heirs).await;
    assert_eq!(drain(&mut heir).await, ["1", "for the group and for me", "2"]);
    house.connect(stays).await.fence().await;
    assert!(drain(&mut heir).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_goes_to_nobody_who_may_not_have_it_and_breaks_nobody_who_has_no_room() {
    let limits = Limits { queue_messages: 8, queue_bytes: 64 << 10, max_inflight: 100, ..Limits::default() };
    let house = crate::harness::house_with(limits).await;
    house.rules.deliver.lock().insert("bob".to_owned(), filter("t"));
    let mut bob = house.connect(v(5, "bob").account("bob")).await;
    let mut heir = house.connect(As { receive_max: Some(1), ..v(5, "heir") }).await;
    heir.subscribe("own", 1).await;
    let member = begun(&house, 1, &["a", "b", "c", "d", "e"]).await;
    let mut writer = house.connect(v(5, "writer")).await;
    for payload in ["0", "1", "2", "3", "4"] {
        writer.publish("own", payload, 1).await;
    }
    bob.subscribe("$share/g/t", 1).await;
    let at_least_once = SubscriptionOptions { qos: 1.try_into().unwrap(), ..Default::default() };
    heir.ask_subscribe("$share/g/t", at_least_once, None).await;
    heir.skip_to(|got| matches!(got, Got::SubAck { .. })).await;
    member.leave().await;
    // Four wait for it already, and an eighth of its queue stays free.
    until_hit(&house, Limit::Queue, 2).await;
    bob.fence().await;
    for payload in ["0", "1", "2", "3", "4", "a", "b", "c"] {
        heir.expect(payload).await;
    }
    heir.fence().await;

    // What was under way to one client can be more than the queue of another takes.
    let mut member = house.connect(v(5, "large")).await;
    member.subscribe("$share/h/large", 1).await;
    let large = "x".repeat(40 << 10);
    for _ in 0..3 {
        writer.publish("large", &large, 1).await;
        member.message().await;
    }
    heir.subscribe("$share/h/large", 1).await;
    member.leave().await;
    until_hit(&house, Limit::Queue, 4).await;
    heir.expect(&large).await;
    heir.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_session_and_what_others_have_of_it_are_kept_together_or_not_at_all() {
    for (qos, mood) in [(2, Mood::Waits), (2, Mood::Fails), (1, Mood::Fails)] {
        let shelf = Shelf::new();
        let house = house_of(Limits::default(), Arc::clone(&shelf) as _).await;
        let (mut member, mut heir) = two_of_a_group(&house, qos).await;
        shelf.until("both wait", |shelf| shelf.queue("member") == ["1", "x"]).await;
        shelf.set(mood);
        // DISCONNECT, and the session ends with it.
        member.bytes(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0]).await;
        assert_eq!(member.next().await, Got::Closed);
        if qos == 1 {
            heir.expect("1").await;
            heir.expect("x").await;
        }
        heir.fence().await;
        shelf.until("the end is to be kept", |shelf| was_asked(shelf, &house, mood, true)).await;
        heir.fence().await;
        shelf.set(Mood::Keeps);
        if mood == Mood::Waits {
            heir.expect("x").await;
            shelf.until("the end", |shelf| shelf.session("member").is_none()).await;
            let whole = |batch: &Vec<Change>| {
                batch.iter().any(|change| is_end(change, true))
                    && batch.iter().any(|change| matches!(change, Change::Queued { .. }))
            };
            assert!(shelf.batches.lock().iter().any(whole), "kept together");
        } else {
            // The next start finds it as it was: at QoS 1 for another to have it again, at QoS 2 for its own client.
            house.connect(v(5, "writer")).await.retain("other", "to be kept again", 1).await;
            assert_eq!(shelf.queue("member"), ["1", "x"]);
        }
        heir.fence().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_removed_does_not_come_back_where_its_end_could_not_be_kept_at_once() {
    let shelf = Shelf::new();
    let house = house_of(Limits::default(), Arc::clone(&shelf) as _).await;
    let (_member, mut heir) = two_of_a_group(&house, 1).await;
    shelf.until("both wait", |shelf| shelf.queue("member") == ["1", "x"]).await;
    shelf.set(Mood::Fails);
    house.broker.forget("bob");
    heir.expect("1").await;
    heir.expect("x").await;
    shelf.until("the end is to be kept", |shelf| was_asked(shelf, &house, Mood::Fails, false)).await;
    shelf.set(Mood::Keeps);
    shelf.until("the end", |shelf| shelf.session("member").is_none()).await;
}

/// A member of a group whose session stays, and who has begun with "1" while "x" waits; and another.
async fn two_of_a_group(house: &House, qos: u8) -> (Client, Client) {
    let member = As { receive_max: Some(1), ..v(5, "member").account("bob").staying() };
    let mut member = house.connect(member).await;
    member.subscribe("$share/g/t", qos).await;
    let mut writer = house.connect(v(5, "first writer")).await;
    writer.publish("t", "1", qos).await;
    writer.publish("t", "x", qos).await;
    member.message().await;
    let mut heir = house.connect(v(5, "heir").staying()).await;
    heir.subscribe("$share/g/t", qos).await;
    (member, heir)
}

/// Whether the keeper was asked to keep the end of a session, and has failed where it is to fail.
fn was_asked(shelf: &Shelf, house: &House, mood: Mood, handed_on: bool) -> bool {
    let failed = || house.broker.figures().commits.unwrap().failures > 0;
    let asked = shelf.batches.lock().iter().flatten().any(|change| is_end(change, handed_on));
    asked && (mood == Mood::Waits || failed())
}

fn is_end(change: &Change, with: bool) -> bool {
    matches!(change, Change::Ended { handed_on, .. } if *handed_on == with)
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
