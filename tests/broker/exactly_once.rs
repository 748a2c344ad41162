//! QoS 2: each message arrives, and arrives once, through lost connections, takeovers, a full disk and a kill.

use std::{sync::Arc, time::Duration};

use rmqtt_codec::types::Publish;
use sealwire::broker::{Change, Limits};
use tokio::time::timeout;

use crate::{
    harness::{As, Client, Got, House, PATIENCE, filter, house, house_of, house_with, id, message, v},
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

fn under(packet_id: u16, dup: bool, payload: &str) -> Publish {
    Publish { packet_id: Some(id(packet_id)), dup, ..message("t", payload, 2) }
}

fn received(packet_id: u16) -> Got {
    Got::PubRec { id: packet_id, code: 0, reason: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_again_before_it_is_released_arrives_once_also_over_another_connection() {
    let house = house().await;
    for version in [4, 5] {
        let mut reader = house.connect(v(version, "reader")).await;
        assert_eq!(reader.subscribe("t", 2).await, 2);
        let stays = v(version, "writer").staying();
        let mut writer = house.connect(stays.clone()).await;
        for dup in [false, true, true] {
            writer.send_publish(under(5, dup, "one")).await;
            assert_eq!(writer.next().await, received(5));
        }
        drop(writer);
        house.log.until(&["Disconnected", "writer"]).await;
        let (mut writer, present) = house.connect_again(stays.clone()).await;
        assert!(present);
        writer.send_publish(under(5, true, "one")).await;
        assert_eq!(writer.next().await, received(5));
        // Taken over while the exchange is open.
        let (mut writer, _) = house.connect_again(stays).await;
        writer.pubrel(5).await;
        assert_eq!(writer.next().await, Got::PubComp { id: 5, code: 0 });
        writer.send_publish(under(5, false, "two")).await;
        assert_eq!(writer.next().await, received(5));
        reader.expect("one").await;
        reader.expect("two").await;
        reader.fence().await;
        house.connect(v(version, "writer")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_connection_is_still_handling_when_it_is_taken_over_arrives_once() {
    for version in [4, 5] {
        let house = house().await;
        let mut reader = house.connect(v(version, "reader")).await;
        reader.subscribe("t", 2).await;
        let stays = v(version, "writer").staying();
        let mut first = house.connect(stays.clone()).await;
        let go_on = house.rules.stall();
        first.send_publish(under(5, false, "one")).await;
        timeout(PATIENCE, house.rules.asked.notified()).await.unwrap();
        let mut second = house.connect(stays).await;
        second.send_publish(under(5, true, "one")).await;
        // Either order would do, but for both to take it.
        let early = timeout(Duration::from_millis(60), second.next()).await;
        go_on.send(()).unwrap();
        while first.next().await != Got::Closed {}
        let receipt = match early {
            Ok(got) => got,
            Err(_) => second.next().await,
        };
        assert_eq!(receipt, received(5));
        second.pubrel(5).await;
        assert_eq!(second.next().await, Got::PubComp { id: 5, code: 0 });
        reader.expect("one").await;
        reader.fence().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_is_not_known_is_ended_in_the_words_of_the_version() {
    let house = house().await;
    for (version, code) in [(3, 0), (4, 0), (5, 0x92)] {
        let mut client = house.connect(v(version, "x")).await;
        client.pubrel(5).await;
        assert_eq!(client.next().await, Got::PubComp { id: 5, code });
        client.pubrec(6).await;
        assert_eq!(client.next().await, Got::PubRel { id: 6, code });
        client.pubcomp(7).await;
        client.ack(8).await;
        client.fence().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_is_taken_up_where_the_connection_was_lost_and_in_order() {
    let house = house().await;
    for version in [4, 5] {
        let stays = v(version, "reader").staying();
        let mut reader = house.connect(stays.clone()).await;
        reader.subscribe("t", 2).await;
        let mut writer = house.connect(v(version, "writer")).await;
        for (payload, qos) in [("one", 2), ("two", 1), ("three", 2), ("four", 2)] {
            writer.publish("t", payload, qos).await;
        }
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(reader.message().await.packet_id.unwrap().get());
        }
        reader.pubrec(ids[2]).await;
        assert_eq!(reader.next().await, Got::PubRel { id: ids[2], code: 0 });
        // Again, as the standard does not want it and some do.
        reader.pubrec(ids[2]).await;
        assert_eq!(reader.next().await, Got::PubRel { id: ids[2], code: 0 });
        reader.settle(ids[3]).await;
        reader.fence().await;
        reader.goodbye().await;
        writer.publish("t", "five", 2).await;
        let mut reader = house.connect(stays.clone()).await;
        for (index, payload) in [(0, "one"), (1, "two")] {
            let again = reader.message().await;
            assert!(again.dup && again.payload == payload.as_bytes());
            assert_eq!(again.packet_id.unwrap().get(), ids[index]);
        }
        assert_eq!(reader.next().await, Got::PubRel { id: ids[2], code: 0 });
        assert!(!reader.expect("five").await.dup);
        reader.settle(ids[0]).await;
        reader.ack(ids[1]).await;
        reader.pubcomp(ids[2]).await;
        reader.pubcomp(ids[2]).await;
        reader.fence().await;
        let (mut reader, _) = house.connect_again(stays.clone()).await;
        reader.fence().await;
        house.connect(v(version, "reader")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_counts_until_its_exchange_is_over_and_one_that_is_refused_is_over() {
    let house = house().await;
    let mut reader = house.connect(As { receive_max: Some(1), ..v(5, "reader") }).await;
    reader.subscribe("t", 2).await;
    let mut writer = house.connect(v(5, "writer")).await;
    for payload in ["one", "two", "three"] {
        writer.publish("t", payload, 2).await;
    }
    let first = reader.message().await.packet_id.unwrap().get();
    reader.fence().await;
    reader.pubrec(first).await;
    assert_eq!(reader.next().await, Got::PubRel { id: first, code: 0 });
    reader.fence().await;
    reader.pubcomp(first).await;
    let second = reader.message().await.packet_id.unwrap().get();
    let [high, low] = second.to_be_bytes();
    reader.bytes(&[0x50, 3, high, low, 0x97]).await;
    reader.expect("three").await;
    reader.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_at_once_than_the_receive_maximum_is_a_breach() {
    let house = house_with(Limits { max_inflight: 2, ..Limits::default() }).await;
    let mut writer = house.connect(v(5, "writer")).await;
    for packet_id in 1..=2 {
        writer.send_publish(under(packet_id, false, "x")).await;
        assert!(matches!(writer.next().await, Got::PubRec { .. }));
    }
    writer.send_publish(under(3, false, "x")).await;
    writer.ended_with(0x93).await;
    // Before MQTT 5 nobody told the client.
    let mut writer = house.connect(v(4, "writer")).await;
    for packet_id in 1..=3 {
        writer.send_publish(under(packet_id, false, "x")).await;
        assert_eq!(writer.next().await, received(packet_id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_publish_ends_its_exchange_and_is_not_taken_for_known() {
    let house = house().await;
    house.rules.publish.lock().insert("ann".to_owned(), filter("t"));
    let mut reader = house.connect(v(5, "reader").account("bob")).await;
    reader.subscribe("t", 2).await;
    let mut five = house.connect(v(5, "five")).await;
    five.send_publish(under(5, false, "denied")).await;
    let reason = Some("the role may not publish here".to_owned());
    assert_eq!(five.next().await, Got::PubRec { id: 5, code: 0x87, reason });
    five.pubrel(5).await;
    assert_eq!(five.next().await, Got::PubComp { id: 5, code: 0x92 });
    let mut four = house.connect(v(4, "four")).await;
    four.send_publish(under(5, false, "denied")).await;
    assert_eq!(four.next().await, received(5));
    four.pubrel(5).await;
    assert_eq!(four.next().await, Got::PubComp { id: 5, code: 0 });
    house.rules.publish.lock().clear();
    house.broker.permissions_changed();
    five.send_publish(under(5, false, "allowed")).await;
    assert_eq!(five.next().await, received(5));
    reader.expect("allowed").await;
    reader.fence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_no_longer_be_delivered_is_released_so_that_nobody_waits_for_it() {
    let house = house().await;
    let stays = v(5, "reader").staying();
    let mut reader = house.connect(stays.clone()).await;
    reader.subscribe("#", 2).await;
    let mut writer = house.connect(v(4, "writer").account("bob")).await;
    writer.publish("secret", "sent", 2).await;
    let sent = reader.message().await.packet_id.unwrap().get();
    drop(reader);
    house.rules.deliver.lock().insert("ann".to_owned(), filter("secret"));
    let mut reader = house.connect(stays).await;
    assert_eq!(reader.next().await, Got::PubRel { id: sent, code: 0 });
    reader.pubcomp(sent).await;
    writer.publish("open", "open", 2).await;
    reader.expect("open").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_sent_a_message_before_it_is_kept_that_its_publisher_would_send_again_after_a_crash() {
    for version in [4, 5] {
        let shelf = Shelf::new();
        let house = house_on(&shelf).await;
        let mut readers = Vec::new();
        for (name, qos) in [("zero", 0), ("one", 1), ("two", 2)] {
            let mut reader = house.connect(v(version, name)).await;
            reader.subscribe("t", qos).await;
            readers.push(reader);
        }
        let mut kept = house.connect(v(version, "kept").staying()).await;
        kept.subscribe("t", 2).await;
        readers.push(kept);
        let mut writer = house.connect(v(version, "writer").staying()).await;
        shelf.set(Mood::Waits);
        writer.send_publish(under(5, false, "x")).await;
        for reader in &mut readers {
            silent(reader).await;
        }
        silent(&mut writer).await;
        shelf.set(Mood::Keeps);
        assert_eq!(writer.next().await, received(5));
        assert_eq!(shelf.session("writer").unwrap().accepted, [5]);
        assert_eq!(shelf.queue("kept"), ["x"]);
        let whole = |batch: &Vec<Change>| {
            batch.iter().any(|change| matches!(change, Change::Accepted { .. }))
                && batch.iter().any(|change| matches!(change, Change::Queued { .. }))
        };
        assert!(shelf.batches.lock().iter().any(whole), "kept together");
        for reader in &mut readers {
            reader.expect("x").await;
        }
        // A publisher whose session ends with its connection sends nothing again.
        let mut brief = house.connect(v(version, "brief")).await;
        shelf.set(Mood::Waits);
        brief.send_publish(under(5, false, "y")).await;
        for reader in &mut readers[..3] {
            assert_eq!(&reader.message().await.payload[..], b"y");
        }
        silent(&mut readers[3]).await;
        silent(&mut brief).await;
        shelf.set(Mood::Keeps);
        assert_eq!(brief.next().await, received(5));
        readers[3].expect("y").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_is_kept_before_the_other_side_hears_of_it() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let mut reader = house.connect(v(5, "reader").staying()).await;
    reader.subscribe("t", 2).await;
    let mut writer = house.connect(v(5, "writer").staying()).await;
    writer.send_publish(under(5, false, "x")).await;
    assert_eq!(writer.next().await, received(5));
    let sent = reader.message().await.packet_id.unwrap().get();

    shelf.set(Mood::Waits);
    reader.pubrec(sent).await;
    silent(&mut reader).await;
    writer.pubrel(5).await;
    silent(&mut writer).await;
    shelf.set(Mood::Keeps);
    assert_eq!(reader.next().await, Got::PubRel { id: sent, code: 0 });
    assert_eq!(writer.next().await, Got::PubComp { id: 5, code: 0 });
    let session = shelf.session("reader").unwrap();
    assert_eq!((session.queue.len(), session.released.len()), (0, 1));
    assert!(shelf.session("writer").unwrap().accepted.is_empty());
    reader.pubcomp(sent).await;
    shelf.until("nothing is left", |shelf| shelf.session("reader").unwrap().released.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_reaches_nobody_and_arrives_once_when_it_is_sent_again() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let mut reader = house.connect(v(5, "reader")).await;
    reader.subscribe("t", 1).await;
    let mut kept = house.connect(v(5, "kept").staying()).await;
    kept.subscribe("t", 2).await;
    let mut new = house.connect(v(5, "new").staying()).await;
    let stays = v(4, "old").staying();
    let mut old = house.connect(stays.clone()).await;
    shelf.set(Mood::Fails);
    new.send_publish(under(5, false, "new")).await;
    assert!(matches!(new.next().await, Got::PubRec { id: 5, code: 0x97, .. }));
    old.send_publish(under(5, false, "old")).await;
    assert_eq!(old.next().await, Got::Closed);
    reader.fence().await;
    kept.fence().await;
    shelf.set(Mood::Keeps);
    // Once a second it is tried again.
    let again = async { while kept.publish("elsewhere", "x", 2).await >= 0x80 {} };
    timeout(crate::harness::PATIENCE, again).await.expect("it recovers");
    let recovered = async {
        loop {
            new.send_publish(under(5, true, "new")).await;
            match new.next().await {
                Got::PubRec { code, .. } if code >= 0x80 => {}
                got => break got,
            }
        }
    };
    assert_eq!(timeout(crate::harness::PATIENCE, recovered).await.unwrap(), received(5));
    let mut old = house.connect(stays).await;
    old.send_publish(under(5, true, "old")).await;
    assert_eq!(old.next().await, received(5));
    for reader in [&mut reader, &mut kept] {
        reader.expect("new").await;
        reader.expect("old").await;
        reader.fence().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_cannot_be_kept_is_not_answered_and_works_again_when_it_can() {
    let shelf = Shelf::new();
    let house = house_on(&shelf).await;
    let stays = v(5, "writer").staying();
    let mut writer = house.connect(stays.clone()).await;
    let mut reader = house.connect(v(5, "reader").staying()).await;
    reader.subscribe("t", 2).await;
    writer.send_publish(under(5, false, "x")).await;
    assert_eq!(writer.next().await, received(5));
    let sent = reader.message().await.packet_id.unwrap().get();
    shelf.set(Mood::Fails);
    reader.pubrec(sent).await;
    writer.pubrel(5).await;
    writer.ended_with(0x97).await;
    reader.fence().await;
    shelf.set(Mood::Keeps);
    assert_eq!(reader.next().await, Got::PubRel { id: sent, code: 0 });
    let mut writer = house.connect(stays).await;
    writer.pubrel(5).await;
    assert_eq!(writer.next().await, Got::PubComp { id: 5, code: 0 });
    assert!(shelf.session("writer").unwrap().accepted.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_each_exchange_goes_on_under_its_packet_id() {
    for version in [4, 5] {
        let shelf = Shelf::new();
        let (to, from) = (v(version, "reader").staying(), v(version, "writer").staying());
        let mut ids = Vec::new();
        {
            let house = house_on(&shelf).await;
            let mut reader = house.connect(to.clone()).await;
            reader.subscribe("t", 2).await;
            let mut writer = house.connect(from.clone()).await;
            for (packet_id, payload) in [(1, "one"), (2, "two"), (3, "three")] {
                writer.send_publish(under(packet_id, false, payload)).await;
                assert_eq!(writer.next().await, received(packet_id));
                ids.push(reader.message().await.packet_id.unwrap().get());
            }
            writer.pubrel(1).await;
            assert_eq!(writer.next().await, Got::PubComp { id: 1, code: 0 });
            reader.pubrec(ids[1]).await;
            assert_eq!(reader.next().await, Got::PubRel { id: ids[1], code: 0 });
            // The last one is lost with the process, before anybody heard of it.
            shelf.set(Mood::Waits);
            writer.send_publish(under(4, false, "four")).await;
            silent(&mut writer).await;
            silent(&mut reader).await;
            let asked = shelf.batches.lock().len();
            shelf.kill();
            assert!(asked > 0);
        }
        let house = house_on(&shelf).await;
        let (mut writer, present) = house.connect_again(from).await;
        assert!(present);
        for (packet_id, payload) in [(2, "two"), (3, "three"), (4, "four")] {
            writer.send_publish(under(packet_id, true, payload)).await;
            assert_eq!(writer.next().await, received(packet_id));
        }
        let mut reader = house.connect(to).await;
        let first = reader.message().await;
        assert_eq!((first.packet_id.unwrap().get(), &first.payload[..]), (ids[0], &b"one"[..]));
        assert_eq!(reader.next().await, Got::PubRel { id: ids[1], code: 0 });
        let third = reader.message().await;
        assert_eq!((third.packet_id.unwrap().get(), &third.payload[..]), (ids[2], &b"three"[..]));
        let fourth = reader.expect("four").await.packet_id.unwrap().get();
        assert!(!ids.contains(&fourth));
        reader.fence().await;
    }
}
