use crate::{
    Alerts, Connector, Environment, FeatureDictionary, Loaded, Model, Opportunities, ParamValue, Pipeline, Plays, ProjectConfig, Scorecard,
    Site, Source, SqlModel, SqlTests, Store, Sync, load,
};
use cscopilot_diag::Diagnostics;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the command line adds to a project's files.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `--env NAME`; the project's default environment without it.
    pub env: Option<String>,
    /// `--param name=value`, unparsed.
    pub params: BTreeMap<String, String>,
}

/// A whole project: everything that its files say.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder that holds `cscopilot.yaml`.
    pub root: PathBuf,
    /// `cscopilot.yaml`.
    pub config: Loaded<ProjectConfig>,
    /// The environment in force, if there is one.
    pub environment: Option<Loaded<Environment>>,
    /// All environments by name.
    pub environments: BTreeMap<String, Loaded<Environment>>,
    /// The parameters' values in force: defaults, then environment, then command line.
    pub params: BTreeMap<String, ParamValue>,
    /// Names of the parameters that the command line gave: paths in them are relative to where the user stands.
    pub(crate) given_params: Vec<String>,
    /// Files that could not be parsed, by path without endings: whoever refers to them is not to blame.
    pub(crate) broken: BTreeSet<String>,
    /// `pipelines/`
    pub pipelines: BTreeMap<String, Loaded<Pipeline>>,
    /// `configs/connectors/`, and the connectors that come with the program where no file has their name.
    pub connectors: BTreeMap<String, Loaded<Connector>>,
    /// `configs/sources/`
    pub sources: BTreeMap<String, Loaded<Source>>,
    /// `configs/models/`
    pub models: BTreeMap<String, Loaded<Model>>,
    /// `configs/features/`
    pub features: BTreeMap<String, Loaded<FeatureDictionary>>,
    /// `configs/scorecards/`
    pub scorecards: BTreeMap<String, Loaded<Scorecard>>,
    /// `configs/alerts/`
    pub alerts: BTreeMap<String, Loaded<Alerts>>,
    /// `configs/opportunities/`
    pub opportunities: BTreeMap<String, Loaded<Opportunities>>,
    /// `configs/plays/`
    pub plays: BTreeMap<String, Loaded<Plays>>,
    /// `configs/syncs/`
    pub syncs: BTreeMap<String, Loaded<Sync>>,
    /// `configs/stores/`
    pub stores: BTreeMap<String, Loaded<Store>>,
    /// `configs/site.yaml`, if there is one.
    pub site: Option<Loaded<Site>>,
    /// `sql/<schema>/<table>.sql`, by `schema.table`.
    pub sql: BTreeMap<String, Loaded<SqlModel>>,
    /// `sql/tests/`
    pub sql_tests: BTreeMap<String, Loaded<SqlTests>>,
}

impl Project {
    /// Reads and validates all files of the project at `root`.
    ///
    /// # Errors
    /// Every structural and semantic error of every file, sorted by place.
    pub fn load(root: &Path, options: &LoadOptions) -> Result<Self, Diagnostics> {
        load::load(root, options)
    }

    /// The connector of a source; nothing for other kinds of sources.
    #[must_use]
    pub fn connector_of(&self, source: &Source) -> Option<&Connector> {
        source.connector.as_ref().and_then(|name| self.connectors.get(&name.value)).map(|loaded| &loaded.value)
    }

    /// The SQL models that a name selects: a schema (`staging`) or a table (`staging.tickets`).
    pub fn models_of<'a>(&'a self, selected: &'a str) -> impl Iterator<Item = &'a Loaded<SqlModel>> {
        self.sql.values().filter(move |m| m.value.schema == selected || m.name == selected)
    }

    /// Whether a file of this folder and name is there but could not be parsed; without a name, whether any of the folder's is.
    #[must_use]
    pub fn is_broken(&self, folder: &str, name: Option<&str>) -> bool {
        match name {
            Some(name) => self.broken.contains(&format!("{folder}/{name}")),
            None => self.broken.iter().any(|path| path.starts_with(&format!("{folder}/"))),
        }
    }

    /// Every name that [`Project::models_of`] knows.
    #[must_use]
    pub fn sql_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.sql.values().flat_map(|m| [m.value.schema.as_str(), m.name.as_str()]).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Memory that queries may use before they spill, in bytes; 2 GiB unless the environment says otherwise.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> u64 {
        let mib = self.environment.as_ref().and_then(|e| e.value.memory_mib).unwrap_or(2048);
        mib.saturating_mul(1 << 20)
    }

    /// How many threads queries and steps use.
    #[must_use]
    pub fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.environment.as_ref().and_then(|e| e.value.threads).unwrap_or_else(all).max(1)
    }
}
