//! `ops.model_runs`: one row per training. A promotion happens when its row commits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Int64Type, Schema, SchemaRef};
use chrono::NaiveDate;
use cscopilot_lake::{Lake, Mode, Params, TableName, Txn, Write, stream_of_batches};
use serde::Serialize;

use crate::error::Result;
use crate::registry::decisions::{self, Action, Decision};

/// One training.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ModelRun {
    /// The model's name.
    pub model: String,
    /// Its version, from 1.
    pub version: i64,
    /// The logical date it was trained on.
    pub as_of: NaiveDate,
    /// The chosen estimator; none where there was too little to learn from.
    pub estimator: Option<String>,
    /// Whether it passed the gates.
    pub promoted: bool,
    /// Why, in plain words.
    pub reason: String,
    /// AUC on the test slice.
    pub auc: Option<f64>,
    /// Lower end of its confidence interval.
    pub auc_low: Option<f64>,
    /// Upper end of it.
    pub auc_high: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// Log loss.
    pub log_loss: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
    /// Lift among the top tenth.
    pub lift_10pct: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: Option<f64>,
    /// Labelled rows in all.
    pub rows_train: i64,
    /// Rows of the test slice.
    pub rows_test: Option<i64>,
    /// Events among all labelled rows.
    pub positives_train: i64,
    /// Events in the test slice.
    pub positives_test: Option<i64>,
    /// Rows left out because their window is not over.
    pub rows_censored: i64,
    /// First date of the rows that tonight's model learned from.
    pub train_from: Option<NaiveDate>,
    /// Last date of them.
    pub train_to: Option<NaiveDate>,
    /// First date of the test slice.
    pub test_from: Option<NaiveDate>,
    /// Last date of it.
    pub test_to: Option<NaiveDate>,
    /// Number of features.
    pub features: i64,
    /// Hash of the model's definition: its YAML file.
    pub definition: String,
    /// Hash of everything the training made; the version's identity.
    pub digest: String,
    /// Everything else as JSON: calibration curve, gains, importance, all estimators' figures.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What people decided about the version; in `ops.model_decisions`, not in this table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
}

/// `ops.model_runs`.
pub fn table() -> TableName {
    TableName::new("ops", "model_runs")
}

/// The columns of `ops.model_runs`.
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    let int = |name: &str| Field::new(name, DataType::Int64, true);
    let date = |name: &str| Field::new(name, DataType::Date32, true);
    Arc::new(Schema::new(vec![
        text("model"),
        int("version"),
        date("as_of"),
        text("estimator"),
        Field::new("promoted", DataType::Boolean, true),
        text("reason"),
        float("auc"),
        float("auc_low"),
        float("auc_high"),
        float("average_precision"),
        float("log_loss"),
        float("brier"),
        float("lift_10pct"),
        float("calibration_error"),
        int("rows_train"),
        int("rows_test"),
        int("positives_train"),
        int("positives_test"),
        int("rows_censored"),
        date("train_from"),
        date("train_to"),
        date("test_from"),
        date("test_to"),
        int("features"),
        text("definition"),
        text("digest"),
        text("detail"),
    ]))
}

fn batch(run: &ModelRun) -> Result<RecordBatch> {
    fn text(value: Option<&str>) -> ArrayRef {
        Arc::new(StringArray::from(vec![value]))
    }
    fn float(value: Option<f64>) -> ArrayRef {
        Arc::new(Float64Array::from(vec![value]))
    }
    fn int(value: Option<i64>) -> ArrayRef {
        Arc::new(Int64Array::from(vec![value]))
    }
    fn date(value: Option<NaiveDate>) -> ArrayRef {
        Arc::new(Date32Array::from(vec![value.map(|d| d.to_epoch_days())]))
    }
    let columns = vec![
        text(Some(&run.model)),
        int(Some(run.version)),
        date(Some(run.as_of)),
        text(run.estimator.as_deref()),
        Arc::new(BooleanArray::from(vec![run.promoted])) as ArrayRef,
        text(Some(&run.reason)),
        float(run.auc),
        float(run.auc_low),
        float(run.auc_high),
        float(run.average_precision),
        float(run.log_loss),
        float(run.brier),
        float(run.lift_10pct),
        float(run.calibration_error),
        int(Some(run.rows_train)),
        int(run.rows_test),
        int(Some(run.positives_train)),
        int(run.positives_test),
        int(Some(run.rows_censored)),
        date(run.train_from),
        date(run.train_to),
        date(run.test_from),
        date(run.test_to),
        int(Some(run.features)),
        text(Some(&run.definition)),
        text(Some(&run.digest)),
        text(Some(&run.detail)),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// Commits a run; one with the same model and version is replaced.
pub async fn commit(lake: &Lake, run: &ModelRun, txn: Txn) -> Result<()> {
    let data = stream_of_batches(schema(), vec![batch(run)?]);
    let mode = Mode::Merge { keys: vec!["model".to_owned(), "version".to_owned()] };
    lake.commit(Write::new(table(), mode, data, txn)).await?;
    Ok(())
}

/// All runs, or those of one model, by model and version, each with the decisions about it.
pub async fn read(lake: &Lake, model: Option<&str>) -> Result<Vec<ModelRun>> {
    if lake.table(&table()).await?.is_none() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = schema().fields().iter().map(|f| f.name().clone()).collect();
    let (filter, params) = match model {
        Some(name) => ("WHERE model = $model", Params::new().with("model", name)),
        None => ("", Params::new()),
    };
    let sql = format!("SELECT {} FROM {} {filter} ORDER BY model, version", names.join(", "), table());
    let mut runs = Vec::new();
    for batch in lake.query(&sql, &params).await? {
        let columns = (batch.columns().iter().zip(schema().fields()))
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            runs.push(from_row(&columns, row));
        }
    }
    for decision in decisions::read(lake).await? {
        if let Some(run) = runs.iter_mut().find(|r| r.model == decision.model && r.version == decision.version) {
            run.decisions.push(decision);
        }
    }
    Ok(runs)
}

/// Reads the columns in the order of [`schema`].
fn from_row(columns: &[ArrayRef], row: usize) -> ModelRun {
    let mut next = columns.iter();
    let mut column = || next.next().filter(|c| c.is_valid(row));
    macro_rules! text {
        () => {
            column().map(|c| c.as_string::<i32>().value(row).to_owned())
        };
    }
    macro_rules! float {
        () => {
            column().map(|c| c.as_primitive::<Float64Type>().value(row))
        };
    }
    macro_rules! int {
        () => {
            column().map(|c| c.as_primitive::<Int64Type>().value(row))
        };
    }
    macro_rules! date {
        () => {
            column().and_then(|c| NaiveDate::from_epoch_days(c.as_primitive::<Date32Type>().value(row)))
        };
    }
    ModelRun {
        model: text!().unwrap_or_default(),
        version: int!().unwrap_or_default(),
        as_of: date!().unwrap_or_default(),
        estimator: text!(),
        promoted: column().is_some_and(|c| c.as_boolean().value(row)),
        reason: text!().unwrap_or_default(),
        auc: float!(),
        auc_low: float!(),
        auc_high: float!(),
        average_precision: float!(),
        log_loss: float!(),
        brier: float!(),
        lift_10pct: float!(),
        calibration_error: float!(),
        rows_train: int!().unwrap_or_default(),
        rows_test: int!(),
        positives_train: int!().unwrap_or_default(),
        positives_test: int!(),
        rows_censored: int!().unwrap_or_default(),
        train_from: date!(),
        train_to: date!(),
        test_from: date!(),
        test_to: date!(),
        features: int!().unwrap_or_default(),
        definition: text!().unwrap_or_default(),
        digest: text!().unwrap_or_default(),
        detail: text!().unwrap_or_default(),
        decisions: Vec::new(),
    }
}

/// The champion of one model on a date: the newest version that passed the gates by then, unless somebody decided otherwise since.
pub fn champion(runs: &[ModelRun], as_of: NaiveDate) -> Option<&ModelRun> {
    let version = succession(runs, as_of).pop()?;
    runs.iter().find(|r| r.version == version)
}

/// The champions of one model up to a date, the one in force last. Those that were withdrawn are gone, so that each rollback leads to
/// the one before.
pub fn succession(runs: &[ModelRun], as_of: NaiveDate) -> Vec<i64> {
    // A decision comes after the trainings of its date that it knew, and before those it did not.
    let trained = runs.iter().filter(|r| r.promoted).map(|r| ((r.as_of, r.version, 0), r.version, Action::Promote));
    let decided = runs.iter().flat_map(|r| &r.decisions).map(|d| ((d.as_of, d.newest, d.number), d.version, d.action));
    let mut events: Vec<_> = trained.chain(decided).filter(|((date, ..), ..)| *date <= as_of).collect();
    events.sort_by_key(|(order, ..)| *order);
    let mut line: Vec<i64> = Vec::new();
    for (_, version, action) in events {
        if action == Action::Rollback {
            while line.last().is_some_and(|last| *last != version) {
                line.pop();
            }
        }
        if line.last() != Some(&version) {
            line.push(version);
        }
    }
    line
}

/// Why a model should be trained, or `None` if it need not be.
pub fn due(runs: &[ModelRun], as_of: NaiveDate, retrain_after_days: u32, definition: &str) -> Option<&'static str> {
    // A refused training counts as an attempt: repeating it every night on nearly the same data would be fishing for luck.
    let Some(last) = runs.iter().filter(|r| r.as_of <= as_of).max_by_key(|r| (r.as_of, r.version)) else {
        return Some("it has never been trained");
    };
    if last.definition != definition {
        return Some("its definition has changed");
    }
    let age = as_of.signed_duration_since(last.as_of).num_days();
    (age >= i64::from(retrain_after_days)).then_some("its last training is too old")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(version: i64, day: u32, promoted: bool) -> ModelRun {
        let as_of = NaiveDate::from_ymd_opt(2023, 1, day).unwrap();
        let mut run = from_row(&[], 0);
        (run.model, run.version, run.as_of, run.promoted, run.definition) = ("churn".into(), version, as_of, promoted, "d".into());
        run
    }

    #[test]
    fn a_row_comes_back_as_it_was() {
        let mut run = run(3, 9, true);
        run.auc = Some(0.7);
        run.train_from = Some(run.as_of);
        run.reason = "good".into();
        run.rows_test = Some(5);
        let batch = batch(&run).unwrap();
        assert_eq!(from_row(batch.columns(), 0), run);
    }

    #[test]
    fn trains_at_first_when_old_and_when_redefined_but_not_after_a_fresh_refusal() {
        let day = |d| NaiveDate::from_ymd_opt(2023, 1, d).unwrap();
        assert!(due(&[], day(1), 30, "d").is_some());
        let refused = [run(1, 5, false)];
        assert!(due(&refused, day(6), 10, "d").is_none());
        assert!(due(&refused, day(15), 10, "d").is_some());
        assert!(due(&refused, day(6), 10, "other").is_some());
        // A night in the past knows nothing of later trainings.
        assert!(due(&refused, day(4), 10, "d").is_some());
    }

    #[test]
    fn the_champion_is_the_newest_promoted_version_known_on_the_date() {
        let day = |d| NaiveDate::from_ymd_opt(2023, 1, d).unwrap();
        let runs = [run(1, 5, true), run(2, 10, true), run(3, 20, false)];
        assert_eq!(champion(&runs, day(25)).unwrap().version, 2);
        assert_eq!(champion(&runs, day(7)).unwrap().version, 1);
        assert!(champion(&runs, day(4)).is_none());
    }

    #[test]
    fn a_decision_counts_from_its_date_until_the_next_version_passes() {
        let day = |d| NaiveDate::from_ymd_opt(2023, 1, d).unwrap();
        let decision = |number, d, action, version, newest| Decision {
            model: "churn".into(),
            number,
            as_of: day(d),
            action,
            version,
            previous: None,
            newest,
            reason: None,
        };
        let mut runs = vec![run(1, 5, true), run(2, 10, true), run(3, 15, true), run(4, 20, false)];
        runs[1].decisions.push(decision(1, 16, Action::Rollback, 2, 3));
        assert_eq!(champion(&runs, day(15)).unwrap().version, 3);
        assert_eq!(champion(&runs, day(16)).unwrap().version, 2);
        assert_eq!(succession(&runs, day(30)), [1, 2]);
        runs[0].decisions.push(decision(2, 17, Action::Rollback, 1, 3));
        assert_eq!(succession(&runs, day(30)), [1]);
        runs[3].decisions.push(decision(3, 21, Action::Promote, 4, 4));
        assert_eq!(succession(&runs, day(30)), [1, 4]);
        // Trained on the day of the decision, but after it.
        runs.push(run(5, 21, true));
        assert_eq!(champion(&runs, day(21)).unwrap().version, 5);
        assert_eq!(champion(&runs, day(20)).unwrap().version, 1);
    }
}
