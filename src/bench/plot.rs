//! Plots as inline SVG: lines over two axes, nothing more.

use std::fmt::Write;

use super::table;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 34.0;

/// A line and its name.
pub struct Line {
    /// The class that colours it.
    pub class: &'static str,
    /// For the legend; empty for none.
    pub name: &'static str,
    /// x and y, x ascending.
    pub points: Vec<(f64, f64)>,
}

/// The axes: their spans, and where they are marked.
pub struct Scale {
    x: (f64, f64),
    y: (f64, f64),
    y_logarithmic: bool,
    x_marks: Vec<(f64, String)>,
    y_marks: Vec<(f64, String)>,
}

/// How far out a percentile lies: 90 is 1, 99 is 2, 99.9 is 3. The last of so many counted lies just beyond the others.
#[must_use]
pub fn nines(percentile: f64, count: u64) -> f64 {
    let smallest = 0.5 / (count.max(1) as f64);
    -(1.0 - percentile / 100.0).max(smallest).log10()
}

fn all(lines: &[Line]) -> impl Iterator<Item = (f64, f64)> + '_ {
    lines.iter().flat_map(|line| line.points.iter().copied())
}

/// 1, 2 or 5 times a power of ten, so that `span` has about `wanted` steps.
fn step(span: f64, wanted: f64) -> f64 {
    let rough = (span / wanted).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(power)
}

fn marks(to: f64, wanted: f64, name: fn(f64) -> String) -> Vec<(f64, String)> {
    let step = step(to, wanted);
    let count = (to / step).floor().min(100.0) as u32;
    (0..=count).map(|at| f64::from(at) * step).map(|value| (value, name(value))).collect()
}

impl Scale {
    /// Seconds, and counts from 0.
    #[must_use]
    pub fn over_time(lines: &[Line]) -> Self {
        let last = all(lines).map(|point| point.0).fold(0.1, f64::max);
        let most = all(lines).map(|point| point.1).fold(1.0, f64::max) * 1.05;
        Self {
            x: (0.0, last),
            y: (0.0, most),
            y_logarithmic: false,
            x_marks: marks(last, 8.0, |seconds| format!("{} s", (seconds * 100.0).round() / 100.0)),
            y_marks: marks(most, 5.0, table::count),
        }
    }

    /// Percentiles, stretched towards 100, and microseconds by powers of ten.
    #[must_use]
    pub fn by_percentile(lines: &[Line]) -> Self {
        let last = all(lines).map(|point| point.0).fold(1.0, f64::max);
        let least = all(lines).map(|point| point.1).fold(f64::MAX, f64::min).max(0.1);
        let most = all(lines).map(|point| point.1).fold(least, f64::max);
        let y = (10_f64.powf(least.log10().floor()), 10_f64.powf(most.log10().ceil()).max(least * 10.0));
        let decades = (y.1 / y.0).log10().round().clamp(1.0, 12.0) as i32;
        Self {
            x: (0.0, last),
            y,
            y_logarithmic: true,
            x_marks: [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999]
                .into_iter()
                .map(|percentile| (nines(percentile, u64::MAX), format!("{percentile} %")))
                .take_while(|mark| mark.0 <= last)
                .collect(),
            y_marks: (0..=decades)
                .map(|decade| y.0 * 10_f64.powi(decade))
                .map(|value| (value, table::time(value)))
                .collect(),
        }
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share =
            |value: f64, (from, to): (f64, f64)| ((value - from) / (to - from).max(1e-12)).clamp(0.0, 1.0);
        let up = if self.y_logarithmic {
            share(y.max(self.y.0).log10(), (self.y.0.log10(), self.y.1.log10()))
        } else {
            share(y, self.y)
        };
        (LEFT + share(x, self.x) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM))
    }
}

/// The lines as an SVG element. `title` is for those who cannot see it.
#[must_use]
pub fn plot(lines: &[Line], scale: &Scale, title: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
    for (value, name) in &scale.y_marks {
        let (_, y) = scale.at((scale.x.0, *value));
        let _ = writeln!(
            out,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0
        );
    }
    for (value, name) in &scale.x_marks {
        let (x, _) = scale.at((*value, scale.y.0));
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
            HEIGHT - BOTTOM + 20.0
        );
    }
    let mut legend = WIDTH - RIGHT;
    for line in lines {
        let points: Vec<String> =
            line.points.iter().map(|point| scale.at(*point)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(out, "<polyline class=\"{}\" points=\"{}\"/>", line.class, points.join(" "));
        if !line.name.is_empty() {
            let _ = writeln!(
                out,
                "<text class=\"{}\" x=\"{legend:.1}\" y=\"14\" text-anchor=\"end\">{}</text>",
                line.class, line.name
            );
            legend -= 80.0;
        }
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers_that_cover_the_span() {
        assert_eq!(step(100.0, 5.0), 20.0);
        assert_eq!(step(7.3e6, 5.0), 2e6);
        let names: Vec<String> =
            marks(1.0, 8.0, |value| format!("{value:.1}")).into_iter().map(|m| m.1).collect();
        assert_eq!(names, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn every_point_lies_within_the_plot_whatever_its_value() {
        let lines = [Line { class: "one", name: "", points: vec![(0.0, 0.0), (1.0, f64::MAX), (2.0, 3.0)] }];
        for scale in [Scale::over_time(&lines), Scale::by_percentile(&lines)] {
            for point in all(&lines) {
                let (x, y) = scale.at(point);
                assert!(
                    (LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y),
                    "{x} {y}"
                );
            }
        }
        assert!((nines(99.9, 10_000) - 3.0).abs() < 1e-9);
        assert!(nines(100.0, 1000).is_finite());
    }
}
