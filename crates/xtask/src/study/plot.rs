//! The learning curve as a picture: the models' AUC and its intervals by the number of customers, against the ceiling.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;

/// One trained model.
struct Point {
    customers: f64,
    auc: f64,
    low: f64,
    high: f64,
    true_auc: f64,
    ceiling: f64,
}

pub(super) fn draw(figures: &Path, out: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(figures).map_err(|e| format!("{}: {e}", figures.display()))?;
    let figures: Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", figures.display()))?;
    let points: Vec<Point> = figures["companies"].as_array().into_iter().flatten().filter_map(point).collect();
    if points.is_empty() {
        return Err("the study has no figures of trained models".to_owned());
    }
    std::fs::write(out, svg(&points, figures["known_that_evening"].as_f64())).map_err(|e| format!("{}: {e}", out.display()))
}

fn point(value: &Value) -> Option<Point> {
    let number = |key: &str| value[key].as_f64();
    Some(Point {
        customers: number("accounts")?,
        auc: number("auc")?,
        low: number("auc_low")?,
        high: number("auc_high")?,
        true_auc: number("true_auc")?,
        ceiling: number("true_ceiling")?,
    })
}

fn svg(points: &[Point], known: Option<f64>) -> String {
    let (first, last) = points.iter().fold((f64::MAX, 0.0_f64), |(a, b), p| (a.min(p.customers), b.max(p.customers)));
    let span = (last / first).ln().max(1e-9);
    let x = |customers: f64| LEFT + 20.0 + (customers / first).ln() / span * (WIDTH - LEFT - RIGHT - 40.0);
    let (low, high) = (0.5, 0.95);
    let y = |auc: f64| TOP + (high - auc.clamp(low, high)) / (high - low) * (HEIGHT - TOP - BOTTOM);
    let mut out = String::new();
    let _ = writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="15" font-weight="600" fill="#1a1f2b">Churn models of simulated companies against what can be known</text>"##
    );
    for tick in [0.5, 0.6, 0.7, 0.8, 0.9] {
        let at = y(tick);
        let _ = writeln!(out, r##"<line x1="{LEFT}" x2="{}" y1="{at:.1}" y2="{at:.1}" stroke="#e3e6ec"/>"##, WIDTH - RIGHT);
        let _ = writeln!(out, r##"<text x="{}" y="{:.1}" text-anchor="end" fill="#5b6475">{tick:.1}</text>"##, LEFT - 8.0, at + 4.0);
    }
    let mut sizes: Vec<f64> = points.iter().map(|p| p.customers).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    for size in &sizes {
        let label = if *size >= 1000.0 { format!("{},000", size / 1000.0) } else { format!("{size}") };
        let _ = writeln!(
            out,
            r##"<text x="{:.1}" y="{}" text-anchor="middle" fill="#5b6475">{label}</text>"##,
            x(*size),
            HEIGHT - BOTTOM + 22.0
        );
    }
    let _ = writeln!(out, r##"<text x="{}" y="{}" text-anchor="middle" fill="#5b6475">customers</text>"##, WIDTH / 2.0, HEIGHT - 14.0);
    let ceiling = points.iter().map(|p| p.ceiling).sum::<f64>() / points.len() as f64;
    let mut line = |auc: f64, colour: &str, words: &str| {
        let (at, end) = (y(auc), WIDTH - RIGHT);
        let _ = writeln!(out, r##"<line x1="{LEFT}" x2="{end}" y1="{at:.1}" y2="{at:.1}" stroke="{colour}" stroke-dasharray="6 4"/>"##);
        let _ = writeln!(out, r##"<text x="{end}" y="{:.1}" text-anchor="end" fill="{colour}">{words}: {auc:.3}</text>"##, at - 6.0);
    };
    line(ceiling, "#b3261e", "the true hazards of the coming month");
    if let Some(auc) = known {
        line(auc, "#7a5a00", "told the true health and hazard of the evening");
    }
    for point in points {
        let at = x(point.customers);
        let _ = writeln!(
            out,
            r##"<line x1="{at:.1}" x2="{at:.1}" y1="{:.1}" y2="{:.1}" stroke="#7a9bd1" stroke-opacity=".35"/><circle cx="{at:.1}" cy="{:.1}" r="2.5" fill="#7a9bd1" fill-opacity=".6"/>"##,
            y(point.low),
            y(point.high),
            y(point.auc)
        );
    }
    let means: Vec<(f64, f64)> = sizes
        .iter()
        .map(|size| {
            let of: Vec<f64> = points.iter().filter(|p| p.customers == *size).map(|p| p.true_auc).collect();
            (x(*size), y(of.iter().sum::<f64>() / of.len() as f64))
        })
        .collect();
    let line: Vec<String> = means.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(out, r##"<polyline points="{}" fill="none" stroke="#1f4e9c" stroke-width="2"/>"##, line.join(" "));
    for (x, y) in &means {
        let _ = writeln!(out, r##"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="#1f4e9c"/>"##);
    }
    let _ = writeln!(
        out,
        r##"<text x="{LEFT}" y="42" fill="#5b6475"><tspan fill="#1f4e9c">●</tspan> AUC on a fresh company, mean <tspan dx="14" fill="#7a9bd1">●</tspan> AUC as measured by each training, with its 95% interval</text>
</svg>"##
    );
    out
}
