//! Topics that another key seals already: which key shall?

use eframe::egui::{Context, RichText, Ui};

use crate::{
    client::Asked,
    desktop::{
        fonts, icons,
        model::Model,
        theme::tokens,
        widgets::{Button, body, dialog, muted},
    },
    topic::TopicFilter,
};

use super::failed;

/// The topics, each with the key that seals it.
pub(super) fn covered_rows(ui: &mut Ui, covered: &[(TopicFilter, String)]) {
    for (filter, other) in covered {
        let t = tokens(ui);
        ui.horizontal_wrapped(|ui| {
            ui.label(icons::icon(icons::LOCK_KEY, 14.0).color(t.green.text));
            ui.label(RichText::new(filter.as_str()).font(fonts::mono(12.5)).color(t.accent_text));
            ui.label(RichText::new(format!("sealed by “{other}”")).color(t.text));
        });
    }
}

/// What is asked when a key came in that opens already, of topics that another key seals.
pub(super) struct WhichSeals<'a> {
    /// Names the dialog.
    pub(super) id: &'static str,
    /// What has happened.
    pub(super) lead: String,
    pub(super) covered: &'a [(TopicFilter, String)],
    /// What to think of before the new key seals.
    pub(super) caution: &'static str,
    /// The button that lets it.
    pub(super) take: &'static str,
}

/// What the person chose.
#[derive(Default)]
pub(super) struct Choice {
    /// The question is settled, or put aside.
    pub(super) close: bool,
    /// The new key shall seal.
    pub(super) take: bool,
}

impl WhichSeals<'_> {
    /// Shall the key that opens already seal as well?
    pub(super) fn ui(&self, ctx: &Context, model: &Model) -> Choice {
        let busy = model.is_pending(Asked::ImportKey);
        let (mut keep, mut take) = (false, false);
        let answer = dialog(ctx, self.id, "Which key shall seal?", 480.0, |ui| {
            body(ui, &self.lead);
            covered_rows(ui, self.covered);
            muted(ui, self.caution);
            failed(ui, model, Asked::ImportKey);
            ui.add_space(8.0);
            ui.horizontal_wrapped(|ui| {
                keep = Button::primary("Keep sealing as before").show(ui).clicked();
                take = Button::secondary(self.take).busy(busy).show(ui).clicked();
            });
        });
        Choice { close: keep || answer.close, take }
    }
}
