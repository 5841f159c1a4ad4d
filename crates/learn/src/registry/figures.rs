//! A training's figures on its test slice, out of its `detail`: one list for comparisons, cards and other registries.
//!
//! Whatever number the judging writes is a figure here, known by name or not: a new measure needs no change in those who show it.

use serde::Serialize;
use serde_json::Value;

/// A figure with its interval, where it has one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name in machines' words, such as `auc` or `weighted.auc`.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// The estimate.
    pub value: f64,
    /// Lower end of its confidence interval.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
}

/// The figures everybody asks for, in the order in which they are shown; the rest follows by name.
const KNOWN: [(&str, &str); 12] = [
    ("auc", "AUC"),
    ("average_precision", "average precision"),
    ("log_loss", "log loss"),
    ("log_loss_of_rate", "log loss of the rate alone"),
    ("brier", "Brier score"),
    ("lift_10pct", "lift, top 10%"),
    ("calibration_error", "expected calibration error"),
    ("calibration_ratio", "observed / expected events"),
    ("calibration_slope", "calibration slope"),
    ("rows", "rows judged on"),
    ("events", "events among them"),
    ("event_accounts", "accounts with the event"),
];

/// How deep figures are looked for.
const DEEPEST: usize = 4;

/// The figures of a training; none where there was too little to judge.
pub fn figures(detail: &Value) -> Vec<Figure> {
    let mut found = Vec::new();
    walk("", &detail["test"], 0, &mut found);
    let rank = |name: &str| KNOWN.iter().position(|(known, _)| *known == name).unwrap_or(KNOWN.len());
    found.sort_by(|a, b| rank(&a.name).cmp(&rank(&b.name)).then_with(|| a.name.cmp(&b.name)));
    found
}

fn walk(name: &str, value: &Value, depth: usize, found: &mut Vec<Figure>) {
    if let Some(number) = value.as_f64() {
        found.push(Figure { name: name.to_owned(), label: label(name), value: number, low: None, high: None });
    }
    let Some(fields) = value.as_object().filter(|_| depth < DEEPEST) else { return };
    if let Some(number) = value["value"].as_f64() {
        let (low, high) = (value["low"].as_f64(), value["high"].as_f64());
        found.push(Figure { name: name.to_owned(), label: label(name), value: number, low, high });
        return;
    }
    for (key, field) in fields {
        // Which figures have intervals is no part of their names.
        let inner = match (name, key.as_str()) {
            (outer, "uncertainty") => outer.to_owned(),
            ("", key) => key.to_owned(),
            (outer, key) => format!("{outer}.{key}"),
        };
        walk(&inner, field, depth + 1, found);
    }
}

fn label(name: &str) -> String {
    let (last, outer) = match name.rsplit_once('.') {
        Some((outer, last)) => (last, Some(outer)),
        None => (name, None),
    };
    let last = KNOWN.iter().find(|(known, _)| *known == last).map_or_else(|| words(last), |(_, label)| (*label).to_owned());
    match outer {
        Some(outer) => format!("{last}, {}", words(outer)),
        None => last,
    }
}

fn words(name: &str) -> String {
    name.replace('.', ", ").replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_figures_of_every_depth_and_puts_the_known_ones_first() {
        let detail = json!({"test": {
            "brier": 0.1, "gains": [{"top_pct": 5}], "expected_profit": 3.5, "none": null,
            "uncertainty": {"auc": {"value": 0.7, "low": 0.6, "high": 0.8}},
            "weighted": {"auc": {"value": 0.65, "low": 0.5, "high": 0.75}},
        }});
        let found: Vec<String> =
            figures(&detail).iter().map(|f| format!("{} ({}) {} {:?} {:?}", f.name, f.label, f.value, f.low, f.high)).collect();
        assert_eq!(
            found,
            [
                "auc (AUC) 0.7 Some(0.6) Some(0.8)",
                "brier (Brier score) 0.1 None None",
                "expected_profit (expected profit) 3.5 None None",
                "weighted.auc (AUC, weighted) 0.65 Some(0.5) Some(0.75)",
            ]
        );
        assert!(figures(&json!({"gap_days": 30})).is_empty());
    }
}
