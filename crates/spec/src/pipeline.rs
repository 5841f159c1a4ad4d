use crate::{At, Component, Loaded, Project, Version1};
use cscopilot_diag::{Diagnostics, suggest};
use schemars::JsonSchema;
use serde::Deserialize;

/// `pipelines/<name>.yaml`: which steps a run has.
///
/// The order in the file is for people: steps run as soon as the tables they read are there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The format's version.
    pub version: Version1,
    /// What the pipeline is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step of a pipeline; a run expands it into tasks, one a stream, a SQL file or a model.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Reads a source's streams into raw tables.
    Extract(ExtractStep),
    /// Builds SQL models.
    Transform(TransformStep),
    /// Trains a model where that is due, and scores tonight's accounts.
    Learn(LearnStep),
    /// Health scores, alerts, opportunities and next actions.
    Assess(AssessStep),
    /// Publishes the static site.
    Report(ReportStep),
    /// Writes fields to a CRM.
    Sync(SyncStep),
    /// Writes the newest features and scores to an online store.
    Publish(PublishStep),
}

/// Settings of an extract step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtractStep {
    /// The source's name: a file in `configs/sources/`.
    pub source: At<String>,
    /// Only these streams; all without it.
    #[serde(default)]
    pub streams: Option<Vec<At<String>>>,
}

/// Settings of a transform step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformStep {
    /// Schemas (`staging`) or tables (`marts.accounts`); every SQL file without it.
    #[serde(default)]
    pub select: Option<Vec<At<String>>>,
}

/// Settings of a learn step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LearnStep {
    /// The model's name: a file in `configs/models/`.
    pub model: At<String>,
}

/// Settings of an assess step: none so far.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssessStep {}

/// Settings of a report step: none so far.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportStep {}

/// Settings of a sync step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncStep {
    /// The mapping's name: a file in `configs/syncs/`.
    pub sync: At<String>,
}

/// Settings of a publish step: the kind of store, and its name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PublishStep {
    /// The name of a Redis store: a file in `configs/stores/`.
    Redis(At<String>),
}

impl PublishStep {
    /// The store's name.
    #[must_use]
    pub fn store(&self) -> &At<String> {
        match self {
            Self::Redis(name) => name,
        }
    }
}

impl Component for Pipeline {
    const KIND: &'static str = "pipeline";
    const LOCATION: &'static str = "pipelines";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        let missing = |at: &At<String>, what: &str, known: Vec<&str>| {
            loaded.error("SPC020", at, format!("there is no {what} `{at}`")).with_help_opt(suggest::help(at, known))
        };
        if loaded.value.steps.is_empty() {
            out.push(
                cscopilot_diag::Diagnostic::error("SPC021", "the pipeline has no steps")
                    .at(cscopilot_diag::Place::file(loaded.path.clone()))
                    .with_help("add at least one step under `steps:`"),
            );
        }
        for step in &loaded.value.steps {
            match step {
                Step::Extract(step) => match project.sources.get(&step.source.value) {
                    None if project.is_broken("configs/sources", Some(&step.source)) => {}
                    None => out.push(missing(&step.source, "source", keys(&project.sources))),
                    Some(source) => {
                        for stream in step.streams.iter().flatten() {
                            if source.value.streams.get(&stream.value).is_none() {
                                out.push(missing(stream, "stream", source.value.streams.names().collect()));
                            }
                        }
                    }
                },
                Step::Transform(step) => {
                    for selected in step.select.iter().flatten() {
                        let folder = format!("sql/{}", selected.split('.').next().unwrap_or_default());
                        if project.models_of(selected).next().is_none() && !project.is_broken(&folder, None) {
                            out.push(missing(selected, "SQL schema or table", project.sql_names()));
                        }
                    }
                }
                Step::Learn(step) => {
                    if !project.models.contains_key(&step.model.value) && !project.is_broken("configs/models", Some(&step.model)) {
                        out.push(missing(&step.model, "model", keys(&project.models)));
                    }
                }
                Step::Sync(step) => {
                    if !project.syncs.contains_key(&step.sync.value) && !project.is_broken("configs/syncs", Some(&step.sync)) {
                        out.push(missing(&step.sync, "sync", keys(&project.syncs)));
                    }
                }
                Step::Publish(step) => {
                    let store = step.store();
                    if !project.stores.contains_key(&store.value) && !project.is_broken("configs/stores", Some(store)) {
                        out.push(missing(store, "store", keys(&project.stores)));
                    }
                }
                Step::Assess(_) | Step::Report(_) => {}
            }
        }
    }
}

fn keys<T>(map: &std::collections::BTreeMap<String, T>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}
