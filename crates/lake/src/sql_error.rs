//! SQL that can't be planned: what is wrong, where, and what was meant.

use std::ops::ControlFlow;

use cscopilot_diag::{Coded, suggest};
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::ast::{Expr, Spanned, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::TableName;

/// Why SQL can't be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// What is wrong, in lower case and without a period.
    pub message: String,
    /// The line in the SQL text, from 1; 0 where it is not known.
    pub line: u32,
    /// The column, from 1; 0 where it is not known.
    pub column: u32,
    /// What to do, or what may have been meant.
    pub help: Option<String>,
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.message),
            line => write!(f, "{} (line {line}, column {})", self.message, self.column),
        }
    }
}

impl std::error::Error for SqlError {}

impl Coded for SqlError {
    fn code(&self) -> &'static str {
        "LAK006"
    }

    fn help(&self) -> Option<String> {
        self.help.clone()
    }
}

impl SqlError {
    /// Reads an error of DataFusion's planner. `tables` are the names there are.
    pub(crate) fn from_planning(sql: &str, error: &DataFusionError, tables: &[TableName]) -> Self {
        let mut found = Self::read(sql, error, tables);
        if found.line == 0
            && let Some((line, column)) = mentioned(&found.message).iter().find_map(|word| locate(sql, word))
        {
            (found.line, found.column) = (line, column);
        }
        if found.message.starts_with("cannot coerce ") || found.message.starts_with("cannot infer common ") {
            if found.line == 0 {
                (found.line, found.column) = operation(sql, &found.message).unwrap_or_default();
            }
            found.help = found.help.or_else(|| Some("cast one side to the type of the other: CAST(… AS …)".to_owned()));
        }
        found
    }

    fn read(sql: &str, error: &DataFusionError, tables: &[TableName]) -> Self {
        let root = error.find_root();
        let (line, column) = error
            .diagnostic()
            .and_then(|d| d.span.or_else(|| d.notes.iter().find_map(|note| note.span)))
            .map(|span| (u32::try_from(span.start.line).unwrap_or(0), u32::try_from(span.start.column).unwrap_or(0)))
            .unwrap_or_default();
        let helped = error.diagnostic().and_then(|d| d.helps.first()).map(|h| tidy(&h.message));
        match root {
            DataFusionError::SchemaError(schema, _) => return Self { line, column, ..Self::of_schema(schema) }.or_place(sql),
            DataFusionError::SQL(parser, _) => return Self::of_parser(sql, &parser.to_string()),
            DataFusionError::External(inner) => {
                // The lake itself failed while a table was being looked up.
                return Self { message: tidy(&inner.to_string()), line: 0, column: 0, help: None };
            }
            _ => {}
        }
        let text = root.strip_backtrace();
        if let Some(table) = between(&text, "table '", "' not found") {
            let wanted = table.strip_prefix("lake.").unwrap_or(table);
            return Self { line, column, ..Self::of_table(wanted, tables) }.or_place(sql);
        }
        if let Some(known) = Self::of_statement(sql, &text) {
            return known;
        }
        // Of the two texts there are, the one about grouping is clearer in the diagnostic, the others in the error.
        let message = match error.diagnostic() {
            Some(diagnostic) if diagnostic.message.contains("GROUP BY") => diagnostic.message.clone().into(),
            _ => root.message(),
        };
        let (message, hint) = match message.split_once("Did you mean '") {
            Some((before, after)) => (tidy(before), after.split('\'').next().map(|name| format!("did you mean `{name}`?"))),
            None => (tidy(&message), None),
        };
        Self { message, line, column, help: hint.or(helped) }
    }

    /// Statements that are no single query.
    fn of_statement(sql: &str, text: &str) -> Option<Self> {
        if text.contains("only supports a single SQL statement") {
            let (line, column) = locate(sql, ";").unwrap_or_default();
            let message = "there is more than one statement here".to_owned();
            return Some(Self { message, line, column, help: Some("keep one query, and nothing after its semicolon".to_owned()) });
        }
        text.contains("No SQL statements were provided").then(|| Self {
            message: "there is no query here".to_owned(),
            line: 1,
            column: 1,
            help: Some("write a SELECT".to_owned()),
        })
    }

    fn of_table(wanted: &str, tables: &[TableName]) -> Self {
        let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
        let Some(bare) = wanted.strip_prefix("local.") else {
            return Self::new(format!("there is no table `{wanted}`"), suggest::help(wanted, names.iter().map(String::as_str)));
        };
        let same: Vec<&str> = tables.iter().zip(&names).filter(|(t, _)| t.name == bare).map(|(_, n)| n.as_str()).collect();
        let help = match same.as_slice() {
            [] => suggest::help(bare, names.iter().map(String::as_str)),
            some => Some(format!("did you mean `{}`?", some.join("` or `"))),
        };
        Self::new(
            format!("there is no table `{bare}`"),
            help.or_else(|| Some("tables are named with their schema: schema.table".to_owned())),
        )
    }

    fn of_schema(error: &SchemaError) -> Self {
        match error {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let names: Vec<String> = valid_fields
                    .iter()
                    .filter(|f| field.relation.is_none() || f.relation == field.relation)
                    .map(|f| f.name.clone())
                    .collect();
                let shown = match &field.relation {
                    Some(relation) => format!("{}.{}", relation.to_string().trim_start_matches("lake."), field.name),
                    None => field.name.clone(),
                };
                Self::new(format!("there is no column `{shown}`"), suggest::help(&field.name, names.iter().map(String::as_str)))
            }
            SchemaError::AmbiguousReference { field } => Self::new(
                format!("the column `{}` is in more than one table here", field.name),
                Some("put the table's alias before it".to_owned()),
            ),
            SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
                Self::new(format!("the column `{name}` is there twice"), Some("give one of them another name with AS".to_owned()))
            }
        }
    }

    fn of_parser(sql: &str, text: &str) -> Self {
        let text = text.trim_start_matches("sql parser error: ").trim_start_matches("ParserError(\"").trim_end_matches("\")");
        let (message, place) = match text.rsplit_once(" at Line: ") {
            Some((message, place)) => (message, place.split_once(", Column: ")),
            None => (text, None),
        };
        let number = |s: &str| s.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
        let (line, column) = match place {
            Some((line, column)) => (number(line), number(column)),
            None => end_of(sql),
        };
        Self { message: tidy(message), line, column, help: None }
    }

    fn new(message: String, help: Option<String>) -> Self {
        Self { message, line: 0, column: 0, help }
    }

    fn or_place(mut self, sql: &str) -> Self {
        if self.line == 0
            && let Some(place) = mentioned(&self.message).iter().find_map(|word| locate(sql, word))
        {
            (self.line, self.column) = place;
        }
        self
    }
}

/// The place of the first operation whose operator stands in a message such as `… expression Utf8 + Int64 …`.
fn operation(sql: &str, message: &str) -> Option<(u32, u32)> {
    struct Finder<'a> {
        message: &'a str,
    }
    impl Visitor for Finder<'_> {
        type Break = Location;

        fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Location> {
            match expr {
                Expr::BinaryOp { op, .. } if self.message.contains(&format!(" {op} ")) => ControlFlow::Break(expr.span().start),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let statements = Parser::parse_sql(&GenericDialect {}, sql).ok()?;
    match statements.visit(&mut Finder { message }) {
        ControlFlow::Break(at) if at.line > 0 => Some((u32::try_from(at.line).ok()?, u32::try_from(at.column).ok()?)),
        _ => None,
    }
}

/// The place just after the last character that is not blank.
fn end_of(sql: &str) -> (u32, u32) {
    let text = sql.trim_end();
    let line = text.lines().count().max(1);
    let column = text.lines().last().map_or(0, |l| l.chars().count());
    (u32::try_from(line).unwrap_or(1), u32::try_from(column.max(1)).unwrap_or(1))
}

/// Words in backticks or quotes: what a message is about.
fn mentioned(message: &str) -> Vec<String> {
    let mut words = vec![];
    for quote in ['`', '\''] {
        words.extend(message.split(quote).skip(1).step_by(2).map(str::to_owned));
    }
    words
}

/// The place of a name in SQL, ignoring case, not within a longer name; for `a.b` also of `b` alone.
fn locate(sql: &str, name: &str) -> Option<(u32, u32)> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    for wanted in [name, name.rsplit('.').next().unwrap_or(name)] {
        let wanted = wanted.to_lowercase();
        if wanted.is_empty() {
            continue;
        }
        for (index, line) in sql.lines().enumerate() {
            let lower = line.to_lowercase();
            for (at, _) in lower.match_indices(&wanted) {
                let word = wanted.starts_with(inside);
                let before = !word || lower[..at].chars().next_back().is_none_or(|c| !inside(c));
                let after = !word || lower[at + wanted.len()..].chars().next().is_none_or(|c| !inside(c));
                if before && after {
                    return Some((u32::try_from(index + 1).ok()?, u32::try_from(lower[..at].chars().count() + 1).ok()?));
                }
            }
        }
    }
    None
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(inner, _)| inner)
}

/// A message in our style: first line, lower case, no period, no prefix.
fn tidy(message: &str) -> String {
    let mut text = message.trim();
    for prefix in ["Error during planning: ", "This feature is not implemented: ", "Internal error: ", "sql parser error: ", "SQL error: "]
    {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    let first = text.lines().next().unwrap_or_default().trim().trim_end_matches('.');
    let mut chars = first.chars();
    match (chars.next(), chars.next()) {
        (Some(a), Some(b)) if a.is_uppercase() && !b.is_uppercase() => format!("{}{}", a.to_lowercase(), &first[a.len_utf8()..]),
        _ => first.to_owned(),
    }
}
