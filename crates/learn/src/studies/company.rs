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
    /// The logarithm of the true hazard of the month that ends on each row's date, and the latent health in it.
    evening: [Vec<f64>; 2],
}

/// The truth about an account in a month.
#[derive(Clone, Copy)]
struct Truth {
    hazard: f64,
    health: f64,
}

impl Company {
    pub(super) async fn read(folder: &Path) -> (Model, Self) {
        let project = Project::load(folder, &LoadOptions::default()).unwrap_or_else(|e| panic!("{}: {e:?}", folder.display()));
        let model = project.models["churn"].value.clone();
        let lake = Lake::open(folder.join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        let schema = frame::schema_of(&lake, &model.features.table).await.unwrap();
        let features = frame::features_of(&model, &schema, project.features.get(model.dictionary()).map(|d| &d.value));
        let data = frame::labelled(&lake, &model, &features, tonight()).await.unwrap();
        let truths = truths(&folder.join("data/truth/hazards.csv"));
        let keys = keys(&lake, &model).await;
        assert_eq!(keys.len(), data.len(), "the keys are those of the labelled rows");
        let truth = keys.iter().map(|(account, day)| hazard(&truths, account, *day)).collect();
        let known = |(account, day): &(String, NaiveDate)| truths.get(&(account.clone(), month(*day))).copied();
        let evening = |of: fn(Truth) -> f64| keys.iter().map(|key| known(key).map_or(f64::NAN, of)).collect();
        (model, Self { data, truth, evening: [evening(|t| t.hazard.ln()), evening(|t| t.health)] })
    }

    /// The labelled rows with two more features, which no vendor knows: hazard and health of the month that ends on the row's date.
    pub(super) fn told(&self) -> Dataset {
        let mut told = self.data.clone();
        for (name, column) in ["true_hazard", "true_health"].into_iter().zip(&self.evening) {
            told.table.features.push(name.to_owned());
            told.table.columns.push(column.clone());
            told.table.categories.push(None);
        }
        told
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

/// The truth by account and month (`2026-01`).
fn truths(path: &Path) -> BTreeMap<(String, String), Truth> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut truths = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let truth = Truth { hazard: cells[3].parse().unwrap(), health: cells[5].parse().unwrap() };
        truths.insert((cells[0].to_owned(), cells[1].to_owned()), truth);
    }
    truths
}

fn month(day: NaiveDate) -> String {
    format!("{}-{:02}", day.year(), day.month())
}

/// The label's window is about the month after the row's date; who left before it has no hazard there, but that of the month before.
fn hazard(truths: &BTreeMap<(String, String), Truth>, account: &str, day: NaiveDate) -> f64 {
    let of = |day: NaiveDate| truths.get(&(account.to_owned(), month(day))).map(|t| t.hazard);
    let next = day.with_day(1).unwrap() + Months::new(1);
    of(next).or_else(|| of(day)).unwrap_or_else(|| panic!("no hazard of {account} for {day}"))
}
