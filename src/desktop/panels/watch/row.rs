//! One row of the table of messages.

use eframe::egui::{Label, Rect, Response, RichText, Ui, pos2};
use egui_extras::TableRow;

use crate::{
    client::Opening,
    desktop::{
        fonts, icons,
        messages::{Row, body_of, is_will},
        panels::{sealing::profile_words, sender::Sender},
        theme::{CARD_PADDING, Tone, tokens},
        when,
        widgets::{one_line, one_line_job, pill, size_text},
    },
};

use super::{
    columns::Columns,
    meanings::meaning,
    verdict::{Known, WILL, profile_of, told, verdict},
};

/// Characters of a payload in its row.
const PAYLOAD: usize = 160;

/// The row in words, for who cannot see it.
pub(super) fn row_name(row: &Row, known: Known<'_>) -> String {
    let message = &row.message;
    let from = match known.sender(message) {
        None | Some(Sender::NotSigned) => String::new(),
        Some(who) => format!(", from {}", who.word()),
    };
    format!("{} {}, {}{from}", when::clock(message.arrived_ms), message.topic, told(message, known))
}

/// Draws it.
pub(super) fn draw(
    row: &mut TableRow<'_, '_>,
    entry: &Row,
    known: Known<'_>,
    columns: Columns,
    selected: bool,
) {
    let message = &entry.message;
    row.col(|ui| {
        let t = tokens(ui);
        if selected {
            let rect = ui.max_rect();
            let bar = Rect::from_min_max(rect.min, pos2(rect.left() + 3.0, rect.bottom()));
            ui.painter().rect_filled(bar, 0, t.accent);
        }
        ui.add_space(CARD_PADDING);
        let time =
            if columns.millis { when::clock_ms(message.arrived_ms) } else { when::clock(message.arrived_ms) };
        let ink = if selected { t.accent_text } else { t.text_muted };
        cell(ui, RichText::new(time).font(fonts::mono(12.0)).color(ink));
    });
    row.col(|ui| {
        ui.add_space(4.0);
        let ink = tokens(ui).text_strong;
        cell(ui, RichText::new(message.topic.as_str()).font(fonts::regular(13.0)).color(ink));
    });
    if columns.qos {
        row.col(|ui| {
            ui.add_space(4.0);
            let tone = if message.qos == 0 { Tone::Neutral } else { Tone::Accent };
            pill(ui, &message.qos.to_string(), tone);
        });
    }
    row.col(|ui| {
        let t = tokens(ui);
        let verdict = verdict(message, known);
        let ink = verdict.tone.text(t);
        ui.add_space(4.0);
        ui.spacing_mut().item_spacing.x = 6.0;
        if is_will(message) {
            let heart = icons::icon(icons::HEARTBEAT, 14.0).color(t.violet.text);
            ui.add(Label::new(heart).selectable(false)).on_hover_text(WILL);
        } else {
            ui.add(Label::new(icons::icon(verdict.icon, 14.0).color(ink)).selectable(false));
        }
        let response = cell(ui, RichText::new(told(message, known)).font(fonts::regular(12.5)).color(ink));
        if let Some(meaning) = meaning(verdict.word) {
            response.on_hover_text(meaning);
        }
    });
    if columns.sender {
        row.col(|ui| {
            ui.add_space(4.0);
            let Some(who) = known.sender(message) else { return };
            // The verdict has the colour; a name needs one only where it is in doubt.
            let t = tokens(ui);
            let ink = match who {
                Sender::NotSigned => t.text_muted,
                Sender::You | Sender::Known { .. } => t.text_strong,
                _ => who.tone().text(t),
            };
            cell(ui, RichText::new(who.word()).font(fonts::regular(12.5)).color(ink))
                .on_hover_text(who.sentence());
        });
    }
    let body = body_of(message);
    if columns.size {
        row.col(|ui| {
            ui.add_space(4.0);
            let size = size_text(body.map_or(message.wire.len(), bytes::Bytes::len));
            let ink = tokens(ui).text_muted;
            cell(ui, RichText::new(size).font(fonts::regular(12.5)).color(ink));
        });
    }
    row.col(|ui| {
        ui.add_space(4.0);
        // Room for the scroll bar.
        ui.set_max_width((ui.available_width() - 10.0).max(0.0));
        match (&message.opening, body) {
            (Opening::Refused { why, .. }, _) => {
                let ink = tokens(ui).text_muted;
                cell(ui, RichText::new(why).font(fonts::regular(12.5)).color(ink));
            }
            (_, Some(body)) => {
                if let Some(profile) = profile_of(message).filter(|profile| !profile.is_secret()) {
                    ui.spacing_mut().item_spacing.x = 6.0;
                    pill(ui, "no secrecy", Tone::Amber).on_hover_text(profile_words(profile).2);
                }
                let job = one_line_job(ui, &one_line(body, PAYLOAD));
                ui.add(Label::new(job).truncate().selectable(false));
            }
            (_, None) => {}
        }
    });
}

fn cell(ui: &mut Ui, text: RichText) -> Response {
    ui.add(Label::new(text).truncate().selectable(false))
}
