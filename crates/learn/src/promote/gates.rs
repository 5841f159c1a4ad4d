//! The gates between a judged model and the night's scores.
//!
//! Each says in words what it measured. The first that does not let a model pass gives the reason; all are kept for the card.

use cscopilot_spec::{Gates, OnDrift};
use serde::Serialize;

use crate::metrics::bootstrap::Interval;
use crate::metrics::measure::Figure;
use crate::promote::champion::Comparison;
use crate::promote::drift::Drift;
use crate::promote::stability::Stability;
use crate::train::figures::TestFigures;
use crate::train::segments::SegmentFigures;

/// Fewer features in use have no order that could be stable.
const LEAST_FEATURES: usize = 5;

/// Everything that the gates look at.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Figures on the test period.
    pub test: &'a TestFigures,
    /// AUC over all cut-offs of the backtest, and their number.
    pub backtest: Option<(Interval, usize)>,
    /// Segments and bands of tenure on the test period.
    pub segments: &'a [SegmentFigures],
    /// Whether reasons stay the same.
    pub stability: Option<&'a Stability>,
    /// How far features and scores have moved.
    pub drift: &'a Drift,
    /// The comparison with the present champion, if there is one that can be compared.
    pub champion: Option<&'a Comparison>,
    /// Whether the rows have no order in time: then nothing is later, nothing can have moved, and the test is all cut-offs together.
    pub crossed: bool,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Its name.
    pub gate: &'static str,
    /// Whether it lets the model pass.
    pub passed: bool,
    /// What it found, in plain words.
    pub says: String,
}

/// What the gates decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether the model becomes champion.
    pub promoted: bool,
    /// Why, in plain words.
    pub reason: String,
    /// Every gate.
    pub gates: Vec<Gate>,
}

/// Asks every gate.
pub fn judge(bounds: &Gates, evidence: Evidence<'_>) -> Verdict {
    let auc = evidence.test.uncertainty.auc;
    let percent = bounds.confidence.value * 100.0;
    let seen = if evidence.crossed { "rows of folds it had not seen" } else { "later data" };
    let measured = format!("its AUC on {seen} is {:.2} ({percent:.0}% interval {:.2} to {:.2})", auc.value, auc.low, auc.high);
    let gates: Vec<Gate> = [
        Some(signal(bounds, evidence.test)),
        evidence.backtest.filter(|_| bounds.backtest && !evidence.crossed).map(|(auc, cutoffs)| backtest(bounds, auc, cutoffs)),
        Some(calibration_error(bounds, evidence.test)),
        Some(calibration_ratio(bounds, evidence.test)),
        Some(segments(bounds, evidence.segments)),
        evidence.stability.filter(|s| s.features >= LEAST_FEATURES).map(|s| stability(bounds, s)),
        (!evidence.crossed).then(|| drift(bounds, evidence.drift)),
        evidence.champion.map(|c| champion(bounds, c)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let moved = moved(bounds, evidence.drift).map(|m| format!("; {m}")).unwrap_or_default();
    let reason = match gates.iter().find(|g| !g.passed) {
        Some(gate) if gate.gate == "auc" => format!("{measured}, which {}", gate.says),
        Some(gate) => format!("{measured}, but {}", gate.says),
        None => {
            let off = evidence.test.calibration_error * 100.0;
            format!("{measured}; its probabilities are off by {off:.1} points on average{moved}")
        }
    };
    Verdict { promoted: gates.iter().all(|g| g.passed), reason, gates }
}

fn no_better_than(bound: f64) -> String {
    if bound == 0.5 { "no better than chance".to_owned() } else { format!("no better than the required {bound:.2}") }
}

fn signal(bounds: &Gates, test: &TestFigures) -> Gate {
    let bound = bounds.min_auc_ci_low.value;
    let passed = test.uncertainty.auc.low > bound;
    let says = if passed { format!("is above {bound:.2} beyond doubt") } else { format!("may be {}", no_better_than(bound)) };
    Gate { gate: "auc", passed, says }
}

fn backtest(bounds: &Gates, auc: Interval, cutoffs: usize) -> Gate {
    let bound = bounds.min_auc_ci_low.value;
    let passed = auc.low > bound;
    let all = format!("over all {cutoffs} cut-offs together it is {:.2} ({:.2} to {:.2})", auc.value, auc.low, auc.high);
    let says = if passed { all } else { format!("{all}, which may be {}", no_better_than(bound)) };
    Gate { gate: "backtest", passed, says }
}

fn calibration_error(bounds: &Gates, test: &TestFigures) -> Gate {
    let (error, allowed) = (test.calibration_error, bounds.max_calibration_error.value);
    let says = format!("its probabilities are off by {:.1} points on average, {:.1} are allowed", error * 100.0, allowed * 100.0);
    Gate { gate: "calibration_error", passed: error <= allowed, says }
}

/// With few events the ratio alone is mostly chance, so it counts only when its whole interval lies outside.
fn calibration_ratio(bounds: &Gates, test: &TestFigures) -> Gate {
    let (ratio, allowed) = (test.uncertainty.calibration_ratio, bounds.max_calibration_ratio.value);
    let passed = ratio.low <= allowed && ratio.high >= 1.0 / allowed;
    let came = format!("{} events came where it expected {:.0}", test.events, test.events as f64 / ratio.value);
    let says = if passed { came } else { format!("{came}: its probabilities are off") };
    Gate { gate: "calibration_ratio", passed, says }
}

fn segments(bounds: &Gates, segments: &[SegmentFigures]) -> Gate {
    let bound = bounds.min_segment_auc.value;
    let judged: Vec<(&SegmentFigures, Interval)> = segments.iter().filter_map(|s| Some((s, *s.by_rows.get(&Figure::Auc)?))).collect();
    let wrong = judged.iter().find(|(_, auc)| auc.high < bound);
    let says = match wrong {
        Some((s, auc)) => format!(
            "for `{}` = {} its AUC is {:.2} ({:.2} to {:.2}), below {bound:.2} beyond doubt",
            s.column, s.segment, auc.value, auc.low, auc.high
        ),
        None if judged.is_empty() => "no segment has enough events to be judged".to_owned(),
        None => format!("none of {} segments has an AUC below {bound:.2} beyond doubt", judged.len()),
    };
    Gate { gate: "segments", passed: wrong.is_none(), says }
}

fn stability(bounds: &Gates, stability: &Stability) -> Gate {
    let least = bounds.min_reason_stability.value;
    let says =
        format!("the importance of its features has a rank correlation of {:.2} between trainings, {least:.2} is needed", stability.mean);
    Gate { gate: "reason_stability", passed: stability.mean >= least, says }
}

fn drift(bounds: &Gates, drift: &Drift) -> Gate {
    let moved = moved(bounds, drift);
    let passed = moved.is_none() || bounds.on_drift == OnDrift::Note;
    let bound = bounds.max_psi.value;
    let says = moved.unwrap_or_else(|| format!("neither its score nor a feature it uses has a stability index above {bound:.2}"));
    Gate { gate: "drift", passed, says }
}

/// What has moved too far, in words.
fn moved(bounds: &Gates, drift: &Drift) -> Option<String> {
    let bound = bounds.max_psi.value;
    let far: Vec<String> = drift.features.iter().filter(|f| f.psi > bound).map(|f| format!("`{}` ({:.2})", f.feature, f.psi)).collect();
    let mut named: Vec<String> = (drift.score > bound).then(|| format!("its score ({:.2})", drift.score)).into_iter().collect();
    named.extend(far.iter().take(3).cloned());
    if far.len() > 3 {
        named.push(format!("{} more", far.len() - 3));
    }
    let what = "the population has moved since it learned: stability index above";
    (!named.is_empty()).then(|| format!("{what} {bound:.2} of {}", named.join(", ")))
}

/// A new model has seen the newest rows, so it replaces the champion unless it is worse by more than the margin and beyond
/// doubt: with few events one can't prove that it is as good, and a champion that nothing replaces grows old.
fn champion(bounds: &Gates, with: &Comparison) -> Gate {
    let version = with.version;
    let gate = |passed, says| Gate { gate: "champion", passed, says };
    if with.same_recipe {
        return gate(true, format!("it has the same recipe as version {version}"));
    }
    let margin = bounds.champion.max_log_loss_increase_pct.value / 100.0;
    if let (Some(loss), Some(before)) = (with.log_loss, with.champion_log_loss)
        && loss.value > margin * before
        && loss.low > 0.0
    {
        let says = format!(
            "on the same rows version {version}'s log loss is lower by {:.4} ({:.4} to {:.4}): that one stays",
            loss.value, loss.low, loss.high
        );
        return gate(false, says);
    }
    if let Some(auc) = with.auc
        && -auc.value > bounds.champion.max_auc_loss.value
        && auc.high < 0.0
    {
        let says = format!(
            "on the same rows version {version}'s AUC is higher by {:.3} ({:.3} to {:.3}): that one stays",
            -auc.value, -auc.high, -auc.low
        );
        return gate(false, says);
    }
    let difference = with.auc.map(|a| format!(": AUC {:+.3} ({:+.3} to {:+.3})", a.value, a.low, a.high)).unwrap_or_default();
    gate(true, format!("on the same rows it is not worse than version {version}{difference}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::bootstrap::Uncertainty;
    use crate::metrics::measure::Measured;
    use crate::promote::drift::FeatureDrift;
    use cscopilot_spec::At;

    fn around(value: f64, half: f64) -> Interval {
        Interval { value, low: value - half, high: value + half }
    }

    fn good() -> TestFigures {
        TestFigures {
            uncertainty: Uncertainty { auc: around(0.8, 0.05), calibration_ratio: around(1.0, 0.2), calibration_slope: around(1.0, 0.2) },
            average_precision: 0.2,
            log_loss: 0.1,
            log_loss_of_rate: 0.12,
            brier: 0.02,
            lift_10pct: 3.0,
            calibration_error: 0.01,
            calibration: vec![],
            gains: vec![],
            rows: 1000,
            events: 30,
            event_accounts: 20,
        }
    }

    fn segment(auc: Interval) -> SegmentFigures {
        SegmentFigures {
            column: "plan".into(),
            segment: "pro".into(),
            rows: 100,
            events: 30,
            event_accounts: 25,
            rate: 0.3,
            predicted: 0.3,
            by_rows: Measured::from([(Figure::Auc, auc)]),
        }
    }

    /// A model that passes, to be changed.
    struct Case {
        test: TestFigures,
        backtest: Interval,
        segments: Vec<SegmentFigures>,
        stability: Option<Stability>,
        drift: Drift,
        champion: Option<Comparison>,
    }

    fn decide(bounds: &Gates, change: impl FnOnce(&mut Case)) -> Verdict {
        let (test, drift) = (good(), Drift { score: 0.01, features: vec![] });
        let mut case = Case { test, backtest: around(0.75, 0.05), segments: vec![], stability: None, drift, champion: None };
        change(&mut case);
        let evidence = Evidence {
            test: &case.test,
            backtest: Some((case.backtest, 4)),
            segments: &case.segments,
            stability: case.stability.as_ref(),
            drift: &case.drift,
            champion: case.champion.as_ref(),
            crossed: false,
        };
        judge(bounds, evidence)
    }

    fn failed(verdict: &Verdict) -> Vec<&'static str> {
        assert_eq!(verdict.promoted, verdict.gates.iter().all(|g| g.passed));
        verdict.gates.iter().filter(|g| !g.passed).map(|g| g.gate).collect()
    }

    #[test]
    fn a_good_model_passes_every_gate() {
        let verdict = decide(&Gates::default(), |_| ());
        assert!(verdict.promoted && failed(&verdict).is_empty());
        assert!(verdict.reason.contains("AUC on later data is 0.80 (95% interval 0.75 to 0.85); its probabilities are off by 1.0 points"));
    }

    #[test]
    fn what_may_be_chance_is_refused_in_plain_words() {
        let weak = TestFigures { uncertainty: Uncertainty { auc: around(0.55, 0.06), ..good().uncertainty }, ..good() };
        let verdict = decide(&Gates::default(), |c| c.test = weak);
        assert_eq!(failed(&verdict), ["auc"]);
        assert!(verdict.reason.ends_with("0.61), which may be no better than chance"), "{}", verdict.reason);
        let verdict = decide(&Gates::default(), |c| c.backtest = around(0.52, 0.03));
        assert_eq!(failed(&verdict), ["backtest"]);
        assert!(verdict.reason.contains("but over all 4 cut-offs together it is 0.52"), "{}", verdict.reason);
        let lenient = Gates { backtest: false, ..Gates::default() };
        assert!(decide(&lenient, |c| c.backtest = around(0.52, 0.03)).promoted);
    }

    #[test]
    fn wrong_probabilities_are_refused() {
        let off = TestFigures { calibration_error: 0.08, ..good() };
        assert_eq!(failed(&decide(&Gates::default(), |c| c.test = off)), ["calibration_error"]);
        let too_many = TestFigures { uncertainty: Uncertainty { calibration_ratio: around(2.0, 0.3), ..good().uncertainty }, ..good() };
        let verdict = decide(&Gates::default(), |c| c.test = too_many);
        assert_eq!(failed(&verdict), ["calibration_ratio"]);
        assert!(verdict.reason.contains("30 events came where it expected 15"), "{}", verdict.reason);
    }

    #[test]
    fn a_segment_is_refused_only_if_its_whole_interval_is_below() {
        let (turned, unsure) = (vec![segment(around(0.4, 0.05))], vec![segment(around(0.4, 0.15))]);
        let verdict = decide(&Gates::default(), |c| c.segments = turned);
        assert_eq!(failed(&verdict), ["segments"]);
        assert!(verdict.reason.contains("for `plan` = pro its AUC is 0.40"), "{}", verdict.reason);
        assert!(decide(&Gates::default(), |c| c.segments = unsure).promoted);
    }

    #[test]
    fn reasons_that_change_with_every_training_are_refused() {
        let unstable = Stability { models: 4, features: 30, mean: 0.05, lowest: -0.4 };
        assert_eq!(failed(&decide(&Gates::default(), |c| c.stability = Some(unstable.clone()))), ["reason_stability"]);
        let few = Stability { features: 3, ..unstable };
        assert!(decide(&Gates::default(), |c| c.stability = Some(few)).promoted);
    }

    #[test]
    fn a_moved_population_is_noted_or_refused() {
        let feature = |name: &str, psi| FeatureDrift { feature: name.into(), psi };
        let moved = Drift { score: 0.3, features: ["a", "b", "c", "d", "e"].map(|f| feature(f, 0.5)).into() };
        let noted = decide(&Gates::default(), |c| c.drift = moved.clone());
        assert!(noted.promoted && noted.reason.contains("; the population has moved"), "{}", noted.reason);
        let says = &noted.gates.iter().find(|g| g.gate == "drift").unwrap().says;
        assert!(says.ends_with("of its score (0.30), `a` (0.50), `b` (0.50), `c` (0.50), 2 more"), "{says}");
        let strict = Gates { on_drift: OnDrift::Refuse, ..Gates::default() };
        assert_eq!(failed(&decide(&strict, |c| c.drift = moved.clone())), ["drift"]);
        let wide = Gates { max_psi: At::nowhere(1.0), on_drift: OnDrift::Refuse, ..Gates::default() };
        assert!(decide(&wide, |c| c.drift = moved.clone()).promoted);
    }

    #[test]
    fn the_champion_stays_only_before_a_challenger_that_is_worse_beyond_margin_and_doubt() {
        let with = |loss: Interval, auc: Interval| Comparison {
            version: 3,
            same_recipe: false,
            champion_log_loss: Some(0.1),
            champion_auc: Some(0.8),
            log_loss: Some(loss),
            auc: Some(auc),
        };
        let (no_loss, no_auc) = (around(0.0, 0.001), around(0.0, 0.01));
        let worse = with(around(0.004, 0.002), no_auc);
        let verdict = decide(&Gates::default(), |c| c.champion = Some(worse));
        assert_eq!(failed(&verdict), ["champion"]);
        assert!(
            verdict.reason.contains("version 3's log loss is lower by 0.0040 (0.0020 to 0.0060): that one stays"),
            "{}",
            verdict.reason
        );
        let ranks_worse = with(no_loss, around(-0.05, 0.02));
        assert_eq!(failed(&decide(&Gates::default(), |c| c.champion = Some(ranks_worse))), ["champion"]);
        // Within the margin, and beyond it but in doubt.
        for passes in [with(around(0.000_5, 0.000_2), no_auc), with(around(0.004, 0.008), no_auc), Comparison::same(3)] {
            assert!(decide(&Gates::default(), |c| c.champion = Some(passes.clone())).promoted, "{passes:?}");
        }
    }
}
