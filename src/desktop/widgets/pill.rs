//! Pills and status dots: a word with a tone.

use eframe::egui::{
    CornerRadius, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::paint;
use crate::desktop::theme::{RADIUS_SMALL, Tone, tokens};
use crate::desktop::{fonts, icons};

/// A badge: a word on its tint.
pub fn pill(ui: &mut Ui, text: &str, tone: Tone) -> Response {
    draw(ui, None, text, tone, Sense::hover())
}

/// A badge with an icon before the word.
pub fn pill_icon(ui: &mut Ui, icon: &str, text: &str, tone: Tone) -> Response {
    draw(ui, Some(icon), text, tone, Sense::hover())
}

/// A badge that opens an explanation: a lock is never decoration. `clicked()` says so.
pub fn pill_button(ui: &mut Ui, icon: &str, text: &str, tone: Tone) -> Response {
    draw(ui, Some(icon), text, tone, Sense::click())
}

fn draw(ui: &mut Ui, icon: Option<&str>, text: &str, tone: Tone, sense: Sense) -> Response {
    let t = tokens(ui);
    let ink = tone.text(t);
    let lead = if icon.is_some() { 17.0 } else { 0.0 };
    let room = (ui.available_width() - 16.0 - lead).max(24.0);
    let galley = paint::line_within(ui, text, fonts::medium(11.5), ink, room);
    let size = vec2(galley.size().x + lead + 16.0, 20.0);
    let (rect, response) = ui.allocate_exact_size(size, sense);
    let clickable = sense.senses_click();
    response.widget_info(|| {
        let role = if clickable { Role::Button } else { Role::Label };
        WidgetInfo::labeled(role, ui.is_enabled(), text)
    });
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let radius = CornerRadius::same(RADIUS_SMALL);
        ui.painter().rect_filled(rect, radius, tone.tint(t));
        if clickable && response.hovered() {
            ui.painter().rect_stroke(rect, radius, Stroke::new(1.0, tone.border(t)), StrokeKind::Inside);
        }
        if let Some(icon) = icon {
            let font = icons::icon_font(13.0);
            paint::icon_at(ui, pos2(rect.left() + 14.0, rect.center().y), icon, font, ink);
        }
        let at = pos2(rect.left() + 8.0 + lead, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(at, galley, ink);
        paint::focus_ring(ui, &response, rect, RADIUS_SMALL);
    }
    response
}

/// Pills side by side, in as many rows as they need.
pub fn pill_row<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = 20.0;
        ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
        ui.horizontal_wrapped(contents).inner
    })
    .inner
}

/// A dot in a tone with the word that says the same.
pub fn status(ui: &mut Ui, tone: Tone, text: &str) -> Response {
    let t = tokens(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 7.0;
        dot(ui, tone);
        ui.label(RichText::new(text).font(fonts::regular(12.0)).color(t.text));
    })
    .response
}

/// A dot alone, beside words that say the same.
pub fn dot(ui: &mut Ui, tone: Tone) -> Response {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 5.0, tone.tint(t));
    ui.painter().circle_filled(rect.center(), 3.5, tone.mark(t));
    response
}
