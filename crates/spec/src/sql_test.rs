//! Unit tests of SQL models: rows that are given, rows that are expected.
//!
//! They run without the lake: each test makes tables in memory, runs one model's query over them and compares. Column
//! types come from the tables' declared schemas, so rows only name the columns of interest.

use crate::{At, Component, Loaded, ParamValue, Project, Version1, sql::is_table_name};
use chrono::NaiveDate;
use cscopilot_diag::Diagnostics;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Tests of SQL models.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlTests {
    /// The format's version.
    pub version: Version1,
    /// The tests.
    pub tests: Vec<At<SqlTest>>,
}

/// Input rows of a model's tables, and the rows its query must make of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlTest {
    /// What is tested, as a sentence: `counts_logins_up_to_as_of_only`.
    pub name: At<String>,
    /// The model: `schema.table`.
    pub table: At<String>,
    /// The day the query believes it is (`$as_of`).
    #[serde(default)]
    pub as_of: Option<At<NaiveDate>>,
    /// Parameters that differ from the project's.
    #[serde(default)]
    pub params: BTreeMap<String, At<ParamValue>>,
    /// The tables the model reads, with their rows. A table that is left out is empty.
    #[serde(default)]
    pub given: BTreeMap<String, At<GivenTable>>,
    /// What must come out.
    pub expect: Expected,
}

/// One row: column → value. A column that is left out is NULL.
pub type Row = BTreeMap<String, At<serde_json::Value>>;

/// A table of a test.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenTable {
    /// Types of columns (as SQL writes them: `BIGINT`, `DATE`) that the table's own schema doesn't give.
    #[serde(default)]
    pub columns: BTreeMap<String, At<String>>,
    /// The rows.
    #[serde(default)]
    pub rows: Vec<At<Row>>,
}

/// What a test expects.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The columns to compare; by default those that a row names.
    #[serde(default)]
    pub columns: Vec<At<String>>,
    /// The rows. A compared column that a row leaves out must be NULL.
    pub rows: Vec<At<Row>>,
    /// Whether the rows must come in this order.
    #[serde(default)]
    pub ordered: bool,
}

impl Component for SqlTests {
    const KIND: &'static str = "sql_test";
    const LOCATION: &'static str = "sql/tests";

    fn validate(loaded: &Loaded<Self>, _project: &Project, out: &mut Diagnostics) {
        let mut names = BTreeSet::new();
        for test in &loaded.value.tests {
            if !names.insert(&test.name.value) {
                out.push(
                    loaded
                        .error("SQL020", &test.name, format!("there are two tests named `{}`", *test.name))
                        .with_help("give one of them another name"),
                );
            }
            if !is_table_name(&test.table) {
                out.push(
                    loaded.error("SQL006", &test.table, format!("`{}` is not a table name", *test.table)).with_help("write `schema.table`"),
                );
            }
            for (table, given) in &test.given {
                if !is_table_name(table) {
                    out.push(loaded.error("SQL006", given, format!("`{table}` is not a table name")).with_help("write `schema.table`"));
                }
            }
            if test.expect.columns.is_empty() && test.expect.rows.iter().all(|row| row.is_empty()) && !test.expect.rows.is_empty() {
                out.push(
                    loaded
                        .error("SQL021", &test.name, "the expected rows name no column")
                        .with_help("name the columns to compare in the rows, or in `columns`"),
                );
            }
        }
    }
}
