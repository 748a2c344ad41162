//! UTF-8 wherever the standards want it.

use crate::{
    peer::{Faults, broker},
    wire::{Connect, Will, ack, id, message, packet, properties, property, subscribe, text},
};

const BROKEN: &[(&str, &[u8])] = &[
    ("U+0000", b"a\0b"),
    ("the first surrogate", b"a\xED\xA0\x80"),
    ("the last surrogate", b"a\xED\xBF\xBF"),
    ("a pair of surrogates", b"\xED\xA0\xBD\xED\xB8\x80"),
    ("an overlong slash", b"a\xC0\xAFb"),
    ("an overlong U+0000", b"a\xC0\x80"),
    ("three bytes for two", b"\xE0\x80\xAF"),
    ("four bytes for three", b"\xF0\x80\x80\xAF"),
    ("above U+10FFFF", b"\xF4\x90\x80\x80"),
    ("five bytes", b"\xF8\x88\x80\x80\x80"),
    ("no UTF-8 at all", b"\xFF"),
    ("a lone continuation", b"a\x80"),
    ("an end within a character", b"a\xE2\x82"),
    ("Latin-1", b"Gr\xFC\xDFe"),
];

#[tokio::test]
async fn broken_text_in_connect_is_refused() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [4, 5] {
        let none = properties(v, &[]);
        let codes: &[u8] = if v == 5 { &[0x81, 0x82, 0x85, 0x90] } else { &[2] };
        for (what, bytes) in BROKEN {
            let id = text(broker.id("a"));
            let fields = [
                ("client id", 0x02, vec![text(bytes)]),
                ("will topic", 0x06, vec![id.clone(), none.clone(), text(bytes), text("x")]),
                ("username", 0x82, vec![id.clone(), text(bytes)]),
            ];
            for (field, flags, payload) in fields {
                let head = [text("MQTT"), vec![v, flags, 0, 0], none.clone()].concat();
                let connect = packet(0x10, &[head, payload.concat()].concat());
                let outcome = broker.refusal(v, &connect, codes).await;
                faults.note(&format!("{v}: {what} in the {field}"), outcome.map(drop));
            }
        }
    }
    for (what, bytes) in BROKEN {
        let lists = [
            ("user property's name", property::user(bytes, "x")),
            ("user property's value", property::user("x", bytes)),
        ];
        for (field, list) in lists {
            let connect = broker.plain(5, "a").with(list);
            let outcome = broker.refusal(5, &connect.bytes(), &[0x81, 0x82]).await;
            faults.note(&format!("{what} in a {field}"), outcome.map(drop));
        }
        let lists = [
            ("user property", property::user("x", bytes)),
            ("content type", property::text(id::CONTENT_TYPE, bytes)),
            ("response topic", property::text(id::RESPONSE_TOPIC, bytes)),
        ];
        for (field, properties) in lists {
            let (topic, payload) = (broker.t("x"), Vec::new());
            let will = Some(Will { topic, payload, qos: 0, retain: false, properties });
            let connect = Connect { will, ..broker.plain(5, "a") };
            let outcome = broker.refusal(5, &connect.bytes(), &[0x81, 0x82, 0x90]).await;
            faults.note(&format!("{what} in the will's {field}"), outcome.map(drop));
        }
    }
    faults.none();
}

#[tokio::test]
async fn broken_text_ends_the_connection() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [3, 4, 5] {
        for (what, bytes) in BROKEN {
            let body = [vec![0, 3], properties(v, &[]), text(bytes)].concat();
            let mut rows = vec![
                ("topic", message(bytes, "x", 0).bytes(v)),
                ("filter", subscribe(v, 3, &[], &[(bytes, 0)])),
                ("filter to unsubscribe from", packet(0xA2, &body)),
            ];
            if v == 5 {
                let publish = |list| message("a", "x", 0).with(list).bytes(5);
                let subscribing = |list: &[u8]| subscribe(5, 3, list, &[(b"a", 0)]);
                let user = property::user("x", bytes);
                let with_user = [vec![0, 3, 0], properties(5, &user)].concat();
                rows.extend([
                    ("response topic", publish(property::text(id::RESPONSE_TOPIC, bytes))),
                    ("content type", publish(property::text(id::CONTENT_TYPE, bytes))),
                    ("user property's name", publish(property::user(bytes, "x"))),
                    ("user property's value", publish(user.clone())),
                    ("user property of SUBSCRIBE", subscribing(&user)),
                    ("user property of PUBACK", packet(0x40, &with_user)),
                    ("user property of PUBREC", packet(0x50, &with_user)),
                    ("user property of PUBREL", packet(0x62, &with_user)),
                    ("user property of PUBCOMP", packet(0x70, &with_user)),
                    ("user property of UNSUBSCRIBE", {
                        packet(0xA2, &[vec![0, 3], properties(5, &user), text("a")].concat())
                    }),
                    ("reason string of PUBACK", {
                        let reason = property::text(id::REASON_STRING, bytes);
                        packet(0x40, &[vec![0, 3, 0], properties(5, &reason)].concat())
                    }),
                    ("user property of DISCONNECT", packet(0xE0, &[vec![0], properties(5, &user)].concat())),
                ]);
            }
            for (field, bytes) in rows {
                let mut peer = broker.client(v, "me").await;
                peer.send(&bytes).await;
                faults.note(
                    &format!("{v}: {what} in the {field}"),
                    // A name or filter may be refused as such.
                    peer.ending(&[0x81, 0x82, 0x8F, 0x90]).await,
                );
            }
        }
    }
    faults.none();
}

#[tokio::test]
async fn a_byte_order_mark_is_a_character() {
    let broker = broker().await;
    let mark = "\u{FEFF}";
    for v in [4, 5] {
        let mut peer = broker.client(v, "me").await;
        let topic = broker.t(&format!("{mark}a{mark}"));
        peer.subscribe(&topic, 0).await;
        peer.subscribe(broker.t("a"), 0).await;
        let value = property::user(format!("{mark}k"), format!("v{mark}"));
        let publish = message(&topic, format!("{mark}x"), 0);
        peer.send(&publish.with(value).bytes(v)).await;
        let got = peer.take().await;
        assert_eq!(got.name(), topic);
        assert_eq!(got.text(), format!("{mark}x"));
        if v == 5 {
            assert_eq!(got.props.pairs(), [(&format!("{mark}k")[..], &format!("v{mark}")[..])]);
        }
        peer.silent().await;
    }
    // Two client ids that differ in it are two clients.
    let marked = Connect { id: format!("{mark}{}", broker.id("b")), ..broker.plain(5, "") };
    let mut one = broker.connect(&marked).await;
    let mut two = broker.client(5, "b").await;
    one.silent().await;
    two.silent().await;
}

#[tokio::test]
async fn characters_of_every_plane_pass() {
    let broker = broker().await;
    for v in [3, 4, 5] {
        let topic = broker.t("\u{E000}/\u{2A6D4}/\u{D7FF}/\u{10FFFD}/ñ/日本");
        let mut peer = broker.client(v, "me").await;
        peer.subscribe(&topic, 1).await;
        peer.send(&message(&topic, "x", 1).bytes(v)).await;
        assert_eq!(peer.take().await.name(), topic);
        peer.acked(ack(0x40, 9)[0], 9).await;
    }
}
