//! Draws the pages and dialogs of keys, people and verdicts into a folder, to be looked at:
//! `SEALWIRE_PICTURES=DIR cargo test --test desktop_panels -- --ignored`.

use egui_kittest::{Harness, kittest::Queryable};
use sealwire::{
    client::{
        Asked, Event, KeyConsequences, KeyOutcome, KeyReport, KeyView, OutboxState, Password, Signatures,
    },
    desktop::theme::ThemeChoice,
};

use crate::scene::*;

const LARGE: [f32; 2] = [1440.0, 900.0];
const SMALL: [f32; 2] = [1024.0, 700.0];

fn draw(harness: &mut Harness<'_, Scene>, name: &str) {
    let folder = std::env::var_os("SEALWIRE_PICTURES").unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    settle(harness);
    harness.render().unwrap().save(std::path::Path::new(&folder).join(format!("{name}.png"))).unwrap();
}

/// Each scene in both themes, large in the dark and small in the light.
fn each(
    name: &str,
    scene: impl Fn() -> Scene,
    steps: impl Fn(&mut Harness<'static, Scene>, &dyn Fn(&mut Harness<'static, Scene>, &str)),
) {
    for (theme, size, tag) in [(ThemeChoice::Dark, LARGE, "dark"), (ThemeChoice::Light, SMALL, "light")] {
        let mut harness = open_at(scene(), theme, size);
        steps(&mut harness, &|harness, step| draw(harness, &format!("{name}-{step}-{tag}")));
    }
}

fn keyring() -> Scene {
    let mut scene = Scene::new(Page::Keys, model("admin"));
    scene.tell(Event::Keys(seasoned_keys()));
    scene.tell(Event::People(people()));
    scene
}

fn consequences() -> Event {
    let consequences = KeyConsequences {
        history: 1_204,
        outbox: 2,
        retained: 3,
        will: true,
        filters_uncovered: vec![filter("plant/#")],
        others_cover: vec![(filter("plant/line-1/#"), "All".into())],
    };
    Event::KeyConsequences { id: "a1".into(), consequences }
}

const WORDS: &str = "orbit candle velvet harbor mosaic thunder";

#[test]
#[ignore = "draws pictures"]
fn keys_and_their_dialogs() {
    each("keys", keyring, |harness, draw| {
        draw(harness, "01-page");
        click(harness, "More for this key");
        draw(harness, "02-menu");
        harness.key_press(eframe::egui::Key::Escape);
        click(harness, "Edit…");
        draw(harness, "03-edit");
        harness.key_press(eframe::egui::Key::Escape);
        settle(harness);
        click(harness, "Rotate…");
        draw(harness, "04-rotate");
        click(harness, "Rotate key");
        let mut keys = seasoned_keys();
        let newest = keys[0].epochs[0].clone();
        keys[0].epochs.insert(0, newest);
        tell(harness, Event::Keys(keys));
        let left = vec![(topic("plant/gone"), "your role may not publish there".to_owned())];
        tell(harness, Event::Resealed { retained: 3, outbox: 1, left });
        draw(harness, "05-rotated");
        click(harness, "Later");
        click(harness, "Delete…");
        draw(harness, "06-delete-asking");
        tell(harness, consequences());
        draw(harness, "07-delete");
        harness.key_press(eframe::egui::Key::Escape);
        settle(harness);
        click(harness, "More for this key");
        click(harness, "Retire…");
        tell(harness, consequences());
        draw(harness, "08-retire");
        harness.key_press(eframe::egui::Key::Escape);
        settle(harness);
        harness.get_by_label_contains("Fleet, retired").click();
        settle(harness);
        draw(harness, "09-retired");
    });
}

#[test]
#[ignore = "draws pictures"]
fn keys_made_and_carried() {
    each("carry", keyring, |harness, draw| {
        click(harness, "Make a key…");
        draw(harness, "01-create");
        click(harness, "From a passphrase");
        type_into(harness, "Room", "hall 2");
        tell(harness, Event::Passphrase(Password::new(WORDS)));
        draw(harness, "02-create-words");
        harness.get_by_label("Accept").scroll_to_me();
        settle(harness);
        draw(harness, "03-create-end");
        harness.key_press(eframe::egui::Key::Escape);
        settle(harness);
        click(harness, "More: files, legacy programs");
        draw(harness, "04-menu");
        click(harness, "Export all keys…");
        type_into(harness, "Passphrase", "weak");
        draw(harness, "05-export");
        tell(harness, Event::Passphrase(Password::new(WORDS)));
        draw(harness, "06-export-words");
        click(harness, "Seal the file");
        tell(harness, Event::KeysExported { file: b"age".to_vec(), keys: 4 });
        draw(harness, "07-exported");
        harness.key_press(eframe::egui::Key::Escape);
        settle(harness);
        click(harness, "More: files, legacy programs");
        click(harness, "Import an age file…");
        paste(harness, "File", "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24=\n-----END".into());
        type_into(harness, "Passphrase", "words");
        click(harness, "Import");
        fail(harness, Asked::ImportKeys, "The passphrase does not open the file.");
        draw(harness, "08-import");
        let report = |label: &str, outcome| KeyReport { label: label.into(), key: None, outcome };
        tell(
            harness,
            Event::KeysImported {
                reports: vec![
                    report("Hall", KeyOutcome::Seals),
                    report("Fleet south", KeyOutcome::OpensOnly(vec!["Fleet".into()])),
                    report("Plant", KeyOutcome::Completed(2)),
                    report("Sample", KeyOutcome::AlreadyThere),
                    report("Broken", KeyOutcome::Refused("its filters are not valid".into())),
                ],
            },
        );
        draw(harness, "09-report");
    });
    each("first", || Scene::new(Page::Keys, model("admin")), |harness, draw| draw(harness, "01-empty"));
}

#[test]
#[ignore = "draws pictures"]
fn people_and_their_dialogs() {
    let scene = || {
        let mut scene = keyring();
        scene.keys.show_people(None);
        scene
    };
    each("people", scene, |harness, draw| {
        draw(harness, "01-you");
        harness.get_by_label_contains("cleo, digits").click();
        settle(harness);
        draw(harness, "02-known");
        click(harness, "Compare digits…");
        draw(harness, "03-compare");
        click(harness, "They do not match");
        draw(harness, "04-different");
        harness.key_press(eframe::egui::Key::Escape);
        settle(harness);
        harness.get_by_label_contains("dora, signs").click();
        settle(harness);
        draw(harness, "05-changed");
        click(harness, "Take the new key…");
        draw(harness, "06-accept");
        harness.key_press(eframe::egui::Key::Escape);
        settle(harness);
        harness.get_by_label_contains("no account of this station").click();
        settle(harness);
        draw(harness, "07-stranger");
    });
}

#[test]
#[ignore = "draws pictures"]
fn verdicts_in_watch_and_publish() {
    let scene = || {
        let mut scene = Scene::new(Page::Watch, busy());
        scene.tell(Event::Keys(seasoned_keys()));
        scene.tell(Event::People(people()));
        let now = now_ms();
        let mut messages = readings(1_600);
        for (at, by) in [2, 3, 5, 6, 7, 1].into_iter().enumerate() {
            let serial = 1_601 + at as i64;
            messages.push(signed(serial, now, "plant/line-1/notes", "\"shift change at six\"", by));
        }
        scene.tell(Event::Messages(messages));
        scene
    };
    each("watch", scene, |harness, draw| {
        draw(harness, "01-page");
        harness.get_all_by_label_contains("notes, Changed key").next().unwrap().click();
        settle(harness);
        draw(harness, "02-changed");
        harness.get_by_label("What do these words mean?").click();
        settle(harness);
        draw(harness, "03-explained");
        click(harness, "Every word that can stand here");
        draw(harness, "04-words");
    });
    let scene = || {
        let mut scene = Scene::new(Page::Publish, model("admin"));
        let keys = KeyView { signatures: Signatures::Accept, ..keys()[0].clone() };
        scene.tell(Event::Keys(vec![keys]));
        scene.tell(Event::People(people()));
        let mut first = entry(1, "plant/line-1/press", OutboxState::Acknowledged { no_subscribers: false });
        if let Some(with) = &mut first.sealed_with {
            with.signed = true;
        }
        scene.tell(Event::Outbox(vec![first, entry(2, "plant/line-1/state", OutboxState::Queued)]));
        scene
    };
    each("publish", scene, |harness, draw| {
        type_into(harness, "Topic", "plant/line-1/press");
        type_into(harness, "Payload", "shift change at six");
        draw(harness, "01-page");
    });
}
