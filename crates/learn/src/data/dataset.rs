//! Rows to learn from or to score: plain columns of numbers.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

/// Feature values by column, missing as NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// The features' names.
    pub features: Vec<String>,
    /// One vector per feature.
    pub columns: Vec<Vec<f64>>,
    /// Number of rows.
    pub rows: usize,
    /// The labels of a categorical feature's codes, by feature; none for numbers. Empty if all features are numbers.
    pub categories: Vec<Option<Vec<String>>>,
}

impl Table {
    /// The given rows in row-major order as XGBoost reads them.
    pub fn matrix(&self, rows: &[usize]) -> Vec<f32> {
        let mut out = Vec::with_capacity(rows.len() * self.columns.len());
        for &row in rows {
            out.extend(self.columns.iter().map(|column| column[row] as f32));
        }
        out
    }

    /// A feature's values in the given rows.
    pub fn column_of(&self, feature: usize, rows: &[usize]) -> Vec<f64> {
        rows.iter().map(|row| self.columns[feature][*row]).collect()
    }

    /// The labels of a feature's codes, if it is categorical.
    pub fn labels(&self, feature: usize) -> Option<&[String]> {
        self.categories.get(feature)?.as_deref()
    }

    /// Of each feature, whether it is categorical.
    pub fn categorical(&self) -> Vec<bool> {
        (0..self.features.len()).map(|f| self.labels(f).is_some()).collect()
    }

    /// The same rows with the codes of a model: a category that it does not know becomes a missing value.
    #[must_use]
    pub fn coded_as(mut self, categories: &[Option<Vec<String>>]) -> Self {
        for (feature, wanted) in categories.iter().enumerate() {
            let Some(wanted) = wanted else { continue };
            let known: BTreeMap<&str, f64> = wanted.iter().enumerate().map(|(code, label)| (label.as_str(), code as f64)).collect();
            let codes: Vec<f64> =
                self.labels(feature).unwrap_or_default().iter().map(|l| known.get(l.as_str()).copied().unwrap_or(f64::NAN)).collect();
            for value in &mut self.columns[feature] {
                // NaN as an index is 0: a missing value must not become the first category.
                *value = if value.is_nan() { f64::NAN } else { codes.get(*value as usize).copied().unwrap_or(f64::NAN) };
            }
        }
        self.categories = categories.to_vec();
        self
    }
}

/// Rows with the time to the event.
///
/// They are more than the labelled ones: a row whose label's window is not over says already for how long nothing happened, and one whose
/// event came too early for the window counts as well.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// The rows; their `events` say whether the event was seen.
    pub rows: Dataset,
    /// Days from each row's date to the event, or to the last day that was looked at.
    pub days: Vec<f64>,
}

/// The time to the event of each row, as far as it was known on some day.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Days to the event, or to the last day that was looked at.
    pub days: Vec<f64>,
    /// Whether the event was seen.
    pub observed: Vec<bool>,
}

impl Times {
    /// The last day that was looked at.
    pub fn last_day(&self) -> NaiveDate {
        let looked = self.rows.dates.iter().zip(&self.days).filter(|(_, days)| **days >= 0.0);
        looked.map(|(date, days)| *date + Days::new(*days as u64)).max().unwrap_or_default()
    }

    /// What was known on a day: an event that came later had not been seen, and nobody had looked beyond the day.
    pub fn known_by(&self, day: NaiveDate) -> Seen {
        let mut seen = Seen { days: self.days.clone(), observed: self.rows.events.clone() };
        for ((days, observed), date) in seen.days.iter_mut().zip(&mut seen.observed).zip(&self.rows.dates) {
            let most = day.signed_duration_since(*date).num_days() as f64;
            if *days > most {
                (*days, *observed) = (most, false);
            }
        }
        seen
    }
}

/// A column that tells rows apart, by what results are given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SegmentColumn {
    /// The column's name.
    pub name: String,
    /// Each row's segment, an index into `labels`.
    pub codes: Vec<u32>,
    /// The segments' names.
    pub labels: Vec<String>,
}

/// Labelled rows in the order of date, then account, then what the model is about if an account has several of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    /// The features.
    pub table: Table,
    /// Whether the event happened in the row's window.
    pub events: Vec<bool>,
    /// The row's `as_of`.
    pub dates: Vec<NaiveDate>,
    /// The row's account as an index.
    pub accounts: Vec<u32>,
    /// Rows left out because their window is not over.
    pub censored: usize,
    /// The amount of each row's event, NaN if unknown; none if the model does not ask for it.
    pub amounts: Option<Vec<f64>>,
    /// Rows with the time to the event; none if the model does not ask for it.
    pub times: Option<Box<Times>>,
    /// What each row is worth, at least 0, where the model names a column for that.
    pub weights: Option<Vec<f64>>,
    /// The segments that results are given by.
    pub segments: Vec<SegmentColumn>,
    /// How long each row's account has been a customer, in days, where the model names a column for that; NaN if unknown.
    pub tenure_days: Option<Vec<f64>>,
    /// Each row's fold, where the model is cross-validated on given folds.
    pub folds: Option<SegmentColumn>,
    /// Rows left out because their account had not been a customer for long enough.
    pub too_young: usize,
}

impl Dataset {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events of some rows.
    pub fn events_of(&self, rows: &[usize]) -> Vec<bool> {
        rows.iter().map(|r| self.events[*r]).collect()
    }

    /// The accounts of some rows.
    pub fn accounts_of(&self, rows: &[usize]) -> Vec<u32> {
        rows.iter().map(|r| self.accounts[*r]).collect()
    }

    /// What some rows are worth.
    pub fn weights_of(&self, rows: &[usize]) -> Option<Vec<f64>> {
        self.weights.as_ref().map(|weights| rows.iter().map(|r| weights[*r]).collect())
    }

    /// How many of the rows have the event.
    pub fn count_events(&self, rows: &[usize]) -> usize {
        rows.iter().filter(|r| self.events[**r]).count()
    }

    /// How many different accounts have the event in these rows.
    pub fn accounts_with_event(&self, rows: &[usize]) -> usize {
        let mut accounts: Vec<u32> = rows.iter().filter(|r| self.events[**r]).map(|r| self.accounts[*r]).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts.len()
    }

    /// First and last date of some rows, which are in the dataset's order.
    pub fn span(&self, rows: &[usize]) -> Option<(NaiveDate, NaiveDate)> {
        Some((self.dates[*rows.first()?], self.dates[*rows.last()?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_that_a_model_does_not_know_is_missing_to_it() {
        let labels = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        let table = Table {
            features: vec!["size".into(), "plan".into()],
            columns: vec![vec![1.0, 2.0, 3.0, 4.0], vec![0.0, 1.0, f64::NAN, 2.0]],
            rows: 4,
            categories: vec![None, labels(&["basic", "new", "pro"])],
        };
        let coded = table.coded_as(&[None, labels(&["pro", "old", "basic"])]);
        assert_eq!(coded.columns[0], [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(format!("{:?}", coded.columns[1]), "[2.0, NaN, NaN, 0.0]");
        assert_eq!(coded.labels(1).unwrap()[2], "basic");
    }
}
