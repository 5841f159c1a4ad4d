//! Versions of models as tables.

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use cscopilot_learn::ModelVersion;
use cscopilot_learn::registry::compare::{Comparison, Side};
use cscopilot_learn::registry::figures::Figure;
use std::fmt::Write as _;
use std::sync::Arc;

/// Features whose weight changed by less than this many percentage points are not worth a line.
const SHIFT: f64 = 1.0;

/// All versions.
pub(crate) fn list(versions: &[ModelVersion]) -> Result<String, ArrowError> {
    let rounded = |x: Option<f64>, digits: usize| x.map(|x| format!("{x:.digits$}"));
    let rows = versions.iter().map(|v| {
        let run = &v.run;
        let interval = run.auc_low.zip(run.auc_high).map(|(low, high)| format!("{low:.3} to {high:.3}"));
        vec![
            Some(run.model.clone()),
            Some(run.version.to_string()),
            v.alias.map(ToOwned::to_owned),
            Some(run.as_of.to_string()),
            run.estimator.clone(),
            Some(run.promoted.to_string()),
            rounded(run.auc, 3),
            interval,
            rounded(run.lift_10pct, 2),
            rounded(run.calibration_error, 4),
            Some(run.rows_train.to_string()),
            run.positives_test.map(|n| n.to_string()),
            Some(run.reason.clone()),
        ]
    });
    let names = [
        "model",
        "version",
        "alias",
        "as_of",
        "estimator",
        "promoted",
        "auc",
        "auc_interval",
        "lift_10pct",
        "calibration_error",
        "rows_train",
        "positives_test",
        "reason",
    ];
    table(&names, rows.collect())
}

/// Two versions side by side.
pub(crate) fn comparison(comparison: &Comparison) -> Result<String, ArrowError> {
    let [from, to] = &comparison.versions;
    let heads = [head(from), head(to)];
    let names = ["", heads[0].as_str(), heads[1].as_str()];
    let plain = |label: &str, of: &dyn Fn(&Side) -> Option<String>| vec![Some(label.to_owned()), of(from), of(to)];
    let span = |from: Option<chrono::NaiveDate>, to: Option<chrono::NaiveDate>| from.zip(to).map(|(from, to)| format!("{from} to {to}"));
    let settings = vec![
        plain("trained as of", &|s| Some(s.run.as_of.to_string())),
        plain("estimator", &|s| s.run.estimator.clone()),
        plain("settings", &|s| choice(&s.choice)),
        plain("calibration", &|s| s.calibration.clone()),
        plain("learned from", &|s| span(s.run.train_from, s.run.train_to)),
        plain("rows learned from", &|s| Some(s.run.rows_train.to_string())),
        plain("judged on", &|s| span(s.run.test_from, s.run.test_to)),
        plain("features", &|s| Some(s.run.features.to_string())),
        plain("passed the gates", &|s| Some(if s.run.promoted { "yes" } else { "no" }.to_owned())),
    ];
    let figures = comparison.figures.iter();
    let figures = figures.map(|f| vec![Some(f.label.clone()), f.before.as_ref().map(figure), f.after.as_ref().map(figure)]);
    let note = if comparison.same_test_period { "" } else { " (judged on different periods: they differ for that reason, too)" };
    let mut out = format!("{}\n{}", comparison.model, table(&names, settings)?);
    // Writing to a string cannot fail.
    let _ = write!(out, "Figures{note}\n{}", table(&names, figures.collect())?);
    let changes = features(comparison);
    if changes.is_empty() {
        out.push_str("The features are the same, and weigh about the same\n");
    } else {
        let _ = write!(out, "Features whose share of all contributions changed\n{}", table(&names, changes)?);
    }
    Ok(out)
}

fn features(comparison: &Comparison) -> Vec<Vec<Option<String>>> {
    let only = |names: &[String], row: [Option<&str>; 2]| -> Vec<Vec<Option<String>>> {
        names.iter().map(|n| vec![Some(n.clone()), row[0].map(ToOwned::to_owned), row[1].map(ToOwned::to_owned)]).collect()
    };
    let mut rows = only(&comparison.features_added, [None, Some("new")]);
    rows.extend(only(&comparison.features_removed, [Some("gone"), None]));
    let shifted = comparison.features_shifted.iter().filter(|s| (s.after_pct - s.before_pct).abs() >= SHIFT);
    rows.extend(
        shifted.map(|s| vec![Some(s.feature.clone()), Some(format!("{:.1}%", s.before_pct)), Some(format!("{:.1}%", s.after_pct))]),
    );
    rows
}

fn head(side: &Side) -> String {
    let alias = side.alias.map_or_else(String::new, |alias| format!(" ({alias})"));
    format!("version {}{alias}", side.run.version)
}

fn choice(choice: &serde_json::Value) -> Option<String> {
    let fields = choice.as_object()?;
    Some(fields.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "))
}

/// `0.712 (0.650 to 0.770)`, and whole numbers as such.
fn figure(figure: &Figure) -> String {
    let number = |x: f64| if x.fract() == 0.0 && x.abs() >= 2.0 { format!("{x}") } else { format!("{x:.4}") };
    match (figure.low, figure.high) {
        (Some(low), Some(high)) => format!("{} ({} to {})", number(figure.value), number(low), number(high)),
        _ => number(figure.value),
    }
}

fn table(names: &[&str], rows: Vec<Vec<Option<String>>>) -> Result<String, ArrowError> {
    let column = |at: usize| Arc::new(rows.iter().map(|row| row[at].clone()).collect::<StringArray>()) as ArrayRef;
    let columns = names.iter().enumerate().map(|(at, name)| (*name, column(at), true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns)?;
    Ok(format!("{}\n", pretty_format_batches_with_options(&[batch], &FormatOptions::default())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cscopilot_learn::registry::compare::Shift;
    use cscopilot_learn::{FigurePair, ModelRun};

    fn run(version: i64, promoted: bool) -> ModelRun {
        let date = |month| chrono::NaiveDate::from_ymd_opt(2026, month, 1);
        ModelRun {
            model: "churn".into(),
            version,
            as_of: date(6).unwrap_or_default(),
            estimator: Some("xgboost".into()),
            promoted,
            reason: "its AUC on later data is 0.71 (95% interval 0.65 to 0.77)".into(),
            auc: Some(0.71),
            auc_low: Some(0.65),
            auc_high: Some(0.77),
            lift_10pct: Some(2.4),
            calibration_error: Some(0.0123),
            rows_train: 5200,
            positives_test: Some(61),
            train_from: date(1),
            train_to: date(4),
            test_from: date(5),
            test_to: date(6),
            features: 12,
            ..ModelRun::default()
        }
    }

    fn side(version: i64, alias: Option<&'static str>) -> Side {
        Side {
            alias,
            run: run(version, version == 1),
            choice: serde_json::json!({"rounds": 40 * version, "eta": 0.05}),
            calibration: Some("platt".into()),
        }
    }

    #[test]
    fn lists_versions_with_their_aliases() {
        let versions = [ModelVersion { alias: Some("champion"), run: run(2, true) }, ModelVersion { alias: None, run: run(1, false) }];
        insta::assert_snapshot!(list(&versions).unwrap());
    }

    #[test]
    fn sets_two_versions_side_by_side() {
        let figure =
            |value: f64| Some(Figure { name: "auc".into(), label: "AUC".into(), value, low: Some(value - 0.05), high: Some(value + 0.05) });
        let rows = |value: f64| Some(Figure { name: "rows".into(), label: "rows judged on".into(), value, low: None, high: None });
        let compared = Comparison {
            model: "churn".into(),
            versions: [side(1, Some("champion")), side(2, Some("challenger"))],
            same_test_period: false,
            figures: vec![
                FigurePair { name: "auc".into(), label: "AUC".into(), before: figure(0.7), after: figure(0.72) },
                FigurePair { name: "rows".into(), label: "rows judged on".into(), before: rows(900.0), after: None },
            ],
            features_added: vec!["logins_7d".into()],
            features_removed: vec!["fax_sent".into()],
            features_shifted: vec![
                Shift { feature: "tickets_open".into(), label: "Open tickets".into(), before_pct: 12.0, after_pct: 20.5 },
                Shift { feature: "seats".into(), label: "Seats".into(), before_pct: 12.0, after_pct: 12.4 },
            ],
        };
        insta::assert_snapshot!(comparison(&compared).unwrap());
        let same =
            Comparison { features_added: vec![], features_removed: vec![], features_shifted: vec![], same_test_period: true, ..compared };
        assert!(comparison(&same).unwrap().ends_with("The features are the same, and weigh about the same\n"));
    }
}
