//! The model card and the other files of a version: what a sceptical reader needs to sign or to refuse.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::NaiveDate;
use cscopilot_spec::{FeatureDictionary, Model};
use serde::Serialize;
use serde_json::{Value, json};

use crate::data::dataset::Dataset;
use crate::error::{Error, Result};
use crate::estimate::search::Effort;
use crate::registry::{FeatureInfo, FeatureList};
use crate::score::reasons::label_of;
use crate::train::{Candidate, Judged, Training};

/// The features with what the reader of a reason needs to know: what is typical.
pub fn feature_list(model: &Model, data: &Dataset, judged: &Judged, dictionary: Option<&FeatureDictionary>) -> FeatureList {
    let features = data.table.features.iter().zip(&data.table.columns).zip(&judged.importance).enumerate();
    let features = features.map(|(at, ((name, column), importance))| {
        let categories = data.table.labels(at).map(<[String]>::to_vec);
        let mut known: Vec<f64> = judged.all.iter().map(|r| column[*r]).filter(|x| !x.is_nan()).collect();
        known.sort_by(f64::total_cmp);
        let missing_pct = 100.0 * (judged.all.len() - known.len()) as f64 / judged.all.len().max(1) as f64;
        // Codes of categories have no middle and no order.
        if categories.is_some() {
            known.clear();
        }
        FeatureInfo {
            name: name.clone(),
            label: label_of(name, dictionary),
            median: known.get(known.len() / 2).copied(),
            min: known.first().copied(),
            max: known.last().copied(),
            missing_pct,
            importance: *importance,
            categories,
        }
    });
    let correlated = crate::score::groups::correlated(&data.table, &judged.all);
    FeatureList {
        table: model.features.table.value.clone(),
        entity: model.sub_entity().map(str::to_owned),
        features: features.collect(),
        types: BTreeMap::new(),
        correlated,
    }
}

/// A hash of the labelled rows in their order, date, account (by its place among the dataset's), event and features' values: two
/// trainings with the same one saw the same rows.
pub fn fingerprint(data: &Dataset) -> String {
    let mut hash = blake3::Hasher::new();
    for name in &data.table.features {
        hash.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
    }
    let mut row_bytes = Vec::new();
    for row in 0..data.len() {
        row_bytes.clear();
        row_bytes.extend(data.dates[row].to_epoch_days().to_le_bytes());
        row_bytes.extend(data.accounts[row].to_le_bytes());
        row_bytes.push(u8::from(data.events[row]));
        for column in &data.table.columns {
            let value = column[row];
            // There are many NaNs; here a missing value is a missing value.
            row_bytes.extend(if value.is_nan() { f64::NAN } else { value }.to_bits().to_le_bytes());
        }
        hash.update(&row_bytes);
    }
    hash.finalize().to_hex().to_string()
}

/// Everything about a training beyond the columns of `ops.model_runs`; the shape of `judgement` is that of
/// [`Judgement`](crate::train::Judgement).
pub fn detail(model: &Model, data: &Dataset, training: &Training, features: Option<&FeatureList>) -> Value {
    let Some(judged) = &training.judged else {
        let fingerprint = fingerprint(data);
        return json!({
            "gap_days": model.gap_days(), "rows_censored": data.censored, "rows_too_young": data.too_young, "fingerprint": fingerprint,
        });
    };
    let mut important: Vec<&FeatureInfo> = features.map(|f| f.features.iter().collect()).unwrap_or_default();
    important.sort_by(|a, b| b.importance.total_cmp(&a.importance).then_with(|| a.name.cmp(&b.name)));
    let importance: Vec<Value> = important
        .iter()
        .filter(|f| f.importance > 0.0)
        .map(|f| json!({"feature": f.name, "label": f.label, "mean_abs_contribution": f.importance}))
        .collect();
    json!({
        "candidates": judged.candidates,
        "test": judged.test,
        "calibration": judged.test.calibration,
        "gains": judged.test.gains,
        "importance": importance,
        "calibration_method": judged.calibrator.name(),
        "gap_days": model.gap_days(),
        "rows_censored": data.censored,
        "development": {"rows": judged.plan.development.len(), "events": data.count_events(&judged.plan.development)},
        "refitted_on_all": training.promoted,
        "fingerprint": fingerprint(data),
        "judgement": judged.judgement,
    })
}

/// What heads a card.
#[derive(Debug, Clone, Serialize)]
pub struct Head {
    /// The model's name.
    pub model: String,
    /// Its version.
    pub version: i64,
    /// The logical date of the training.
    pub trained_as_of: NaiveDate,
    /// The estimator.
    pub estimator: Option<String>,
    /// Whether it passed the gates.
    pub promoted: bool,
    /// Why, in plain words.
    pub reason: String,
}

/// `card.json`
pub fn json_card(head: &Head, model: &Model, data: &Dataset, detail: &Value) -> Result<Vec<u8>> {
    let all: Vec<usize> = (0..data.len()).collect();
    let card = json!({
        "head": head,
        "intended_use": model.description,
        "label": {
            "table": model.label.table.value, "column": model.label.column.value,
            "horizon_days": model.label.horizon_days.value, "lead_days": model.label.lead_days.value,
        },
        "data": {"rows": data.len(), "events": data.count_events(&all), "censored": data.censored, "span": data.span(&all)},
        "software": {"cscopilot": env!("CARGO_PKG_VERSION"), "xgboost": XGBOOST_VERSION},
        "detail": detail,
    });
    pretty(&card)
}

/// What every reader of a card has to know.
pub const LIMITS: &str = "Intervals come from a bootstrap over accounts on one test period; they don't say how the model fares when the business \
                          changes. Contributions explain the model, not the customer: correlated features share credit.";

/// The version of the XGBoost library this program is built for.
pub const XGBOOST_VERSION: &str = "3.4.1";

/// JSON with a line end, as files in the registry are written.
pub fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| Error::Handover(e.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// `card.md`
pub fn markdown(head: &Head, model: &Model, data: &Dataset, training: &Training, features: Option<&FeatureList>) -> String {
    let mut out = String::new();
    let title = model.title.as_deref().unwrap_or(&head.model);
    let state = if head.promoted { "promoted" } else { "refused" };
    line(&mut out, &format!("# {title}, version {}\n", head.version));
    line(&mut out, &format!("Trained as of {}. **{}**: {}.\n", head.trained_as_of, capital(state), head.reason));
    if let Some(use_) = &model.description {
        line(&mut out, &format!("{}\n", use_.trim()));
    }
    let label = &model.label;
    line(&mut out, "## What it predicts\n");
    line(
        &mut out,
        &format!(
            "`{}.{}`: the event between {} and {} days after the date of a row. {} rows whose window was not over were left out.\n",
            label.table.value,
            label.column.value,
            label.lead_days.value,
            model.window_days(),
            data.censored
        ),
    );
    if let Some(entity) = model.sub_entity() {
        let what =
            format!("One row per `{entity}` and date; folds, intervals and counts of accounts go by the account that each belongs to.\n");
        line(&mut out, &what);
    }
    let Some(judged) = &training.judged else { return out };
    data_section(&mut out, model, data, training, judged);
    figures_section(&mut out, judged);
    if let Some(features) = features {
        feature_section(&mut out, features);
    }
    line(&mut out, "## Limits\n");
    line(&mut out, &format!("{LIMITS}\n"));
    line(&mut out, &format!("Rows' fingerprint (BLAKE3): `{}`.\n", fingerprint(data)));
    line(&mut out, &format!("Made by cscopilot {} with XGBoost {XGBOOST_VERSION}.", env!("CARGO_PKG_VERSION")));
    out
}

fn data_section(out: &mut String, model: &Model, data: &Dataset, training: &Training, judged: &Judged) {
    line(out, "## Data\n");
    line(out, "| part | from | to | rows | events |\n|---|---|---|---|---|");
    let mut row = |name: &str, rows: &[usize]| {
        if let Some((from, to)) = data.span(rows) {
            line(out, &format!("| {name} | {from} | {to} | {} | {} |", rows.len(), data.count_events(rows)));
        }
    };
    if judged.plan.crossed {
        row("all", &judged.plan.test);
    } else {
        row("development", &judged.plan.development);
    }
    for (k, fold) in judged.plan.folds.iter().enumerate() {
        row(&format!("fold {} of it", k + 1), &fold.valid);
    }
    if !judged.plan.crossed {
        row("test", &judged.plan.test);
    }
    line(out, "");
    line(out, &how_judged(model, training, judged));
}

/// Who learned from what, and who judged.
fn how_judged(model: &Model, training: &Training, judged: &Judged) -> String {
    let calibration = judged.calibrator.name();
    if judged.plan.crossed {
        return format!(
            "The rows have no order in time: this is a cross-validation. Below, `test` means all rows, each judged by a model and a \
             calibration ({calibration}) of the other folds. The estimator, and the number of rounds or the penalty, were decided each \
             time on a fifth of the rows to learn from. The model itself was made by the same steps from all rows.\n"
        );
    }
    format!(
        "Between what is learned from and what is judged on lie at least {} days. The estimator, the number of rounds or the \
         penalty, and the calibration ({calibration}) were decided on the folds; the test period decided only whether to promote.{}\n",
        model.gap_days(),
        if training.promoted {
            " The promoted model was then fitted once more, unchanged in everything else, on all rows up to the training date (above \
             60,000 rows: on those of a fixed sample of accounts); its calibration is the one that was judged."
        } else {
            ""
        }
    )
}

fn figures_section(out: &mut String, judged: &Judged) {
    let test = &judged.test;
    let u = &test.uncertainty;
    line(out, "## Figures on the test period\n");
    line(out, "| figure | value | interval |\n|---|---|---|");
    let with = |v: f64, low: f64, high: f64| format!("{v:.3} | {low:.3} to {high:.3}");
    line(out, &format!("| AUC | {} |", with(u.auc.value, u.auc.low, u.auc.high)));
    line(out, &format!("| average precision | {:.3} | |", test.average_precision));
    line(out, &format!("| log loss (rate alone: {:.4}) | {:.4} | |", test.log_loss_of_rate, test.log_loss));
    line(out, &format!("| Brier score | {:.4} | |", test.brier));
    line(out, &format!("| lift, top 10% | {:.2} | |", test.lift_10pct));
    line(out, &format!("| expected calibration error | {:.4} | |", test.calibration_error));
    let r = &u.calibration_ratio;
    line(out, &format!("| observed / expected events | {} |", with(r.value, r.low, r.high)));
    let s = &u.calibration_slope;
    line(out, &format!("| calibration slope | {} |\n", with(s.value, s.low, s.high)));

    line(out, "Calibration:\n\n| predicted | observed | 95% interval | rows |\n|---|---|---|---|");
    for bin in &test.calibration {
        let percent = |x: f64| format!("{:.1}%", x * 100.0);
        line(
            out,
            &format!(
                "| {} | {} | {} to {} | {} |",
                percent(bin.predicted),
                percent(bin.observed),
                percent(bin.low),
                percent(bin.high),
                bin.rows
            ),
        );
    }
    line(
        out,
        "\nEstimators (the choice was made on the folds):\n\n| estimator | AUC on folds | AUC on test | lift, top 10% | |\n|---|---|---|---|---|",
    );
    for c in &judged.candidates {
        let figure = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:.3}"));
        let chosen = if c.chosen { "chosen" } else { "" };
        line(
            out,
            &format!("| {} | {:.3} | {} | {} | {chosen} |", c.estimator, c.validation_auc, figure(c.test_auc), figure(c.test_lift_10pct)),
        );
    }
    for said in searches(&judged.candidates) {
        line(out, &format!("\n{said}"));
    }
    line(out, "");
}

/// What the searches for settings did, in words.
pub(super) fn searches(candidates: &[Candidate]) -> impl Iterator<Item = String> + '_ {
    candidates.iter().filter_map(|c| {
        let Effort { trials, counted_secs } = c.search?;
        let seconds = crate::score::reasons::number(counted_secs, None, false);
        Some(format!("Settings of {} tried: {trials}, for {seconds} s of the search's budget.", c.estimator.replace('_', " ")))
    })
}

fn feature_section(out: &mut String, features: &FeatureList) {
    let mut sorted: Vec<&FeatureInfo> = features.features.iter().collect();
    sorted.sort_by(|a, b| b.importance.total_cmp(&a.importance).then_with(|| a.name.cmp(&b.name)));
    line(out, "## Features\n");
    line(out, &format!("{} columns of `{}`; the most important:\n", sorted.len(), features.table));
    line(out, "| feature | mean effect on the margin | typical | missing |\n|---|---|---|---|");
    for f in sorted.iter().take(20) {
        let typical = f.median.map_or_else(String::new, |m| crate::score::reasons::number(m, None, false));
        line(out, &format!("| {} (`{}`) | {:.3} | {typical} | {:.1}% |", f.label.replace('|', "/"), f.name, f.importance, f.missing_pct));
    }
    line(out, "");
}

/// A text with a capital at its beginning.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::page;
    use crate::train::permuted::{company, model};

    #[test]
    fn what_a_search_did_stands_on_the_card_and_among_the_figures() {
        let wish = "version: 1\nlabel: {table: labels.churn, column: churned, horizon_days: 28, lead_days: 2}\n\
                    features: {table: features.account_features}\nestimators:\n  - xgboost: {max_rounds: 40, search: {trials: 3, budget_secs: 60, space: {max_depth: [1, 2, 3]}}}\n  \
                    - logistic_regression: {penalty: [1]}\ngates: {bootstrap_samples: 100}\n";
        let (data, model) = (company(1), model(wish));
        let training = crate::train::train(&model, &data, None).unwrap();
        let detail = detail(&model, &data, &training, None);
        let candidates = detail["candidates"].as_array().unwrap();
        let of = |estimator: &str| &candidates.iter().find(|c| c["estimator"] == estimator).unwrap()["search"];
        assert_eq!(of("xgboost")["trials"], 3);
        assert!(of("xgboost")["counted_secs"].as_f64().unwrap() > 0.0 && of("logistic_regression").is_null());

        let head = Head {
            model: "churn".to_owned(),
            version: 1,
            trained_as_of: NaiveDate::default(),
            estimator: None,
            promoted: true,
            reason: String::new(),
        };
        let text = markdown(&head, &model, &data, &training, None);
        let source = page::Source { head: &head, model: &model, data: &data, training: &training, features: None, detail: &detail };
        for card in [text, page::page(&source)] {
            assert!(card.contains("Settings of xgboost tried: 3, for 0."), "{card}");
        }
    }
}
