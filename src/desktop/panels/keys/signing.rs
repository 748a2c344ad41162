//! What a key asks of signatures, to be chosen.

use eframe::egui::Ui;

use crate::{
    client::{Signatures, Suite},
    desktop::{
        panels::sender::{SIGNATURES, signatures_words},
        widgets::{field_label, muted, segmented_explained},
    },
};

/// What of it a suite can do: those for older programs have no room for a signature.
pub(super) fn within(suite: Suite, signatures: Signatures) -> Signatures {
    if suite.is_native() { signatures } else { Signatures::Off }
}

/// Off, accept or require, with the sentence that belongs to it.
pub(super) fn signatures_field(ui: &mut Ui, suite: Suite, signatures: &mut Signatures) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 5.0;
        field_label(ui, "Signatures");
        if suite.is_native() {
            segmented_explained(ui, "Signatures", signatures, &SIGNATURES);
            muted(ui, signatures_words(*signatures).1);
        } else {
            muted(
                ui,
                "This seal has no room for a signature: nobody can tell which holder of the key wrote.",
            );
        }
    });
}
