//! Whether the reasons stay the same from training to training.

use serde::Serialize;

use crate::data::dataset::Dataset;
use crate::data::split::Plan;
use crate::error::Result;
use crate::estimate::fitted::{Chosen, Fitted};
use crate::metrics::rank_correlation;

/// Rows of a fold that are explained: enough for a mean.
const EXPLAINED_ROWS: usize = 2000;

/// How much the importance of features agrees between models of different stretches of the past.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stability {
    /// How many models were compared, pair by pair.
    pub models: usize,
    /// How many features at least one of them uses.
    pub features: usize,
    /// Mean rank correlation over all pairs.
    pub mean: f64,
    /// The least of them.
    pub lowest: f64,
}

/// Mean absolute contribution of each feature to the margins of rows: what a model's importance is measured by.
pub fn importance(fitted: &Fitted, data: &Dataset, rows: &[usize]) -> Result<Vec<f64>> {
    let explained = fitted.explain(&data.table, rows)?;
    let mut sums = vec![0.0; data.table.features.len()];
    for row in 0..explained.len() {
        for (sum, phi) in sums.iter_mut().zip(explained.row(row)) {
            *sum += phi.abs();
        }
    }
    Ok(sums.into_iter().map(|s| s / explained.len().max(1) as f64).collect())
}

/// Compares the features' importance to the chosen estimator's model of each fold on the fold's later rows, and that of the
/// judged model (`judged`), by Spearman's rank correlation. `None` with fewer than two models or features in use.
///
/// `fitted` are the folds' models; where they are missing they are fitted.
pub fn stability(chosen: &Chosen, fitted: &[Fitted], data: &Dataset, plan: &Plan, judged: &[f64]) -> Result<Option<Stability>> {
    let mut models = vec![judged.to_vec()];
    for (at, fold) in plan.folds.iter().enumerate() {
        let own;
        let fitted = match fitted.get(at) {
            Some(fitted) => fitted,
            None => {
                own = chosen.fit(data, &fold.train)?;
                &own
            }
        };
        let stride = fold.valid.len().div_ceil(EXPLAINED_ROWS).max(1);
        let rows: Vec<usize> = fold.valid.iter().copied().step_by(stride).collect();
        models.push(importance(fitted, data, &rows)?);
    }
    Ok(compare(&models))
}

fn compare(models: &[Vec<f64>]) -> Option<Stability> {
    // Features that no model uses would agree perfectly, and say nothing.
    let width = models.first().map_or(0, Vec::len);
    let used: Vec<usize> = (0..width).filter(|f| models.iter().any(|m| m[*f] > 0.0)).collect();
    let models: Vec<Vec<f64>> = models.iter().map(|m| used.iter().map(|f| m[*f]).collect()).collect();
    let mut pairs = Vec::new();
    for (at, one) in models.iter().enumerate() {
        pairs.extend(models[at + 1..].iter().filter_map(|other| rank_correlation(one, other)));
    }
    let lowest = pairs.iter().copied().min_by(f64::total_cmp)?;
    let mean = pairs.iter().sum::<f64>() / pairs.len() as f64;
    Some(Stability { models: models.len(), features: used.len(), mean, lowest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_features_count_for_nothing() {
        let same = compare(&[vec![3.0, 2.0, 1.0, 0.0, 0.0], vec![9.0, 5.0, 4.0, 0.0, 0.0]]).unwrap();
        assert_eq!((same.models, same.features, same.mean, same.lowest), (2, 3, 1.0, 1.0));
        let turned = compare(&[vec![3.0, 2.0, 1.0, 0.0], vec![1.0, 2.0, 3.0, 0.0], vec![3.0, 2.0, 1.0, 0.0]]).unwrap();
        assert_eq!(turned.lowest, -1.0);
        assert!((turned.mean + 1.0 / 3.0).abs() < 1e-12);
        assert!(compare(&[vec![1.0, 2.0]]).is_none());
    }
}
