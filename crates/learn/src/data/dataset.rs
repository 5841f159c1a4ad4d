//! Rows to learn from or to score: plain columns of numbers.

use chrono::NaiveDate;

/// Feature values by column, missing as NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// The features' names.
    pub features: Vec<String>,
    /// One vector per feature.
    pub columns: Vec<Vec<f64>>,
    /// Number of rows.
    pub rows: usize,
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

/// Labelled rows in the order of date, then account.
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
