//! What the broker sees: the bytes of the envelope as a hex dump that fits the room there is, and in words what an
//! outsider can read of it.

use eframe::egui::{
    CornerRadius, Frame, Label, Margin, RichText, ScrollArea, Stroke, Ui,
    text::{LayoutJob, TextFormat},
};

use crate::desktop::{
    fonts,
    theme::{RADIUS, tokens},
};

/// Bytes that are dumped; enough to see that there is nothing to see.
const SHOWN: usize = 64 * 1024;

/// The bytes, 16 or 8 in a row.
pub(super) fn hex(ui: &mut Ui, id: &str, bytes: &[u8], height: f32) {
    let t = tokens(ui);
    let font = fonts::mono(11.5);
    let letter = ui.fonts_mut(|fonts| fonts.glyph_width(&font, '0'));
    let shown = &bytes[..bytes.len().min(SHOWN)];
    Frame::new()
        .fill(t.input)
        .stroke(Stroke::new(1.0, t.line))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin { left: 12, right: 4, top: 8, bottom: 8 })
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 0.0;
            if shown.is_empty() {
                ui.label(RichText::new("No bytes at all").font(fonts::regular(12.5)).color(t.text_muted));
                return;
            }
            // Offset, bytes, letters and the gaps between them.
            let per_row = if ui.available_width() >= letter * 73.0 { 16 } else { 8 };
            ScrollArea::both().id_salt(("wire", id)).max_height(height).auto_shrink([false, true]).show_rows(
                ui,
                17.0,
                shown.len().div_ceil(per_row),
                |ui, rows| {
                    for row in rows {
                        let start = row * per_row;
                        let part = &shown[start.min(shown.len())..(start + per_row).min(shown.len())];
                        let mut job = LayoutJob::default();
                        let mut add = |text: &str, ink| {
                            let mut format = TextFormat::simple(font.clone(), ink);
                            format.line_height = Some(17.0);
                            job.append(text, 0.0, format);
                        };
                        add(&format!("{start:04x}  "), t.text_faint);
                        add(&hex_text(part, per_row), t.text);
                        add(&letters(part), t.teal.text);
                        ui.add(Label::new(job).extend());
                    }
                },
            );
        });
}

fn hex_text(part: &[u8], per_row: usize) -> String {
    let mut text = String::with_capacity(per_row * 3 + 2);
    for at in 0..per_row {
        match part.get(at) {
            Some(byte) => text.push_str(&format!("{byte:02x} ")),
            None => text.push_str("   "),
        }
        if at % 8 == 7 {
            text.push(' ');
        }
    }
    text
}

fn letters(part: &[u8]) -> String {
    part.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '·' }).collect()
}

/// The bytes as hex without gaps, for the clipboard.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_last_row_keeps_its_columns() {
        assert_eq!(hex_text(&[1, 2], 8).len(), hex_text(&[0; 8], 8).len());
        assert_eq!(letters(&[0x41, 0, 0xff]), "A··");
        assert_eq!(to_hex(&[0, 0xab]), "00ab");
    }
}
