//! The dialog that deletes a key, after its consequences were read and its name was typed.

use eframe::egui::Context;

use crate::{
    client::{Asked, Command, KeyConsequences, KeyView},
    desktop::{
        model::{Model, Outbound},
        widgets::{Banner, ButtonKind, DialogButton, Severity, TextField, dialog, dialog_buttons, muted},
    },
};

use super::{
    consequences::{Consequences, Fate},
    failed,
};

/// What is typed.
#[derive(Debug)]
pub(super) struct Delete {
    id: String,
    consequences: Consequences,
    typed: String,
    asked: bool,
    opened: bool,
}

impl Delete {
    /// For a key.
    pub(super) fn new(id: String) -> Self {
        let consequences = Consequences::of(&id);
        Self { id, consequences, typed: String::new(), asked: false, opened: false }
    }

    /// What it would mean.
    pub(super) fn told(&mut self, id: &str, consequences: &KeyConsequences) {
        self.consequences.told(id, consequences);
    }

    /// Whether it was asked for and the key is gone.
    pub(super) fn done(&self, keys: &[KeyView]) -> bool {
        self.asked && keys.iter().all(|key| key.id != self.id)
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let Some(key) = model.keys.iter().find(|key| key.id == self.id).cloned() else { return true };
        let busy = model.is_pending(Asked::DeleteKey);
        let matches = self.typed.trim() == key.label && self.consequences.are_told(model);
        let focus = !std::mem::replace(&mut self.opened, true);
        let answer = dialog(ctx, "delete key", &format!("Delete “{}”?", key.label), 480.0, |ui| {
            Banner::new(Severity::Error, "What it sealed can never be opened again")
                .why("Neither on this computer nor on any other where you log in: the key goes from your keyring.")
                .show(ui);
            self.consequences.ui(ui, Fate::Deleted, model, out);
            muted(
                ui,
                "Others who have the key keep it, and go on reading and sending with it. To be able to go back, close this and export the key first; or retire it, which keeps it for opening.",
            );
            TextField::new("Type the key’s name to confirm", &mut self.typed)
                .hint(&key.label)
                .limit(80)
                .focus(focus)
                .show(ui);
            failed(ui, model, Asked::DeleteKey);
            dialog_buttons(ui, ButtonKind::Danger, "Delete key", matches, busy)
        });
        if answer.inner == Some(DialogButton::Confirm) && matches {
            self.asked = true;
            out.send(Command::DeleteKey { id: self.id.clone() });
        }
        let close = answer.close || answer.inner == Some(DialogButton::Cancel);
        if close {
            model.dismiss(Asked::DeleteKey);
            model.dismiss(Asked::KeyConsequences);
        }
        close
    }
}
