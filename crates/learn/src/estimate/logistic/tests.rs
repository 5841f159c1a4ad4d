use super::newton::derivatives;
use super::*;
use crate::metrics::sigmoid;

fn ridge(strength: f64) -> Penalty {
    Penalty { strength, l1_ratio: 0.0 }
}

fn sample() -> (Table, Vec<bool>) {
    // A fixed pseudo-random sample; the reference below was fitted on the same formulae.
    let n = 400;
    let mut columns = vec![Vec::new(), Vec::new(), Vec::new()];
    let mut events = Vec::new();
    for i in 0..n {
        let u = |k: u64| ((i as u64 * 2_654_435_761 + k * 40_503) % 1_000_003) as f64 / 1_000_003.0;
        let (a, b, c) = (u(1) * 4.0 - 2.0, (u(2) * 5.0).exp(), u(3));
        columns[0].push(a);
        columns[1].push(b);
        columns[2].push(if c < 0.2 { f64::NAN } else { c });
        events.push(u(7) < sigmoid(a - 0.5 * b.ln() + if c < 0.2 { 1.0 } else { 0.0 }));
    }
    (Table { features: vec!["a".into(), "b".into(), "c".into()], columns, rows: n, ..Table::default() }, events)
}

#[test]
fn the_gradient_vanishes_at_the_fit() {
    let (table, events) = sample();
    let rows: Vec<usize> = (0..table.rows).collect();
    let prepared = Prepared::new(&table, &rows, events.clone(), &LogisticRegression::default());
    let model = prepared.fit(ridge(10.0), None).unwrap();
    let mut theta = vec![model.linear.intercept];
    theta.extend(&model.linear.coefficients);
    let (gradient, _) = derivatives(&prepared.design, prepared.inputs.len(), &events, 10.0, &theta);
    assert!(gradient.iter().all(|g| g.abs() < 1e-3), "{gradient:?}");
    let again = prepared.fit(ridge(10.0), Some(&prepared.fit(ridge(1.0), None).unwrap())).unwrap();
    for (x, y) in again.linear.coefficients.iter().zip(&model.linear.coefficients) {
        assert!((x - y).abs() < 1e-4);
    }
}

#[test]
fn heavy_tails_are_logged_holes_are_marked_and_reasons_add_up() {
    let (table, events) = sample();
    let rows: Vec<usize> = (0..table.rows).collect();
    let model = Prepared::new(&table, &rows, events, &LogisticRegression::default()).fit(ridge(1.0), None).unwrap();
    let logged = |f: usize| model.inputs.iter().any(|i| matches!(i, Input::Value { feature, log: true, .. } if *feature == f));
    assert!(!logged(0) && logged(1));
    assert!(model.inputs.iter().any(|i| matches!(i, Input::Missing { feature: 2, .. })));
    let margins = model.margins(&table, &rows);
    let explained = model.explain(&table, &rows).unwrap();
    for (i, m) in margins.iter().enumerate() {
        assert!((explained.margin(i) - m).abs() < 1e-10);
    }
}

#[test]
fn constant_and_empty_columns_are_left_out() {
    let table =
        Table { features: vec!["k".into(), "e".into()], columns: vec![vec![3.0; 10], vec![f64::NAN; 10]], rows: 10, ..Table::default() };
    let rows: Vec<usize> = (0..10).collect();
    let events = (0..10).map(|i| i % 2 == 0).collect();
    let model = Prepared::new(&table, &rows, events, &LogisticRegression::default()).fit(ridge(1.0), None).unwrap();
    assert!(model.inputs.is_empty());
    assert!(model.margins(&table, &rows).iter().all(|m| m.abs() < 1e-6));
    assert_eq!(model.explain(&table, &rows).unwrap().row(0), [0.0, 0.0]);
}

#[test]
fn an_elastic_net_has_the_coefficients_of_scikit_learn() {
    // LogisticRegression(penalty="elasticnet", solver="saga", C=1/strength, l1_ratio=…, tol=1e-14) on the same standardised columns.
    let figures: [(f64, f64, f64, [f64; 5]); 4] = [
        (
            10.0,
            0.0,
            -0.6605834980053715,
            [1.0869312736002112, 1.1817176490315946, -0.899568396019957, 0.2040326265613167, 0.7805137623888513],
        ),
        (10.0, 0.5, -0.5510889726189317, [1.1471469169838353, 1.2403574334351848, -0.9367794996781104, 0.0, 0.6165709875547741]),
        (25.0, 0.5, -0.40222659028706614, [0.8571776247050525, 0.8542114918155527, -0.8008733176418067, 0.0, 0.4174502757400493]),
        (10.0, 1.0, -0.5379542180707447, [1.339628886575914, 1.681519981913222, -0.9202744080220681, 0.0, 0.0]),
    ];
    let n = 400;
    let u = |i: u64, k: u64| ((i * 2_654_435_761 + k * 40_503 * 7919) % 1_000_003) as f64 / 1_000_003.0;
    let mut columns = vec![Vec::new(); 5];
    let mut events = Vec::new();
    for i in 0..n {
        let a = u(i, 1) * 4.0 - 2.0;
        let row = [a, 0.6 * a + u(i, 2), u(i, 3), u(i, 4) * 3.0, u(i, 5) - 0.5];
        columns.iter_mut().zip(row).for_each(|(column, x)| column.push(x));
        events.push(u(i, 7) < sigmoid(1.2 * row[0] - 1.5 * row[2] + 0.2));
    }
    let names = (0..5).map(|i| format!("f{i}")).collect();
    let table = Table { features: names, columns, rows: n as usize, ..Table::default() };
    let rows: Vec<usize> = (0..table.rows).collect();
    let settings = LogisticRegression { winsorise: 0.0, log_heavy_tails: false, ..LogisticRegression::default() };
    let prepared = Prepared::new(&table, &rows, events, &settings);
    let mut last: Option<LogisticModel> = None;
    for (strength, l1_ratio, intercept, coefficients) in figures {
        let penalty = Penalty { strength, l1_ratio };
        // From scratch, and from the solution of another penalty.
        for start in [None, last.as_ref()] {
            let model = prepared.fit(penalty, start).unwrap();
            assert!((model.linear.intercept - intercept).abs() < 1e-7, "{penalty:?} {}", model.linear.intercept);
            for (ours, theirs) in model.linear.coefficients.iter().zip(coefficients) {
                assert!((ours - theirs).abs() < 1e-7, "{penalty:?} {ours} {theirs}");
                assert_eq!(*ours == 0.0, theirs == 0.0);
            }
        }
        last = Some(prepared.fit(penalty, None).unwrap());
    }
}

#[test]
fn categories_become_indicators_and_rare_ones_share_one() {
    let n = 1000;
    // a 50%, b 40%, c 0.6%, d 0.8%, e only in rows that are not learned from; 8% missing.
    let code = |i: usize| match i % 500 {
        0..=249 => 0.0,
        250..=449 => 1.0,
        450..=452 => 2.0,
        453..=456 => 3.0,
        _ => f64::NAN,
    };
    let mut column: Vec<f64> = (0..n).map(code).collect();
    let events = (0..n).map(|i| (i * 37) % 100 < if code(i) == 1.0 { 60 } else { 20 }).collect();
    column.push(4.0);
    let labels = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
    let table = Table { features: vec!["plan".into()], columns: vec![column], rows: n + 1, categories: vec![Some(labels)] };
    let rows: Vec<usize> = (0..n).collect();
    let model = Prepared::new(&table, &rows, events, &LogisticRegression::default()).fit(ridge(1.0), None).unwrap();
    let sets: Vec<&[u32]> =
        model.inputs.iter().filter_map(|i| if let Input::Category { codes, .. } = i { Some(codes.as_slice()) } else { None }).collect();
    assert_eq!(sets, [&[0][..], &[1], &[2, 3]]);
    assert!(model.inputs.iter().any(|i| matches!(i, Input::Missing { .. })));
    let margins = model.margins(&table, &[0, 250, 450, 453, n]);
    assert!(margins[1] > margins[0] + 1.0 && margins[2] == margins[3] && margins[4].is_finite(), "{margins:?}");
    let explained = model.explain(&table, &rows).unwrap();
    assert!((explained.margin(250) - margins[1]).abs() < 1e-10);
}
