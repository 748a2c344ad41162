//! A link that breaks, and an outbox that loses nothing.

use std::collections::BTreeSet;

use sealwire::{
    client::{Asked, Command, Event, LinkState, OutboxState, Suite},
    topic::TopicFilter,
};

use crate::harness::{Person, Station, Wire, draft, text};

/// Waits until messages with all of `bodies` have come, each once.
fn collect(person: &mut Person, topic: &str, bodies: &BTreeSet<String>) {
    let mut got = BTreeSet::new();
    while got != *bodies {
        let body = text(&person.message(topic));
        assert!(bodies.contains(&body), "{body}");
        assert!(got.insert(body.clone()), "{body} came twice");
    }
}

#[test]
#[cfg_attr(target_os = "macos", ignore = "this system answers on 127.0.0.1 only")]
fn a_line_that_is_cut_in_mid_traffic_loses_nothing_and_nothing_comes_twice() {
    let station = Station::start();
    let wire = Wire::to(&station);
    let mut anna = Person::joined(&station, "anna", "");
    let line = anna.key("Plant", "plant/#", Suite::default());
    let mut ben = Person::joined(&station, "ben", "subscriber");
    ben.import(&line);
    let mut far: Vec<Person> = Vec::new();
    for (person, name) in [(anna, "anna"), (ben, "ben")] {
        let computer = person.computer.clone();
        drop(person);
        let mut person = computer.window();
        person.open_at(&station, wire.api);
        person.ask_log_in(name, crate::harness::PASSWORD);
        person.logged_in();
        person.online();
        far.push(person);
    }
    let [anna, ben] = &mut far[..] else { panic!() };
    ben.granted(&TopicFilter::new("plant/#").unwrap());
    let bodies: BTreeSet<String> = (0..1200).map(|n| n.to_string()).collect();
    let mut order: Vec<&String> = bodies.iter().collect();
    order.sort_by_key(|body| body.parse::<u32>().unwrap());
    for (at, body) in order.into_iter().enumerate() {
        anna.publish("plant/x", body);
        if at % 300 == 150 {
            wire.cut();
            anna.offline();
            anna.send(Command::RetryNow);
            ben.send(Command::RetryNow);
            anna.online();
        }
    }
    collect(ben, "plant/x", &bodies);
}

#[test]
fn a_station_that_stops_in_mid_traffic_gets_all_that_it_had_not_acknowledged() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    for n in 0..400 {
        anna.publish("plant/x", &n.to_string());
    }
    let ended = station.end();
    for n in 400..600 {
        anna.publish("plant/x", &n.to_string());
    }
    let _station = ended.start();
    anna.send(Command::RetryNow);
    anna.acknowledged("plant/x", 600);
}

#[test]
fn what_was_queued_without_a_link_outlives_the_program_and_goes_out_at_the_next_login() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut ben = Person::joined(&station, "ben", "subscriber");
    let line = anna.key("Plant", "plant/#", Suite::default());
    ben.import(&line);
    ben.granted(&TopicFilter::new("plant/#").unwrap());
    let ended = station.end();
    anna.offline();
    anna.publish("plant/x", "one");
    anna.publish("plant/x", "two");
    let ids = anna.answer(Asked::Publish, |event| match event {
        Event::Outbox(entries) if entries.iter().all(|entry| entry.state == OutboxState::Queued) => {
            Some(entries.iter().map(|entry| entry.id).collect::<Vec<_>>())
        }
        _ => None,
    });
    let computer = anna.computer.clone();
    drop(anna);
    let station = ended.start();
    ben.send(Command::RetryNow);
    let mut anna = computer.window();
    anna.open(&station);
    anna.ask_log_in("anna", crate::harness::PASSWORD);
    anna.logged_in();
    let waiting = anna.until("the outbox", |event| match event {
        Event::Outbox(entries) => Some(entries.iter().map(|entry| entry.id).collect::<Vec<_>>()),
        _ => None,
    });
    assert!(ids.iter().all(|id| waiting.contains(id)), "{ids:?} in {waiting:?}");
    assert_eq!((text(&ben.message("plant/x")), text(&ben.message("plant/x"))), ("one".into(), "two".into()));
}

#[test]
fn a_damaged_state_file_is_moved_aside_told_and_costs_neither_the_login_nor_the_keys() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    let computer = anna.computer.clone();
    drop(anna);
    let clients = computer.path().join("clients");
    let folder = std::fs::read_dir(clients).unwrap().map(|f| f.unwrap().path()).find(|f| f.is_dir()).unwrap();
    std::fs::write(folder.join("state.db"), vec![0xA5; 9000]).unwrap();
    let mut anna = computer.window();
    anna.open(&station);
    anna.ask_log_in("anna", crate::harness::PASSWORD);
    assert!(anna.failure(Asked::History).why.contains("damaged-"));
    anna.logged_in();
    // Nobody knows any more which broker carried her messages.
    anna.until("the question", |event| match event {
        Event::Link(LinkState::ChooseBroker { reason }) => reason.contains("damaged").then_some(()),
        Event::Link(other) => panic!("it goes somewhere: {other:?}"),
        _ => None,
    });
    anna.send(Command::SetBroker(None));
    anna.online();
    anna.subscribe("plant/#");
    anna.publish("plant/x", "goes on");
    assert_eq!(text(&anna.message("plant/x")), "goes on");
}

#[test]
fn a_message_can_be_taken_back_while_there_is_no_link() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    let ended = station.end();
    anna.offline();
    anna.publish("plant/x", "take me back");
    let id = anna.answer(Asked::Publish, |event| match event {
        Event::Outbox(entries) => entries.first().map(|entry| entry.id),
        _ => None,
    });
    anna.send(Command::Discard { id });
    anna.until("the discard", |event| match event {
        Event::Outbox(entries) => {
            entries.iter().find(|e| e.id == id && e.state == OutboxState::Discarded).map(|_| ())
        }
        _ => None,
    });
    anna.publish("plant/x", "keep me");
    let _station = ended.start();
    anna.send(Command::RetryNow);
    assert_eq!(text(&anna.message("plant/x")), "keep me");
}

#[test]
fn messages_that_come_while_a_window_is_closed_for_a_moment_arrive_when_it_is_back() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut ben = Person::joined(&station, "ben", "subscriber");
    let line = anna.key("Plant", "plant/#", Suite::default());
    ben.import(&line);
    ben.granted(&TopicFilter::new("plant/#").unwrap());
    let computer = ben.computer.clone();
    drop(ben);
    anna.publish("plant/x", "while you were away");
    anna.settled("plant/x");
    let mut ben = computer.window();
    ben.log_in(&station, "ben");
    assert_eq!(text(&ben.message("plant/x")), "while you were away");
}

#[test]
fn a_session_that_ends_at_the_station_asks_for_a_login_and_keeps_the_outbox() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    let ended = station.end();
    anna.offline();
    anna.publish("plant/x", "kept");
    anna.answer(Asked::Publish, |event| matches!(event, Event::Outbox(_)).then_some(()));
    // Longer than a session lasts without use.
    ended.pass(31 * 24 * 3600);
    let _station = ended.start();
    anna.send(Command::RetryNow);
    anna.until("the call for a login", |event| match event {
        Event::Link(LinkState::LogInAgain { reason }) => (!reason.is_empty()).then_some(()),
        _ => None,
    });
    anna.publish("plant/x", "kept as well");
    anna.answer(Asked::Publish, |event| matches!(event, Event::Outbox(_)).then_some(()));
    anna.ask_log_in("anna", crate::harness::PASSWORD);
    anna.logged_in();
    assert_eq!(
        (text(&anna.message("plant/x")), text(&anna.message("plant/x"))),
        ("kept".into(), "kept as well".into())
    );
}

#[test]
fn a_fast_publisher_is_kept_up_with_and_every_message_is_acknowledged() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    for n in 0..3000 {
        anna.send(Command::Publish { draft: draft("plant/x", &n.to_string()), every: None });
    }
    let bodies: BTreeSet<String> = (0..3000).map(|n| n.to_string()).collect();
    collect(&mut anna, "plant/x", &bodies);
}
