//! MLflow as a second registry: every version that is in the lake is there as well, with its run, its files and the aliases.
//!
//! Nothing is remembered here of what was sent: each night asks the server which versions it has (by their digests, as tags) and sends the
//! others, so that a server that was down, or lost everything, is made good. A version is registered last, after its run has ended: one
//! that died in between leaves a run that is taken away when the version is sent again. The protocol is MLflow's REST API 2.0
//! (<https://mlflow.org/docs/latest/rest-api.html>), files go through the server's artifact proxy.

mod api;
mod flavor;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cscopilot_lake::step::StepContext;
use cscopilot_spec::Mlflow;
use serde_json::{Value, json};

use crate::error::Result;
use crate::registry::card::{self, capital};
use crate::registry::figures::{Figure, figures};
use crate::registry::manifest::{Files, json as read_json};
use crate::registry::runs::{self, ModelRun};
use crate::registry::{FeatureList, folder, standing};
use api::{Api, Begun};

/// The artifact folder that holds the model itself.
const MODEL_FOLDER: &str = "model";
/// The longest text of a tag or parameter; MLflow takes 6,000 characters in the one and 8,000 in the other.
const LONGEST: usize = 5_000;

/// What a night sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Versions that were registered now.
    pub versions: Vec<i64>,
    /// Aliases that were set or taken away now.
    pub aliases: usize,
}

/// Brings the server up to what the lake holds of a model. Versions without a model are left out: there is nothing to load.
///
/// # Errors
/// Whatever keeps it from being sent: the caller decides that a night goes on.
pub async fn send(ctx: &StepContext, server: &Mlflow, model: &str) -> Result<Sent> {
    let known = runs::read(&ctx.lake, Some(model)).await?;
    let fitted: Vec<&ModelRun> = known.iter().filter(|r| r.estimator.is_some()).collect();
    let mut sent = Sent::default();
    if fitted.is_empty() {
        return Ok(sent);
    }
    let api = Api::new(&ctx.project, server)?;
    let experiment_name = server.experiment.as_ref().map_or(&ctx.project.config.value.name.value, |name| &name.value).clone();
    let name = format!("{experiment_name}.{model}");
    let mut registered = api.versions(&name).await?;
    if fitted.iter().any(|run| !registered.contains_key(&run.digest)) {
        let experiment = api.experiment(&experiment_name).await?;
        let description = ctx.project.models.get(model).and_then(|m| m.value.description.as_deref());
        api.ensure_model(&name, description.unwrap_or_default().trim()).await?;
        for run in &fitted {
            if !registered.contains_key(&run.digest) {
                let version = register(ctx, &api, &experiment, &name, run).await?;
                registered.insert(run.digest.clone(), version);
                sent.versions.push(run.version);
            }
        }
    }
    let wanted = standing(&known);
    let number = |version: Option<i64>| {
        let run = version.and_then(|v| fitted.iter().find(|r| r.version == v));
        run.and_then(|r| registered.get(&r.digest)).cloned()
    };
    sent.aliases = api.aliases(&name, [("champion", number(wanted.champion)), ("challenger", number(wanted.challenger))]).await?;
    Ok(sent)
}

/// Sends one version: a run with its files and figures, then the version.
async fn register(ctx: &StepContext, api: &Api, experiment: &str, name: &str, run: &ModelRun) -> Result<String> {
    let tags = tags(run);
    let at = run.as_of.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
    let title = format!("{} v{:04}", run.model, run.version);
    let begun = api.begin_run(experiment, &title, at, &run.digest, &tags).await?;
    if !begun.finished {
        upload(ctx, api, &begun, run).await?;
        api.log(&begun.id, at, &metrics(run), &params(ctx, run)).await?;
        api.end_run(&begun.id, at).await?;
    }
    let source = format!("{}/{MODEL_FOLDER}", begun.artifacts);
    api.create_version(name, &source, &begun.id, &short(&capital(&run.reason)), &tags).await
}

async fn upload(ctx: &StepContext, api: &Api, begun: &Begun, run: &ModelRun) -> Result<()> {
    let objects = ctx.lake.objects();
    let files = Files::open(&objects, folder(&run.model, run.version)).await?;
    let all = files.all().await?;
    let features: FeatureList = read_json(&files.path("features.json"), &files.need("features.json").await?)?;
    let uuid: String = blake3::hash(format!("{} {}", run.model, run.digest).as_bytes()).to_hex()[..32].to_owned();
    for (name, bytes) in all {
        // What loads needs is beside the model; the cards are for people.
        let folder = if flavor::IN_MODEL.contains(&name.as_str()) { format!("{MODEL_FOLDER}/") } else { String::new() };
        for (file, content) in flavor::beside(&name, &features, run, &begun.id, &uuid) {
            api.upload(&begun.artifacts, &format!("{MODEL_FOLDER}/{file}"), content).await?;
        }
        api.upload(&begun.artifacts, &format!("{folder}{name}"), bytes).await?;
    }
    Ok(())
}

fn tags(run: &ModelRun) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("cscopilot.model", run.model.clone()),
        ("cscopilot.version", run.version.to_string()),
        ("cscopilot.digest", run.digest.clone()),
        ("cscopilot.as_of", run.as_of.to_string()),
        ("cscopilot.passed_gates", run.promoted.to_string()),
    ])
}

fn metrics(run: &ModelRun) -> Vec<(String, f64)> {
    let detail: Value = serde_json::from_str(&run.detail).unwrap_or_default();
    let each = |f: Figure| {
        let named = |suffix: &str, value: Option<f64>| value.map(|v| (format!("{}{suffix}", f.name), v));
        [named("", Some(f.value)), named(".low", f.low), named(".high", f.high)]
    };
    figures(&detail).into_iter().flat_map(each).flatten().filter(|(_, value)| value.is_finite()).collect()
}

fn params(ctx: &StepContext, run: &ModelRun) -> Vec<(String, String)> {
    let detail: Value = serde_json::from_str(&run.detail).unwrap_or_default();
    let mut params = BTreeMap::from([
        ("estimator".to_owned(), run.estimator.clone().unwrap_or_default()),
        ("features".to_owned(), run.features.to_string()),
        ("rows_train".to_owned(), run.rows_train.to_string()),
        ("definition".to_owned(), run.definition.clone()),
        ("xgboost".to_owned(), card::XGBOOST_VERSION.to_owned()),
        ("cscopilot".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    for (name, date) in [("train_from", run.train_from), ("train_to", run.train_to), ("test_from", run.test_from), ("test_to", run.test_to)]
    {
        params.extend(date.map(|d| (name.to_owned(), d.to_string())));
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    for key in ["calibration_method", "gap_days", "fingerprint"] {
        if !detail[key].is_null() {
            params.insert(key.to_owned(), text(&detail[key]));
        }
    }
    let chosen = detail["candidates"].as_array().into_iter().flatten().find(|c| c["chosen"] == true);
    for (key, value) in chosen.and_then(|c| c["choice"].as_object()).into_iter().flatten() {
        params.insert(key.clone(), text(value));
    }
    if let Some(model) = ctx.project.models.get(&run.model) {
        let label = &model.value.label;
        params.insert("label".to_owned(), format!("{}.{}", label.table.value, label.column.value));
        params.insert("horizon_days".to_owned(), label.horizon_days.value.to_string());
        params.insert("lead_days".to_owned(), label.lead_days.value.to_string());
    }
    params.into_iter().map(|(name, value)| (name, short(&value))).collect()
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

fn key_values<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Vec<Value> {
    pairs.into_iter().map(|(key, value)| json!({"key": key.as_ref(), "value": value.as_ref()})).collect()
}
