use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::data::dataset::Times;

/// Accounts with Weibull times (shape 1: exponential) whose scale depends on one feature, seen for 30 to 500 days.
struct World {
    times: Times,
    scales: Vec<f64>,
    shape: f64,
}

impl World {
    fn new(n: usize, shape: f64, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut days, mut events, mut scales) = (Vec::new(), Vec::new(), Vec::new());
        let mut columns = vec![Vec::new(), Vec::new()];
        for _ in 0..n {
            let (x, noise): (f64, f64) = (random.random_range(-1.0..1.0), random.random_range(0.0..1.0));
            let scale = 250.0 * f64::exp(-0.8 * x);
            let u: f64 = random.random_range(1e-9..1.0);
            let (event, end) = (scale * (-u.ln()).powf(1.0 / shape), random.random_range(30.0..500.0));
            days.push(event.min(end));
            events.push(event <= end);
            scales.push(scale);
            columns[0].push(x);
            columns[1].push(noise);
        }
        let rows = Dataset {
            events,
            dates: vec![NaiveDate::default(); n],
            accounts: (0..n as u32).collect(),
            table: Table { features: vec!["x".into(), "noise".into()], columns, rows: n, ..Table::default() },
            ..Dataset::default()
        };
        Self { times: Times { rows, days }, scales, shape }
    }

    fn survival(&self, row: usize, days: f64) -> f64 {
        (-(days / self.scales[row]).powf(self.shape)).exp()
    }

    fn median(&self, row: usize) -> f64 {
        self.scales[row] * std::f64::consts::LN_2.powf(1.0 / self.shape)
    }
}

fn fitted(world: &World) -> SurvivalModel {
    let xgboost = Xgboost { eta: 0.1, lambda: 1.0, colsample_bytree: 1.0, ..Xgboost::default() };
    let setting = Setting { xgboost: &xgboost, monotone: &BTreeMap::new(), threads: 1, seed: 3 };
    let data = &world.times.rows;
    let rows: Vec<usize> = (0..data.len()).collect();
    let boosted = boosted::fit(&periods(data, &world.times.known_by(NaiveDate::MAX), &rows).unwrap(), 120, setting).unwrap();
    SurvivalModel { boosted, calibrator: PeriodCalibrator::AS_IT_IS }
}

#[test]
fn survival_and_median_are_those_of_the_known_hazard_in_spite_of_censoring() {
    for shape in [1.0, 1.6] {
        let world = World::new(8000, shape, 5);
        let n = world.scales.len();
        let outlook = fitted(&world).outlook(&world.times.rows.table, &(0..n).collect::<Vec<_>>()).unwrap();
        // In each fifth of the accounts by risk, predicted and true survival agree on average.
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| world.scales[*a].total_cmp(&world.scales[*b]));
        for fifth in order.chunks(n / 5) {
            let mean = |f: &dyn Fn(usize) -> f64| fifth.iter().map(|r| f(*r)).sum::<f64>() / fifth.len() as f64;
            for (k, days) in HORIZONS.into_iter().enumerate() {
                let (predicted, truth) = (mean(&|r| outlook[r].survival[k]), mean(&|r| world.survival(r, f64::from(days))));
                assert!((predicted - truth).abs() < 0.03, "shape {shape}, {days} days: {predicted} {truth}");
            }
            let (predicted, truth) = (mean(&|r| outlook[r].median_days.unwrap().ln()), mean(&|r| world.median(r).ln()));
            assert!((predicted - truth).abs() < 0.12, "shape {shape}: median {} {}", predicted.exp(), truth.exp());
        }
    }
}

#[test]
fn a_period_that_observation_ended_in_counts_as_far_as_it_was_seen() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut world = World::new(6000, 1.0, 5);
    // Nine in ten are seen for less than the first period, and an event comes every hundred days.
    for (days, observed) in world.times.days.iter_mut().zip(&mut world.times.rows.events) {
        let (event, end) = (-100.0 * f64::ln(random.random_range(1e-9..1.0)), random.random_range(0.0..33.0));
        (*days, *observed) = (f64::min(event, end), event <= end);
    }
    let outlook = fitted(&world).outlook(&world.times.rows.table, &(0..6000).collect::<Vec<_>>()).unwrap();
    let mean = outlook.iter().map(|o| o.survival[0]).sum::<f64>() / 6000.0;
    assert!((mean - f64::exp(-0.3)).abs() < 0.03, "{mean}");
}

#[test]
fn survival_falls_and_the_median_lies_where_it_crosses_one_half() {
    let world = World::new(1500, 1.3, 9);
    let model = fitted(&world);
    let curves = model.curves(&world.times.rows.table, &[0, 700, 1499]).unwrap();
    for curve in curves.chunks(PERIODS) {
        assert!(curve[0] < 1.0 && curve.windows(2).all(|w| w[1] < w[0]) && curve[PERIODS - 1] > 0.0);
    }
    let halved: Vec<f64> = (1..=PERIODS).map(|k| 0.5f64.powf(k as f64 / 3.0)).collect();
    assert!((median_of(&halved).unwrap() - 90.0).abs() < 1e-9);
    let slow: Vec<f64> = (1..=PERIODS).map(|k| 0.5f64.powf(k as f64 / 40.0)).collect();
    assert!((median_of(&slow).unwrap() - 1200.0).abs() < 1e-6);
    assert_eq!(median_of(&[1.0 - 1e-9; PERIODS]), None);
}

#[test]
fn a_judged_hazard_is_calibrated_on_later_rows_and_knows_nothing_after_they_began() {
    let mut world = World::new(6000, 1.0, 21);
    let begin = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
    world.times.rows.dates = (0..6000u64).map(|i| begin + Days::new(i / 10)).collect();
    let model = crate::estimate::model_of(
        "version: 1\n\
         label: {table: labels.churn, column: churned, horizon_days: 28, survival: {days: days, observed: observed}}\n\
         features: {table: features.account_features}\nestimators: [xgboost: {eta: 0.1, lambda: 1.0}]\n",
    );
    let test_from = begin + Days::new(450);
    let train = |times: &Times| {
        let data = Dataset { times: Some(Box::new(times.clone())), ..Dataset::default() };
        super::train(&model, &data, begin, test_from).unwrap().unwrap()
    };
    let trained = train(&world.times);
    assert_eq!((trained.figures.horizons.len(), trained.figures.rows), (3, 1500));
    for h in &trained.figures.horizons {
        assert!((h.predicted - h.observed).abs() < 0.04, "{h:?}");
    }
    assert!(trained.figures.integrated_brier < trained.figures.integrated_brier_of_curve);

    // Events after the test period began change what is learned in the end, but not the model that is judged.
    let mut later = world.times.clone();
    for row in 0..4500 {
        let most = test_from.signed_duration_since(later.rows.dates[row]).num_days() as f64;
        if later.days[row] > most {
            (later.days[row], later.rows.events[row]) = (most + 1.0, true);
        }
    }
    let other = train(&later);
    assert_eq!(other.figures, trained.figures);
    assert_ne!(other.model, trained.model);
    assert!(super::train(&model, &Dataset::default(), begin, test_from).unwrap().is_none());
}

#[test]
fn the_curve_counts_a_period_that_was_not_over_neither_with_an_event_nor_without() {
    let begin = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
    let mut world = World::new(5, 1.0, 1);
    world.times.rows.dates = vec![begin; 5];
    // Looked at for 45 days: left in the first period, in the second, never, later, unknown.
    world.times.days = vec![10.0, 40.0, 45.0, 60.0, f64::NAN];
    world.times.rows.events = vec![true, true, false, true, false];
    let day = begin + Days::new(45);
    let mut over = Over::default();
    over.add(&[0.5; 5 * PERIODS], &world.times, &world.times.known_by(day), &[0, 1, 2, 3, 4], day);
    assert_eq!(over.margins, [(0, 0.5); 4]);
    assert_eq!(over.events, [true, false, false, false]);
    assert_eq!(over.calibrated(), PeriodCalibrator::AS_IT_IS, "one event makes no curve");
}

#[test]
fn the_curve_is_decided_on_more_rows_than_trees_learn_from_and_on_accounts_that_they_have_not_seen() {
    // Ten evenings of 6,000 accounts.
    let accounts: Vec<u32> = (0..60_000).map(|row| row % 6000).collect();
    let rows: Vec<usize> = (0..60_000).collect();
    let folds = folds_of(&accounts, &rows);
    let total = |of: fn(&Fold) -> &Vec<usize>| folds.iter().map(|fold| of(fold).len()).sum::<usize>();
    assert_eq!(total(|fold| &fold.calibrating), rows.len());
    assert!((19_000..21_000).contains(&total(|fold| &fold.unseen)), "{}", total(|fold| &fold.unseen));
    for fold in &folds {
        let seen: std::collections::BTreeSet<u32> = fold.others.iter().map(|r| accounts[*r]).collect();
        assert!(fold.unseen.iter().chain(&fold.calibrating).all(|r| !seen.contains(&accounts[*r])));
        assert!(fold.unseen.iter().all(|r| fold.calibrating.binary_search(r).is_ok()));
    }
}
