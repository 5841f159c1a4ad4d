//! SQL models: one file is one table.
//!
//! `sql/<schema>/<table>.sql` holds one query. What it needs to know beyond the query (how it is stored, what must hold
//! of its rows) stands in a YAML comment at its top, or in `<table>.yaml` beside it:
//!
//! ```sql
//! /*---
//! materialized: table
//! checks:
//!   - not_null: [account_id]
//! ---*/
//! SELECT account_id FROM raw.crm__accounts
//! ```
//!
//! The comment is parsed in place, so every diagnostic points at the line of the SQL file. Parsing the SQL itself is
//! left to the `transform` crate: this one knows no SQL.

mod check;

pub use check::{
    AcceptedValues, Check, CheckKind, CheckSeverity, ColumnsCheck, Expression, Freshness, Range, Relationship, RowCount, Scalar,
};

use crate::{At, Loaded, parse};
use cscopilot_diag::{Diagnostic, Diagnostics, Place};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The comment that opens a header in a SQL file.
const OPEN: &str = "/*---";
/// What closes it.
const CLOSE: &str = "---*/";

/// How a model's rows are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Materialization {
    /// Nothing is stored: models that read it run its query.
    View,
    /// A Delta table, written anew at each change.
    #[default]
    Table,
    /// A Delta table that only gets what its driver table (`on`) has and it lacks.
    Incremental,
}

/// What a reader should know about a column.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnDoc {
    /// What the column means, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// The type that the query must give it, as SQL writes it: `BIGINT`, `DATE`, `DECIMAL(18,2)`.
    #[serde(default, rename = "type")]
    pub data_type: Option<At<String>>,
}

/// The YAML at the top of a SQL file, or in the file of the same name beside it. All of it is optional.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "SQL model header")]
pub struct SqlHeader {
    /// The format's version; may be left out in a comment.
    #[serde(default)]
    pub version: Option<crate::Version1>,
    /// What one row is.
    #[serde(default)]
    pub description: Option<String>,
    /// How the rows are kept.
    #[serde(default)]
    pub materialized: At<Materialization>,
    /// Incremental: the driver table (`schema.table`). Its query is run over the driver's new partitions or rows only.
    #[serde(default)]
    pub on: Option<At<String>>,
    /// Columns by whose values the stored files are divided. With `incremental`: the partitions of the driver that the
    /// table lacks are computed, the others are kept.
    #[serde(default)]
    pub partition_by: Vec<At<String>>,
    /// Incremental by key: the driver's rows that were appended since the last time (by `_extracted_at`) are computed
    /// and merged by these columns.
    #[serde(default)]
    pub unique_key: Vec<At<String>>,
    /// Incremental by partition: so many of the newest partitions are computed again each time, for late data.
    #[serde(default)]
    pub lookback: Option<At<u32>>,
    /// What must hold of the rows before they are published.
    #[serde(default)]
    pub checks: Vec<At<Check>>,
    /// What the columns mean.
    #[serde(default)]
    pub columns: BTreeMap<String, At<ColumnDoc>>,
}

/// The YAML file beside a SQL file that holds its header.
#[derive(Debug, Clone)]
pub struct Sibling {
    /// Its path below the project's root.
    pub path: String,
    /// Its text.
    pub text: Arc<str>,
}

/// A SQL file: one query that makes one table.
#[derive(Debug, Clone)]
pub struct SqlModel {
    /// The folder below `sql/`: the table's schema.
    pub schema: String,
    /// The file's stem: the table's name.
    pub table: String,
    /// Whether the file is a template (`.sql.j2`) that minijinja renders first.
    pub template: bool,
    /// The header.
    pub header: SqlHeader,
    /// The file that holds the header, where it is not the SQL file itself.
    pub sibling: Option<Sibling>,
}

impl SqlModel {
    /// Reads a SQL file (`sql/<schema>/<table>.sql` or `.sql.j2`) and the YAML file beside it, if there is one.
    ///
    /// The [`Loaded`] value is named `schema.table`, and its text is the whole file: the header is a comment to SQL, so
    /// positions in the query need no correction.
    ///
    /// # Errors
    /// `SQL001` for a path that names no table, `SQL002` for a header that is not closed, `SQL003` for two headers, and
    /// the parser's codes for what is wrong within the header.
    pub fn parse(path: &str, text: Arc<str>, sibling: Option<Sibling>) -> Result<Loaded<Self>, Diagnostic> {
        let (schema, table, template) = split_path(path)?;
        let header = match (header_yaml(path, &text)?, &sibling) {
            (Some((_, line)), Some(sibling)) => {
                return Err(Diagnostic::error("SQL003", format!("this header and `{}` both describe the table", sibling.path))
                    .at(Place::new(path, Arc::clone(&text), line, 1))
                    .with_help("keep one of the two"));
            }
            (Some((yaml, _)), None) if yaml.trim().is_empty() => SqlHeader::default(),
            (Some((yaml, _)), None) => parse::parse(path, &text, &yaml, 0)?,
            (None, Some(sibling)) => parse::parse(&sibling.path, &sibling.text, &sibling.text, 0)?,
            (None, None) => SqlHeader::default(),
        };
        let name = format!("{schema}.{table}");
        Ok(Loaded { name, path: path.to_owned(), text, value: Self { schema, table, template, header, sibling } })
    }
}

impl Loaded<SqlModel> {
    /// The place of a value of the header, in whichever file the header stands.
    #[must_use]
    pub fn header_place<V>(&self, at: &At<V>) -> Place {
        match &self.value.sibling {
            Some(sibling) => Place::new(sibling.path.clone(), Arc::clone(&sibling.text), at.line, at.column),
            None => self.place(at),
        }
    }

    /// An error that points at a value of the header.
    pub fn header_error<V>(&self, code: &'static str, at: &At<V>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(self.header_place(at))
    }

    /// The file's text with blanks in the header's place: what the SQL parser and minijinja get. Lines and columns stay.
    #[must_use]
    pub fn sql(&self) -> String {
        let text = &self.text;
        let start = text.len() - text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).len();
        let end = match text[start..].find(CLOSE) {
            Some(close) if text[start..].starts_with(OPEN) => start + close + CLOSE.len(),
            _ => start,
        };
        let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
        text[..end].chars().map(blank).chain(text[end..].chars()).collect()
    }

    /// Adds the errors of the header that need neither the SQL nor other files.
    pub fn validate(&self, out: &mut Diagnostics) {
        let header = &self.value.header;
        let kind = *header.materialized;
        let mut refuse = |at: Option<(u32, u32)>, field: &str, only: &str| {
            if let Some((line, column)) = at {
                let at = At { value: (), line, column };
                out.push(
                    self.header_error("SQL004", &at, format!("`{field}` means nothing for a {}", kind.word()))
                        .with_help(format!("it goes with {only}")),
                );
            }
        };
        let first = |list: &[At<String>]| list.first().map(|a| (a.line, a.column));
        if kind != Materialization::Incremental {
            refuse(header.on.as_ref().map(|a| (a.line, a.column)), "on", "`materialized: incremental`");
            refuse(
                first(&header.unique_key),
                "unique_key",
                "`materialized: incremental`; to check that keys are unique use `checks: [{unique: […]}]`",
            );
            refuse(header.lookback.as_ref().map(|a| (a.line, a.column)), "lookback", "`materialized: incremental` and `partition_by`");
        }
        if kind == Materialization::View {
            refuse(first(&header.partition_by), "partition_by", "`materialized: table` or `incremental`");
        }
        if kind == Materialization::Incremental {
            self.validate_incremental(out);
        }
        if let Some(on) = &header.on
            && !is_table_name(on)
        {
            out.push(self.header_error("SQL006", on, format!("`{}` is not a table name", **on)).with_help("write `schema.table`"));
        }
        for check in &header.checks {
            check.validate(self, check, out);
        }
    }

    fn validate_incremental(&self, out: &mut Diagnostics) {
        let header = &self.value.header;
        let at = &header.materialized;
        if header.on.is_none() {
            out.push(
                self.header_error("SQL005", at, "an incremental table needs `on`: the table whose new partitions or rows drive it")
                    .with_help("add `on: schema.table`; the query must read that table"),
            );
        }
        match (header.partition_by.is_empty(), header.unique_key.first()) {
            (true, None) => out
                .push(self.header_error("SQL005", at, "an incremental table needs `partition_by` or `unique_key`").with_help(
                    "`partition_by` computes the driver's partitions that are missing, `unique_key` merges its new rows by key",
                )),
            (false, Some(key)) => out.push(
                self.header_error("SQL005", key, "`partition_by` and `unique_key` don't go together in an incremental table")
                    .with_help("keep the one by which new data is found"),
            ),
            (true, Some(_)) => {
                if let Some(lookback) = &header.lookback {
                    out.push(
                        self.header_error("SQL004", lookback, "`lookback` counts partitions, and this table has none")
                            .with_help("remove it, or use `partition_by` instead of `unique_key`"),
                    );
                }
            }
            (false, None) => {}
        }
    }
}

impl Materialization {
    /// The word of the YAML file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Table => "table",
            Self::Incremental => "incremental table",
        }
    }
}

/// Whether a text is `schema.table` in plain lower-case names.
#[must_use]
pub fn is_table_name(text: &str) -> bool {
    matches!(text.split_once('.'), Some((schema, table)) if is_name(schema) && is_name(table))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `sql/staging/users.sql.j2` → (`staging`, `users`, true).
fn split_path(path: &str) -> Result<(String, String, bool), Diagnostic> {
    let wrong = |message: String, help: &str| Diagnostic::error("SQL001", message).at(Place::file(path)).with_help(help);
    let (stem, template) = match (path.strip_suffix(".sql.j2"), path.strip_suffix(".sql")) {
        (Some(stem), _) => (stem, true),
        (None, Some(stem)) => (stem, false),
        (None, None) => return Err(wrong("a model's file name ends in `.sql` or `.sql.j2`".to_owned(), "rename the file")),
    };
    let parts: Vec<&str> = stem.split('/').filter(|p| !p.is_empty()).collect();
    let ["sql", schema, table] = parts.as_slice() else {
        return Err(wrong(
            "a SQL file must lie in `sql/<schema>/<table>.sql`".to_owned(),
            "the folder gives the table's schema, the file its name; move the file into such a folder",
        ));
    };
    for part in [schema, table] {
        if !is_name(part) {
            return Err(wrong(
                format!("`{part}` is no name for a {}", if part == table { "table" } else { "schema" }),
                "use lower-case letters, digits and `_`, not starting with a digit",
            ));
        }
    }
    if *schema == "raw" {
        return Err(wrong(
            "tables in `raw` are written by sources only".to_owned(),
            "move the file to another folder, such as `sql/staging/`",
        ));
    }
    Ok(((*schema).to_owned(), (*table).to_owned(), template))
}

/// The header's YAML with empty lines above it, so that its lines are those of the file, and the line it opens on.
fn header_yaml(path: &str, text: &Arc<str>) -> Result<Option<(String, u32)>, Diagnostic> {
    let start = text.len() - text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).len();
    if !text[start..].starts_with(OPEN) {
        return Ok(None);
    }
    let line = u32::try_from(text[..start].matches('\n').count()).unwrap_or(0) + 1;
    let body = start + OPEN.len();
    let Some(length) = text[body..].find(CLOSE) else {
        return Err(Diagnostic::error("SQL002", format!("the header that opens with `{OPEN}` is not closed"))
            .at(Place::new(path, Arc::clone(text), line, 1))
            .with_help(format!("end it with a line `{CLOSE}`")));
    };
    // Blanks in the opening's place keep the columns right where YAML follows on the same line.
    let mut yaml = "\n".repeat(line as usize - 1);
    yaml.push_str(&" ".repeat(OPEN.len()));
    yaml.push_str(&text[body..body + length]);
    Ok(Some((yaml, line)))
}

#[cfg(test)]
mod tests;
