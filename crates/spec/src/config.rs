use crate::{At, Component, Loaded, Mlflow, ParamValue, Project, Text, Version1};
use cscopilot_diag::{Diagnostics, suggest};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `cscopilot.yaml`: the project's name, where its lake lies, its parameters.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectConfig {
    /// The format's version.
    pub version: Version1,
    /// The project's name, as reports and logs show it.
    pub name: At<String>,
    /// Where the lake lies: a folder relative to the project, or a `file://`, `s3://`, `gs://`, `az://` or `memory://` URL.
    pub lake: At<Text>,
    /// The environment used without `--env`.
    #[serde(default)]
    pub default_environment: Option<At<String>>,
    /// Parameters with their defaults; SQL sees them as `$name`, YAML as `${param:name}`. `--param name=value` overrides.
    #[serde(default)]
    pub params: BTreeMap<String, ParamValue>,
    /// The folder of the report's templates and assets, relative to the project.
    #[serde(default = "default_reports")]
    pub reports: String,
    /// A second registry for models, beside the lake.
    #[serde(default)]
    pub mlflow: Option<Mlflow>,
}

fn default_reports() -> String {
    "reports".to_owned()
}

impl Component for ProjectConfig {
    const KIND: &'static str = "project";
    const LOCATION: &'static str = "cscopilot.yaml";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        project.check_text(loaded, &loaded.value.lake, out);
        if let Some(mlflow) = &loaded.value.mlflow {
            mlflow.validate(loaded, project, out);
        }
        if let Some(name) = &loaded.value.default_environment
            && !project.environments.contains_key(&name.value)
        {
            out.push(
                loaded
                    .error("SPC010", name, format!("there is no environment `{name}`"))
                    .with_help_opt(suggest::help(name, project.environments.keys().map(String::as_str))),
            );
        }
        if let Some(reserved) = loaded.value.params.keys().find(|k| *k == "as_of") {
            out.push(
                cscopilot_diag::Diagnostic::error("SPC011", format!("`{reserved}` is a parameter of every run already"))
                    .at(cscopilot_diag::Place::file(loaded.path.clone()))
                    .with_help("rename the parameter; `--as-of` sets the date"),
            );
        }
    }
}

/// `configs/environments/<name>.yaml`: what differs between a laptop and production.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The format's version.
    pub version: Version1,
    /// Replaces the project's lake.
    #[serde(default)]
    pub lake: Option<At<Text>>,
    /// Replaces defaults of the project's parameters.
    #[serde(default)]
    pub params: BTreeMap<String, ParamValue>,
    /// Memory that queries may use before they spill to disk, in MiB.
    #[serde(default)]
    pub memory_mib: Option<u64>,
    /// How many threads queries and steps use; all cores by default.
    #[serde(default)]
    pub threads: Option<usize>,
    /// Replaces the project's second registry for models.
    #[serde(default)]
    pub mlflow: Option<Mlflow>,
}

impl Component for Environment {
    const KIND: &'static str = "environment";
    const LOCATION: &'static str = "configs/environments";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        if let Some(lake) = &loaded.value.lake {
            project.check_text(loaded, lake, out);
        }
        if let Some(mlflow) = &loaded.value.mlflow {
            mlflow.validate(loaded, project, out);
        }
        for name in loaded.value.params.keys() {
            if !project.config.value.params.contains_key(name) {
                out.push(
                    cscopilot_diag::Diagnostic::error("SPC012", format!("the project has no parameter `{name}`"))
                        .at(cscopilot_diag::Place::file(loaded.path.clone()))
                        .with_help("declare it under `params:` in cscopilot.yaml"),
                );
            }
        }
    }
}
