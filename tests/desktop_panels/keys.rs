//! Keys: made, taken in, handed on, deleted; and no secret on the screen unless asked for.

use egui_kittest::kittest::{NodeT, Queryable};
use sealwire::client::{Asked, Command, Event, Failure, KeyForm, Password, Suite};

use crate::scene::*;

const LINE: &str = "sealwire-key:hgFlUGxhbnRsY29zZS1hMjU2Z2NtgWdwbGFudC8j";

fn ready() -> Scene {
    let mut scene = Scene::new(Page::Keys, model("admin"));
    scene.tell(Event::Keys(keys()));
    scene
}

fn is_enabled(harness: &egui_kittest::Harness<'_, Scene>, label: &str) -> bool {
    !harness.get_by_label(label).accesskit_node().is_disabled()
}

#[test]
fn an_empty_keyring_teaches_and_makes_the_first_key() {
    let mut harness = open(Scene::new(Page::Keys, model("admin")));
    assert!(sees(&harness, "No keys yet") && sees(&harness, "The broker never holds a key."));
    click(&mut harness, "Make a key…");
    type_into(&mut harness, "Name", "Plant");
    assert!(!is_enabled(&harness, "Make key"));
    type_into(&mut harness, "Topic filters", "plant/#\nfleet/#/x");
    assert!(sees(&harness, "fleet/#/x: # must be the last level"));
    clear_field(&mut harness, "Topic filters");
    type_into(&mut harness, "Topic filters", "plant/#");
    click(&mut harness, "ChaCha20-Poly1305");
    click(&mut harness, "Make key");
    let [Command::CreateKey { label, filters, suite, .. }] = asked(&harness) else {
        panic!("{:?}", asked(&harness))
    };
    assert_eq!(
        (label.as_str(), filters.as_slice(), *suite),
        ("Plant", &[filter("plant/#")][..], Suite::CoseChaCha20)
    );
    harness.state_mut().tell(Event::Keys(vec![key("a1", "Plant", &["plant/#"], Suite::CoseChaCha20, true)]));
    settle(&mut harness);
    assert!(harness.query_by_label("Make key").is_none(), "the dialog is closed");
    assert!(sees(&harness, "3F9A 71C4"), "the new key is shown");
}

#[test]
fn a_name_that_is_taken_is_told_and_a_failure_stays_in_the_dialog() {
    let mut harness = open(ready());
    click(&mut harness, "Make a key…");
    type_into(&mut harness, "Name", "Fleet");
    assert!(sees(&harness, "You have a key with this name."));
    type_into(&mut harness, "Name", " two");
    type_into(&mut harness, "Topic filters", "x/#");
    click(&mut harness, "Make key");
    harness.state_mut().tell(Event::Failed(
        Asked::CreateKey,
        Failure {
            what: "The key was not made.".into(),
            why: "The station does not answer.".into(),
            next: "Try again.".into(),
            retry_after: None,
        },
    ));
    settle(&mut harness);
    assert!(sees(&harness, "The station does not answer."));
    click(&mut harness, "Cancel");
    assert!(!sees(&harness, "The station does not answer."));
}

#[test]
fn a_key_line_is_taken_in_and_a_corrupt_one_is_explained() {
    let mut harness = open(ready());
    click(&mut harness, "Import a key…");
    type_into(&mut harness, "Key line", "hello");
    assert!(sees(&harness, "its line begins with “sealwire-key:”"));
    assert!(!is_enabled(&harness, "Import"));
    clear_field(&mut harness, "Key line");
    type_into(&mut harness, "Key line", LINE);
    assert!(!sees(&harness, LINE), "a secret is not on the screen");
    click(&mut harness, "Import");
    assert!(
        matches!(asked(&harness), [Command::ImportKey { line, take_over: false }] if line.reveal() == LINE)
    );
    harness.state_mut().tell(Event::Failed(
        Asked::ImportKey,
        Failure {
            what: "The key was not imported.".into(),
            why: "A character of it is wrong.".into(),
            next: "Copy the whole line.".into(),
            retry_after: None,
        },
    ));
    settle(&mut harness);
    assert!(sees(&harness, "A character of it is wrong.") && sees(&harness, "Copy the whole line."));
    assert!(is_enabled(&harness, "Import"));
}

#[test]
fn a_key_whose_topics_another_seals_asks_before_it_takes_over() {
    let mut harness = open(ready());
    click(&mut harness, "Import a key…");
    type_into(&mut harness, "Key line", LINE);
    click(&mut harness, "Import");
    let theirs = key("e5", "Ben", &["plant/#"], Suite::CoseA256Gcm, false);
    harness
        .state_mut()
        .tell(Event::KeyImported { key: theirs.clone(), covered: vec![(filter("plant/#"), "Plant".into())] });
    settle(&mut harness);
    assert!(sees(&harness, "sealed by “Plant”"));
    click(&mut harness, "Let the new key seal");
    assert!(
        matches!(asked(&harness), [_, Command::ImportKey { line, take_over: true }] if line.reveal() == LINE)
    );
    harness.state_mut().tell(Event::KeyImported { key: theirs, covered: Vec::new() });
    settle(&mut harness);
    assert!(!sees(&harness, "Which key shall seal?"));
}

#[test]
fn keeping_the_old_key_sealing_asks_for_nothing_more() {
    let mut harness = open(ready());
    click(&mut harness, "Import a key…");
    type_into(&mut harness, "Key line", LINE);
    click(&mut harness, "Import");
    let theirs = key("e5", "Ben", &["plant/#"], Suite::CoseA256Gcm, false);
    harness
        .state_mut()
        .tell(Event::KeyImported { key: theirs, covered: vec![(filter("plant/#"), "Plant".into())] });
    settle(&mut harness);
    click(&mut harness, "Keep sealing as before");
    assert_eq!(asked(&harness).len(), 1);
    assert!(!sees(&harness, "Which key shall seal?"));
}

#[test]
fn a_fernet_key_is_taken_in_with_a_name_and_its_topics() {
    let fernet = format!("{}=", "A".repeat(43));
    let mut harness = open(ready());
    click(&mut harness, "Import a key…");
    type_into(&mut harness, "Key line", &fernet);
    assert!(sees(&harness, "This looks like a Fernet key"));
    harness.get_all_by_label("Fernet key").next().unwrap().click();
    settle(&mut harness);
    type_into(&mut harness, "Name", "Gateway");
    type_into(&mut harness, "Topic filters", "old/#");
    click(&mut harness, "Import");
    let [Command::ImportFernet { text, label, filters, take_over: false }] = asked(&harness) else {
        panic!()
    };
    assert_eq!(
        (text.reveal(), label.as_str(), filters.as_slice()),
        (fernet.as_str(), "Gateway", &[filter("old/#")][..])
    );
}

#[test]
fn a_key_is_shown_only_when_asked_for_and_gone_when_the_dialog_closes() {
    let mut harness = open(ready());
    click(&mut harness, "Give to someone…");
    assert!(sees(&harness, "Whoever has this line can read and send"));
    assert!(asked(&harness).is_empty(), "nothing is written down before it is asked for");
    click(&mut harness, "Show the key");
    assert!(matches!(asked(&harness), [Command::ExportKey { id, form: KeyForm::Line }] if id == "a1"));
    harness.state_mut().tell(Event::KeyExported {
        id: "a1".into(),
        form: KeyForm::Line,
        text: Password::new(LINE),
    });
    settle(&mut harness);
    assert!(sees(&harness, LINE) && sees(&harness, "QR code of the key line"));
    click(&mut harness, "Copy the key line");
    harness.key_press(eframe::egui::Key::Escape);
    settle(&mut harness);
    assert!(!sees(&harness, LINE));
    click(&mut harness, "Give to someone…");
    assert!(!sees(&harness, LINE), "it is asked for anew");
}

#[test]
fn an_export_that_nobody_waits_for_shows_nothing() {
    let mut harness = open(ready());
    harness.state_mut().tell(Event::KeyExported {
        id: "a1".into(),
        form: KeyForm::Line,
        text: Password::new(LINE),
    });
    click(&mut harness, "Give to someone…");
    assert!(!sees(&harness, LINE));
}

#[test]
fn only_a_fernet_key_is_written_as_a_fernet_file() {
    let mut harness = open(ready());
    click(&mut harness, "Give to someone…");
    assert!(harness.query_by_label("Fernet file").is_none());
    harness.key_press(eframe::egui::Key::Escape);
    settle(&mut harness);
    harness.get_by_label_contains("Old gateway,").click();
    settle(&mut harness);
    click(&mut harness, "Give to someone…");
    click(&mut harness, "Fernet file");
    click(&mut harness, "Show the key");
    assert!(matches!(asked(&harness), [Command::ExportKey { form: KeyForm::FernetFile, .. }]));
}

#[test]
fn a_key_that_only_opens_says_so_and_topics_in_the_clear_can_be_sealed_again() {
    let mut scene = ready();
    scene.tell(Event::ClearTopics(vec![filter("public/#")]));
    let mut harness = open(scene);
    harness.get_by_label_contains("Press, from Ben, opens only").click();
    settle(&mut harness);
    assert!(sees(&harness, "This key opens, and does not seal"));
    click(&mut harness, "Seal again");
    assert!(matches!(asked(&harness), [Command::SetClear { clear: false, .. }]));
}
