//! Publish: what is checked before it is sent, and what is told after.

use eframe::egui::{self, Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use sealwire::{
    client::{Asked, Command, Event, Failure, LinkState, OutboxEntry, OutboxState, Suite},
    desktop::model::Place,
};

use crate::scene::*;

fn ready() -> Scene {
    let mut scene = Scene::new(Page::Publish, model("publisher"));
    scene.tell(Event::Keys(keys()));
    scene
}

fn is_enabled(harness: &egui_kittest::Harness<'_, Scene>, label: &str) -> bool {
    !harness.get_by_label(label).accesskit_node().is_disabled()
}

#[test]
fn a_message_is_sent_as_it_was_written_and_the_key_is_named_before() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/press");
    assert!(sees(&harness, "Sealed with “Plant”") && sees(&harness, "cose-a256gcm"));
    click(&mut harness, "JSON");
    type_into(&mut harness, "Payload", "{\"celsius\": 21.5}");
    click(&mut harness, "QoS 0");
    click(&mut harness, "Retain");
    click(&mut harness, "Send");
    let [Command::Publish { draft, every: None }] = asked(&harness) else { panic!("{:?}", asked(&harness)) };
    assert_eq!(draft.topic, topic("plant/press"));
    assert_eq!(draft.body, b"{\"celsius\": 21.5}");
    assert_eq!(draft.content_type.as_deref(), Some("application/json"));
    assert_eq!((draft.qos, draft.retain), (0, true));
}

#[test]
fn control_and_enter_send_and_what_was_typed_survives_another_page() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/press");
    type_into(&mut harness, "Payload", "hello");
    click(&mut harness, "Keys");
    click(&mut harness, "Publish");
    assert_eq!(harness.get_by_label("Payload").value().as_deref(), Some("hello"));
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    settle(&mut harness);
    assert!(matches!(asked(&harness), [Command::Publish { draft, .. }] if draft.body == b"hello"));
}

#[test]
fn a_bad_topic_or_one_that_the_role_forbids_is_told_while_it_is_typed() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/#");
    assert!(sees(&harness, "stands for many topics"));
    assert!(!is_enabled(&harness, "Send"));
    clear_field(&mut harness, "Topic");
    type_into(&mut harness, "Topic", "$SYS/x");
    assert!(sees(&harness, "The role publisher has no rule that lets it publish to $SYS/x."));
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    settle(&mut harness);
    assert!(asked(&harness).is_empty());
}

#[test]
fn a_topic_without_a_key_is_refused_with_the_ways_on() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "depot/gate");
    type_into(&mut harness, "Payload", "open");
    assert!(sees(&harness, "No key covers depot/gate"));
    assert!(!is_enabled(&harness, "Send"));
    click(&mut harness, "Make a key for it…");
    assert_eq!(harness.state().out.going(), Some(Place::Keys));
    assert!(asked(&harness).is_empty());
}

#[test]
fn in_the_clear_needs_a_confirmation_and_stays_marked() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "depot/gate");
    type_into(&mut harness, "Payload", "open");
    click(&mut harness, "Send in the clear…");
    assert!(!is_enabled(&harness, "Send in the clear"), "not before the box is ticked");
    click(&mut harness, "Anybody on the way may read this topic");
    click(&mut harness, "Send in the clear");
    assert!(
        matches!(asked(&harness), [Command::SetClear { filter: named, clear: true }] if *named == filter("depot/gate"))
    );
    harness.state_mut().tell(Event::ClearTopics(vec![filter("depot/gate")]));
    settle(&mut harness);
    assert!(sees(&harness, "In the clear") && is_enabled(&harness, "Send"));
    click(&mut harness, "Seal again");
    assert!(matches!(asked(&harness), [_, Command::SetClear { clear: false, .. }]));
}

#[test]
fn broken_json_is_told_with_its_place_and_not_sent() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/press");
    click(&mut harness, "JSON");
    type_into(&mut harness, "Payload", "{\"a\": }");
    assert!(sees(&harness, "line 1, column 7"));
    assert!(!is_enabled(&harness, "Send"));
    click(&mut harness, "Number");
    assert!(sees(&harness, "Not a number."));
}

#[test]
fn ten_megabytes_pasted_are_refused_at_once_and_a_long_text_is_kept_beside_the_editor() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/press");
    paste(&mut harness, "Payload", "x".repeat(10_000_000));
    assert!(sees(&harness, "A message may have up to 1008 KiB"));
    assert_eq!(harness.get_by_label("Payload").value().as_deref(), Some(""));
    assert!(!is_enabled(&harness, "Send"));
    paste(&mut harness, "Payload", "y".repeat(500_000));
    assert!(sees(&harness, "too long for the editor, sent as it is"));
    click(&mut harness, "Send");
    assert!(matches!(asked(&harness), [Command::Publish { draft, .. }] if draft.body.len() == 500_000));
    click(&mut harness, "Remove");
    assert_eq!(harness.get_by_label("Payload").value().as_deref(), Some(""));
}

#[test]
fn repeating_takes_seconds_within_a_day_and_each_can_be_stopped() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/press");
    type_into(&mut harness, "Payload", "tick");
    click(&mut harness, "Repeat every");
    clear_field(&mut harness, "Seconds between messages");
    type_into(&mut harness, "Seconds between messages", "0.05");
    assert!(sees(&harness, "From 0.1 to 86,400 seconds"));
    assert!(!is_enabled(&harness, "Start repeating"));
    clear_field(&mut harness, "Seconds between messages");
    type_into(&mut harness, "Seconds between messages", "2.5");
    click(&mut harness, "Start repeating");
    assert!(
        matches!(asked(&harness), [Command::Publish { every: Some(every), .. }] if every.as_millis() == 2_500)
    );
    harness
        .state_mut()
        .tell(Event::Repeating(vec![(topic("plant/press"), std::time::Duration::from_millis(2_500))]));
    settle(&mut harness);
    assert!(sees(&harness, "every 2.5 s"));
    click(&mut harness, "Stop repeating plant/press");
    assert!(
        matches!(asked(&harness), [_, Command::StopRepeat { topic: stopped }] if *stopped == topic("plant/press"))
    );
}

#[test]
fn each_state_of_a_sent_message_is_told_honestly() {
    let mut scene = ready();
    scene.tell(Event::Outbox(vec![
        entry(1, "a/acknowledged", OutboxState::Acknowledged { no_subscribers: false }),
        entry(2, "a/alone", OutboxState::Acknowledged { no_subscribers: true }),
        entry(3, "a/under-way", OutboxState::Sent),
        OutboxEntry { qos: 0, ..entry(4, "a/once", OutboxState::Sent) },
        entry(5, "a/refused", OutboxState::Refused { why: "Not for your role.".into() }),
        OutboxEntry { sealed_with: None, ..entry(6, "a/queued", OutboxState::Queued) },
    ]));
    let mut harness = open(scene);
    for told in [
        "a/acknowledged: The broker has it",
        "a/alone: The broker has it; nobody watches",
        "a/under-way: Sent, not acknowledged yet",
        "a/once: Sent, no answer asked for",
        "a/refused: Refused",
        "a/queued: Queued on this computer · in the clear",
        "Not for your role.",
        "42 B → 192 B",
        "2 waiting",
    ] {
        assert!(sees(&harness, told), "{told}");
    }
    assert!(!sees(&harness, "have read"));
    harness.get_by_role_and_label(egui::accesskit::Role::RadioButton, "Refused").click();
    settle(&mut harness);
    assert!(sees(&harness, "a/refused") && !sees(&harness, "a/queued"));
    click(&mut harness, "Waiting");
    assert!(sees(&harness, "a/queued") && !sees(&harness, "a/refused"));
    click(&mut harness, "Take back the message to a/queued");
    assert!(matches!(asked(&harness), [Command::Discard { id: 6 }]));
}

#[test]
fn a_message_that_was_sent_can_be_used_again_with_its_payload() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/press");
    type_into(&mut harness, "Payload", "first");
    click(&mut harness, "Send");
    let sent = OutboxEntry { plain_len: 5, ..entry(1, "plant/press", OutboxState::Queued) };
    harness.state_mut().tell(Event::Outbox(vec![sent]));
    clear_field(&mut harness, "Payload");
    click(&mut harness, "Use the message to plant/press again");
    assert_eq!(harness.get_by_label("Payload").value().as_deref(), Some("first"));
}

#[test]
fn a_refused_publish_says_what_why_and_next_where_the_eye_is() {
    let mut scene = ready();
    scene.tell(Event::Failed(
        Asked::Publish,
        Failure {
            what: "The message was not sent.".into(),
            why: "The outbox is full.".into(),
            next: "Wait until it empties.".into(),
            retry_after: None,
        },
    ));
    let harness = open(scene);
    for told in ["The message was not sent.", "The outbox is full.", "Wait until it empties."] {
        assert!(sees(&harness, told), "{told}");
    }
}

#[test]
fn without_a_link_it_is_said_that_a_message_waits() {
    let mut scene = ready();
    scene.tell(Event::Link(LinkState::Connecting { attempt: 3 }));
    let mut harness = open(scene);
    assert!(sees(&harness, "Name a topic."), "a button that cannot be pressed says why");
    type_into(&mut harness, "Topic", "plant/press");
    assert!(sees(&harness, "Not connected: a message waits on this computer, sealed"));
}

#[test]
fn tab_goes_from_the_topic_through_the_form_to_the_button_that_sends() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/press");
    type_into(&mut harness, "Payload", "hello");
    harness.get_by_label("Topic").focus();
    settle(&mut harness);
    for _ in 0..16 {
        harness.key_press(Key::Tab);
        settle(&mut harness);
        if harness.get_by_label("Send").accesskit_node().is_focused() {
            return;
        }
        assert!(!harness.get_by_label("Waiting").accesskit_node().is_focused(), "the list comes after it");
    }
    panic!("Tab never came to Send");
}

#[test]
fn text_that_is_json_is_offered_to_be_sent_as_json() {
    let mut harness = open(ready());
    type_into(&mut harness, "Topic", "plant/press");
    type_into(&mut harness, "Payload", "{\"a\": 1");
    assert!(!sees(&harness, "Looks like JSON."));
    type_into(&mut harness, "Payload", "}");
    click(&mut harness, "Send as JSON");
    assert!(!sees(&harness, "Looks like JSON."));
    click(&mut harness, "Send");
    assert!(
        matches!(asked(&harness), [Command::Publish { draft, .. }] if draft.content_type.as_deref() == Some("application/json"))
    );
}

#[test]
fn a_payload_that_fernet_would_make_too_large_is_refused_in_the_form_with_the_real_limit() {
    let mut scene = ready();
    let mut keys = scene.model.keys.clone();
    for key in &mut keys {
        key.suite = Suite::Fernet;
    }
    scene.tell(Event::Keys(keys));
    let mut harness = open(scene);
    type_into(&mut harness, "Topic", "plant/press");
    paste(&mut harness, "Payload", "x".repeat(900_000));
    assert!(sees(&harness, "may have up to 767.8 KiB") || sees(&harness, "may have up to 768 KiB"));
    assert!(!is_enabled(&harness, "Send"));
    paste(&mut harness, "Payload", "x".repeat(780_000));
    assert!(is_enabled(&harness, "Send"));
}

#[test]
fn the_readings_of_the_sample_sensor_do_not_bury_what_a_person_sent() {
    let mut scene = ready();
    let done = OutboxState::Acknowledged { no_subscribers: false };
    let mut reading = entry(1, "sample/temperature", done.clone());
    if let Some(with) = &mut reading.sealed_with {
        with.label = "Sample".into();
    }
    scene.tell(Event::Outbox(vec![reading, entry(2, "plant/press", done.clone())]));
    let mut harness = open(scene);
    assert!(sees(&harness, "plant/press: ") && !sees(&harness, "sample/temperature: "));
    assert!(sees(&harness, "1 in this list"));
    click(&mut harness, "With the readings of the sample sensor (1)");
    assert!(sees(&harness, "sample/temperature: ") && sees(&harness, "2 in this list"));
}

#[test]
fn a_topic_is_chosen_from_what_was_used_and_what_keys_cover() {
    let mut scene = ready();
    scene.tell(Event::Outbox(vec![entry(1, "plant/recent", OutboxState::Sent)]));
    let mut harness = open(scene);
    click(&mut harness, "Choose a topic");
    assert!(sees(&harness, "RECENT") && sees(&harness, "YOUR KEYS SEAL"));
    harness.get_by_label("fleet/+/gps").click();
    settle(&mut harness);
    assert_eq!(harness.get_by_label("Topic").value().as_deref(), Some("fleet/"));
}

#[test]
fn qos_2_is_offered_and_what_a_break_in_the_middle_means_is_said_where_it_is_chosen() {
    let mut scene = ready();
    scene.tell(Event::ClearTopics(vec![filter("open/#")]));
    let mut harness = open(scene);
    type_into(&mut harness, "Topic", "plant/press");
    type_into(&mut harness, "Payload", "once");
    click(&mut harness, "QoS 2");
    assert!(sees(&harness, "taken it once") && sees(&harness, "readers drop the second"));
    click(&mut harness, "Send");
    assert!(matches!(asked(&harness), [Command::Publish { draft, .. }] if draft.qos == 2));
    clear_field(&mut harness, "Topic");
    type_into(&mut harness, "Topic", "open/door");
    assert!(sees(&harness, "without a seal readers may see it twice"));
}

#[test]
fn the_states_of_qos_2_and_of_a_station_without_room_are_told() {
    let mut scene = ready();
    let why = "the station has no room for it now".to_owned();
    scene.tell(Event::Outbox(vec![
        OutboxEntry { qos: 2, ..entry(1, "a/received", OutboxState::Received) },
        OutboxEntry {
            qos: 2,
            ..entry(2, "a/completed", OutboxState::Acknowledged { no_subscribers: false })
        },
        entry(3, "a/postponed", OutboxState::Postponed { why, again_ms: now_ms() + 20_000 }),
    ]));
    let mut harness = open(scene);
    for told in [
        "a/received: Received, to be completed",
        "a/completed: The broker has it",
        "a/postponed: Waiting: no room there",
        "The station has no room for it now. Sent again in",
        "2 waiting",
    ] {
        assert!(sees(&harness, told), "{told}");
    }
    click(&mut harness, "Take back the message to a/postponed");
    assert!(matches!(asked(&harness), [Command::Discard { id: 3 }]));
}

#[test]
fn a_message_that_is_held_waits_for_a_decision_with_its_reason() {
    let mut scene = ready();
    let why = "this topic has a key now, and the message has no seal".to_owned();
    scene.tell(Event::Outbox(vec![OutboxEntry {
        sealed_with: None,
        ..entry(7, "plant/press", OutboxState::Held { why })
    }]));
    let mut harness = open(scene);
    assert!(
        sees(&harness, "plant/press: Held: it has no seal") && sees(&harness, "This topic has a key now")
    );
    assert!(sees(&harness, "1 waiting"));
    for (row, at) in [("Seal it and send it", 0), ("Send it without a seal", 1), ("Take it back", 2)] {
        click(&mut harness, "Decide");
        click(&mut harness, row);
        let decided = match &asked(&harness)[at] {
            Command::ReleaseHeld { id: 7, seal } => *seal == (at == 0),
            Command::Discard { id: 7 } => at == 2,
            _ => false,
        };
        assert!(decided, "{row}: {:?}", asked(&harness));
    }
}

#[test]
fn the_form_goes_by_the_largest_packet_of_this_very_broker() {
    let mut scene = ready();
    let online = |max_packet| {
        Event::Link(LinkState::Online {
            broker: "mqtts://127.0.0.1:8883".into(),
            protocol: "MQTT 5".into(),
            tls: "TLS 1.3".into(),
            max_packet,
        })
    };
    scene.tell(online(4_096));
    let mut harness = open(scene);
    type_into(&mut harness, "Topic", "plant/press");
    assert!(sees(&harness, "of at most 3.5 KiB"), "what is left of 4 KiB beside the seal");
    paste(&mut harness, "Payload", "x".repeat(3_900));
    assert!(sees(&harness, "are too many: here a message may have up to 3.5 KiB"));
    assert!(!is_enabled(&harness, "Send"));
    harness.state_mut().tell(online(8 << 20));
    settle(&mut harness);
    assert!(is_enabled(&harness, "Send"), "another broker takes it");
    assert!(sees(&harness, "of at most 7.9 MiB") || sees(&harness, "of at most 7.8 MiB"));
}

#[test]
fn that_a_will_is_set_stands_under_the_form_with_the_way_to_it() {
    let mut scene = ready();
    let mut harness = open_at(scene, sealwire::desktop::theme::ThemeChoice::Dark, [1024.0, 700.0]);
    assert!(sees(&harness, "No will is set."));
    scene = ready();
    let draft = sealwire::client::Draft {
        topic: topic("plant/press"),
        body: b"silent".to_vec(),
        content_type: None,
        qos: 1,
        retain: false,
    };
    let will = sealwire::client::Will { draft, delay: std::time::Duration::ZERO };
    let state = sealwire::client::WillState::InForce { sealed_with: None };
    scene.tell(Event::Will(sealwire::client::WillView { will: Some(will), state }));
    harness = open(scene);
    assert!(sees(&harness, "Will set for plant/press"));
    click(&mut harness, "Edit the will");
    assert_eq!(harness.state().out.going(), Some(Place::Settings));
}
