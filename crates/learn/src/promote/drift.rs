//! How far features and scores have moved between development and test period.

use serde::Serialize;

use crate::data::dataset::Dataset;
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
            features.push(FeatureDrift { feature: name.clone(), psi: psi(&of(development), &of(test)) });
        }
    }
    features.sort_by(|a, b| b.psi.total_cmp(&a.psi).then_with(|| a.feature.cmp(&b.feature)));
    Drift { score: psi(before, after), features }
}
