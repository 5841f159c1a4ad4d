//! What a trained model must reach to become champion.

use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a trained model must reach to become champion: on the test slice, where nothing else is said.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// The lower bound of the AUC's confidence interval must lie above this.
    pub min_auc_ci_low: At<f64>,
    /// Whether the AUC over all cut-offs of the backtest together must pass the same bound. One test period alone lets one
    /// worthless model in forty through.
    pub backtest: bool,
    /// Confidence of the intervals.
    pub confidence: At<f64>,
    /// Largest expected calibration error (quantile bins).
    pub max_calibration_error: At<f64>,
    /// The ratio of observed to expected events may lie between this and its inverse; it counts as off only when its whole
    /// confidence interval lies outside.
    pub max_calibration_ratio: At<f64>,
    /// How many bootstrap samples, drawn by account, make an interval.
    pub bootstrap_samples: At<u32>,
    /// No segment and no tenure band may have an AUC whose whole confidence interval lies below this.
    pub min_segment_auc: At<f64>,
    /// Segments and tenure bands in which fewer different accounts have the event get no interval, and no gate judges them.
    pub min_segment_events: At<u32>,
    /// Least rank correlation of the features' mean absolute contributions between the models of the folds, averaged over
    /// all pairs. Reasons that change with every training are none. Fewer than five features in use are not judged.
    pub min_reason_stability: At<f64>,
    /// Largest population stability index (PSI) between development and test period, of any feature that the model uses and
    /// of its score.
    pub max_psi: At<f64>,
    /// What happens above `max_psi`.
    pub on_drift: OnDrift,
    /// When a new model does not replace the present champion.
    pub champion: ChampionGate,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            min_auc_ci_low: At::nowhere(0.5),
            backtest: true,
            confidence: At::nowhere(0.95),
            max_calibration_error: At::nowhere(0.05),
            max_calibration_ratio: At::nowhere(1.5),
            bootstrap_samples: At::nowhere(1000),
            min_segment_auc: At::nowhere(0.5),
            min_segment_events: At::nowhere(20),
            min_reason_stability: At::nowhere(0.2),
            max_psi: At::nowhere(0.25),
            on_drift: OnDrift::default(),
            champion: ChampionGate::default(),
        }
    }
}

/// What happens when features or scores have shifted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// The model's card and the run say so.
    #[default]
    Note,
    /// The model is refused.
    Refuse,
}

/// A new model replaces the champion unless it is worse on the same later rows, by more than these margins and beyond
/// doubt: the interval of the difference, from the same bootstrap draws for both, lies wholly on the wrong side of zero.
///
/// The champion must not have learned from those rows. It has as a rule, so its recipe (estimator, settings, features) is
/// fitted anew on the rows that the new model learned from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChampionGate {
    /// How much AUC the new model may lose.
    pub max_auc_loss: At<f64>,
    /// How much larger its log loss may be, in percent of the champion's.
    pub max_log_loss_increase_pct: At<f64>,
}

impl Default for ChampionGate {
    fn default() -> Self {
        Self { max_auc_loss: At::nowhere(0.01), max_log_loss_increase_pct: At::nowhere(1.0) }
    }
}
