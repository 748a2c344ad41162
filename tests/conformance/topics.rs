//! Which topic a filter matches, and what is no topic or filter.

use crate::{
    peer::{Faults, broker},
    wire::{Got, message, subscribe, unsubscribe},
};

/// Below this test's own first level.
const MATCHES: &[(&str, &[&str], &[&str])] = &[
    ("a", &["a"], &["A", "a/", "/a", "b", "a/b", "a ", " a"]),
    ("a/#", &["a", "a/", "a/b", "a/b/c", "a//"], &["ab", "b/a", "/a"]),
    ("a/+", &["a/b", "a/"], &["a", "a/b/c", "a/b/"]),
    ("a/+/c", &["a/b/c", "a//c"], &["a/c", "a/b/b/c", "a/b/c/"]),
    ("+/+", &["a/b", "/", "a/", "/b"], &["a", "a/b/c"]),
    ("+/b/#", &["a/b", "a/b/c", "/b"], &["a/c/b", "b"]),
    ("/a", &["/a"], &["a", "//a"]),
    ("a//b", &["a//b"], &["a/b", "a/x/b"]),
    ("Käse/+/§", &["Käse/ /§"], &["Ka\u{308}se/ /§", "käse/x/§"]),
    ("\u{FEFF}a", &["\u{FEFF}a"], &["a"]),
    ("with space/and  two", &["with space/and  two"], &["withspace/and two"]),
    ("a.b", &["a.b"], &["axb", "a/b"]),
    ("a$b/$c", &["a$b/$c"], &["a$b/c"]),
    ("+/$c", &["x/$c"], &["x/c"]),
];

#[tokio::test]
async fn filters_match_what_the_standard_says() {
    for v in [4, 5] {
        let broker = broker().await;
        let mut writer = broker.client(v, "writer").await;
        for (filter, matching, others) in MATCHES {
            let mut reader = broker.client(v, "reader").await;
            reader.subscribe(broker.t(filter), 0).await;
            for topic in matching.iter().chain(*others) {
                writer.publish(&broker.t(topic), topic, 0).await;
            }
            for topic in *matching {
                assert_eq!(reader.message().await.name(), broker.t(topic), "{filter}");
            }
            reader.silent().await;
        }
    }
}

#[tokio::test]
async fn wildcards_can_stand_first() {
    let broker = broker().await;
    let topic = broker.t("b");
    let first = topic.split('/').next().unwrap().to_owned();
    let mut writer = broker.client(4, "writer").await;
    for filter in ["#".to_owned(), "+/b".to_owned(), format!("{first}/#"), "+/#".to_owned(), "+/+".to_owned()]
    {
        let mut reader = broker.client(4, "reader").await;
        reader.subscribe(&filter, 0).await;
        writer.publish(&topic, "x", 0).await;
        // Others may publish at a broker that is not ours alone.
        reader.wait(|got| matches!(got, Got::Publish(publish) if publish.name() == topic)).await;
    }
}

#[tokio::test]
async fn a_leading_wildcard_does_not_match_a_leading_dollar() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let hidden = format!("${}", broker.t("b"));
        let mut reader = broker.client(v, "reader").await;
        for filter in ["#", "+/b", "+/#", "+/+"] {
            reader.subscribe(filter, 0).await;
        }
        let mut insider = broker.client(v, "insider").await;
        let first = hidden.split('/').next().unwrap();
        insider.subscribe(format!("{first}/+"), 0).await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&hidden, "x", 0).await;
        insider.expect("x").await;
        reader.handled().await;
        writer.retain(&hidden, "kept", 0).await;
        insider.expect("kept").await;
        let mut late = broker.client(v, "late").await;
        late.subscribe("#", 0).await;
        for peer in [&mut reader, &mut late] {
            peer.send(&[0xC0, 0]).await;
            loop {
                match peer.next().await {
                    Got::Pong => break,
                    Got::Publish(publish) => assert_ne!(publish.name(), hidden),
                    other => panic!("{other:?}"),
                }
            }
        }
        writer.retain(&hidden, "", 0).await;
    }
}

#[tokio::test]
async fn what_is_no_filter_is_not_subscribed_to() {
    let broker = broker().await;
    let mut faults = Faults::default();
    for v in [3, 4, 5] {
        for filter in ["", "a/#/b", "#/a", "a#", "a/b#", "##", "a+", "+a", "a/+b/c", "a/b+/c", "++", "a/#+"] {
            for unsubscribing in [false, true] {
                let mut peer = broker.client(v, "me").await;
                peer.send(&if unsubscribing {
                    unsubscribe(v, 3, &[filter])
                } else {
                    subscribe(v, 3, &[], &[(filter.as_bytes(), 0)])
                })
                .await;
                // Told per filter, or with the end of the connection.
                let outcome = match peer.next().await {
                    Got::SubAck { codes, .. } if v > 3 && codes[0] >= 0x80 => Ok(()),
                    Got::UnsubAck { codes, .. } if codes.first().is_none_or(|code| *code > 0) => Ok(()),
                    Got::Disconnect { code: 0x81 | 0x82 | 0x8F, .. } | Got::Closed => Ok(()),
                    other => Err(format!("{other:?}")),
                };
                faults.note(&format!("{v}: {filter:?}"), outcome);
            }
        }
    }
    faults.none();
}

#[tokio::test]
async fn a_topic_can_have_65_535_bytes() {
    let broker = broker().await;
    for v in [4, 5] {
        let long = broker.t(&"x".repeat(65_535 - broker.t("").len()));
        let mut peer = broker.client(v, "me").await;
        peer.subscribe(&long, 0).await;
        peer.send(&message(&long, "hello", 0).bytes(v)).await;
        assert_eq!(peer.expect("hello").await.name(), long);
    }
}
