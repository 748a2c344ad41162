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

/// Below this width the numbers have no room for all that is said beside them.
const NARROW: f32 = 800.0;
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
    let narrow = ui.available_width() < NARROW;
    row(ui, &tiles(broker, narrow));
    if roomy {
        paces(ui, broker);
    }
}

fn tiles(broker: &BrokerState, narrow: bool) -> [Tile<'static>; 4] {
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
            note: match (text(number("clients/disconnected")), text(number("clients/maximum"))) {
                (away, _) if narrow => format!("{away} away"),
                (away, most) => format!("{away} away, {most} at most"),
            },
            note_tone: Tone::Neutral,
        },
        Tile {
            icon: icons::PULSE,
            tone: Tone::Accent,
            name: "Messages in",
            value: rate(pace.map(|pace| pace.received)),
            unit: "msg/s",
            note: match text(number("publish/messages/received")) {
                _ if narrow => String::new(),
                all => format!("{all} in all"),
            },
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
        // One pace alone is a point.
        let newest = match broker.paces().back() {
            Some(pace) if broker.paces().len() > 1 => pace.at_ms,
            _ => {
                muted(ui, "A line begins with the third round of figures: one comes every ten seconds.");
                return;
            }
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
        let level = round_level(top);
        ui.visuals_mut().override_text_color = Some(t.text_muted);
        ui.style_mut().text_styles.insert(egui::TextStyle::Body, fonts::regular(11.0));
        let marks = move |_: GridInput| round_times(newest);
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
                let mark = |value| GridMark { value, step_size: level / 2.0 };
                vec![mark(level / 2.0), mark(level)]
            })
            .grid_spacing(egui::Rangef::new(8.0, 20.0))
            .x_axis_formatter(move |mark, _| clock(mark.value))
            .y_axis_formatter(|mark, _| level_text(mark.value))
            .y_axis_min_width(34.0)
            .label_formatter(move |at| match at {
                HoverPosition::NearDataPoint { plot_name, position, .. } => {
                    Some(format!("{plot_name}: {}\n{}", rate_number(position.y), clock(position.x)))
                }
                HoverPosition::Elsewhere { .. } => None,
            })
            .show(ui, |plot| {
                plot.set_plot_bounds_x(-SPAN..=0.0);
                plot.set_plot_bounds_y(0.0..=level * 1.12);
                for (name, points, ink) in [("out", sent, ink_out), ("in", received, ink_in)] {
                    let points = PlotPoints::from(points);
                    plot.line(Line::new(name, points).color(ink).width(1.6).fill(0.0).fill_alpha(0.08));
                }
            });
    });
}

/// The first number that is not below `top` and round, as its half is.
fn round_level(top: f64) -> f64 {
    if top <= 1.0 {
        return 1.0;
    }
    let power = 10_f64.powf(top.log10().floor());
    [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|level| *level >= top)
        .unwrap_or(top)
}

/// A round number, without digits that say nothing.
fn level_text(level: f64) -> String {
    if level.fract() == 0.0 { grouped(level as u64) } else { format!("{level:.1}") }
}

/// Marks at round times of the day, none so near to an end that its text would be cut off.
fn round_times(newest_ms: u64) -> Vec<GridMark> {
    let newest = newest_ms as f64 / 1000.0;
    let first = ((newest - SPAN * 0.97) / STEP).ceil() as i64;
    let last = ((newest - SPAN * 0.03) / STEP).floor() as i64;
    (first..=last).map(|at| GridMark { value: at as f64 * STEP - newest, step_size: STEP }).collect()
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
    fn marks_stand_at_round_numbers_and_times_within_the_plot() {
        assert_eq!([0.0, 0.3, 1.2, 29.6, 400.0, 401.0].map(round_level), [1.0, 1.0, 2.0, 30.0, 400.0, 600.0]);
        assert_eq!([0.5, 2_500.0].map(level_text), ["0.5", "2,500"]);
        let marks = round_times(1_000_037_000);
        assert!((4..=5).contains(&marks.len()));
        assert!(marks.iter().all(|mark| (-SPAN..0.0).contains(&mark.value)));
    }

    #[test]
    fn a_time_is_told_by_its_two_largest_units() {
        for (seconds, text) in
            [(12, "12 s"), (75, "1 min"), (7_500, "2 h 5 min"), (273_600, "3 d 4 h"), (3_600, "1 h 0 min")]
        {
            assert_eq!(duration_text(seconds), text);
        }
    }
}
