//! What people do with keys: rotate, retire, edit, delete with open eyes, carry away and make from words; on one computer
//! and on two at once.

use std::collections::BTreeSet;

use sealwire::{
    client::{
        Asked, Command, Draft, Event, KeyConsequences, KeyOutcome, KeyReport, KeyView, Message, Opening,
        OutboxState, Password, Signatures, Suite,
    },
    topic::{TopicFilter, TopicName},
};

use crate::harness::{Computer, PASSWORD, Person, Station, draft, notes, refusal, text};

const PASSPHRASE: &str = "violet anchor mosaic lantern";

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).unwrap()
}

fn retained(topic: &str, body: &str) -> Command {
    Command::Publish { draft: Draft { retain: true, ..draft(topic, body) }, every: None }
}

/// The key with this label, as it is told after `command`.
#[track_caller]
fn after(person: &mut Person, asked: Asked, command: Command, label: &str) -> KeyView {
    person.send(command);
    person.answer(asked, |event| match event {
        Event::Keys(keys) => keys.iter().find(|key| key.label == label).cloned(),
        _ => None,
    })
}

#[track_caller]
fn create(person: &mut Person, label: &str, filters: &str) -> KeyView {
    let command = Command::CreateKey {
        label: label.to_owned(),
        filters: vec![filter(filters)],
        suite: Suite::default(),
        signatures: Signatures::Off,
    };
    after(person, Asked::CreateKey, command, label)
}

#[track_caller]
fn rotate(person: &mut Person, key: &KeyView) -> KeyView {
    after(person, Asked::RotateKey, Command::RotateKey { id: key.id.clone() }, &key.label)
}

fn kid(message: &Message) -> &str {
    match &message.opening {
        Opening::Opened { with, .. } => &with.kid,
        other => panic!("not opened: {other:?}"),
    }
}

#[track_caller]
fn consequences(person: &mut Person, id: &str) -> KeyConsequences {
    person.send(Command::AskConsequences { id: id.to_owned() });
    person.answer(Asked::KeyConsequences, |event| match event {
        Event::KeyConsequences { id: of, consequences } if of == id => Some(consequences.clone()),
        _ => None,
    })
}

#[track_caller]
fn export(person: &mut Person, ids: Option<Vec<String>>) -> (Vec<u8>, usize) {
    person.send(Command::ExportKeys { ids, passphrase: Password::new(PASSPHRASE) });
    person.answer(Asked::ExportKeys, |event| match event {
        Event::KeysExported { file, keys } => Some((file.clone(), *keys)),
        _ => None,
    })
}

#[track_caller]
fn import(person: &mut Person, file: &[u8], take_over: bool) -> Vec<KeyReport> {
    let passphrase = Password::new(PASSPHRASE);
    person.send(Command::ImportKeys { file: file.to_vec(), passphrase, take_over });
    person.answer(Asked::ImportKeys, |event| match event {
        Event::KeysImported { reports } => Some(reports.clone()),
        _ => None,
    })
}

#[track_caller]
fn resealed(person: &mut Person) -> (usize, usize, Vec<(TopicName, String)>) {
    person.until("what was sealed anew", |event| match event {
        Event::Resealed { retained, outbox, left } => Some((*retained, *outbox, left.clone())),
        _ => None,
    })
}

#[test]
fn a_rotated_key_seals_with_a_new_epoch_and_what_is_retained_is_sealed_anew() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let old = create(&mut anna, "Plant", "plant/#");
    anna.send(retained("plant/state", "on"));
    anna.settled("plant/state");
    anna.publish("plant/x", "before");
    assert_eq!(kid(&anna.message("plant/x")), old.kid);
    let new = rotate(&mut anna, &old);
    assert_eq!((new.id.as_str(), new.epochs.len()), (old.id.as_str(), 2));
    assert_ne!(new.kid, old.kid);
    assert_eq!((new.epochs[0].number, new.epochs[0].kid.as_str()), (2, new.kid.as_str()));
    assert!(new.epochs[1].retired_ms.is_some() && new.epochs[0].retired_ms.is_none());
    assert_eq!(resealed(&mut anna), (1, 0, Vec::new()));
    anna.settled("plant/state");
    anna.publish("plant/x", "after");
    let after = anna.message("plant/x");
    assert_eq!((kid(&after), text(&after).as_str()), (new.kid.as_str(), "after"));
    // Whoever comes now gets what was retained under the new epoch, and old messages still open.
    let mut laptop = Person::new();
    laptop.log_in(&station, "anna");
    laptop.subscribe("plant/state");
    let kept = laptop.message("plant/state");
    assert_eq!((kid(&kept), text(&kept).as_str(), kept.retained), (new.kid.as_str(), "on", true));
    assert!(notes(&kept).is_empty());
    anna.send(Command::LoadHistory { limit: 100 });
    let opened: Vec<String> = anna.until("the history", |event| match event {
        Event::Messages(messages) if messages.iter().any(|message| text(message) == "before") => {
            Some(messages.iter().map(|message| kid(message).to_owned()).collect())
        }
        _ => None,
    });
    assert!(opened.contains(&old.kid) && opened.contains(&new.kid));
}

#[test]
fn what_was_never_sent_is_sealed_anew_also_where_another_computer_rotated_meanwhile() {
    let station = Station::start();
    let mut desk = Person::joined(&station, "anna", "");
    let old = create(&mut desk, "Plant", "plant/#");
    let computer = Computer::new();
    let mut laptop = computer.window();
    laptop.log_in(&station, "anna");
    let ended = station.end();
    laptop.offline();
    for body in ["one", "two", "three"] {
        laptop.publish("plant/x", body);
        laptop.until("it is queued", |event| match event {
            Event::Outbox(entries) => {
                entries.iter().any(|entry| entry.state == OutboxState::Queued).then_some(())
            }
            _ => None,
        });
    }
    drop(laptop);
    let station = ended.start();
    desk.online();
    desk.subscribe("plant/#");
    let new = rotate(&mut desk, &old);
    let mut laptop = computer.window();
    laptop.open(&station);
    laptop.ask_log_in("anna", PASSWORD);
    laptop.logged_in();
    assert_eq!(resealed(&mut laptop), (0, 3, Vec::new()));
    for body in ["one", "two", "three"] {
        let message = desk.message("plant/x");
        assert_eq!((kid(&message), text(&message).as_str()), (new.kid.as_str(), body));
    }
}

#[test]
fn a_retained_message_that_somebody_else_replaced_is_left_alone() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut laptop = Person::new();
    let key = create(&mut anna, "Plant", "plant/#");
    anna.granted(&filter("plant/#"));
    anna.send(retained("plant/state", "on"));
    anna.settled("plant/state");
    laptop.log_in(&station, "anna");
    laptop.send(retained("plant/state", "off"));
    laptop.settled("plant/state");
    while text(&anna.message("plant/state")) != "off" {}
    assert_eq!(consequences(&mut anna, &key.id).retained, 0);
    rotate(&mut anna, &key);
    // The laptop's own is sealed anew by the laptop, as soon as it hears of the rotation.
    laptop.send(Command::RetryNow);
    let probe = create(&mut laptop, "Probe", "probe");
    assert_eq!(probe.label, "Probe");
    assert_eq!(resealed(&mut laptop), (1, 0, Vec::new()));
    assert_eq!(text(&anna.message("plant/state")), "off");
}

#[test]
fn a_retired_key_opens_and_does_not_seal_until_it_is_taken_back() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut ben = Person::joined(&station, "ben", "publisher");
    let key = create(&mut anna, "Plant", "plant/#");
    anna.granted(&filter("plant/#"));
    let line = anna.export(&key.id);
    ben.import(&line);
    let retire = |retired| Command::RetireKey { id: key.id.clone(), retired };
    let view = after(&mut anna, Asked::RetireKey, retire(true), "Plant");
    assert!(view.retired && !view.seals);
    anna.send(Command::SetClear { filter: filter("plant/#"), clear: true });
    anna.publish("plant/x", "must not go out");
    assert!(anna.failure(Asked::Publish).why.contains("only open"), "not even in the clear");
    ben.publish("plant/x", "still readable");
    let message = anna.message("plant/x");
    assert_eq!(text(&message), "still readable");
    assert!(notes(&message).is_empty(), "within the hour it is unremarkable");
    anna.send(Command::RotateKey { id: key.id.clone() });
    assert!(anna.failure(Asked::RotateKey).why.contains("retired"));
    let view = after(&mut anna, Asked::RetireKey, retire(false), "Plant");
    assert!(!view.retired && view.seals);
    anna.publish("plant/y", "again");
    assert_eq!(text(&anna.message("plant/y")), "again");
}

#[test]
fn an_edit_takes_topics_over_only_with_consent_and_changes_nothing_before() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let press = create(&mut anna, "Press", "plant/press");
    create(&mut anna, "Plant", "plant/#");
    let edit = |label: &str, filters: &[&str], take_over| Command::EditKey {
        id: press.id.clone(),
        label: label.to_owned(),
        filters: filters.iter().map(|text| filter(text)).collect(),
        signatures: Signatures::Accept,
        take_over,
    };
    let edited = |anna: &mut Person| {
        anna.answer(Asked::EditKey, |event| match event {
            Event::KeyEdited { key, covered } => Some((key.clone(), covered.clone())),
            _ => None,
        })
    };
    anna.send(edit("Presses", &["plant/press", "plant/press/#"], false));
    let (key, covered) = edited(&mut anna);
    assert_eq!(covered, [(filter("plant/press/#"), "Plant".to_owned())]);
    assert_eq!((key.label.as_str(), key.filters.len()), ("Press", 1));
    anna.publish("plant/press/1", "x");
    assert_eq!(anna.settled("plant/press/1").sealed_with.unwrap().label, "Plant");
    anna.send(edit("Presses", &["plant/press", "plant/press/#"], true));
    let (key, covered) = edited(&mut anna);
    assert!(covered.is_empty());
    assert_eq!((key.label.as_str(), key.signatures, &key.id), ("Presses", Signatures::Accept, &press.id));
    anna.publish("plant/press/1", "y");
    assert_eq!(anna.settled("plant/press/1").sealed_with.unwrap().label, "Presses");
    anna.send(edit("Plant", &["plant/press"], false));
    assert!(anna.failure(Asked::EditKey).why.contains("already a key named “Plant”"));
    anna.send(edit("Presses", &[], false));
    assert!(anna.failure(Asked::EditKey).why.contains("at least one topic filter"));
}

#[test]
fn what_would_be_lost_with_a_key_is_told_before() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let plant = create(&mut anna, "Plant", "plant/#");
    create(&mut anna, "Press", "plant/press/#");
    anna.granted(&filter("plant/#"));
    for body in ["one", "two"] {
        anna.publish("plant/x", body);
        anna.message("plant/x");
    }
    anna.send(retained("plant/state", "on"));
    anna.settled("plant/state");
    anna.message("plant/state");
    let will = sealwire::client::Will { draft: draft("plant/gone", "bye"), delay: std::time::Duration::ZERO };
    anna.send(Command::SetWill { will, on: true });
    anna.online();
    let told = consequences(&mut anna, &plant.id);
    assert_eq!((told.history, told.outbox, told.retained, told.will), (3, 0, 1, true));
    assert_eq!(told.filters_uncovered, [filter("plant/#")]);
    assert_eq!(told.others_cover, [(filter("plant/#"), "Press".to_owned())]);
    // A rotation changes nothing about what would be lost.
    rotate(&mut anna, &plant);
    resealed(&mut anna);
    anna.settled("plant/state");
    anna.message("plant/state");
    assert_eq!(consequences(&mut anna, &plant.id).history, 4);
    assert_eq!(consequences(&mut anna, &plant.id).retained, 1);
    anna.send(Command::DeleteKey { id: plant.id.clone() });
    anna.until("it is gone", |event| matches!(event, Event::Keys(keys) if keys.len() == 1).then_some(()));
    anna.send(Command::AskConsequences { id: plant.id.clone() });
    assert!(anna.failure(Asked::KeyConsequences).why.contains("not there any more"));
    // The same for tokens that name no key.
    let command = Command::CreateKey {
        label: "Old".to_owned(),
        filters: vec![filter("old/#")],
        suite: Suite::Fernet,
        signatures: Signatures::Off,
    };
    let old = after(&mut anna, Asked::CreateKey, command, "Old");
    anna.granted(&filter("old/#"));
    anna.publish("old/x", "token");
    anna.message("old/x");
    assert_eq!(consequences(&mut anna, &old.id).history, 1);
}

#[test]
fn keys_go_into_a_file_under_a_passphrase_and_come_out_at_another_account() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut ben = Person::joined(&station, "ben", "publisher");
    let plant = create(&mut anna, "Plant", "plant/#");
    let plant = rotate(&mut anna, &plant);
    create(&mut anna, "Home", "home/#");
    create(&mut ben, "Mine", "home/#");
    anna.send(Command::ExportKeys { ids: None, passphrase: Password::new("password1") });
    assert!(anna.failure(Asked::ExportKeys).why.contains("passphrase is"));
    let (file, keys) = export(&mut anna, None);
    assert_eq!(keys, 2);
    let (one, keys) = export(&mut anna, Some(vec![plant.id.clone()]));
    assert_eq!(keys, 1);
    let wrong = Command::ImportKeys {
        file: file.clone(),
        passphrase: Password::new("another one altogether"),
        take_over: false,
    };
    ben.send(wrong);
    assert!(ben.failure(Asked::ImportKeys).why.contains("passphrase does not open"));
    let told = |reports: &[KeyReport]| -> Vec<(String, KeyOutcome)> {
        reports.iter().map(|report| (report.label.clone(), report.outcome.clone())).collect()
    };
    let reports = import(&mut ben, &file, false);
    let opens_only = KeyOutcome::OpensOnly(vec!["Mine".to_owned()]);
    assert_eq!(told(&reports), [("Plant".to_owned(), KeyOutcome::Seals), ("Home".to_owned(), opens_only)]);
    assert_eq!(reports[0].key.as_ref().unwrap().epochs, plant.epochs);
    let reports = import(&mut ben, &one, false);
    assert_eq!(told(&reports), [("Plant".to_owned(), KeyOutcome::AlreadyThere)]);
    let reports = import(&mut ben, &file, true);
    assert!(reports[1].key.as_ref().unwrap().seals, "with consent it takes over");
    // A newer epoch of a key that is there does not seal without consent either.
    let newer = rotate(&mut anna, &plant);
    let (file, _) = export(&mut anna, Some(vec![plant.id.clone()]));
    let reports = import(&mut ben, &file, false);
    assert!(matches!(&reports[0].outcome, KeyOutcome::Refused(why) if why.contains("newer epochs")));
    let reports = import(&mut ben, &file, true);
    assert_eq!(reports[0].outcome, KeyOutcome::Completed(1));
    assert_eq!(reports[0].key.as_ref().unwrap().kid, newer.kid);
}

#[test]
fn the_same_room_and_passphrase_make_the_same_key_on_every_computer() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut ben = Person::joined(&station, "ben", "publisher");
    anna.send(Command::SuggestPassphrase);
    let words = anna.answer(Asked::Passphrase, |event| match event {
        Event::Passphrase(words) => Some(words.clone()),
        _ => None,
    });
    assert_eq!(words.reveal().split(' ').count(), 6);
    let make = |label: &str, room: &str, passphrase: &str| Command::CreateFromPassphrase {
        label: label.to_owned(),
        filters: vec![filter("club/#")],
        suite: Suite::default(),
        room: room.to_owned(),
        passphrase: Password::new(passphrase),
        signatures: Signatures::Off,
    };
    let hers = after(&mut anna, Asked::CreateKey, make("Club", "chess club", words.reveal()), "Club");
    let his = after(&mut ben, Asked::CreateKey, make("Chess", "chess club", words.reveal()), "Chess");
    assert_eq!((&hers.kid, &hers.fingerprint), (&his.kid, &his.fingerprint));
    anna.granted(&filter("club/#"));
    ben.publish("club/1", "e4");
    assert_eq!(text(&anna.message("club/1")), "e4");
    let other = after(&mut ben, Asked::CreateKey, make("Other", "other club", words.reveal()), "Other");
    assert_ne!(other.kid, hers.kid);
    ben.send(make("Weak", "chess club", "chess club"));
    assert!(ben.failure(Asked::CreateKey).why.contains("passphrase is"));
    ben.send(make("Nowhere", " ", words.reveal()));
    assert!(ben.failure(Asked::CreateKey).why.contains("room"));
    ben.send(make("Again", "chess club", words.reveal()));
    assert!(ben.failure(Asked::CreateKey).why.contains("already there as “Chess”"));
}

#[test]
fn a_key_made_on_one_computer_comes_to_the_other_with_the_first_message_that_needs_it() {
    let station = Station::start();
    let mut desk = Person::joined(&station, "anna", "");
    let mut laptop = Person::new();
    laptop.log_in(&station, "anna");
    laptop.subscribe("plant/#");
    create(&mut desk, "Plant", "plant/#");
    desk.publish("plant/x", "one");
    assert_eq!(refusal(&laptop.message("plant/x")), "No key");
    laptop.until("the key", |event| match event {
        Event::Keys(keys) => keys.iter().any(|key| key.label == "Plant").then_some(()),
        _ => None,
    });
    desk.publish("plant/x", "two");
    assert_eq!(text(&laptop.message("plant/x")), "two");
}

#[test]
fn two_computers_that_create_rotate_rename_and_import_at_once_lose_nothing() {
    const ROUNDS: usize = 12;
    let station = Station::start();
    let mut giver = Person::joined(&station, "giver", "");
    let lines: Vec<Password> = (0..ROUNDS * 2)
        .map(|at| giver.key(&format!("Gift {at}"), &format!("gift/{at}"), Suite::default()))
        .collect();
    let mut anna = Person::joined(&station, "anna", "publisher");
    let shared = create(&mut anna, "Shared", "shared/#");
    let mut computers = Vec::new();
    for _ in 0..2 {
        let mut computer = Person::new();
        computer.log_in(&station, "anna");
        computers.push(computer);
    }
    let work = |mut person: Person, name: usize, lines: &[Password]| {
        let mut epochs = BTreeSet::new();
        for (round, line) in lines.iter().enumerate() {
            let key = create(&mut person, &format!("{name}-{round}"), &format!("made/{name}/{round}"));
            person.import(line);
            epochs.extend(rotate(&mut person, &shared).epochs.iter().map(|epoch| epoch.kid.clone()));
            person.send(Command::EditKey {
                id: key.id,
                label: format!("{name}-{round} renamed"),
                filters: key.filters,
                signatures: Signatures::Off,
                take_over: false,
            });
            person.answer(Asked::EditKey, |event| matches!(event, Event::KeyEdited { .. }).then_some(()));
        }
        epochs
    };
    let epochs: BTreeSet<String> = std::thread::scope(|scope| {
        let working: Vec<_> = computers
            .into_iter()
            .enumerate()
            .map(|(name, person)| {
                let lines = &lines[name * ROUNDS..][..ROUNDS];
                scope.spawn(move || work(person, name, lines))
            })
            .collect();
        working.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut third = Person::new();
    third.open(&station);
    third.ask_log_in("anna", PASSWORD);
    let keys: Vec<KeyView> = third.until("the keys", |event| match event {
        Event::Keys(keys) => Some(keys.clone()),
        _ => None,
    });
    let labels: BTreeSet<&str> = keys.iter().map(|key| key.label.as_str()).collect();
    for name in 0..2 {
        for round in 0..ROUNDS {
            assert!(labels.contains(format!("{name}-{round} renamed").as_str()), "{name} {round}");
            assert!(labels.contains(format!("Gift {}", name * ROUNDS + round).as_str()), "{name} {round}");
        }
    }
    let shared = keys.iter().find(|key| key.label == "Shared").unwrap();
    assert_eq!(
        (keys.len(), shared.epochs.len()),
        (4 * ROUNDS + 1, 2 * ROUNDS + 1),
        "every rotation is there"
    );
    let there: BTreeSet<String> = shared.epochs.iter().map(|epoch| epoch.kid.clone()).collect();
    assert_eq!(epochs, there, "and none was replaced by another");
}

#[test]
fn a_key_deleted_on_one_computer_is_told_to_the_other_that_renames_it() {
    let station = Station::start();
    let mut desk = Person::joined(&station, "anna", "");
    let key = create(&mut desk, "Plant", "plant/#");
    let mut laptop = Person::new();
    laptop.log_in(&station, "anna");
    desk.send(Command::DeleteKey { id: key.id.clone() });
    desk.until("it is gone", |event| matches!(event, Event::Keys(keys) if keys.is_empty()).then_some(()));
    laptop.send(Command::EditKey {
        id: key.id.clone(),
        label: "Renamed".to_owned(),
        filters: key.filters.clone(),
        signatures: Signatures::Off,
        take_over: false,
    });
    assert!(laptop.failure(Asked::EditKey).why.contains("deleted, perhaps on another computer"));
    laptop.send(Command::RotateKey { id: key.id.clone() });
    assert!(laptop.failure(Asked::RotateKey).why.contains("deleted"));
}
