use super::*;
use cscopilot_shap::Explainer;

fn sample() -> Dataset {
    let n = 600;
    let u = |i: usize, k: usize| ((i * 7919 + k * 104_729 + i * i * 31) % 1009) as f64 / 1009.0;
    let columns: Vec<Vec<f64>> =
        (0..8).map(|k| (0..n).map(|i| if (i + k) % 9 == 0 { f64::NAN } else { u(i, k) * 10.0 - 5.0 }).collect()).collect();
    let event = |i: usize| u(i, 99) * 8.0 < columns[0][i].max(0.0) + if columns[1][i] > 2.0 { 2.0 } else { 0.5 };
    Dataset {
        events: (0..n).map(event).collect(),
        dates: vec![chrono::NaiveDate::default(); n],
        accounts: (0..n as u32).collect(),
        table: Table { features: (0..8).map(|k| format!("f{k}")).collect(), columns, rows: n, ..Table::default() },
        ..Dataset::default()
    }
}

/// Events that depend on the category in column 8 alone: every other letter.
fn with_categories() -> Dataset {
    let mut data = sample();
    let labels: Vec<String> = ('a'..='l').map(String::from).collect();
    let codes: Vec<usize> = (0..data.len()).map(|i| (i * 7 + i / 12 + i / 50) % labels.len()).collect();
    data.events = codes.iter().enumerate().map(|(i, c)| (i * 37) % 100 < if c % 2 == 0 { 70 } else { 10 }).collect();
    data.table.features.push("letter".into());
    data.table.columns.push(codes.iter().enumerate().map(|(i, c)| if i % 20 == 7 { f64::NAN } else { *c as f64 }).collect());
    data.table.categories = vec![None; 8];
    data.table.categories.push(Some(labels));
    data
}

const FREE: &BTreeMap<String, Direction> = &BTreeMap::new();

fn setting(xgboost: &Xgboost) -> Setting<'_> {
    Setting { xgboost, monotone: FREE, threads: 1, seed: 7 }
}

fn agrees_with_xgboost(data: &Dataset, model: &BoostedModel) {
    let width = data.table.features.len();
    let rows: Vec<usize> = (0..data.len()).collect();
    let matrix = data.table.matrix(&rows);
    let booster = Booster::load_buffer(&model.bytes).unwrap();
    let (theirs, (count, wide)) = booster.predict_contributions(&DMatrix::from_dense(&matrix, rows.len()).unwrap()).unwrap();
    assert_eq!((count, wide), (rows.len(), width + 1));
    let ensemble = model.ensemble().unwrap();
    assert_eq!(ensemble.feature_names(), data.table.features);
    let ours = Explainer::new(&ensemble).explain(&matrix, width).unwrap();
    let margins = model.margins(&data.table, &rows).unwrap();
    for row in 0..rows.len() {
        let their_row = &theirs[row * wide..(row + 1) * wide];
        for (a, b) in ours.row(row).iter().zip(their_row) {
            assert!((a - f64::from(*b)).abs() < 1e-4, "{a} {b}");
        }
        assert!((ours.base_value() - f64::from(their_row[width])).abs() < 1e-4);
        assert!((ours.margin(row) - margins[row]).abs() < 1e-4);
    }
}

#[test]
fn explanations_agree_with_those_of_xgboost() {
    for data in [sample(), with_categories()] {
        let rows: Vec<usize> = (0..data.len()).collect();
        let matrix = Matrix::of_events(&data, &rows).unwrap();
        for depth in [1, 3, 6] {
            let settings = Xgboost { max_depth: depth, eta: 0.2, ..Xgboost::default() };
            agrees_with_xgboost(&data, &fit(&matrix, 40, setting(&settings)).unwrap());
        }
    }
}

#[test]
fn categories_are_told_apart_whatever_their_order() {
    let data = with_categories();
    let rows: Vec<usize> = (0..data.len()).collect();
    // One split by categories separates what takes eleven splits by order.
    let settings = Xgboost { max_depth: 1, eta: 1.0, lambda: 1.0, subsample: 1.0, colsample_bytree: 1.0, ..Xgboost::default() };
    let as_categories = fit(&Matrix::of_events(&data, &rows).unwrap(), 1, setting(&settings)).unwrap();
    let margins = as_categories.margins(&data.table, &rows).unwrap();
    let auc = crate::metrics::auc(&margins, &data.events).unwrap();
    assert!(auc > 0.75, "{auc}");
    let ordered = Dataset { table: Table { categories: Vec::new(), ..data.table.clone() }, ..data.clone() };
    let as_numbers = fit(&Matrix::of_events(&ordered, &rows).unwrap(), 1, setting(&settings)).unwrap();
    let auc = crate::metrics::auc(&as_numbers.margins(&data.table, &rows).unwrap(), &data.events).unwrap();
    assert!(auc < 0.65, "{auc}");
}

#[test]
fn a_monotone_feature_moves_the_margin_one_way_only() {
    let data = sample();
    let rows: Vec<usize> = (0..data.len()).collect();
    let matrix = Matrix::of_events(&data, &rows).unwrap();
    let settings = Xgboost { max_depth: 4, eta: 0.3, min_child_weight: 1.0, lambda: 1.0, ..Xgboost::default() };
    // f0 raises the chance in the data: a falling bound must keep it from doing so.
    for (direction, sign) in [(Direction::Rising, 1.0), (Direction::Falling, -1.0)] {
        let monotone = BTreeMap::from([("f0".to_owned(), direction)]);
        let model = fit(&matrix, 60, Setting { monotone: &monotone, ..setting(&settings) }).unwrap();
        let mut wrong = 0;
        for row in [3, 50, 333] {
            let mut table = Table { rows: 200, ..data.table.clone() };
            for column in &mut table.columns {
                *column = vec![column[row]; 200];
            }
            table.columns[0] = (0..200).map(|i| f64::from(i) / 20.0 - 5.0).collect();
            let margins = model.margins(&table, &(0..200).collect::<Vec<_>>()).unwrap();
            wrong += margins.windows(2).filter(|w| sign * (w[1] - w[0]) < -1e-6).count();
        }
        assert_eq!(wrong, 0, "{direction:?}");
    }
}

#[test]
fn the_same_training_gives_the_same_bytes_whatever_the_threads() {
    for data in [sample(), with_categories()] {
        let rows: Vec<usize> = (0..data.len()).collect();
        let settings = Xgboost::default();
        let train = |threads| {
            let matrix = Matrix::of_events(&data, &rows).unwrap();
            fit(&matrix, 40, Setting { threads, ..setting(&settings) }).unwrap()
        };
        let one = train(1);
        assert_eq!(one, train(1));
        let two = train(2);
        assert_eq!(two, train(2));
        let (a, b) = (one.margins(&data.table, &rows).unwrap(), two.margins(&data.table, &rows).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(one, two);
    }
}

#[test]
fn a_matrix_can_be_trained_on_again_and_in_turns() {
    let data = sample();
    let (train, later): (Vec<usize>, Vec<usize>) = ((0..400).collect(), (400..600).collect());
    let (slow, fast) = (Xgboost::default(), Xgboost { eta: 0.3, max_depth: 5, ..Xgboost::default() });
    let matrices = (Matrix::of_events(&data, &train).unwrap(), Matrix::of_events(&data, &later).unwrap());
    let mut a = Staged::new(&matrices.0, &matrices.1, setting(&slow)).unwrap();
    let mut b = Staged::new(&matrices.0, &matrices.1, setting(&fast)).unwrap();
    for rounds in [5, 10, 20] {
        a.advance(rounds).unwrap();
        b.advance(rounds).unwrap();
    }
    let fresh = fit(&Matrix::of_events(&data, &train).unwrap(), 20, setting(&slow)).unwrap();
    assert_eq!(a.booster.save_buffer(true).unwrap(), fresh.bytes);
}

#[test]
fn stops_early_and_can_be_cut_at_any_round() {
    let data = sample();
    let (train, later): (Vec<usize>, Vec<usize>) = ((0..400).collect(), (400..600).collect());
    let settings = Xgboost { eta: 0.5, early_stopping_rounds: 5, max_rounds: 500, ..Xgboost::default() };
    let (matrix, watched) = (Matrix::of_events(&data, &train).unwrap(), Matrix::of_events(&data, &later).unwrap());
    let mut staged = Staged::new(&matrix, &watched, setting(&settings)).unwrap();
    let done = staged.advance(500).unwrap();
    assert!(done < 500 && staged.stopped() && staged.losses.len() == done as usize);
    assert!(staged.losses[0] < staged.loss_at_start());
    let (best, _) = best_rounds(std::slice::from_ref(&staged));
    let margins = staged.margins_after(best).unwrap();
    let refit = fit(&matrix, best, setting(&settings)).unwrap().margins(&data.table, &later).unwrap();
    for (a, b) in margins.iter().zip(&refit) {
        assert!((a - b).abs() < 1e-6);
    }
}
