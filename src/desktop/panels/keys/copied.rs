//! Text in a box of its own, large enough to read out, with a button that copies it.

use eframe::egui::{CornerRadius, Frame, Label, Margin, Stroke, Ui};

use crate::desktop::{
    icons,
    theme::{RADIUS, tokens},
    widgets::icon_button_small,
};

/// Draws it; true where `button` was pressed, which says what it copies.
pub(super) fn copy_box(ui: &mut Ui, margin: Margin, text: Label, button: &str) -> bool {
    let t = tokens(ui);
    let mut copy = false;
    Frame::new()
        .fill(t.input)
        .stroke(Stroke::new(1.0, t.line))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(margin)
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                let width = ui.available_width() - 34.0;
                ui.vertical(|ui| {
                    ui.set_width(width);
                    ui.add(text);
                });
                copy = icon_button_small(ui, icons::COPY, button).clicked();
            });
        });
    copy
}
