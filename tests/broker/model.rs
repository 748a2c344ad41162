//! Whole sessions against a model of what the standard promises: random subscriptions, publishes, lost connections and
//! kills, over real sockets.
//!
//! The model keeps no queue. It notes which sessions a message was for when it was published, and at the end asks: has
//! QoS 2 come exactly once, QoS 1 at least once, each in order, and nothing else?

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::prelude::*;
use rmqtt_codec::types::{Publish, QoS};
use sealwire::broker::Limits;
use tokio::time::{Instant, timeout};

use crate::{
    harness::{As, Client, Got, House, PATIENCE, house_of, id, message, v},
    shelf::Shelf,
};

const TOPICS: [&str; 3] = ["a", "a/b", "c"];
const FILTERS: [&str; 3] = ["a/#", "+/b", "#"];
const MATCHES: [[bool; 3]; 3] = [[true, true, false], [false, true, false], [true, true, true]];

#[derive(Debug, Clone)]
enum Act {
    Subscribe {
        reader: usize,
        filter: usize,
        qos: u8,
    },
    Unsubscribe {
        reader: usize,
        filter: usize,
    },
    Publish {
        writer: usize,
        topic: usize,
        qos: u8,
        cut: Cut,
    },
    /// Answers from now on at once, or keeps what it owes to itself.
    Answer {
        reader: usize,
        at_once: bool,
    },
    Leave {
        reader: usize,
        goodbye: bool,
    },
    Come {
        reader: usize,
        clean: bool,
    },
    Kill,
}

/// Where a publisher loses its connection; it comes back at once and goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Nowhere,
    AfterPublish,
    AfterReceipt,
    /// Together with the broker.
    Kill,
}

fn act() -> impl Strategy<Value = Act> {
    let cut = prop_oneof![
        4 => Just(Cut::Nowhere), 2 => Just(Cut::AfterPublish), 2 => Just(Cut::AfterReceipt), 1 => Just(Cut::Kill)
    ];
    let (reader, filter) = (0usize..3, 0usize..3);
    prop_oneof![
        4 => (reader.clone(), filter.clone(), 0u8..3)
            .prop_map(|(reader, filter, qos)| Act::Subscribe { reader, filter, qos }),
        1 => (reader.clone(), filter).prop_map(|(reader, filter)| Act::Unsubscribe { reader, filter }),
        12 => (0usize..2, 0usize..3, 0u8..3, cut)
            .prop_map(|(writer, topic, qos, cut)| Act::Publish { writer, topic, qos, cut }),
        2 => (reader.clone(), any::<bool>()).prop_map(|(reader, at_once)| Act::Answer { reader, at_once }),
        3 => (reader.clone(), any::<bool>()).prop_map(|(reader, goodbye)| Act::Leave { reader, goodbye }),
        5 => (reader, prop::bool::weighted(0.2)).prop_map(|(reader, clean)| Act::Come { reader, clean }),
        1 => Just(Act::Kill),
    ]
}

struct Reader {
    how: As,
    client: Option<Client>,
    /// Whether the broker has a session for it.
    session: bool,
    subscribed: BTreeMap<usize, u8>,
    /// What it must yet receive, with the QoS.
    due: BTreeSet<(u32, u8)>,
    /// What it may receive, and whether its publisher may send it twice.
    allowed: BTreeMap<(u32, u8), bool>,
    arrived: Vec<(u32, u8)>,
    /// Packet ids received with QoS 2 and not released: these outlive its connections.
    has: BTreeSet<u16>,
    /// What it owes: QoS and packet id, 3 for PUBREL.
    owes: Vec<(u8, u16)>,
    at_once: bool,
}

impl Reader {
    fn new(how: As) -> Self {
        Self {
            how,
            client: None,
            session: false,
            subscribed: BTreeMap::new(),
            due: BTreeSet::new(),
            allowed: BTreeMap::new(),
            arrived: Vec::new(),
            has: BTreeSet::new(),
            owes: Vec::new(),
            at_once: true,
        }
    }

    async fn come(&mut self, house: &House, clean: bool) {
        self.owes.clear();
        if clean && self.how.v == 4 {
            // Before MQTT 5 such a session is over with its connection.
            house.connect(As { clean, ..self.how.clone() }).await.leave().await;
            self.session = false;
        }
        let clean = clean && self.how.v == 5;
        let (client, present) = house.connect_again(As { clean, ..self.how.clone() }).await;
        assert_eq!(present, self.session && !clean, "{}", self.how.id);
        if !present {
            (self.subscribed, self.has) = Default::default();
            self.due.clear();
        }
        (self.client, self.session) = (Some(client), true);
    }

    /// Reads all that has come.
    async fn receive(&mut self) {
        let Some(client) = &mut self.client else { return };
        client.bytes(&[0xC0, 0]).await;
        loop {
            match client.next().await {
                Got::Publish(publish) => {
                    let number = u32::from_be_bytes(publish.payload[..].try_into().unwrap());
                    let qos = publish.qos.value();
                    let packet_id = publish.packet_id.map_or(0, u16::from);
                    if qos > 0 {
                        self.owes.push((qos, packet_id));
                    }
                    if qos < 2 || self.has.insert(packet_id) {
                        self.arrived.push((number, qos));
                        self.due.remove(&(number, qos));
                    }
                }
                Got::PubRel { id, code: 0 } => {
                    self.has.remove(&id);
                    self.owes.push((3, id));
                }
                Got::Pong => break,
                other => panic!("{other:?}"),
            }
        }
        if self.at_once {
            for (qos, packet_id) in std::mem::take(&mut self.owes) {
                match qos {
                    1 => client.ack(packet_id).await,
                    2 => client.pubrec(packet_id).await,
                    _ => client.pubcomp(packet_id).await,
                }
            }
        }
    }

    fn judge(&self) {
        let name = self.how.id;
        for qos in 0..3 {
            let mut first = Vec::new();
            for (number, _) in self.arrived.iter().filter(|(_, with)| *with == qos) {
                let allowed = self.allowed.get(&(*number, qos));
                let twice = *allowed.unwrap_or_else(|| panic!("{name}: {number} was not for it"));
                if first.contains(number) {
                    assert!(twice || qos == 1, "{name}: {number} came twice with QoS {qos}");
                } else {
                    first.push(*number);
                }
            }
            assert!(first.is_sorted(), "{name}: QoS {qos} in disorder: {first:?}");
        }
        assert!(self.due.is_empty(), "{name}: never came: {:?} after {:?}", self.due, self.arrived);
    }
}

struct World {
    shelf: Arc<Shelf>,
    house: House,
    readers: Vec<Reader>,
    writers: Vec<(As, Client)>,
    messages: u32,
}

impl World {
    async fn new() -> Self {
        let shelf = Shelf::new();
        let house = house_of(Limits::default(), Arc::clone(&shelf) as _).await;
        let readers = vec![
            Reader::new(v(5, "five").staying()),
            Reader::new(As { receive_max: Some(2), ..v(5, "narrow").staying() }),
            Reader::new(v(4, "four").staying()),
        ];
        let mut writers = Vec::new();
        for how in [v(5, "new writer").staying(), v(4, "old writer").staying()] {
            writers.push((how.clone(), house.connect(how).await));
        }
        Self { shelf, house, readers, writers, messages: 0 }
    }

    /// The broker is gone, with whatever was not on disk; another takes its place.
    async fn kill(&mut self) {
        // Nobody may hear the old one any more.
        for reader in &mut self.readers {
            reader.client = None;
        }
        self.shelf = self.shelf.copied();
        self.house = house_of(Limits::default(), Arc::clone(&self.shelf) as _).await;
    }

    async fn writer_is_back(&mut self, writer: usize) {
        let (how, client) = &mut self.writers[writer];
        *client = self.house.connect(how.clone()).await;
    }

    async fn publish(&mut self, writer: usize, topic: usize, qos: u8, cut: Cut) {
        self.messages += 1;
        for reader in self.readers.iter_mut().filter(|reader| reader.session) {
            let matching = reader.subscribed.iter().filter(|(filter, _)| MATCHES[**filter][topic]);
            let Some(granted) = matching.map(|(_, granted)| *granted).max() else { continue };
            let delivered = (self.messages, granted.min(qos));
            reader.allowed.insert(delivered, qos == 1);
            if delivered.1 > 0 {
                reader.due.insert(delivered);
            }
        }
        let mut publish = Publish { packet_id: None, ..message(TOPICS[topic], "", qos) };
        publish.payload = self.messages.to_be_bytes().to_vec().into();
        if qos == 0 {
            let client = &mut self.writers[writer].1;
            client.send_publish(publish).await;
            return client.fence().await;
        }
        publish.packet_id = Some(id(5));
        self.writers[writer].1.send_publish(publish.clone()).await;
        match cut {
            Cut::Nowhere => {}
            Cut::AfterPublish => self.writer_is_back(writer).await,
            Cut::AfterReceipt => {
                self.receipt(writer, qos).await;
                self.writer_is_back(writer).await;
            }
            Cut::Kill => {
                self.kill().await;
                for writer in 0..self.writers.len() {
                    self.writer_is_back(writer).await;
                }
            }
        }
        if cut != Cut::Nowhere && !(cut == Cut::AfterReceipt && qos == 1) {
            publish.dup = true;
            self.writers[writer].1.send_publish(publish).await;
        } else if cut == Cut::AfterReceipt {
            return;
        }
        self.receipt(writer, qos).await;
        if qos == 2 {
            let client = &mut self.writers[writer].1;
            client.pubrel(5).await;
            assert_eq!(client.next().await, Got::PubComp { id: 5, code: 0 });
        }
    }

    async fn receipt(&mut self, writer: usize, qos: u8) {
        match self.writers[writer].1.next().await {
            Got::PubAck { id: 5, code: 0 | 0x10, .. } if qos == 1 => {}
            Got::PubRec { id: 5, code: 0 | 0x10, .. } if qos == 2 => {}
            other => panic!("no receipt but {other:?}"),
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Subscribe { reader, filter, qos } => {
                let reader = &mut self.readers[reader];
                reader.receive().await;
                let Some(client) = &mut reader.client else { return };
                let options = rmqtt_codec::v5::SubscriptionOptions {
                    qos: QoS::try_from(qos).unwrap(),
                    ..Default::default()
                };
                client.ask_subscribe(FILTERS[filter], options, None).await;
                client.skip_to(|got| matches!(got, Got::SubAck { .. })).await;
                reader.subscribed.insert(filter, qos);
            }
            Act::Unsubscribe { reader, filter } => {
                let reader = &mut self.readers[reader];
                reader.receive().await;
                let Some(client) = &mut reader.client else { return };
                client.ask_unsubscribe(FILTERS[filter]).await;
                client.skip_to(|got| matches!(got, Got::UnsubAck { .. })).await;
                reader.subscribed.remove(&filter);
            }
            Act::Publish { writer, topic, qos, cut } => self.publish(writer, topic, qos, cut).await,
            Act::Answer { reader, at_once } => {
                self.readers[reader].at_once = at_once;
                self.readers[reader].receive().await;
            }
            Act::Leave { reader, goodbye } => {
                if let Some(client) = self.readers[reader].client.take()
                    && goodbye
                {
                    client.leave().await;
                }
            }
            Act::Come { reader, clean } => self.readers[reader].come(&self.house, clean).await,
            Act::Kill => {
                self.kill().await;
                for writer in 0..self.writers.len() {
                    self.writer_is_back(writer).await;
                }
            }
        }
        for reader in &mut self.readers {
            reader.receive().await;
        }
    }

    /// Everybody comes back and settles everything.
    async fn end(&mut self) {
        for reader in &mut self.readers {
            reader.at_once = true;
            reader.come(&self.house, false).await;
        }
        let empty = |shelf: &Shelf| {
            let mut sessions = shelf.kept().sessions.into_iter();
            sessions.all(|kept| kept.queue.is_empty() && kept.released.is_empty() && kept.accepted.is_empty())
        };
        let deadline = Instant::now() + PATIENCE;
        // Also what has come before may come again, after a kill that its acknowledgement did not outlive.
        let settled = |reader: &Reader| reader.due.is_empty() && reader.has.is_empty();
        while !(self.readers.iter().all(settled) && empty(&self.shelf)) && Instant::now() < deadline {
            for reader in &mut self.readers {
                reader.receive().await;
            }
        }
        for reader in &mut self.readers {
            reader.receive().await;
            reader.judge();
        }
        self.shelf.until("nothing is left of it", empty).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn every_session_receives_what_the_standard_promises(acts in prop::collection::vec(act(), 5..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for reader in &mut world.readers {
                reader.come(&world.house, true).await;
            }
            for act in acts {
                timeout(PATIENCE, world.act(act.clone())).await.unwrap_or_else(|_| panic!("stuck at {act:?}"));
            }
            world.end().await;
        });
        runtime.shutdown_background();
    }
}
