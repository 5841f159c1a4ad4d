//! Permuted labels: nothing can be learned, so nothing may be promoted, but for chance.
//!
//! The gates let a worthless model through in about one training in a hundred or less; promised are two in fifty at most.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Months, NaiveDate};
use cscopilot_spec::Model;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::data::dataset::{Dataset, Table};
use crate::metrics::sigmoid;
use crate::studies::project::Night;
use crate::train::train;

const SEEDS: u64 = 50;
const ALLOWED: usize = 2;

/// What is shuffled.
#[derive(Debug, Clone, Copy)]
enum Shuffle {
    /// The rows' labels, within each date.
    Rows,
    /// The accounts' whole stories: whoever leaves still does so once, but the features are somebody else's. Where the other one
    /// was no customer, nothing happens.
    Accounts,
}

/// 200 customers at each of ten month ends, with habits that last. Who leaves is gone, and somebody new comes: a company in which
/// the same account left again and again could be learned by heart, whatever the labels are.
pub(crate) fn company(seed: u64) -> Dataset {
    const FEATURES: usize = 12;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let habits = |rng: &mut ChaCha8Rng| -> [f64; FEATURES] { std::array::from_fn(|_| rng.random_range(-1.5..1.5)) };
    let mut customers: Vec<(u32, [f64; FEATURES])> = (0..200).map(|id| (id, habits(&mut rng))).collect();
    let mut newest = 200;
    let mut columns = vec![Vec::new(); FEATURES];
    let mut data = Dataset::default();
    for month in 0..10 {
        customers.sort_by_key(|(id, _)| *id);
        for (id, habit) in &mut customers {
            let row: [f64; FEATURES] = std::array::from_fn(|k| habit[k] + rng.random_range(-1.0..1.0));
            let leaves = rng.random_range(0.0..1.0) < sigmoid(row[0] - 0.8 * row[1] - 2.4);
            data.dates.push(NaiveDate::from_ymd_opt(2023, 1, 1).unwrap() + Months::new(month));
            data.accounts.push(*id);
            data.events.push(leaves);
            columns.iter_mut().zip(row).for_each(|(column, x)| column.push(x));
            if leaves {
                (*id, *habit) = (newest, habits(&mut rng));
                newest += 1;
            }
        }
    }
    let rows = data.events.len();
    data.table = Table { features: (0..FEATURES).map(|k| format!("f{k}")).collect(), columns, rows, ..Table::default() };
    data
}

fn shuffled(data: &Dataset, how: Shuffle, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut events = data.events.clone();
    match how {
        Shuffle::Rows => {
            let mut start = 0;
            for date in data.dates.chunk_by(|a, b| a == b) {
                events[start..start + date.len()].shuffle(&mut rng);
                start += date.len();
            }
        }
        Shuffle::Accounts => {
            let stories: BTreeMap<(u32, NaiveDate), bool> =
                (0..data.len()).map(|r| ((data.accounts[r], data.dates[r]), data.events[r])).collect();
            let mut others: Vec<u32> = (0..=data.accounts.iter().copied().max().unwrap_or(0)).collect();
            others.shuffle(&mut rng);
            for (row, event) in events.iter_mut().enumerate() {
                *event = stories.get(&(others[data.accounts[row] as usize], data.dates[row])).copied().unwrap_or(false);
            }
        }
    }
    Dataset { events, ..data.clone() }
}

/// Few rounds and samples: fifty trainings a study.
pub(crate) const CHEAP: &str = "version: 1\nlabel: {table: labels.churn, column: churned, horizon_days: 28, lead_days: 2}\n\
    features: {table: features.account_features}\n\
    estimators:\n  - xgboost: {max_rounds: 60, max_depth: 2, eta: 0.1, early_stopping_rounds: 20}\n  - logistic_regression: {l2: [10, 100, 1000]}\n\
    gates: {bootstrap_samples: 400}\n";

pub(crate) fn model(yaml: &str) -> Model {
    cscopilot_spec::parse("churn.yaml", &Arc::from(yaml), yaml, 0).unwrap()
}

/// Trains with every seed, says what came out, and insists that almost nothing was promoted.
fn study(model: &Model, data: &Dataset, how: Shuffle) {
    let (mut promoted, mut judged, mut by_test_alone) = (Vec::new(), 0u64, 0);
    for seed in 0..SEEDS {
        let training = train(&Model { seed, ..model.clone() }, &shuffled(data, how, seed), None).unwrap();
        let gates = training.judged.as_ref().map(|j| j.judgement.gates.as_slice()).unwrap_or_default();
        judged += u64::from(!gates.is_empty());
        by_test_alone += gates.iter().filter(|g| g.gate == "auc" && g.passed).count();
        if training.promoted {
            promoted.push(seed);
        }
    }
    println!(
        "{} rows, {how:?}: {judged} of {SEEDS} judged, {by_test_alone} pass the AUC gate of the test period, {} promoted {promoted:?}",
        data.len(),
        promoted.len()
    );
    assert!(judged >= SEEDS / 2, "{how:?}: only {judged} had enough events to be judged");
    assert!(promoted.len() <= ALLOWED, "{how:?}: promoted with seeds {promoted:?}");
}

#[test]
fn permuted_labels_are_promoted_in_at_most_two_of_fifty_seeds() {
    let (data, model) = (company(1), model(CHEAP));
    assert_eq!(data.len(), 2000);
    let honest = train(&model, &data, None).unwrap();
    assert!(honest.promoted, "{}", honest.reason);
    for how in [Shuffle::Rows, Shuffle::Accounts] {
        study(&model, &data, how);
    }
}

/// The same on the features of the model `churn` of a project, such as `examples/crm5`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes; needs a project whose night has run: make study-examples"]
async fn project_permuted_labels_are_promoted_in_at_most_two_of_fifty_seeds() {
    let (own, data) = Night::open().await.rows_of("churn").await;
    let cheap = model(CHEAP);
    let model = Model { estimators: cheap.estimators, gates: cheap.gates, ..own };
    for how in [Shuffle::Rows, Shuffle::Accounts] {
        study(&model, &data, how);
    }
}
