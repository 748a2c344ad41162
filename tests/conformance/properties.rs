//! What MQTT 5 clients may say of a message, and that it arrives as it was said.

use crate::{
    peer::{Faults, broker},
    wire::{Value, id, message, packet, property, text},
};

#[tokio::test]
async fn properties_arrive_unaltered_and_user_properties_in_their_order() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    let mut old = broker.client(4, "old").await;
    reader.subscribe(broker.t("x"), 2).await;
    old.subscribe(broker.t("x"), 2).await;
    let mut writer = broker.client(5, "writer").await;
    let users = [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("ä", "\u{10FFFD}"), ("a", "0")];
    for qos in [0, 1, 2] {
        let mut publish = message(broker.t("x"), "{}", qos)
            .with(property::user(users[0].0, users[0].1))
            .with(property::text(id::CONTENT_TYPE, "application/json; ü"))
            .with(property::byte(id::PAYLOAD_FORMAT, 1))
            .with(property::text(id::RESPONSE_TOPIC, broker.t("answers/here")))
            .with(property::text(id::CORRELATION_DATA, [0, 0xFF, 1, 2]));
        for (name, value) in &users[1..] {
            publish = publish.with(property::user(name, value));
        }
        writer.publish_as(&publish).await;
        let props = reader.expect("{}").await.props;
        assert_eq!(props.number(id::PAYLOAD_FORMAT), Some(1));
        assert_eq!(props.text(id::CONTENT_TYPE), Some("application/json; ü"));
        assert_eq!(props.text(id::RESPONSE_TOPIC), Some(&broker.t("answers/here")[..]));
        assert_eq!(props.data(id::CORRELATION_DATA), Some(&[0, 0xFF, 1, 2][..]));
        assert_eq!(props.pairs(), users);
        assert_eq!(props.0.len(), 4 + users.len(), "and nothing else: {props:?}");
        old.expect("{}").await;
    }
}

#[tokio::test]
async fn a_payload_format_of_0_stays_what_it_is() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("x"), 0).await;
    let mut writer = broker.client(5, "writer").await;
    writer.publish_as(&message(broker.t("x"), "x", 0).with(property::byte(id::PAYLOAD_FORMAT, 0))).await;
    // 0 means the same as none.
    assert_ne!(reader.expect("x").await.props.number(id::PAYLOAD_FORMAT), Some(1));
}

#[tokio::test]
async fn retained_messages_keep_their_properties() {
    let broker = broker().await;
    let mut writer = broker.client(5, "writer").await;
    let publish = message(broker.t("x"), "kept", 1)
        .retained()
        .with(property::user("k", "v"))
        .with(property::text(id::CONTENT_TYPE, "text/plain"))
        .with(property::text(id::CORRELATION_DATA, "7"));
    writer.publish_as(&publish).await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe_known_as(&broker.t("+"), 1, 268_435_455).await;
    let props = reader.expect("kept").await.props;
    assert_eq!(props.pairs(), [("k", "v")]);
    assert_eq!(props.text(id::CONTENT_TYPE), Some("text/plain"));
    assert_eq!(props.data(id::CORRELATION_DATA), Some(&b"7"[..]));
    assert_eq!(props.subscription_ids(), [268_435_455]);
}

#[tokio::test]
async fn a_request_finds_its_responder_and_the_answer_its_way() {
    let broker = broker().await;
    let mut responder = broker.client(5, "responder").await;
    responder.subscribe(broker.t("ask/#"), 1).await;
    let mut requester = broker.client(5, "requester").await;
    requester.subscribe(broker.t("answers/me"), 1).await;
    let ask = message(broker.t("ask/time"), "when?", 1)
        .with(property::text(id::RESPONSE_TOPIC, broker.t("answers/me")))
        .with(property::text(id::CORRELATION_DATA, "17"));
    requester.publish_as(&ask).await;
    let asked = responder.expect("when?").await.props;
    let (topic, data) = (asked.text(id::RESPONSE_TOPIC).unwrap(), asked.data(id::CORRELATION_DATA).unwrap());
    responder.publish_as(&message(topic, "now", 1).with(property::text(id::CORRELATION_DATA, data))).await;
    assert_eq!(requester.expect("now").await.props.data(id::CORRELATION_DATA), Some(&b"17"[..]));
}

#[tokio::test]
async fn broken_properties_of_a_message_end_the_connection() {
    let broker = broker().await;
    let twice = |one: Vec<u8>| [one.clone(), one].concat();
    let rows: &[(&str, Vec<u8>)] = &[
        ("payload format 2", property::byte(id::PAYLOAD_FORMAT, 2)),
        ("payload format twice", twice(property::byte(id::PAYLOAD_FORMAT, 1))),
        ("message expiry twice", twice(property::four(id::MESSAGE_EXPIRY, 1))),
        ("topic alias twice", twice(property::two(id::TOPIC_ALIAS, 1))),
        ("topic alias 0", property::two(id::TOPIC_ALIAS, 0)),
        ("response topic twice", twice(property::text(id::RESPONSE_TOPIC, "r"))),
        ("a hash in the response topic", property::text(id::RESPONSE_TOPIC, "r/#")),
        ("a plus in the response topic", property::text(id::RESPONSE_TOPIC, "r/+/a")),
        ("correlation data twice", twice(property::text(id::CORRELATION_DATA, "1"))),
        ("content type twice", twice(property::text(id::CONTENT_TYPE, "c"))),
        ("a subscription identifier", property::var(id::SUBSCRIPTION_ID, 1)),
        ("session expiry", property::four(id::SESSION_EXPIRY, 1)),
        ("a will delay", property::four(id::WILL_DELAY, 1)),
        ("a reason string", property::text(id::REASON_STRING, "x")),
        ("an unknown property", vec![0x7E, 0]),
        ("a property that is cut short", vec![id::MESSAGE_EXPIRY, 0]),
        ("a name without a value", [&[id::USER][..], &text("name")].concat()),
    ];
    let mut faults = Faults::default();
    for (what, list) in rows {
        let mut peer = broker.client(5, "me").await;
        peer.send(&message("a", "x", 1).with(list.clone()).bytes(5)).await;
        faults.note(what, peer.ending(&[0x81, 0x82, 0x90, 0x94]).await);
    }
    // A list longer than its packet, and none at all.
    for (what, rest) in [("a list that is too long", &[9, 1][..]), ("no list", &[])] {
        let mut peer = broker.client(5, "me").await;
        peer.send(&packet(0x30, &[&text("a")[..], rest].concat())).await;
        faults.note(what, peer.ending(&[0x81]).await);
    }
    faults.none();
}

#[tokio::test]
async fn nothing_is_added_to_what_is_handed_on() {
    let broker = broker().await;
    let mut reader = broker.client(5, "reader").await;
    reader.subscribe(broker.t("x"), 1).await;
    let mut writer = broker.client(5, "writer").await;
    let alone = property::user("only", "this");
    writer.publish_as(&message(broker.t("x"), "x", 1).with(alone)).await;
    let props = reader.expect("x").await.props;
    assert_eq!(props.0, [(id::USER, Value::Pair("only".to_owned(), "this".to_owned()))]);
}
