//! Names of tables: `schema.table`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The name of a table: `raw.crm__accounts`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    /// The schema: `raw`.
    pub schema: String,
    /// The table: `crm__accounts`.
    pub name: String,
}

impl TableName {
    /// A name from its two parts. Names that came from a user should be parsed instead, which checks them.
    #[must_use]
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// Whether both parts are plain snake_case words, which makes them safe as folder names and as SQL identifiers.
    pub(crate) fn is_plain(&self) -> bool {
        [&self.schema, &self.name].iter().all(|part| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

impl FromStr for TableName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadName { name: text.to_owned() };
        let (schema, name) = text.trim().split_once('.').ok_or_else(bad)?;
        let table = Self::new(schema, name);
        if table.is_plain() { Ok(table) } else { Err(bad()) }
    }
}

impl TryFrom<String> for TableName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_two_plain_parts_only() {
        let name: TableName = "raw.crm__accounts".parse().unwrap();
        assert_eq!((name.schema.as_str(), name.name.as_str()), ("raw", "crm__accounts"));
        for bad in ["accounts", "raw.", ".x", "raw.a.b", "raw.A", "raw.a-b", "../x.y", "raw./etc"] {
            assert!(bad.parse::<TableName>().is_err(), "{bad}");
        }
    }
}
