//! Topics that another key seals already: which key shall?

use eframe::egui::{RichText, Ui};

use crate::{
    desktop::{fonts, icons, theme::tokens},
    topic::TopicFilter,
};

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
