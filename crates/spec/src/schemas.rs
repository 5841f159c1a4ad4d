//! JSON Schemas of every YAML file, generated from the types, so that editors complete and check them.

use crate::sql::SqlHeader;
use crate::{
    Alerts, Component, Connector, Environment, FeatureDictionary, Model, Opportunities, Pipeline, Plays, ProjectConfig, Scorecard, Site,
    Source, SqlTests, Store, Sync,
};
use schemars::{JsonSchema, generate::SchemaSettings};

/// A schema file: its name in `schemas/`, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFile {
    /// `source.schema.json`
    pub name: String,
    /// Pretty JSON with a newline at its end.
    pub text: String,
}

/// All schema files, sorted by name.
#[must_use]
pub fn all() -> Vec<SchemaFile> {
    let mut files = vec![
        of::<ProjectConfig>(),
        of::<Environment>(),
        of::<Pipeline>(),
        of::<Connector>(),
        of::<Source>(),
        of::<Model>(),
        of::<FeatureDictionary>(),
        of::<Scorecard>(),
        of::<Alerts>(),
        of::<Opportunities>(),
        of::<Plays>(),
        of::<Sync>(),
        of::<Store>(),
        of::<Site>(),
        of::<SqlTests>(),
        file::<SqlHeader>("sql_model"),
    ];
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn of<T: Component>() -> SchemaFile {
    file::<T>(T::KIND)
}

fn file<T: JsonSchema>(kind: &str) -> SchemaFile {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    SchemaFile { name: format!("{kind}.schema.json"), text: text + "\n" }
}
