//! The broker's promise, met over plain sockets: what it acknowledged is there after `kill -9`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use crate::{
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

/// A message's body: its number, so long that what is written for a window takes the disk some pages.
fn body(number: u32) -> Vec<u8> {
    let mut body = number.to_string().into_bytes();
    body.resize(body.len() + random(1_500) as usize, b' ');
    body
}

fn number_in(body: &[u8]) -> u32 {
    std::str::from_utf8(body).unwrap().trim_end().parse().unwrap()
}

/// What is promised to a publisher and to a subscriber at one QoS. A row per QoS: the test is the same.
struct Promise {
    qos: u8,
    /// Whether a message may come more than once.
    repeats: bool,
}

const AT_LEAST_ONCE: Promise = Promise { qos: 1, repeats: true };

/// 0 to `most`, differently in each run.
fn random(most: u32) -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    u32::from_be_bytes(bytes) % (most + 1)
}

/// Publishes numbers one after the other and knows which were acknowledged. What was not is sent again with DUP after
/// a lost connection, as a client must.
struct Publisher<'a> {
    address: &'a str,
    link: Option<Raw>,
    next: u32,
    open: BTreeMap<u16, u32>,
    acknowledged: BTreeSet<u32>,
}

impl Publisher<'_> {
    fn link(&mut self) -> io::Result<&mut Raw> {
        if self.link.is_none() {
            let (mut link, _) = Raw::connect(self.address, "publisher", false)?;
            for (id, number) in &self.open {
                link.publish("load/x", *id, &body(*number), true, false)?;
            }
            self.link = Some(link);
        }
        self.link.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Fills the window and takes one acknowledgement.
    fn step(&mut self, window: u32) -> io::Result<()> {
        self.link()?;
        while (self.open.len() as u32) < window {
            let (number, id) = (self.next, (self.next % 60_000) as u16 + 1);
            self.next += 1;
            self.open.insert(id, number);
            self.link()?.publish("load/x", id, &body(number), false, false)?;
        }
        if self.open.is_empty() {
            return Ok(());
        }
        match self.link()?.next()? {
            Packet::PubAck(id) => {
                let number = self.open.remove(&id).expect("acknowledged what was not sent");
                self.acknowledged.insert(number);
                Ok(())
            }
            other => panic!("no PUBACK but {other:?}"),
        }
    }
}

/// What a subscriber's session brought, however often its connection was lost.
#[derive(Default)]
struct Arrivals {
    numbers: BTreeSet<u32>,
    repeats: u32,
    /// Repeats that did not say so.
    unmarked: Vec<u32>,
}

/// Reads the durable session "reader" until told to stop, in one connection after the other.
fn read(address: &str, away: &AtomicBool, over: &AtomicBool, arrivals: &Mutex<Arrivals>) {
    let session = || -> io::Result<()> {
        let (mut link, present) = Raw::connect(address, "reader", true)?;
        assert!(present, "the session is gone");
        while !over.load(SeqCst) && !away.load(SeqCst) {
            let Some(packet) = link.next_within(Duration::from_millis(50))? else { continue };
            let Packet::Publish { id: Some(id), dup, payload, .. } = packet else {
                panic!("no message but {packet:?}");
            };
            let number = number_in(&payload);
            {
                let mut arrivals = arrivals.lock().unwrap();
                if !arrivals.numbers.insert(number) {
                    arrivals.repeats += 1;
                    if !dup {
                        arrivals.unmarked.push(number);
                    }
                }
            }
            // Some are never acknowledged over this connection, and must come again.
            if !number.is_multiple_of(7) || dup {
                link.acknowledge(id)?;
            }
        }
        Ok(())
    };
    while !over.load(SeqCst) {
        // A station that is not there is what this is about.
        if away.load(SeqCst) || session().is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

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

/// Publishes without a pause while the station is killed at random moments, and counts what was promised and what
/// came. Returns the counts.
fn hold_under_kills(promise: &Promise) -> String {
    assert_eq!(promise.qos, 1, "the sockets of `raw` speak QoS 1");
    let rounds = rounds();
    let mut house = House::open();
    let address = house.plain.clone();
    let (mut reader, present) = Raw::connect(&address, "reader", true).unwrap();
    assert!(!present);
    reader.subscribe("load/#").unwrap();
    drop(reader);

    let (away, over, arrivals) =
        (AtomicBool::new(false), AtomicBool::new(false), Mutex::<Arrivals>::default());
    let mut publisher = Publisher {
        address: &address,
        link: None,
        next: 0,
        open: BTreeMap::new(),
        acknowledged: BTreeSet::new(),
    };
    std::thread::scope(|scope| {
        let _stop = Stop(&over);
        scope.spawn(|| read(&address, &away, &over, &arrivals));
        for round in 0..rounds {
            // Every second time nobody reads, and all must wait on disk.
            away.store(round % 2 == 1, SeqCst);
            let enough = publisher.acknowledged.len() as u32 + 100 + random(200);
            while (publisher.acknowledged.len() as u32) < enough {
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
            publisher.link = None;
            house = killer.join().unwrap();
        }
        while !publisher.open.is_empty() {
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
    });
    let arrivals = arrivals.into_inner().unwrap();
    let acknowledged = publisher.acknowledged.len();
    let counts = format!(
        "QoS {}: {rounds} kills, {acknowledged} acknowledged, none lost, {} came again ({} of them without DUP)",
        promise.qos,
        arrivals.repeats,
        arrivals.unmarked.len()
    );
    assert!(acknowledged as u32 >= rounds * 100);
    if !promise.repeats {
        assert_eq!(arrivals.repeats, 0, "came again: {:?}", arrivals.unmarked);
        return counts;
    }
    assert!(arrivals.repeats > 0, "the messages that were not acknowledged came again");
    // The publisher's own repeats are new messages to the broker (MQTT 3.1.1 §4.3.2): each was sent again at most once
    // a kill. All others must be marked.
    let most = (rounds * WINDOW) as usize;
    assert!(
        arrivals.unmarked.len() <= most,
        "{} repeats without DUP: {:?}",
        arrivals.unmarked.len(),
        arrivals.unmarked
    );
    counts
}

#[test]
fn what_is_published_before_the_subscriber_is_back_waits_for_it_in_order_through_a_second_kill() {
    let mut house = House::open();
    let (mut reader, _) = Raw::connect(&house.plain, "reader", true).unwrap();
    reader.subscribe("load/#").unwrap();
    house.kill_and_start_again();
    let (mut writer, _) = Raw::connect(&house.plain, "writer", false).unwrap();
    for number in 1..=20 {
        writer.publish("load/x", number, &number.to_be_bytes(), false, false).unwrap();
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
        writer.publish(topic, id, payload.as_bytes(), false, true).unwrap();
        assert_eq!(writer.next().unwrap(), Packet::PubAck(id));
    }
    house.kill_and_start_again();
    let (mut reader, _) = Raw::connect(&house.plain, "reader", false).unwrap();
    reader.subscribe("#").unwrap();
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
