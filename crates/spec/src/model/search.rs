//! A search over the settings of gradient-boosted trees.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// A random search with successive halving: many settings get few rounds, and the better ones get more.
///
/// The settings beside `search:` are always the first trial. The later folds decide, by log loss.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// How many settings are tried.
    pub trials: u32,
    /// How long the search may take on one core of a usual server. The time is not measured but counted, 250 million cells a second: a
    /// round costs rows × features × depth cells. So the same data and seed give the same model on any machine.
    pub budget_secs: f64,
    /// What is varied, and how far. What is not listed stays as it is set.
    pub space: Space,
}

impl Default for Search {
    fn default() -> Self {
        Self { trials: 20, budget_secs: 120.0, space: Space::default() }
    }
}

/// What a search varies.
///
/// `max_bin` is not among it: the features are cut into bins once, for all trials.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Space {
    /// How deep a tree may be.
    pub max_depth: Option<Axis>,
    /// Learning rate.
    pub eta: Option<Axis>,
    /// Smallest sum of hessians in a leaf.
    pub min_child_weight: Option<Axis>,
    /// Share of the rows that each tree sees.
    pub subsample: Option<Axis>,
    /// Share of the features that each tree sees.
    pub colsample_bytree: Option<Axis>,
    /// L2 penalty of leaf values.
    pub lambda: Option<Axis>,
    /// L1 penalty of leaf values.
    pub alpha: Option<Axis>,
    /// Least gain of a split.
    pub gamma: Option<Axis>,
}

/// The values that a setting may take: some of them, or a range.
#[derive(Debug, Clone, PartialEq)]
pub enum Axis {
    /// One of these, each as likely.
    Choices(Vec<f64>),
    /// Between two numbers.
    Spread(Spread),
}

/// A range of numbers.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Whether the logarithm is spread evenly: as many trials between 0.01 and 0.1 as between 0.1 and 1.
    #[serde(default)]
    pub log: bool,
}

struct AxisVisitor;

// By hand, since an untagged enum would lose the message of what is wrong.
impl<'de> Visitor<'de> for AxisVisitor {
    type Value = Axis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers, or `{low: …, high: …, log: true}`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Axis, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Axis::Choices)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Axis, A::Error> {
        Spread::deserialize(de::value::MapAccessDeserializer::new(map)).map(Axis::Spread)
    }
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AxisVisitor)
    }
}

impl JsonSchema for Axis {
    fn schema_name() -> Cow<'static, str> {
        "Axis".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<Vec<f64>>();
        let range = generator.subschema_for::<Spread>();
        json_schema!({"description": "Numbers to choose from, or a range of them.", "anyOf": [list, range]})
    }
}

impl Axis {
    /// Whether it has values, and all lie between two numbers.
    fn within(&self, low: f64, high: f64) -> bool {
        match self {
            Self::Choices(values) => !values.is_empty() && values.iter().all(|v| (low..=high).contains(v)),
            Self::Spread(r) => r.low <= r.high && r.low >= low && r.high <= high && (!r.log || r.low > 0.0),
        }
    }
}

impl Search {
    /// What is wrong with the search, if anything.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let s = &self.space;
        let off = |axis: &Option<Axis>, low: f64, high: f64| axis.as_ref().is_some_and(|a| !a.within(low, high));
        let least = f64::MIN_POSITIVE;
        let penalties = [&s.min_child_weight, &s.lambda, &s.alpha, &s.gamma];
        let problems = [
            (!(1..=1000).contains(&self.trials), "`trials` must lie between 1 and 1000"),
            (!(self.budget_secs > 0.0 && self.budget_secs <= 86_400.0), "`budget_secs` must lie above 0 and at most at 86400"),
            (off(&s.max_depth, 1.0, 12.0), "the space of `max_depth` must lie between 1 and 12"),
            (off(&s.eta, least, 1.0), "the space of `eta` must lie above 0 and at most at 1"),
            (
                off(&s.subsample, least, 1.0) || off(&s.colsample_bytree, least, 1.0),
                "the spaces of `subsample` and `colsample_bytree` must lie above 0 and at most at 1",
            ),
            (
                penalties.into_iter().any(|a| off(a, 0.0, 1e9)),
                "the spaces of penalties must not be negative; with `log`, `low` must lie above 0",
            ),
        ];
        problems.into_iter().find_map(|(wrong, problem)| wrong.then_some(problem))
    }
}
