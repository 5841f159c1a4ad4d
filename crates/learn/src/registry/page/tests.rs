use super::*;
use serde_json::json;

#[test]
fn what_the_card_has_no_words_for_is_shown_as_tables() {
    let segments = json!([
        {"segment": "plan", "label": "<small>", "rows": 1200, "auc": {"value": 0.7, "low": 0.6, "high": 0.8}},
        {"segment": "plan", "label": "large", "rows": 80, "auc": null, "note": "too few events"},
    ]);
    let html = json::shown(&segments);
    assert!(html.contains("<td>&lt;small&gt;</td>") && !html.contains("<small>"), "{html}");
    assert!(html.contains("<td class=\"n\">1,200</td>") && html.contains("0.700\n(0.600 to 0.800)"), "{html}");
    // Words stand before figures.
    assert!(html.find("<th>label</th>").unwrap() < html.find("<th class=\"n\">rows</th>").unwrap(), "{html}");
    assert_eq!(json::shown(&json!([])), "");
    assert!(json::shown(&json!({"worst": {"psi": 0.31}, "features": segments})).contains("<h3>features</h3>"));
}

#[test]
fn plots_stay_in_their_frame() {
    let bin = crate::metrics::Bin { predicted: 0.9, observed: 1.0, low: 0.5, high: 1.0, rows: 4, events: 4 };
    let svg = plots::calibration(&[bin]);
    assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{svg}");
    let bars = plots::bars(&[("a & b".to_owned(), 0.5), ("c".to_owned(), 0.0)]);
    assert!(bars.contains("a &amp; b") && !bars.contains("NaN"), "{bars}");
    assert_eq!(plots::calibration(&[]), "");
}

#[test]
fn a_judgement_becomes_sections() {
    let auc = json!({"auc": {"value": 0.7, "low": 0.6, "high": 0.8}});
    let judged = json!({
        "gates": [{"gate": "auc", "passed": true, "says": "is above 0.50 beyond doubt"}],
        "backtest": [{"estimator": "xgboost", "chosen": true, "cutoffs": [{"part": "test", "from": "2026-01-01", "rows": 900, "by_rows": auc}],
                      "pooled": {"part": "pooled", "rows": 900, "by_rows": auc, "by_weight": auc}}],
        "segments": [], "champion": null,
        "calibration": {"map": "platt", "log_loss": [["platt", 0.06], ["beta", 0.061]]},
    });
    let sections = judgement::sections(&judged);
    let of = |title: &str| sections.iter().find(|(t, _)| *t == title).unwrap().1.clone();
    assert!(of("Gates").contains("<td>yes</td><td>is above 0.50 beyond doubt</td>"));
    assert!(of("Backtest").contains("xgboost, chosen") && of("Backtest").matches("0.700\n(0.600 to 0.800)").count() == 3);
    assert!(of("Choice of the calibration").contains("platt 0.0600, beta 0.0610"));
    assert_eq!((of("Segments"), of("Against the champion")), (String::new(), String::new()));
}
