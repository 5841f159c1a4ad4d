//! SQL unit tests: given rows, one model's query, expected rows. Nothing of the lake is read.

use crate::check::Schemas;
use crate::compile::{Model, Models, diagnostic, driver};
use crate::diff::diff;
use crate::error::{Error, Result};
use crate::header::{sql_type, type_name};
use crate::render::render;
use crate::rows::{BadCell, batch, cells};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use cscopilot_diag::{Coded, Diagnostic, Place, suggest};
use cscopilot_lake::{Lake, LakeOptions, Params, TableName};
use cscopilot_spec::sql_test::{GivenTable, Row, SqlTest, SqlTests};
use cscopilot_spec::{At, Loaded};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How a unit test went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// The model it tests.
    pub table: String,
    /// Its file.
    pub path: String,
    /// Its line in the file.
    pub line: u32,
    /// Whether the rows came out as expected.
    pub passed: bool,
    /// Why not: the differing rows as a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// Why not: what is wrong with the test or the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Diagnostic>,
}

/// Whether a test is chosen: by nothing at all, its name, its table, its table's schema or its file's stem.
fn selected(test: &SqlTest, file: &str, select: &[String]) -> bool {
    let schema = test.table.split('.').next().unwrap_or_default();
    select.is_empty() || select.iter().any(|s| *s == test.name.value || *s == test.table.value || s == schema || s == file)
}

/// Runs tests against tables in memory. `params` gives `as_of` and the parameters that a test doesn't set itself.
///
/// # Errors
/// When no session can be had. A test that fails, or is wrong, is a result.
pub async fn run_tests<'a>(
    files: impl IntoIterator<Item = &'a Loaded<SqlTests>>,
    select: &[String],
    models: &Models,
    schemas: &Schemas,
    params: &Params,
) -> Result<Vec<TestResult>> {
    let lake = Lake::open("memory://sql-tests", LakeOptions::default()).await?;
    let mut results = Vec::new();
    for file in files {
        for test in file.value.tests.iter().filter(|t| selected(t, &file.name, select)) {
            let case = Case { file, test, models, schemas, params };
            let (difference, problem) = match case.run(&lake).await {
                Ok(difference) => (difference, None),
                Err(problem) => (None, Some(*problem)),
            };
            results.push(TestResult {
                name: test.name.value.clone(),
                table: test.table.value.clone(),
                path: file.path.clone(),
                line: test.name.line,
                passed: difference.is_none() && problem.is_none(),
                difference,
                problem,
            });
        }
    }
    Ok(results)
}

struct Case<'a> {
    file: &'a Loaded<SqlTests>,
    test: &'a At<SqlTest>,
    models: &'a Models,
    schemas: &'a Schemas,
    params: &'a Params,
}

type Outcome<T> = std::result::Result<T, Box<Diagnostic>>;

impl Case<'_> {
    async fn run(&self, lake: &Lake) -> Outcome<Option<String>> {
        let model = self.model()?;
        let params = self.parameters(model)?;
        let session = lake.session();
        for table in model.reads() {
            let (schema, rows) = self.given(model, &table, &params)?;
            session.register_batches(&table, schema, vec![rows]).map_err(|e| self.failed(model, &e))?;
        }
        if let Some((name, given)) = self.test.given.iter().find(|(name, _)| !model.reads().iter().any(|t| t.to_string() == **name)) {
            let reads: Vec<String> = model.reads().iter().map(ToString::to_string).collect();
            return Err(self.wrong(
                "TRF031",
                given,
                format!("`{}` doesn't read `{name}`", model.table),
                suggest::help(name, reads.iter().map(String::as_str)),
            ));
        }
        let sql = self.sql(model, &params)?;
        let got = session.query(&sql, &params).await.map_err(|e| self.failed(model, &e))?;
        let schema = match got.first() {
            Some(batch) => batch.schema(),
            None => session.schema_of(&sql, &params).await.map_err(|e| self.failed(model, &e))?,
        };
        self.compare(&schema, &got)
    }

    fn model(&self) -> Outcome<&Model> {
        let name = &self.test.table;
        let table = name.value.parse::<TableName>().ok();
        if let Some(model) = table.as_ref().and_then(|t| self.models.models.get(t)) {
            return Ok(model);
        }
        let broken = table.is_some_and(|t| self.models.broken.contains(&t));
        let names: Vec<String> = self.models.models.keys().map(ToString::to_string).collect();
        Err(if broken {
            self.wrong("TRF030", name, format!("the SQL of `{}` doesn't compile", **name), Some("see `cscopilot check`".to_owned()))
        } else {
            self.wrong("TRF030", name, format!("there is no SQL model `{}`", **name), suggest::help(name, names.iter().map(String::as_str)))
        })
    }

    fn parameters(&self, model: &Model) -> Outcome<Params> {
        let mut params = self.params.clone();
        if let Some(as_of) = &self.test.as_of {
            params.set("as_of", as_of.value);
        }
        for (name, value) in &self.test.params {
            if !model.params.contains(name) {
                let used = suggest::help(name, model.params.iter().map(String::as_str));
                return Err(self.wrong("TRF032", value, format!("`{}` doesn't use the parameter `${name}`", model.table), used));
            }
            params.set(name.clone(), crate::project::value(&value.value));
        }
        Ok(params)
    }

    /// A template is rendered again: the test may have set its parameters.
    fn sql(&self, model: &Model, params: &Params) -> Outcome<String> {
        if !model.file.value.template {
            return Ok(model.sql.to_string());
        }
        render(&model.file.path, &model.file.sql(), params, &self.models.embargoes, driver(&model.file)).map(|r| r.sql).map_err(|p| {
            let place = Place::new(model.file.path.clone(), Arc::clone(&model.file.text), p.line, p.column);
            Box::new(diagnostic(p, place))
        })
    }

    /// The columns and rows of one table that the model reads.
    fn given(&self, model: &Model, table: &TableName, params: &Params) -> Outcome<(SchemaRef, RecordBatch)> {
        let nothing = At::nowhere(GivenTable::default());
        let given = self.test.given.get(&table.to_string()).unwrap_or(&nothing);
        let Some(declared) = self.schemas.get(table) else {
            let reason = format!("nothing is known of the columns of `{table}`, which `{}` reads", model.table);
            return Err(self.wrong("TRF033", &self.test.table, reason, Some("see `cscopilot check`".to_owned())));
        };
        let mut fields: Vec<Field> = declared.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
        for (name, sql) in &given.columns {
            let Some(data_type) = sql_type(sql, params) else {
                return Err(self.wrong(
                    "TRF034",
                    sql,
                    format!("`{}` is not a SQL type", **sql),
                    Some("write a type such as BIGINT, VARCHAR or DATE".to_owned()),
                ));
            };
            fields.retain(|f| f.name() != name);
            fields.push(Field::new(name, data_type, true));
        }
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        for row in &given.rows {
            self.known_columns(row, &schema, &format!("`{table}`"))?;
        }
        let rows = batch(&schema, &given.rows).map_err(|bad| self.bad_cell(&bad))?;
        Ok((schema, rows))
    }

    fn known_columns(&self, row: &At<Row>, schema: &Schema, what: &str) -> Outcome<()> {
        match row.iter().find(|(name, _)| schema.field_with_name(name).is_err()) {
            None => Ok(()),
            Some((name, value)) => {
                let names = schema.fields().iter().map(|f| f.name().as_str());
                Err(self.wrong("TRF035", value, format!("{what} has no column `{name}`"), suggest::help(name, names)))
            }
        }
    }

    fn compare(&self, schema: &SchemaRef, got: &[RecordBatch]) -> Outcome<Option<String>> {
        let expect = &self.test.expect;
        let chosen: BTreeSet<&str> = if expect.columns.is_empty() {
            expect.rows.iter().flat_map(|row| row.keys().map(String::as_str)).collect()
        } else {
            expect.columns.iter().map(|c| c.value.as_str()).collect()
        };
        for column in &expect.columns {
            if schema.field_with_name(column).is_err() {
                let names = schema.fields().iter().map(|f| f.name().as_str());
                return Err(self.wrong("TRF035", column, format!("the result has no column `{}`", **column), suggest::help(column, names)));
            }
        }
        for row in &expect.rows {
            self.known_columns(row, schema, "the result")?;
        }
        // In the query's order, as the table would be read; with no expected row at all, every column.
        let columns: Vec<String> =
            schema.fields().iter().map(|f| f.name().clone()).filter(|n| chosen.is_empty() || chosen.contains(n.as_str())).collect();
        let wanted = batch(schema, &expect.rows).map_err(|bad| self.bad_cell(&bad))?;
        let texts = |batches: &[RecordBatch]| {
            cells(batches, &columns).map_err(|e| self.wrong("TRF036", &self.test.name, format!("the rows can't be shown: {e}"), None))
        };
        Ok(diff(&columns, &texts(&[wanted])?, &texts(got)?, expect.ordered))
    }

    fn bad_cell(&self, bad: &BadCell) -> Box<Diagnostic> {
        let at = At { value: (), line: bad.line, column: bad.column };
        let message = if bad.name.is_empty() {
            format!("the rows can't be read: {}", bad.reason)
        } else {
            format!("the value doesn't fit the column `{}`, which is {}", bad.name, type_name(&bad.data_type))
        };
        self.wrong("TRF036", &at, message, Some(bad.reason.clone()))
    }

    fn wrong<T>(&self, code: &'static str, at: &At<T>, message: String, help: Option<String>) -> Box<Diagnostic> {
        Box::new(self.file.error(code, at, message).with_help_opt(help))
    }

    /// The query failed: where the lake says where, point into the SQL.
    fn failed(&self, model: &Model, error: &cscopilot_lake::Error) -> Box<Diagnostic> {
        let mut shown = error.to_diagnostic();
        shown.place = Some(match error {
            cscopilot_lake::Error::Sql(sql) if sql.line > 0 => {
                shown.message.clone_from(&sql.message);
                model.place(sql.line, sql.column)
            }
            _ => self.file.place(&self.test.name),
        });
        Box::new(shown)
    }
}

impl From<Box<Diagnostic>> for Error {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Self::Invalid((*diagnostic).into())
    }
}
