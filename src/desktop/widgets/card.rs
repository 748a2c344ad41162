//! Cards, section heads, key-value rows and lines to copy.

use eframe::egui::{
    self, Align, CornerRadius, Frame, InnerResponse, Label, Layout, Margin, Response, RichText, Stroke, Ui,
    vec2,
};

use super::button::icon_button_small;
use crate::desktop::theme::{CARD_PADDING, RADIUS, RADIUS_CARD, tokens};
use crate::desktop::{fonts, icons};

/// A card as wide as there is room.
pub fn card<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    card_frame(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        contents(ui)
    })
}

/// The frame of a card, where a card's own layout is wanted.
pub fn card_frame(ui: &Ui) -> Frame {
    let t = tokens(ui);
    Frame::new()
        .fill(t.card)
        .stroke(Stroke::new(1.0, t.line))
        .corner_radius(CornerRadius::same(RADIUS_CARD))
        .inner_margin(Margin::same(CARD_PADDING as i8))
}

/// The head of a section: its name, a count in muted text, and controls at the right end.
pub fn section_header(ui: &mut Ui, title: &str, count: Option<&str>, right: impl FnOnce(&mut Ui)) {
    let t = tokens(ui);
    ui.horizontal(|ui| {
        heading(ui, title, fonts::semibold(13.5));
        if let Some(count) = count {
            ui.label(RichText::new(count).font(fonts::regular(12.0)).color(t.text_muted));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), right);
    });
}

/// The title of a page or a card on its own line.
pub fn title(ui: &mut Ui, text: &str, size: f32) -> Response {
    heading(ui, text, fonts::semibold(size))
}

fn heading(ui: &mut Ui, text: &str, font: egui::FontId) -> Response {
    let ink = tokens(ui).text_strong;
    ui.add(Label::new(RichText::new(text).font(font).color(ink)).selectable(false))
}

/// A small head in capitals over a group of rows.
pub fn caps(ui: &mut Ui, text: &str) -> Response {
    let ink = tokens(ui).text_faint;
    let text =
        RichText::new(text.to_uppercase()).font(fonts::medium(10.5)).color(ink).extra_letter_spacing(0.4);
    ui.add(Label::new(text).selectable(false))
}

/// A paragraph of secondary text that wraps.
pub fn muted(ui: &mut Ui, text: &str) -> Response {
    let ink = tokens(ui).text_muted;
    ui.add(Label::new(RichText::new(text).color(ink)).wrap())
}

/// A paragraph of body text that wraps.
pub fn body(ui: &mut Ui, text: &str) -> Response {
    let ink = tokens(ui).text;
    ui.add(Label::new(RichText::new(text).color(ink)).wrap())
}

/// Width of the names in key-value rows.
const KEY_WIDTH: f32 = 96.0;

/// One row: the name, then whatever `value` draws.
pub fn key_value(ui: &mut Ui, name: &str, value: impl FnOnce(&mut Ui)) {
    let t = tokens(ui);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().interact_size.y = 18.0;
        ui.spacing_mut().item_spacing.x = 0.0;
        let left = ui.cursor().left();
        let label = Label::new(RichText::new(name).font(fonts::regular(12.5)).color(t.text_muted));
        ui.add_sized(vec2(0.0, 0.0), label.extend().selectable(false));
        ui.add_space((left + KEY_WIDTH - ui.cursor().left()).max(8.0));
        ui.vertical(value);
    });
}

/// Rows of name and text; the text wraps and can be selected.
pub fn key_values(ui: &mut Ui, rows: &[(&str, &str)]) {
    let ink = tokens(ui).text;
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 6.0;
        for (name, value) in rows {
            key_value(ui, name, |ui| {
                ui.add(Label::new(RichText::new(*value).font(fonts::regular(12.5)).color(ink)).wrap());
            });
        }
    });
}

/// A monospace line with a button that copies it. `name` says what is copied: "fingerprint".
/// Returns true when it was copied, so that the caller can say so.
pub fn copy_line(ui: &mut Ui, name: &str, value: &str) -> bool {
    let t = tokens(ui);
    let mut copied = false;
    Frame::new()
        .fill(t.input)
        .stroke(Stroke::new(1.0, t.line))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin { left: 12, right: 6, top: 5, bottom: 5 })
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                let width = (ui.available_width() - 32.0).max(40.0);
                ui.allocate_ui_with_layout(vec2(width, 24.0), Layout::left_to_right(Align::Center), |ui| {
                    ui.set_min_width(width);
                    let text = RichText::new(value).font(fonts::mono(11.5)).color(t.text_strong);
                    ui.add(Label::new(text).wrap());
                });
                if icon_button_small(ui, icons::COPY, &format!("Copy the {name}")).clicked() {
                    ui.ctx().copy_text(value.to_owned());
                    copied = true;
                }
            });
        });
    copied
}
