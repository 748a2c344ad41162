//! Programs that are killed and stations that go away: what was queued or acknowledged arrives all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

mod broker;
mod load;
mod raw;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command as Process, Stdio},
    time::Instant,
};

use sealwire::{
    client::{Command, Event, KeyForm, LinkState, Opening, OutboxState, Signatures, Suite},
    topic::TopicFilter,
};
use support::{PATIENCE, Person, Station};

/// Set for the process that is to be killed: its data folder.
const VICTIM: &str = "SEALWIRE_TEST_VICTIM";
const MESSAGES: u32 = 40;

fn share_key(from: &Person, to: &Person) {
    from.ask(Command::CreateKey {
        label: "Plant".to_owned(),
        filters: vec![TopicFilter::new("plant/#").unwrap()],
        suite: Suite::default(),
        signatures: Signatures::Off,
    });
    let id = from.expect("the key", |event| match event {
        Event::Keys(keys) => keys.first().map(|key| key.id.clone()),
        _ => None,
    });
    from.ask(Command::ExportKey { id, form: KeyForm::Line });
    let line = from.expect("its line", |event| match event {
        Event::KeyExported { text, .. } => Some(text.clone()),
        _ => None,
    });
    to.ask(Command::ImportKey { line, take_over: false });
    to.expect("the imported key", |event| matches!(event, Event::KeyImported { .. }).then_some(()));
}

/// Collects opened readings until all have come.
fn collect(person: &Person, mut missing: BTreeSet<String>) {
    let until = Instant::now() + PATIENCE;
    while !missing.is_empty() {
        assert!(Instant::now() < until, "never came: {missing:?}");
        let came = person.expect("readings", |event| match event {
            Event::Messages(messages) => Some(
                messages
                    .iter()
                    .map(|m| match &m.opening {
                        Opening::Opened { body, .. } => String::from_utf8(body.to_vec()).unwrap(),
                        other => panic!("not opened: {other:?}"),
                    })
                    .collect::<Vec<_>>(),
            ),
            _ => None,
        });
        for text in came {
            missing.remove(&text);
        }
    }
}

fn readings(from: u32, to: u32) -> BTreeSet<String> {
    (from..to).map(|n| format!("reading {n}")).collect()
}

fn offline(person: &Person) {
    person.expect("the lost link", |event| {
        matches!(event, Event::Link(LinkState::Waiting { .. })).then_some(())
    });
}

/// Not a test of its own: what runs in the process that is killed. It logs in, and once the station is gone it
/// queues messages, says so, and waits to be killed.
#[test]
fn victim() {
    let Ok(data) = std::env::var(VICTIM) else { return };
    let station = Station::elsewhere(&std::env::var("SEALWIRE_TEST_STATION").unwrap());
    let anna = Person::log_in(&station, Path::new(&data), "anna");
    println!("victim: in");
    offline(&anna);
    for n in 0..MESSAGES {
        anna.publish("plant/press", format!("reading {n}").as_bytes());
    }
    let last = MESSAGES as usize;
    let mut queued = 0;
    while queued < last {
        queued += anna.expect("queued messages", |event| match event {
            Event::Outbox(entries) => {
                Some(entries.iter().filter(|entry| entry.state == OutboxState::Queued).count())
            }
            _ => None,
        });
    }
    println!("victim: queued");
    std::thread::sleep(PATIENCE);
    panic!("nobody killed the victim");
}

#[test]
fn what_was_queued_offline_survives_kill_9_of_the_program_and_arrives_in_order_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("station");
    let mut station = Station::start(&data, &[]);
    let (api, mqtt) = (station.api.clone(), station.mqtt.clone());
    drop(Person::sign_up(&station, &folder.path().join("ada"), "ada", None));
    let annas = folder.path().join("anna");
    let ben = Person::sign_up(&station, &folder.path().join("ben"), "ben", Some("subscriber"));
    let anna = Person::sign_up(&station, &annas, "anna", Some("publisher"));
    share_key(&anna, &ben);
    ben.watch("plant/#");
    drop(anna);

    let mut victim = Process::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact", "--nocapture"])
        .env(VICTIM, &annas)
        .env("SEALWIRE_TEST_STATION", format!("{api} {}", station.fingerprint))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut until = |word: &str| {
        said.find(|line| line.as_ref().is_ok_and(|line| line.contains(word))).expect("the victim ended early")
    };
    drop(until("victim: in"));
    station.kill();
    drop(until("victim: queued"));
    victim.kill().unwrap();
    victim.wait().unwrap();

    let station = Station::start_on(&data, &api, &mqtt, &[]);
    let _anna = Person::log_in(&station, &annas, "anna");
    collect(&ben, readings(0, MESSAGES));
}

#[test]
fn a_station_killed_in_mid_traffic_and_back_again_costs_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("station");
    let mut station = Station::start(&data, &[]);
    let (api, mqtt) = (station.api.clone(), station.mqtt.clone());
    drop(Person::sign_up(&station, &folder.path().join("ada"), "ada", None));
    let anna = Person::sign_up(&station, &folder.path().join("anna"), "anna", Some("publisher"));
    let ben = Person::sign_up(&station, &folder.path().join("ben"), "ben", Some("subscriber"));
    share_key(&anna, &ben);
    ben.watch("plant/#");
    for n in 0..100 {
        anna.publish("plant/press", format!("reading {n}").as_bytes());
        if n == 50 {
            // Some are acknowledged, some are under way, some are queued.
            collect(&ben, readings(0, 1));
            station.kill();
        }
    }
    offline(&ben);
    let _station = Station::start_on(&data, &api, &mqtt, &[]);
    // What ben had when the link was lost is in his history; the rest comes live, whoever of the two is back first.
    ben.ask(Command::LoadHistory { limit: 1000 });
    collect(&ben, readings(1, 100));
}
