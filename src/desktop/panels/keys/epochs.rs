//! A key's secrets over time: which one seals, and since when the others only open.

use eframe::egui::{Label, RichText, Ui};

use crate::{
    client::{EpochView, KeyView},
    desktop::{
        fonts,
        panels::grouped,
        theme::{Tone, tokens},
        when,
        widgets::{caps, link, pill},
    },
};

/// The newest that are shown at once.
const SHOWN: usize = 5;

/// Draws them, the newest first.
pub(super) fn epochs(ui: &mut Ui, key: &KeyView) {
    if key.epochs.is_empty() {
        return;
    }
    ui.add_space(4.0);
    caps(ui, "Epochs");
    let all_id = ui.make_persistent_id(("all epochs", &key.id));
    let all: bool = ui.data(|data| data.get_temp(all_id)).unwrap_or(false);
    let shown = if all { key.epochs.len() } else { SHOWN.min(key.epochs.len()) };
    for epoch in &key.epochs[..shown] {
        row(ui, key, epoch);
    }
    if shown < key.epochs.len() {
        let words = format!("Show all {} epochs", grouped(key.epochs.len() as u64));
        if link(ui, &words).clicked() {
            ui.data_mut(|data| data.insert_temp(all_id, true));
        }
    }
}

fn row(ui: &mut Ui, key: &KeyView, epoch: &EpochView) {
    let t = tokens(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 20.0;
        let name = RichText::new(format!("Epoch {}", epoch.number)).font(fonts::medium(12.5));
        ui.add(Label::new(name.color(t.text_strong)));
        if epoch.retired_ms.is_none() && key.seals && !key.retired {
            pill(ui, "seals", Tone::Green);
        } else {
            pill(ui, "opens", Tone::Neutral);
        }
        let words = RichText::new(span(epoch)).font(fonts::regular(12.5)).color(t.text);
        ui.add(Label::new(words));
        let kid = epoch.kid.get(..8).unwrap_or(&epoch.kid);
        let id = RichText::new(format!("key id {kid}…")).font(fonts::mono(11.5)).color(t.text_muted);
        ui.add(Label::new(id)).on_hover_text(&epoch.fingerprint);
    });
}

/// From when to when it sealed.
fn span(epoch: &EpochView) -> String {
    match epoch.retired_ms {
        None => format!("since {}", when::date_time(epoch.created_ms)),
        Some(end) => format!("{} to {}", when::date_time(epoch.created_ms), when::date_time(end)),
    }
}
