//! The line below the messages: how much memory they have and may have, and what is not here any more.

use eframe::egui::{Align, Label, Layout, Rect, RichText, Ui, UiBuilder, vec2};

use crate::{
    client::{MAX_HISTORY_BYTES, MAX_HISTORY_ROWS},
    desktop::{
        fonts,
        model::Model,
        panels::grouped,
        theme::{CARD_PADDING, tokens},
        widgets::size_text,
    },
};

/// How high the line is.
pub(super) const HEIGHT: f32 = 28.0;

/// Draws it in `rect`.
pub(super) fn line(ui: &mut Ui, rect: Rect, model: &Model) {
    let t = tokens(ui);
    ui.painter().hline(rect.x_range(), rect.top(), eframe::egui::Stroke::new(1.0, t.line));
    let inner = rect.shrink2(vec2(CARD_PADDING, 0.0));
    let mut child = ui.new_child(
        UiBuilder::new()
            .max_rect(inner)
            .layout(Layout::right_to_left(Align::Center))
            .id_salt("messages budget"),
    );
    child.set_clip_rect(rect.intersect(ui.clip_rect()));
    let text = |text: String, ink| RichText::new(text).font(fonts::regular(11.5)).color(ink);
    if let Some(told) = left_out(model) {
        child.add(Label::new(text(told, t.amber.text)).selectable(false)).on_hover_text(why(model));
    }
    child.with_layout(Layout::left_to_right(Align::Center), |ui| {
        let label = Label::new(text(kept(model), t.text_muted)).truncate().selectable(false);
        ui.add(label).on_hover_text(
            "Payloads as they came and opened, the rows around them, topics and numbers to plot. \
             Settings, This computer says how much may be kept.",
        );
    });
}

/// "48 MiB of 128 MiB, 100,000 of 100,000 rows; the oldest go first".
fn kept(model: &Model) -> String {
    let store = &model.messages;
    let budget = store.budget();
    let text = format!(
        "{} of {}, {} of {} rows",
        size_text(store.bytes()),
        size_text(budget.bytes),
        grouped(store.len() as u64),
        grouped(budget.rows as u64)
    );
    if store.left_out() > 0 { format!("{text}; the oldest go first") } else { text }
}

fn left_out(model: &Model) -> Option<String> {
    let count = model.messages.left_out() + model.left_out.dropped;
    (count > 0).then(|| format!("{} left out", grouped(count)))
}

/// What was left out, why, and where it is.
fn why(model: &Model) -> String {
    let (made_room, too_fast) = (model.messages.left_out(), model.left_out.dropped);
    let mut reasons = Vec::new();
    if made_room > 0 {
        reasons.push(format!("{} made room for others.", grouped(made_room)));
    }
    if too_fast > 0 {
        reasons.push(format!("{} came faster than this window could take them.", grouped(too_fast)));
    }
    format!(
        "{} The history on this computer keeps the newest {}, up to {}.",
        reasons.join(" "),
        grouped(MAX_HISTORY_ROWS),
        size_text(usize::try_from(MAX_HISTORY_BYTES).unwrap_or(usize::MAX))
    )
}
