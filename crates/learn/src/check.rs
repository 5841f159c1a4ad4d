//! What `cscopilot check` can say of models once the tables' columns are known, and which tables models read and write.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, SchemaRef};
use cscopilot_diag::{Diagnostics, suggest};
use cscopilot_lake::TableName;
use cscopilot_spec::{At, Loaded, Model, Project, Spine};

use crate::data::frame;
use crate::drift;
use crate::registry::{decisions, runs};
use crate::score;

/// A learn task: the tables it reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The model.
    pub model: String,
    /// The tables it reads.
    pub reads: Vec<TableName>,
    /// The tables it writes. Models share them: each writes its own rows.
    pub writes: Vec<TableName>,
}

/// The learn tasks of a project, one per model.
pub fn reads_writes(project: &Project) -> Vec<Task> {
    let task = |loaded: &Loaded<Model>| Task {
        model: loaded.name.clone(),
        // A decision about a version is a reason to score anew.
        reads: [&loaded.value.features.table, &loaded.value.label.table]
            .into_iter()
            .filter_map(|t| t.value.parse().ok())
            .chain([decisions::table()])
            .collect(),
        writes: vec![
            runs::table(),
            score::scores_shape(loaded.value.sub_entity()).0,
            score::movements_shape(loaded.value.sub_entity()).0,
            drift::table(),
        ],
    };
    project.models.values().map(task).collect()
}

/// The tables that models make, with their columns.
pub fn outputs(project: &Project) -> BTreeMap<TableName, SchemaRef> {
    if project.models.is_empty() {
        return BTreeMap::new();
    }
    let mut tables = BTreeMap::from([(runs::table(), runs::schema()), (drift::table(), drift::schema())]);
    for model in project.models.values() {
        let entity = model.value.sub_entity();
        tables.extend([score::scores_shape(entity), score::movements_shape(entity)]);
    }
    tables
}

/// Checks each model's tables and columns against the tables that the project makes.
pub fn check(project: &Project, schemas: &BTreeMap<TableName, SchemaRef>, out: &mut Diagnostics) {
    for loaded in project.models.values() {
        let model = &loaded.value;
        if let Some(schema) = known_table(loaded, &model.features.table, schemas, out) {
            keys(loaded, &model.features.table, schema, true, out);
            for column in model.features.exclude.iter().chain(&model.features.include).chain(&model.features.categorical) {
                if schema.field_with_name(column).is_err() {
                    out.push(no_column(loaded, column, &model.features.table, schema));
                }
            }
            if let Some(Spine::Renewals { column, .. }) = &model.spine {
                match schema.field_with_name(column) {
                    Err(_) => out.push(no_column(loaded, column, &model.features.table, schema)),
                    Ok(field) if !field.data_type().is_temporal() => out.push(
                        loaded
                            .error("LRN062", column, format!("`{column}` is {}, renewals must be dates", field.data_type()))
                            .with_help("write CAST(… AS DATE) in the table's SQL file"),
                    ),
                    Ok(_) => {}
                }
            }
            for column in &model.features.include {
                if let Ok(field) = schema.field_with_name(column)
                    && !frame::is_feature_type(field.data_type())
                {
                    out.push(
                        loaded
                            .error("LRN062", column, format!("`{column}` is {}, features must be numbers or booleans", field.data_type()))
                            .with_help("leave it out, or turn it into a number in the table's SQL file"),
                    );
                }
            }
            row_columns(loaded, schema, out);
            for column in &model.features.categorical {
                if let Ok(field) = schema.field_with_name(column)
                    && !frame::is_category_type(field.data_type())
                {
                    out.push(
                        loaded
                            .error("LRN062", column, format!("`{column}` is {}, categorical features must be text", field.data_type()))
                            .with_help(
                                "leave it out: numbers and booleans are features already; or CAST it AS VARCHAR in the table's SQL file",
                            ),
                    );
                }
            }
            let features = frame::features_of(model, schema, project.features.get(model.dictionary()).map(|d| &d.value));
            for (name, direction) in &model.features.monotone {
                if !features.contains(name) {
                    out.push(
                        loaded
                            .error("LRN061", direction, format!("`{name}` under `monotone:` is not a feature"))
                            .with_help_opt(suggest::help(name, features.iter().map(String::as_str))),
                    );
                }
            }
            if features.is_empty() {
                let table = &model.features.table;
                out.push(
                    loaded
                        .error("LRN063", table, format!("`{table}` has no numeric or boolean column that may be a feature"))
                        .with_help("add feature columns in the table's SQL file, or shorten `exclude:`"),
                );
            }
        }
        if let Some(schema) = known_table(loaded, &model.label.table, schemas, out) {
            keys(loaded, &model.label.table, schema, false, out);
            let column = &model.label.column;
            match schema.field_with_name(column) {
                Err(_) => out.push(no_column(loaded, column, &model.label.table, schema)),
                Ok(field) if *field.data_type() != DataType::Boolean => out.push(
                    loaded
                        .error("LRN062", column, format!("the label `{column}` is {}, it must be BOOLEAN", field.data_type()))
                        .with_help("write the label as a condition: TRUE where the event happened, NULL while the window is not over"),
                ),
                Ok(_) => {}
            }
            outcomes(loaded, schema, out);
        }
    }
}

/// The label's columns beside the event.
fn outcomes(loaded: &Loaded<Model>, schema: &SchemaRef, out: &mut Diagnostics) {
    let label = &loaded.value.label;
    let survival = label.survival.as_ref();
    let numbers = label.amount.iter().chain(survival.map(|s| &s.days)).map(|column| (column, false));
    for (column, is_flag) in numbers.chain(survival.map(|s| (&s.observed, true))) {
        match schema.field_with_name(column) {
            Err(_) => out.push(no_column(loaded, column, &label.table, schema)),
            Ok(field) if is_flag && *field.data_type() != DataType::Boolean => out.push(
                loaded
                    .error("LRN062", column, format!("`{column}` is {}, it must be BOOLEAN", field.data_type()))
                    .with_help("TRUE where the event was seen, FALSE where the days only say how long there was none"),
            ),
            Ok(field) if !is_flag && !field.data_type().is_numeric() => out.push(
                loaded
                    .error("LRN062", column, format!("`{column}` is {}, it must be a number", field.data_type()))
                    .with_help("CAST it in the table's SQL file"),
            ),
            Ok(_) => {}
        }
    }
}

/// The columns that say what a row is worth and by what rows are told apart.
fn row_columns(loaded: &Loaded<Model>, schema: &SchemaRef, out: &mut Diagnostics) {
    let model = &loaded.value;
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..));
    let mut check = |column: &At<String>, is_segment: bool| {
        let Ok(field) = schema.field_with_name(column) else {
            return out.push(no_column(loaded, column, &model.features.table, schema));
        };
        let found = field.data_type();
        let (right, wanted, help) = if is_segment {
            let right = text(found) || found.is_integer() || *found == DataType::Boolean;
            (right, "text, a boolean or a whole number", "put the values into bands in the table's SQL file")
        } else {
            (found.is_numeric(), "a number", "name a numeric column of the features table")
        };
        if !right {
            out.push(loaded.error("LRN062", column, format!("`{column}` is {found}, it must be {wanted}")).with_help(help));
        }
    };
    model.weight.iter().chain(model.tenure.iter().map(|t| &t.column)).for_each(|column| check(column, false));
    let fold = model.split.cross_validation.iter().map(|c| &c.fold_column);
    model.segments.iter().chain(fold).for_each(|column| check(column, true));
}

fn known_table<'a>(
    loaded: &Loaded<Model>,
    table: &At<String>,
    schemas: &'a BTreeMap<TableName, SchemaRef>,
    out: &mut Diagnostics,
) -> Option<&'a SchemaRef> {
    // A name that is no table name has been reported with the file's own errors.
    let name: TableName = table.value.parse().ok()?;
    let found = schemas.get(&name);
    if found.is_none() {
        let known: Vec<String> = schemas.keys().map(ToString::to_string).collect();
        out.push(
            loaded
                .error("LRN060", table, format!("there is no table `{table}`"))
                .with_help_opt(suggest::help(table, known.iter().map(String::as_str))),
        );
    }
    found
}

/// The columns that name a table's rows; with `features` those of the features, which name their account as well.
fn keys(loaded: &Loaded<Model>, table: &At<String>, schema: &SchemaRef, features: bool, out: &mut Diagnostics) {
    let entity = &loaded.value.entity;
    for key in frame::KEYS.into_iter().filter(|key| features || loaded.value.sub_entity().is_none() || *key == "as_of") {
        if schema.field_with_name(key).is_err() {
            let help = match loaded.value.sub_entity() {
                Some(_) if key == frame::ACCOUNT => format!(
                    "a model of `{entity}` needs it beside that: rows of one account are alike, so folds and intervals go by account"
                ),
                _ => format!("features and labels have one row per `{entity}` and `as_of`"),
            };
            out.push(loaded.error("LRN061", table, format!("`{table}` has no column `{key}`")).with_help(help));
        }
    }
    if let Some(key) = loaded.value.sub_entity() {
        match schema.field_with_name(key) {
            Err(_) => out.push(no_column(loaded, entity, table, schema)),
            Ok(field) if !field.data_type().is_integer() && !frame::is_category_type(field.data_type()) => out.push(
                loaded
                    .error("LRN062", entity, format!("`{key}` of `{table}` is {}, it must be text or a whole number", field.data_type()))
                    .with_help("name the column with the ids of what is scored, or CAST it AS VARCHAR in the table's SQL file"),
            ),
            Ok(_) => {}
        }
    }
    if let Ok(field) = schema.field_with_name("as_of")
        && !matches!(field.data_type(), DataType::Date32 | DataType::Date64)
    {
        out.push(
            loaded
                .error("LRN062", table, format!("`as_of` of `{table}` is {}, it must be DATE", field.data_type()))
                .with_help("write CAST(… AS DATE) AS as_of in the table's SQL file"),
        );
    }
}

fn no_column(loaded: &Loaded<Model>, column: &At<String>, table: &At<String>, schema: &SchemaRef) -> cscopilot_diag::Diagnostic {
    let known = schema.fields().iter().map(|f| f.name().as_str());
    loaded.error("LRN061", column, format!("`{table}` has no column `{column}`")).with_help_opt(suggest::help(column, known))
}
