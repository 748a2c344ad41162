//! QoS 2 both ways against Debian's mosquitto, with connections that break in the middle of an exchange, and what a broker
//! without room or without subscribers answers.

use sealwire::{
    client::{Asked, Command, Draft, Event, OutboxEntry, OutboxState, Suite},
    topic::TopicFilter,
};

use crate::{
    front::{From, Front, PUBACK, PUBCOMP, PUBREC, PUBREL, What},
    harness::{Person, Station, draft, text},
};

struct Scene {
    front: Front,
    anna: Person,
    ben: Person,
    _station: Station,
}

impl Scene {
    /// Anna sends, Ben watches `plant/#` with its key, and `open/#` goes in the clear.
    fn open() -> Self {
        let station = Station::start();
        let mut anna = Person::joined(&station, "anna", "");
        let line = anna.key("Plant", "plant/#", Suite::default());
        anna.send(Command::SetClear { filter: TopicFilter::new("open/#").unwrap(), clear: true });
        anna.answer(Asked::Clear, |event| {
            matches!(event, Event::ClearTopics(list) if !list.is_empty()).then_some(())
        });
        let mut ben = Person::joined(&station, "ben", "subscriber");
        ben.import(&line);
        let front = Front::to(&station);
        let anna = front.enter(&station, anna, "anna");
        let ben = front.enter(&station, ben, "ben");
        Self { front, anna, ben, _station: station }
    }

    /// Ben watches at QoS 2.
    fn watch(&mut self, filter: &str) {
        let filter = TopicFilter::new(filter).unwrap();
        self.ben.send(Command::SubscribeAt { filter: filter.clone(), qos: 2 });
        self.ben.answer(Asked::Subscribe, |event| match event {
            Event::Subscriptions(list) => list
                .iter()
                .find(|view| view.filter == filter && view.qos == 2 && view.granted == Some(Ok(2)))
                .map(|_| ()),
            _ => None,
        });
    }

    fn publish(&self, topic: &str, body: &str, qos: u8) {
        let draft = Draft { qos, ..draft(topic, body) };
        self.anna.send(Command::Publish { draft, every: None });
    }

    /// The states of the next message to `topic`, up to its end.
    fn life(&mut self, topic: &str) -> Vec<OutboxState> {
        let mut life: Vec<OutboxState> = Vec::new();
        self.anna.until("the life of a message", |event| {
            let Event::Outbox(entries) = event else { return None };
            for OutboxEntry { state, .. } in entries.iter().filter(|entry| entry.topic.as_str() == topic) {
                if life.last() != Some(state) {
                    life.push(state.clone());
                }
            }
            matches!(life.last(), Some(OutboxState::Acknowledged { .. } | OutboxState::Refused { .. }))
                .then_some(())
        });
        life
    }
}

const DONE: OutboxState = OutboxState::Acknowledged { no_subscribers: false };

#[test]
fn a_message_at_qos_2_reaches_its_reader_at_qos_2_and_is_told_as_completed() {
    let mut scene = Scene::open();
    scene.watch("plant/#");
    for n in 0..300 {
        scene.publish("plant/x", &n.to_string(), 2);
    }
    for n in 0..300 {
        let message = scene.ben.message("plant/x");
        assert_eq!((text(&message), message.qos), (n.to_string(), 2));
    }
    scene.anna.acknowledged("plant/x", 300);
}

#[test]
fn before_pubrec_and_before_pubcomp_a_broken_connection_costs_nothing_and_shows_nothing_twice() {
    let mut scene = Scene::open();
    scene.watch("plant/#");
    let cuts = [(From::Broker, PUBREC), (From::Client, PUBREL), (From::Broker, PUBCOMP)];
    for (n, (side, packet)) in cuts.into_iter().enumerate() {
        scene.front.next(side, packet, What::Cut);
        scene.publish("plant/x", &format!("{n}"), 2);
        let life = scene.life("plant/x");
        assert_eq!(life.last(), Some(&DONE), "{life:?}");
        assert!(scene.front.is_done());
        assert_eq!(text(&scene.ben.message("plant/x")), n.to_string());
    }
    // What came twice was dropped: the next is the next.
    scene.publish("plant/x", "last", 2);
    assert_eq!(text(&scene.ben.message("plant/x")), "last");
}

#[test]
fn what_comes_in_at_qos_2_without_a_seal_comes_once_wherever_the_connection_breaks() {
    let mut scene = Scene::open();
    scene.watch("open/#");
    for (side, packet) in [(From::Client, PUBREC), (From::Broker, PUBREL), (From::Client, PUBCOMP)] {
        let body = format!("{side:?} {packet}");
        // From these sides, these packets are of Ben's exchange and not of Anna's.
        scene.front.next(side, packet, What::Cut);
        scene.publish("open/door", &body, 2);
        assert_eq!(text(&scene.ben.message("open/door")), body);
        scene.ben.offline();
        scene.ben.send(Command::RetryNow);
        scene.ben.online();
        assert!(scene.front.is_done());
    }
    scene.publish("open/door", "last", 2);
    assert_eq!(text(&scene.ben.message("open/door")), "last", "nothing came twice, and the link holds");
}

#[test]
fn where_nobody_subscribes_the_broker_says_so_at_qos_1_and_2() {
    let mut scene = Scene::open();
    let nobody = OutboxState::Acknowledged { no_subscribers: true };
    // At QoS 1 mosquitto says so by itself; at QoS 2 it looks for subscribers only when the message is released.
    scene.front.next(From::Broker, PUBREC, What::Reason(0x10));
    for qos in [1, 2] {
        let topic = format!("open/nobody/{qos}");
        scene.publish(&topic, "hello?", qos);
        assert_eq!(scene.life(&topic).last(), Some(&nobody), "QoS {qos}");
    }
}

#[test]
fn a_broker_without_room_keeps_the_message_waiting_until_it_has_some() {
    let mut scene = Scene::open();
    scene.watch("plant/#");
    for (qos, packet) in [(1, PUBACK), (2, PUBREC)] {
        scene.front.next(From::Broker, packet, What::Reason(0x97));
        scene.publish("plant/x", "room?", qos);
        let life = scene.life("plant/x");
        let waited = life
            .iter()
            .any(|state| matches!(state, OutboxState::Postponed { why, .. } if why.contains("no room")));
        assert!(waited && life.last() == Some(&DONE), "QoS {qos}: {life:?}");
        assert_eq!(text(&scene.ben.message("plant/x")), "room?");
    }
}

#[test]
fn a_refusal_at_qos_2_is_told_and_the_next_message_goes_out() {
    let mut scene = Scene::open();
    scene.watch("plant/#");
    scene.front.next(From::Broker, PUBREC, What::Reason(0x90));
    scene.publish("plant/x", "bad", 2);
    let life = scene.life("plant/x");
    assert!(matches!(life.last(), Some(OutboxState::Refused { why }) if why.contains("topic")), "{life:?}");
    scene.publish("plant/x", "good", 2);
    assert_eq!(text(&scene.ben.message("plant/x")), "good");
}
