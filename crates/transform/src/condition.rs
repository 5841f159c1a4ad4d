//! Checks as SQL over the rows that wait to be published.

use arrow::datatypes::{DataType, Schema};
use cscopilot_lake::TableName;
use cscopilot_spec::At;
use cscopilot_spec::sql::{Check, Scalar};
use std::collections::BTreeSet;

/// The rows to be published.
pub(crate) const STAGED: &str = "staged_rows";
/// The whole table as it will be once they are.
pub(crate) const RESULTING: &str = "resulting_rows";

/// The column that counts the rows of a repeated key.
pub(crate) const ROWS_OF_KEY: &str = "rows_of_key";

/// A name as SQL takes it literally.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table's name as SQL takes it literally.
pub(crate) fn quoted_table(table: &TableName) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

/// A YAML value as a SQL literal for comparison with a column of this type.
pub(crate) fn literal(value: &Scalar, column: &DataType) -> String {
    let text = |t: &str| format!("'{}'", t.replace('\'', "''"));
    match value {
        Scalar::Str(v) => text(v),
        other if is_text(column) => text(&other.to_string()),
        Scalar::Int(v) => v.to_string(),
        Scalar::Float(v) => format!("{v:?}"),
        Scalar::Bool(v) => v.to_string(),
    }
}

pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The condition that a row breaks the check, for checks that look at one row at a time.
pub(crate) fn row_condition(check: &Check, schema: &Schema) -> Option<String> {
    let data_type = |column: &str| schema.field_with_name(column).map_or(DataType::Null, |f| f.data_type().clone());
    match check {
        Check::NotNull(c) => Some(c.columns.iter().map(|c| format!("{} IS NULL", quoted(c))).collect::<Vec<_>>().join(" OR ")),
        Check::AcceptedValues(c) => {
            let column_type = data_type(&c.column);
            let values: Vec<String> = c.values.iter().map(|v| literal(v, &column_type)).collect();
            Some(format!("{} NOT IN ({})", quoted(&c.column), values.join(", ")))
        }
        Check::Range(c) => {
            let column_type = data_type(&c.column);
            let bound =
                |at: &Option<At<Scalar>>, op: &str| at.as_ref().map(|v| format!("{} {op} {}", quoted(&c.column), literal(v, &column_type)));
            let bounds: Vec<String> = [bound(&c.min, "<"), bound(&c.max, ">")].into_iter().flatten().collect();
            Some(bounds.join(" OR "))
        }
        // The line break ends a comment that the expression may close with.
        Check::Expression(c) => Some(format!("NOT ({}\n)", *c.sql)),
        Check::Unique(_) | Check::Relationship(_) | Check::Freshness(_) | Check::RowCount(_) => None,
    }
}

/// Counts rows that repeat a key: all but one of each. Keys with a NULL don't count.
pub(crate) fn repeated_rows(columns: &[At<String>], relation: &str) -> String {
    format!("SELECT coalesce(sum({ROWS_OF_KEY}) - count(*), 0) AS failing FROM ({})", repeated_keys(columns, relation))
}

/// The keys that stand in more than one row.
pub(crate) fn repeated_keys(columns: &[At<String>], relation: &str) -> String {
    let list = columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", ");
    let present = columns.iter().map(|c| format!("{} IS NOT NULL", quoted(c))).collect::<Vec<_>>().join(" AND ");
    format!("SELECT {list}, count(*) AS {ROWS_OF_KEY} FROM {relation} WHERE {present} GROUP BY {list} HAVING count(*) > 1")
}

/// The rows whose value the other table lacks.
pub(crate) fn orphans(column: &str, table: &str, to: &str) -> String {
    let column = quoted(column);
    format!(
        "SELECT s.* FROM (SELECT * FROM {STAGED} WHERE {column} IS NOT NULL) AS s \
         LEFT ANTI JOIN (SELECT DISTINCT {} AS k FROM {table}) AS r ON s.{column} = r.k",
        quoted(to)
    )
}

/// The columns that the checks of a model and its keys need: all, where an expression could use any.
pub(crate) fn columns_needed<'a>(checks: impl Iterator<Item = &'a Check>, keys: &[String], schema: &Schema) -> Vec<usize> {
    let mut names: BTreeSet<String> = keys.iter().cloned().collect();
    for check in checks {
        names.extend(check.columns().into_iter().map(|c| c.value.clone()));
        if let Check::Expression(e) = check {
            let words: BTreeSet<String> =
                e.sql.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
            names.extend(
                schema.fields().iter().filter(|f| words.contains(&f.name().to_lowercase()) || !is_word(f.name())).map(|f| f.name().clone()),
            );
        }
    }
    schema.fields().iter().enumerate().filter(|(_, f)| names.contains(f.name())).map(|(i, _)| i).collect()
}

fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn literals_follow_the_columns_type() {
        assert_eq!(literal(&Scalar::Str("it's".into()), &DataType::Utf8), "'it''s'");
        assert_eq!(literal(&Scalar::Int(3), &DataType::Utf8View), "'3'");
        assert_eq!(literal(&Scalar::Int(3), &DataType::Float64), "3");
        assert_eq!(literal(&Scalar::Float(1.0), &DataType::Float64), "1.0");
    }

    #[test]
    fn only_needed_columns_are_kept() {
        let schema = Schema::new(["a", "b", "c", "odd name"].map(|n| Field::new(n, DataType::Int64, true)).to_vec());
        let expression: Check = serde_json::from_value(serde_json::json!({"row_count": {"min": 1}})).unwrap();
        assert_eq!(columns_needed([&expression].into_iter(), &["b".to_owned()], &schema), [1]);
    }
}
