//! What MLflow's loaders need beside a model file: `MLmodel` and the environments.
//!
//! Trees get the flavors `xgboost` and `python_function` of `mlflow.xgboost`; a regression gets `python_function` with a loader of its own,
//! some lines of numpy. Both predict uncalibrated probabilities, and margins with `params={"output_margin": True}`: the calibration
//! lies beside them. A file of any other kind gets no flavor: it is in MLflow to be kept, not to be loaded.

use serde_json::json;

use crate::registry::FeatureList;
use crate::registry::card::XGBOOST_VERSION;
use crate::registry::runs::ModelRun;

/// The files of a version that go into the model's own folder.
pub(super) const IN_MODEL: [&str; 4] = ["model.ubj", "logistic.json", "calibration.json", "features.json"];

/// The Python whose environment files are written; what is here runs on others as well.
const PYTHON: &str = "3.12";
const LOADER: &str = "cscopilot_logistic";

/// The files that belong beside a file of a version: none, unless it is a model that MLflow can load.
pub(super) fn beside(file: &str, features: &FeatureList, run: &ModelRun, run_id: &str, uuid: &str) -> Vec<(String, Vec<u8>)> {
    let (flavors, packages) = match file {
        "model.ubj" => (xgboost(), vec!["mlflow".to_owned(), "pandas".to_owned(), format!("xgboost=={XGBOOST_VERSION}")]),
        "logistic.json" => (logistic(), ["mlflow", "numpy", "pandas"].map(str::to_owned).to_vec()),
        _ => return Vec::new(),
    };
    let mlmodel = format!(
        "artifact_path: {}\n{flavors}model_uuid: {uuid}\nrun_id: {run_id}\n{}utc_time_created: '{} 00:00:00'\n",
        super::MODEL_FOLDER,
        signature(features),
        run.as_of,
    );
    let pip: String = packages.iter().map(|p| format!("    - {p}\n")).collect();
    let conda = format!("channels:\n- conda-forge\ndependencies:\n- python={PYTHON}\n- pip\n- pip:\n{pip}name: mlflow-env\n");
    let mut files = vec![
        ("MLmodel".to_owned(), mlmodel.into_bytes()),
        ("conda.yaml".to_owned(), conda.into_bytes()),
        (
            "python_env.yaml".to_owned(),
            format!("python: '{PYTHON}'\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n").into_bytes(),
        ),
        ("requirements.txt".to_owned(), (packages.join("\n") + "\n").into_bytes()),
    ];
    if file == "logistic.json" {
        files.push((format!("code/{LOADER}.py"), include_bytes!("logistic.py").to_vec()));
    }
    files
}

fn xgboost() -> String {
    format!(
        "flavors:\n  python_function:\n    data: model.ubj\n{ENVIRONMENT}    loader_module: mlflow.xgboost\n  xgboost:\n    code: null\n    \
         data: model.ubj\n    model_class: xgboost.core.Booster\n    model_format: ubj\n    xgb_version: {XGBOOST_VERSION}\n"
    )
}

fn logistic() -> String {
    format!("flavors:\n  python_function:\n    code: code\n    data: logistic.json\n{ENVIRONMENT}    loader_module: {LOADER}\n")
}

const ENVIRONMENT: &str = "    env:\n      conda: conda.yaml\n      virtualenv: python_env.yaml\n";

/// The columns in their order, all of which may be missing, and the one parameter of a prediction.
fn signature(features: &FeatureList) -> String {
    let inputs: Vec<_> = features.names().iter().map(|name| json!({"type": "double", "name": name, "required": false})).collect();
    let output = json!([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1]}}]);
    let params = json!([{"name": "output_margin", "type": "boolean", "default": false, "shape": null}]);
    // In YAML a text in single quotes doubles those within.
    let quoted = |value: serde_json::Value| format!("'{}'", value.to_string().replace('\'', "''"));
    format!("signature:\n  inputs: {}\n  outputs: {}\n  params: {}\n", quoted(json!(inputs)), quoted(output), quoted(params))
}
