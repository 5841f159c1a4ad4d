//! The backtest: what each estimator reaches at each cut-off, and at all together, with intervals.

use chrono::NaiveDate;
use cscopilot_spec::{Model, Profit};
use serde::Serialize;

use crate::data::dataset::Dataset;
use crate::metrics::bootstrap::{self, Draws, Sampled};
use crate::metrics::measure::{Measured, Rows, Slice};
use crate::metrics::profit::Campaign;
use crate::train::contender::{Contender, Part, Predicted};

/// The figures of one cut-off.
#[derive(Debug, Clone, Serialize)]
pub struct Cutoff {
    /// Where the predicted rows lie.
    pub part: Part,
    /// Their first date.
    pub from: Option<NaiveDate>,
    /// Their last date.
    pub to: Option<NaiveDate>,
    /// Rows learned from; of all cut-offs together, those of the last.
    pub rows_train: usize,
    /// Rows predicted.
    pub rows: usize,
    /// Events among them.
    pub events: usize,
    /// Different accounts with the event.
    pub event_accounts: usize,
    /// The figures. None where only one class occurs.
    pub by_rows: Measured,
    /// The figures with rows weighted by worth, where the model names a weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_weight: Option<Measured>,
}

/// How one estimator did.
#[derive(Debug, Clone, Serialize)]
pub struct Backtest {
    /// Its name.
    pub estimator: String,
    /// Whether it was chosen.
    pub chosen: bool,
    /// The folds of the development period, then the test period.
    pub cutoffs: Vec<Cutoff>,
    /// All of them together.
    pub pooled: Cutoff,
}

/// Slices that are measured together, under the same draws from the same accounts.
pub struct Bench<'a> {
    data: &'a Dataset,
    /// The judged rows' accounts, sorted: what is drawn from.
    accounts: Vec<u32>,
    campaign: Option<Campaign>,
    slices: Vec<Slice>,
}

/// A slice on the bench.
#[derive(Debug, Clone, Copy)]
pub struct Place(usize);

impl<'a> Bench<'a> {
    /// A bench for rows among `judged`.
    pub fn new(data: &'a Dataset, judged: &[usize], profit: Option<&Profit>) -> Self {
        let mut accounts = data.accounts_of(judged);
        accounts.sort_unstable();
        accounts.dedup();
        let campaign = profit.map(|p| Campaign {
            clv: p.clv.value,
            incentive: p.incentive.value,
            contact_cost: p.contact_cost.value,
            alpha: p.alpha.value,
            beta: p.beta.value,
        });
        Self { data, accounts, campaign, slices: Vec::new() }
    }

    /// Puts predictions of `rows` on the bench.
    pub fn add(&mut self, rows: &[usize], margins: &[f64], probabilities: &[f64], weights: Option<&[f64]>) -> Place {
        let of = |row: &usize| self.accounts.binary_search(&self.data.accounts[*row]).unwrap_or_default() as u32;
        let accounts: Vec<u32> = rows.iter().map(of).collect();
        let events = self.data.events_of(rows);
        let rows = Rows { scores: margins, probabilities, events: &events, accounts: &accounts, values: weights };
        self.slices.push(Slice::new(rows, self.campaign));
        Place(self.slices.len() - 1)
    }

    /// Measures everything.
    pub fn measure(self, draws: Draws) -> Measurements {
        Measurements(bootstrap::sample(&self.slices, self.accounts.len(), draws))
    }
}

/// What came out, by place.
pub struct Measurements(Vec<Option<Sampled>>);

impl Measurements {
    /// A slice's figures in every sample; `None` where only one class occurs.
    pub fn at(&self, place: Place) -> Option<&Sampled> {
        self.0.get(place.0)?.as_ref()
    }

    /// A slice's figures with intervals.
    pub fn measured(&self, place: Place) -> Measured {
        self.at(place).map(Sampled::measured).unwrap_or_default()
    }
}

/// Where a contender's slices lie on the bench: each cut-off, then all together, by rows and by weight.
pub struct Places(Vec<(Place, Option<Place>)>);

impl Places {
    /// Puts all of a contender's predictions on the bench.
    pub fn add(bench: &mut Bench<'_>, contender: &Contender) -> Self {
        let pooled = contender.pooled();
        let mut add = |p: &Predicted| {
            let by_rows = bench.add(&p.rows, &p.margins, &p.probabilities, None);
            let weights = bench.data.weights_of(&p.rows);
            let by_weight = weights.map(|w| bench.add(&p.rows, &p.margins, &p.probabilities, Some(&w)));
            (by_rows, by_weight)
        };
        Self(contender.cutoffs.iter().chain([&pooled]).map(&mut add).collect())
    }

    /// The test period.
    pub fn test(&self) -> Option<Place> {
        self.0.iter().rev().nth(1).map(|p| p.0)
    }

    /// All cut-offs together.
    pub fn pooled(&self) -> Option<Place> {
        self.0.last().map(|p| p.0)
    }

    /// The contender's backtest.
    pub fn report(&self, data: &Dataset, contender: &Contender, chosen: bool, found: &Measurements) -> Backtest {
        let pooled = contender.pooled();
        let figures = |p: &Predicted, places: Option<&(Place, Option<Place>)>| Cutoff {
            part: p.part,
            from: data.span(&p.rows).map(|s| s.0),
            to: data.span(&p.rows).map(|s| s.1),
            rows_train: p.rows_train,
            rows: p.rows.len(),
            events: data.count_events(&p.rows),
            event_accounts: data.accounts_with_event(&p.rows),
            by_rows: places.map(|p| found.measured(p.0)).unwrap_or_default(),
            by_weight: places.and_then(|p| p.1).map(|p| found.measured(p)),
        };
        Backtest {
            estimator: contender.chosen.name().to_owned(),
            chosen,
            cutoffs: contender.cutoffs.iter().zip(&self.0).map(|(p, places)| figures(p, Some(places))).collect(),
            pooled: figures(&pooled, self.0.last()),
        }
    }
}

/// How to draw for a model.
pub fn draws(model: &Model) -> Draws {
    Draws { samples: model.gates.bootstrap_samples.value, confidence: model.gates.confidence.value, seed: model.seed }
}
