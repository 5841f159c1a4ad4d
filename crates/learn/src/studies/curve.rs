//! The learning curve against the ceiling, and how often the intervals hold.

use std::path::Path;

use serde_json::{Value, json};

use super::companies;
use super::company::Company;
use crate::metrics::auc;
use crate::train::train;

/// From this many companies of one size on the share of intervals that hold says something.
const ENOUGH: usize = 50;

#[tokio::test]
#[ignore = "takes many simulated companies: make study"]
async fn study_learning_curve_and_coverage_of_intervals() {
    let folder = super::folder();
    let (_, fresh) = Company::read(&folder.join("fresh")).await;
    let mut points: Vec<Value> = Vec::new();
    for (accounts, seed, path) in companies(&folder) {
        let (model, company) = Company::read(&path).await;
        let training = train(&model, &company.data, None).unwrap();
        let Some(judged) = &training.judged else {
            points.push(json!({"accounts": accounts, "seed": seed, "promoted": false, "reason": training.reason}));
            continue;
        };
        let test = &judged.plan.test;
        let from = company.data.dates[test[0]];
        // The interval speaks of the model that was judged: that of the development rows.
        let fitted = judged.chosen.fit(&company.data, &judged.plan.development).unwrap();
        let later = fresh.since(from);
        let margins = fitted.margins(&fresh.data.table, &later).unwrap();
        let true_auc = auc(&margins, &fresh.data.events_of(&later)).unwrap();
        let interval = judged.test.uncertainty.auc;
        let point = json!({
            "accounts": accounts, "seed": seed, "promoted": training.promoted, "estimator": judged.chosen.name(),
            "rows_train": judged.plan.development.len(), "events_train": company.data.count_events(&judged.plan.development),
            "events_test": judged.test.events,
            "auc": interval.value, "auc_low": interval.low, "auc_high": interval.high, "ceiling": company.ceiling(test),
            "true_auc": true_auc, "true_ceiling": fresh.ceiling(&later),
            "covered": interval.low <= true_auc && true_auc <= interval.high,
        });
        println!("{point}");
        points.push(point);
    }
    let (_, _, largest) = companies(&folder).pop().unwrap();
    let known = known_that_evening(&largest, &fresh).await;
    println!("told the hazard and the health of the evening's month: {known:?}");
    let figures = json!({"companies": points, "known_that_evening": known});
    std::fs::write(folder.join("figures.json"), serde_json::to_string_pretty(&figures).unwrap()).unwrap();
    let mut sizes: Vec<u64> = points.iter().filter_map(|p| p["accounts"].as_u64()).collect();
    sizes.dedup();
    for accounts in sizes {
        let covered: Vec<bool> = points.iter().filter(|p| p["accounts"] == accounts).filter_map(|p| p["covered"].as_bool()).collect();
        if covered.len() < ENOUGH {
            continue;
        }
        let share = covered.iter().filter(|c| **c).count() as f64 / covered.len() as f64;
        println!("{accounts} accounts: {:.0}% of {} intervals cover the AUC on the fresh company", share * 100.0, covered.len());
        assert!((0.90..=0.99).contains(&share), "the 95% intervals of {accounts} accounts cover the truth {share:.2} of the time");
    }
}

/// The AUC of a model that is told the hazard and the health of the month that ends on the evening: about what can be known by then. The
/// hazard of the month after holds what is still to happen in it.
async fn known_that_evening(path: &Path, fresh: &Company) -> Option<f64> {
    let (model, company) = Company::read(path).await;
    let (told, fresh_told) = (company.told(), fresh.told());
    let judged = train(&model, &told, None).unwrap().judged?;
    let later = fresh.since(told.dates[*judged.plan.test.first()?]);
    let fitted = judged.chosen.fit(&told, &judged.plan.development).unwrap();
    auc(&fitted.margins(&fresh_told.table, &later).unwrap(), &fresh.data.events_of(&later))
}
