//! Views: SQL kept in the lake under a table's name, planned whenever it is read.

use serde::{Deserialize, Serialize};

use crate::{Params, TableName};

/// A view. It is stored as one object, so replacing it is atomic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Its name; no table may have the same.
    pub table: TableName,
    /// A `SELECT` over tables and other views.
    pub sql: String,
    /// Values for its parameters.
    #[serde(default)]
    pub params: Params,
    /// The fingerprint of what it was made from.
    #[serde(default)]
    pub fingerprint: Option<String>,
}

impl View {
    /// A view with the parameters its SQL needs.
    #[must_use]
    pub fn new(table: TableName, sql: impl Into<String>, params: Params) -> Self {
        Self { table, sql: sql.into(), params, fingerprint: None }
    }

    /// Sets the fingerprint.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: Option<String>) -> Self {
        self.fingerprint = fingerprint;
        self
    }

    /// Where it is kept.
    pub(crate) fn path(table: &TableName) -> object_store::path::Path {
        object_store::path::Path::from(format!("views/{}/{}.json", table.schema, table.name))
    }
}
