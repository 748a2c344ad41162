//! What several widgets paint alike: focus rings, blended fills, centred icons.

use std::sync::Arc;

use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Galley, Pos2, Rect, Response, Stroke, StrokeKind, Ui,
};

use crate::desktop::theme::{FOCUS_WIDTH, tokens};

/// A ring in the accent around what has the keyboard focus.
pub(super) fn focus_ring(ui: &Ui, response: &Response, rect: Rect, radius: u8) {
    if response.has_focus() {
        let stroke = Stroke::new(FOCUS_WIDTH, tokens(ui).accent);
        ui.painter().rect_stroke(
            rect.expand(2.0),
            CornerRadius::same(radius + 2),
            stroke,
            StrokeKind::Middle,
        );
    }
}

/// Scrolls to what has just got the focus, if it is out of view: egui does not do so when Tab reaches it. Call it
/// also for what is not painted because it cannot be seen.
pub(super) fn reveal(response: &Response) {
    if response.gained_focus() {
        response.scroll_to_me(None);
    }
}

/// The fill of a control: at rest, under the pointer (faded in), held down.
pub(super) fn fill(ui: &Ui, response: &Response, rest: Color32, hover: Color32, pressed: Color32) -> Color32 {
    if response.is_pointer_button_down_on() {
        return pressed;
    }
    let amount = ui.ctx().animate_bool_with_time(
        response.id.with("hover"),
        response.hovered() && ui.is_enabled(),
        ui.style().animation_time,
    );
    rest.lerp_to_gamma(hover, amount)
}

/// An icon centred at a point.
pub(super) fn icon_at(ui: &Ui, centre: Pos2, icon: &str, font: FontId, colour: Color32) {
    ui.painter().text(centre, Align2::CENTER_CENTER, icon, font, colour);
}

/// Text laid out on one line, to be measured before it is painted.
pub(super) fn line(ui: &Ui, text: &str, font: FontId, colour: Color32) -> Arc<Galley> {
    ui.painter().layout_no_wrap(text.to_owned(), font, colour)
}

/// Text cut with an ellipsis at a width.
pub(super) fn line_within(ui: &Ui, text: &str, font: FontId, colour: Color32, width: f32) -> Arc<Galley> {
    let mut job = eframe::egui::text::LayoutJob::simple_singleline(text.to_owned(), font, colour);
    job.wrap = eframe::egui::text::TextWrapping::truncate_at_width(width.max(0.0));
    ui.painter().layout_job(job)
}
