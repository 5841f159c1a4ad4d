//! Detectors of features that know the future.
//!
//! Two signs: a feature that alone separates the classes almost perfectly on the training rows, and a feature whose value
//! for a past date changes when the data after that date is taken away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::dataset::{Dataset, Table};
use crate::metrics::auc;

/// With fewer events a perfect separation can be chance.
const MIN_EVENTS: usize = 10;

/// A feature that knows what it should not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// The feature's column.
    pub feature: String,
    /// What gives it away, in words.
    pub evidence: String,
}

/// Features that alone separate the classes with an AUC of at least `bound`, in either direction, by value or by being missing.
pub fn leaks(data: &Dataset, rows: &[usize], bound: f64) -> Vec<Leak> {
    let events = data.events_of(rows);
    let mut found = Vec::new();
    for (feature, column) in data.table.features.iter().zip(&data.table.columns) {
        let known: Vec<usize> = (0..rows.len()).filter(|i| !column[rows[*i]].is_nan()).collect();
        let known_events: Vec<bool> = known.iter().map(|i| events[*i]).collect();
        let enough = |events: &[bool]| events.iter().filter(|e| **e).count() >= MIN_EVENTS;
        let values: Vec<f64> = known.iter().map(|i| column[rows[*i]]).collect();
        let by_value = auc(&values, &known_events).filter(|_| enough(&known_events));
        let missing: Vec<f64> = rows.iter().map(|r| if column[*r].is_nan() { 1.0 } else { 0.0 }).collect();
        let by_hole = auc(&missing, &events).filter(|_| enough(&events));
        for (auc, what) in [(by_value, "its value"), (by_hole, "whether it is missing")] {
            if let Some(auc) = auc.map(|a| a.max(1.0 - a)).filter(|a| *a >= bound) {
                found.push(Leak {
                    feature: feature.clone(),
                    evidence: format!("{what} alone separates the classes with an AUC of {auc:.3}, the bound is {bound:.2}"),
                });
                break;
            }
        }
    }
    found
}

/// Features whose values differ between a table computed from all data and one computed from the data up to each row's date.
///
/// Rows are matched by key (account and date); a row that only one side has is a leak of the spine and is named `account_id`.
pub fn differences(full: &Table, full_keys: &[String], cut: &Table, cut_keys: &[String]) -> Vec<Leak> {
    let cut_rows: BTreeMap<&str, usize> = cut_keys.iter().enumerate().map(|(row, key)| (key.as_str(), row)).collect();
    let mut found = Vec::new();
    let lost = full_keys.iter().filter(|k| !cut_rows.contains_key(k.as_str())).count() + cut_keys.len().saturating_sub(full_keys.len());
    if lost > 0 {
        found.push(Leak {
            feature: "account_id".to_owned(),
            evidence: format!("{lost} rows exist only with, or only without, the data after their date"),
        });
    }
    for (feature, column) in full.features.iter().zip(&full.columns) {
        let Some(other) = cut.features.iter().position(|f| f == feature) else { continue };
        let other = &cut.columns[other];
        let mut differing = 0;
        let mut example = None;
        for (row, key) in full_keys.iter().enumerate() {
            let Some(&at) = cut_rows.get(key.as_str()) else { continue };
            let (a, b) = (column[row], other[at]);
            let same = (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()));
            if !same {
                differing += 1;
                example.get_or_insert((key, a, b));
            }
        }
        if let Some((key, a, b)) = example {
            let rows = if differing == 1 { "1 row".to_owned() } else { format!("{differing} rows") };
            found.push(Leak {
                feature: feature.clone(),
                evidence: format!("{rows} change when the data after their date is taken away, for example {key}: {a} becomes {b}"),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn data(columns: Vec<Vec<f64>>, events: Vec<bool>) -> Dataset {
        let n = events.len();
        Dataset {
            table: Table { features: (0..columns.len()).map(|i| format!("f{i}")).collect(), columns, rows: n },
            events,
            dates: vec![NaiveDate::from_ymd_opt(2023, 1, 1).unwrap(); n],
            accounts: (0..n as u32).collect(),
            ..Dataset::default()
        }
    }

    #[test]
    fn a_feature_that_knows_the_label_is_named() {
        let events: Vec<bool> = (0..200).map(|i| i % 10 == 0).collect();
        let honest = (0..200).map(|i| f64::from((i * 37) % 101)).collect();
        let leaking = events.iter().enumerate().map(|(i, e)| if *e { -1.0 } else { i as f64 }).collect();
        let by_hole = events.iter().map(|e| if *e { f64::NAN } else { 1.0 }).collect();
        let rows: Vec<usize> = (0..200).collect();
        let found = leaks(&data(vec![honest, leaking, by_hole], events), &rows, 0.95);
        assert_eq!(found.iter().map(|l| l.feature.as_str()).collect::<Vec<_>>(), ["f1", "f2"]);
        assert!(found[0].evidence.contains("AUC of 1.000") && found[1].evidence.contains("missing"));
    }

    #[test]
    fn too_few_events_accuse_nobody() {
        let events: Vec<bool> = (0..200).map(|i| i < 5).collect();
        let perfect = (0..200).map(f64::from).collect();
        assert!(leaks(&data(vec![perfect], events), &(0..200).collect::<Vec<_>>(), 0.95).is_empty());
    }

    #[test]
    fn a_feature_that_changes_without_the_future_is_named() {
        let keys: Vec<String> = (0..4).map(|i| format!("a{i} on 2023-01-01")).collect();
        let table = |peek: f64| Table {
            features: vec!["honest".into(), "peeks".into()],
            columns: vec![vec![1.0, f64::NAN, 3.0, 4.0], vec![1.0, 2.0, 3.0 + peek, 4.0]],
            rows: 4,
        };
        let found = differences(&table(1.0), &keys, &table(0.0), &keys);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].feature, "peeks");
        assert!(found[0].evidence.contains("1 row") && found[0].evidence.contains("a2"));
        let found = differences(&table(0.0), &keys, &table(0.0), &keys[..3]);
        assert_eq!(found[0].feature, "account_id");
    }
}
