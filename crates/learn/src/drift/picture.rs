//! What the training rows looked like: saved with the model.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::dataset::{Dataset, Table};

/// Categories with a smaller share of the rows than this have no bin of their own: with many bins chance alone makes much of a PSI.
const OWN_BIN: f64 = 0.05;

/// A picture of the rows that a model learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// How many rows there were.
    pub rows: usize,
    /// Accounts on their last date.
    pub accounts: usize,
    /// The last date.
    pub last_as_of: Option<chrono::NaiveDate>,
    /// Share of the rows with the event.
    pub label_rate: f64,
    /// The margins that the model gives its own training rows.
    pub score: Binned,
    /// The features, in the model's order.
    pub features: Vec<Binned>,
}

/// A column counted into bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Binned {
    /// The column.
    pub name: String,
    /// Upper ends of the bins, rising; behind the last one comes one more bin. None for categories.
    pub edges: Vec<f64>,
    /// The codes of the categories that have a bin of their own, rising; all others share one more bin. Nothing for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<Vec<u32>>,
    /// Rows of each bin.
    pub counts: Vec<u64>,
    /// Rows without a value.
    pub missing: u64,
    /// Mean of the others; nothing for categories.
    pub mean: Option<f64>,
}

impl Picture {
    /// Of the rows learned from, with the margins that the model gives them.
    pub fn of(data: &Dataset, rows: &[usize], margins: &[f64]) -> Self {
        let features = (0..data.table.features.len()).into_par_iter().map(|feature| Binned::of(&data.table, feature, rows));
        let last_as_of = rows.iter().map(|row| data.dates[*row]).max();
        Self {
            rows: rows.len(),
            accounts: rows.iter().filter(|row| Some(data.dates[**row]) == last_as_of).count(),
            last_as_of,
            label_rate: data.count_events(rows) as f64 / rows.len().max(1) as f64,
            score: Binned::by_deciles("margin", margins),
            features: features.collect(),
        }
    }
}

impl Binned {
    /// A feature of some rows.
    pub(crate) fn of(table: &Table, feature: usize, rows: &[usize]) -> Self {
        let name = &table.features[feature];
        let values = table.column_of(feature, rows);
        if table.labels(feature).is_some() { Self::by_categories(name, &values) } else { Self::by_deciles(name, &values) }
    }

    /// A bin for each category that is not rare, and one for all others. Values are codes.
    fn by_categories(name: &str, values: &[f64]) -> Self {
        let mut rows: BTreeMap<u32, usize> = BTreeMap::new();
        for value in values.iter().filter(|value| !value.is_nan()) {
            *rows.entry(*value as u32).or_default() += 1;
        }
        let known: usize = rows.values().sum();
        let codes = rows.into_iter().filter(|(_, rows)| *rows as f64 >= OWN_BIN * known as f64).map(|(code, _)| code).collect();
        Self { name: name.to_owned(), edges: Vec::new(), codes: Some(codes), counts: Vec::new(), missing: 0, mean: None }.count(values)
    }

    /// Bins that end at the deciles of the values.
    pub(crate) fn by_deciles(name: &str, values: &[f64]) -> Self {
        let mut known: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
        known.sort_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..10).filter_map(|tenth| known.get(known.len() * tenth / 10).copied()).collect();
        edges.dedup();
        Self { name: name.to_owned(), edges, codes: None, counts: Vec::new(), missing: 0, mean: None }.count(values)
    }

    /// Other values in the same bins.
    pub(crate) fn count(&self, values: &[f64]) -> Self {
        let last = self.codes.as_ref().map_or(self.edges.len(), Vec::len);
        let (mut counts, mut missing, mut sum) = (vec![0; last + 1], 0, 0.0);
        for value in values {
            if value.is_nan() {
                missing += 1;
                continue;
            }
            let bin = match &self.codes {
                Some(codes) => codes.binary_search(&(*value as u32)).unwrap_or(last),
                None => self.edges.partition_point(|edge| edge < value),
            };
            counts[bin] += 1;
            sum += value;
        }
        let known = values.len() as u64 - missing;
        let mean = (known > 0 && self.codes.is_none()).then(|| sum / known as f64);
        Self { name: self.name.clone(), edges: self.edges.clone(), codes: self.codes.clone(), counts, missing, mean }
    }

    /// All bins, the one of missing values last.
    pub(crate) fn bins(&self) -> Vec<u64> {
        self.counts.iter().copied().chain([self.missing]).collect()
    }

    /// Share of the rows without a value.
    pub(crate) fn missing_share(&self) -> f64 {
        self.missing as f64 / self.bins().iter().sum::<u64>().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_end_at_deciles_and_few_values_have_one_each() {
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        let binned = Binned::by_deciles("x", &many);
        assert_eq!(binned.edges.len(), 9);
        assert!(binned.counts.iter().all(|n| (99..=101).contains(n)), "{binned:?}");
        let few: Vec<f64> = (0..1000).map(|i| if i % 10 == 0 { f64::NAN } else { f64::from(i % 2) }).collect();
        let binned = Binned::by_deciles("flag", &few);
        assert_eq!((binned.edges.clone(), binned.counts.clone(), binned.missing), (vec![0.0, 1.0], vec![400, 500, 0], 100));
        assert_eq!(binned.count(&[2.0, -1.0, f64::NAN]).bins(), [1, 0, 1, 1]);
        assert_eq!(Binned::by_deciles("none", &[f64::NAN; 3]).bins(), [0, 3]);
    }

    #[test]
    fn categories_have_a_bin_each_and_rare_ones_share_one() {
        // Code 1 has one row in forty, code 2 comes only later.
        let codes: Vec<f64> = (0..40).map(|i| if i == 0 { 1.0 } else { f64::from(i % 2) * 3.0 }).collect();
        let binned = Binned::by_categories("plan", &codes);
        assert_eq!((binned.codes.clone(), binned.bins(), binned.mean), (Some(vec![0, 3]), vec![19, 20, 1, 0], None));
        assert_eq!(binned.count(&[2.0, 1.0, 3.0, f64::NAN]).bins(), [0, 1, 2, 1]);
        assert_eq!(Binned::by_categories("none", &[f64::NAN; 3]).bins(), [0, 3]);
    }
}
