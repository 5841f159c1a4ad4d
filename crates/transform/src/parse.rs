//! What a model's SQL reads, found in its syntax tree.
//!
//! Only the parsed SQL counts: names of common table expressions are no tables, a name in a comment or a string is
//! nothing, and table functions such as `generate_series(…)` are not looked up.

use cscopilot_lake::TableName;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, Spanned, Statement, TableFactor, Value, ValueWithSpan, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, Tokenizer};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Something wrong in a SQL text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) help: Option<String>,
}

/// A table's name where it stands in the SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) table: TableName,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A `$name` where it stands in the SQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ParamUse {
    pub(crate) name: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// One query, and what it refers to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parsed {
    /// Tables in the order in which they stand in the text, each place once.
    pub(crate) reads: Vec<Reference>,
    /// Parameters in the order in which they stand in the text.
    pub(crate) params: Vec<ParamUse>,
    /// Whether the query itself says in which order its rows come.
    pub(crate) ordered: bool,
}

/// Parses a text that must be exactly one query.
pub(crate) fn parse_query(sql: &str) -> Result<Parsed, Problem> {
    let statements = Parser::parse_sql(&GenericDialect {}, sql).map_err(|e| syntax_problem(sql, &e.to_string()))?;
    let mut statements = statements.into_iter();
    let query = match statements.next() {
        Some(Statement::Query(query)) => query,
        Some(_) => {
            let (line, column) = first_word(sql);
            return Err(Problem {
                code: "TRF002",
                message: "a model must be a query".to_owned(),
                line,
                column,
                help: Some("write a SELECT (or WITH … SELECT); the header says how its rows are stored".to_owned()),
            });
        }
        None => {
            return Err(Problem {
                code: "TRF002",
                message: "the file holds no query".to_owned(),
                line: 1,
                column: 1,
                help: Some("write a SELECT, or remove the file".to_owned()),
            });
        }
    };
    if let Some(second) = statements.next() {
        let (line, column) = start(second.span());
        return Err(Problem {
            code: "TRF002",
            message: "a model must be one query, here a second statement begins".to_owned(),
            line,
            column,
            help: Some("one file makes one table: move the second query to a file of its own, or make the first a WITH".to_owned()),
        });
    }
    collect(&query, query.order_by.is_some())
}

/// Parses a condition such as `end_date >= start_date` and says which parameters and tables it uses.
pub(crate) fn parse_condition(sql: &str) -> Result<Parsed, Problem> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(sql).map_err(|e| syntax_problem(sql, &e.to_string()))?;
    let expr: Expr = parser.parse_expr().map_err(|e| syntax_problem(sql, &e.to_string()))?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        return Err(Problem {
            code: "TRF001",
            message: format!("unexpected `{}` after the expression", next.token),
            line: next.span.start.line as u32,
            column: next.span.start.column as u32,
            help: None,
        });
    }
    collect(&expr, false)
}

fn collect(node: &impl Visit, ordered: bool) -> Result<Parsed, Problem> {
    let mut visitor = References::default();
    match node.visit(&mut visitor) {
        ControlFlow::Break(problem) => Err(*problem),
        ControlFlow::Continue(()) => {
            let mut reads = visitor.reads;
            reads.sort_by_key(|r| (r.line, r.column));
            let mut params: Vec<_> = visitor.params.into_iter().collect();
            params.sort_by_key(|p| (p.line, p.column));
            Ok(Parsed { reads, params, ordered })
        }
    }
}

/// The parser's message without its position, and the position.
fn syntax_problem(sql: &str, message: &str) -> Problem {
    let message = message.strip_prefix("sql parser error: ").unwrap_or(message);
    let (text, line, column) = match message.rfind(" at Line: ") {
        Some(at) => {
            let numbers: Vec<u32> = message[at..].split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            (&message[..at], numbers.first().copied().unwrap_or(0), numbers.get(1).copied().unwrap_or(0))
        }
        None => (message, 0, 0),
    };
    let (line, column) = if line == 0 { end_of(sql) } else { (line, column) };
    let text = text.trim();
    let message = match text.strip_prefix("Expected: ").and_then(|t| t.split_once(", found: ")) {
        Some((expected, "EOF")) => format!("the SQL ends where {expected} should follow"),
        Some((expected, found)) => format!("expected {expected}, found `{found}`"),
        None => lower_first(text),
    };
    Problem { code: "TRF001", message, line, column, help: None }
}

/// The place of the last character that is not blank.
fn end_of(sql: &str) -> (u32, u32) {
    let text = sql.trim_end();
    let number = |n: usize| u32::try_from(n.max(1)).unwrap_or(1);
    (number(text.lines().count()), number(text.lines().last().map_or(0, |l| l.chars().count())))
}

/// Where the SQL begins, comments aside.
fn first_word(sql: &str) -> (u32, u32) {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap_or_default();
    tokens.iter().find(|t| !matches!(t.token, Token::Whitespace(_))).map_or((1, 1), |t| start(t.span))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !chars.clone().next().is_some_and(char::is_uppercase) => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

fn start(span: Span) -> (u32, u32) {
    (u32::try_from(span.start.line).unwrap_or(0), u32::try_from(span.start.column).unwrap_or(0))
}

#[derive(Default)]
struct References {
    reads: Vec<Reference>,
    params: BTreeSet<ParamUse>,
    /// Names of common table expressions that can be seen from here.
    ctes: Vec<String>,
    /// How many names each open query added to `ctes`.
    scopes: Vec<usize>,
    /// The next relation is a table function's name.
    function: bool,
}

impl References {
    fn add(&mut self, name: &ObjectName) -> Result<(), Problem> {
        let idents: Vec<&Ident> = name
            .0
            .iter()
            .filter_map(|part| match part {
                ObjectNamePart::Identifier(ident) => Some(ident),
                ObjectNamePart::Function(_) => None,
            })
            .collect();
        let parts: Vec<String> = idents.iter().map(|i| normal(i)).collect();
        let (line, column) = start(name.span());
        let problem = |message: String, help: String| Problem { code: "TRF003", message, line, column, help: Some(help) };
        match parts.as_slice() {
            [name] if self.ctes.contains(name) => Ok(()),
            [name] => Err(problem(
                format!("`{name}` is neither a table nor a WITH name"),
                "write tables as `schema.table`, such as `raw.crm__accounts`".to_owned(),
            )),
            [schema, name] => {
                let reference = Reference { table: TableName::new(schema, name), line, column };
                if !self.reads.contains(&reference) {
                    self.reads.push(reference);
                }
                Ok(())
            }
            _ => Err(problem(format!("`{name}` is not a table name"), "write tables as `schema.table`".to_owned())),
        }
    }
}

/// DataFusion's rule: names without quotes are lower case.
fn normal(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

impl Visitor for References {
    type Break = Box<Problem>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let mut added = 0;
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                // A name is not in scope in its own query (unless RECURSIVE): `WITH t AS (SELECT * FROM t)` reads a table.
                // The query is visited again below; each place is kept once.
                if !with.recursive {
                    cte.visit(self)?;
                }
                self.ctes.push(normal(&cte.alias.name));
                added += 1;
            }
        }
        self.scopes.push(added);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Self::Break> {
        let added = self.scopes.pop().unwrap_or(0);
        self.ctes.truncate(self.ctes.len().saturating_sub(added));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        self.function = matches!(factor, TableFactor::Table { args: Some(_), .. } | TableFactor::Function { .. });
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Self::Break> {
        if std::mem::take(&mut self.function) {
            return ControlFlow::Continue(());
        }
        match self.add(relation) {
            Ok(()) => ControlFlow::Continue(()),
            Err(problem) => ControlFlow::Break(Box::new(problem)),
        }
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<Self::Break> {
        if let Value::Placeholder(name) = &value.value {
            let (line, column) = start(value.span);
            self.params.insert(ParamUse { name: name.trim_start_matches('$').to_owned(), line, column });
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(sql: &str) -> Vec<String> {
        let mut all: Vec<String> = parse_query(sql).unwrap().reads.into_iter().map(|r| r.table.to_string()).collect();
        all.dedup();
        all
    }

    #[test]
    fn finds_tables_in_joins_subqueries_and_set_operations() {
        let sql = "SELECT * FROM a.x JOIN a.y USING (id) WHERE id IN (SELECT id FROM b.z) AND EXISTS (SELECT 1 FROM c.w)
                   UNION ALL SELECT * FROM d.v ORDER BY (SELECT max(n) FROM e.u)";
        assert_eq!(tables(sql), ["a.x", "a.y", "b.z", "c.w", "d.v", "e.u"]);
    }

    #[test]
    fn names_of_ctes_are_no_tables() {
        let sql = "WITH x AS (SELECT * FROM a.x), y AS (WITH z AS (SELECT 1) SELECT * FROM x, z) SELECT * FROM y JOIN X ON true";
        assert_eq!(tables(sql), ["a.x"]);
        let recursive = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT * FROM n";
        assert_eq!(tables(recursive), Vec::<String>::new());
    }

    #[test]
    fn a_cte_may_have_the_name_of_a_table_it_reads() {
        assert_eq!(tables("WITH users AS (SELECT * FROM staging.users) SELECT * FROM users"), ["staging.users"]);
    }

    #[test]
    fn a_cte_is_not_seen_outside_its_query() {
        let problem = parse_query("SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) AS q JOIN t ON true").unwrap_err();
        assert_eq!((problem.code, problem.line, problem.column), ("TRF003", 1, 64));
    }

    #[test]
    fn table_functions_comments_and_strings_are_no_tables() {
        let sql = "-- from a.b\nSELECT 'from c.d' FROM generate_series(1, 3) AS g(i), e.f /* from g.h */";
        assert_eq!(tables(sql), ["e.f"]);
    }

    #[test]
    fn tables_and_parameters_know_their_place() {
        let parsed = parse_query("SELECT *\nFROM a.x\nWHERE d <= $as_of\n  AND n > $least").unwrap();
        assert_eq!((parsed.reads[0].line, parsed.reads[0].column), (2, 6));
        let params: Vec<_> = parsed.params.iter().map(|p| (p.name.as_str(), p.line, p.column)).collect();
        assert_eq!(params, [("as_of", 3, 12), ("least", 4, 11)]);
    }

    #[test]
    fn only_one_query_is_a_model() {
        for (sql, line) in [("", 1), ("CREATE TABLE x (a INT)", 1), ("SELECT 1;\nSELECT 2", 2), ("DELETE FROM a.b", 1)] {
            let problem = parse_query(sql).unwrap_err();
            assert_eq!((problem.code, problem.line), ("TRF002", line), "{sql}");
        }
        assert!(parse_query("SELECT 1;").is_ok());
    }

    #[test]
    fn broken_sql_says_where() {
        let problem = parse_query("SELECT a,\nFROM a.b\nWHERE )").unwrap_err();
        assert_eq!((problem.code, problem.line), ("TRF001", 3));
    }

    #[test]
    fn conditions_are_single_expressions() {
        assert!(parse_condition("end_date >= start_date AND n < $most").is_ok());
        assert_eq!(parse_condition("a = b, c").unwrap_err().code, "TRF001");
    }
}
