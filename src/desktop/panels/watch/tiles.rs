//! Four numbers over the plot: how much comes, how much of it was sealed, and what was left out.

use eframe::egui::{CornerRadius, RichText, Ui, vec2};

use crate::desktop::{
    fonts, icons,
    messages::ROOT,
    model::Model,
    panels::grouped,
    theme::{Tone, tokens},
    when,
    widgets::{card_frame, size_text},
};

/// One number in a card.
pub(in crate::desktop::panels) struct Tile<'a> {
    pub(in crate::desktop::panels) icon: &'static str,
    pub(in crate::desktop::panels) tone: Tone,
    pub(in crate::desktop::panels) name: &'a str,
    pub(in crate::desktop::panels) value: String,
    pub(in crate::desktop::panels) unit: &'a str,
    pub(in crate::desktop::panels) note: String,
    pub(in crate::desktop::panels) note_tone: Tone,
}

/// Draws the four tiles in a row.
pub(super) fn tiles(ui: &mut Ui, model: &Model) {
    let store = &model.messages;
    let now = when::now_ms();
    let (rate, bytes) = (store.rate(now), store.throughput(now));
    let (value, unit) = size_in_units(bytes);
    let refused = store.tree().problems(ROOT);
    let left_out = store.left_out() + model.left_out.dropped;
    let plural = |count: u64, one: &str, many: &str| {
        format!("{} {}", grouped(count), if count == 1 { one } else { many })
    };
    let tiles = [
        Tile {
            icon: icons::PULSE,
            tone: Tone::Accent,
            name: "Message rate",
            value: rate_number(rate),
            unit: "msg/s",
            note: format!("{} in all", grouped(store.tree().messages(ROOT))),
            note_tone: Tone::Neutral,
        },
        Tile {
            icon: icons::STACK,
            tone: Tone::Teal,
            name: "On the wire",
            value,
            unit,
            note: plural(store.tree().topics() as u64, "topic", "topics"),
            note_tone: Tone::Neutral,
        },
        Tile {
            icon: if refused == 0 { icons::SEAL_CHECK } else { icons::SEAL_WARNING },
            tone: if refused == 0 { Tone::Green } else { Tone::Amber },
            name: "Problems",
            value: grouped(refused),
            unit: "",
            note: if refused == 0 {
                "all as it should be".to_owned()
            } else {
                "refused or notable".to_owned()
            },
            note_tone: if refused == 0 { Tone::Green } else { Tone::Amber },
        },
        Tile {
            icon: icons::TRAY,
            tone: Tone::Violet,
            name: "Left out",
            value: grouped(left_out),
            unit: "",
            note: plural(model.left_out.repeats, "legal repeat", "legal repeats"),
            note_tone: Tone::Neutral,
        },
    ];
    row(ui, &tiles);
    // The numbers fall to zero by themselves: look again while they have not.
    if rate > 0.0 {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs(1));
    }
}

/// Draws tiles of one width side by side.
pub(in crate::desktop::panels) fn row(ui: &mut Ui, tiles: &[Tile<'_>]) {
    let gap = 12.0;
    let width = (ui.available_width() - (tiles.len() as f32 - 1.0) * gap) / tiles.len() as f32;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        for tile in tiles {
            tile.show(ui, width);
        }
    });
}

impl Tile<'_> {
    fn show(&self, ui: &mut Ui, width: f32) {
        let t = tokens(ui);
        card_frame(ui).inner_margin(12).show(ui, |ui| {
            ui.set_width(width - 26.0);
            ui.spacing_mut().item_spacing = vec2(8.0, 6.0);
            ui.vertical(|ui| {
                ui.horizontal(|ui| {
                    ui.spacing_mut().interact_size.y = 26.0;
                    let (rect, _) = ui.allocate_exact_size(vec2(26.0, 26.0), eframe::egui::Sense::hover());
                    ui.painter().rect_filled(rect, CornerRadius::same(7), self.tone.tint(t));
                    ui.painter().text(
                        rect.center(),
                        eframe::egui::Align2::CENTER_CENTER,
                        self.icon,
                        icons::icon_font(15.0),
                        self.tone.text(t),
                    );
                    ui.label(RichText::new(self.name).font(fonts::regular(12.5)).color(t.text_muted));
                });
                ui.horizontal(|ui| {
                    ui.spacing_mut().interact_size.y = 24.0;
                    ui.spacing_mut().item_spacing.x = 6.0;
                    ui.label(RichText::new(&self.value).font(fonts::semibold(20.0)).color(t.text_strong));
                    if !self.unit.is_empty() {
                        ui.label(RichText::new(self.unit).font(fonts::regular(11.5)).color(t.text_faint));
                    }
                    ui.with_layout(eframe::egui::Layout::right_to_left(eframe::egui::Align::Center), |ui| {
                        let note = RichText::new(&self.note)
                            .font(fonts::regular(11.5))
                            .color(self.note_tone.text(t));
                        ui.add(eframe::egui::Label::new(note).truncate());
                    });
                });
            });
        });
    }
}

/// A rate as it is read: 0, 0.4, 26.0, 20,148.
pub(in crate::desktop::panels) fn rate_number(rate: f64) -> String {
    if rate <= 0.0 {
        "0".to_owned()
    } else if rate < 1_000.0 {
        format!("{:.1}", rate.max(0.1))
    } else {
        grouped(rate.round() as u64)
    }
}

fn size_in_units(bytes: f64) -> (String, &'static str) {
    let text = size_text(bytes.round().max(0.0) as usize);
    let (value, unit) = text.split_once(' ').unwrap_or((&text, "B"));
    let unit = match unit {
        "KiB" => "KiB/s",
        "MiB" => "MiB/s",
        "GiB" => "GiB/s",
        _ => "B/s",
    };
    (value.to_owned(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_sizes_are_short() {
        assert_eq!([0.0, 0.02, 26.04, 20_148.3].map(rate_number), ["0", "0.1", "26.0", "20,148"]);
        assert_eq!(size_in_units(1_536.0), ("1.5".to_owned(), "KiB/s"));
    }
}
