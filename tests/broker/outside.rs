//! The broker seen from outside: `$SYS`, the figures, the list of sessions, kick.

use std::{collections::BTreeMap, time::Duration};

use sealwire::broker::{Limits, LiveSession, Protocol, Selection, Transport};

use crate::{
    harness::{Client, Got, House, filter, house, house_of, house_with, message, v},
    shelf::Shelf,
};

/// The averages and the uptime would change between two looks.
fn hourly() -> Limits {
    Limits { sys_interval: Duration::from_secs(3600), ..Limits::default() }
}

/// All that a new subscriber is given.
async fn given(client: &mut Client, topic: &str) -> BTreeMap<String, String> {
    assert!(client.subscribe(topic, 1).await < 3);
    let mut given = BTreeMap::new();
    client.bytes(&[0xC0, 0]).await;
    loop {
        match client.next().await {
            Got::Publish(publish) => {
                assert!(publish.retain && publish.qos.value() == 0, "{publish:?}");
                let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
                given.insert(publish.topic.to_string(), payload);
            }
            Got::Pong => return given,
            other => panic!("{other:?}"),
        }
    }
}

fn all(house: &House) -> Vec<LiveSession> {
    house.broker.sessions(&Selection { limit: 100, ..Selection::default() }).1
}

fn one(house: &House, client: &str) -> LiveSession {
    all(house).into_iter().find(|session| &*session.client_id == client).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_subscriber_is_given_every_figure_at_once_and_they_are_true() {
    let house = house_with(hourly()).await;
    let mut reader = house.connect(v(4, "reader").staying()).await;
    reader.subscribe("t", 1).await;
    reader.goodbye().await;
    let mut writer = house.connect(v(5, "writer")).await;
    writer.publish("t", "12345", 1).await;
    writer.publish("t", "678", 1).await;
    writer.retain("kept", "1234567890", 0).await;
    let mut watch = house.connect(v(5, "watch")).await;
    let figures = given(&mut watch, "$SYS/#").await;
    let is = |name: &str, value: &str| {
        assert_eq!(figures[&format!("$SYS/broker/{name}")], value, "{name} among {figures:#?}");
    };
    is("version", &format!("sealwire version {}", env!("CARGO_PKG_VERSION")));
    is("clients/connected", "2");
    is("clients/disconnected", "1");
    is("clients/total", "3");
    is("clients/maximum", "2");
    is("clients/expired", "0");
    is("subscriptions/count", "2");
    is("shared_subscriptions/count", "0");
    is("retained messages/count", "1");
    is("store/messages/count", "3");
    is("messages/stored", "3");
    // Topics and payloads: "t" twice, "kept" once.
    is("store/messages/bytes", &(6 + 4 + 14).to_string());
    is("publish/messages/received", "3");
    is("publish/bytes/received", "18");
    is("publish/messages/sent", "0");
    is("publish/messages/dropped", "0");
    is("messages/inflight", "0");
    // Three CONNECT, SUBSCRIBE and DISCONNECT of the reader, three PUBLISH and a ping of the writer. The SUBSCRIBE of
    // this client is being handled.
    is("messages/received", "9");
    // Three CONNACK, SUBACK, two PUBACK, a pong.
    is("messages/sent", "7");
    let uptime = &figures["$SYS/broker/uptime"];
    let seconds: u64 = uptime.strip_suffix(" seconds").unwrap().parse().unwrap();
    assert!(seconds < 60, "{uptime}");
    for name in ["messages/received", "publish/dropped", "bytes/sent", "sockets", "connections"] {
        for span in ["1min", "5min", "15min"] {
            let load = &figures[&format!("$SYS/broker/load/{name}/{span}")];
            assert!(load.parse::<f64>().is_ok() && load.contains('.'), "{load}");
        }
    }
    // One of them alone, and by a filter.
    let mut other = house.connect(v(4, "other")).await;
    let alone = given(&mut other, "$SYS/broker/clients/+").await;
    assert_eq!(alone.len(), 7, "{alone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_is_published_again_and_only_that() {
    let house = house_with(Limits { sys_interval: Duration::from_millis(20), ..Limits::default() }).await;
    let mut watch = house.connect(v(5, "watch")).await;
    let before = given(&mut watch, "$SYS/broker/clients/#").await;
    assert_eq!(before["$SYS/broker/clients/connected"], "1");
    let other = house.connect(v(4, "other")).await;
    let mut told = BTreeMap::new();
    while told.len() < 4 {
        let publish = watch.message().await;
        assert!(!publish.retain && publish.packet_id.is_none());
        told.insert(publish.topic.to_string(), String::from_utf8(publish.payload.to_vec()).unwrap());
    }
    for name in ["active", "connected", "maximum", "total"] {
        assert_eq!(told[&format!("$SYS/broker/clients/{name}")], "2", "{told:?}");
    }
    drop(other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_whom_the_authority_lets_is_given_figures_and_a_leading_wildcard_is_none() {
    let house = house_with(hourly()).await;
    house.rules.subscribe.lock().insert("bob".into(), filter("$SYS/#"));
    let mut bob = house.connect(v(5, "bob").account("bob")).await;
    assert_eq!(bob.subscribe("$SYS/#", 0).await, 0x87);
    assert_eq!(bob.subscribe("$SYS/broker/uptime", 0).await, 0x87);
    assert_eq!(given(&mut bob, "#").await, BTreeMap::new());
    assert_eq!(given(&mut bob, "+/broker/#").await, BTreeMap::new());
    // Delivery is asked about by itself.
    house.rules.deliver.lock().insert("eve".into(), filter("$SYS/broker/bytes/#"));
    let mut eve = house.connect(v(5, "eve").account("eve")).await;
    let figures = given(&mut eve, "$SYS/#").await;
    assert!(figures.len() > 40 && !figures.contains_key("$SYS/broker/bytes/sent"), "{figures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_the_broker_publishes_there() {
    let house = house_with(hourly()).await;
    let mut liar = house.connect(v(5, "liar")).await;
    assert_eq!(liar.publish("$SYS/broker/uptime", "for ever", 1).await, 0x87);
    assert_eq!(liar.publish("$SYS", "x", 1).await, 0x87);
    assert_eq!(liar.publish("$SYSTEM", "x", 1).await, 0x10, "others are the authority's affair");
    liar.retain("$SYS/broker/clients/connected", "0", 0).await;
    let will = Some(("$SYS/broker/version", "mine", 1, true, 0));
    let (_, refused) = house.try_connect(crate::harness::As { will, ..v(5, "ghost") }).await;
    assert!(matches!(refused, Got::ConnAck { code: 0x87, .. }), "{refused:?}");
    let mut watch = house.connect(v(5, "watch")).await;
    let figures = given(&mut watch, "$SYS/#").await;
    assert_eq!(figures["$SYS/broker/clients/connected"], "2");
    assert_eq!(house.broker.stats().retained, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_can_be_turned_off() {
    let house = house_with(Limits { sys_interval: Duration::ZERO, ..Limits::default() }).await;
    let mut watch = house.connect(v(5, "watch")).await;
    assert_eq!(given(&mut watch, "$SYS/#").await, BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_never_kept_nor_queued_for_who_is_away() {
    let shelf = Shelf::new();
    let limits = Limits { sys_interval: Duration::from_millis(10), ..Limits::default() };
    let house = house_of(limits, shelf.clone()).await;
    let mut watch = house.connect(v(5, "watch").staying()).await;
    assert_eq!(watch.subscribe("$SYS/#", 1).await, 1);
    watch.message().await;
    drop(watch);
    house.log.until(&["Disconnected", "watch"]).await;
    let before = one(&house, "watch").sent;
    let mut other = house.connect(v(5, "other")).await;
    other.subscribe("$SYS/broker/load/#", 0).await;
    // The averages of packets received are published again and again.
    for _ in 0..60 {
        other.bytes(&[0xC0, 0]).await;
        other.next().await;
    }
    let away = one(&house, "watch");
    assert_eq!((away.depth.queued, away.sent), (0, before));
    let kept = shelf.kept();
    assert!(kept.retained.is_empty() && kept.sessions.iter().all(|session| session.queue.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_shows_every_session_as_it_is() {
    let house = house().await;
    let mut away = house.connect(v(4, "away").staying()).await;
    away.subscribe("t", 1).await;
    away.subscribe("u", 1).await;
    away.goodbye().await;
    let how = v(5, "here").account("bob").staying();
    let will = Some(("will/here", "gone", 1, false, 0));
    let mut here = house.connect(crate::harness::As { will, keep_alive: 60, ..how }).await;
    here.subscribe("t", 1).await;
    here.send_publish(message("t", "12345", 1)).await;
    let got = here.message().await;
    assert!(matches!(here.next().await, Got::PubAck { code: 0, .. }));
    here.fence().await;

    let session = one(&house, "here");
    assert_eq!((&*session.account, &*session.role), ("bob", "any"));
    assert_eq!((session.expiry_secs, session.subscriptions), (3600, 1));
    assert_eq!((session.depth.inflight, session.depth.queued, session.received), (1, 0, 1));
    let connection = session.connection.clone().unwrap();
    assert_eq!((connection.protocol, connection.transport), (Protocol::V5, Transport::Tcp));
    assert!(connection.peer.ip().is_loopback() && connection.peer != house.address);
    assert_eq!(connection.keep_alive_secs, 60);
    assert_eq!(connection.will.unwrap().as_str(), "will/here");
    assert!(connection.since_ms > 1_600_000_000_000 && session.away.is_none());
    here.ack(got.packet_id.unwrap().get()).await;
    here.fence().await;
    assert_eq!(one(&house, "here").depth.inflight, 0);

    let session = one(&house, "away");
    assert!(session.connection.is_none() && session.subscriptions == 2);
    assert_eq!((session.depth.queued, session.depth.queued_bytes), (1, 6));
    let (left_ms, remaining) = session.away.unwrap();
    assert!(left_ms > 1_600_000_000_000 && remaining > Duration::from_secs(24 * 3600));

    let find = |account: Option<&str>, find: Option<&str>, from: usize, limit: usize| {
        let (account, find) = (account.map(Into::into), find.map(Into::into));
        let (total, shown) = house.broker.sessions(&Selection { account, find, from, limit });
        (total, shown.iter().map(|session| session.client_id.to_string()).collect::<Vec<_>>())
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(find(None, None, 0, 10), (2, names(&["away", "here"])), "by account, then client id");
    assert_eq!(find(None, None, 1, 10), (2, names(&["here"])));
    assert_eq!(find(None, None, 0, 1), (2, names(&["away"])));
    assert_eq!(find(Some("bob"), None, 0, 10), (1, names(&["here"])));
    assert_eq!(find(None, Some("BO"), 0, 10), (1, names(&["here"])));
    assert_eq!(find(None, Some("WA"), 0, 10), (1, names(&["away"])));
    assert_eq!(find(None, Some("127.0.0.1"), 0, 10), (1, names(&["here"])));
    assert_eq!(find(Some("ann"), Some("here"), 0, 10), (0, names(&[])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kick_ends_the_connection_and_leaves_the_session() {
    let house = house().await;
    let mut reader = house.connect(v(5, "reader").staying()).await;
    reader.subscribe("t", 1).await;
    let id = one(&house, "reader").id;
    assert_eq!(&*house.broker.kick(id, false, "kicked by root").unwrap().client_id, "reader");
    match reader.next().await {
        Got::Disconnect { code: 0x98, reason } => assert_eq!(reason.as_deref(), Some("kicked by root")),
        other => panic!("{other:?}"),
    }
    assert_eq!(reader.next().await, Got::Closed);
    house.log.until(&["Disconnected", "kicked by root"]).await;
    assert!(one(&house, "reader").away.is_some());
    house.connect(v(4, "writer")).await.publish("t", "later", 1).await;
    let (mut reader, present) = house.connect_again(v(5, "reader").staying()).await;
    assert!(present);
    reader.expect("later").await;
    assert!(house.broker.kick(99_999, false, "nobody").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kick_can_forget_the_session_on_disk_too_and_publishes_the_will() {
    let shelf = Shelf::new();
    let house = house_of(Limits::default(), shelf.clone()).await;
    let mut watch = house.connect(v(5, "watch")).await;
    watch.subscribe("will/#", 1).await;
    let will = Some(("will/x", "gone", 1, false, 600));
    let how = crate::harness::As { will, ..v(5, "reader").staying() };
    let mut reader = house.connect(how.clone()).await;
    reader.subscribe("t", 1).await;
    assert!(shelf.session("reader").is_some());
    let id = one(&house, "reader").id;
    house.broker.kick(id, true, "forgotten").unwrap();
    reader.ended_with(0x98).await;
    watch.expect("gone").await;
    shelf.until("the session is gone", |shelf| shelf.session("reader").is_none()).await;
    assert_eq!(house.broker.stats().subscriptions, 1);
    let (reader, present) = house.connect_again(how).await;
    assert!(!present);
    // Also one that is away.
    drop(reader);
    house.log.until(&["Disconnected", "reader", "closed"]).await;
    house.broker.kick(one(&house, "reader").id, true, "forgotten").unwrap();
    watch.expect("gone").await;
    assert!(all(&house).iter().all(|session| &*session.client_id != "reader"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_tell_protocols_qos_wills_and_commits_apart() {
    let shelf = Shelf::new();
    let house = house_of(Limits::default(), shelf.clone()).await;
    let mut reader = house.connect(v(4, "reader").staying()).await;
    reader.subscribe("t", 1).await;
    let will = Some(("will/x", "gone", 0, false, 0));
    let mut writer = house.connect(crate::harness::As { will, ..v(5, "writer") }).await;
    writer.publish("t", "1", 0).await;
    writer.publish("t", "22", 1).await;
    reader.expect("1").await;
    reader.expect("22").await;
    reader.fence().await;
    let figures = house.broker.figures();
    assert_eq!((figures.received.messages, figures.received.bytes), ([1, 1, 0], 3));
    assert_eq!((figures.sent.messages, figures.sent.bytes), ([1, 1, 0], 3));
    assert_eq!((figures.wills, figures.wills_published, figures.max_connections), (1, 0, 2));
    assert_eq!((figures.connects, figures.sockets, figures.handshakes), (2, 2, 0));
    let speaking = |protocol| figures.speaking.iter().find(|group| group.protocol == protocol);
    assert_eq!(speaking(Protocol::V311).unwrap().connections, 1);
    assert_eq!(speaking(Protocol::V5).unwrap().transport, Transport::Tcp);
    assert!(speaking(Protocol::V31).is_none());
    let commits = figures.commits.unwrap();
    assert!(commits.batches >= 2 && commits.failures == 0 && !commits.failing, "{commits:?}");
    assert_eq!(commits.within.iter().sum::<u64>(), commits.batches);
    drop(writer);
    house.log.until(&["Disconnected", "writer"]).await;
    let figures = house.broker.figures();
    assert_eq!((figures.wills, figures.wills_published), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bursts_exchanges_of_qos_2_and_groups_are_counted_to_the_packet() {
    let house = house_with(hourly()).await;
    let mut reader = house.connect(v(5, "reader")).await;
    reader.subscribe("t", 2).await;
    let mut member = house.connect(v(4, "member")).await;
    member.subscribe("$share/g/t", 1).await;
    let mut writer = house.connect(v(4, "writer")).await;
    let publish = [0x30, 4, 0, 1, b't', b'x'];
    writer.bytes(&[&publish[..], &publish, &publish, &[0xC0, 0]].concat()).await;
    assert_eq!(writer.next().await, Got::Pong);
    assert_eq!(writer.publish("t", "22", 2).await, 0);
    for _ in 0..3 {
        reader.expect("x").await;
        member.expect("x").await;
    }
    let id = reader.message().await.packet_id.unwrap().get();
    let to_member = member.message().await.packet_id.unwrap().get();
    assert_eq!(house.broker.figures().depth.inflight, 2);
    reader.pubrec(id).await;
    assert_eq!(reader.next().await, Got::PubRel { id, code: 0 });
    assert_eq!(house.broker.figures().depth.inflight, 2, "until PUBCOMP");
    reader.pubcomp(id).await;
    member.ack(to_member).await;
    reader.fence().await;
    member.fence().await;
    let figures = house.broker.figures();
    assert_eq!(figures.depth.inflight, 0);
    assert_eq!((figures.stats.subscriptions, figures.shared_subscriptions), (2, 1));
    assert_eq!((figures.received.messages, figures.received.bytes), ([3, 0, 1], 5));
    assert_eq!((figures.sent.messages, figures.sent.bytes), ([6, 1, 1], 10));
    assert_eq!((figures.stats.messages_in, figures.stats.messages_out), (4, 8));
    assert_eq!((one(&house, "writer").received, one(&house, "reader").sent), (4, 4));
    // Three CONNECT and two SUBSCRIBE; of the writer four PUBLISH, PUBREL and a ping; of the reader PUBREC, PUBCOMP and
    // a ping; of the member PUBACK and a ping.
    assert_eq!(figures.packets_in, 5 + 6 + 3 + 2);
    // Three CONNACK and two SUBACK; to the writer PUBREC, PUBCOMP and a pong; to the reader PUBREL and a pong; to the
    // member a pong; eight PUBLISH.
    assert_eq!(figures.packets_out, 5 + 3 + 2 + 1 + 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_shares_the_figures_too() {
    let house = house_with(Limits { sys_interval: Duration::from_millis(20), ..Limits::default() }).await;
    let mut members = [house.connect(v(5, "one")).await, house.connect(v(5, "two")).await];
    for member in &mut members {
        assert_eq!(member.subscribe("$share/g/$SYS/broker/load/messages/received/1min", 0).await, 0);
    }
    // Nobody is given them at once, and each member has its turn.
    for member in &mut members {
        assert!(!member.message().await.retain);
    }
}
