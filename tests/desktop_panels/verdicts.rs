//! Suite, key, sender and verdict of every message: what came, and what is about to be sent.

use egui_kittest::{Harness, kittest::Queryable};
use sealwire::{
    client::{Command, Event, KeyView, Opening, OutboxEntry, OutboxState, Signatures, Suite},
    desktop::model::Place,
};

use crate::scene::*;

fn watching(messages: Vec<sealwire::client::Message>) -> Harness<'static, Scene> {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    scene.tell(Event::Keys(seasoned_keys()));
    scene.tell(Event::People(people()));
    scene.tell(Event::Messages(messages));
    open(scene)
}

fn choose(harness: &mut Harness<'_, Scene>, row: &str) {
    harness.get_by_label_contains(row).click();
    settle(harness);
}

#[test]
fn each_row_says_who_signed_and_what_that_is_worth() {
    let now = now_ms();
    let harness = watching(vec![
        signed(1, now, "a/mine", "1", 1),
        signed(2, now, "a/ben", "1", 2),
        signed(3, now, "a/dora", "1", 5),
        signed(4, now, "a/emil", "1", 6),
        signed(5, now, "a/who", "1", 7),
        signed(6, now, "a/new", "1", 99),
        message(7, now, "a/none", "1"),
    ]);
    for row in [
        "a/mine, Signed, from you",
        "a/ben, Signed, from ben",
        "a/dora, Changed key, from changed key",
        "a/emil, Another name, from emil",
        "a/who, Unknown signer, from unknown signer",
        "a/new, Unknown signer, from unknown signer",
        "a/none, Not signed",
    ] {
        assert!(sees(&harness, row), "{row}");
    }
    assert!(sees(&harness, "SENDER"), "the column has a head");
}

#[test]
fn a_message_without_a_signature_is_marked_only_where_its_key_asks_for_one() {
    let now = now_ms();
    let mut other = message(2, now, "fleet/x", "1");
    if let Opening::Opened { with, .. } = &mut other.opening {
        with.kid = keys()[1].kid.clone();
    }
    let mut harness = watching(vec![message(1, now, "plant/x", "1"), other]);
    assert!(sees(&harness, "fleet/x, Sealed"));
    choose(&mut harness, "plant/x, Not signed");
    assert!(sees(&harness, "Its key asks for signatures, and this message has none"));
}

#[test]
fn the_detail_leads_from_a_changed_key_to_the_person() {
    let mut harness = watching(vec![signed(1, now_ms(), "a/dora", "1", 5)]);
    choose(&mut harness, "a/dora, Changed key");
    assert!(sees(&harness, "Signed with a changed key") && sees(&harness, "changed key: says to be dora"));
    click(&mut harness, "Look at people…");
    assert_eq!(harness.state().out.going(), Some(Place::Keys));
}

#[test]
fn one_click_tells_what_was_verified_and_what_not() {
    let mut harness = watching(vec![signed(1, now_ms(), "a/ben", "1", 2)]);
    choose(&mut harness, "a/ben, Signed");
    assert!(sees(&harness, "ben, digits compared"));
    click(&mut harness, "What do these words mean?");
    for told in [
        "The seal holds",
        "AES-256-GCM (cose-a256gcm) with the key “Plant”",
        "It was sealed for a/ben and for no other topic.",
        "ben signed it",
        "It is new",
        "WHAT NOBODY CAN TELL",
    ] {
        assert!(sees(&harness, told), "{told}");
    }
    assert!(!sees(&harness, "It is sealed with a key that you do not have."));
    click(&mut harness, "Every word that can stand here");
    assert!(sees(&harness, "It is sealed with a key that you do not have."));
    harness.key_press(eframe::egui::Key::Escape);
    settle(&mut harness);
    assert!(!sees(&harness, "The seal holds"));
}

#[test]
fn a_seal_that_does_not_bind_the_topic_is_not_said_to() {
    let mut old = message(1, now_ms(), "legacy/x", "1");
    if let Opening::Opened { with, .. } = &mut old.opening {
        with.suite = Suite::Fernet;
    }
    let mut harness = watching(vec![old]);
    choose(&mut harness, "legacy/x, ");
    click(&mut harness, "What do these words mean?");
    assert!(sees(&harness, "The topic is not sealed in") && !sees(&harness, "It belongs to this topic"));
}

#[test]
fn each_named_error_has_its_explanation() {
    let words = [
        "Empty",
        "Cut short",
        "Over-long",
        "Bad header",
        "Unknown algorithm",
        "No key",
        "Key not for this topic",
        "Not sealed as required",
        "Altered",
        "Moved",
        "Bad padding",
        "Bad contents",
        "Altered or other key",
        "Bad signature",
        "Not signed",
        "Unknown signer",
    ];
    let now = now_ms();
    let messages = words
        .iter()
        .enumerate()
        .map(|(at, word)| refused(at as i64 + 1, now, &format!("t/{at}"), word, "the reason"))
        .collect();
    let mut harness = watching(messages);
    for (at, word) in words.iter().enumerate().rev() {
        choose(&mut harness, &format!("t/{at}, {word}"));
        click(&mut harness, "What do these words mean?");
        assert!(sees(&harness, "Nothing of it was used"), "{word}");
        assert!(!sees(&harness, "What opening this message told."), "{word} has no explanation");
        click(&mut harness, "Close the explanation");
    }
}

#[test]
fn the_filter_finds_messages_by_their_sender() {
    let now = now_ms();
    let mut harness = watching(vec![
        signed(1, now, "a/one", "1", 2),
        signed(2, now, "a/two", "1", 1),
        message(3, now, "a/three", "1"),
    ]);
    type_into(&mut harness, "Filter messages", "Ben");
    assert!(sees(&harness, "a/one, Signed") && !sees(&harness, "a/three, "));
    clear_field(&mut harness, "Filter messages");
    type_into(&mut harness, "Filter messages", "you");
    assert!(sees(&harness, "a/two, Signed") && !sees(&harness, "a/one, "));
}

#[test]
fn a_signer_in_doubt_is_among_the_problems() {
    let now = now_ms();
    let mut harness = watching(vec![signed(1, now, "a/ben", "1", 2), signed(2, now, "a/dora", "1", 5)]);
    click(&mut harness, "Only problems");
    assert!(sees(&harness, "a/dora, Changed key") && !sees(&harness, "a/ben, Signed"));
}

fn publishing(signatures: Signatures) -> Harness<'static, Scene> {
    let mut scene = Scene::new(Page::Publish, model("admin"));
    scene.tell(Event::Keys(vec![KeyView { signatures, ..keys()[0].clone() }]));
    scene.tell(Event::People(people()));
    let mut harness = open(scene);
    type_into(&mut harness, "Topic", "plant/press");
    harness
}

#[test]
fn before_it_is_sent_a_message_shows_its_seal_its_signature_and_its_size_on_the_wire() {
    let mut harness = publishing(Signatures::Require);
    assert!(sees(&harness, "Signed as anna, inside the seal"));
    type_into(&mut harness, "Payload", &"x".repeat(64));
    let range =
        sealwire::client::wire_len(Suite::CoseA256Gcm, Some("text/plain; charset=utf-8"), 64, true).unwrap();
    let told = format!("the topic and {} to {} bytes", range.start(), range.end());
    assert!(sees(&harness, &told), "{told}");
    let harness = publishing(Signatures::Off);
    assert!(sees(&harness, "Not signed: any holder of the key could have written it."));
}

#[test]
fn what_was_sent_shows_suite_key_and_signature() {
    let mut scene = Scene::new(Page::Publish, model("admin"));
    let mut signed = entry(1, "plant/a", OutboxState::Acknowledged { no_subscribers: false });
    if let Some(with) = &mut signed.sealed_with {
        with.signed = true;
    }
    let mut plain: OutboxEntry = entry(2, "plant/b", OutboxState::Queued);
    if let Some(with) = &mut plain.sealed_with {
        with.label = "Hall".into();
    }
    scene.tell(Event::Outbox(vec![signed, plain]));
    let harness = open(scene);
    assert!(sees(&harness, "sealed with Plant, AES-256-GCM, signed"));
    assert!(sees(&harness, "sealed with Hall, AES-256-GCM, not signed"));
    assert!(!asked(&harness).iter().any(|command| matches!(command, Command::Publish { .. })));
}
