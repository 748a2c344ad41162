//! The dialog that writes one key, or all of them, into an `age` file under a passphrase.

use eframe::egui::{Context, Ui};

use crate::{
    client::{Asked, Command, Password},
    desktop::{
        dialogs::{SavePurpose, TextSaver, file_name},
        icons,
        model::{Model, Outbound},
        panels::count_text,
        widgets::{
            Banner, Button, ButtonKind, DialogButton, Problem, SecretText, Severity, dialog, dialog_buttons,
            muted, problem,
        },
    },
};

use super::{failed, passphrase::NewPassphrase};

/// What is exported.
#[derive(Debug)]
pub(super) struct Export {
    /// One key, by id and label; all of them where there is none.
    one: Option<(String, String)>,
    passphrase: NewPassphrase,
    asked: bool,
    /// The file and how many keys are in it.
    sealed: Option<(SecretText, usize)>,
    saver: TextSaver,
    saved: Option<String>,
    unsaved: Option<Problem>,
}

impl Export {
    /// Of all keys.
    pub(super) fn all() -> Self {
        Self::of(None)
    }

    /// Of one key.
    pub(super) fn one(id: String, label: String) -> Self {
        Self::of(Some((id, label)))
    }

    fn of(one: Option<(String, String)>) -> Self {
        Self {
            one,
            passphrase: NewPassphrase::twice(),
            asked: false,
            sealed: None,
            saver: TextSaver::default(),
            saved: None,
            unsaved: None,
        }
    }

    /// Words were drawn for a passphrase.
    pub(super) fn suggested(&mut self, words: &Password, username: &str) {
        self.passphrase.suggested(words, username);
    }

    /// The file is there.
    pub(super) fn exported(&mut self, file: &[u8], keys: usize) {
        if self.asked {
            self.sealed = Some((SecretText::from(&*String::from_utf8_lossy(file)), keys));
        }
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        if let Some(saved) = self.saver.poll() {
            match saved.outcome {
                Ok(path) => self.saved = Some(file_name(&path)),
                Err(wrong) => self.unsaved = Some(wrong),
            }
        }
        let close = if self.sealed.is_some() { self.save(ctx, out) } else { self.form(ctx, model, out) };
        if close {
            model.dismiss(Asked::ExportKeys);
            model.dismiss(Asked::Passphrase);
        }
        close
    }

    fn title(&self) -> String {
        match &self.one {
            Some((_, label)) => format!("Export “{label}” as a file"),
            None => "Export all keys as a file".to_owned(),
        }
    }

    fn form(&mut self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        let busy = model.is_pending(Asked::ExportKeys);
        let username = model.account.as_ref().map_or("", |account| account.username.as_str());
        let ready = self.passphrase.is_ready();
        let answer = dialog(ctx, "export keys", &self.title(), 480.0, |ui| {
            let what = match &self.one {
                Some(_) => "The key with all its epochs".to_owned(),
                None => count_text(model.keys.len() as u64, "key") + " with all their epochs",
            };
            muted(
                ui,
                &format!(
                    "{what}, in an age file that only the passphrase opens: for a backup, another account, or somebody who should have them. Any age program opens it too."
                ),
            );
            self.passphrase.ui(ui, username, model, out);
            failed(ui, model, Asked::ExportKeys);
            dialog_buttons(ui, ButtonKind::Primary, "Seal the file", ready, busy)
        });
        if answer.inner == Some(DialogButton::Confirm) && ready {
            self.asked = true;
            let ids = self.one.as_ref().map(|(id, _)| vec![id.clone()]);
            out.send(Command::ExportKeys { ids, passphrase: self.passphrase.password() });
        }
        answer.close || answer.inner == Some(DialogButton::Cancel)
    }

    fn save(&mut self, ctx: &Context, out: &mut Outbound) -> bool {
        let answer = dialog(ctx, "exported keys", &self.title(), 480.0, |ui| {
            self.sealed_banner(ui);
            problem(ui, self.unsaved.as_ref());
            ui.add_space(6.0);
            self.save_buttons(ui, out)
        });
        answer.close || answer.inner
    }

    fn sealed_banner(&self, ui: &mut Ui) {
        let count = self.sealed.as_ref().map_or(0, |(_, keys)| *keys) as u64;
        let are = if count == 1 { "is" } else { "are" };
        match &self.saved {
            Some(name) => {
                let what = format!("{} {are} saved in {name}", count_text(count, "key"));
                Banner::new(Severity::Success, &what)
                    .why("Whoever has the file and the passphrase can read and send on their topics.")
                    .next("Keep the two apart. Without the passphrase nobody opens the file, you neither.")
                    .show(ui);
            }
            None => {
                let what = format!("{} {are} sealed under the passphrase", count_text(count, "key"));
                Banner::new(Severity::Info, &what).why("Not saved yet: choose where to.").show(ui);
            }
        }
    }

    /// True when it is to be closed.
    fn save_buttons(&mut self, ui: &mut Ui, out: &mut Outbound) -> bool {
        ui.horizontal_wrapped(|ui| {
            let Some((file, _)) = &self.sealed else { return true };
            let save = match &self.saved {
                None => Button::primary("Save to a file…"),
                Some(_) => Button::secondary("Save once more…"),
            };
            if save.icon(icons::FLOPPY_DISK).busy(self.saver.is_open()).show(ui).clicked() {
                self.unsaved = None;
                self.saver.begin(ui.ctx(), SavePurpose::KeysFile, SecretText::from(file.as_str()));
            }
            if Button::ghost("Copy the file’s text").icon(icons::COPY).show(ui).clicked() {
                ui.ctx().copy_text(file.as_str().to_owned());
                out.toast(Severity::Success, "The sealed file is on the clipboard as text.");
            }
            Button::secondary("Close").show(ui).clicked()
        })
        .inner
    }
}
