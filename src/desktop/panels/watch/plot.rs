//! The numbers of the chosen topic over time.
//!
//! The right edge is when the newest message arrived, so nothing moves while nothing arrives. What is drawn is thinned
//! to two points per pixel.

use std::collections::{HashMap, HashSet};

use eframe::egui::{self, Color32, CornerRadius, Label, RichText, Role, Sense, Ui, WidgetInfo, vec2};
use egui_plot::{GridInput, GridMark, HoverPosition, Line, Plot, PlotPoint, PlotPoints, Points};

use crate::desktop::{
    fonts,
    messages::{Field, MessageStore, NodeId, ROOT, thin},
    panels::ends::ends,
    theme::{RADIUS_SMALL, Tokens, tokens},
    when,
    widgets::{card, segmented},
};

/// Up to so many points of a line are marked each.
const FEW: usize = 24;
/// Fields that are offered; more would be a thicket.
const OFFERED: usize = 6;
/// Fields that are drawn unless the person chose.
const DRAWN: usize = 3;
/// Levels that are searched for numbers below a branch.
const SEARCHED: usize = 200;
/// Numbers that count up, or say where something is: offered, not drawn at first.
const COUNTERS: [&str; 13] = [
    "seq",
    "id",
    "ts",
    "time",
    "timestamp",
    "epoch",
    "counter",
    "uptime",
    "n",
    "lat",
    "lon",
    "latitude",
    "longitude",
];

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Range {
    #[default]
    Minute,
    Five,
    Fifteen,
    Hour,
}

impl Range {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Minute, "1m"), (Self::Five, "5m"), (Self::Fifteen, "15m"), (Self::Hour, "1h")];

    /// Seconds between the marks: round times of the clock.
    const fn step(self) -> u64 {
        match self {
            Self::Minute => 15,
            Self::Five => 60,
            Self::Fifteen => 300,
            Self::Hour => 900,
        }
    }

    const fn seconds(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::Five => 300,
            Self::Fifteen => 900,
            Self::Hour => 3_600,
        }
    }
}

/// The card with the plot.
#[derive(Debug, Default)]
pub(super) struct PlotCard {
    range: Range,
    /// What the person switched on or off, by label.
    chosen: HashMap<String, bool>,
    /// What is shown while nothing is chosen.
    fallback: Option<(u64, NodeId)>,
}

/// One line of the plot.
struct Series<'a> {
    label: String,
    field: &'a Field,
    ink: Color32,
    drawn: bool,
}

impl PlotCard {
    pub(super) fn ui(&mut self, ui: &mut Ui, store: &mut MessageStore, picked: Option<NodeId>, height: f32) {
        let Some(node) = picked.or_else(|| self.fallback(store)) else { return };
        store.want_series(node);
        let store = &*store;
        let t = tokens(ui);
        let mut series = found(store, node, t);
        self.choose(&mut series);
        let path = if node == ROOT { "All topics".to_owned() } else { store.tree().path(node) };
        card(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 6.0;
            let Self { range, chosen, .. } = self;
            let left = |ui: &mut Ui| {
                let width = ui.available_width();
                ui.scope(|ui| {
                    ui.set_max_width(width * 0.5);
                    let name = RichText::new(&path).font(fonts::semibold(13.5)).color(t.text_strong);
                    ui.add(Label::new(name).truncate().selectable(false));
                });
                for one in &series {
                    if legend(ui, one).clicked() {
                        chosen.insert(one.label.clone(), !one.drawn);
                    }
                }
            };
            ends(ui, "plot head", 32.0, left, |ui| {
                if !series.is_empty() {
                    segmented(ui, "Time range", range, &Range::ALL);
                }
            });
            if series.is_empty() {
                let text = "No numbers here yet. A topic whose payload is a number, or JSON with numbers in it, is drawn over time.";
                ui.add(Label::new(RichText::new(text).font(fonts::regular(12.5)).color(t.text_muted)).wrap());
            } else {
                ui.scope(|ui| {
                    // The axes are quieter than what is drawn.
                    ui.visuals_mut().override_text_color = Some(t.text_muted);
                    ui.style_mut().text_styles.insert(egui::TextStyle::Body, fonts::regular(11.0));
                    self.draw(ui, store.newest_ms(), &series, height);
                });
            }
        });
    }

    /// The first topic with numbers, kept as long as it is there.
    fn fallback(&mut self, store: &MessageStore) -> Option<NodeId> {
        if let Some((generation, node)) = self.fallback
            && generation == store.generation()
        {
            return Some(node);
        }
        self.fallback = below(store, ROOT).map(|node| (store.generation(), node)).next();
        self.fallback.map(|(_, node)| node)
    }

    fn choose(&self, series: &mut [Series<'_>]) {
        let plain = |label: &str| {
            let last = label.rsplit([' ', '.']).next().unwrap_or(label);
            !COUNTERS.contains(&last.to_lowercase().as_str())
        };
        let any_plain = series.iter().any(|one| plain(&one.label));
        let mut drawn = 0;
        for one in series {
            let by_itself = drawn < DRAWN && (!any_plain || plain(&one.label));
            one.drawn = self.chosen.get(&one.label).copied().unwrap_or(by_itself);
            drawn += usize::from(one.drawn);
        }
    }

    fn draw(&self, ui: &mut Ui, newest_ms: u64, series: &[Series<'_>], height: f32) {
        let t = tokens(ui);
        let span = self.range.seconds();
        let from = newest_ms.saturating_sub(span * 1000);
        let pieces = (ui.available_width() as usize).max(50);
        let lines: Vec<(&Series<'_>, Vec<PlotPoint>)> = series
            .iter()
            .filter(|one| one.drawn)
            .map(|one| {
                let points: Vec<_> = one.field.since(from).collect();
                let at = |ms: u64| (ms as f64 - newest_ms as f64) / 1000.0;
                (one, thin(&points, pieces).into_iter().map(|(ms, y)| PlotPoint::new(at(ms), y)).collect())
            })
            .collect();
        let (low, high) = bounds(&lines);
        let step = self.range.step() as f64;
        let spacer = move |_: GridInput| grid(newest_ms, span, step);
        let clock = move |x: f64| when::clock(newest_ms.saturating_add_signed((x * 1000.0).round() as i64));
        Plot::new("watch plot")
            .height(height)
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
            .x_grid_spacer(spacer)
            .y_grid_spacer(move |_| levels(low, high, f64::from(height) / 34.0))
            .grid_spacing(egui::Rangef::new(8.0, 20.0))
            .x_axis_formatter(move |mark, _| clock(mark.value))
            .y_axis_formatter(|mark, _| number_text(mark.value, mark.step_size))
            .y_axis_min_width(34.0)
            .label_formatter(move |at| match at {
                HoverPosition::NearDataPoint { plot_name, position, .. } => {
                    Some(format!("{plot_name}: {}\n{}", number_text(position.y, 0.01), clock(position.x)))
                }
                HoverPosition::Elsewhere { .. } => None,
            })
            .show(ui, |plot| {
                plot.set_plot_bounds_x(-(span as f64)..=0.0);
                plot.set_plot_bounds_y(low..=high);
                for (one, points) in lines {
                    // A line through few points hides where they are, and through one is nothing.
                    if points.len() <= FEW {
                        let dots: Vec<[f64; 2]> = points.iter().map(|point| [point.x, point.y]).collect();
                        plot.points(Points::new(one.label.clone(), dots).color(one.ink).radius(2.5));
                    }
                    plot.line(
                        Line::new(one.label.clone(), PlotPoints::Owned(points))
                            .color(one.ink)
                            .width(1.6)
                            .fill(low as f32)
                            .fill_alpha(0.08),
                    );
                }
            });
    }
}

/// The fields of a topic, or of the topics below a branch.
fn found<'a>(store: &'a MessageStore, node: NodeId, t: &Tokens) -> Vec<Series<'a>> {
    let inks = [t.accent, t.teal.mark, t.violet.mark, t.amber.mark, t.green.mark, t.red.mark];
    let mut series = Vec::new();
    let own = store.series().of(node);
    let mut push = |label: String, field: &'a Field| {
        let ink = inks[series.len() % inks.len()];
        series.push(Series { label, field, ink, drawn: false });
    };
    if own.is_empty() {
        let top = store.tree().path(node);
        for topic in below(store, node).take(OFFERED) {
            let path = store.tree().path(topic);
            let short = path.strip_prefix(top.as_str()).unwrap_or(&path).trim_start_matches('/').to_owned();
            let fields = store.series().of(topic);
            let telling: Vec<&Field> =
                fields.iter().filter(|field| !COUNTERS.contains(&field.name())).collect();
            let one = telling.len() == 1;
            for field in if telling.is_empty() { fields.iter().collect() } else { telling } {
                push(if one { short.clone() } else { format!("{short} {}", field.name()) }, field);
            }
        }
    } else {
        for field in own {
            push(field.name().to_owned(), field);
        }
    }
    series.truncate(OFFERED);
    series
}

/// Topics with numbers below a level, as the tree shows them, within a bound.
fn below(store: &MessageStore, top: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    let mut stack = vec![top];
    let mut seen = HashSet::new();
    std::iter::from_fn(move || {
        while let Some(node) = stack.pop() {
            if seen.len() >= SEARCHED || !seen.insert(node) {
                return None;
            }
            stack.extend(store.tree().children(node).iter().rev());
            if node != top && store.series().has(node) {
                return Some(node);
            }
        }
        None
    })
}

/// A dot and the name with its newest number; a click switches the line.
fn legend(ui: &mut Ui, one: &Series<'_>) -> egui::Response {
    let t = tokens(ui);
    let ink = if one.drawn { t.text } else { t.text_faint };
    let value = one.field.last().map(|number| number_text(number, 0.01)).unwrap_or_default();
    let text = ui.painter().layout_no_wrap(one.label.clone(), fonts::regular(12.5), ink);
    let number =
        ui.painter().layout_no_wrap(value, fonts::medium(12.5), if one.drawn { t.text_strong } else { ink });
    let size = vec2(16.0 + text.size().x + 6.0 + number.size().x + 8.0, 24.0);
    if size.x > ui.available_width() {
        return ui.allocate_response(vec2(0.0, 24.0), Sense::hover());
    }
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response
        .widget_info(|| WidgetInfo::selected(Role::CheckBox, true, one.drawn, format!("Draw {}", one.label)));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, CornerRadius::same(RADIUS_SMALL), t.control);
    }
    let y = rect.center().y;
    let dot = egui::pos2(rect.left() + 7.0, y);
    if one.drawn {
        ui.painter().circle_filled(dot, 3.5, one.ink);
    } else {
        ui.painter().circle_stroke(dot, 3.0, egui::Stroke::new(1.0, one.ink));
    }
    let text_size = text.size();
    ui.painter().galley(egui::pos2(rect.left() + 16.0, y - text_size.y / 2.0), text, ink);
    let at = egui::pos2(rect.left() + 16.0 + text_size.x + 6.0, y - number.size().y / 2.0);
    ui.painter().galley(at, number, ink);
    response
}

/// The lowest and highest number with some air around them.
fn bounds(lines: &[(&Series<'_>, Vec<PlotPoint>)]) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for point in lines.iter().flat_map(|(_, points)| points) {
        low = low.min(point.y);
        high = high.max(point.y);
    }
    if low > high {
        return (0.0, 1.0);
    }
    let air = ((high - low) * 0.12).max(high.abs() * 0.002).max(1e-9);
    (low - air, high + air)
}

/// Marks at round times of the day, `step` seconds apart.
fn grid(newest_ms: u64, span: u64, step: f64) -> Vec<GridMark> {
    let newest = newest_ms as f64 / 1000.0;
    let first = ((newest - span as f64) / step).ceil() as i64;
    let last = (newest / step).floor() as i64;
    (first..=last).map(|at| GridMark { value: at as f64 * step - newest, step_size: step }).collect()
}

/// Marks at round numbers: steps of 1, 2 or 5 times a power of ten, about `wanted` of them.
fn levels(low: f64, high: f64, wanted: f64) -> Vec<GridMark> {
    let rough = (high - low) / wanted.max(2.0);
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| power * factor >= rough).unwrap_or(10.0);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    if !step.is_finite() || step <= 0.0 || last - first > 100.0 {
        return Vec::new();
    }
    (0..=(last - first) as i64)
        .map(|at| GridMark { value: (first + at as f64) * step, step_size: step })
        .collect()
}

/// A number with as many digits as the step needs.
fn number_text(number: f64, step: f64) -> String {
    let magnitude = number.abs();
    if magnitude >= 1e7 || (magnitude > 0.0 && magnitude < 1e-4) {
        return format!("{number:.2e}");
    }
    let digits = if step >= 1.0 { 0 } else { (-step.log10()).ceil().clamp(0.0, 6.0) as usize };
    let text = format!("{number:.digits$}");
    if step == 0.01 && text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_marks_stand_at_round_times_within_the_range() {
        let marks = grid(1_000_037_000, 300, 60.0);
        assert_eq!(marks.len(), 5);
        for mark in marks {
            assert!((-300.0..=0.0).contains(&mark.value));
            assert!(((1_000_037.0 + mark.value) / 60.0).fract().abs() < 1e-9);
        }
    }

    #[test]
    fn levels_stand_at_round_numbers() {
        let values =
            |low, high| levels(low, high, 5.0).into_iter().map(|mark| mark.value).collect::<Vec<_>>();
        assert_eq!(values(48.0, 73.0), [50.0, 55.0, 60.0, 65.0, 70.0]);
        assert_eq!(values(-1.0, 1.0), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert!(levels(f64::NAN, 1.0, 5.0).is_empty() && levels(1.0, 1.0, 5.0).is_empty());
    }

    #[test]
    fn numbers_have_the_digits_that_are_worth_reading() {
        assert_eq!(number_text(61.0, 0.01), "61");
        assert_eq!(number_text(61.25, 0.01), "61.25");
        assert_eq!(number_text(61.25, 10.0), "61");
        assert_eq!(number_text(0.5, 0.1), "0.5");
        assert_eq!(number_text(123_456_789.0, 1.0), "1.23e8");
    }
}
