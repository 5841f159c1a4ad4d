//! Against a real server, and its own loaders.

use std::io::Write as _;
use std::process::{Command, Stdio};

use chrono::{Days, NaiveDate};
use cscopilot_http::{Client, ClientOptions, Request, Url};
use cscopilot_lake::step::StepContext;
use serde_json::{Value, json};

use crate::data::dataset::Table;
use crate::night::{House, World};
use crate::{registry, run};

const TREES: &str = "gates: {bootstrap_samples: 100}\nestimators: [xgboost: {max_rounds: 60}]\n";
const REGRESSION: &str = "version: 1\nlabel: {table: labels.churn, column: churned, horizon_days: 28, lead_days: 2}\n\
                          features: {table: features.account_features}\ngates: {bootstrap_samples: 100}\n\
                          estimators: [logistic_regression: {}]\n";

/// Loads models as their users do, and prints the margins they give.
const LOADER: &str = r#"
import json, sys
import mlflow, pandas, xgboost
asked = json.load(sys.stdin)
frame = pandas.DataFrame(asked["columns"], columns=asked["features"], dtype=float)
margin = {"output_margin": True}
plain = xgboost.Booster()
plain.load_model(asked["file"])
# XGBoost itself wants the columns in the order of the model.
matrix = xgboost.DMatrix(frame[plain.feature_names])
wrapped = mlflow.pyfunc.load_model(asked["trees"])
regression = mlflow.pyfunc.load_model(asked["regression"])
print(json.dumps({
    "xgboost": xgboost.__version__,
    "mlflow.xgboost": mlflow.xgboost.load_model(asked["trees"]).predict(matrix, **margin).tolist(),
    "mlflow.pyfunc": wrapped.predict(frame, params=margin).tolist(),
    "probabilities": wrapped.predict(frame).tolist(),
    "xgboost alone": plain.predict(matrix, **margin).tolist(),
    "regression": regression.predict(frame, params=margin).tolist(),
}))
"#;

async fn ask(url: &str, path: &str) -> Value {
    let url = Url::parse(&format!("{url}/api/2.0/mlflow/{path}")).unwrap();
    Client::new(ClientOptions::default()).unwrap().send(&Request::get(url)).await.unwrap().json().unwrap()
}

async fn post(url: &str, path: &str, body: &Value) -> Value {
    let url = Url::parse(&format!("{url}/api/2.0/mlflow/{path}")).unwrap();
    Client::new(ClientOptions::default()).unwrap().send(&Request::post(url).json(body).unwrap()).await.unwrap().json().unwrap()
}

async fn runs(url: &str) -> Vec<Value> {
    let experiment = ask(url, "experiments/get-by-name?experiment_name=house").await;
    let search = json!({"experiment_ids": [experiment["experiment"]["experiment_id"]]});
    post(url, "runs/search", &search).await["runs"].as_array().unwrap().clone()
}

/// 40 rows with gaps, as the features table could have them.
fn rows() -> Table {
    let u = |i: usize, k: usize| ((i * 7919 + k * 104_729) % 1009) as f64 / 1009.0;
    let gap = |i: usize, x: f64| if i.is_multiple_of(7) { f64::NAN } else { x };
    let columns = vec![
        (0..40).map(|i| gap(i, (u(i, 0) * 15.0).floor())).collect(),
        (0..40).map(|i| gap(i + 3, (u(i, 1) * 5.0).floor())).collect(),
        (0..40).map(|i| f64::from(u8::from(u(i, 2) > 0.5))).collect(),
    ];
    let mut table = Table { columns, features: ["logins_28d", "tickets_open", "is_new"].map(str::to_owned).to_vec(), ..Table::default() };
    table.rows = 40;
    table
}

/// What this program predicts.
async fn margins(ctx: &StepContext, model: &str, version: i64, table: &Table) -> Vec<f64> {
    let registered = registry::read(&ctx.lake.objects(), model, version).await.unwrap();
    let order = registered.features.names();
    let column = |name: &String| table.columns[table.features.iter().position(|f| f == name).unwrap()].clone();
    let mut ordered = table.clone();
    ordered.columns = order.iter().map(column).collect();
    ordered.features = order;
    registered.fitted.margins(&ordered, &(0..table.rows).collect::<Vec<_>>()).unwrap()
}

fn load(url: &str, asked: &Value) -> Value {
    let mut python = Command::new(cscopilot_servers::mlflow_python())
        .args(["-W", "ignore", "-c", LOADER])
        .env("MLFLOW_TRACKING_URI", url)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn mlflow_has_every_version_once_and_loads_it_with_the_same_margins() {
    let server = cscopilot_servers::mlflow();
    let url = server.url();
    let project = format!("mlflow: {{url: \"{url}\", experiment: house}}\n");
    let house = House::with_files(World::Signal, TREES, &project, &[("configs/models/churn_lr.yaml", REGRESSION)]).await;
    for model in ["churn", "churn_lr"] {
        let ctx = StepContext { step: format!("learn.{model}"), ..house.ctx.clone() };
        let outcome = run(&ctx, model).await.unwrap();
        assert_eq!(outcome.facts.get("mlflow_versions"), Some(&json!([1])), "{:?}", outcome.warnings);
    }
    // The same night again sends nothing; one whose version somebody deleted sends that, and takes the run that is there.
    assert!(!run(&house.again("run-2", false), "churn").await.unwrap().facts.contains_key("mlflow_versions"));
    assert_eq!(runs(&url).await.len(), 2);
    let version = json!({"name": "house.churn", "version": "1"});
    Client::new(ClientOptions::default())
        .unwrap()
        .send(
            &Request::new(cscopilot_http::Method::DELETE, Url::parse(&format!("{url}/api/2.0/mlflow/model-versions/delete")).unwrap())
                .json(&version)
                .unwrap(),
        )
        .await
        .unwrap();
    let healed = run(&house.again("run-3", false), "churn").await.unwrap();
    assert_eq!(healed.facts.get("mlflow_versions"), Some(&json!([1])), "{:?}", healed.warnings);
    let all = runs(&url).await;
    assert_eq!(all.len(), 2);

    let trees = all.iter().find(|r| r["info"]["run_name"] == "churn v0001").unwrap();
    assert_eq!(trees["info"]["status"], "FINISHED");
    let logged = |kind: &str, key: &str| {
        trees["data"][kind].as_array().unwrap().iter().find(|p| p["key"] == key).map(|p| p["value"].clone()).unwrap_or_default()
    };
    assert_eq!(logged("params", "estimator"), "xgboost");
    assert_eq!(logged("tags", "cscopilot.passed_gates"), "true");
    let known = crate::models(&house.ctx.lake).await.unwrap();
    assert!((logged("metrics", "auc").as_f64().unwrap() - known[0].run.auc.unwrap()).abs() < 1e-12);
    assert!(logged("metrics", "auc.low").is_number());
    let artifacts = ask(&url, &format!("artifacts/list?run_id={}", trees["info"]["run_id"].as_str().unwrap())).await;
    let files: Vec<&str> = artifacts["files"].as_array().unwrap().iter().filter_map(|f| f["path"].as_str()).collect();
    for needed in ["card.html", "card.json", "card.md", "metrics.json", "model"] {
        assert!(files.contains(&needed), "{files:?}");
    }

    let table = rows();
    let file = house.ctx.lake.objects().local_path("models/churn/v0001/model.ubj").unwrap().unwrap();
    let by_row: Vec<Vec<Option<f64>>> =
        (0..table.rows).map(|r| table.columns.iter().map(|c| Some(c[r]).filter(|x| !x.is_nan())).collect()).collect();
    let asked = json!({
        "features": table.features, "columns": by_row, "file": file,
        "trees": "models:/house.churn@champion", "regression": "models:/house.churn_lr@champion",
    });
    let loaded = load(&url, &asked);
    assert_eq!(loaded["xgboost"], registry::card::XGBOOST_VERSION);
    let agree = |with: &str, ours: &[f64]| {
        let theirs: Vec<f64> = loaded[with].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        assert_eq!(theirs.len(), ours.len(), "{with}");
        for (a, b) in theirs.iter().zip(ours) {
            assert!((a - b).abs() < 1e-6, "{with}: {a} {b}");
        }
    };
    let trees = margins(&house.ctx, "churn", 1, &table).await;
    for with in ["xgboost alone", "mlflow.xgboost", "mlflow.pyfunc"] {
        agree(with, &trees);
    }
    agree("probabilities", &trees.iter().map(|z| crate::metrics::sigmoid(*z)).collect::<Vec<_>>());
    agree("regression", &margins(&house.ctx, "churn_lr", 1, &table).await);
    assert!(trees.iter().any(|z| (z - trees[0]).abs() > 0.1), "the model says the same of everybody");

    // A later version takes the alias over, and gives it back when it is withdrawn.
    let later = |run: &str, days: u64| StepContext { as_of: house.ctx.as_of + Days::new(days), ..house.again(run, false) };
    let second = run(&later("run-4", 31), "churn").await.unwrap();
    assert_eq!(second.facts.get("mlflow_versions"), Some(&json!([2])), "{:?}", second.warnings);
    let champion = async || {
        let tags = ask(&url, "registered-models/alias?name=house.churn&alias=champion").await["model_version"]["tags"].clone();
        tags.as_array().unwrap().iter().find(|t| t["key"] == "cscopilot.version").unwrap()["value"].clone()
    };
    assert_eq!(champion().await, "2");
    let day: NaiveDate = house.ctx.as_of + Days::new(32);
    crate::rollback(&house.ctx.lake, "churn", day, None).await.unwrap();
    run(&later("run-5", 32), "churn").await.unwrap();
    assert_eq!(champion().await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_costs_a_warning_and_not_the_night() {
    // Nobody listens on port 1.
    let project = "mlflow: {url: \"http://127.0.0.1:1\", auth: {bearer: token-of-mlflow-77}}\n";
    let house = House::with_files(World::Signal, TREES, project, &[]).await;
    let outcome = run(&house.ctx, "churn").await.unwrap();
    assert_eq!(outcome.facts["champion_version"], 1);
    let warning = outcome.warnings.iter().find(|w| w.code == "LRN055").unwrap();
    assert!(warning.message.contains("the next night tries again") && !warning.message.contains("token-of"), "{}", warning.message);
}
