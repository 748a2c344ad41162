//! Wills: what is published for a client that went without a word.

use std::time::{Duration, Instant};

use crate::{
    peer::{NO_PUBLISH, Tested, broker, own_broker},
    wire::{Connect, Got, id, property},
};

/// Stays connected for as long as the reader does.
fn leaver(broker: &Tested, v: u8, qos: u8, retain: bool) -> Connect {
    broker.plain(v, "leaver").will(&broker.t("will"), "gone", qos, retain, Vec::new())
}

fn delayed(broker: &Tested, delay: u32, expiry: u32) -> Connect {
    let will = property::four(id::WILL_DELAY, delay);
    let connect = broker.plain(5, "leaver").will(&broker.t("will"), "gone", 1, false, will);
    connect.with(property::four(id::SESSION_EXPIRY, expiry))
}

#[tokio::test]
async fn a_lost_connection_publishes_the_will_once_at_its_qos() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("will"), 2).await;
        for qos in 0..=2 {
            broker.connect(&leaver(&broker, v, qos, false)).await.vanish().await;
            let will = reader.expect("gone").await;
            assert_eq!((will.qos, will.retain, will.dup), (qos, false, false));
            // It was removed: the next end of a connection of this client has none.
            broker.client(v, "leaver").await.vanish().await;
            broker.client(v, "leaver").await.goodbye().await;
            reader.silent().await;
        }
    }
}

#[tokio::test]
async fn a_will_is_retained_if_it_says_so() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        for (retain, qos) in [(false, 1), (true, 0), (true, 1), (true, 2)] {
            let mut reader = broker.client(v, "reader").await;
            reader.subscribe(broker.t("will"), 2).await;
            broker.connect(&leaver(&broker, v, qos, retain)).await.vanish().await;
            assert!(!reader.expect("gone").await.retain);
            let mut late = broker.client(v, "late").await;
            late.subscribe(broker.t("will"), 2).await;
            if retain {
                let will = late.expect("gone").await;
                assert_eq!((will.retain, will.qos), (true, qos));
            }
            late.silent().await;
            late.retain(&broker.t("will"), "", 0).await;
        }
    }
}

#[tokio::test]
async fn a_protocol_error_publishes_the_will() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("will"), 1).await;
        for bytes in [&[0x00, 0x00][..], &[0x36, 5, 0, 1, b'a', 0, 1], &[0x90, 3, 0, 1, 0]] {
            let mut peer = broker.connect(&leaver(&broker, v, 1, false)).await;
            peer.send(bytes).await;
            peer.cut_off(&[0x81, 0x82]).await;
            reader.expect("gone").await;
        }
    }
}

#[tokio::test]
async fn a_takeover_publishes_the_will_of_the_older_connection() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("will"), 1).await;
        let mut first = broker.connect(&leaver(&broker, v, 1, false)).await;
        let second = broker.client(v, "leaver").await;
        first.cut_off(&[0x8E]).await;
        reader.expect("gone").await;
        second.goodbye().await;
        reader.silent().await;
    }
}

#[tokio::test]
async fn a_will_can_be_empty_and_of_any_bytes() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("will"), 1).await;
        for payload in [&[][..], &[0, 0xFF, 0xC0, 0x80]] {
            let mut connect = leaver(&broker, v, 1, false);
            connect.will.as_mut().unwrap().payload = payload.to_vec();
            broker.connect(&connect).await.vanish().await;
            assert_eq!(reader.take().await.payload, payload);
        }
    }
}

#[tokio::test]
async fn the_properties_of_a_will_are_those_of_its_message() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("will"), 1).await;
    let users = [("b", "1"), ("a", "2"), ("b", "1")];
    let mut list = [
        property::byte(id::PAYLOAD_FORMAT, 1),
        property::four(id::MESSAGE_EXPIRY, 100),
        property::text(id::CONTENT_TYPE, "text/plain"),
        property::text(id::RESPONSE_TOPIC, "answers"),
        property::text(id::CORRELATION_DATA, [0, 0xFF]),
        property::four(id::WILL_DELAY, 0),
    ]
    .concat();
    list.extend(users.iter().flat_map(|(name, value)| property::user(name, value)));
    let connect = broker.plain(5, "leaver").will(&broker.t("will"), "gone", 1, false, list);
    broker.connect(&connect).await.vanish().await;
    let props = reader.expect("gone").await.props;
    assert_eq!(props.number(id::PAYLOAD_FORMAT), Some(1));
    assert!((98..=100).contains(&props.number(id::MESSAGE_EXPIRY).unwrap()));
    assert_eq!(props.text(id::CONTENT_TYPE), Some("text/plain"));
    assert_eq!(props.text(id::RESPONSE_TOPIC), Some("answers"));
    assert_eq!(props.data(id::CORRELATION_DATA), Some(&[0, 0xFF][..]));
    assert_eq!(props.pairs(), users);
    assert_eq!(props.0.len(), 8, "the delay is not handed on: {props:?}");
}

#[tokio::test]
async fn a_delayed_will_comes_when_its_delay_is_over() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("will"), 1).await;
    let started = Instant::now();
    broker.connect(&delayed(&broker, 3, 60)).await.vanish().await;
    reader.silent().await;
    reader.expect("gone").await;
    assert!(started.elapsed() >= Duration::from_millis(2_900), "{:?}", started.elapsed());
    reader.silent().await;
}

#[tokio::test]
async fn the_end_of_a_session_cuts_the_delay_of_its_will_short() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("will"), 1).await;
    // It ends at once, after its expiry, or with a clean start; the delay alone would be longer than a test waits.
    broker.connect(&delayed(&broker, 1_000, 0)).await.vanish().await;
    reader.expect("gone").await;
    broker.connect(&delayed(&broker, 1_000, 3)).await.vanish().await;
    reader.silent().await;
    reader.expect("gone").await;
    broker.connect(&delayed(&broker, 1_000, 60)).await.vanish().await;
    reader.silent().await;
    broker.client(5, "leaver").await.goodbye().await;
    reader.expect("gone").await;
}

#[tokio::test]
async fn a_client_that_is_back_within_the_delay_leaves_no_will() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("will"), 1).await;
    broker.connect(&delayed(&broker, 3, 60)).await.vanish().await;
    reader.silent().await;
    let back = broker.connect(&broker.plain(5, "leaver").staying()).await;
    assert!(back.present);
    // A takeover within the delay is a return as well.
    let _third = broker.connect(&broker.plain(5, "leaver").staying()).await;
    // Longer than the delay, which is what is tested.
    tokio::time::sleep(Duration::from_millis(3_600)).await;
    reader.silent().await;
}

#[tokio::test]
async fn a_takeover_of_a_continued_session_leaves_no_delayed_will() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("will"), 1).await;
    let mut first = broker.connect(&delayed(&broker, 3, 60)).await;
    let second = broker.connect(&broker.plain(5, "leaver").staying()).await;
    assert!(second.present);
    first.cut_off(&[0x8E]).await;
    tokio::time::sleep(Duration::from_millis(3_600)).await;
    reader.silent().await;
}

#[tokio::test]
async fn a_will_waits_for_absent_subscribers_like_any_message() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "reader").staying();
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("will"), 2).await;
        reader.goodbye().await;
        let mut watcher = broker.client(v, "watcher").await;
        watcher.subscribe(broker.t("will"), 0).await;
        broker.connect(&leaver(&broker, v, 2, false)).await.vanish().await;
        watcher.expect("gone").await;
        assert_eq!(broker.connect(&stays).await.expect("gone").await.qos, 2);
    }
}

#[tokio::test]
async fn a_will_that_is_not_permitted_is_refused() {
    let broker = own_broker(Default::default()).await;
    for (v, code) in [(3, 5), (4, 5), (5, 0x87)] {
        let connect = broker.plain(v, "leaver").will(NO_PUBLISH, "gone", 0, false, Vec::new());
        assert_eq!(broker.refusal(v, &connect.bytes(), &[code]).await, Ok(Some(code)));
    }
}

#[tokio::test]
async fn without_a_will_nothing_is_published() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("#"), 1).await;
        let mut peer = broker.client(v, "leaver").await;
        peer.send(&[0, 0]).await;
        peer.cut_off(&[0x81, 0x82]).await;
        broker.client(v, "leaver").await.vanish().await;
        let (mut second, got) = broker.try_connect(&broker.plain(v, "leaver")).await;
        assert!(matches!(got, Got::ConnAck { code: 0, .. }));
        second.silent().await;
        reader.silent().await;
    }
}
