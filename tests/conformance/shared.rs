//! Shared subscriptions: one message to one of many.

use crate::{
    peer::{Faults, Peer, broker},
    wire::{Got, PUBACK, PUBREC, PUBREL, Publish, ack, ack_because, disconnect, id, property, subscribe},
};

async fn all(peer: &mut Peer) -> Vec<String> {
    peer.all().await.iter().map(Publish::text).collect()
}

#[tokio::test]
async fn each_message_goes_to_one_of_the_group_and_to_everyone_else() {
    for qos in 0..=2 {
        let broker = broker().await;
        let group = format!("$share/grp/{}", broker.t("x/+"));
        let mut members = Vec::new();
        for name in ["a", "b", "c"] {
            let mut member = broker.client(5, name).await;
            member.subscribe(&group, qos).await;
            members.push(member);
        }
        let mut other_group = broker.client(5, "d").await;
        other_group.subscribe(format!("$share/other/{}", broker.t("x/+")), qos).await;
        let mut alone = broker.client(5, "e").await;
        alone.subscribe(broker.t("x/+"), qos).await;
        let mut writer = broker.client(5, "writer").await;
        let wanted: Vec<_> = (10..40).map(|n| n.to_string()).collect();
        for payload in &wanted {
            writer.publish(&broker.t("x/y"), payload, qos).await;
        }
        let mut shared = Vec::new();
        for member in &mut members {
            let part = all(member).await;
            assert!(!part.is_empty(), "QoS {qos}: one of three had nothing of thirty");
            shared.extend(part);
        }
        shared.sort_unstable();
        assert_eq!(shared, wanted, "QoS {qos}");
        assert_eq!(all(&mut other_group).await, wanted);
        assert_eq!(all(&mut alone).await, wanted);
    }
}

#[tokio::test]
async fn who_leaves_a_group_gets_no_more() {
    let broker = broker().await;
    let group = format!("$share/grp/{}", broker.t("x"));
    let mut first = broker.client(5, "a").await;
    let mut second = broker.client(5, "b").await;
    let mut third = broker.client(5, "c").await;
    for peer in [&mut first, &mut second, &mut third] {
        peer.subscribe(&group, 1).await;
    }
    assert_eq!(first.unsubscribe(&[&broker.t("x")]).await, [0x11], "that is another subscription");
    assert_eq!(first.unsubscribe(&[&group]).await, [0]);
    third.goodbye().await;
    let mut writer = broker.client(5, "writer").await;
    for n in 0..6 {
        writer.publish(&broker.t("x"), &n.to_string(), 1).await;
        second.expect(&n.to_string()).await;
    }
    first.silent().await;
}

#[tokio::test]
async fn a_shared_and_a_plain_subscription_of_one_client_are_two() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    peer.subscribe_known_as(&format!("$share/grp/{}", broker.t("x")), 1, 1).await;
    peer.subscribe_known_as(&broker.t("x"), 1, 2).await;
    broker.client(5, "writer").await.publish(&broker.t("x"), "x", 1).await;
    peer.handled().await;
    let mut ids = Vec::new();
    while ids.len() < 2 {
        ids.extend(peer.expect("x").await.props.subscription_ids());
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    peer.silent().await;
}

#[tokio::test]
async fn the_granted_qos_of_the_chosen_member_holds() {
    let broker = broker().await;
    let group = format!("$share/grp/{}", broker.t("x"));
    let mut peer = broker.client(5, "me").await;
    let mut writer = broker.client(5, "writer").await;
    for qos in [0, 1, 2] {
        peer.subscribe(&group, qos).await;
        writer.publish(&broker.t("x"), "x", 2).await;
        assert_eq!(peer.expect("x").await.qos, qos);
    }
}

#[tokio::test]
async fn names_of_groups_follow_the_rules() {
    let broker = broker().await;
    let mut faults = Faults::default();
    let broken = [
        "$share/",
        "$share//a",
        "$share/g",
        "$share/g/",
        "$share/+/a",
        "$share/#/a",
        "$share/g+/a",
        "$share/g#/a",
        "$share/g/a#",
        "$share/g/#/a",
    ];
    for filter in broken {
        let mut peer = broker.client(5, "me").await;
        peer.send(&subscribe(5, 3, &[], &[(filter.as_bytes(), 0)])).await;
        let outcome = match peer.next().await {
            Got::SubAck { codes, .. } if codes[0] >= 0x80 => Ok(()),
            Got::Disconnect { code: 0x81 | 0x82 | 0x8F, .. } | Got::Closed => Ok(()),
            other => Err(format!("{other:?}")),
        };
        faults.note(filter, outcome);
    }
    for filter in ["$share/g/#", "$share/$g/a", "$share/ä b/+/a", "$share/g//"] {
        let mut peer = broker.client(5, "me").await;
        let code = peer.try_subscribe(filter, 0, &[]).await;
        faults.note(filter, if code == 0 { Ok(()) } else { Err(format!("0x{code:02X}")) });
    }
    faults.none();
}

#[tokio::test]
async fn no_local_on_a_shared_subscription_is_a_protocol_error() {
    let broker = broker().await;
    let mut peer = broker.client(5, "me").await;
    peer.send(&subscribe(5, 3, &[], &[(b"$share/g/a", 4)])).await;
    peer.cut_off(&[0x82]).await;
}

#[tokio::test]
async fn retained_messages_are_not_sent_to_a_new_shared_subscription() {
    let broker = broker().await;
    let mut writer = broker.client(5, "writer").await;
    writer.retain(&broker.t("x"), "kept", 1).await;
    let mut peer = broker.client(5, "me").await;
    peer.subscribe(format!("$share/g/{}", broker.t("x")), 1).await;
    peer.silent().await;
    writer.retain(&broker.t("x"), "", 1).await;
    peer.expect("").await;
}

#[tokio::test]
async fn what_one_member_has_begun_with_qos_2_it_completes() {
    let broker = broker().await;
    let group = format!("$share/grp/{}", broker.t("x"));
    let stays = broker.plain(5, "a").staying();
    let mut first = broker.connect(&stays).await;
    first.subscribe(&group, 2).await;
    let mut writer = broker.client(5, "writer").await;
    writer.publish(&broker.t("x"), "one", 2).await;
    writer.publish(&broker.t("x"), "two", 2).await;
    let one = first.message().await;
    let two = first.message().await;
    first.send(&ack(PUBREC, one.id)).await;
    first.acked(PUBREL, one.id).await;
    let mut second = broker.client(5, "b").await;
    second.subscribe(&group, 2).await;
    first.vanish().await;
    second.silent().await;
    let mut first = broker.connect(&stays).await;
    first.handled().await;
    assert_eq!(first.acked(PUBREL, one.id).await, 0);
    first.send(&ack(0x70, one.id)).await;
    let again = first.message().await;
    assert_eq!((again.id, again.dup, again.text()), (two.id, true, "two".to_owned()));
    // A session that ends takes what it has begun with it.
    first.send(&disconnect(0, &property::four(id::SESSION_EXPIRY, 0))).await;
    assert_eq!(first.next().await, Got::Closed);
    second.silent().await;
}

#[tokio::test]
async fn what_one_member_refuses_nobody_else_is_sent() {
    let broker = broker().await;
    let group = format!("$share/grp/{}", broker.t("x"));
    let mut first = broker.client(5, "a").await;
    first.subscribe(&group, 2).await;
    let mut writer = broker.client(5, "writer").await;
    writer.publish(&broker.t("x"), "one", 1).await;
    writer.publish(&broker.t("x"), "two", 2).await;
    let one = first.message().await;
    let two = first.message().await;
    let mut second = broker.client(5, "b").await;
    second.subscribe(&group, 2).await;
    first.send(&ack_because(PUBACK, one.id, 0x80)).await;
    first.send(&ack_because(PUBREC, two.id, 0x83)).await;
    first.silent().await;
    second.silent().await;
}

#[tokio::test]
async fn our_broker_sends_another_what_a_member_left_when_its_session_ended() {
    let broker = broker().await;
    let group = format!("$share/grp/{}", broker.t("x"));
    let mut first = broker.client(5, "a").await;
    first.subscribe(&group, 1).await;
    let mut writer = broker.client(5, "writer").await;
    writer.publish(&broker.t("x"), "one", 1).await;
    assert_eq!(first.message().await.text(), "one");
    let mut second = broker.client(5, "b").await;
    second.subscribe(&group, 1).await;
    second.silent().await;
    first.vanish().await;
    let one = second.expect("one").await;
    assert_eq!((one.qos, one.dup), (1, false));
}
