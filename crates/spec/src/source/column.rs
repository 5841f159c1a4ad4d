use crate::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A declared column of a stream.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The type: `string`, `bool`, `int`, `float`, `decimal(p,s)`, `date`, `timestamp` or `json` (kept as text).
    pub r#type: At<ColumnType>,
    /// Where the value stands: the name in the header, or a path into a JSON record such as `properties.account.id` (`\.` is a
    /// dot inside a key, a number an element of an array). The column's own name by default.
    #[serde(default)]
    pub from: Option<At<String>>,
    /// Rows without a value are rejected. Columns of the primary key always need one.
    #[serde(default)]
    pub not_null: bool,
    /// Files may lack this column; it is NULL then.
    #[serde(default)]
    pub optional: bool,
    /// The form of dates and timestamps, such as `%d-%m-%Y` or `%d.%m.%Y %H:%M`; `unix_secs` and `unix_millis` are numbers since 1970.
    /// ISO 8601 by default.
    #[serde(default)]
    pub format: Option<At<String>>,
    /// Further forms, tried one after the other.
    #[serde(default)]
    pub formats: Vec<At<String>>,
    /// The zone of timestamps that name none, such as `Europe/Berlin`. UTC by default; the table holds UTC.
    #[serde(default)]
    pub zone: Option<At<String>>,
    /// The sign before the fraction of a number; a point by default.
    #[serde(default)]
    pub decimal_separator: Option<At<char>>,
    /// The sign between groups of three digits; none by default.
    #[serde(default)]
    pub thousands_separator: Option<At<char>>,
    /// Rounds decimals that have more places than the type (half away from zero). They are rejected by default.
    #[serde(default)]
    pub round: bool,
    /// Words for true. By default true, t, yes, y and 1, in upper or lower case.
    #[serde(default)]
    pub true_values: Vec<String>,
    /// Words for false. By default false, f, no, n and 0, in upper or lower case.
    #[serde(default)]
    pub false_values: Vec<String>,
    /// Texts that stand for NULL in this column, besides those of the format.
    #[serde(default)]
    pub null_values: Vec<String>,
    /// What the column means.
    #[serde(default)]
    pub description: Option<String>,
}

impl Column {
    /// A column of a type with all defaults.
    #[must_use]
    pub fn new(r#type: ColumnType) -> Self {
        Self {
            r#type: At::nowhere(r#type),
            from: None,
            not_null: false,
            optional: false,
            format: None,
            formats: Vec::new(),
            zone: None,
            decimal_separator: None,
            thousands_separator: None,
            round: false,
            true_values: Vec::new(),
            false_values: Vec::new(),
            null_values: Vec::new(),
            description: None,
        }
    }

    /// The forms of dates and timestamps, in the order in which they are tried.
    pub fn all_formats(&self) -> impl Iterator<Item = &At<String>> {
        self.format.iter().chain(&self.formats)
    }
}

/// The type of a declared column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    String,
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A floating-point number of 64 bits.
    Float,
    /// An exact number with so many digits in all and so many behind the point.
    Decimal(u8, i8),
    /// A day.
    Date,
    /// An instant, kept in UTC with microseconds.
    Timestamp,
    /// Any JSON value, kept as text.
    Json,
}

impl ColumnType {
    /// Whether values have an order that a cursor can follow.
    #[must_use]
    pub fn is_ordered(self) -> bool {
        !matches!(self, Self::Bool | Self::Json | Self::Float)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Float => f.write_str("float"),
            Self::Decimal(p, s) => write!(f, "decimal({p},{s})"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Json => f.write_str("json"),
        }
    }
}

const TYPES: [&str; 8] = ["string", "bool", "int", "float", "decimal(18,2)", "date", "timestamp", "json"];

impl FromStr for ColumnType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim();
        Ok(match name {
            "string" => Self::String,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "json" => Self::Json,
            _ => match name.strip_prefix("decimal") {
                Some(rest) => decimal(rest.trim())?,
                None => {
                    let help = cscopilot_diag::suggest::closest(name, TYPES)
                        .map_or_else(|| format!("known: {}", TYPES.join(", ")), |close| format!("did you mean `{close}`?"));
                    return Err(format!("`{name}` is not a column type; {help}"));
                }
            },
        })
    }
}

fn decimal(arguments: &str) -> Result<ColumnType, String> {
    let numbers = arguments.strip_prefix('(').and_then(|a| a.strip_suffix(')')).and_then(|a| a.split_once(','));
    let parsed = numbers.and_then(|(p, s)| Some((p.trim().parse::<u8>().ok()?, s.trim().parse::<i8>().ok()?)));
    match parsed {
        Some((p, s)) if (1..=38).contains(&p) && s >= 0 && s.unsigned_abs() <= p => Ok(ColumnType::Decimal(p, s)),
        Some((p, s)) => Err(format!("decimal({p},{s}) is not possible: at most 38 digits in all, of which 0 to all behind the point")),
        None => Err("write decimals as `decimal(18,2)`: digits in all, digits behind the point".to_owned()),
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for ColumnType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ColumnType {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ColumnType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(string|bool|int|float|date|timestamp|json|decimal\s*\(\s*\d{1,2}\s*,\s*\d{1,2}\s*\))$",
            "examples": TYPES,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in TYPES {
            assert_eq!(text.parse::<ColumnType>().unwrap().to_string(), text);
        }
        assert_eq!("decimal( 10 , 0 )".parse(), Ok(ColumnType::Decimal(10, 0)));
    }

    #[test]
    fn refuses_other_types_with_help() {
        for (bad, part) in [
            ("strng", "did you mean `string`?"),
            ("varchar(10)", "known: string"),
            ("decimal", "decimal(18,2)"),
            ("decimal(40,2)", "at most 38"),
            ("decimal(4,5)", "not possible"),
            ("decimal(4,-1)", "not possible"),
        ] {
            let message = bad.parse::<ColumnType>().unwrap_err();
            assert!(message.contains(part), "{bad}: {message}");
        }
    }
}
