//! A key's life: made from a passphrase, edited, rotated, retired, deleted, and carried in a file.

use eframe::egui::Key;
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use sealwire::client::{
    Asked, Command, Event, KeyConsequences, KeyOutcome, KeyReport, KeyView, Password, Signatures, Suite,
};

use crate::scene::*;

const WORDS: &str = "orbit candle velvet harbor mosaic thunder";
const AGE: &str = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----";

fn ready() -> Harness<'static, Scene> {
    let mut scene = Scene::new(Page::Keys, model("admin"));
    scene.tell(Event::Keys(seasoned_keys()));
    open(scene)
}

fn is_enabled(harness: &Harness<'_, Scene>, label: &str) -> bool {
    !harness.get_by_label(label).accesskit_node().is_disabled()
}

fn from_menu(harness: &mut Harness<'_, Scene>, menu: &str, row: &str) {
    click(harness, menu);
    click(harness, row);
}

fn rotated() -> Vec<KeyView> {
    let mut keys = seasoned_keys();
    let mut newest = keys[0].epochs[0].clone();
    newest.number = 4;
    keys[0].epochs.insert(0, newest);
    keys
}

#[test]
fn a_key_shows_its_epochs_what_it_asks_of_signatures_and_whether_it_is_retired() {
    let mut harness = ready();
    for told in ["signatures: accept", "3 epochs", "Epoch 3", "Epoch 1", "it shows “Not signed”"] {
        assert!(sees(&harness, told), "{told}");
    }
    harness.get_by_label_contains("Fleet, retired").click();
    settle(&mut harness);
    assert!(sees(&harness, "You retired this key"));
    assert!(harness.query_by_label("Rotate…").is_none(), "a retired key is not rotated");
    click(&mut harness, "Take it back into use");
    assert!(matches!(asked(&harness), [Command::RetireKey { id, retired: false }] if id == "b2"));
    fail(&mut harness, Asked::RetireKey, "The station does not answer.");
    assert!(sees(&harness, "The station does not answer."), "beside what was asked");
}

#[test]
fn a_key_without_secrecy_is_badged_in_the_list_and_explained() {
    let mut scene = Scene::new(Page::Keys, model("admin"));
    let weak = Some("no secrecy: this key was published".to_owned());
    scene.tell(Event::Keys(vec![KeyView { weak, ..keys()[0].clone() }]));
    let harness = open(scene);
    assert!(sees(&harness, "no secrecy") && sees(&harness, "No secrecy: this key was published."));
}

#[test]
fn what_a_key_asks_of_signatures_is_chosen_when_it_is_made() {
    let mut harness = open(Scene::new(Page::Keys, model("admin")));
    click(&mut harness, "Make a key…");
    type_into(&mut harness, "Name", "Plant");
    type_into(&mut harness, "Topic filters", "plant/#");
    click(&mut harness, "Require");
    assert!(sees(&harness, "or from somebody you do not know, is refused"));
    click(&mut harness, "Make key");
    assert!(
        matches!(asked(&harness), [Command::CreateKey { signatures: Signatures::Require, .. }]),
        "{:?}",
        asked(&harness)
    );
}

#[test]
fn a_suite_without_room_for_signatures_offers_none() {
    let mut harness = open(Scene::new(Page::Keys, model("admin")));
    click(&mut harness, "Make a key…");
    type_into(&mut harness, "Name", "Old");
    type_into(&mut harness, "Topic filters", "old/#");
    click(&mut harness, "Require");
    click(&mut harness, "Fernet");
    assert!(sees(&harness, "no room for a signature") && harness.query_by_label("Require").is_none());
    click(&mut harness, "Make key");
    let [Command::CreateKey { signatures, suite, .. }] = asked(&harness) else { panic!() };
    assert_eq!((*signatures, *suite), (Signatures::Off, Suite::Fernet));
}

#[test]
fn a_key_from_a_passphrase_wants_a_room_and_a_strong_one_or_six_drawn_words() {
    let mut harness = open(Scene::new(Page::Keys, model("admin")));
    click(&mut harness, "Make a key…");
    type_into(&mut harness, "Name", "Hall");
    type_into(&mut harness, "Topic filters", "hall/#");
    click(&mut harness, "From a passphrase");
    type_into(&mut harness, "Passphrase", "password1");
    type_into(&mut harness, "Room", "hall 2");
    assert!(sees(&harness, "Weak") && !is_enabled(&harness, "Make key"));
    click(&mut harness, "Suggest six words");
    assert!(matches!(asked(&harness), [Command::SuggestPassphrase]));
    tell(&mut harness, Event::Passphrase(Password::new(WORDS)));
    assert!(sees(&harness, WORDS), "drawn words are shown, to be written down");
    click(&mut harness, "Make key");
    let [_, Command::CreateFromPassphrase { label, room, passphrase, suite, .. }] = asked(&harness) else {
        panic!("{:?}", asked(&harness))
    };
    assert_eq!((label.as_str(), room.as_str(), passphrase.reveal()), ("Hall", "hall 2", WORDS));
    assert_eq!(*suite, Suite::CoseA256Gcm);
    fail(&mut harness, Asked::CreateKey, "The passphrase is too weak.");
    assert!(sees(&harness, "The passphrase is too weak."));
}

#[test]
fn an_edit_sends_what_changed_and_closes_when_it_is_done() {
    let mut harness = ready();
    click(&mut harness, "Edit…");
    assert!(!is_enabled(&harness, "Save"), "nothing changed yet");
    clear_field(&mut harness, "Name");
    type_into(&mut harness, "Name", "Fleet");
    assert!(sees(&harness, "You have a key with this name."));
    clear_field(&mut harness, "Name");
    type_into(&mut harness, "Name", "Plant north");
    click(&mut harness, "Require");
    click(&mut harness, "Save");
    let [Command::EditKey { id, label, filters, signatures, take_over: false }] = asked(&harness) else {
        panic!("{:?}", asked(&harness))
    };
    assert_eq!((id.as_str(), label.as_str()), ("a1", "Plant north"));
    assert_eq!((filters.as_slice(), *signatures), (&[filter("plant/#")][..], Signatures::Require));
    fail(&mut harness, Asked::EditKey, "The vault was changed elsewhere.");
    assert!(sees(&harness, "The vault was changed elsewhere."));
    tell(&mut harness, Event::KeyEdited { key: keys()[0].clone(), covered: Vec::new() });
    assert!(harness.query_by_label("Save").is_none());
}

#[test]
fn topics_that_another_key_seals_are_taken_over_only_with_consent() {
    let mut harness = ready();
    click(&mut harness, "Edit…");
    type_into(&mut harness, "Topic filters", "\nlegacy/#");
    click(&mut harness, "Save");
    let covered = vec![(filter("legacy/#"), "Old gateway".to_owned())];
    tell(&mut harness, Event::KeyEdited { key: keys()[0].clone(), covered });
    assert!(sees(&harness, "Nothing is changed yet.") && sees(&harness, "sealed by “Old gateway”"));
    click(&mut harness, "Let “Plant” seal");
    assert!(
        matches!(asked(&harness), [_, Command::EditKey { take_over: true, filters, .. }] if filters.len() == 2)
    );
}

#[test]
fn rotating_says_what_happens_and_then_who_needs_the_new_key() {
    let mut harness = ready();
    click(&mut harness, "Rotate…");
    for told in ["epoch 4, seals from now on", "retained messages", "For an hour", "the new key line"] {
        assert!(sees(&harness, told), "{told}");
    }
    click(&mut harness, "Rotate key");
    assert!(matches!(asked(&harness), [Command::RotateKey { id }] if id == "a1"));
    tell(&mut harness, Event::Keys(rotated()));
    let left = vec![(topic("plant/gone"), "Your role may not publish there.".to_owned())];
    tell(&mut harness, Event::Resealed { retained: 3, outbox: 1, left });
    for told in ["Epoch 4 seals from now on", "3 retained messages and 1 message", "Not plant/gone"] {
        assert!(sees(&harness, told), "{told}");
    }
    let give = harness.get_all_by_label("Give to someone…").last().unwrap();
    give.click();
    settle(&mut harness);
    assert!(sees(&harness, "Whoever has this line can read and send"), "the dialog that hands it on");
}

#[test]
fn a_rotation_that_failed_says_so_in_its_dialog() {
    let mut harness = ready();
    click(&mut harness, "Rotate…");
    click(&mut harness, "Rotate key");
    fail(&mut harness, Asked::RotateKey, "The station does not answer.");
    assert!(sees(&harness, "The station does not answer.") && is_enabled(&harness, "Rotate key"));
    tell(&mut harness, Event::Keys(seasoned_keys()));
    assert!(!sees(&harness, "is rotated"), "the same epochs are no rotation");
}

#[test]
fn a_key_is_retired_after_its_consequences_were_read() {
    let mut harness = ready();
    from_menu(&mut harness, "More for this key", "Retire…");
    assert!(matches!(asked(&harness), [Command::AskConsequences { id }] if id == "a1"));
    assert!(!is_enabled(&harness, "Retire key") && sees(&harness, "Looking at what depends on it…"));
    let consequences = KeyConsequences {
        will: true,
        filters_uncovered: vec![filter("plant/#")],
        ..KeyConsequences::default()
    };
    tell(&mut harness, Event::KeyConsequences { id: "a1".into(), consequences });
    assert!(
        sees(&harness, "Your will is sealed with it")
            && sees(&harness, "Nothing more can be sent to plant/#")
    );
    click(&mut harness, "Retire key");
    assert!(matches!(asked(&harness), [_, Command::RetireKey { retired: true, .. }]));
    let mut keys = seasoned_keys();
    (keys[0].retired, keys[0].seals) = (true, false);
    tell(&mut harness, Event::Keys(keys));
    assert!(harness.query_by_label("Retire key").is_none());
}

#[test]
fn a_key_is_deleted_only_after_its_consequences_are_there_and_its_name_was_typed() {
    let mut harness = ready();
    click(&mut harness, "Delete…");
    assert!(sees(&harness, "can never be opened again"));
    type_into(&mut harness, "Type the key’s name to confirm", "Plant");
    assert!(!is_enabled(&harness, "Delete key"), "the consequences are not told yet");
    let consequences = KeyConsequences {
        history: 1_204,
        outbox: 2,
        others_cover: vec![(filter("plant/#"), "All".into())],
        ..KeyConsequences::default()
    };
    tell(&mut harness, Event::KeyConsequences { id: "other".into(), consequences: consequences.clone() });
    assert!(!is_enabled(&harness, "Delete key"), "those are of another key");
    tell(&mut harness, Event::KeyConsequences { id: "a1".into(), consequences });
    assert!(sees(&harness, "1,204 messages of your history") && sees(&harness, "“All” will seal plant/#"));
    click(&mut harness, "Delete key");
    assert!(matches!(asked(&harness), [_, Command::DeleteKey { id }] if id == "a1"));
    tell(&mut harness, Event::Keys(seasoned_keys().into_iter().skip(1).collect()));
    assert!(harness.query_by_label("Delete key").is_none());
}

#[test]
fn consequences_that_are_not_to_be_had_are_looked_for_again() {
    let mut harness = ready();
    click(&mut harness, "Delete…");
    fail(&mut harness, Asked::KeyConsequences, "The state file is busy.");
    assert!(sees(&harness, "The state file is busy.") && sees(&harness, "You can go on, without knowing."));
    click(&mut harness, "Look again");
    assert!(matches!(asked(&harness), [Command::AskConsequences { .. }, Command::AskConsequences { .. }]));
}

#[test]
fn all_keys_are_exported_under_a_passphrase_that_was_typed_twice() {
    let mut harness = ready();
    from_menu(&mut harness, "More: files, legacy programs", "Export all keys…");
    assert!(sees(&harness, "4 keys with all their epochs"));
    type_into(&mut harness, "Passphrase", WORDS);
    assert!(!is_enabled(&harness, "Seal the file"), "typed once only");
    type_into(&mut harness, "Passphrase again", "orbit candles");
    assert!(sees(&harness, "The two passphrases are not the same."));
    clear_field(&mut harness, "Passphrase again");
    type_into(&mut harness, "Passphrase again", WORDS);
    assert!(!sees(&harness, WORDS), "what is typed is not on the screen");
    click(&mut harness, "Seal the file");
    assert!(
        matches!(asked(&harness), [Command::ExportKeys { ids: None, passphrase }] if passphrase.reveal() == WORDS)
    );
    fail(&mut harness, Asked::ExportKeys, "There is not enough memory.");
    assert!(sees(&harness, "There is not enough memory."));
    tell(&mut harness, Event::KeysExported { file: AGE.into(), keys: 4 });
    assert!(sees(&harness, "4 keys are sealed under the passphrase") && sees(&harness, "Not saved yet"));
    click(&mut harness, "Copy the file’s text");
    assert!(harness.query_by_label("Save to a file…").is_some());
}

#[test]
fn one_key_is_exported_alone() {
    let mut harness = ready();
    from_menu(&mut harness, "More for this key", "Export as a file…");
    assert!(sees(&harness, "Export “Plant” as a file"));
    click(&mut harness, "Suggest six words");
    tell(&mut harness, Event::Passphrase(Password::new(WORDS)));
    click(&mut harness, "Seal the file");
    assert!(
        matches!(asked(&harness), [_, Command::ExportKeys { ids: Some(ids), .. }] if ids.as_slice() == ["a1"])
    );
}

#[test]
fn a_file_is_imported_with_a_report_of_each_key_and_those_that_only_open_can_take_over() {
    let mut harness = ready();
    from_menu(&mut harness, "More: files, legacy programs", "Import an age file…");
    paste(&mut harness, "File", "hello".into());
    assert!(sees(&harness, "Not an age file"));
    clear_field(&mut harness, "File");
    paste(&mut harness, "File", AGE.into());
    type_into(&mut harness, "Passphrase", "wrong");
    click(&mut harness, "Import");
    assert!(matches!(asked(&harness), [Command::ImportKeys { file, passphrase, take_over: false }]
            if file == AGE.as_bytes() && passphrase.reveal() == "wrong"));
    fail(&mut harness, Asked::ImportKeys, "The passphrase does not open the file.");
    assert!(sees(&harness, "The passphrase does not open the file.") && is_enabled(&harness, "Import"));
    let report = |label: &str, outcome| KeyReport { label: label.into(), key: None, outcome };
    let reports = vec![
        report("Hall", KeyOutcome::Seals),
        report("Fleet south", KeyOutcome::OpensOnly(vec!["Fleet".into()])),
        report("Plant", KeyOutcome::Completed(2)),
        report("Broken", KeyOutcome::Refused("its filters are not valid".into())),
    ];
    tell(&mut harness, Event::KeysImported { reports });
    for told in ["Hall", "“Fleet” goes on sealing", "2 epochs more", "Its filters are not valid."] {
        assert!(sees(&harness, told), "{told}");
    }
    click(&mut harness, "Let it take over");
    assert!(matches!(asked(&harness), [_, Command::ImportKeys { take_over: true, .. }]));
    let took = vec![report("Fleet south", KeyOutcome::TookOver(vec!["Fleet".into()]))];
    tell(&mut harness, Event::KeysImported { reports: took });
    assert!(sees(&harness, "It seals from now on what “Fleet” sealed."));
    assert!(harness.query_by_label("Let it take over").is_none());
    harness.key_press(Key::Escape);
    settle(&mut harness);
    assert!(!sees(&harness, "What became of the keys"));
}

#[test]
fn an_age_file_pasted_as_a_key_line_is_told_where_it_belongs() {
    let mut harness = ready();
    click(&mut harness, "Import a key…");
    type_into(&mut harness, "Key line", AGE);
    assert!(sees(&harness, "This is an age file"));
}
