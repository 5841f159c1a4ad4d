//! The model card as one HTML page: no script, no other file, readable in light, dark and on paper.
//!
//! What a template engine would do is little here, and learn may not name one: text is escaped where it enters ([`html::escape`]).

mod html;
mod json;
mod judgement;
mod plots;

use cscopilot_spec::Model;
use serde_json::Value;

use crate::data::dataset::Dataset;
use crate::registry::card::{Head, LIMITS, XGBOOST_VERSION, capital, searches};
use crate::registry::figures::figures;
use crate::registry::{FeatureInfo, FeatureList};
use crate::score::reasons;
use crate::train::{Judged, Training};
use html::{Table, escape, number, percent};

/// How many features get a bar.
const BARS: usize = 15;
/// What of a training's `detail` has a place of its own on the page, or none: what else is in there is shown as it is.
const PLACED: [&str; 12] = [
    "candidates",
    "test",
    "calibration",
    "gains",
    "importance",
    "calibration_method",
    "gap_days",
    "rows_censored",
    "development",
    "refitted_on_all",
    "judgement",
    "fingerprint",
];

/// What a card is made from.
pub struct Source<'a> {
    /// What heads it.
    pub head: &'a Head,
    /// The model's file.
    pub model: &'a Model,
    /// All labelled rows.
    pub data: &'a Dataset,
    /// What came out.
    pub training: &'a Training,
    /// The features, unless there was too little to learn from.
    pub features: Option<&'a FeatureList>,
    /// Everything about the training that has no column.
    pub detail: &'a Value,
}

/// `card.html`. The same source gives the same bytes.
pub fn page(source: &Source<'_>) -> String {
    let head = source.head;
    let title = source.model.title.as_deref().unwrap_or(&head.model);
    let mut body = vec![top(source, title), purpose(source)];
    if let Some(judged) = &source.training.judged {
        body.push(measured(source, judged));
        body.push(section("Calibration", &calibration(judged)));
        body.push(section("Gains", &gains(judged)));
        body.extend(judgement::sections(&source.detail["judgement"]).iter().map(|(title, content)| section(title, content)));
        body.push(section("Rows", &rows(source, judged)));
        body.push(section("Estimators", &candidates(judged)));
    }
    for (key, value) in source.detail.as_object().into_iter().flatten() {
        if !PLACED.contains(&key.as_str()) {
            body.push(section(&capital(&key.replace('_', " ")), &json::shown(value)));
        }
    }
    if let Some(features) = source.features {
        body.push(section("What moves the score", &importance(features)));
        body.push(section("Features", &feature_table(features)));
    }
    body.push(section("Limits", &format!("<p>{}</p>", escape(LIMITS))));
    body.push(section("How it was made", &made(source)));
    html::document(&format!("{title}, version {}", head.version), &body.concat())
}

fn section(title: &str, content: &str) -> String {
    if content.is_empty() { String::new() } else { format!("<section><h2>{}</h2>\n{content}</section>\n", escape(title)) }
}

fn top(source: &Source<'_>, title: &str) -> String {
    let head = source.head;
    let (class, state) = if head.promoted { ("good", "promoted") } else { ("bad", "refused") };
    let estimator = head.estimator.as_deref().map_or_else(String::new, |e| format!(" · {}", escape(&e.replace('_', " "))));
    format!(
        "<header><p class=\"kind\">Model card</p><h1>{}</h1>\n<p class=\"state\"><b class=\"{class}\">{state}</b> version {} · trained as of \
         {}{estimator}</p>\n<p>{}.</p></header>\n",
        escape(title),
        head.version,
        head.trained_as_of,
        escape(&capital(&head.reason)),
    )
}

fn purpose(source: &Source<'_>) -> String {
    let (model, label) = (source.model, &source.model.label);
    let intended = model.description.as_deref().map_or_else(String::new, |text| format!("<p>{}</p>\n", escape(text.trim())));
    let window = format!(
        "<p>It predicts <code>{}.{}</code>: the event between {} and {} days after the date of a row. {} of all rows could not be used yet, \
         since that window was not over.</p>\n",
        escape(&label.table.value),
        escape(&label.column.value),
        label.lead_days.value,
        model.window_days(),
        number(source.data.censored as f64),
    );
    section("Intended use", &format!("{intended}{window}"))
}

fn measured(source: &Source<'_>, judged: &Judged) -> String {
    let test = &judged.test;
    let interval = |i: &crate::metrics::bootstrap::Interval| format!("{} to {}", number(i.low), number(i.high));
    let tiles = [
        ("AUC", number(test.uncertainty.auc.value), interval(&test.uncertainty.auc)),
        ("lift, top 10%", number(test.lift_10pct), "times as many as by chance".to_owned()),
        ("observed / expected", number(test.uncertainty.calibration_ratio.value), interval(&test.uncertainty.calibration_ratio)),
        ("judged on", format!("{} rows", number(test.rows as f64)), format!("{} events", number(test.events as f64))),
    ];
    let tiles: String = tiles
        .iter()
        .map(|(name, value, note)| format!("<li><span>{}</span><b>{}</b><small>{}</small></li>", escape(name), escape(value), escape(note)))
        .collect();
    let mut table = Table::new(&["figure", ">value", ">interval"]);
    for figure in figures(source.detail) {
        let interval = figure.low.zip(figure.high).map_or_else(String::new, |(low, high)| format!("{} to {}", number(low), number(high)));
        table.row(&[&figure.label, &number(figure.value), &interval]);
    }
    let note = format!(
        "<p class=\"note\">Measured on rows later than everything the model had learned from. Intervals: {} by a bootstrap over accounts.</p>",
        percent(source.model.gates.confidence.value, 0)
    );
    section("What was measured", &format!("<ul class=\"tiles\">{tiles}</ul>\n{}{note}\n", table.end()))
}

fn calibration(judged: &Judged) -> String {
    let mut table = Table::new(&[">predicted", ">observed", ">95% interval", ">rows", ">events"]);
    for bin in &judged.test.calibration {
        table.row(&[
            &percent(bin.predicted, 1),
            &percent(bin.observed, 1),
            &format!("{} to {}", percent(bin.low, 1), percent(bin.high, 1)),
            &number(bin.rows as f64),
            &number(bin.events as f64),
        ]);
    }
    let plot = plots::calibration(&judged.test.calibration);
    let text = format!(
        "<p>Of the accounts that got a probability, how many had the event; on the line the two agree. Bars are intervals. Probabilities \
         come from margins by the method <i>{}</i>.</p>",
        escape(judged.calibrator.name())
    );
    figure(&plot, &format!("{text}\n{}", table.end()))
}

fn gains(judged: &Judged) -> String {
    let mut table = Table::new(&[">accounts called, from the top", ">events among them", ">times chance"]);
    for gain in &judged.test.gains {
        table.row(&[&format!("{}%", gain.top_pct), &format!("{:.1}%", gain.captured_pct), &format!("{:.2}", gain.lift)]);
    }
    figure(
        &plots::gains(&judged.test.gains),
        &format!("<p>Whoever works the list from its top meets so many of the events.</p>\n{}", table.end()),
    )
}

fn figure(plot: &str, beside: &str) -> String {
    format!("<div class=\"beside\"><figure>{plot}</figure><div>{beside}</div></div>\n")
}

fn rows(source: &Source<'_>, judged: &Judged) -> String {
    let data = source.data;
    let mut table = Table::new(&["part", "from", "to", ">rows", ">events", ">rate"]);
    let mut part = |name: &str, rows: &[usize]| {
        if let Some((from, to)) = data.span(rows) {
            let events = data.count_events(rows);
            let rate = percent(events as f64 / rows.len().max(1) as f64, 1);
            table.row(&[name, &from.to_string(), &to.to_string(), &number(rows.len() as f64), &number(events as f64), &rate]);
        }
    };
    part("development", &judged.plan.development);
    for (k, fold) in judged.plan.folds.iter().enumerate() {
        part(&format!("fold {} of it", k + 1), &fold.valid);
    }
    part("test", &judged.plan.test);
    if source.training.promoted {
        part("all, for tonight's model", &judged.all);
    }
    let gap = source.model.gap_days();
    let text = format!(
        "<p>Between what is learned from and what is judged on lie at least {gap} days. Everything but the promotion was decided on the \
         folds.{}</p>",
        if source.training.promoted {
            " The promoted model was then fitted once more, unchanged in everything else, on all rows up to the training date; its \
             calibration is the one that was judged."
        } else {
            ""
        }
    );
    format!("{text}\n{}", table.end())
}

fn candidates(judged: &Judged) -> String {
    let mut table = Table::new(&["estimator", ">AUC on the folds", ">AUC on the test rows", ">lift, top 10%", ""]);
    for c in &judged.candidates {
        let shown = |x: Option<f64>| x.map_or_else(String::new, number);
        let mark = if c.chosen { "chosen" } else { "" };
        let estimator = c.estimator.replace('_', " ");
        table.row(&[&estimator, &number(c.validation_auc), &shown(c.test_auc), &shown(c.test_lift_10pct), mark]);
    }
    let searches: String = searches(&judged.candidates).map(|said| format!(" {}", escape(&said))).collect();
    format!("<p>The choice was made on the folds.{searches}</p>\n{}", table.end())
}

fn by_importance(features: &FeatureList) -> Vec<&FeatureInfo> {
    let mut sorted: Vec<&FeatureInfo> = features.features.iter().collect();
    sorted.sort_by(|a, b| b.importance.total_cmp(&a.importance).then_with(|| a.name.cmp(&b.name)));
    sorted
}

fn importance(features: &FeatureList) -> String {
    let bars: Vec<(String, f64)> =
        by_importance(features).iter().filter(|f| f.importance > 0.0).take(BARS).map(|f| (f.label.clone(), f.importance)).collect();
    if bars.is_empty() {
        return String::new();
    }
    format!(
        "<p>Mean size of each feature's contribution to the margin (log odds) on the test rows. Correlated features share it.</p>\n\
         <figure class=\"wide\">{}</figure>\n",
        plots::bars(&bars)
    )
}

fn feature_table(features: &FeatureList) -> String {
    let mut table = Table::new(&["feature", "column", "type", ">typical", ">from", ">to", ">missing", ">contribution"]);
    for f in by_importance(features) {
        let shown = |x: Option<f64>| x.map_or_else(String::new, |x| reasons::number(x, None, false));
        let kind = features.types.get(&f.name).map_or("", String::as_str);
        table.row(&[
            &f.label,
            &f.name,
            kind,
            &shown(f.median),
            &shown(f.min),
            &shown(f.max),
            &percent(f.missing_pct / 100.0, 1),
            &number(f.importance),
        ]);
    }
    format!("<p>{} columns of <code>{}</code>.</p>\n{}", features.features.len(), escape(&features.table), table.end())
}

fn made(source: &Source<'_>) -> String {
    let mut table = Table::new(&["", ""]);
    table.row(&["program", &format!("cscopilot {}", env!("CARGO_PKG_VERSION"))]);
    table.row(&["XGBoost", XGBOOST_VERSION]);
    table.row(&["seed", &source.model.seed.to_string()]);
    table.row(&["threads", &source.model.threads.value.to_string()]);
    if let Some(fingerprint) = source.detail["fingerprint"].as_str() {
        table.row(&["rows learned from and judged on (BLAKE3)", fingerprint]);
    }
    table.end()
}

#[cfg(test)]
mod tests;
