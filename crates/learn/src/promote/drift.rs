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
    for (at, (name, importance)) in data.table.features.iter().zip(importance).enumerate() {
        if *importance > 0.0 {
            let then = Binned::of(&data.table, at, development);
            features.push(FeatureDrift { feature: name.clone(), psi: moved(&then, &data.table.column_of(at, test)) });
        }
    }
    features.sort_by(|a, b| b.psi.total_cmp(&a.psi).then_with(|| a.feature.cmp(&b.feature)));
    Drift { score: moved(&Binned::by_deciles("margin", before), after), features }
}

/// The index of later values over the bins of earlier ones; 0 where there are none.
fn moved(then: &Binned, later: &[f64]) -> f64 {
    psi(&then.bins(), &then.count(later).bins()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(earlier: &[f64], later: &[f64]) -> f64 {
        super::moved(&Binned::by_deciles("x", earlier), later)
    }

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

    #[test]
    fn a_category_that_came_instead_of_another_is_a_shift() {
        // Nobody is in category 1 any more. Deciles of the codes do not see it: 1 and 2 lie between two of them.
        let code = |i: usize| [71, 80, 89].partition_point(|below| *below <= i % 100);
        let later = |code: usize| if code == 1 { 2 } else { code };
        let columns = vec![(0..2000).map(|i| (if i < 1000 { code(i) } else { later(code(i)) }) as f64).collect::<Vec<f64>>()];
        assert_eq!(moved(&columns[0][..1000], &columns[0][1000..]), 0.0);
        let categories = vec![Some(["a", "b", "c", "d"].map(str::to_owned).into())];
        let table = crate::data::dataset::Table { features: vec!["plan".into()], columns, rows: 2000, categories };
        let data = Dataset { table, ..Dataset::default() };
        let (before, after): (Vec<usize>, Vec<usize>) = (0..2000).partition(|row| *row < 1000);
        let found = drift(&data, &before, &after, &[1.0], &[0.0], &[0.0]);
        assert!(found.features[0].psi > 0.25, "{found:?}");
    }
}
