//! The broker's promise, met over plain sockets: what it acknowledged is there after `kill -9`.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use crate::{
    load::{Publisher, Reader, random},
    raw::{Packet, Raw},
    support::{PATIENCE, Station},
};

/// Kills, unless [`ROUNDS_VARIABLE`] says another number.
const ROUNDS: u32 = 20;
const ROUNDS_VARIABLE: &str = "SEALWIRE_TEST_KILLS";
/// Unacknowledged publishes at once.
const WINDOW: u32 = 60;

/// A station that lets everyone in, on the ports it had.
struct House {
    station: Station,
    folder: tempfile::TempDir,
    plain: String,
}

impl House {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let station = start(folder.path(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0");
        let plain = station.plain.clone().unwrap();
        Self { station, folder, plain }
    }

    fn kill_and_start_again(&mut self) {
        self.station.kill();
        let (api, mqtt) = (self.station.api.clone(), self.station.mqtt.clone());
        self.station = start(self.folder.path(), &api, &mqtt, &self.plain);
    }
}

fn start(data: &Path, api: &str, mqtt: &str, plain: &str) -> Station {
    Station::start_on(data, api, mqtt, &["--plain", plain, "--anonymous", "admin"])
}

/// How often the station is killed in one test.
fn rounds() -> u32 {
    let Ok(text) = std::env::var(ROUNDS_VARIABLE) else { return ROUNDS };
    text.parse().unwrap_or_else(|error| panic!("{ROUNDS_VARIABLE} is no number of kills: {error}"))
}

/// What is promised to a publisher and to a subscriber at one QoS. A row per QoS: the test is the same.
struct Promise {
    qos: u8,
    /// Whether a message may come more than once, and so after a later one.
    repeats: bool,
}

const AT_LEAST_ONCE: Promise = Promise { qos: 1, repeats: true };
const EXACTLY_ONCE: Promise = Promise { qos: 2, repeats: false };

/// Ends the reader however the test ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn every_acknowledged_message_reaches_a_session_that_stays_though_the_station_is_killed_again_and_again() {
    println!("{}", hold_under_kills(&AT_LEAST_ONCE));
}

#[test]
fn every_message_at_qos_2_arrives_exactly_once_and_in_order_though_the_station_is_killed_again_and_again() {
    println!("{}", hold_under_kills(&EXACTLY_ONCE));
}

/// Publishes without a pause while the station is killed at random moments, and counts what was promised and what
/// came. Returns the counts.
fn hold_under_kills(promise: &Promise) -> String {
    let rounds = rounds();
    let mut house = House::open();
    let address = house.plain.clone();
    let (mut link, present) = Raw::connect(&address, "reader", true).unwrap();
    assert!(!present);
    link.subscribe("load/#", promise.qos).unwrap();
    drop(link);

    let (away, over, arrivals) = (AtomicBool::new(false), AtomicBool::new(false), Mutex::default());
    let mut publisher = Publisher::new(&address, promise.qos);
    std::thread::scope(|scope| {
        let _stop = Stop(&over);
        let reader = scope.spawn(|| Reader::new(&address, promise.qos, &arrivals).read(&away, &over));
        for round in 0..rounds {
            // Every second time nobody reads, and all must wait on disk.
            away.store(round % 2 == 1, SeqCst);
            let enough = publisher.acknowledged.len() as u32 + 100 + random(200);
            while (publisher.acknowledged.len() as u32) < enough {
                publisher.step(WINDOW).unwrap();
            }
            // A connection that is lost without a kill, which the next takes over.
            publisher.hang_up();
            for _ in 0..WINDOW {
                publisher.step(WINDOW).unwrap();
            }
            // Somewhere between two steps of the station, with the window full.
            let moment = Duration::from_micros(random(15_000).into());
            let killer = std::thread::spawn(move || {
                std::thread::sleep(moment);
                house.kill_and_start_again();
                house
            });
            while publisher.step(WINDOW).is_ok() {}
            publisher.hang_up();
            house = killer.join().unwrap();
        }
        while !publisher.is_done() {
            publisher.step(0).unwrap();
        }
        away.store(false, SeqCst);
        let until = Instant::now() + PATIENCE;
        let missing = || {
            let arrivals = arrivals.lock().unwrap();
            publisher.acknowledged.difference(&arrivals.numbers).copied().collect::<Vec<_>>()
        };
        while !missing().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        over.store(true, SeqCst);
        let missing = missing();
        assert!(missing.is_empty(), "{} acknowledged and lost: {missing:?}", missing.len());
        let mut reader = reader.join().unwrap();
        reader.settle().unwrap();
        // Written down with the CONNECT of a session that stays.
        assert_eq!(reader.settle().unwrap(), 0, "settled and came again");
        house.kill_and_start_again();
        assert_eq!(reader.settle().unwrap(), 0, "settled, and on disk for ever");
    });
    let arrivals = arrivals.into_inner().unwrap();
    let acknowledged = publisher.acknowledged.len();
    let counts = format!(
        "QoS {}: {rounds} kills, {acknowledged} acknowledged, none lost, {} sent again by the publisher, {} by the \
         broker, {} arrived again ({} of them without DUP), {} out of order",
        promise.qos,
        publisher.repeats,
        arrivals.resent,
        arrivals.repeats,
        arrivals.unmarked.len(),
        arrivals.disorder.len()
    );
    assert!(acknowledged as u32 >= rounds * 100);
    assert_eq!(acknowledged as u32, publisher.next, "a publisher that goes on gets all its acknowledgements");
    assert!(arrivals.resent > 0, "the messages that were not acknowledged came again");
    if !promise.repeats {
        assert_eq!(arrivals.repeats, 0, "arrived again; {counts}");
        assert!(arrivals.disorder.is_empty(), "before one that was published later: {:?}", arrivals.disorder);
        return counts;
    }
    // The publisher's own repeats are new messages to the broker (MQTT 3.1.1 §4.3.2). All others must be marked.
    assert!(arrivals.unmarked.len() <= publisher.repeats as usize, "{counts}: {:?}", arrivals.unmarked);
    counts
}

#[test]
fn what_is_published_before_the_subscriber_is_back_waits_for_it_in_order_through_a_second_kill() {
    let mut house = House::open();
    let (mut reader, _) = Raw::connect(&house.plain, "reader", true).unwrap();
    reader.subscribe("load/#", 1).unwrap();
    house.kill_and_start_again();
    let (mut writer, _) = Raw::connect(&house.plain, "writer", false).unwrap();
    for number in 1..=20 {
        writer.publish("load/x", number, &number.to_be_bytes(), false).unwrap();
    }
    for number in 1..=20 {
        assert_eq!(writer.next().unwrap(), Packet::PubAck(number));
    }
    house.kill_and_start_again();
    let (mut reader, present) = Raw::connect(&house.plain, "reader", true).unwrap();
    assert!(present);
    for number in 1..=20u16 {
        match reader.next().unwrap() {
            Packet::Publish { payload, .. } => assert_eq!(payload, number.to_be_bytes()),
            other => panic!("no message but {other:?}"),
        }
    }
}

#[test]
fn retained_messages_and_their_removal_survive_kill_9() {
    let mut house = House::open();
    let (mut writer, _) = Raw::connect(&house.plain, "writer", false).unwrap();
    let set = [("lamp", "on"), ("press", "first"), ("press", "second"), ("gone", "soon"), ("gone", "")];
    for (id, (topic, payload)) in (1..).zip(set) {
        writer.publish(topic, id, payload.as_bytes(), true).unwrap();
        assert_eq!(writer.next().unwrap(), Packet::PubAck(id));
    }
    house.kill_and_start_again();
    let (mut reader, _) = Raw::connect(&house.plain, "reader", false).unwrap();
    reader.subscribe("#", 1).unwrap();
    reader.ping().unwrap();
    let mut found = BTreeMap::new();
    while let Packet::Publish { topic, retain, payload, .. } = reader.next().unwrap() {
        assert!(retain);
        found.insert(topic, String::from_utf8(payload).unwrap());
    }
    let wanted =
        [("lamp", "on"), ("press", "second")].map(|(topic, text)| (topic.to_owned(), text.to_owned()));
    assert_eq!(found, BTreeMap::from(wanted));
}
