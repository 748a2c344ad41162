//! What an entry of the lists of keys and people is drawn on: its ground, its icon, the edge that shows the focus.

use eframe::egui::{Align2, CornerRadius, Rect, Response, Stroke, StrokeKind, Ui, pos2, vec2};

use crate::desktop::{
    icons,
    theme::{FOCUS_WIDTH, RADIUS, Tone, tokens},
};

/// Under the entry that is chosen, and under the pointer.
pub(super) fn ground(ui: &Ui, response: &Response, rect: Rect, chosen: bool) {
    let t = tokens(ui);
    let radius = CornerRadius::same(RADIUS);
    if chosen {
        ui.painter().rect_filled(rect, radius, t.row_selected);
    } else if response.hovered() {
        ui.painter().rect_filled(rect, radius, t.row_hover);
    }
}

/// The icon on its square, at the left.
pub(super) fn icon(ui: &Ui, rect: Rect, icon: &str, tone: Tone) {
    let t = tokens(ui);
    let square = Rect::from_center_size(pos2(rect.left() + 28.0, rect.center().y), vec2(34.0, 34.0));
    ui.painter().rect_filled(square, CornerRadius::same(9), tone.tint(t));
    ui.painter().text(square.center(), Align2::CENTER_CENTER, icon, icons::icon_font(18.0), tone.text(t));
}

/// Around the entry that has the focus.
pub(super) fn edge(ui: &Ui, response: &Response, rect: Rect) {
    if response.has_focus() {
        let stroke = Stroke::new(FOCUS_WIDTH, tokens(ui).accent);
        ui.painter().rect_stroke(rect, CornerRadius::same(RADIUS), stroke, StrokeKind::Inside);
    }
}
