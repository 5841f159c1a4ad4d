use super::{SqlModel, is_table_name};
use crate::{At, Loaded};
use cscopilot_diag::Diagnostics;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;

/// What happens when a check fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckSeverity {
    /// The new rows are published; the failure is counted and shown.
    Warn,
    /// The new rows are not published: the old table stays, and the step fails.
    #[default]
    Error,
}

/// A condition on a table's rows, tested before they are published.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// These columns are never NULL. `not_null: [a, b]`, or `not_null: {columns: [a, b], severity: warn}`.
    NotNull(ColumnsCheck),
    /// No two rows agree in all of these columns. Rows with a NULL among them are left out, as in SQL.
    Unique(ColumnsCheck),
    /// A column holds only these values, or NULL.
    AcceptedValues(AcceptedValues),
    /// A column lies between two bounds, both included, or is NULL.
    Range(Range),
    /// Each value of a column stands in a column of another table, or is NULL.
    Relationship(Relationship),
    /// The newest value of a date or timestamp column is at most so many days before `as_of`.
    Freshness(Freshness),
    /// The table has at least, or at most, so many rows.
    RowCount(RowCount),
    /// A condition in SQL holds for every row; rows for which it is NULL pass.
    Expression(Expression),
}

/// The kinds of checks, as values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CheckKind {
    NotNull,
    Unique,
    AcceptedValues,
    Range,
    Relationship,
    Freshness,
    RowCount,
    Expression,
}

/// Some columns and a severity. A plain list of columns will do.
#[derive(Debug, Clone)]
pub struct ColumnsCheck {
    /// The columns.
    pub columns: Vec<At<String>>,
    /// What happens on failure.
    pub severity: CheckSeverity,
}

/// A value in YAML that stands for a SQL literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text, also dates.
    Str(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// True or false.
    Bool(bool),
}

/// A column holds only these values.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedValues {
    /// The column.
    pub column: At<String>,
    /// Its values.
    pub values: Vec<At<Scalar>>,
    /// What happens on failure.
    #[serde(default)]
    pub severity: CheckSeverity,
}

/// A column lies between two bounds, both included.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The column: a number, a date or a timestamp.
    pub column: At<String>,
    /// The least value.
    #[serde(default)]
    pub min: Option<At<Scalar>>,
    /// The greatest value.
    #[serde(default)]
    pub max: Option<At<Scalar>>,
    /// What happens on failure.
    #[serde(default)]
    pub severity: CheckSeverity,
}

/// Each value of a column stands in a column of another table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relationship {
    /// The column of this table.
    pub column: At<String>,
    /// The column it refers to: `schema.table.column`.
    pub to: At<String>,
    /// What happens on failure.
    #[serde(default)]
    pub severity: CheckSeverity,
}

/// The newest value of a column is recent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// A date or timestamp column.
    pub column: At<String>,
    /// The greatest age in days, counted back from `as_of`.
    pub max_age_days: At<u32>,
    /// What happens on failure.
    #[serde(default)]
    pub severity: CheckSeverity,
}

/// How many rows the table has.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowCount {
    /// At least so many.
    #[serde(default)]
    pub min: Option<At<u64>>,
    /// At most so many.
    #[serde(default)]
    pub max: Option<At<u64>>,
    /// What happens on failure.
    #[serde(default)]
    pub severity: CheckSeverity,
}

/// A condition in SQL.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expression {
    /// The check's name in results.
    pub name: At<String>,
    /// A boolean expression over the table's columns and the parameters.
    pub sql: At<String>,
    /// What happens on failure.
    #[serde(default)]
    pub severity: CheckSeverity,
}

impl Check {
    /// What happens when it fails.
    #[must_use]
    pub fn severity(&self) -> CheckSeverity {
        match self {
            Self::NotNull(c) | Self::Unique(c) => c.severity,
            Self::AcceptedValues(c) => c.severity,
            Self::Range(c) => c.severity,
            Self::Relationship(c) => c.severity,
            Self::Freshness(c) => c.severity,
            Self::RowCount(c) => c.severity,
            Self::Expression(c) => c.severity,
        }
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::NotNull(_) => CheckKind::NotNull,
            Self::Unique(_) => CheckKind::Unique,
            Self::AcceptedValues(_) => CheckKind::AcceptedValues,
            Self::Range(_) => CheckKind::Range,
            Self::Relationship(_) => CheckKind::Relationship,
            Self::Freshness(_) => CheckKind::Freshness,
            Self::RowCount(_) => CheckKind::RowCount,
            Self::Expression(_) => CheckKind::Expression,
        }
    }

    /// The columns of this table that it names.
    #[must_use]
    pub fn columns(&self) -> Vec<&At<String>> {
        match self {
            Self::NotNull(c) | Self::Unique(c) => c.columns.iter().collect(),
            Self::AcceptedValues(c) => vec![&c.column],
            Self::Range(c) => vec![&c.column],
            Self::Relationship(c) => vec![&c.column],
            Self::Freshness(c) => vec![&c.column],
            Self::RowCount(_) | Self::Expression(_) => Vec::new(),
        }
    }

    /// Its name in results, such as `unique(account_id, as_of)`.
    #[must_use]
    pub fn label(&self) -> String {
        let list = |c: &ColumnsCheck| c.columns.iter().map(|c| c.value.as_str()).collect::<Vec<_>>().join(", ");
        match self {
            Self::NotNull(c) => format!("not_null({})", list(c)),
            Self::Unique(c) => format!("unique({})", list(c)),
            Self::AcceptedValues(c) => format!("accepted_values({})", c.column),
            Self::Range(c) => format!("range({})", c.column),
            Self::Relationship(c) => format!("relationship({} to {})", c.column, c.to),
            Self::Freshness(c) => format!("freshness({})", c.column),
            Self::RowCount(_) => "row_count".to_owned(),
            Self::Expression(c) => c.name.value.clone(),
        }
    }

    pub(super) fn validate(&self, model: &Loaded<SqlModel>, at: &At<Self>, out: &mut Diagnostics) {
        let mut wrong = |at: (u32, u32), message: String, help: &str| {
            let at = At { value: (), line: at.0, column: at.1 };
            out.push(model.header_error("SQL007", &at, message).with_help(help));
        };
        let here = (at.line, at.column);
        match self {
            Self::NotNull(c) | Self::Unique(c) if c.columns.is_empty() => {
                wrong(here, "the check names no column".to_owned(), "list one or more: `[account_id, as_of]`");
            }
            Self::AcceptedValues(c) if c.values.is_empty() => {
                wrong(here, "no value is accepted".to_owned(), "list the accepted values, or remove the check");
            }
            Self::Range(c) if c.min.is_none() && c.max.is_none() => {
                wrong(here, "a range needs `min`, `max` or both".to_owned(), "add a bound, or remove the check");
            }
            Self::Range(Range { min: Some(min), max: Some(max), .. }) if min.number() > max.number() => {
                wrong((min.line, min.column), format!("`min` ({}) is above `max` ({})", **min, **max), "swap the two");
            }
            Self::RowCount(c) if c.min.is_none() && c.max.is_none() => {
                wrong(here, "a row count needs `min`, `max` or both".to_owned(), "add a bound, or remove the check");
            }
            Self::RowCount(RowCount { min: Some(min), max: Some(max), .. }) if **min > **max => {
                wrong((min.line, min.column), format!("`min` ({}) is above `max` ({})", **min, **max), "swap the two");
            }
            Self::Relationship(c) if c.target().is_none() => {
                wrong((c.to.line, c.to.column), format!("`{}` doesn't name a column", *c.to), "write `schema.table.column`");
            }
            Self::Expression(c) if c.sql.trim().is_empty() => {
                wrong(
                    (c.sql.line, c.sql.column),
                    "the expression is empty".to_owned(),
                    "write a condition such as `end_date >= start_date`",
                );
            }
            _ => {}
        }
    }
}

impl Relationship {
    /// The table and the column that `to` names.
    #[must_use]
    pub fn target(&self) -> Option<(&str, &str)> {
        let (table, column) = self.to.rsplit_once('.')?;
        (is_table_name(table) && !column.is_empty()).then_some((table, column))
    }
}

impl Scalar {
    fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "bounds are compared for a hint only")]
            Self::Int(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            Self::Str(_) | Self::Bool(_) => None,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(v) => f.write_str(v),
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => write!(f, "{v}"),
            Self::Bool(v) => write!(f, "{v}"),
        }
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a boolean")
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Scalar, E> {
        Ok(Scalar::Str(v.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Scalar, E> {
        Ok(Scalar::Int(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Scalar, E> {
        i64::try_from(v).map(Scalar::Int).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(v))
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(v))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// The long form of a check over columns.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongForm {
    /// The columns.
    columns: Vec<At<String>>,
    /// What happens on failure.
    #[serde(default)]
    severity: CheckSeverity,
}

struct ColumnsVisitor;

// By hand, since an untagged enum would lose the positions.
impl<'de> Visitor<'de> for ColumnsVisitor {
    type Value = ColumnsCheck;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of columns, or `{columns: […], severity: warn}`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<ColumnsCheck, A::Error> {
        let columns = Vec::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
        Ok(ColumnsCheck { columns, severity: CheckSeverity::Error })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnsCheck, A::Error> {
        let long = LongForm::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(ColumnsCheck { columns: long.columns, severity: long.severity })
    }
}

impl<'de> Deserialize<'de> for ColumnsCheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnsVisitor)
    }
}

impl JsonSchema for ColumnsCheck {
    fn schema_name() -> Cow<'static, str> {
        "ColumnsCheck".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<Vec<At<String>>>();
        let long = generator.subschema_for::<LongForm>();
        json_schema!({
            "description": "A list of columns, or the columns and a severity.",
            "anyOf": [list, long]
        })
    }
}
