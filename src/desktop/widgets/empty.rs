//! Empty places teach: what belongs here, and the button that puts the first one there.

use eframe::egui::{self, Align, Label, Layout, RichText, Ui, pos2, vec2};

use super::button::Button;
use super::paint;
use crate::desktop::theme::tokens;
use crate::desktop::{fonts, icons};

/// What an empty place says.
#[derive(Debug, Clone, Copy)]
pub struct EmptyState<'a> {
    /// The icon of what belongs here.
    pub icon: &'a str,
    /// What is missing, in a few words.
    pub title: &'a str,
    /// What belongs here and what it is good for, in one or two sentences.
    pub text: &'a str,
    /// The buttons; the first is the primary one.
    pub actions: &'a [&'a str],
}

impl EmptyState<'_> {
    /// Draws it in the middle of the room there is; returns the index of the button pressed.
    pub fn show(&self, ui: &mut Ui) -> Option<usize> {
        let t = tokens(ui);
        let mut pressed = None;
        let height = ui.available_height();
        let width = ui.available_width().min(380.0);
        ui.vertical_centered(|ui| {
            // About what icon, title, three lines and the buttons take.
            ui.add_space(((height - 190.0) * 0.42).clamp(8.0, 400.0));
            let (rect, _) = ui.allocate_exact_size(vec2(56.0, 56.0), egui::Sense::hover());
            ui.painter().circle_filled(rect.center(), 28.0, t.control);
            paint::icon_at(ui, rect.center(), self.icon, icons::icon_font(26.0), t.text_muted);
            ui.add_space(6.0);
            ui.label(RichText::new(self.title).font(fonts::semibold(15.0)).color(t.text_strong));
            ui.scope(|ui| {
                ui.set_max_width(width);
                let text = RichText::new(self.text).color(t.text_muted);
                ui.add(Label::new(text).wrap().halign(Align::Center));
            });
            ui.add_space(8.0);
            pressed = self.buttons(ui);
        });
        pressed
    }

    fn buttons(&self, ui: &mut Ui) -> Option<usize> {
        if self.actions.is_empty() {
            return None;
        }
        let mut pressed = None;
        let t = tokens(ui);
        let font = fonts::medium(13.0);
        let total: f32 = self
            .actions
            .iter()
            .map(|text| paint::line(ui, text, font.clone(), t.text).size().x + 24.0)
            .sum::<f32>()
            + ui.spacing().item_spacing.x * (self.actions.len() - 1) as f32;
        let row = ui.available_rect_before_wrap();
        let left = row.center().x - total.min(row.width()) / 2.0;
        let rect = egui::Rect::from_min_size(pos2(left, row.top()), vec2(total, 30.0));
        let builder = egui::UiBuilder::new().max_rect(rect).layout(Layout::left_to_right(Align::Center));
        ui.scope_builder(builder, |ui| {
            for (index, text) in self.actions.iter().enumerate() {
                let button = if index == 0 { Button::primary(text) } else { Button::secondary(text) };
                if button.show(ui).clicked() {
                    pressed = Some(index);
                }
            }
        });
        pressed
    }
}
