use crate::{LoadOptions, Project};

const GOOD: &str = "version: 1
from: features.account_features
segment: segment
tenure_days: tenure_days
tenure_bands: {onboarding: 0, mature: 365}
bands: {healthy: 70, watch: 40, at_risk: 0}
band_overrides:
  - {segments: [Enterprise], tenures: [onboarding], bands: {healthy: 60}}
groups:
  adoption:
    weight: 60
    measures:
      logins: {label: Logins, weight: 33.3, value: logins, better: higher, score: {linear: {red: 0, green: 9}}}
      trend: {label: Trend, weight: 26.7, value: trend, better: higher, score: {points: [{value: -1, score: 0}, {value: 0, score: 60}]}}
  support:
    weight: 40
    measures:
      tickets:
        label: Tickets
        weight: 40
        value: tickets
        better: lower
        score: {steps: {steps: [{limit: 0, score: 100}, {limit: 5, score: 20}], otherwise: 0}}
        overrides:
          - {segments: [SMB], score: {linear: {red: 3, green: 0}}}
";

fn load(files: &[(&str, &str)]) -> Result<Project, String> {
    let folder = tempfile::tempdir().unwrap();
    let all = [("cscopilot.yaml", "version: 1\nname: test\nlake: lake\n")].into_iter().chain(files.iter().copied());
    for (path, text) in all {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Project::load(folder.path(), &LoadOptions::default()).map_err(|d| d.to_string())
}

fn refusal(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    load(&[("configs/scorecards/health.yaml", &GOOD.replace(from, to))]).unwrap_err()
}

#[test]
fn a_good_scorecard_is_read_in_the_order_of_the_file() {
    let project = load(&[("configs/scorecards/health.yaml", GOOD)]).unwrap();
    let card = &project.scorecards["health"].value;
    let names: Vec<&str> = card.measures().iter().map(|(_, _, name, _)| *name).collect();
    assert_eq!(names, ["logins", "trend", "tickets"]);
    assert_eq!(card.bands_best_first(), [("healthy", 70.0), ("watch", 40.0), ("at_risk", 0.0)]);
    assert_eq!(card.overridden_bands(&card.band_overrides[0])[0], ("healthy", 60.0));
}

#[test]
fn weights_that_do_not_add_up_are_shown_with_their_sum() {
    insta::assert_snapshot!("group_sum", refusal("weight: 33.3", "weight: 33.4"));
    insta::assert_snapshot!("total_sum", refusal("weight: 40\n    measures", "weight: 30\n    measures"));
    insta::assert_snapshot!(
        "weight_of_nothing",
        refusal("tickets:\n        label: Tickets\n        weight: 40", "tickets:\n        label: Tickets\n        weight: 0")
    );
}

#[test]
fn thresholds_must_agree_with_what_is_better() {
    insta::assert_snapshot!("linear", refusal("{red: 0, green: 9}", "{red: 9, green: 0}"));
    insta::assert_snapshot!("points", refusal("{value: 0, score: 60}", "{value: -2, score: 60}"));
    insta::assert_snapshot!("steps", refusal("{limit: 5, score: 20}", "{limit: -5, score: 20}"));
    insta::assert_snapshot!("scores", refusal("otherwise: 0", "otherwise: 50"));
}

#[test]
fn bands_and_overrides_must_make_sense() {
    insta::assert_snapshot!("no_zero", refusal("at_risk: 0", "at_risk: 10"));
    insta::assert_snapshot!("twice", refusal("watch: 40", "watch: 70"));
    insta::assert_snapshot!("order", refusal("bands: {healthy: 60}", "bands: {healthy: 30}"));
    insta::assert_snapshot!("no_such_band", refusal("bands: {healthy: 60}", "bands: {helthy: 60}"));
    insta::assert_snapshot!("no_such_tenure", refusal("tenures: [onboarding]", "tenures: [onbording]"));
    insta::assert_snapshot!("no_segment", refusal("segment: segment\n", ""));
    insta::assert_snapshot!("always", refusal("{segments: [SMB], score", "{score"));
}

#[test]
fn one_of_several_scorecards_is_the_default() {
    let both = [("configs/scorecards/a.yaml", GOOD), ("configs/scorecards/b.yaml", GOOD)];
    insta::assert_snapshot!("none", load(&both).unwrap_err());
    let chosen = GOOD.replace("version: 1\n", "version: 1\ndefault: true\n");
    assert!(load(&[("configs/scorecards/a.yaml", GOOD), ("configs/scorecards/b.yaml", &chosen)]).is_ok());
}

const ALERTS: &str = "version: 1
rules:
  low: {title: Low, severity: high, when: health_score < 40, message: '{health_score} is low'}
";
const OFFERS: &str = "version: 1
kinds:
  seats: {title: Seats, product: Seats, when: seats > 9, message: more}
";
const PLAYS: &str = "version: 1
plays:
  call:
    title: Call
    alerts: [low]
    opportunities: [seats]
    priority: 1
    due_in_days: 3
    reason: '{alert_message}'
";

fn rules(alerts: &str, offers: &str, plays: &str) -> Result<Project, String> {
    load(&[("configs/alerts/a.yaml", alerts), ("configs/opportunities/o.yaml", offers), ("configs/plays/p.yaml", plays)])
}

#[test]
fn rules_kinds_and_plays_are_read() {
    let project = rules(ALERTS, OFFERS, PLAYS).unwrap();
    assert_eq!(project.alerts["a"].value.rules["low"].owner.value, "csm_id");
    assert_eq!(project.opportunities["o"].value.kinds["seats"].propensity.value, "expansion_probability");
    assert_eq!(project.plays["p"].value.max_per_account.value, 3);
}

#[test]
fn plays_refer_to_rules_and_kinds_that_exist() {
    insta::assert_snapshot!("play_without_rule", rules(ALERTS, OFFERS, &PLAYS.replace("[low]", "[lo]")).unwrap_err());
    insta::assert_snapshot!("play_without_kind", rules(ALERTS, OFFERS, &PLAYS.replace("[seats]", "[licences]")).unwrap_err());
    let bare = PLAYS.replace("    alerts: [low]\n    opportunities: [seats]\n", "");
    insta::assert_snapshot!("play_without_condition", rules(ALERTS, OFFERS, &bare).unwrap_err());
}

#[test]
fn broken_messages_and_names_are_refused_at_their_place() {
    insta::assert_snapshot!("message", rules(&ALERTS.replace("{health_score}", "{health score"), OFFERS, PLAYS).unwrap_err());
    insta::assert_snapshot!("name", rules(&ALERTS.replace("low:", "Low-One:"), OFFERS, &PLAYS.replace("low", "Low-One")).unwrap_err());
    insta::assert_snapshot!("severity", rules(&ALERTS.replace("high", "hihg"), OFFERS, PLAYS).unwrap_err());
}

#[test]
fn the_same_rule_in_two_files_is_refused() {
    let twice = load(&[("configs/alerts/a.yaml", ALERTS), ("configs/alerts/b.yaml", ALERTS)]).unwrap_err();
    insta::assert_snapshot!("rule_twice", twice);
}
