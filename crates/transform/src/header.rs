//! What a model's header says, held against the columns of its query and of the tables it names.

use crate::check::{Schemas, table_help};
use crate::compile::{Model, Models};
use crate::condition::{STAGED, is_text};
use crate::parse::parse_condition;
use arrow::array::{Array, StringArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use cscopilot_diag::{Diagnostics, suggest};
use cscopilot_lake::{Params, TableName, check_sql};
use cscopilot_spec::At;
use cscopilot_spec::sql::{Check, Materialization, Relationship, Scalar};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The column that says when a row of a change log was extracted: incremental tables by key find new rows by it.
pub(crate) const EXTRACTED_AT: &str = "_extracted_at";

/// Adds what is wrong with a model's header. The model's own columns must be in `known` already.
pub(crate) fn check(model: &Model, known: &Schemas, params: &Params, broken: &BTreeSet<TableName>, out: &mut Diagnostics) {
    let Some(schema) = known.get(&model.table) else { return };
    let scope = Scope { model, known, schema, params };
    let header = &model.file.value.header;
    for column in header.partition_by.iter().chain(&header.unique_key) {
        scope.column(column, out);
    }
    for column in &header.partition_by {
        scope.partition_type(column, out);
    }
    scope.documented(out);
    scope.driver(broken, out);
    for check in &header.checks {
        scope.check(&check.value, broken, out);
    }
}

struct Scope<'a> {
    model: &'a Model,
    known: &'a Schemas,
    schema: &'a SchemaRef,
    params: &'a Params,
}

impl Scope<'_> {
    /// The column's type; an error where there is no such column.
    fn column(&self, name: &At<String>, out: &mut Diagnostics) -> Option<DataType> {
        if let Ok(field) = self.schema.field_with_name(name) {
            return Some(field.data_type().clone());
        }
        out.push(
            self.model
                .file
                .header_error("TRF020", name, format!("the query of `{}` has no column `{}`", self.model.table, **name))
                .with_help_opt(suggest::help(name, names(self.schema))),
        );
        None
    }

    fn partition_type(&self, name: &At<String>, out: &mut Diagnostics) {
        use DataType as T;
        let Ok(field) = self.schema.field_with_name(name) else { return };
        if !matches!(field.data_type(), T::Utf8 | T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Boolean | T::Date32) {
            out.push(
                self.model
                    .file
                    .header_error(
                        "TRF021",
                        name,
                        format!("`{}` is {} and can't divide a table into partitions", **name, type_name(field.data_type())),
                    )
                    .with_help("partition by a date, a string, an integer or a boolean"),
            );
        }
    }

    fn documented(&self, out: &mut Diagnostics) {
        for (name, doc) in &self.model.file.value.header.columns {
            let at = At { value: name.clone(), line: doc.line, column: doc.column };
            let Some(actual) = self.column(&at, out) else { continue };
            let Some(declared) = &doc.data_type else { continue };
            match sql_type(declared, self.params) {
                None => out.push(
                    self.model
                        .file
                        .header_error("TRF022", declared, format!("`{}` is not a SQL type", **declared))
                        .with_help("write a type such as BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP or DECIMAL(18,2)"),
                ),
                Some(wanted) if wanted != actual => out.push(
                    self.model
                        .file
                        .header_error(
                            "TRF022",
                            declared,
                            format!("`{name}` is declared as {} but the query gives {}", **declared, type_name(&actual)),
                        )
                        .with_help(format!("cast it in the query: CAST(… AS {}) AS {name}", **declared)),
                ),
                Some(_) => {}
            }
        }
    }

    /// The driver of an incremental table must be read by the query, and know what is new.
    fn driver(&self, broken: &BTreeSet<TableName>, out: &mut Diagnostics) {
        let header = &self.model.file.value.header;
        let Some(on) = &header.on else { return };
        let Ok(driver) = on.value.parse::<TableName>() else { return };
        if *header.materialized != Materialization::Incremental || broken.contains(&driver) {
            return;
        }
        if !self.model.reads().contains(&driver) {
            let reads: Vec<String> = self.model.reads().iter().map(ToString::to_string).collect();
            out.push(
                self.model
                    .file
                    .header_error("TRF023", on, format!("the query doesn't read its driver `{driver}`"))
                    .with_help_opt(suggest::help(on, reads.iter().map(String::as_str))),
            );
            return;
        }
        let Some(columns) = self.known.get(&driver) else { return };
        for key in &header.partition_by {
            if columns.field_with_name(key).is_err() {
                out.push(
                    self.model
                        .file
                        .header_error(
                            "TRF024",
                            key,
                            format!("the driver `{driver}` has no column `{}`, so its new partitions can't be found", **key),
                        )
                        .with_help_opt(suggest::help(key, names(columns))),
                );
            }
        }
        if !header.unique_key.is_empty() && columns.field_with_name(EXTRACTED_AT).is_err() {
            out.push(
                self.model
                    .file
                    .header_error(
                        "TRF024",
                        on,
                        format!("the driver `{driver}` has no column `{EXTRACTED_AT}`, so its new rows can't be found"),
                    )
                    .with_help(format!("drive the table by a raw stream, or let `{driver}` pass `{EXTRACTED_AT}` on")),
            );
        }
    }

    fn check(&self, check: &Check, broken: &BTreeSet<TableName>, out: &mut Diagnostics) {
        let before = out.len();
        let types: Vec<Option<DataType>> = check.columns().into_iter().map(|c| self.column(c, out)).collect();
        if out.len() > before {
            return;
        }
        let first = types.first().cloned().flatten().unwrap_or(DataType::Null);
        match check {
            Check::AcceptedValues(c) => {
                for value in &c.values {
                    self.fits(value, &c.column, &first, out);
                }
            }
            Check::Range(c) => {
                if !(first.is_numeric() || first.is_temporal()) {
                    self.wrong(
                        &c.column,
                        format!("`{}` is {}; a range needs numbers, dates or timestamps", *c.column, type_name(&first)),
                        out,
                    );
                    return;
                }
                for bound in [&c.min, &c.max].into_iter().flatten() {
                    self.fits(bound, &c.column, &first, out);
                }
            }
            Check::Freshness(c) if !first.is_temporal() => {
                self.wrong(&c.column, format!("`{}` is {}; freshness needs a date or a timestamp", *c.column, type_name(&first)), out);
            }
            Check::Relationship(c) => self.relationship(c, &first, broken, out),
            Check::Expression(c) => self.expression(&c.sql, out),
            _ => {}
        }
    }

    fn wrong<T>(&self, at: &At<T>, message: String, out: &mut Diagnostics) {
        out.push(self.model.file.header_error("TRF025", at, message).with_help("check another column, or cast it in the query"));
    }

    /// Whether a YAML value can be compared with the column.
    fn fits(&self, value: &At<Scalar>, column: &At<String>, data_type: &DataType, out: &mut Diagnostics) {
        let fits = match &value.value {
            _ if is_text(data_type) => true,
            Scalar::Int(_) | Scalar::Float(_) => data_type.is_numeric(),
            Scalar::Bool(_) => *data_type == DataType::Boolean,
            Scalar::Str(text) => {
                !data_type.is_numeric() && {
                    let array: Arc<dyn Array> = Arc::new(StringArray::from(vec![text.as_str()]));
                    arrow::compute::cast(&array, data_type).is_ok_and(|cast| !cast.is_null(0))
                }
            }
        };
        if !fits {
            out.push(
                self.model
                    .file
                    .header_error(
                        "TRF025",
                        value,
                        format!("`{}` is no value of `{}`, which is {}", **value, **column, type_name(data_type)),
                    )
                    .with_help("write dates as 2023-10-01, numbers without quotes, and true or false for booleans"),
            );
        }
    }

    fn relationship(&self, check: &Relationship, own: &DataType, broken: &BTreeSet<TableName>, out: &mut Diagnostics) {
        let Some((table, column)) = check.target() else { return };
        let Ok(table) = table.parse::<TableName>() else { return };
        if broken.contains(&table) {
            return;
        }
        let Some(columns) = self.known.get(&table) else {
            out.push(self.model.file.header_error("TRF026", &check.to, format!("there is no table `{table}`")).with_help_opt(table_help(
                &table,
                self.known,
                &Models::default(),
            )));
            return;
        };
        match columns.field_with_name(column) {
            Err(_) => out.push(
                self.model
                    .file
                    .header_error("TRF026", &check.to, format!("`{table}` has no column `{column}`"))
                    .with_help_opt(suggest::help(column, names(columns))),
            ),
            Ok(field) if kind(field.data_type()) != kind(own) => out.push(
                self.model
                    .file
                    .header_error(
                        "TRF026",
                        &check.to,
                        format!(
                            "`{}` is {} and `{}` is {}: they can't be compared",
                            *check.column,
                            type_name(own),
                            *check.to,
                            type_name(field.data_type())
                        ),
                    )
                    .with_help("cast one of them in its query"),
            ),
            Ok(_) => {}
        }
    }

    fn expression(&self, sql: &At<String>, out: &mut Diagnostics) {
        // What the parser refuses, and unknown parameters, were shown when the file was compiled.
        match parse_condition(sql) {
            Ok(parsed) if parsed.params.iter().all(|p| self.params.get(&p.name).is_some()) => {}
            _ => return,
        }
        let tables: Schemas = [(self.model.table.clone(), Arc::clone(self.schema))].into();
        let query = format!("SELECT ({}\n) AS ok FROM {} AS {STAGED}", **sql, self.model.table);
        match check_sql(&query, &tables, self.params) {
            Ok(schema) => {
                let given = schema.field(0).data_type();
                if *given != DataType::Boolean {
                    out.push(
                        self.model
                            .file
                            .header_error("TRF027", sql, format!("the expression gives {}, not true or false", type_name(given)))
                            .with_help("write a condition such as `end_date >= start_date`"),
                    );
                }
            }
            Err(error) => out.push(self.model.file.header_error("TRF027", sql, error.message.clone()).with_help_opt(error.help)),
        }
    }
}

fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|f| f.name().as_str())
}

/// Types that compare with each other.
fn kind(data_type: &DataType) -> &'static str {
    match data_type {
        t if is_text(t) => "text",
        t if t.is_numeric() => "number",
        t if t.is_temporal() => "time",
        DataType::Boolean => "boolean",
        _ => "other",
    }
}

/// The type that SQL text names, as tables store it.
pub(crate) fn sql_type(text: &str, params: &Params) -> Option<DataType> {
    if !text.chars().all(|c| c.is_alphanumeric() || " _(),<>".contains(c)) {
        return None;
    }
    let schema = check_sql(&format!("SELECT CAST(NULL AS {text}) AS t"), &BTreeMap::new(), params).ok()?;
    let stored = cscopilot_lake::storage_schema(&schema).ok()?;
    Some(stored.field(0).data_type().clone())
}

/// A type's name as SQL writes it.
#[must_use]
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Float32 => "REAL".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => format!("DECIMAL({p},{s})"),
        DataType::Date32 | DataType::Date64 => "DATE".to_owned(),
        DataType::Timestamp(_, _) => "TIMESTAMP".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL".to_owned(),
        DataType::List(item) | DataType::LargeList(item) => format!("{}[]", type_name(item.data_type())),
        DataType::Struct(_) => "STRUCT".to_owned(),
        other => other.to_string().to_uppercase(),
    }
}
