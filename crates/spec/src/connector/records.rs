use super::{Predicate, Template};
use crate::At;
use crate::source::{ColumnType, Ordered};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the records of an answer stand, and what is done with each, in this order: `filter`, `explode`, `unwrap`, `add`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Records {
    /// The path of the list; the whole body is the list, or one record, without it.
    pub path: Option<At<String>>,
    /// The path holds one record, not a list.
    pub single: bool,
    /// Only records for which all of these hold.
    pub filter: Vec<Filter>,
    /// The path of a list in each record, whose elements are the rows.
    pub explode: Option<At<String>>,
    /// The path of what is the row inside a record.
    pub unwrap: Option<At<String>>,
    /// Columns whose values come from the request.
    pub add: Ordered<Added>,
    /// The path of the number of all records, as the API announces it.
    pub total: Option<At<String>>,
    /// Fields are asked for in groups, since a URL can't be as long as wanted.
    pub property_chunks: Option<PropertyChunks>,
}

/// A condition for records.
pub type Filter = Predicate;

/// A column whose value comes from the request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Added {
    /// Its type.
    pub r#type: At<ColumnType>,
    /// Its value, such as `{{ parent.id }}`.
    pub value: At<Template>,
}

/// Fields are asked for in groups; the answers are joined by a key. Templates see the group as `stream.fields`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PropertyChunks {
    /// A group is at most so many characters long, commas included.
    pub max_chars: At<u32>,
    /// The path of the key in a record.
    pub key: At<String>,
    /// The object in the record that holds the fields, such as `properties`.
    #[serde(default)]
    pub below: Option<At<String>>,
}
