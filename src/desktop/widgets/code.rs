//! The field for a one-time code: six digits, large and monospace.

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{
    self, Align2, CornerRadius, Frame, Margin, Response, Stroke, StrokeKind, TextBuffer, TextEdit, Ui, vec2,
};

use super::field::field_label;
use crate::desktop::fonts;
use crate::desktop::theme::{FOCUS_WIDTH, RADIUS, tokens};

/// Digits in a one-time code (RFC 6238 as the station uses it).
pub const CODE_DIGITS: usize = 6;

/// A field that takes six digits and nothing else. Pasting "123 456" works.
pub fn code_field(ui: &mut Ui, label: &str, code: &mut String, focus: bool) -> Response {
    let t = tokens(ui);
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 5.0;
        let label_response = field_label(ui, label);
        let id = ui.make_persistent_id(("code field", label));
        let focused = ui.memory(|memory| memory.has_focus(id));
        let ink = t.text_strong;
        let mut layouter = move |ui: &Ui, text: &dyn TextBuffer, _wrap: f32| {
            let format =
                TextFormat { extra_letter_spacing: 9.0, ..TextFormat::simple(fonts::mono(20.0), ink) };
            ui.fonts_mut(|fonts| {
                fonts.layout_job(LayoutJob::single_section(text.as_str().to_owned(), format))
            })
        };
        let width = ui.available_width();
        let frame = Frame::new()
            .fill(t.input)
            .corner_radius(CornerRadius::same(RADIUS))
            .inner_margin(Margin { left: 16, right: 12, top: 0, bottom: 0 });
        let mut response = TextEdit::singleline(code)
            .id(id)
            .hint_text(egui::RichText::new("000000").font(fonts::mono(20.0)).extra_letter_spacing(9.0))
            .layouter(&mut layouter)
            .font(fonts::mono(20.0))
            .desired_width(width)
            .align(Align2::LEFT_CENTER)
            .frame(frame)
            .min_size(vec2(width, 48.0))
            .show(ui)
            .response
            .response
            .labelled_by(label_response.id);
        if response.changed() {
            keep_digits(code);
            response.mark_changed();
        }
        if focus {
            response.request_focus();
        } else {
            super::paint::reveal(&response);
        }
        let stroke =
            if focused { Stroke::new(FOCUS_WIDTH, t.accent) } else { Stroke::new(1.0, t.line_strong) };
        ui.painter().rect_stroke(response.rect, CornerRadius::same(RADIUS), stroke, StrokeKind::Inside);
        response
    })
    .inner
}

/// Whether a code is complete.
#[must_use]
pub fn code_is_complete(code: &str) -> bool {
    code.len() == CODE_DIGITS && code.bytes().all(|byte| byte.is_ascii_digit())
}

fn keep_digits(code: &mut String) {
    code.retain(|character| character.is_ascii_digit());
    code.truncate(CODE_DIGITS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_code_keeps_its_six_digits() {
        for (typed, kept) in [("123 456", "123456"), ("12a3-4567890", "123456"), ("١٢٣", ""), ("", "")] {
            let mut code = typed.to_owned();
            keep_digits(&mut code);
            assert_eq!(code, kept, "{typed:?}");
        }
        assert!(code_is_complete("000000"));
        assert!(!code_is_complete("12345"));
    }
}
