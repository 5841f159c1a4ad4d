//! How far features and scores have moved between development and test period.

use serde::Serialize;

use crate::data::dataset::Dataset;
use crate::drift::Binned;
use crate::metrics::psi;

/// How far a model's inputs and output have moved.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Drift {
    /// PSI of the score: predictions of the test period against those of the folds.
    pub score: f64,
    /// PSI of each feature that the model uses, the largest first.
    pub features: Vec<FeatureDrift>,
}

/// How far a feature has moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureDrift {
    /// The feature.
    pub feature: String,
    /// Its population stability index.
    pub psi: f64,
}

/// Population stability indices of the test rows against the development rows. `importance` says which features the model
/// uses; `before` and `after` are its margins on the folds and on the test rows.
pub fn drift(data: &Dataset, development: &[usize], test: &[usize], importance: &[f64], before: &[f64], after: &[f64]) -> Drift {
    let mut features = Vec::new();
    for ((name, column), importance) in data.table.features.iter().zip(&data.table.columns).zip(importance) {
        if *importance > 0.0 {
            let of = |rows: &[usize]| rows.iter().map(|r| column[*r]).collect::<Vec<f64>>();
            features.push(FeatureDrift { feature: name.clone(), psi: moved(&of(development), &of(test)) });
        }
    }
    features.sort_by(|a, b| b.psi.total_cmp(&a.psi).then_with(|| a.feature.cmp(&b.feature)));
    Drift { score: moved(before, after), features }
}

/// The index of later values over the deciles of earlier ones, missing values as a bin of their own; none is 0.
fn moved(earlier: &[f64], later: &[f64]) -> f64 {
    let then = Binned::by_deciles("", earlier);
    psi(&then.bins(), &then.count(later).bins()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_population_has_not_moved_and_a_shifted_one_has() {
        let before: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!((moved(&before, &before), moved(&[], &before)), (0.0, 0.0));
        let shifted = |by: f64| before.iter().map(|x| x + by).collect::<Vec<f64>>();
        assert!(moved(&before, &shifted(300.0)) > 0.25);
        assert!(moved(&before, &shifted(20.0)) < 0.1);
    }

    #[test]
    fn values_that_went_missing_are_a_shift() {
        let before: Vec<f64> = (0..100).map(f64::from).collect();
        let after: Vec<f64> = before.iter().map(|x| if *x < 50.0 { f64::NAN } else { *x }).collect();
        assert!(moved(&before, &after) > 0.25);
    }
}
