//! The card's plots as inline SVG. Coordinates have one decimal, so that the same figures give the same bytes everywhere.

use std::fmt::Write as _;

use super::html::{escape, number};
use crate::metrics::Bin;
use crate::train::Gain;

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// A plot of shares against shares, both axes from 0 to a bound of their own.
struct Plot {
    out: String,
    x_max: f64,
    y_max: f64,
}

impl Plot {
    fn new(label: &str, x_max: f64, y_max: f64, x_title: &str, y_title: &str) -> Self {
        let out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n", escape(label));
        let mut plot = Self { out, x_max, y_max };
        for step in 0..=4 {
            let share = f64::from(step) / 4.0;
            let (x, y) = (plot.x(x_max * share), plot.y(y_max * share));
            plot.line("axis", (LEFT, y), (WIDTH - RIGHT, y));
            plot.text("", (LEFT - 8.0, y + 4.0), "end", &tick(y_max * share, y_max));
            plot.text("", (x, HEIGHT - BOTTOM + 18.0), "middle", &tick(x_max * share, x_max));
        }
        plot.text("", ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0), "middle", x_title);
        let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
        plot.push(&format!("<text transform=\"translate(13 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>", escape(y_title)));
        plot
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (value / self.x_max).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value / self.y_max).clamp(0.0, 1.0))
    }

    fn push(&mut self, element: &str) {
        self.out.push_str(element);
        self.out.push('\n');
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.push(&format!("<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>", from.0, from.1, to.0, to.1));
    }

    fn text(&mut self, class: &str, at: (f64, f64), anchor: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.push(&format!("<text{class} x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>", at.0, at.1, escape(text)));
    }

    fn curve(&mut self, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y))).collect();
        self.push(&format!("<polyline class=\"curve\" points=\"{}\"/>", points.join(" ")));
    }

    fn dot(&mut self, x: f64, y: f64, title: &str) {
        let (x, y) = (self.x(x), self.y(y));
        self.push(&format!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{}</title></circle>", escape(title)));
    }

    fn end(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }
}

fn tick(value: f64, bound: f64) -> String {
    if bound >= 0.2 { format!("{:.0}%", value * 100.0) } else { format!("{:.1}%", value * 100.0) }
}

/// The smallest round share that holds a value: quarters of it are round as well.
fn bound(value: f64) -> f64 {
    [0.02, 0.04, 0.08, 0.2, 0.4, 0.6, 0.8].into_iter().find(|b| value <= *b).unwrap_or(1.0)
}

/// Observed shares against predicted ones, with intervals.
pub(super) fn calibration(bins: &[Bin]) -> String {
    if bins.is_empty() {
        return String::new();
    }
    let x_max = bound(bins.iter().map(|b| b.predicted).fold(0.0, f64::max));
    let y_max = bound(bins.iter().map(|b| b.high).fold(x_max, f64::max));
    let mut plot = Plot::new("Observed shares of events against predicted probabilities", x_max, y_max, "predicted", "observed");
    plot.line("ideal", (plot.x(0.0), plot.y(0.0)), (plot.x(x_max), plot.y(x_max)));
    for bin in bins {
        let x = plot.x(bin.predicted);
        plot.line("whisker", (x, plot.y(bin.low)), (x, plot.y(bin.high)));
    }
    plot.curve(&bins.iter().map(|b| (b.predicted, b.observed)).collect::<Vec<_>>());
    for bin in bins {
        plot.dot(bin.predicted, bin.observed, &format!("{} events in {} rows", bin.events, bin.rows));
    }
    plot.end()
}

/// The share of the events found among the highest scores.
pub(super) fn gains(gains: &[Gain]) -> String {
    let mut plot = Plot::new("Share of the events found among the highest scores", 1.0, 1.0, "accounts, from the top", "events found");
    plot.line("ideal", (plot.x(0.0), plot.y(0.0)), (plot.x(1.0), plot.y(1.0)));
    let known = gains.iter().map(|g| (f64::from(g.top_pct) / 100.0, g.captured_pct / 100.0));
    let points: Vec<(f64, f64)> = std::iter::once((0.0, 0.0)).chain(known).chain([(1.0, 1.0)]).collect();
    plot.curve(&points);
    for gain in gains {
        plot.dot(
            f64::from(gain.top_pct) / 100.0,
            gain.captured_pct / 100.0,
            &format!("{:.1}% of the events in the top {}%", gain.captured_pct, gain.top_pct),
        );
    }
    plot.end()
}

/// Bars with their names, the first the longest.
pub(super) fn bars(bars: &[(String, f64)]) -> String {
    const ROW: f64 = 24.0;
    const WIDE: f64 = 880.0;
    const NAMES: f64 = 330.0;
    let longest = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let height = ROW * bars.len() as f64 + 8.0;
    let mut out = format!("<svg viewBox=\"0 0 {WIDE} {height:.0}\" role=\"img\" aria-label=\"Mean contribution of each feature\">\n");
    for (at, (name, value)) in bars.iter().enumerate() {
        let y = ROW * at as f64 + 4.0;
        let width = (WIDE - NAMES - 70.0) * value / longest;
        let (text, bar) = (y + 16.0, NAMES + 10.0);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<text class=\"name\" x=\"{NAMES}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text><rect class=\"bar\" x=\"{bar:.1}\" y=\"{:.1}\" \
             width=\"{width:.1}\" height=\"16\" rx=\"2\"/><text x=\"{:.1}\" y=\"{text:.1}\">{}</text>",
            escape(&short(name)),
            y + 3.0,
            bar + width + 6.0,
            number(*value),
        );
    }
    out.push_str("</svg>\n");
    out
}

fn short(name: &str) -> String {
    const MOST: usize = 48;
    if name.chars().count() <= MOST { name.to_owned() } else { name.chars().take(MOST - 1).chain(['…']).collect() }
}
