//! A will: sealed, published when a computer vanishes, dropped when it says goodbye.

use std::time::Duration;

use sealwire::{
    client::{Asked, Command, Draft, Event, Opening, Signatures, Suite, Will, WillState, WillView},
    topic::TopicFilter,
};

#[cfg(not(target_os = "macos"))]
use crate::harness::Wire;
use crate::harness::{Person, Station, draft, notes, text};

fn will(topic: &str, body: &str) -> Will {
    Will { draft: draft(topic, body), delay: Duration::ZERO }
}

fn set(person: &Person, will: Will) {
    person.send(Command::SetWill { will, on: true });
}

/// Waits until the will is where `state` says.
#[track_caller]
fn until(person: &mut Person, state: impl Fn(&WillState) -> bool) -> WillView {
    person.answer(Asked::Will, |event| match event {
        Event::Will(view) => state(&view.state).then(|| view.clone()),
        _ => None,
    })
}

fn in_force(state: &WillState) -> bool {
    matches!(state, WillState::InForce { .. })
}

fn is_will(message: &sealwire::client::Message) -> bool {
    matches!(message.opening, Opening::Opened { will: true, .. })
}

#[test]
#[cfg(not(target_os = "macos"))] // That system answers on 127.0.0.1 only.
fn a_will_is_published_sealed_each_time_a_computer_vanishes_and_not_after_goodbye() {
    let station = Station::start();
    let wire = Wire::to(&station);
    let mut anna = Person::joined(&station, "anna", "");
    let line = anna.key("Plant", "plant/#", Suite::default());
    let mut ben = Person::joined(&station, "ben", "subscriber");
    ben.import(&line);
    ben.granted(&TopicFilter::new("plant/#").unwrap());
    let computer = anna.computer.clone();
    drop(anna);
    let enter = || {
        let mut anna = computer.window();
        anna.open_at(&station, wire.api);
        anna.ask_log_in("anna", crate::harness::PASSWORD);
        anna.logged_in();
        anna.online();
        anna
    };
    let mut anna = enter();
    set(&anna, will("plant/press", "the press went silent"));
    let view = until(&mut anna, in_force);
    let WillState::InForce { sealed_with: Some(with) } = view.state else { panic!("{view:?}") };
    assert_eq!(with.label, "Plant");
    for _ in 0..2 {
        wire.cut();
        let message = ben.message("plant/press");
        assert_eq!(text(&message), "the press went silent");
        assert!(is_will(&message) && notes(&message).is_empty(), "{message:?}");
        anna.offline();
        anna.send(Command::RetryNow);
        until(&mut anna, in_force);
    }
    anna.log_out();
    drop(anna);
    let mut anna = enter();
    // It is in force again at the next login, without a word.
    until(&mut anna, in_force);
    anna.publish("plant/press", "back");
    let next = ben.message("plant/press");
    assert_eq!((text(&next), is_will(&next)), ("back".into(), false), "goodbye was no vanishing");
    // What rests on this computer does not tell what the will says.
    let mut files = vec![computer.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(11).any(|part| part == b"went silent"), "{}", path.display());
        }
    }
}

#[test]
fn a_will_needs_a_right_and_a_key_and_follows_what_becomes_of_them() {
    let station = Station::start();
    let _admin = Person::joined(&station, "root", "");
    let mut anna = Person::joined(&station, "anna", "publisher");
    set(&anna, will("$SYS/x", "no"));
    assert!(anna.failure(Asked::Will).why.contains("The role publisher has no rule"));
    set(&anna, will("plant/press", "no key"));
    assert_eq!(anna.failure(Asked::Will).why, "No key covers plant/press.");
    let large = Draft { body: vec![b'x'; Will::MOST_BYTES + 1], ..draft("plant/press", "") };
    set(&anna, Will { draft: large, delay: Duration::ZERO });
    assert!(anna.failure(Asked::Will).why.contains("16 KiB"));

    let clear = TopicFilter::new("plant/press").unwrap();
    anna.send(Command::SetClear { filter: clear.clone(), clear: true });
    set(&anna, will("plant/press", "silent"));
    let open = until(&mut anna, in_force);
    assert_eq!(open.state, WillState::InForce { sealed_with: None });
    // Without the choice and without a key the station does not have it, and it can still be turned off.
    anna.send(Command::SetClear { filter: clear.clone(), clear: false });
    let gone = until(&mut anna, |state| matches!(state, WillState::Problem { .. }));
    assert!(matches!(gone.state, WillState::Problem { why } if why.contains("No key covers plant/press.")));
    anna.send(Command::SetWill { will: will("plant/press", "silent"), on: false });
    until(&mut anna, |state| *state == WillState::Off);
    anna.send(Command::SetClear { filter: clear, clear: true });
    set(&anna, will("plant/press", "silent"));
    until(&mut anna, in_force);
    // A key for its topic seals it, without being asked.
    let filters = vec![TopicFilter::new("plant/#").unwrap()];
    anna.send(Command::CreateKey {
        label: "Plant".to_owned(),
        filters,
        suite: Suite::default(),
        signatures: Signatures::Off,
    });
    until(&mut anna, |state| matches!(state, WillState::InForce { sealed_with: Some(_) }));
    anna.send(Command::SetWill { will: will("plant/press", "silent"), on: false });
    let off = until(&mut anna, |state| *state == WillState::Off);
    assert_eq!(off.will, Some(will("plant/press", "silent")), "it is still written down");
    anna.send(Command::ForgetWill);
    until(&mut anna, |state| *state == WillState::Off);
}
