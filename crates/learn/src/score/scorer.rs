//! A model made ready to score many rows: margins, contributions, and what a change of values did.
//!
//! Trees are walked by `cscopilot-shap` in `f64`, so a margin, the sum of its contributions and the steps between two margins agree
//! to about 1e-12, and no thread count changes a bit. XGBoost, which adds up in `f32`, is asked for some rows as a check.

use cscopilot_shap::{Changes, Explainer, Explanations, Predictor, TreeEnsemble};
use rayon::prelude::*;

use crate::data::dataset::Table;
use crate::error::{Error, Result};
use crate::estimate::fitted::Fitted;
use crate::estimate::logistic::LogisticModel;

/// Pairs of rows that one thread works on at a time.
const PAIRS: usize = 64;

/// A model made ready to score.
pub(crate) enum Scorer {
    /// Trees.
    Trees(Box<Trees>),
    /// Regression.
    Linear(LogisticModel),
}

/// An ensemble with what is compiled from it.
pub(crate) struct Trees {
    ensemble: TreeEnsemble,
    predictor: Predictor,
    explainer: Explainer,
}

impl Scorer {
    /// Prepares a model.
    pub(crate) fn new(fitted: &Fitted) -> Result<Self> {
        match fitted {
            Fitted::Boosted(model) => {
                let ensemble = model.ensemble()?;
                let (predictor, explainer) = (Predictor::new(&ensemble), Explainer::new(&ensemble));
                Ok(Self::Trees(Box::new(Trees { ensemble, predictor, explainer })))
            }
            Fitted::Logistic(model) => Ok(Self::Linear(model.clone())),
        }
    }

    /// The margins of rows.
    pub(crate) fn margins(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        match self {
            // Trees without features are a constant.
            Self::Trees(trees) if table.columns.is_empty() => Ok(vec![trees.ensemble.margin(&[]); rows.len()]),
            Self::Trees(trees) => trees.predictor.margins(&table.matrix(rows), table.columns.len()).map_err(Error::Explanation),
            Self::Linear(model) => Ok(model.margins(table, rows)),
        }
    }

    /// What each feature adds to the margins of rows.
    pub(crate) fn explain(&self, table: &Table, rows: &[usize]) -> Result<Explanations> {
        match self {
            Self::Trees(trees) => trees.explainer.explain(&table.matrix(rows), table.columns.len()).map_err(Error::Explanation),
            Self::Linear(model) => model.explain(table, rows),
        }
    }

    /// What each feature's step from a row of `old` to one of `new` added to the margin: as many values a pair as there are features.
    ///
    /// Baseline Shapley values: they add up to the difference of the margins, and a feature that is the same in both has 0. A linear
    /// model's are its coefficients times the differences, which is what its contributions differ by.
    pub(crate) fn changes(&self, old: &Table, new: &Table, pairs: &[(usize, usize)]) -> Result<Vec<f64>> {
        let width = new.columns.len();
        let (before, after): (Vec<usize>, Vec<usize>) = pairs.iter().copied().unzip();
        match self {
            _ if width == 0 || pairs.is_empty() => Ok(Vec::new()),
            Self::Trees(trees) => {
                let (before, after) = (old.matrix(&before), new.matrix(&after));
                let mut out = vec![0.0; after.len()];
                (out.par_chunks_mut(PAIRS * width).zip(before.par_chunks(PAIRS * width)).zip(after.par_chunks(PAIRS * width)))
                    .try_for_each_init(
                        || Changes::new(&trees.ensemble),
                        |changes, ((out, before), after)| {
                            (out.chunks_exact_mut(width).zip(before.chunks_exact(width)).zip(after.chunks_exact(width)))
                                .try_for_each(|((out, before), after)| changes.split(before, after, out))
                        },
                    )
                    .map_err(Error::Explanation)?;
                Ok(out)
            }
            Self::Linear(model) => {
                let (before, after) = (model.explain(old, &before)?, model.explain(new, &after)?);
                Ok((0..pairs.len()).flat_map(|i| after.row(i).iter().zip(before.row(i)).map(|(a, b)| a - b)).collect())
            }
        }
    }
}
