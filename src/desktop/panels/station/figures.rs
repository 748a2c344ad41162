//! The broker's own figures: four numbers, and how fast messages pass.

use eframe::egui::{self, Label, RichText, Ui, vec2};
use egui_plot::{GridInput, GridMark, HoverPosition, Line, Plot, PlotPoints};

use crate::{
    client::Asked,
    desktop::{
        fonts, icons,
        model::{BrokerState, Model, problem_of},
        panels::{
            ends::ends,
            watch::tiles::{Tile, rate_number, row},
        },
        theme::{Tone, tokens},
        when,
        widgets::{Banner, card, dot, muted, size_text, waiting},
    },
};

use super::grouped;

/// How far back the plot goes, in seconds, and between the marks.
const SPAN: f64 = 900.0;
const STEP: f64 = 180.0;

/// Draws them; the plot only where there is room.
pub(super) fn show(ui: &mut Ui, model: &Model, roomy: bool) {
    let broker = &model.broker;
    if let Some(failure) = model.failure(Asked::Figures).filter(|_| !broker.is_known()) {
        Banner::error(&problem_of(failure)).low().show(ui);
        return;
    }
    if !broker.is_known() {
        waiting(ui, "Asking the broker for its figures…");
        return;
    }
    row(ui, &tiles(broker));
    if roomy {
        paces(ui, broker);
    }
}

fn tiles(broker: &BrokerState) -> [Tile<'static>; 4] {
    let number = |name: &str| broker.number(name);
    let text = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), grouped);
    let pace = broker.paces().back();
    let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), rate_number);
    let queued = number("store/messages/count")
        .zip(number("retained messages/count"))
        .map(|(stored, retained)| stored.saturating_sub(retained));
    let dropped = number("publish/messages/dropped").unwrap_or(0);
    [
        Tile {
            icon: icons::PLUGS_CONNECTED,
            tone: Tone::Green,
            name: "Connected",
            value: text(number("clients/connected")),
            unit: "",
            note: format!(
                "{} away, {} at most",
                text(number("clients/disconnected")),
                text(number("clients/maximum"))
            ),
            note_tone: Tone::Neutral,
        },
        Tile {
            icon: icons::PULSE,
            tone: Tone::Accent,
            name: "Messages in",
            value: rate(pace.map(|pace| pace.received)),
            unit: "msg/s",
            note: format!("{} in all", text(number("publish/messages/received"))),
            note_tone: Tone::Neutral,
        },
        Tile {
            icon: icons::TRAY,
            tone: if dropped == 0 { Tone::Violet } else { Tone::Amber },
            name: "Waiting",
            value: text(queued),
            unit: "",
            note: match dropped {
                0 => format!("{} in flight", text(number("messages/inflight"))),
                dropped => format!("{} dropped", grouped(dropped)),
            },
            note_tone: if dropped == 0 { Tone::Neutral } else { Tone::Amber },
        },
        Tile {
            icon: icons::PUSH_PIN,
            tone: Tone::Teal,
            name: "Retained",
            value: text(number("retained messages/count")),
            unit: "",
            note: number("store/messages/bytes")
                .map(|bytes| format!("{} kept", size_text(usize::try_from(bytes).unwrap_or(usize::MAX))))
                .unwrap_or_default(),
            note_tone: Tone::Neutral,
        },
    ]
}

/// Messages a second over the last quarter of an hour.
fn paces(ui: &mut Ui, broker: &BrokerState) {
    let t = tokens(ui);
    let (ink_in, ink_out) = (t.accent, t.teal.mark);
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 6.0;
        let left = |ui: &mut Ui| {
            ui.label(RichText::new("Messages a second").font(fonts::semibold(13.5)).color(t.text_strong));
            ui.add_space(6.0);
            let newest = broker.paces().back();
            for (tone, name, rate) in [
                (Tone::Accent, "in", newest.map(|pace| pace.received)),
                (Tone::Teal, "out", newest.map(|pace| pace.sent)),
            ] {
                dot(ui, tone);
                let value = rate.map_or_else(|| "–".to_owned(), rate_number);
                ui.label(RichText::new(format!("{name} {value}")).font(fonts::regular(12.5)).color(t.text));
                ui.add_space(4.0);
            }
        };
        ends(ui, "pace head", 22.0, left, |ui| {
            let version = broker.text("version").unwrap_or_default().replace("version ", "");
            let up = broker.uptime_s().map(|seconds| format!("{version} · up {}", duration_text(seconds)));
            let up = RichText::new(up.unwrap_or(version)).font(fonts::regular(12.0)).color(t.text_muted);
            ui.add(Label::new(up).selectable(false));
        });
        let Some(newest) = broker.paces().back().map(|pace| pace.at_ms) else {
            muted(ui, "The first two rounds of figures make a line: one comes every ten seconds.");
            return;
        };
        let line = |of: fn(&crate::desktop::model::Pace) -> f64| -> Vec<[f64; 2]> {
            let at = |ms: u64| (ms as f64 - newest as f64) / 1000.0;
            broker
                .paces()
                .iter()
                .map(|pace| [at(pace.at_ms), of(pace)])
                .filter(|[x, _]| *x >= -SPAN)
                .collect()
        };
        let (received, sent) = (line(|pace| pace.received), line(|pace| pace.sent));
        let top = received.iter().chain(&sent).map(|[_, y]| *y).fold(0.0, f64::max);
        let high = if top > 0.0 { top * 1.15 } else { 1.0 };
        ui.visuals_mut().override_text_color = Some(t.text_muted);
        ui.style_mut().text_styles.insert(egui::TextStyle::Body, fonts::regular(11.0));
        let marks = move |_: GridInput| {
            (0..=(SPAN / STEP) as i32)
                .map(|at| GridMark { value: -f64::from(at) * STEP, step_size: STEP })
                .collect::<Vec<_>>()
        };
        let clock = move |x: f64| when::clock(newest.saturating_add_signed((x * 1000.0).round() as i64));
        Plot::new("pace plot")
            .height(84.0)
            .show_background(false)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_axis_zoom_drag(false)
            .allow_double_click_reset(false)
            .set_margin_fraction(vec2(0.0, 0.0))
            .show_crosshair(false)
            .grid_color(t.line_strong)
            .x_grid_spacer(marks)
            .y_grid_spacer(move |_| {
                [0.0, high / 2.0].into_iter().map(|value| GridMark { value, step_size: high / 2.0 }).collect()
            })
            .grid_spacing(egui::Rangef::new(8.0, 20.0))
            .x_axis_formatter(move |mark, _| clock(mark.value))
            .y_axis_formatter(|mark, _| rate_number(mark.value))
            .y_axis_min_width(34.0)
            .label_formatter(move |at| match at {
                HoverPosition::NearDataPoint { plot_name, position, .. } => {
                    Some(format!("{plot_name}: {}\n{}", rate_number(position.y), clock(position.x)))
                }
                HoverPosition::Elsewhere { .. } => None,
            })
            .show(ui, |plot| {
                plot.set_plot_bounds_x(-SPAN..=0.0);
                plot.set_plot_bounds_y(0.0..=high);
                for (name, points, ink) in [("out", sent, ink_out), ("in", received, ink_in)] {
                    let points = PlotPoints::from(points);
                    plot.line(Line::new(name, points).color(ink).width(1.6).fill(0.0).fill_alpha(0.08));
                }
            });
    });
}

/// `3 d 4 h`, `2 h 5 min`, `7 min`, `12 s`.
pub(super) fn duration_text(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{} d {hours} h", grouped(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_its_two_largest_units() {
        for (seconds, text) in
            [(12, "12 s"), (75, "1 min"), (7_500, "2 h 5 min"), (273_600, "3 d 4 h"), (3_600, "1 h 0 min")]
        {
            assert_eq!(duration_text(seconds), text);
        }
    }
}
