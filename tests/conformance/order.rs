//! Messages keep their order.

use crate::{
    peer::broker,
    wire::{Got, PUBREL, ack, message},
};

#[tokio::test]
async fn messages_of_one_topic_and_qos_arrive_in_the_order_they_were_sent() {
    for v in [3, 4, 5] {
        for qos in 0..=2 {
            let broker = broker().await;
            let mut reader = broker.client(v, "reader").await;
            reader.subscribe(broker.t("x"), qos).await;
            let mut wide = broker.client(v, "wide").await;
            wide.subscribe(broker.t("#"), qos).await;
            let mut writer = broker.client(v, "writer").await;
            let publishes: Vec<_> = (1..=15)
                .flat_map(|n| {
                    message(broker.t("x"), n.to_string(), qos).id(if qos > 0 { n } else { 0 }).bytes(v)
                })
                .collect();
            writer.send(&publishes).await;
            if qos == 2 {
                writer.send(&(1..=15).flat_map(|n| ack(PUBREL, n)).collect::<Vec<_>>()).await;
            }
            for peer in [&mut reader, &mut wide] {
                // Nothing is acknowledged before the last has come.
                let mut got = Vec::new();
                for n in 1..=15 {
                    let publish = peer.message().await;
                    assert_eq!((publish.text(), publish.qos), (n.to_string(), qos), "{v}");
                    got.push(publish);
                }
                for publish in got {
                    peer.acknowledge(&publish).await;
                }
                peer.silent().await;
            }
        }
    }
}

#[tokio::test]
async fn pubrels_come_in_the_order_of_the_pubrecs() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let mut reader = broker.client(v, "reader").await;
        reader.subscribe(broker.t("x"), 2).await;
        let mut writer = broker.client(v, "writer").await;
        let mut ids = Vec::new();
        for n in 0..8 {
            writer.publish(&broker.t("x"), &n.to_string(), 2).await;
            ids.push(reader.message().await.id);
        }
        ids.swap(1, 6);
        reader.send(&ids.iter().flat_map(|id| ack(0x50, *id)).collect::<Vec<_>>()).await;
        for wanted in ids {
            match reader.next().await {
                Got::Ack { kind: PUBREL, id, .. } => assert_eq!(id, wanted),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn what_waited_comes_before_what_is_new() {
    for v in [3, 4, 5] {
        let broker = broker().await;
        let stays = broker.plain(v, "reader").staying();
        let mut reader = broker.connect(&stays).await;
        reader.subscribe(broker.t("x"), 1).await;
        let mut writer = broker.client(v, "writer").await;
        writer.publish(&broker.t("x"), "0", 1).await;
        reader.message().await;
        reader.vanish().await;
        for n in 1..10 {
            writer.publish(&broker.t("x"), &n.to_string(), 1).await;
        }
        let (mut reader, ()) = tokio::join!(broker.connect(&stays), async {
            for n in 10..20 {
                writer.publish(&broker.t("x"), &n.to_string(), 1).await;
            }
        });
        for n in 0..20 {
            reader.expect(&n.to_string()).await;
        }
        reader.silent().await;
    }
}
