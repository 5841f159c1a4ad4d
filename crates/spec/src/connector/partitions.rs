use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// A read is done once for each partition, with a cursor and a paginator of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Partitions {
    /// Fixed values.
    List(ListPartitions),
    /// The records of another stream of the connector.
    Parent(ParentPartitions),
}

/// Fixed values; templates see them as `partition.<name>`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPartitions {
    /// The name in templates.
    pub name: At<String>,
    /// The values.
    #[serde(default)]
    pub values: Vec<String>,
    /// A setting that holds them, separated by commas.
    #[serde(default)]
    pub setting: Option<At<String>>,
}

/// The records of another stream. Only those that are new or have changed since the child was last read are asked for, so the parent's
/// cursor is the child's.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParentPartitions {
    /// The other stream.
    pub stream: At<String>,
    /// Its columns that templates see as `parent.<column>`.
    pub columns: Vec<At<String>>,
}
