//! The SQL that is sent: names are quoted, values are bound.

use super::request::{From, Request};
use crate::error::Result;
use cscopilot_decode::Error as DecodeError;

/// How a database writes SQL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// The sign around names.
    pub(crate) quote: char,
}

impl Dialect {
    /// A name in quotes.
    pub(crate) fn name(self, name: &str) -> String {
        let quote = self.quote;
        format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
    }

    /// A column of what is read.
    pub(crate) fn column(self, name: &str) -> String {
        format!("q.{}", self.name(name))
    }

    /// What is read, under the name `q`.
    pub(crate) fn from(self, from: &From) -> String {
        match from {
            From::Table(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.name(part)).collect();
                format!("{} q", parts.join("."))
            }
            // The query may end with a comment.
            From::Query(query) => format!("(\n{query}\n) q"),
        }
    }

    /// A query that gives the columns and no rows.
    pub(crate) fn describe(self, request: &Request) -> String {
        format!("SELECT q.* FROM {} WHERE 1 = 0", self.from(&request.from))
    }

    /// The query of all wanted rows in order: `select` are the columns' expressions, `bound` is that of the value to start from.
    pub(crate) fn rows(self, request: &Request, select: &[String], bound: Option<&str>) -> String {
        let mut sql = format!("SELECT {} FROM {}", select.join(", "), self.from(&request.from));
        if let Some(cursor) = request.plan.rows.cursor {
            let cursor = self.column(&request.plan.rows.columns[cursor].from);
            match bound {
                Some(bound) => sql.push_str(&format!(" WHERE {cursor} >= {bound}")),
                None => sql.push_str(&format!(" WHERE {cursor} IS NOT NULL")),
            }
        }
        let order: Vec<String> = request.order().into_iter().map(|name| self.column(name)).collect();
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        sql
    }

    /// The query of the rows that have no cursor, which no other query would ever give.
    pub(crate) fn strays(self, request: &Request, select: &[String]) -> Option<String> {
        let cursor = self.column(&request.plan.rows.columns[request.plan.rows.cursor?].from);
        Some(format!("SELECT {} FROM {} WHERE {cursor} IS NULL", select.join(", "), self.from(&request.from)))
    }
}

/// Column by column its position among those that the database has; nothing where it lacks an optional one.
pub(crate) fn bind(request: &Request, found: &[String]) -> Result<Vec<Option<usize>>> {
    request
        .plan
        .rows
        .columns
        .iter()
        .map(|column| match found.iter().position(|name| *name == column.from) {
            Some(position) => Ok(Some(position)),
            None if column.optional => Ok(None),
            None => Err(DecodeError::no_column(&request.shown, &column.from, found).into()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::request::plan;
    use crate::database::state::Bound;
    use cscopilot_spec::Source;
    use std::sync::Arc;

    fn request(stream: &str) -> Request {
        let yaml = format!(
            "version: 1\ndatabase: {{sqlite: {{path: x}}}}\nstreams:\n  s:\n    columns: {{id: {{type: int, from: Id}}, at: {{type: timestamp}}}}\n{stream}"
        );
        let source: Source = cscopilot_spec::parse("x.yaml", &Arc::from(yaml.as_str()), &yaml, 0).unwrap();
        let stream = source.streams.get("s").unwrap();
        let reading = source.database.as_ref().unwrap().reading();
        Request::new(plan("x", &source, "s", stream).unwrap(), stream, "s", reading, Some(Bound::Int(1)))
    }

    #[test]
    fn names_are_quoted_and_rows_are_ordered_by_cursor_and_key() {
        let request = request("    table: my schema.ta\"ble\n    primary_key: [id]\n    cursor: at\n");
        let ansi = Dialect { quote: '"' };
        let select = [ansi.column("Id"), ansi.column("at")];
        assert_eq!(
            ansi.rows(&request, &select, Some("$1")),
            r#"SELECT q."Id", q."at" FROM "my schema"."ta""ble" q WHERE q."at" >= $1 ORDER BY q."at", q."Id""#
        );
        let mysql = Dialect { quote: '`' };
        assert_eq!(mysql.strays(&request, &["1".to_owned()]).unwrap(), "SELECT 1 FROM `my schema`.`ta\"ble` q WHERE q.`at` IS NULL");
    }

    #[test]
    fn a_query_may_end_with_a_comment_or_a_semicolon() {
        let request = request("    query: |\n      SELECT * FROM t -- all\n      ;\n");
        let ansi = Dialect { quote: '"' };
        assert_eq!(ansi.describe(&request), "SELECT q.* FROM (\nSELECT * FROM t -- all\n) q WHERE 1 = 0");
        assert_eq!(ansi.rows(&request, &["1".to_owned()], None), "SELECT 1 FROM (\nSELECT * FROM t -- all\n) q");
        assert!(ansi.strays(&request, &[]).is_none());
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_are_there() {
        let request = request("    table: t\n");
        let found = ["id".to_owned(), "at".to_owned()];
        assert_eq!(bind(&request, &found).unwrap_err().to_string(), "t has no column `Id`");
        assert_eq!(bind(&request, &["at".to_owned(), "Id".to_owned()]).unwrap(), [Some(1), Some(0)]);
    }
}
