//! What will seal the message, who signs it, and what the broker will see: always shown, before it is sent.

use eframe::egui::{CornerRadius, Frame, Label, Margin, RichText, Stroke, Ui};

use crate::{
    client::{Asked, Command, KeyView, Signatures, legacy::NO_SECRECY, wire_len},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::{
            grouped,
            sealing::{Sealing, suite_words},
        },
        theme::{RADIUS, Tone, tokens},
        widgets::{Banner, Button, Problem},
    },
    topic::{TopicFilter, TopicName},
};

/// A payload as it would be sent, as far as its length on the wire depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payload {
    pub(super) length: usize,
    pub(super) content_type: &'static str,
}

/// Draws what would happen to a message to `topic`. True when the person wants it to go in the clear.
pub(super) fn seal_box(
    ui: &mut Ui,
    topic: Option<&(TopicName, Sealing)>,
    payload: Payload,
    model: &mut Model,
    out: &mut Outbound,
) -> bool {
    let mut wants_clear = false;
    match topic {
        None => words(
            ui,
            Tone::Neutral,
            icons::LOCK_KEY,
            "What seals it",
            "Name a topic to see which key will seal the message.",
            |_| {},
        ),
        Some((_, Sealing::Key(key))) => {
            let text = format!(
                "{} ({}), key {}.\n{}\n{}",
                suite_words(key.suite),
                key.suite,
                key.kid.get(..8).unwrap_or(&key.kid),
                signed(key, model),
                seen(key, payload)
            );
            match key.profile {
                None => words(
                    ui,
                    Tone::Green,
                    icons::LOCK_KEY,
                    &format!("Sealed with “{}”", key.label),
                    &text,
                    |_| {},
                ),
                Some(profile) if profile.is_secret() => {
                    let title = format!("Sealed with “{}”, legacy", key.label);
                    let text = format!(
                        "{text} It sees the time as well, and whoever has the key can write under any name."
                    );
                    words(ui, Tone::Violet, icons::LOCK_KEY, &title, &text, |_| {});
                }
                Some(_) => {
                    let title = format!("“{}”, legacy, {NO_SECRECY}", key.label);
                    let text = "Anybody can read what you send here and make messages up. Send nothing that matters.";
                    words(ui, Tone::Amber, icons::LOCK_OPEN, &title, text, |_| {});
                }
            }
        }
        Some((_, Sealing::Clear(filter))) => {
            let text = format!(
                "You said that {filter} goes without a seal. The broker, and whoever listens there, can read and change it."
            );
            let busy = model.is_pending(Asked::Clear);
            words(ui, Tone::Amber, icons::LOCK_OPEN, "In the clear", &text, |ui| {
                if Button::secondary("Seal again").icon(icons::LOCK_KEY).busy(busy).show(ui).clicked() {
                    out.send(Command::SetClear { filter: filter.clone(), clear: false });
                }
            });
        }
        Some((topic, Sealing::Nothing { opens_only })) => {
            let title = format!("No key covers {topic}");
            let text = match opens_only {
                Some(label) => format!("“{label}” opens this topic and may not seal it. Make a key of your own for it, or import one."),
                None => "Without a key nothing is sent. Make one, import one that somebody gave you, or decide that this topic is public.".to_owned(),
            };
            words(ui, Tone::Amber, icons::LOCK_KEY_OPEN, &title, &text, |ui| {
                ui.horizontal_wrapped(|ui| {
                    if Button::secondary("Make a key for it…").show(ui).clicked() {
                        out.new_key_for(topic.as_str());
                    }
                    if Button::secondary("Import…").show(ui).clicked() {
                        out.import_key();
                    }
                    wants_clear = Button::ghost("Send in the clear…").show(ui).clicked();
                });
            });
        }
    }
    if let Some(failure) = model.failure(Asked::Clear) {
        let problem = Problem::new(&failure.what, &failure.why, &failure.next);
        if Banner::error(&problem).dismissible().show(ui).dismissed {
            model.dismiss(Asked::Clear);
        }
    }
    wants_clear
}

/// Who will have signed it.
fn signed(key: &KeyView, model: &Model) -> String {
    if !key.suite.is_native() {
        return "Not signed: this seal has no room for a signature.".to_owned();
    }
    if key.signatures == Signatures::Off {
        return "Not signed: any holder of the key could have written it. “Edit…” in Keys turns signatures on."
            .to_owned();
    }
    match (&model.account, &model.people.own) {
        (Some(account), Some(_)) => {
            format!("Signed as {}, inside the seal: only who opens it sees that.", account.username)
        }
        _ => "It is to be signed, and there is nothing to sign with yet: log out and in again.".to_owned(),
    }
}

/// What the broker will see of it.
fn seen(key: &KeyView, payload: Payload) -> String {
    let signs = key.signatures != Signatures::Off;
    let length = match key.profile {
        // Such a program's own frame comes around the payload.
        Some(_) => None,
        None => wire_len(key.suite, Some(payload.content_type), payload.length as u64, signs),
    };
    let size = match length {
        None => "sealed bytes".to_owned(),
        Some(length) if length.start() == length.end() => format!("{} bytes", grouped(*length.end())),
        Some(length) => format!("{} to {} bytes", grouped(*length.start()), grouped(*length.end())),
    };
    format!("The broker will see the topic and {size}, never the payload.")
}

fn words(ui: &mut Ui, tone: Tone, icon: &str, title: &str, text: &str, actions: impl FnOnce(&mut Ui)) {
    let t = tokens(ui);
    let fill = if tone == Tone::Neutral { t.input } else { tone.tint(t) };
    let line = if tone == Tone::Neutral { t.line } else { tone.border(t) };
    Frame::new()
        .fill(fill)
        .stroke(Stroke::new(1.0, line))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin::symmetric(12, 10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = 10.0;
                ui.label(icons::icon(icon, 17.0).color(tone.text(t)));
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 3.0;
                    ui.add(
                        Label::new(RichText::new(title).font(fonts::medium(13.0)).color(tone.text(t))).wrap(),
                    );
                    ui.add(Label::new(RichText::new(text).font(fonts::regular(12.0)).color(t.text)).wrap());
                    actions(ui);
                });
            });
        });
}

/// What a topic without a seal means, to be confirmed.
pub(super) fn clear_text(topic: &TopicName) -> String {
    format!(
        "Messages to {topic} will leave this computer without a seal. The broker, its owner, and everybody who may watch the topic can read them, change them and answer in your name. It stays so, marked wherever it shows, until you choose “Seal again”."
    )
}

/// The filter that stands for one topic.
pub(super) fn filter_of(topic: &TopicName) -> TopicFilter {
    topic.clone().into()
}
