//! A simulated company: its labelled rows, and beside each the true probability.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Date32Type;
use chrono::{Datelike, Months, NaiveDate};
use cscopilot_lake::{Lake, LakeOptions, Params, Value};
use cscopilot_spec::{LoadOptions, Model, Project};

use crate::data::dataset::Dataset;
use crate::data::frame;
use crate::metrics::auc;

/// The day the companies' extracts end.
pub(super) fn tonight() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, 30).unwrap()
}

pub(super) struct Company {
    /// The labelled rows.
    pub(super) data: Dataset,
    /// The true hazard of the month after each row's date.
    pub(super) truth: Vec<f64>,
}

impl Company {
    pub(super) async fn read(folder: &Path) -> (Model, Self) {
        let project = Project::load(folder, &LoadOptions::default()).unwrap_or_else(|e| panic!("{}: {e:?}", folder.display()));
        let model = project.models["churn"].value.clone();
        let lake = Lake::open(folder.join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        let schema = frame::schema_of(&lake, &model.features.table).await.unwrap();
        let features = frame::features_of(&model, &schema, project.features.get(model.dictionary()).map(|d| &d.value));
        let data = frame::labelled(&lake, &model, &features, tonight()).await.unwrap();
        let hazards = hazards(&folder.join("data/truth/hazards.csv"));
        let truth: Vec<f64> = keys(&lake, &model).await.iter().map(|(account, day)| hazard(&hazards, account, *day)).collect();
        assert_eq!(truth.len(), data.len(), "the keys are those of the labelled rows");
        (model, Self { data, truth })
    }

    /// The rows from a date on.
    pub(super) fn since(&self, date: NaiveDate) -> Vec<usize> {
        (0..self.data.len()).filter(|r| self.data.dates[*r] >= date).collect()
    }

    /// The AUC that the true hazards reach on rows: no model can do better but by luck.
    pub(super) fn ceiling(&self, rows: &[usize]) -> f64 {
        let truth: Vec<f64> = rows.iter().map(|r| self.truth[*r]).collect();
        auc(&truth, &self.data.events_of(rows)).unwrap()
    }
}

/// Account and date of the labelled rows, in the dataset's order.
async fn keys(lake: &Lake, model: &Model) -> Vec<(String, NaiveDate)> {
    let sql = format!(
        "SELECT CAST(f.account_id AS VARCHAR) AS account, CAST(f.as_of AS DATE) AS day FROM {} AS f \
         JOIN {} AS l ON l.account_id = f.account_id AND l.as_of = f.as_of \
         WHERE CAST(f.as_of AS DATE) <= $last AND l.{} IS NOT NULL ORDER BY f.as_of, f.account_id",
        model.features.table, model.label.table, model.label.column
    );
    let last = tonight() - chrono::Days::new(u64::from(model.window_days()));
    let mut keys = Vec::new();
    for batch in lake.query(&sql, &Params::new().with("last", Value::Date(last))).await.unwrap() {
        let account = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
        let days = batch.column(1).as_primitive::<Date32Type>();
        for row in 0..batch.num_rows() {
            keys.push((account.as_string::<i32>().value(row).to_owned(), NaiveDate::from_epoch_days(days.value(row)).unwrap()));
        }
    }
    keys
}

/// Monthly hazards by account and month (`2026-01`).
fn hazards(path: &Path) -> BTreeMap<(String, String), f64> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut hazards = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        hazards.insert((cells[0].to_owned(), cells[1].to_owned()), cells[3].parse().unwrap());
    }
    hazards
}

/// The label's window is about the month after the row's date; who left before it has no hazard there, but that of the month before.
fn hazard(hazards: &BTreeMap<(String, String), f64>, account: &str, day: NaiveDate) -> f64 {
    let of = |month: NaiveDate| hazards.get(&(account.to_owned(), format!("{}-{:02}", month.year(), month.month())));
    let next = day.with_day(1).unwrap() + Months::new(1);
    *of(next).or_else(|| of(day)).unwrap_or_else(|| panic!("no hazard of {account} for {day}"))
}
