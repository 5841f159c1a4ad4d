//! How a model was judged ([`Judgement`](crate::train::Judgement)) as sections of the card.

use serde_json::Value;

use super::html::{Table, escape};
use super::json::{cell, shown};

/// The figures of a cut-off or a segment that a table has room for, by their names in machines' and in people's words.
const FIGURES: [(&str, &str); 4] =
    [("auc", "AUC"), ("lift_10pct", "lift, top 10%"), ("log_loss", "log loss"), ("calibration_ratio", "observed / expected")];

/// The sections with their titles, those without content empty.
pub(super) fn sections(judgement: &Value) -> Vec<(&'static str, String)> {
    let text = |words: &str, content: String| if content.is_empty() { content } else { format!("<p>{}</p>\n{content}", escape(words)) };
    vec![
        ("Gates", gates(&judgement["gates"])),
        ("Against the champion", text("The champion's recipe, fitted on the same rows as the new model.", shown(&judgement["champion"]))),
        ("Backtest", backtest(&judgement["backtest"])),
        ("Segments", text("The chosen estimator on the test rows.", segments(&judgement["segments"]))),
        ("Drift", text("From the rows learned from to the test rows (population stability index).", shown(&judgement["drift"]))),
        ("Stability of the reasons", shown(&judgement["stability"])),
        ("Choice of the calibration", shown(&judgement["calibration"])),
    ]
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn gates(gates: &Value) -> String {
    if items(gates).next().is_none() {
        return String::new();
    }
    let mut table = Table::new(&["gate", "passed", "why"]);
    for gate in items(gates) {
        table.row(&[&cell(&gate["gate"]), &cell(&gate["passed"]), &cell(&gate["says"])]);
    }
    table.end()
}

fn backtest(backtest: &Value) -> String {
    let mut out = String::new();
    for estimator in items(backtest) {
        let chosen = if estimator["chosen"] == true { ", chosen" } else { "" };
        out.push_str(&format!("<h3>{}{chosen}</h3>\n", escape(&cell(&estimator["estimator"]).replace('_', " "))));
        let mut table = figures(&["part", ">from", ">to", ">rows", ">events"], &estimator["pooled"]);
        for part in items(&estimator["cutoffs"]).chain([&estimator["pooled"]]) {
            let lead = ["part", "from", "to", "rows", "events"].map(|key| cell(&part[key]));
            table.add(&lead, part);
        }
        out.push_str(&table.table.end());
    }
    out
}

fn segments(segments: &Value) -> String {
    let Some(first) = items(segments).next() else { return String::new() };
    let mut table = figures(&["by", "segment", ">rows", ">events", ">rate", ">predicted"], first);
    for segment in items(segments) {
        let lead = ["column", "segment", "rows", "events", "rate", "predicted"].map(|key| cell(&segment[key]));
        table.add(&lead, segment);
    }
    table.table.end()
}

/// A table with some columns of its own, then figures by row, then by weight where there are any.
struct Figures {
    table: Table,
    weighted: bool,
}

fn figures(lead: &[&str], example: &Value) -> Figures {
    let weighted = example["by_weight"].is_object();
    let mut heads: Vec<String> = lead.iter().map(|h| (*h).to_owned()).collect();
    heads.extend(FIGURES.iter().map(|(_, label)| format!(">{label}")));
    if weighted {
        heads.extend(FIGURES[..2].iter().map(|(_, label)| format!(">{label}, weighted")));
    }
    Figures { table: Table::new(&heads), weighted }
}

impl Figures {
    fn add(&mut self, lead: &[String], of: &Value) {
        let mut cells = lead.to_vec();
        cells.extend(FIGURES.iter().map(|(name, _)| cell(&of["by_rows"][*name])));
        if self.weighted {
            cells.extend(FIGURES[..2].iter().map(|(name, _)| cell(&of["by_weight"][*name])));
        }
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        self.table.row(&cells);
    }
}
