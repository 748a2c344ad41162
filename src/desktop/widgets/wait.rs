//! Waiting: spinners and progress. Every wait over 300 ms shows one of these; long work can be cancelled.

use std::f32::consts::TAU;

use eframe::egui::{
    Color32, CornerRadius, Pos2, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::button::Button;
use super::paint;
use crate::desktop::theme::tokens;
use crate::desktop::{fonts, icons};

/// Paints a turning arc, or a still hourglass where motion is reduced.
pub(super) fn paint_spinner(ui: &Ui, centre: Pos2, size: f32, colour: Color32) {
    if ui.style().animation_time <= 0.0 {
        paint::icon_at(ui, centre, icons::HOURGLASS_MEDIUM, icons::icon_font(size), colour);
        return;
    }
    ui.ctx().request_repaint_after(std::time::Duration::from_millis(33));
    // A turn takes 0.9 s; the arc covers three quarters of the circle.
    let start = (ui.input(|input| input.time) / 0.9).fract() as f32 * TAU;
    let radius = size / 2.0 - 1.5;
    let points = (0..=24)
        .map(|step| {
            let angle = start + step as f32 / 24.0 * TAU * 0.75;
            pos2(centre.x + radius * angle.cos(), centre.y + radius * angle.sin())
        })
        .collect();
    ui.painter().line(points, Stroke::new(1.8, colour));
}

/// A spinner of a size, named for a screen reader.
pub fn spinner(ui: &mut Ui, size: f32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(size, size), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, name));
    paint_spinner(ui, rect.center(), size, tokens(ui).accent);
    response
}

/// A spinner with what is being waited for, in one line.
pub fn waiting(ui: &mut Ui, text: &str) -> Response {
    ui.horizontal(|ui| {
        spinner(ui, 16.0, text);
        ui.label(eframe::egui::RichText::new(text).color(tokens(ui).text_muted));
    })
    .response
}

/// A bar from 0 to 1 with what is being done over it, what is left beside that, and Cancel where `cancel` is given.
/// Returns true when Cancel was pressed.
pub fn progress(ui: &mut Ui, text: &str, left: &str, fraction: f32, cancel: Option<&str>) -> bool {
    let t = tokens(ui);
    let mut cancelled = false;
    ui.vertical(|ui| {
        ui.horizontal(|ui| {
            ui.label(eframe::egui::RichText::new(text).color(t.text));
            ui.with_layout(eframe::egui::Layout::right_to_left(eframe::egui::Align::Center), |ui| {
                if let Some(cancel) = cancel {
                    cancelled = Button::ghost(cancel).show(ui).clicked();
                }
                ui.label(eframe::egui::RichText::new(left).font(fonts::regular(12.0)).color(t.text_muted));
            });
        });
        let fraction = fraction.clamp(0.0, 1.0);
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 6.0), Sense::hover());
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, text);
            info.value = Some(f64::from(fraction));
            info
        });
        let radius = CornerRadius::same(3);
        ui.painter().rect_filled(rect, radius, t.control);
        let filled = Rect::from_min_size(rect.min, vec2(rect.width() * fraction, rect.height()));
        ui.painter().rect_filled(filled, radius, t.accent);
    });
    cancelled
}
