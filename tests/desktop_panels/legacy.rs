//! Programs of older systems: their keys, their messages, and what is written to them.

use bytes::Bytes;
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use sealwire::{
    client::{
        Asked, Command, Draft, Event, Failure, KeyView, Message, Opening, SealedWith,
        legacy::{Profile, Spoken, compose},
    },
    desktop::theme::ThemeChoice,
};

use crate::scene::*;

fn legacy_key(profile: Profile) -> KeyView {
    let name = profile.name();
    let key = key(
        &format!("{}{}", &name[..1], name.len()),
        profile.title(),
        profile.topics(),
        profile.suite(),
        true,
    );
    KeyView { profile: Some(profile), ..key }
}

fn legacy_message(serial: i64, profile: Profile, body: &str) -> Message {
    let arrived = now_ms() - 60_000 + serial as u64 * 1_000;
    let plain = message(serial, arrived, profile.topics()[0], body);
    let with = SealedWith {
        label: profile.title().into(),
        kid: "7c4f09c2b7e1a85d3360f1d27c9be4a8".into(),
        suite: profile.suite(),
        profile: Some(profile),
        signed: false,
    };
    let opening = Opening::Opened {
        with,
        body: Bytes::from(body.to_owned()),
        content_type: None,
        sealed_at_ms: if profile.is_secret() { arrived / 1_000 * 1_000 } else { 0 },
        will: false,
        signer: None,
        notes: Vec::new(),
    };
    Message { qos: 0, retained: false, opening, wire: envelope(9, 120), ..plain }
}

fn messages() -> Vec<Message> {
    vec![
        legacy_message(
            1,
            Profile::DisasterResponse,
            "ID:123e4567-e89b-42d3-a456-426614174000 Coordinates:42,7",
        ),
        legacy_message(2, Profile::IndustrialIot, "temp 25 °C"),
        legacy_message(3, Profile::RoomChat, "daniel: hello"),
        legacy_message(4, Profile::WindowChat, r#"{"username": "alice", "text": "hello"}"#),
    ]
}

fn with_keys(page: Page) -> Scene {
    let mut scene = Scene::new(page, model("admin"));
    scene.tell(Event::Preferences(Vec::new()));
    scene.tell(Event::Keys(Profile::ALL.into_iter().map(legacy_key).collect()));
    scene
}

fn is_enabled(harness: &Harness<'_, Scene>, label: &str) -> bool {
    !harness.get_by_label(label).accesskit_node().is_disabled()
}

fn dialog() -> Harness<'static, Scene> {
    let mut scene = Scene::new(Page::Keys, model("admin"));
    scene.tell(Event::Keys(keys()));
    let mut harness = open(scene);
    click(&mut harness, "More: files, legacy programs");
    click(&mut harness, "Legacy program…");
    harness
}

fn published(harness: &Harness<'_, Scene>) -> Draft {
    let mut drafts = asked(harness).iter().filter_map(|command| match command {
        Command::Publish { draft, .. } => Some(draft.clone()),
        _ => None,
    });
    drafts.next_back().unwrap()
}

#[test]
fn a_program_is_chosen_its_passphrase_typed_and_its_topics_are_there_already() {
    let mut harness = dialog();
    click(&mut harness, "Window chat");
    assert!(sees(&harness, "one computed list of guesses"), "what it protects, and what not");
    assert!(!is_enabled(&harness, "Add"));
    type_into(&mut harness, "Passphrase", "short");
    assert!(sees(&harness, "At least 8 characters, as the old program wants."));
    clear_field(&mut harness, "Passphrase");
    type_into(&mut harness, "Passphrase", "correct horse battery");
    clear_field(&mut harness, "Topic filters");
    type_into(&mut harness, "Topic filters", "chat/other");
    click(&mut harness, "Add");
    let [Command::AddLegacy { profile, filters, secret, label, take_over: false }] = asked(&harness) else {
        panic!("{:?}", asked(&harness))
    };
    assert_eq!((*profile, label.as_deref()), (Profile::WindowChat, Some("Window chat")));
    assert_eq!(filters.as_deref(), Some(&[filter("chat/other")][..]));
    assert_eq!(secret.as_ref().unwrap().reveal(), "correct horse battery");
    harness
        .state_mut()
        .tell(Event::KeyImported { key: legacy_key(Profile::WindowChat), covered: Vec::new() });
    settle(&mut harness);
    assert!(harness.query_by_label("Add").is_none(), "the dialog is closed");
}

#[test]
fn thirty_two_characters_are_counted_and_an_accent_is_told_at_once() {
    let mut harness = dialog();
    click(&mut harness, "Room chat");
    type_into(&mut harness, "Passphrase", &"x".repeat(31));
    assert!(sees(&harness, "31 of 32 characters."));
    type_into(&mut harness, "Passphrase", "ü");
    assert!(sees(&harness, "“ü” does not work here") && !is_enabled(&harness, "Add"));
}

#[test]
fn the_published_key_asks_for_no_secret_and_says_that_it_is_none() {
    let mut harness = dialog();
    click(&mut harness, "Industrial IoT");
    assert!(sees(&harness, "No secrecy: this key was published."));
    assert!(harness.query_by_label("Passphrase").is_none() && harness.query_by_label("Key file").is_none());
    click(&mut harness, "Add");
    assert!(matches!(
        asked(&harness),
        [Command::AddLegacy { profile: Profile::IndustrialIot, secret: None, .. }]
    ));
}

#[test]
fn a_failure_stays_in_the_dialog_and_a_topic_that_another_key_seals_is_asked_about() {
    let mut harness = dialog();
    type_into(&mut harness, "Key file", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    click(&mut harness, "Add");
    harness.state_mut().tell(Event::Failed(
        Asked::ImportKey,
        Failure {
            what: "The key was not made.".into(),
            why: "The station does not answer.".into(),
            next: "Try again.".into(),
            retry_after: None,
        },
    ));
    settle(&mut harness);
    assert!(sees(&harness, "The station does not answer."));
    click(&mut harness, "Add");
    let key = KeyView { seals: false, ..legacy_key(Profile::DisasterResponse) };
    let covered = vec![(filter("emergency/assist"), "Plant".into())];
    harness.state_mut().tell(Event::KeyImported { key, covered });
    settle(&mut harness);
    assert!(sees(&harness, "sealed by “Plant”"));
    click(&mut harness, "Let the legacy key seal");
    assert!(matches!(asked(&harness).last(), Some(Command::AddLegacy { take_over: true, .. })));
}

#[test]
fn keys_and_messages_of_older_programs_are_marked_wherever_they_show() {
    let mut scene = with_keys(Page::Keys);
    scene.tell(Event::Messages(messages()));
    let mut harness = open(scene);
    assert!(sees(&harness, "Room chat, seals and opens, legacy"));
    harness.get_by_label_contains("Industrial IoT, seals").click();
    settle(&mut harness);
    assert!(sees(&harness, "legacy, no secrecy") && sees(&harness, "No secrecy: this key was published"));

    click(&mut harness, "Watch");
    for row in ["emergency/assist, Legacy, sealed", "iot/login, Legacy", "chat/channel, Legacy, sealed"] {
        assert!(sees(&harness, row), "{row}");
    }
    harness.get_by_label_contains("movantchat/python, Legacy").click();
    settle(&mut harness);
    assert!(sees(&harness, "daniel (anybody can write any name)"));
    harness.get_by_label_contains("emergency/assist, Legacy").click();
    settle(&mut harness);
    assert!(sees(&harness, "42, 7") && sees(&harness, "123e4567-e89b-42d3-a456-426614174000"));
    harness.get_by_label_contains("iot/login, Legacy").click();
    settle(&mut harness);
    assert!(sees(&harness, "Anybody could have read this message") && sees(&harness, "no secrecy"));
}

#[test]
fn a_chat_message_is_written_with_a_name_that_is_remembered() {
    let mut harness = open(with_keys(Page::Publish));
    type_into(&mut harness, "Topic", "chat/channel");
    assert!(sees(&harness, "Sealed with “Window chat”, legacy"));
    assert!(harness.query_by_label("Retain").is_none(), "those programs retain nothing");
    clear_field(&mut harness, "Name in the chat");
    assert!(!is_enabled(&harness, "Send"));
    type_into(&mut harness, "Name in the chat", "Åsa");
    assert!(sees(&harness, "This chat sends no empty ones") || sees(&harness, "sends no empty ones"));
    type_into(&mut harness, "Payload", "hej");
    click(&mut harness, "Send");
    let draft = published(&harness);
    assert_eq!(String::from_utf8(draft.body).unwrap(), r#"{"username": "\u00c5sa", "text": "hej"}"#);
    assert_eq!((draft.qos, draft.retain, draft.content_type), (0, false, None));
    assert!(asked(&harness).iter().any(|command| matches!(
        command,
        Command::SetPreference { name, value } if name == "legacy.name" && value == "Åsa"
    )));
}

#[test]
fn the_room_is_told_who_has_left() {
    let mut harness = open(with_keys(Page::Publish));
    type_into(&mut harness, "Topic", "movantchat/python");
    click(&mut harness, "Say that you have left");
    click(&mut harness, "Send");
    // The account's own name, as long as nobody chose another.
    assert_eq!(published(&harness).body, b"anna has left the chat");
}

#[test]
fn a_call_for_help_has_a_place_and_no_words() {
    let mut harness = open(with_keys(Page::Publish));
    type_into(&mut harness, "Topic", "emergency/assist");
    assert!(harness.query_by_label("Payload").is_none());
    clear_field(&mut harness, "Place, first number");
    type_into(&mut harness, "Place, first number", "101");
    assert!(!is_enabled(&harness, "Send"));
    clear_field(&mut harness, "Place, first number");
    type_into(&mut harness, "Place, first number", "42");
    click(&mut harness, "Send");
    let first = published(&harness).body;
    click(&mut harness, "Send");
    let second = published(&harness).body;
    for body in [&first, &second] {
        assert!(body.ends_with(b" Coordinates:42,50"), "{}", String::from_utf8_lossy(body));
    }
    assert_ne!(first, second, "each call has an id of its own");
}

#[test]
fn what_is_sent_under_the_published_key_is_warned_of_before() {
    let mut harness = open(with_keys(Page::Publish));
    type_into(&mut harness, "Topic", "iot/control");
    assert!(sees(&harness, "no secrecy: this key was published"));
    type_into(&mut harness, "Payload", "stop");
    click(&mut harness, "Send");
    let said = Spoken { text: "stop".into(), ..Spoken::default() };
    assert_eq!(published(&harness).body, compose(Profile::IndustrialIot, &said).unwrap());
}

/// `SEALWIRE_PICTURES=DIR cargo test --test desktop_panels legacy -- --ignored`
#[test]
#[ignore = "draws pictures"]
fn pictures() {
    let folder = std::path::PathBuf::from(std::env::var("SEALWIRE_PICTURES").expect("SEALWIRE_PICTURES=DIR"));
    std::fs::create_dir_all(&folder).unwrap();
    for (theme, tone) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, tag) in [([1440.0, 900.0], "wide"), ([1024.0, 640.0], "small")] {
            let draw = |harness: &mut Harness<'_, Scene>, name: &str| {
                let picture = harness.render().unwrap();
                picture.save(folder.join(format!("legacy-{name}-{tone}-{tag}.png"))).unwrap();
            };
            let mut harness = open_at(with_keys(Page::Keys), theme, size);
            draw(&mut harness, "keys");
            click(&mut harness, "More: files, legacy programs");
            draw(&mut harness, "menu");
            click(&mut harness, "Legacy program…");
            for profile in Profile::ALL {
                harness.get_all_by_label_contains(profile.title()).last().unwrap().click();
                settle(&mut harness);
                draw(&mut harness, &format!("dialog-{profile}"));
            }
            let mut scene = with_keys(Page::Watch);
            scene.tell(Event::Messages(messages()));
            let mut harness = open_at(scene, theme, size);
            for name in ["iot/login", "movantchat/python"] {
                harness.get_by_label_contains(&format!("{name}, Legacy")).click();
                settle(&mut harness);
                draw(&mut harness, &format!("watch-{}", &name[..3]));
            }
            for topic in ["emergency/assist", "iot/control", "chat/channel"] {
                let mut harness = open_at(with_keys(Page::Publish), theme, size);
                type_into(&mut harness, "Topic", topic);
                draw(&mut harness, &format!("publish-{}", &topic[..3]));
            }
        }
    }
}
