//! The dialog that deletes a key, after its name was typed.

use eframe::egui::Context;

use crate::{
    client::{Asked, Command, KeyView},
    desktop::{
        model::{Model, Outbound},
        widgets::{
            Banner, ButtonKind, DialogButton, Problem, Severity, TextField, dialog, dialog_buttons, muted,
        },
    },
    topic::TopicFilter,
};

/// What is typed.
#[derive(Debug)]
pub(super) struct Delete {
    id: String,
    typed: String,
    asked: bool,
    opened: bool,
}

impl Delete {
    /// For a key.
    pub(super) fn new(id: String) -> Self {
        Self { id, typed: String::new(), asked: false, opened: false }
    }

    /// Whether it was asked for and the key is gone.
    pub(super) fn done(&self, keys: &[KeyView]) -> bool {
        self.asked && keys.iter().all(|key| key.id != self.id)
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let Some(key) = model.keys.iter().find(|key| key.id == self.id).cloned() else { return true };
        let busy = model.is_pending(Asked::DeleteKey);
        let matches = self.typed.trim() == key.label;
        let focus = !std::mem::replace(&mut self.opened, true);
        let answer = dialog(ctx, "delete key", &format!("Delete “{}”?", key.label), 460.0, |ui| {
            let topics: Vec<&str> = key.filters.iter().map(TopicFilter::as_str).collect();
            Banner::new(Severity::Error, "What it sealed can never be opened again")
                .why("Neither on this computer nor on any other where you log in: the key goes from your keyring.")
                .show(ui);
            let seal = if key.seals {
                format!(" Nothing seals {} for you then, unless another key covers it.", topics.join(", "))
            } else {
                String::new()
            };
            muted(
                ui,
                &format!("Others who have the key keep it, and go on reading and sending with it.{seal}"),
            );
            muted(ui, "To be able to go back, close this and save the key first: “Give to someone…”.");
            TextField::new("Type the key’s name to confirm", &mut self.typed)
                .hint(&key.label)
                .limit(80)
                .focus(focus)
                .show(ui);
            if let Some(failure) = model.failure(Asked::DeleteKey) {
                Banner::error(&Problem::new(&failure.what, &failure.why, &failure.next)).show(ui);
            }
            dialog_buttons(ui, ButtonKind::Danger, "Delete key", matches, busy)
        });
        if answer.inner == Some(DialogButton::Confirm) && matches {
            self.asked = true;
            out.send(Command::DeleteKey { id: self.id.clone() });
        }
        let close = answer.close || answer.inner == Some(DialogButton::Cancel);
        if close {
            model.dismiss(Asked::DeleteKey);
        }
        close
    }
}
