//! Keys in the vault: imports, two computers at once, Fernet files.

use sealwire::{
    client::{Asked, Command, Event, KeyForm, Password, Signatures, Suite},
    topic::TopicFilter,
};

use crate::harness::{Person, Station, text};

fn labels(person: &mut Person, count: usize) -> Vec<String> {
    person.until("the keys", |event| match event {
        Event::Keys(keys) if keys.len() == count => Some(keys.iter().map(|key| key.label.clone()).collect()),
        _ => None,
    })
}

#[test]
fn two_computers_of_one_account_change_the_vault_and_no_key_is_lost() {
    let station = Station::start();
    let mut desk = Person::joined(&station, "anna", "");
    let mut laptop = Person::new();
    laptop.log_in(&station, "anna");
    desk.key("From the desk", "desk/#", Suite::default());
    // The laptop has not heard of it: its own change meets a newer vault.
    laptop.key("From the laptop", "laptop/#", Suite::default());
    let mut got = labels_after(&mut laptop);
    got.sort();
    assert_eq!(got, ["From the desk", "From the laptop"]);
    desk.key("Later", "later/#", Suite::default());
    let mut third = Person::new();
    third.open(&station);
    third.ask_log_in("anna", crate::harness::PASSWORD);
    assert_eq!(labels(&mut third, 3).len(), 3);
}

/// The keys after one more change.
fn labels_after(person: &mut Person) -> Vec<String> {
    let filters = vec![TopicFilter::new("probe").unwrap()];
    person.send(Command::CreateKey {
        label: "probe".to_owned(),
        filters,
        suite: Suite::default(),
        signatures: Signatures::Off,
    });
    let with_probe = person.answer(Asked::CreateKey, |event| match event {
        Event::Keys(keys) if keys.iter().any(|key| key.label == "probe") => Some(keys.clone()),
        _ => None,
    });
    let id = with_probe.iter().find(|key| key.label == "probe").unwrap().id.clone();
    person.send(Command::DeleteKey { id });
    labels(person, with_probe.len() - 1)
}

#[test]
fn an_imported_key_seals_over_another_only_with_consent() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut ben = Person::joined(&station, "ben", "publisher");
    let line = anna.key("Hers", "plant/#", Suite::default());
    ben.key("His", "plant/press", Suite::CoseChaCha20);
    ben.key("Wide", "plant/#", Suite::default());
    let import = |take_over| Command::ImportKey { line: line.clone(), take_over };
    ben.send(import(false));
    let (key, covered) = ben.answer(Asked::ImportKey, |event| match event {
        Event::KeyImported { key, covered } => Some((key.clone(), covered.clone())),
        _ => None,
    });
    assert!(!key.seals);
    assert_eq!(covered, [(TopicFilter::new("plant/#").unwrap(), "Wide".to_owned())]);
    ben.publish("plant/x", "his key still");
    assert_eq!(ben.settled("plant/x").sealed_with.unwrap().label, "Wide");
    ben.send(import(true));
    let seals = ben.answer(Asked::ImportKey, |event| match event {
        Event::KeyImported { key, .. } => Some(key.seals),
        _ => None,
    });
    assert!(seals);
    ben.publish("plant/x", "her key now");
    assert_eq!(ben.settled("plant/x").sealed_with.unwrap().label, "Hers");
    ben.send(Command::ImportKey { line: Password::new("sealwire-key:nonsense!"), take_over: false });
    assert!(ben.failure(Asked::ImportKey).why.contains('!'));
}

#[test]
fn a_fernet_key_file_goes_in_and_out_as_python_writes_it() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let file = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=\n";
    anna.send(Command::ImportFernet {
        text: Password::new(file),
        label: "Old sensors".to_owned(),
        filters: vec![TopicFilter::new("old/#").unwrap()],
        take_over: false,
    });
    let id = anna.answer(Asked::ImportKey, |event| match event {
        Event::KeyImported { key, .. } => Some(key.id.clone()),
        _ => None,
    });
    anna.granted(&TopicFilter::new("old/#").unwrap());
    anna.publish("old/x", "21.5");
    let message = anna.message("old/x");
    assert_eq!(text(&message), "21.5");
    assert!(message.wire.starts_with(b"gAAAA"));
    anna.send(Command::ExportKey { id: id.clone(), form: KeyForm::FernetFile });
    let exported = anna.answer(Asked::ExportKey, |event| match event {
        Event::KeyExported { text, .. } => Some(text.reveal().to_owned()),
        _ => None,
    });
    assert_eq!(exported, file.trim());
    let filters = vec![TopicFilter::new("new/#").unwrap()];
    anna.send(Command::CreateKey {
        label: "Native".to_owned(),
        filters,
        suite: Suite::default(),
        signatures: Signatures::Off,
    });
    let native = anna.answer(Asked::CreateKey, |event| match event {
        Event::Keys(keys) => keys.iter().find(|key| key.label == "Native").map(|key| key.id.clone()),
        _ => None,
    });
    anna.send(Command::ExportKey { id: native, form: KeyForm::FernetFile });
    assert!(anna.failure(Asked::ExportKey).why.contains("not a Fernet key"));
    anna.send(Command::DeleteKey { id });
    assert_eq!(labels(&mut anna, 1), ["Native"]);
    anna.publish("old/x", "no key any more");
    assert!(anna.failure(Asked::Publish).why.contains("No key covers"));
}

#[test]
fn a_station_restored_from_an_old_backup_is_told_from_an_honest_one() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("First", "first/#", Suite::default());
    anna.log_out();
    let ended = station.end();
    let (live, backup) = (ended.data(), tempfile::tempdir().unwrap());
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            if file.file_name().to_string_lossy().starts_with("station.db") {
                std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
    };
    copy(&live.join("users"), backup.path());
    let station = ended.start();
    anna.log_in(&station, "anna");
    anna.key("Second", "second/#", Suite::default());
    anna.log_out();
    let ended = station.end();
    for file in std::fs::read_dir(live.join("users")).unwrap().map(Result::unwrap) {
        let is_folder = file.file_type().unwrap().is_dir();
        let remove =
            if is_folder { std::fs::remove_dir_all(file.path()) } else { std::fs::remove_file(file.path()) };
        remove.unwrap();
    }
    copy(backup.path(), &live.join("users"));
    let station = ended.start();
    anna.open(&station);
    anna.ask_log_in("anna", crate::harness::PASSWORD);
    let failure = anna.failure(Asked::LogIn);
    assert!(failure.why.contains("version 2") && failure.why.contains("version 3"), "{failure:?}");
    // A computer that never saw the newer one cannot know.
    let mut elsewhere = Person::new();
    elsewhere.log_in(&station, "anna");
}
