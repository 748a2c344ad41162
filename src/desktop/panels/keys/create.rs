//! The dialog that makes a key: drawn at random, or from a room and a passphrase that several people know.

use eframe::egui::{Context, Key, Modifiers, Ui};

use crate::{
    client::{Asked, Command, KeyView, Password, Signatures, Suite},
    desktop::{
        icons,
        model::{Model, Outbound},
        widgets::{
            ButtonKind, DialogButton, TextField, choice_card, dialog, dialog_buttons, field_label, muted,
            segmented,
        },
    },
};

use super::{
    failed,
    passphrase::NewPassphrase,
    signing::{signatures_field, within},
    typed::{filters, label_problem},
};

/// Where the secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Source {
    #[default]
    Drawn,
    Passphrase,
}

/// What is typed.
#[derive(Debug, Default)]
pub(super) struct Create {
    label: String,
    filters: String,
    suite: Suite,
    signatures: Signatures,
    source: Source,
    room: String,
    passphrase: NewPassphrase,
    opened: bool,
    /// The label that was asked for and not answered yet.
    asked: Option<String>,
}

/// The suites, each with what it is for.
const SUITES: [(Suite, &str, &str, &str); 4] = [
    (
        Suite::CoseA256Gcm,
        icons::SHIELD_CHECK,
        "AES-256-GCM",
        "cose-a256gcm. The default: fast on every computer of today.",
    ),
    (
        Suite::CoseChaCha20,
        icons::CPU,
        "ChaCha20-Poly1305",
        "cose-chacha20. As strong; faster on small devices without AES in hardware.",
    ),
    (
        Suite::Fernet,
        icons::CLOCK_COUNTER_CLOCKWISE,
        "Fernet",
        "fernet. Only for older programs: it does not bind the topic and shows the time.",
    ),
    (
        Suite::AesCbcHmac,
        icons::CLOCK_COUNTER_CLOCKWISE,
        "AES-CBC with HMAC",
        "aes-cbc-hmac. Only for older programs: it does not bind the topic and tells no time.",
    ),
];

impl Create {
    /// With a filter filled in, and a label after its first level.
    pub(super) fn for_filter(filter: &str) -> Self {
        let first = filter
            .split('/')
            .find(|level| !level.is_empty() && !level.contains(['+', '#', '$']))
            .unwrap_or_default();
        let mut letters = first.chars();
        let label = letters
            .next()
            .map_or_else(String::new, |letter| letter.to_uppercase().chain(letters).take(40).collect());
        Self { label, filters: filter.to_owned(), ..Self::default() }
    }

    /// The id of the key that was asked for, when it is there.
    pub(super) fn made(&self, keys: &[KeyView]) -> Option<String> {
        let asked = self.asked.as_deref()?;
        keys.iter().find(|key| key.label == asked).map(|key| key.id.clone())
    }

    /// Words were drawn for a passphrase.
    pub(super) fn suggested(&mut self, words: &Password) {
        self.passphrase.suggested(words, &self.room);
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let busy = model.is_pending(Asked::CreateKey);
        let taken = |label: &str| model.keys.iter().any(|key| key.label == label);
        let label_wrong = if busy { None } else { label_problem(&self.label, taken) };
        let parsed = filters(&self.filters);
        let filter_wrong = parsed.as_ref().err().cloned();
        let secret_ready = match self.source {
            Source::Drawn => true,
            Source::Passphrase => !self.room.trim().is_empty() && self.passphrase.is_ready(),
        };
        let ready = label_wrong.is_none()
            && !self.label.trim().is_empty()
            && secret_ready
            && parsed.as_ref().is_ok_and(|list| !list.is_empty());
        let focus = !std::mem::replace(&mut self.opened, true);
        let answer = dialog(ctx, "create key", "Make a key", 820.0, |ui| {
            muted(ui, "It seals what you publish to its topics, and opens it for everybody you give it to.");
            ui.add_space(2.0);
            // Side by side, so that the button stays in sight.
            let wide = ui.available_width() >= 640.0;
            if wide {
                let gap = std::mem::replace(&mut ui.spacing_mut().item_spacing.x, 24.0);
                ui.columns(2, |columns| {
                    let [left, right] = columns else { return };
                    for column in [&mut *left, &mut *right] {
                        column.spacing_mut().item_spacing.x = gap;
                    }
                    // A column by itself would justify its texts.
                    left.vertical(|ui| {
                        self.what(ui, (label_wrong.as_deref(), filter_wrong.as_deref()), focus, model, out);
                    });
                    right.vertical(|ui| self.how(ui));
                });
                ui.spacing_mut().item_spacing.x = gap;
            } else {
                self.what(ui, (label_wrong.as_deref(), filter_wrong.as_deref()), focus, model, out);
                self.how(ui);
            }
            failed(ui, model, Asked::CreateKey);
            dialog_buttons(ui, ButtonKind::Primary, "Make key", ready, busy)
        });
        let by_key =
            ready && !busy && ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        if (by_key || answer.inner == Some(DialogButton::Confirm))
            && let Ok(filters) = parsed
        {
            let label = self.label.trim().to_owned();
            self.asked = Some(label.clone());
            let (suite, signatures) = (self.suite, within(self.suite, self.signatures));
            out.send(match self.source {
                Source::Drawn => Command::CreateKey { label, filters, suite, signatures },
                Source::Passphrase => Command::CreateFromPassphrase {
                    label,
                    filters,
                    suite,
                    room: self.room.trim().to_owned(),
                    passphrase: self.passphrase.password(),
                    signatures,
                },
            });
        }
        let close = answer.close || answer.inner == Some(DialogButton::Cancel);
        if close {
            model.dismiss(Asked::CreateKey);
            model.dismiss(Asked::Passphrase);
        }
        close
    }

    /// What it is called, what it covers, and its secret.
    fn what(
        &mut self,
        ui: &mut Ui,
        (label_wrong, filter_wrong): (Option<&str>, Option<&str>),
        focus: bool,
        model: &Model,
        out: &mut Outbound,
    ) {
        TextField::new("Name", &mut self.label)
            .hint("Plant")
            .icon(icons::TAG)
            .error(label_wrong)
            .limit(80)
            .focus(focus)
            .show(ui);
        TextField::new("Topic filters", &mut self.filters)
            .hint("plant/#")
            .mono()
            .rows(2)
            .limit(8_192)
            .error(filter_wrong)
            .help("One per line. + stands for one level, # at the end for all below.")
            .show(ui);
        self.secret(ui, model, out);
    }

    /// How it seals, and what it asks of signatures.
    fn how(&mut self, ui: &mut Ui) {
        field_label(ui, "How it seals");
        for (suite, icon, title, text) in SUITES {
            if choice_card(ui, self.suite == suite, icon, title, text).clicked() {
                self.suite = suite;
            }
        }
        signatures_field(ui, self.suite, &mut self.signatures);
    }

    /// Where the secret comes from.
    fn secret(&mut self, ui: &mut Ui, model: &Model, out: &mut Outbound) {
        field_label(ui, "The secret");
        segmented(
            ui,
            "Where the secret comes from",
            &mut self.source,
            &[(Source::Drawn, "Drawn at random"), (Source::Passphrase, "From a passphrase")],
        );
        match self.source {
            Source::Drawn => {
                muted(ui, "Nobody can guess it. You hand it on as one line of text, or as a file.");
            }
            Source::Passphrase => {
                muted(
                    ui,
                    "Who types the same room and passphrase, and takes the same suite, gets the same key. Compare fingerprints.",
                );
                TextField::new("Room", &mut self.room)
                    .hint("hall 2")
                    .icon(icons::HOUSE)
                    .limit(256)
                    .help("No secret: a name that all of you type alike.")
                    .show(ui);
                self.passphrase.ui(ui, &self.room, model, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_suggested_from_the_first_level_that_has_a_name() {
        assert_eq!(Create::for_filter("plant/line-1/#").label, "Plant");
        assert_eq!(Create::for_filter("+/gps").label, "Gps");
        assert_eq!(Create::for_filter("").label, "");
    }
}
