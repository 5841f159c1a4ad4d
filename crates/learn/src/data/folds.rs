//! Folds that a column names, for tables whose rows have no order in time.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::dataset::{Dataset, SegmentColumn};
use crate::data::split::{Fold, Plan};

/// The share of the learning rows' accounts on which rounds, penalties and the like are decided.
const INNER_SHARE: f64 = 0.2;

/// Each fold predicted by what is learned from the others, or in plain words why that can't be.
pub fn plan(data: &Dataset, column: &SegmentColumn) -> Result<Plan, String> {
    let name = &column.name;
    if data.is_empty() {
        return Err("no row has a label yet: the label's window is not over for any date".to_owned());
    }
    let mut of_account: BTreeMap<u32, u32> = BTreeMap::new();
    let both = (0..data.len()).find(|r| *of_account.entry(data.accounts[*r]).or_insert(column.codes[*r]) != column.codes[*r]);
    if both.is_some() {
        return Err(format!("an account has rows in more than one `{name}`: a model that learned from some of them has seen the others"));
    }
    let all: Vec<usize> = (0..data.len()).collect();
    let mut folds = Vec::new();
    for (code, label) in column.labels.iter().enumerate() {
        let (valid, train): (Vec<usize>, Vec<usize>) = all.iter().partition(|r| column.codes[**r] as usize == code);
        if valid.is_empty() {
            continue;
        }
        let (learned, judged) = (data.count_events(&train), data.count_events(&valid));
        if learned < 2 || train.len() < learned + 2 || judged == 0 {
            let rest = train.len();
            return Err(format!(
                "`{name}` = {label} holds {judged} events and the {rest} other rows {learned}: too few to learn from and to judge"
            ));
        }
        folds.push(Fold { train, valid });
    }
    Ok(Plan { folds, development: all.clone(), test: all, crossed: true })
}

/// Splits rows to learn from in two: what settings are tried on (`train`) and a fifth that decides between them (`valid`).
///
/// An account's rows stay together, and accounts with and without the event are drawn apart, so that both parts have the same
/// share of them. The same rows and seed give the same split.
pub fn inner(data: &Dataset, rows: &[usize], seed: u64) -> Fold {
    let mut accounts: BTreeMap<u32, bool> = BTreeMap::new();
    for row in rows {
        *accounts.entry(data.accounts[*row]).or_default() |= data.events[*row];
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut held = BTreeSet::new();
    for event in [true, false] {
        let mut class: Vec<u32> = accounts.iter().filter(|(_, e)| **e == event).map(|(account, _)| *account).collect();
        class.shuffle(&mut rng);
        // A single one is needed for learning.
        let count = if class.len() < 2 { 0 } else { ((class.len() as f64 * INNER_SHARE).round() as usize).max(1) };
        held.extend(class.into_iter().take(count));
    }
    let (valid, train) = rows.iter().partition(|r| held.contains(&data.accounts[**r]));
    Fold { train, valid }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows for each of 200 accounts, a quarter of which have the event in the second one, in five folds.
    fn data() -> Dataset {
        Dataset {
            events: (0..400).map(|i| i % 2 == 1 && (i / 2) % 4 == 0).collect(),
            dates: vec![chrono::NaiveDate::default(); 400],
            accounts: (0..400).map(|i| i / 2).collect(),
            folds: Some(column((0..400).map(|i| i / 2 % 5).collect())),
            ..Dataset::default()
        }
    }

    fn column(codes: Vec<u32>) -> SegmentColumn {
        SegmentColumn { name: "fold".into(), codes, labels: (1..=5).map(|k| k.to_string()).collect() }
    }

    #[test]
    fn every_row_is_predicted_once_by_a_model_of_the_other_folds() {
        let data = data();
        let plan = plan(&data, data.folds.as_ref().unwrap()).unwrap();
        assert!(plan.crossed && plan.folds.len() == 5);
        let mut predicted: Vec<usize> = plan.folds.iter().flat_map(|f| f.valid.clone()).collect();
        predicted.sort_unstable();
        assert_eq!(predicted, plan.test);
        for fold in &plan.folds {
            let codes = &data.folds.as_ref().unwrap().codes;
            assert!(fold.train.iter().all(|r| codes[*r] != codes[fold.valid[0]]));
            assert_eq!(fold.train.len() + fold.valid.len(), 400);
        }
    }

    #[test]
    fn folds_that_cannot_be_judged_are_refused_in_plain_words() {
        let data = data();
        let split_account = plan(&data, &column((0..400).map(|i| i % 5).collect())).unwrap_err();
        assert!(split_account.contains("an account has rows in more than one `fold`"), "{split_account}");
        // Accounts 0, 4, 8, … have the event: by fours they all fall into the first fold.
        let one_sided = plan(&data, &column((0..400).map(|i| i / 2 % 4).collect())).unwrap_err();
        assert!(one_sided.contains("`fold` = 1 holds 50 events and the 300 other rows 0"), "{one_sided}");
        assert!(plan(&data, &column(vec![0; 400])).unwrap_err().contains("the 0 other rows 0"));
        assert!(plan(&Dataset::default(), &column(vec![])).unwrap_err().contains("no row has a label"));
    }

    #[test]
    fn a_fifth_of_the_accounts_decides_with_the_same_share_of_events() {
        let data = data();
        let rows: Vec<usize> = (0..300).collect();
        let split = inner(&data, &rows, 42);
        assert_eq!(split, inner(&data, &rows, 42));
        assert_ne!(split, inner(&data, &rows, 43));
        let accounts = |rows: &[usize]| -> BTreeSet<u32> { data.accounts_of(rows).into_iter().collect() };
        assert!(accounts(&split.train).is_disjoint(&accounts(&split.valid)));
        assert_eq!((split.train.len(), split.valid.len()), (240, 60));
        assert_eq!((data.count_events(&split.train), data.count_events(&split.valid)), (30, 8));
    }
}
