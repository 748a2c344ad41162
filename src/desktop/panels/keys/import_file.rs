//! The dialog that takes keys from an `age` file, and says of each what became of it.

use eframe::egui::{Context, Key, Label, Modifiers, RichText, Ui};

use crate::{
    client::{Asked, Command, KeyOutcome, KeyReport, Password, sentence},
    desktop::{
        dialogs::KeysOpener,
        fonts, icons,
        model::{Model, Outbound},
        panels::count_text,
        theme::{Tone, tokens},
        widgets::{
            Button, ButtonKind, DialogButton, Problem, SecretText, TextField, dialog, dialog_buttons, muted,
            pill_icon, problem,
        },
    },
};

use super::{failed, import::AGE};

/// The most characters of a file that is pasted.
const LONGEST: usize = 2 * 1024 * 1024;

/// What is typed.
#[derive(Debug, Default)]
pub(super) struct ImportFile {
    /// The file as text, where it is text.
    text: String,
    /// A file that is not text, with its name.
    binary: Option<Vec<u8>>,
    name: Option<String>,
    passphrase: SecretText,
    opener: KeysOpener,
    unread: Option<Problem>,
    asked: bool,
    reports: Option<Vec<KeyReport>>,
}

impl ImportFile {
    /// The session told what became of each key.
    pub(super) fn imported(&mut self, reports: &[KeyReport]) {
        if self.asked {
            self.reports = Some(reports.to_vec());
        }
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let close =
            if self.reports.is_some() { self.report(ctx, model, out) } else { self.form(ctx, model, out) };
        if close {
            model.dismiss(Asked::ImportKeys);
        }
        close
    }

    fn text_problem(&self) -> Option<&'static str> {
        let text = self.text.trim();
        (!text.is_empty() && !text.starts_with(AGE))
            .then_some("Not an age file: its text begins with “-----BEGIN AGE ENCRYPTED FILE-----”.")
    }

    fn opened(&mut self) {
        match self.opener.poll() {
            Some(Ok((name, bytes))) => {
                self.unread = None;
                self.name = Some(name);
                match String::from_utf8(bytes) {
                    Ok(text) => (self.text, self.binary) = (text, None),
                    Err(error) => (self.text, self.binary) = (String::new(), Some(error.into_bytes())),
                }
            }
            Some(Err(wrong)) => self.unread = Some(wrong),
            None => {}
        }
    }

    fn form(&mut self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        self.opened();
        let busy = model.is_pending(Asked::ImportKeys);
        let wrong = self.text_problem();
        let has_file = self.binary.is_some() || !self.text.trim().is_empty();
        let ready = has_file && wrong.is_none() && !self.passphrase.is_empty();
        let answer = dialog(ctx, "import age file", "Import an age file", 480.0, |ui| {
            muted(
                ui,
                "Keys that were exported here, in another account or at the terminal, under a passphrase.",
            );
            self.file(ui, wrong);
            TextField::new("Passphrase", self.passphrase.edit())
                .icon(icons::PASSWORD)
                .secret()
                .limit(256)
                .help("The one that the file was sealed under.")
                .show(ui);
            failed(ui, model, Asked::ImportKeys);
            dialog_buttons(ui, ButtonKind::Primary, "Import", ready, busy)
        });
        let by_key =
            ready && !busy && ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        if by_key || answer.inner == Some(DialogButton::Confirm) {
            self.send(false, out);
        }
        answer.close || answer.inner == Some(DialogButton::Cancel)
    }

    fn file(&mut self, ui: &mut Ui, wrong: Option<&str>) {
        if self.binary.is_none() {
            let field = TextField::new("File", &mut self.text)
                .hint("Choose it below, or paste its text")
                .mono()
                .rows(3)
                .limit(LONGEST)
                .error(wrong)
                .show(ui);
            if field.changed() {
                self.name = None;
            }
        }
        ui.horizontal(|ui| {
            let words = if self.name.is_some() { "Choose another file…" } else { "Choose a file…" };
            let busy = self.opener.is_open();
            if Button::secondary(words).icon(icons::FOLDER_OPEN).busy(busy).show(ui).clicked() {
                self.opener.begin(ui.ctx());
            }
            if let Some(name) = &self.name {
                let text = RichText::new(format!("From {name}")).font(fonts::regular(12.0));
                ui.add(Label::new(text.color(tokens(ui).text_muted)).truncate());
            }
        });
        problem(ui, self.unread.as_ref());
    }

    fn send(&mut self, take_over: bool, out: &mut Outbound) {
        self.asked = true;
        let file = match &self.binary {
            Some(bytes) => bytes.clone(),
            None => self.text.trim().as_bytes().to_vec(),
        };
        let passphrase = Password::new(self.passphrase.as_str());
        out.send(Command::ImportKeys { file, passphrase, take_over });
    }

    fn report(&mut self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        let busy = model.is_pending(Asked::ImportKeys);
        let reports = self.reports.clone().unwrap_or_default();
        let (mut close, mut take) = (false, false);
        let answer = dialog(ctx, "imported keys", "What became of the keys", 500.0, |ui| {
            let words = format!("{} in the file.", count_text(reports.len() as u64, "key"));
            muted(ui, &words);
            for report in &reports {
                row(ui, report);
            }
            let waits = reports.iter().filter(|report| only_opens(report)).count();
            if waits > 0 {
                muted(
                    ui,
                    "A key that only opens reads what others seal with it; what you send there is sealed by your own key, as before. Whoever made the file can read what its keys seal.",
                );
            }
            failed(ui, model, Asked::ImportKeys);
            ui.add_space(8.0);
            ui.horizontal_wrapped(|ui| {
                close = Button::primary("Close").show(ui).clicked();
                if waits > 0 {
                    let words = if waits == 1 { "Let it take over" } else { "Let them take over" };
                    take = Button::secondary(words)
                        .busy(busy)
                        .tooltip("The imported keys seal from now on what is sealed by others until now")
                        .show(ui)
                        .clicked();
                }
            });
        });
        if take {
            self.send(true, out);
        }
        close || answer.close
    }
}

/// Whether it opens and could seal, if the person agreed.
fn only_opens(report: &KeyReport) -> bool {
    matches!(&report.outcome, KeyOutcome::OpensOnly(others) if !others.is_empty())
}

/// What became of a key.
fn row(ui: &mut Ui, report: &KeyReport) {
    let t = tokens(ui);
    let (icon, word, tone, text) = outcome_words(&report.outcome);
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let here = report.key.as_ref().map_or(report.label.as_str(), |key| key.label.as_str());
        ui.horizontal_wrapped(|ui| {
            pill_icon(ui, icon, word, tone);
            ui.label(RichText::new(here).font(fonts::medium(13.0)).color(t.text_strong));
            if here != report.label {
                let named = format!("“{}” in the file", report.label);
                ui.label(RichText::new(named).font(fonts::regular(12.0)).color(t.text_muted));
            }
        });
        muted(ui, &text);
    });
}

fn outcome_words(outcome: &KeyOutcome) -> (&'static str, &'static str, Tone, String) {
    let named =
        |labels: &[String]| labels.iter().map(|label| format!("“{label}”")).collect::<Vec<_>>().join(", ");
    match outcome {
        KeyOutcome::Seals => (
            icons::LOCK_KEY,
            "seals and opens",
            Tone::Green,
            "New here. Nothing sealed its topics before.".to_owned(),
        ),
        KeyOutcome::TookOver(others) => (
            icons::LOCK_KEY,
            "took over",
            Tone::Green,
            format!("It seals from now on what {} sealed.", named(others)),
        ),
        KeyOutcome::OpensOnly(others) if others.is_empty() => (
            icons::LOCK_OPEN,
            "opens only",
            Tone::Amber,
            "It was retired where the file comes from. You can take it back into use.".to_owned(),
        ),
        KeyOutcome::OpensOnly(others) => (
            icons::LOCK_OPEN,
            "opens only",
            Tone::Amber,
            format!("{} goes on sealing its topics.", named(others)),
        ),
        KeyOutcome::AlreadyThere => {
            (icons::CHECK, "there already", Tone::Neutral, "Nothing changed.".to_owned())
        }
        KeyOutcome::Completed(epochs) => (
            icons::PLUS_CIRCLE,
            "completed",
            Tone::Green,
            format!("It was here, and now has {} more.", count_text(*epochs as u64, "epoch")),
        ),
        KeyOutcome::Refused(why) => (icons::PROHIBIT, "not taken", Tone::Red, sentence(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_that_another_keeps_from_sealing_can_take_over() {
        let report = |outcome| KeyReport { label: "Plant".into(), key: None, outcome };
        assert!(only_opens(&report(KeyOutcome::OpensOnly(vec!["Hall".into()]))));
        assert!(!only_opens(&report(KeyOutcome::OpensOnly(Vec::new()))));
        assert!(!only_opens(&report(KeyOutcome::AlreadyThere)));
    }
}
