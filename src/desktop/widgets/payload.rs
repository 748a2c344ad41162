//! A payload to look at: JSON and text with colours, or a hex dump with offsets and letters.
//!
//! Never lays out more than it is told to (64 KiB at first), and of that only the rows in view. Beyond the limit it
//! says "First 64 KiB of 1.2 MB" with a button; what the button does is the caller's affair.

use std::ops::Range;
use std::sync::Arc;

use eframe::egui::cache::{ComputerMut, FrameCache};
use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{Color32, CornerRadius, Frame, Label, Margin, RichText, ScrollArea, Stroke, Ui};

use super::button::link;
use super::json::{self, Line, Piece};
use crate::desktop::fonts;
use crate::desktop::theme::{RADIUS, Tokens, tokens};

/// Bytes that are laid out before the person asks for more.
pub const FIRST_LIMIT: usize = 64 * 1024;
/// Bytes in a row of the hex dump, where there is room for so many.
const HEX_WIDE: usize = 16;
/// Bytes in a row of the hex dump in a narrow panel.
const HEX_NARROW: usize = 8;

/// How to show a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PayloadForm {
    /// Indented, with colours.
    Json,
    /// As it is.
    #[default]
    Text,
    /// Offset, bytes, letters.
    Hex,
}

impl PayloadForm {
    /// What suits these bytes: JSON where it is JSON, text where it is UTF-8 without control characters, else hex.
    #[must_use]
    pub fn guess(bytes: &[u8]) -> Self {
        let Some(text) = utf8(&bytes[..bytes.len().min(FIRST_LIMIT)]) else { return Self::Hex };
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Self::Hex;
        }
        if text.trim_start().starts_with(['{', '[']) { Self::Json } else { Self::Text }
    }
}

/// A view of a payload.
#[must_use = "a payload appears only when it is shown"]
#[derive(Debug, Clone, Copy)]
pub struct PayloadView<'a> {
    id: &'a str,
    bytes: &'a [u8],
    form: PayloadForm,
    limit: usize,
    height: f32,
}

impl<'a> PayloadView<'a> {
    /// A view; `id` tells it from another on the same page.
    pub const fn new(id: &'a str, bytes: &'a [u8], form: PayloadForm) -> Self {
        Self { id, bytes, form, limit: FIRST_LIMIT, height: 260.0 }
    }

    /// Lay out up to this many bytes.
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The most points high, then it scrolls.
    pub const fn height(mut self, height: f32) -> Self {
        self.height = height;
        self
    }

    /// Draws it. Returns true when the person asked for the rest.
    pub fn show(self, ui: &mut Ui) -> bool {
        let t = tokens(ui);
        let shown = &self.bytes[..self.bytes.len().min(self.limit)];
        let font = fonts::mono(12.0);
        let row_height = ui.fonts_mut(|fonts| fonts.row_height(&font)).max(17.0);
        Frame::new()
            .fill(t.input)
            .stroke(Stroke::new(1.0, t.line))
            .corner_radius(CornerRadius::same(RADIUS))
            .inner_margin(Margin { left: 12, right: 4, top: 8, bottom: 8 })
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.set_width(ui.available_width());
                if shown.is_empty() {
                    ui.label(RichText::new("Empty").font(fonts::regular(12.5)).color(t.text_muted));
                    return;
                }
                let rows = self.rows(ui, shown, ui.available_width());
                let count = rows.len();
                ScrollArea::both()
                    .id_salt(("payload", self.id))
                    .max_height(self.height)
                    .auto_shrink([false, true])
                    .show_rows(ui, row_height, count, |ui, visible| rows.draw(ui, visible, row_height, t));
            });
        self.more(ui, shown.len())
    }

    fn more(&self, ui: &mut Ui, shown: usize) -> bool {
        if shown == self.bytes.len() {
            return false;
        }
        let ink = tokens(ui).text_muted;
        ui.horizontal(|ui| {
            let text = format!("First {} of {}", size_text(shown), size_text(self.bytes.len()));
            ui.label(RichText::new(text).font(fonts::regular(12.0)).color(ink));
            link(ui, "Show more").clicked()
        })
        .inner
    }

    fn rows(&self, ui: &Ui, shown: &'a [u8], width: f32) -> Rows<'a> {
        let text = match self.form {
            PayloadForm::Hex => None,
            PayloadForm::Json | PayloadForm::Text => utf8(shown),
        };
        match text {
            None => {
                let glyph = ui.fonts_mut(|fonts| fonts.glyph_width(&fonts::mono(HEX_FONT), '0'));
                let wide = Hex { bytes: shown, per_row: HEX_WIDE };
                let fits = wide.characters() as f32 * glyph <= width;
                Rows::Hex(if fits { wide } else { Hex { per_row: HEX_NARROW, ..wide } })
            }
            Some(text) => {
                let json = self.form == PayloadForm::Json;
                Rows::Lines(
                    ui.memory_mut(|memory| memory.caches.cache::<LineCache>().get((text, json)).clone()),
                )
            }
        }
    }
}

/// The text of these bytes. A character that the limit cut in two at the end is left out.
fn utf8(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

/// A size as people read it: 512 B, 1.2 KiB, 3.4 MiB.
#[must_use]
pub fn size_text(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    // One digit, unless it would be a zero.
    let value = (value * 10.0).round() / 10.0;
    let digits = usize::from(value.fract() != 0.0 && value < 100.0);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Keeps the lines of what is on the screen, and forgets them in the frame after.
type LineCache = FrameCache<Arc<Vec<Line>>, LineMaker>;

#[derive(Default)]
struct LineMaker;

impl ComputerMut<(&str, bool), Arc<Vec<Line>>> for LineMaker {
    fn compute(&mut self, (text, json): (&str, bool)) -> Arc<Vec<Line>> {
        Arc::new(if json { json::json_lines(text) } else { json::plain_lines(text) })
    }
}

enum Rows<'a> {
    Lines(Arc<Vec<Line>>),
    Hex(Hex<'a>),
}

impl Rows<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.len(),
            Self::Hex(hex) => hex.bytes.len().div_ceil(hex.per_row),
        }
    }

    fn draw(&self, ui: &mut Ui, visible: Range<usize>, height: f32, t: &Tokens) {
        for row in visible {
            let mut job = match self {
                Self::Lines(lines) => lines.get(row).map(|line| line_job(line, t)).unwrap_or_default(),
                Self::Hex(hex) => hex.row(row, t),
            };
            for section in &mut job.sections {
                section.format.line_height = Some(height);
            }
            job.first_row_min_height = height;
            ui.add(Label::new(job).extend());
        }
    }
}

/// Size of the hex dump's letters.
const HEX_FONT: f32 = 11.5;

/// A hex dump: offset, bytes, letters.
#[derive(Clone, Copy)]
struct Hex<'a> {
    bytes: &'a [u8],
    per_row: usize,
}

impl Hex<'_> {
    /// Digits of the offset.
    fn digits(&self) -> usize {
        if self.bytes.len() <= 0x1_0000 { 4 } else { 8 }
    }

    /// Characters in a row: offset, two spaces, "xx " for each byte, one more space in the middle of a wide row, letters.
    fn characters(&self) -> usize {
        self.digits() + 2 + self.per_row * 4 + self.per_row / HEX_WIDE
    }

    fn row(&self, row: usize, t: &Tokens) -> LayoutJob {
        let start = row * self.per_row;
        let end = (start + self.per_row).min(self.bytes.len());
        let part = self.bytes.get(start..end).unwrap_or_default();
        let format = |colour: Color32| TextFormat::simple(fonts::mono(HEX_FONT), colour);
        let mut job = LayoutJob::default();
        job.append(&format!("{start:0digits$x}  ", digits = self.digits()), 0.0, format(t.text_faint));
        let mut hex = String::with_capacity(self.per_row * 3 + 1);
        for at in 0..self.per_row {
            if at == HEX_WIDE / 2 {
                hex.push(' ');
            }
            match part.get(at) {
                Some(byte) => hex.push_str(&format!("{byte:02x} ")),
                None => hex.push_str("   "),
            }
        }
        job.append(&hex, 0.0, format(t.text));
        let letters: String = part
            .iter()
            .map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' })
            .collect();
        job.append(&letters, 0.0, format(t.teal.text));
        job
    }
}

fn format(colour: Color32) -> TextFormat {
    TextFormat::simple(fonts::mono(12.0), colour)
}

fn piece_format(piece: Piece, t: &Tokens) -> TextFormat {
    format(match piece {
        Piece::Punctuation => t.text_faint,
        Piece::Key => t.accent_text,
        Piece::Text => t.amber.text,
        Piece::Number => t.green.text,
        Piece::Word => t.violet.text,
        Piece::Plain => t.text,
    })
}

fn line_job(line: &Line, t: &Tokens) -> LayoutJob {
    let mut job = LayoutJob::default();
    for (piece, text) in line {
        job.append(text, 0.0, piece_format(*piece, t));
    }
    job
}

/// A payload on one line, for a table: cut at `limit` characters, control characters as dots.
#[must_use]
pub fn one_line(bytes: &[u8], limit: usize) -> String {
    let head = &bytes[..bytes.len().min(limit * 4)];
    let Some(text) = utf8(head) else {
        let shown: String = head.iter().take(limit / 3).map(|byte| format!("{byte:02x} ")).collect();
        return shown.trim_end().to_owned();
    };
    let mut line: String = text.chars().take(limit).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < bytes.len() {
        line.push('…');
    }
    line
}

/// [`one_line`] of JSON with its colours, for a table.
#[must_use]
pub fn one_line_job(ui: &Ui, text: &str) -> LayoutJob {
    let t = tokens(ui);
    let mut job = LayoutJob::default();
    if text.trim_start().starts_with(['{', '[']) {
        for (number, line) in json::json_lines(text).iter().enumerate() {
            let blank =
                |(piece, text): &&(Piece, String)| *piece == Piece::Punctuation && text.trim().is_empty();
            // A blank for each line break, also before a closing bracket that is not indented.
            if number > 0 {
                job.append(" ", 0.0, format(t.text));
            }
            for (piece, text) in line.iter().filter(|piece| !blank(piece)) {
                job.append(text, 0.0, piece_format(*piece, t));
            }
        }
    } else {
        job.append(text, 0.0, format(t.text));
    }
    job.break_on_newline = false;
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_guessed_from_the_bytes() {
        assert_eq!(PayloadForm::guess(b" {\"a\":1}"), PayloadForm::Json);
        assert_eq!(PayloadForm::guess("22,5 °C".as_bytes()), PayloadForm::Text);
        assert_eq!(PayloadForm::guess(&[0x16, 0xff, 0x00]), PayloadForm::Hex);
        assert_eq!(PayloadForm::guess(b"a\0b"), PayloadForm::Hex);
        assert_eq!(PayloadForm::guess(b""), PayloadForm::Text);
    }

    #[test]
    fn a_character_cut_in_two_by_the_limit_is_left_out() {
        assert_eq!(utf8(&"é".as_bytes()[..1]), Some(""));
        assert_eq!(utf8(&[b'a', 0xff, b'b']), None);
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        let sizes =
            [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (65_536, "64 KiB"), (1_258_291, "1.2 MiB")];
        for (bytes, text) in sizes {
            assert_eq!(size_text(bytes), text);
        }
        assert_eq!(size_text(1024 * 1024 - 1), "1 MiB");
    }

    #[test]
    fn a_hex_row_has_offset_bytes_and_letters() {
        let bytes: Vec<u8> = (0x30..0x44).collect();
        let t = &crate::desktop::theme::DARK;
        let wide = Hex { bytes: &bytes, per_row: HEX_WIDE };
        assert_eq!(wide.row(0, t).text.len(), wide.characters());
        assert!(wide.row(0, t).text.starts_with("0000  30 31 32 33 34 35 36 37  38 39"));
        assert_eq!(wide.row(1, t).text, format!("0010  40 41 42 43 {}@ABC", " ".repeat(37)));
        let narrow = Hex { per_row: HEX_NARROW, ..wide };
        assert_eq!(narrow.row(1, t).text, "0008  38 39 3a 3b 3c 3d 3e 3f 89:;<=>?");
        assert_eq!(narrow.row(0, t).text.len(), narrow.characters());
    }

    #[test]
    fn a_row_of_a_table_is_short_whatever_the_payload() {
        assert_eq!(one_line(b"a\nb", 10), "a b");
        assert_eq!(one_line(&[b'x'; 100], 5), "xxxxx…");
        assert_eq!(one_line(&[0xff, 0x01], 30), "ff 01");
    }
}
