//! Reads a project's folder: finds the files, parses each, then runs every semantic rule.

use crate::sql::Sibling;
use crate::{Component, Connector, Environment, LoadOptions, Loaded, ParamValue, Project, ProjectConfig, SqlModel, SqlTests, parse::parse};
use cscopilot_diag::{Diagnostic, Diagnostics, Place, suggest};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) fn load(root: &Path, options: &LoadOptions) -> Result<Project, Diagnostics> {
    let mut files = Files { root, out: Diagnostics::new(), broken: BTreeSet::new() };
    if !root.join(ProjectConfig::LOCATION).is_file() {
        return Err(Diagnostic::error("SPC030", format!("{} holds no cscopilot.yaml", root.display()))
            .with_help("name the project's folder with `--project DIR`, or make one with `cscopilot init DIR`")
            .into());
    }
    let config = files.one::<ProjectConfig>(ProjectConfig::LOCATION);
    let environments = files.folder::<Environment>();
    let pipelines = files.folder();
    let connectors = files.connectors();
    let sources = files.folder();
    let models = files.folder();
    let features = files.folder();
    let scorecards = files.folder();
    let alerts = files.folder();
    let opportunities = files.folder();
    let plays = files.folder();
    let syncs = files.folder();
    let stores = files.folder();
    let site_path = <crate::Site as Component>::LOCATION;
    let site = if root.join(site_path).is_file() { files.one(site_path) } else { None };
    let sql = files.sql();
    let sql_tests = files.folder::<SqlTests>();
    files.strangers();

    let (mut out, broken) = (files.out, files.broken);
    let Some(config) = config else {
        out.sort();
        return Err(out);
    };
    let environment = choose_environment(&config, &environments, options, &mut out);
    let params = params(&config, environment.as_ref(), options, &mut out);
    let project = Project {
        root: root.to_path_buf(),
        environment,
        params,
        broken,
        given_params: options.params.keys().cloned().collect(),
        config,
        environments,
        pipelines,
        connectors,
        sources,
        models,
        features,
        scorecards,
        alerts,
        opportunities,
        plays,
        syncs,
        stores,
        site,
        sql,
        sql_tests,
    };
    validate(&project, &mut out);
    if out.has_errors() {
        out.sort();
        return Err(out);
    }
    Ok(project)
}

fn validate(project: &Project, out: &mut Diagnostics) {
    fn all<T: Component>(loaded: &BTreeMap<String, Loaded<T>>, project: &Project, out: &mut Diagnostics) {
        for component in loaded.values() {
            T::validate(component, project, out);
        }
    }
    ProjectConfig::validate(&project.config, project, out);
    all(&project.environments, project, out);
    all(&project.pipelines, project, out);
    all(&project.connectors, project, out);
    all(&project.sources, project, out);
    all(&project.models, project, out);
    all(&project.features, project, out);
    all(&project.scorecards, project, out);
    all(&project.alerts, project, out);
    all(&project.opportunities, project, out);
    all(&project.plays, project, out);
    all(&project.syncs, project, out);
    all(&project.stores, project, out);
    all(&project.sql_tests, project, out);
    if let Some(site) = &project.site {
        crate::Site::validate(site, project, out);
    }
    for model in project.sql.values() {
        model.validate(out);
    }
}

fn choose_environment(
    config: &Loaded<ProjectConfig>,
    all: &BTreeMap<String, Loaded<Environment>>,
    options: &LoadOptions,
    out: &mut Diagnostics,
) -> Option<Loaded<Environment>> {
    if let Some(name) = &options.env {
        if !all.contains_key(name) {
            out.push(
                Diagnostic::error("SPC010", format!("there is no environment `{name}`"))
                    .with_help_opt(suggest::help(name, all.keys().map(String::as_str)))
                    .with_help_opt(all.is_empty().then(|| format!("make `configs/environments/{name}.yaml`"))),
            );
        }
        return all.get(name).cloned();
    }
    config.value.default_environment.as_ref().and_then(|name| all.get(&name.value)).cloned()
}

fn params(
    config: &Loaded<ProjectConfig>,
    environment: Option<&Loaded<Environment>>,
    options: &LoadOptions,
    out: &mut Diagnostics,
) -> BTreeMap<String, ParamValue> {
    let mut params = config.value.params.clone();
    for (name, value) in environment.into_iter().flat_map(|e| &e.value.params) {
        params.insert(name.clone(), value.clone());
    }
    for (name, text) in &options.params {
        match params.get(name).map(|declared| declared.parse_like(text)) {
            Some(Ok(value)) => {
                params.insert(name.clone(), value);
            }
            Some(Err(wanted)) => out.push(
                Diagnostic::error("SPC013", format!("`--param {name}={text}`: the project declares `{name}` as {wanted}"))
                    .with_help(format!("give {wanted}")),
            ),
            None => out.push(
                Diagnostic::error("SPC012", format!("`--param {name}=…`: the project has no parameter `{name}`"))
                    .with_help_opt(suggest::help(name, config.value.params.keys().map(String::as_str))),
            ),
        }
    }
    params
}

/// Reads files and collects what is wrong with them.
struct Files<'a> {
    root: &'a Path,
    out: Diagnostics,
    broken: BTreeSet<String>,
}

impl Files<'_> {
    /// One YAML file.
    fn one<T: Component>(&mut self, path: &str) -> Option<Loaded<T>> {
        let text = self.read(path)?;
        let name = stem(path).to_owned();
        match parse(path, &text, &text, 0) {
            Ok(value) => Some(Loaded { name, path: path.to_owned(), text, value }),
            Err(diagnostic) => {
                self.broken(path, diagnostic);
                None
            }
        }
    }

    fn broken(&mut self, path: &str, diagnostic: Diagnostic) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.broken.insert(format!("{folder}/{}", stem(path)));
        self.out.push(diagnostic);
    }

    /// All YAML files of a component's folder.
    fn folder<T: Component>(&mut self) -> BTreeMap<String, Loaded<T>> {
        let mut all = BTreeMap::new();
        for path in self.list(T::LOCATION, &["yaml", "yml"]) {
            if let Some(loaded) = self.one::<T>(&path)
                && let Some(twin) = all.insert(loaded.name.clone(), loaded)
            {
                let twin: Loaded<T> = twin;
                self.out.push(
                    Diagnostic::error("SPC031", format!("`{path}` and `{}` have the same name", twin.path))
                        .at(Place::file(path))
                        .with_help("rename one of the two files"),
                );
            }
        }
        all
    }

    /// The project's connectors, and those of the program that it doesn't replace.
    fn connectors(&mut self) -> BTreeMap<String, Loaded<Connector>> {
        let mut all = self.folder::<Connector>();
        for (name, text) in crate::connector::builtin() {
            if all.contains_key(name) || self.broken.contains(&format!("{}/{name}", Connector::LOCATION)) {
                continue;
            }
            let path = format!("(built in) {name}.yaml");
            let text: Arc<str> = Arc::from(text);
            match parse(&path, &text, &text, 0) {
                Ok(value) => {
                    all.insert(name.to_owned(), Loaded { name: name.to_owned(), path, text, value });
                }
                Err(diagnostic) => self.out.push(diagnostic),
            }
        }
        all
    }

    /// All SQL files: `sql/<schema>/<table>.sql` or `.sql.j2`.
    fn sql(&mut self) -> BTreeMap<String, Loaded<SqlModel>> {
        let mut all: BTreeMap<String, Loaded<SqlModel>> = BTreeMap::new();
        for schema in self.folders("sql") {
            if schema == "tests" {
                continue;
            }
            let folder = format!("sql/{schema}");
            for path in self.list(&folder, &["sql", "sql.j2"]) {
                let Some(text) = self.read(&path) else { continue };
                let sibling_path = format!("{folder}/{}.yaml", stem(&path));
                let sibling = match self.root.join(&sibling_path).is_file() {
                    true => self.read(&sibling_path).map(|text| Sibling { path: sibling_path, text }),
                    false => None,
                };
                match SqlModel::parse(&path, text, sibling) {
                    Ok(model) => {
                        if let Some(twin) = all.insert(model.name.clone(), model) {
                            self.out.push(
                                Diagnostic::error("SPC031", format!("`{path}` and `{}` make the same table", twin.path))
                                    .at(Place::file(path))
                                    .with_help("remove or rename one of the two files"),
                            );
                        }
                    }
                    Err(diagnostic) => self.broken(&path, diagnostic),
                }
            }
        }
        all
    }

    /// Folders below `configs/` that nothing reads are most likely misspelt.
    fn strangers(&mut self) {
        let known = [
            "alerts",
            "connectors",
            "environments",
            "features",
            "models",
            "opportunities",
            "plays",
            "scorecards",
            "sources",
            "stores",
            "syncs",
            "channels",
        ];
        for folder in self.folders("configs") {
            if !known.contains(&folder.as_str()) {
                self.out.push(
                    Diagnostic::error("SPC032", format!("nothing reads the folder `configs/{folder}`"))
                        .at(Place::file(format!("configs/{folder}")))
                        .with_help_opt(suggest::help(&folder, known)),
                );
            }
        }
    }

    fn read(&mut self, path: &str) -> Option<Arc<str>> {
        match std::fs::read_to_string(self.root.join(path)) {
            Ok(text) => Some(Arc::from(text.trim_start_matches('\u{feff}'))),
            Err(error) => {
                self.out.push(
                    Diagnostic::error("SPC033", format!("the file can't be read: {error}"))
                        .at(Place::file(path))
                        .with_help("project files are UTF-8 text that this user may read"),
                );
                None
            }
        }
    }

    /// Names of the folders in a folder, sorted.
    fn folders(&self, folder: &str) -> Vec<String> {
        entries(&self.root.join(folder)).into_iter().filter(|p| p.is_dir()).filter_map(|p| file_name(&p)).collect()
    }

    /// Paths (below the root) of a folder's files with one of the endings, sorted.
    fn list(&self, folder: &str, endings: &[&str]) -> Vec<String> {
        entries(&self.root.join(folder))
            .into_iter()
            .filter(|p| p.is_file())
            .filter_map(|p| file_name(&p))
            .filter(|name| endings.iter().any(|e| name.ends_with(&format!(".{e}"))))
            .map(|name| format!("{folder}/{name}"))
            .collect()
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(Result::ok).map(|e| e.path()).collect(),
        Err(_) => Vec::new(),
    };
    paths.retain(|p| file_name(p).is_some_and(|n| !n.starts_with('.')));
    paths.sort();
    paths
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name().and_then(|n| n.to_str()).map(str::to_owned)
}

/// A file's name without its folders and endings.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}
