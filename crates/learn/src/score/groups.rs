//! Features that say nearly the same thing, so that five reasons are not one reason five times.
//!
//! Two features are alike when their ranks on the training rows correlate (Spearman) by at least [`ALIKE`], in either direction. A group's
//! members are alike in all pairs (complete linkage): a chain of neighbours, whose ends have little in common, does not become one group.

use rayon::prelude::*;

use crate::data::dataset::Table;

/// The correlation of ranks from which on two features count as alike.
pub const ALIKE: f64 = 0.8;
/// Rows that correlations are taken from, evenly spread over those given: more would not change a group.
const ROWS: usize = 10_000;

/// The groups of at least two features, each sorted as the table is; by the first feature of each.
pub fn correlated(table: &Table, rows: &[usize]) -> Vec<Vec<String>> {
    let step = rows.len().div_ceil(ROWS).max(1);
    let some: Vec<usize> = rows.iter().copied().step_by(step).collect();
    let ranks: Vec<Vec<f64>> = table.columns.par_iter().map(|column| ranks(column, &some)).collect();
    let pairs: Vec<(usize, usize)> = (0..ranks.len()).flat_map(|a| (a + 1..ranks.len()).map(move |b| (a, b))).collect();
    let mut alike: Vec<(f64, usize, usize)> = (pairs.into_par_iter())
        .map(|(a, b)| (ranks[a].iter().zip(&ranks[b]).map(|(x, y)| x * y).sum::<f64>().abs(), a, b))
        .filter(|(correlation, ..)| *correlation >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let known: std::collections::BTreeSet<(usize, usize)> = alike.iter().map(|(_, a, b)| (*a, *b)).collect();
    let mut group: Vec<usize> = (0..ranks.len()).collect();
    for (_, a, b) in alike {
        let (to, from) = (group[a].min(group[b]), group[a].max(group[b]));
        let (left, right) = (members(&group, to), members(&group, from));
        if to != from && left.iter().all(|l| right.iter().all(|r| known.contains(&(*l.min(r), *l.max(r))))) {
            right.into_iter().for_each(|member| group[member] = to);
        }
    }
    let groups = (0..group.len()).map(|wanted| members(&group, wanted)).filter(|members| members.len() > 1);
    groups.map(|members| members.into_iter().map(|f| table.features[f].clone()).collect()).collect()
}

/// The features of a group.
fn members(group: &[usize], wanted: usize) -> Vec<usize> {
    (0..group.len()).filter(|feature| group[*feature] == wanted).collect()
}

/// Ranks of a column, ties sharing theirs, centred and scaled to length 1, so that a product is a correlation. A missing value stands in
/// the middle, where it says nothing for or against.
fn ranks(column: &[f64], rows: &[usize]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..rows.len()).filter(|i| !column[rows[*i]].is_nan()).collect();
    order.sort_by(|a, b| column[rows[*a]].total_cmp(&column[rows[*b]]));
    let middle = (order.len() as f64 - 1.0) / 2.0;
    let mut ranks = vec![0.0; rows.len()];
    let mut before = 0.0;
    for tied in order.chunk_by(|a, b| column[rows[*a]] == column[rows[*b]]) {
        let count = tied.len() as f64;
        tied.iter().for_each(|at| ranks[*at] = before + (count - 1.0) / 2.0 - middle);
        before += count;
    }
    let length = ranks.iter().map(|r| r * r).sum::<f64>().sqrt();
    if length > 0.0 {
        ranks.iter_mut().for_each(|r| *r /= length);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: Vec<Vec<f64>>) -> Table {
        let rows = columns[0].len();
        Table { features: (0..columns.len()).map(|i| format!("f{i}")).collect(), columns, rows }
    }

    #[test]
    fn features_that_rise_or_fall_together_are_one_group() {
        let n = 500;
        let noise = |i: usize, k: usize| ((i * 7919 + k * 104_729 + i * i * 31) % 1009) as f64 / 1009.0;
        let base: Vec<f64> = (0..n).map(|i| noise(i, 1)).collect();
        let columns = vec![
            base.clone(),
            (0..n).map(|i| noise(i, 2)).collect(),
            base.iter().map(|x| -(x * 5.0).exp()).collect(),
            base.iter().enumerate().map(|(i, x)| if i % 50 == 0 { f64::NAN } else { x + 0.05 * noise(i, 3) }).collect(),
            vec![1.0; n],
        ];
        let rows: Vec<usize> = (0..n).collect();
        assert_eq!(correlated(&table(columns), &rows), [["f0", "f2", "f3"]]);
    }

    #[test]
    fn a_chain_is_not_one_group() {
        // Each neighbour correlates by about 0.87, the ends by about 0.5.
        let n = 2_000;
        let noise = |i: usize, k: usize| ((i * 7919 + k * 104_729 + i * i * (31 + k)) % 10_007) as f64 / 10_007.0;
        let turn = |angle: f64| (0..n).map(|i| angle.cos() * (noise(i, 1) - 0.5) + angle.sin() * (noise(i, 2) - 0.5)).collect();
        let columns = vec![turn(0.0), turn(0.5), turn(1.05)];
        let rows: Vec<usize> = (0..n).collect();
        let groups = correlated(&table(columns), &rows);
        assert_eq!(groups.len(), 1, "{groups:?}");
        assert_eq!(groups[0].len(), 2, "{groups:?}");
    }
}
