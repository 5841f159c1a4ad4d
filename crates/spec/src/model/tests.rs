use crate::{Axis, Direction, Estimator, LoadOptions, Model, Project, Spread};

const GOOD: &str = "version: 1
label:
  {table: labels.churn, column: churned, horizon_days: 28, amount: arr_lost, survival: {days: days_to_churn, observed: churn_seen}}
features: {table: features.account_features, categorical: [plan, country], monotone: {logins_28d: falling, invoices_overdue: rising}}
estimators:
  - xgboost:
      max_depth: 3
      search: {trials: 12, budget_secs: 30, space: {max_depth: [2, 3, 4], eta: {low: 0.01, high: 0.2, log: true}}}
  - logistic_regression: {penalty: [1, 10], l1_ratio: [0, 0.5]}
  - blend: {}
";

fn load(yaml: &str) -> Result<Model, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("configs/models")).unwrap();
    std::fs::write(folder.path().join("cscopilot.yaml"), "version: 1\nname: test\nlake: lake\n").unwrap();
    std::fs::write(folder.path().join("configs/models/churn.yaml"), yaml).unwrap();
    let project = Project::load(folder.path(), &LoadOptions::default()).map_err(|d| d.to_string())?;
    Ok(project.models["churn"].value.clone())
}

fn refusal(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    load(&GOOD.replace(from, to)).unwrap_err()
}

#[test]
fn a_search_a_blend_bounds_and_categories_are_read() {
    let model = load(GOOD).unwrap();
    let names: Vec<&str> = model.estimators.iter().map(|e| e.value.name()).collect();
    assert_eq!(names, ["xgboost", "logistic_regression", "blend"]);
    let Estimator::Xgboost(xgboost) = &model.estimators[0].value else { panic!() };
    let search = xgboost.search.as_ref().unwrap();
    assert_eq!(search.space.max_depth, Some(Axis::Choices(vec![2.0, 3.0, 4.0])));
    assert_eq!(search.space.eta, Some(Axis::Spread(Spread { low: 0.01, high: 0.2, log: true })));
    assert_eq!(model.features.monotone["logins_28d"].value, Direction::Falling);
    assert_eq!(model.label.survival.unwrap().days.value, "days_to_churn");
    // Without a list all three compete.
    let short =
        load("version: 1\nlabel: {table: labels.churn, column: churned, horizon_days: 28}\nfeatures: {table: features.f}\n").unwrap();
    assert_eq!(short.estimators().iter().map(Estimator::name).collect::<Vec<_>>(), names);
}

#[test]
fn models_are_about_accounts_unless_they_say_otherwise() {
    assert_eq!(load(GOOD).unwrap().sub_entity(), None);
    let named = |entity: &str| load(&GOOD.replace("label:\n", &format!("entity: {entity}\nlabel:\n"))).unwrap();
    assert_eq!(named("account_id").sub_entity(), None);
    assert_eq!(named("subscription_id").sub_entity(), Some("subscription_id"));
}

#[test]
fn the_old_name_of_the_penalty_is_understood() {
    let model = load(&GOOD.replace("penalty:", "l2:")).unwrap();
    let Estimator::LogisticRegression(logistic) = &model.estimators[1].value else { panic!() };
    assert_eq!(logistic.penalty, [1.0, 10.0]);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (from, to, place, said) in [
        ("label:\n", "entity: as_of\nlabel:\n", "churn.yaml:2:", "`as_of` is no column that says what a row is about"),
        ("low: 0.01", "low: 0", "churn.yaml:6:", "`eta` must lie above 0"),
        ("[2, 3, 4]", "[2, 30]", "churn.yaml:6:", "`max_depth` must lie between 1 and 12"),
        ("trials: 12", "trials: 0", "churn.yaml:6:", "`trials` must lie between 1 and 1000"),
        ("l1_ratio: [0, 0.5]", "l1_ratio: [1.5]", "churn.yaml:9:", "`l1_ratio` needs at least one number, each between 0 and 1"),
        ("  - logistic_regression: {penalty: [1, 10], l1_ratio: [0, 0.5]}\n", "", "churn.yaml:9:", "`blend` needs `logistic_regression`"),
        ("{logins_28d: falling,", "{plan: falling,", "churn.yaml:4:", "`plan` is categorical"),
        ("falling", "sinking", "churn.yaml:4:", "sinking"),
    ] {
        let message = refusal(from, to);
        assert!(message.contains(place) && message.contains(said), "{from} → {to}: {message}");
    }
}
