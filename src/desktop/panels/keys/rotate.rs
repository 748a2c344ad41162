//! The dialog that gives a key a new secret: what happens, and afterwards what was sealed anew and who needs the key.

use eframe::egui::{Context, Ui};

use crate::{
    client::{Asked, Command, KeyView},
    desktop::{
        icons,
        model::{Model, Outbound},
        panels::count_text,
        theme::Tone,
        widgets::{Banner, Button, ButtonKind, DialogButton, Severity, dialog, dialog_buttons, muted},
    },
    topic::TopicName,
};

use super::{consequences::line, failed};

/// A key that is to be rotated, or was.
#[derive(Debug)]
pub(super) struct Rotate {
    id: String,
    /// How many secrets it had when it was asked for.
    before: Option<usize>,
    done: bool,
    resealed: Option<Resealed>,
}

/// What was sealed anew.
#[derive(Debug)]
struct Resealed {
    retained: usize,
    outbox: usize,
    left: Vec<(TopicName, String)>,
}

/// What a person wants after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing yet.
    Stay,
    /// Close it.
    Close,
    /// Hand the key on.
    Give,
}

impl Rotate {
    /// For a key.
    pub(super) fn new(id: String) -> Self {
        Self { id, before: None, done: false, resealed: None }
    }

    /// The key that it is about.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The keyring as it is now.
    pub(super) fn keys(&mut self, keys: &[KeyView]) {
        let Some(before) = self.before else { return };
        if keys.iter().any(|key| key.id == self.id && key.epochs.len() > before) {
            self.done = true;
        }
    }

    /// Messages were sealed anew. False where this dialog did not ask for it.
    pub(super) fn resealed(&mut self, retained: usize, outbox: usize, left: &[(TopicName, String)]) -> bool {
        if self.before.is_some() {
            self.resealed = Some(Resealed { retained, outbox, left: left.to_vec() });
        }
        self.before.is_some()
    }

    /// Draws it.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> After {
        let Some(key) = model.keys.iter().find(|key| key.id == self.id).cloned() else { return After::Close };
        let after = if self.done { self.done(ctx, &key) } else { self.ask(ctx, &key, model, out) };
        if after != After::Stay {
            model.dismiss(Asked::RotateKey);
        }
        after
    }

    fn ask(&mut self, ctx: &Context, key: &KeyView, model: &Model, out: &mut Outbound) -> After {
        let busy = model.is_pending(Asked::RotateKey);
        let title = format!("Rotate “{}”?", key.label);
        let answer = dialog(ctx, "rotate key", &title, 500.0, |ui| {
            muted(ui, "Do this when somebody who has the key should read no further, or from time to time.");
            let next = key.epochs.first().map_or(2, |epoch| epoch.number + 1);
            for (icon, tone, text) in [
                (icons::KEY, Tone::Green, format!("A new secret, epoch {next}, seals from now on. The old ones go on opening, for ever.")),
                (icons::ARROWS_CLOCKWISE, Tone::Accent, "Your own retained messages, and those of yours that were never sent, are sealed anew.".to_owned()),
                (icons::USERS, Tone::Amber, "Others cannot open what you send from now on until they have the new key line. You hand it out yourself, to those who are to stay.".to_owned()),
                (icons::CLOCK, Tone::Neutral, "For an hour, messages sealed with the old secret come in as usual. After that they show “sealed with a retired key”.".to_owned()),
            ] {
                line(ui, icon, tone, &text);
            }
            muted(ui, "Who leaves keeps what they have read, and can open old messages with the old secret.");
            failed(ui, model, Asked::RotateKey);
            dialog_buttons(ui, ButtonKind::Primary, "Rotate key", true, busy)
        });
        if answer.inner == Some(DialogButton::Confirm) {
            self.before = Some(key.epochs.len());
            out.send(Command::RotateKey { id: self.id.clone() });
        }
        if answer.close || answer.inner == Some(DialogButton::Cancel) { After::Close } else { After::Stay }
    }

    fn done(&self, ctx: &Context, key: &KeyView) -> After {
        let title = format!("“{}” is rotated", key.label);
        let answer = dialog(ctx, "rotated key", &title, 500.0, |ui| {
            let epoch = key.epochs.first().map_or(0, |epoch| epoch.number);
            let what = format!("Epoch {epoch} seals from now on");
            Banner::new(Severity::Success, &what)
                .why("Nobody else has it yet: until then, others cannot open what you send.")
                .next("Hand the new key line to those who are to read on.")
                .show(ui);
            self.told(ui);
            ui.add_space(8.0);
            let mut after = After::Stay;
            ui.horizontal_wrapped(|ui| {
                if Button::primary("Give to someone…").icon(icons::EXPORT).show(ui).clicked() {
                    after = After::Give;
                }
                if Button::secondary("Later").show(ui).clicked() {
                    after = After::Close;
                }
            });
            after
        });
        if answer.close { After::Close } else { answer.inner }
    }

    fn told(&self, ui: &mut Ui) {
        let Some(resealed) = &self.resealed else { return };
        let Resealed { retained, outbox, left } = resealed;
        line(ui, icons::ARROWS_CLOCKWISE, Tone::Accent, &resealed_words(*retained, *outbox));
        for (topic, why) in left {
            line(ui, icons::WARNING, Tone::Amber, &format!("Not {topic}: {why}"));
        }
    }
}

/// What was sealed anew, in words.
pub(super) fn resealed_words(retained: usize, outbox: usize) -> String {
    format!(
        "Sealed anew: {} and {} that had not been sent.",
        count_text(retained as u64, "retained message"),
        count_text(outbox as u64, "message")
    )
}
