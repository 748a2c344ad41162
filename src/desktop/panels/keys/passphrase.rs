//! A passphrase while it is chosen: how guessable it is, the same again where a typing mistake would lock it up for
//! good, and six words that nobody else has, for who would rather not think one up.

use eframe::egui::{Label, Margin, RichText, Ui};

use crate::{
    client::{Asked, Command, Password},
    desktop::{
        entry::judge,
        fonts, icons,
        model::{Model, Outbound},
        theme::tokens,
        widgets::{
            Button, Problem, SecretText, Severity, Strength, TextField, muted, problem, strength_meter,
        },
    },
};

use super::copied::copy_box;

/// The most characters of a passphrase.
const LONGEST: usize = 256;

/// What is chosen.
#[derive(Debug, Default)]
pub(super) struct NewPassphrase {
    text: SecretText,
    again: SecretText,
    /// Whether it is to be typed twice.
    twice: bool,
    strength: Strength,
    /// With which word it was judged.
    judged_with: String,
    /// The words are on the screen, because they were drawn here.
    drawn: bool,
}

impl NewPassphrase {
    /// One that is typed twice: nobody else knows it, so a slip of the finger could not be mended.
    pub(super) fn twice() -> Self {
        Self { twice: true, ..Self::default() }
    }

    /// Whether it may be used.
    pub(super) fn is_ready(&self) -> bool {
        self.strength.acceptable && (!self.twice || self.text.as_str() == self.again.as_str())
    }

    /// For the session.
    pub(super) fn password(&self) -> Password {
        Password::new(self.text.as_str())
    }

    /// Takes words that were drawn.
    pub(super) fn suggested(&mut self, words: &Password, known: &str) {
        self.text = SecretText::from(words.reveal());
        self.again = SecretText::from(words.reveal());
        self.drawn = true;
        known.clone_into(&mut self.judged_with);
        self.strength = judge(self.text.as_str(), known);
    }

    /// The fields. `known` is a word that an attacker would try first: the room, the username.
    pub(super) fn ui(&mut self, ui: &mut Ui, known: &str, model: &Model, out: &mut Outbound) {
        let changed = TextField::new("Passphrase", self.text.edit())
            .icon(icons::PASSWORD)
            .secret()
            .limit(LONGEST)
            .show(ui)
            .changed();
        if changed {
            self.drawn = false;
        }
        if changed || self.judged_with != known {
            known.clone_into(&mut self.judged_with);
            self.strength = judge(self.text.as_str(), known);
        }
        strength_meter(ui, &self.strength);
        if self.drawn {
            self.words(ui, out);
        } else if self.twice {
            let differs = !self.again.is_empty() && !self.text.as_str().starts_with(self.again.as_str());
            TextField::new("Passphrase again", self.again.edit())
                .icon(icons::PASSWORD)
                .secret()
                .limit(LONGEST)
                .error(differs.then_some("The two passphrases are not the same."))
                .show(ui);
        }
        let words = if self.drawn { "Suggest six other words" } else { "Suggest six words" };
        let busy = model.is_pending(Asked::Passphrase);
        if Button::ghost(words).icon(icons::SPARKLE).busy(busy).show(ui).clicked() {
            out.send(Command::SuggestPassphrase);
        }
        let failure = model.failure(Asked::Passphrase);
        let wrong = failure.map(|failure| Problem::new(&failure.what, &failure.why, &failure.next));
        problem(ui, wrong.as_ref());
    }

    /// The words that were drawn, to be written down.
    fn words(&self, ui: &mut Ui, out: &mut Outbound) {
        let words = RichText::new(self.text.as_str()).font(fonts::mono(14.0));
        let label = Label::new(words.color(tokens(ui).text_strong)).wrap();
        let margin = Margin { left: 12, right: 6, top: 8, bottom: 8 };
        if copy_box(ui, margin, label, "Copy the passphrase") {
            ui.ctx().copy_text(self.text.as_str().to_owned());
            let text = "The passphrase is on the clipboard: paste it, then copy something else.";
            out.toast(Severity::Warning, text);
        }
        muted(ui, "Drawn for you; nobody else has these words. Write them down: they are not kept anywhere.");
    }
}
