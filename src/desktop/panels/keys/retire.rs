//! The dialog that retires a key: it seals no more, and opens for ever.

use eframe::egui::Context;

use crate::{
    client::{Asked, Command, KeyConsequences, KeyView},
    desktop::{
        model::{Model, Outbound},
        widgets::{ButtonKind, DialogButton, body, dialog, dialog_buttons, muted},
    },
};

use super::{
    consequences::{Consequences, Fate},
    failed,
};

/// A key that is to be retired.
#[derive(Debug)]
pub(super) struct Retire {
    id: String,
    consequences: Consequences,
    asked: bool,
}

impl Retire {
    /// For a key.
    pub(super) fn new(id: String) -> Self {
        let consequences = Consequences::of(&id);
        Self { id, consequences, asked: false }
    }

    /// What it would mean.
    pub(super) fn told(&mut self, id: &str, consequences: &KeyConsequences) {
        self.consequences.told(id, consequences);
    }

    /// Whether it was asked for and is done.
    pub(super) fn done(&self, keys: &[KeyView]) -> bool {
        self.asked && keys.iter().any(|key| key.id == self.id && key.retired)
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let Some(key) = model.keys.iter().find(|key| key.id == self.id).cloned() else { return true };
        let busy = model.is_pending(Asked::RetireKey);
        let ready = self.consequences.are_told(model);
        let answer = dialog(ctx, "retire key", &format!("Retire “{}”?", key.label), 480.0, |ui| {
            body(
                ui,
                "It will seal nothing more for you. What it sealed, and what others still seal with it, opens as before; what comes later than an hour from now is marked. You can take it back into use at any time.",
            );
            self.consequences.ui(ui, Fate::Retired, model, out);
            muted(ui, "Others are not told: hand them the key that takes its place.");
            failed(ui, model, Asked::RetireKey);
            dialog_buttons(ui, ButtonKind::Primary, "Retire key", ready, busy)
        });
        if answer.inner == Some(DialogButton::Confirm) && ready {
            self.asked = true;
            out.send(Command::RetireKey { id: self.id.clone(), retired: true });
        }
        let close = answer.close || answer.inner == Some(DialogButton::Cancel);
        if close {
            model.dismiss(Asked::RetireKey);
            model.dismiss(Asked::KeyConsequences);
        }
        close
    }
}
